//! What really happened: the ground truth that goes with a capture.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

/// One attack, as it was carried out. Written as one line of `F.labels.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Name of the attack, as `--attack` takes it.
    pub attack: String,
    /// The device that a verdict must name.
    pub device: DeviceId,
    /// The other end, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// First moment of it.
    pub start: EventTime,
    /// First moment after it.
    pub end: EventTime,
    /// The worst grade that its episode must reach.
    pub expected_grade: Grade,
    /// Detectors that must be among its findings.
    pub detectors: Vec<String>,
    /// Found only by evidence that a later release gathers: labelled, not yet due.
    pub later: bool,
    /// One plain sentence for people.
    pub note: String,
}
