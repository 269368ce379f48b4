//! What a plant allows of what follows from its verdicts: its inventory and the safety flows of its
//! profiles, as the life of commands asks for them.

use std::sync::Arc;

use andon_engine::Plant;
use andon_respond::{Policy, Rules, Shield};
use andon_schemas::command::Mode;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;

/// A plant, asked what it allows.
#[derive(Clone, Debug)]
pub struct PlantPolicy {
    plant: Arc<Plant>,
    /// What enforcement points answer is read.
    is_heard: bool,
}

impl PlantPolicy {
    /// For a plant. Where nobody reads what its enforcement points answer, nobody's silence says
    /// anything.
    pub fn new(plant: Arc<Plant>, is_heard: bool) -> Self {
        Self { plant, is_heard }
    }

    /// The plant.
    pub fn plant(&self) -> &Arc<Plant> {
        &self.plant
    }

    /// The devices that the plant lists in segments for which enforcement points answer.
    pub fn answered_devices(&self) -> impl Iterator<Item = &DeviceId> {
        let inventory = self.plant.inventory();
        let listed = inventory.devices.iter();
        listed
            .filter(|device| inventory.enforcement.is_answered(device.segment))
            .map(|device| &device.id)
    }

    /// The segment that verdicts about a device bear, listed or not; empty for none.
    pub fn verdict_segment(&self, device: &DeviceId) -> &str {
        let inventory = self.plant.inventory();
        let at = inventory.segment_of_id(device.as_str());
        let segment = at.and_then(|at| inventory.segments.get(at));
        segment.map_or("", |segment| &segment.name)
    }

    fn index(&self, segment: &str) -> Option<usize> {
        let segments = &self.plant.inventory().segments;
        segments.iter().position(|listed| listed.name == segment)
    }
}

impl Policy for PlantPolicy {
    fn site(&self) -> &str {
        &self.plant.inventory().site
    }

    fn segment_of(&self, device: &DeviceId) -> Option<&str> {
        let inventory = self.plant.inventory();
        let listed = inventory.device(device.as_str())?;
        let segment = inventory.segments.get(listed.segment)?;
        Some(&segment.name)
    }

    fn shield(&self, device: &DeviceId) -> Shield {
        let guarded = self.plant.guarded(device.as_str());
        Shield {
            protected: guarded.protected,
            person: guarded.person,
        }
    }

    fn rules(&self, segment: &str) -> Rules {
        let at = self.index(segment);
        let enforced = self.plant.inventory().enforcement.of(at);
        let enforcement = &self.plant.inventory().enforcement;
        let is_answered = self.is_heard && at.is_some_and(|at| enforcement.is_answered(at));
        Rules {
            cuts_per_minute: enforced.cuts_per_minute,
            acknowledge_within: is_answered.then_some(enforced.acknowledge_within),
            probation: enforced.probation,
        }
    }

    fn enforces(&self, segment: &str, grade: Option<Grade>) -> bool {
        if self.plant.mode() == Mode::Monitor {
            return false;
        }
        let grades = &self
            .plant
            .inventory()
            .enforcement
            .of(self.index(segment))
            .grades;
        match grade {
            Some(grade) => grades.contains(&grade),
            // What a person asks for is done wherever anything is.
            None => !grades.is_empty(),
        }
    }

    fn maintenance_until(&self, device: &DeviceId, at: EventTime) -> Option<EventTime> {
        self.plant.maintained_until(device.as_str(), at)
    }

    fn may_answer(&self, enforcer: &str, segment: &str) -> bool {
        let enforcement = &self.plant.inventory().enforcement;
        self.index(segment)
            .is_some_and(|at| enforcement.may_answer(enforcer, at))
    }
}
