//! Verdicts: the pipeline's final word on a device, with everything needed to check it.

use serde::{Deserialize, Serialize};

use crate::command::Response;
use crate::finding::{Confidence, Finding};
use crate::grade::{Band, Grade, RiskClass, text_scale};
use crate::identity::DeviceId;
use crate::time::{EventTime, Interval};

/// Version of the verdict's wire form.
pub const VERDICT_SCHEMA: &str = "andon.verdict.v1";

/// Where an episode stands.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It opened.
    Raised,
    /// Its grade rose.
    Escalated,
    /// Something in it changed.
    Updated,
    /// It is over.
    Cleared,
}

text_scale!(State {
    Raised => "raised", Escalated => "escalated", Updated => "updated", Cleared => "cleared",
});

/// The risk of a device at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Risk {
    /// 0–100, 100 is worst; null when the band is `unknown`.
    pub score: Option<u8>,
    /// 100 − score.
    pub trust: Option<u8>,
    /// The band a policy decision point reads.
    pub band: Band,
}

impl Risk {
    /// The risk of this score.
    pub const fn of_score(score: u8) -> Self {
        let score = if score > 100 { 100 } else { score };
        Self {
            score: Some(score),
            trust: Some(100 - score),
            band: Band::of_score(score),
        }
    }

    /// Nothing can be said.
    pub const UNKNOWN: Self = Self {
        score: None,
        trust: None,
        band: Band::Unknown,
    };
}

/// Which profile a verdict was measured against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProfileRef {
    /// Name; empty for a device without one.
    pub name: String,
    /// Version as its authors count it.
    pub version: String,
    /// SHA-256 over its checked form.
    pub hash: String,
}

/// One revision of one episode of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// Always `andon.verdict.v1`.
    pub schema: String,
    /// Stays the same through all revisions.
    pub verdict_id: String,
    /// Counts from 1.
    pub revision: u32,
    /// Where the episode stands.
    pub state: State,
    /// The device.
    pub device_id: DeviceId,
    /// Its type; empty if the inventory does not list it.
    pub device_type: String,
    /// Its segment; empty if unknown.
    pub segment: String,
    /// The plant's weighting of it, if the inventory lists it.
    pub risk_class: Option<RiskClass>,
    /// The site.
    pub site: String,
    /// Event time of the finding that opened the episode.
    pub event_time: EventTime,
    /// From the first finding to the latest.
    pub window: Interval,
    /// Worst grade the episode's standing findings support, corroboration included.
    pub grade: Grade,
    /// Of the finding that sets the grade.
    pub confidence: Confidence,
    /// The device's risk now.
    pub risk: Risk,
    /// One plain sentence about the whole.
    pub sentence: String,
    /// What was found, worst first, then in catalogue order.
    pub findings: Vec<Finding>,
    /// What follows from it.
    pub response: Response,
    /// What it was measured against.
    pub profile: ProfileRef,
    /// Whether the end of the input closed a window early for this revision.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub end_of_input: bool,
}

/// A device's risk as it is published on every change that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RiskUpdate {
    /// Always `andon.risk.v1`. Over Kafka and MQTT it is left out: the topic says it.
    #[serde(default)]
    pub schema: String,
    /// The device.
    pub device_id: DeviceId,
    /// The site. Over Kafka and MQTT it is left out: MQTT's topic says it, and what is on Kafka is
    /// of one site.
    #[serde(default)]
    pub site: String,
    /// As of when, event time.
    pub event_time: EventTime,
    /// Its risk.
    #[serde(flatten)]
    pub risk: Risk,
    /// The plant's weighting, beside the score and not mixed into it.
    pub risk_class: Option<RiskClass>,
    /// The open episode, if there is one.
    pub verdict_id: Option<String>,
}

/// Version of the risk update's wire form.
pub const RISK_SCHEMA: &str = "andon.risk.v1";

/// A risk update as it goes over topics, which every decision point of the plant reads: without what
/// the topic says already. With an id of up to [`RISK_MESSAGE_ID_BYTES`] it is shorter than
/// [`RISK_MESSAGE_BYTES`]; with the longest id that may be, of
/// 128 bytes of which none is escaped, it has 300.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RiskMessage<'a> {
    device_id: &'a DeviceId,
    event_time: EventTime,
    #[serde(flatten)]
    risk: Risk,
    risk_class: Option<RiskClass>,
    verdict_id: Option<&'a str>,
}

/// A risk message is shorter than this, bytes, for ids as plants have them.
pub const RISK_MESSAGE_BYTES: usize = 200;

/// Longest id, bytes, with which a risk message certainly is.
pub const RISK_MESSAGE_ID_BYTES: usize = 27;

impl RiskUpdate {
    /// As it goes over topics.
    pub fn message(&self) -> RiskMessage<'_> {
        RiskMessage {
            device_id: &self.device_id,
            event_time: self.event_time,
            risk: self.risk,
            risk_class: self.risk_class,
            verdict_id: self.verdict_id.as_deref(),
        }
    }
}
