//! The names of our topics.

use std::sync::Arc;

/// The topics of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Observations in; key = device.
    pub observations: Arc<str>,
    /// Verdicts out; key = segment.
    pub verdicts: Arc<str>,
    /// Risk of each device out; compacted, key = device.
    pub risk: Arc<str>,
    /// Incidents out, every revision; key = incident.
    pub incidents: Arc<str>,
    /// Commands out; key = device.
    pub enforcement: Arc<str>,
    /// What those who run the plant are told, in plain words; key = device.
    pub notices: Arc<str>,
    /// Acknowledgements of enforcers in.
    pub acks: Arc<str>,
    /// What people do, and what came of it; one partition, read by all.
    pub acts: Arc<str>,
    /// What was not counted, with its reason and position.
    pub rejects: Arc<str>,
    /// Everything that was decided, by whom; each partition of the verdicts has a chain of its own.
    pub audit: Arc<str>,
    /// State of the lanes: partition n holds that of partition n of the observations; compacted.
    pub state: Arc<str>,
    /// Changes of inventory and profiles; one partition, read by all.
    pub control: Arc<str>,
}

impl Names {
    /// The names that begin with a prefix.
    pub fn of(prefix: &str) -> Self {
        let name = |what: &str| Arc::from(format!("{prefix}.{what}.v1"));
        Self {
            observations: name("observations"),
            verdicts: name("verdicts"),
            risk: name("risk"),
            incidents: name("incidents"),
            enforcement: name("enforcement"),
            notices: name("notices"),
            acks: name("acks"),
            acts: name("acts"),
            rejects: name("rejects"),
            audit: name("audit"),
            state: name("state"),
            control: name("control"),
        }
    }
}
