//! What the plants of the tests allow.

use std::collections::BTreeMap;

use andon_schemas::command::FlowMatch;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};

use crate::{Policy, Rules, Shield};

/// Everything is allowed, nobody answers, and what lapses is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lenient;

impl Policy for Lenient {
    fn site(&self) -> &'static str {
        "precision-parts"
    }
    fn segment_of(&self, _: &DeviceId) -> Option<&str> {
        Some("assembly")
    }
    fn shield(&self, _: &DeviceId) -> Shield {
        Shield::default()
    }
    fn rules(&self, _: &str) -> Rules {
        Rules {
            cuts_per_minute: usize::MAX,
            acknowledge_within: None,
            probation: Span::default(),
        }
    }
    fn enforces(&self, _: &str, _: Option<Grade>) -> bool {
        true
    }
    fn maintenance_until(&self, _: &DeviceId, _: EventTime) -> Option<EventTime> {
        None
    }
    fn may_answer(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// A plant whose every rule a test can set. Devices are `SEGMENT-N`.
#[derive(Clone, Debug)]
pub(crate) struct Strict {
    pub(crate) cap: usize,
    pub(crate) answers: bool,
    pub(crate) probation: Span,
    /// Grades from this one on are enforced; `None` for nothing.
    pub(crate) from: Option<Grade>,
    /// Safety flows of every device.
    pub(crate) protected: Vec<FlowMatch>,
    /// Devices that only a person may cut.
    pub(crate) guarded: Vec<DeviceId>,
    /// End of maintenance, by device.
    pub(crate) maintained: BTreeMap<DeviceId, EventTime>,
}

impl Default for Strict {
    fn default() -> Self {
        let flow = FlowMatch {
            peer: "safety-plc".to_owned(),
            transport: None,
            port: None,
        };
        Self {
            cap: 2,
            answers: true,
            probation: Span::DAY,
            from: Some(Grade::Low),
            protected: vec![flow],
            guarded: Vec::new(),
            maintained: BTreeMap::new(),
        }
    }
}

impl Policy for Strict {
    fn site(&self) -> &'static str {
        "precision-parts"
    }
    fn segment_of(&self, device: &DeviceId) -> Option<&str> {
        // The id outlives the borrow of neither; two segments are enough.
        match device.as_str().split_once('-') {
            Some(("a", _)) => Some("a"),
            Some(("b", _)) => Some("b"),
            _ => None,
        }
    }
    fn shield(&self, device: &DeviceId) -> Shield {
        Shield {
            protected: self.protected.clone(),
            person: self
                .guarded
                .contains(device)
                .then_some("only a person may cut it"),
        }
    }
    fn rules(&self, _: &str) -> Rules {
        Rules {
            cuts_per_minute: self.cap,
            acknowledge_within: self.answers.then(|| Span::from_secs(30)),
            probation: self.probation,
        }
    }
    fn enforces(&self, _: &str, grade: Option<Grade>) -> bool {
        self.from
            .is_some_and(|from| grade.is_none_or(|grade| grade >= from))
    }
    fn maintenance_until(&self, device: &DeviceId, at: EventTime) -> Option<EventTime> {
        self.maintained
            .get(device)
            .copied()
            .filter(|until| *until > at)
    }
    fn may_answer(&self, enforcer: &str, _: &str) -> bool {
        enforcer == "fw"
    }
}
