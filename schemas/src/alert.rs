//! An alert: the word to a person that a verdict is worth their time now. It follows from a verdict
//! and from what the whole plant may cost its people; it never alters the verdict.

use serde::{Deserialize, Serialize};

use crate::grade::Grade;
use crate::identity::DeviceId;
use crate::time::EventTime;

/// Name of the wire form of an alert.
pub const ALERT_SCHEMA: &str = "andon.alert.v1";

/// Why a verdict is an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertCause {
    /// A rule of MEDIUM or worse: policy, which no budget holds back.
    Rule,
    /// Evidence of a statistic that reaches what the budget of the plant asks for.
    Evidence,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alert {
    /// Always `andon.alert.v1`.
    pub schema: String,
    /// The verdict.
    pub verdict_id: String,
    /// The revision of it that is worth telling; the two together are the alert's identity.
    pub revision: u32,
    /// The device.
    pub device_id: DeviceId,
    /// Its type; empty if the inventory does not list it.
    pub device_type: String,
    /// Its segment; empty if unknown.
    pub segment: String,
    /// The site.
    pub site: String,
    /// The moment that the revision knows of.
    pub event_time: EventTime,
    /// The grade of what causes it.
    pub grade: Grade,
    /// Why it is one.
    pub cause: AlertCause,
    /// The detector that causes it.
    pub detector: String,
    /// Its evidence, device-days per false alarm; null for a rule.
    pub evidence: Option<f64>,
    /// What the budget asks evidence for, device-days per false alarm.
    pub level: f64,
    /// The sentence of its finding.
    pub sentence: String,
}
