//! What really happened: the ground truth that goes with a capture.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

/// One attack, as it was carried out. Written as one line of `F.labels.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Name of the attack, as `--attack` takes it; on a rung of the volume ladder followed by its
    /// factor, `volume-ladder-x1.5`.
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
    /// A worse grade than that is right as well: whoever labelled the traffic knew no grades.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// Detectors that must be among its findings.
    pub detectors: Vec<String>,
    /// Labelled, but due no grade: found only by evidence that a later release gathers, or there
    /// to measure what share of devices is found.
    pub later: bool,
    /// One plain sentence for people.
    pub note: String,
}

/// Begins the name of every rung of the volume ladder; the factor follows.
const RUNG: &str = "volume-ladder-x";

impl Label {
    /// The name of the rung with this factor.
    pub(crate) fn rung(factor: f64) -> String {
        format!("{RUNG}{factor}")
    }

    /// On a rung of the volume ladder, how many times its usual bytes the device moves; `None`
    /// for every other attack.
    pub fn ladder_factor(&self) -> Option<f64> {
        let factor: f64 = self.attack.strip_prefix(RUNG)?.parse().ok()?;
        factor.is_finite().then_some(factor)
    }
}
