//! By what more of an incident is found: its verdicts, devices, destinations, and what was found in
//! a segment. Each clue leads to one incident, which knows its clues, so that the index follows from
//! the incidents that are kept.

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::identity::DeviceId;
use andon_schemas::incident::Incident;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// A segment and a detector.
type Together = (String, String);

/// An incident, what is known of its verdicts beyond those that it lists, and its clues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptIncident {
    pub(super) incident: Incident,
    /// Verdicts that are open and not listed.
    pub(super) unlisted: BTreeSet<String>,
    pub(super) clues: Clues,
}

/// What leads to an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clues {
    verdicts: BTreeSet<String>,
    devices: BTreeSet<DeviceId>,
    destinations: BTreeSet<String>,
    /// What was found where, and when it was last.
    together: Vec<(Together, EventTime)>,
}

/// One clue that an incident has lost.
#[derive(Debug)]
pub(super) enum Lost {
    Device(DeviceId),
    Together(Together),
}

impl Clues {
    /// It leads somewhere else, or nowhere, from now on.
    pub(super) fn lose(&mut self, clue: &Lost) {
        match clue {
            Lost::Device(device) => {
                self.devices.remove(device);
            }
            Lost::Together(together) => self.together.retain(|(own, _)| own != together),
        }
    }
}

/// The incident that every clue leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) verdicts: BTreeMap<String, String>,
    pub(super) devices: BTreeMap<DeviceId, String>,
    pub(super) destinations: BTreeMap<String, String>,
    /// The incident that something was found in last, and when.
    pub(super) segments: BTreeMap<Together, (String, EventTime)>,
}

impl Index {
    /// Takes down where a verdict leads; returns the clues that led to other incidents so far.
    pub(super) fn know(
        &mut self,
        held: &mut KeptIncident,
        verdict: &Verdict,
        is_worth: bool,
    ) -> Vec<(String, Lost)> {
        let id = held.incident.incident_id.clone();
        let mut lost = Vec::new();
        held.clues.verdicts.insert(verdict.verdict_id.clone());
        self.verdicts.insert(verdict.verdict_id.clone(), id.clone());
        let device = &verdict.device_id;
        held.clues.devices.insert(device.clone());
        let before = self.devices.insert(device.clone(), id.clone());
        if let Some(other) = before.filter(|other| *other != id) {
            lost.push((other, Lost::Device(device.clone())));
        }
        let lead = verdict.findings.first();
        if let Some(lead) = lead.filter(|_| is_worth && !verdict.segment.is_empty()) {
            let together = (verdict.segment.clone(), lead.detector.clone());
            let at = verdict.window.end;
            held.clues.lose(&Lost::Together(together.clone()));
            held.clues.together.push((together.clone(), at));
            let found = (id.clone(), at);
            let before = self.segments.insert(together.clone(), found);
            if let Some((other, _)) = before.filter(|(other, _)| *other != id) {
                lost.push((other, Lost::Together(together)));
            }
        }
        lost
    }

    /// Takes down destinations, unless they lead to an incident already.
    pub(super) fn name(&mut self, held: &mut KeptIncident, destinations: &[String]) {
        for destination in destinations {
            let known = self.destinations.entry(destination.clone());
            let id = known.or_insert_with(|| held.incident.incident_id.clone());
            if *id == held.incident.incident_id {
                held.clues.destinations.insert(destination.clone());
            }
        }
    }

    /// Takes down everything that leads to an incident that was kept.
    pub(super) fn know_again(&mut self, held: &KeptIncident) {
        let id = &held.incident.incident_id;
        let clues = &held.clues;
        let own = |clue: &String| (clue.clone(), id.clone());
        self.verdicts.extend(clues.verdicts.iter().map(own));
        self.destinations.extend(clues.destinations.iter().map(own));
        let devices = clues.devices.iter();
        self.devices
            .extend(devices.map(|device| (device.clone(), id.clone())));
        let together = clues.together.iter();
        self.segments
            .extend(together.map(|(together, at)| (together.clone(), (id.clone(), *at))));
    }

    /// Nothing leads to an incident any more.
    pub(super) fn forget(&mut self, gone: &KeptIncident) {
        let clues = &gone.clues;
        for verdict in &clues.verdicts {
            self.verdicts.remove(verdict);
        }
        for device in &clues.devices {
            self.devices.remove(device);
        }
        for destination in &clues.destinations {
            self.destinations.remove(destination);
        }
        for (together, _) in &clues.together {
            self.segments.remove(together);
        }
    }

    /// A verdict leads nowhere any more.
    pub(super) fn forget_verdict(&mut self, held: &mut KeptIncident, verdict_id: &str) {
        self.verdicts.remove(verdict_id);
        held.clues.verdicts.remove(verdict_id);
    }

    /// What was found in segments longer ago than counts leads nowhere any more.
    pub(super) fn forget_segments(
        &mut self,
        is_stale: impl Fn(EventTime) -> bool,
    ) -> Vec<(String, Lost)> {
        let mut lost = Vec::new();
        self.segments.retain(|together, (id, at)| {
            let stays = !is_stale(*at);
            if !stays {
                lost.push((id.clone(), Lost::Together(together.clone())));
            }
            stays
        });
        lost
    }
}
