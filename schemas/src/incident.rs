//! Incidents: verdicts that tell one story, and what people made of it.

use serde::{Deserialize, Serialize};

use crate::grade::{Grade, text_scale};
use crate::identity::DeviceId;
use crate::time::EventTime;
use crate::verdict::State;

/// Version of the wire form.
pub const INCIDENT_SCHEMA: &str = "andon.incident.v1";

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// At least one of its verdicts is open.
    Open,
    /// All of its verdicts have been cleared.
    Over,
}

text_scale!(IncidentState { Open => "open", Over => "over" });

/// By what a verdict belongs to its incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// It began it.
    First,
    /// It is about a device that is in it.
    Device,
    /// It is about a destination, or an attacker, that is in it.
    Destination,
    /// The same was found in the same segment at about the same time.
    Segment,
}

text_scale!(Link {
    First => "first", Device => "device", Destination => "destination", Segment => "segment",
});

/// One verdict of an incident, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Involved {
    /// The verdict.
    pub verdict_id: String,
    /// Its newest revision that was taken.
    pub revision: u32,
    /// Its device.
    pub device_id: DeviceId,
    /// The type of that; empty if the inventory does not list it.
    pub device_type: String,
    /// The segment of that; empty if unknown.
    pub segment: String,
    /// The worst grade it had.
    pub grade: Grade,
    /// Where it stands.
    pub state: State,
    /// Event time of the finding that opened it.
    pub began: EventTime,
    /// By what it belongs here.
    pub link: Link,
    /// What it says, at its worst.
    pub sentence: String,
}

/// What a person found an incident to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// It was what it looked like.
    TruePositive,
    /// It happened, and was meant to.
    Benign,
    /// Nothing of the kind happened.
    FalsePositive,
}

text_scale!(Judgement {
    TruePositive => "true_positive", Benign => "benign", FalsePositive => "false_positive",
});

/// What a person found, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Judged {
    /// What.
    pub judgement: Judgement,
    /// Who.
    pub by: String,
    /// When, event time.
    pub at: EventTime,
    /// Why.
    pub note: String,
}

/// One revision of one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Incident {
    /// Always `andon.incident.v1`.
    pub schema: String,
    /// Hash of the site and of the verdict that began it; the same through all revisions.
    pub incident_id: String,
    /// Counts from 1.
    pub revision: u32,
    /// Where it stands.
    pub state: IncidentState,
    /// The site.
    pub site: String,
    /// The worst grade of any of its verdicts.
    pub grade: Grade,
    /// Event time of its first finding.
    pub began: EventTime,
    /// Event time of the last thing that was found.
    pub last: EventTime,
    /// Since when it is over, event time; null while it is open.
    pub over: Option<EventTime>,
    /// One plain sentence: what the gravest of its verdicts says, and how many there are.
    pub sentence: String,
    /// The segments of its devices, in order of appearance.
    pub segments: Vec<String>,
    /// Destinations and attackers that its verdicts are about, in order of appearance.
    pub destinations: Vec<String>,
    /// ATT&CK for ICS technique ids, in order of appearance.
    pub techniques: Vec<String>,
    /// Its verdicts, in order of appearance.
    pub verdicts: Vec<Involved>,
    /// Verdicts that belong to it beyond those that are listed.
    pub more: u64,
    /// What a person found it to be.
    pub judged: Option<Judged>,
    /// A person once found it to be true: whoever was told so is to hear when it is not.
    #[serde(default)]
    pub was_true: bool,
}

impl Incident {
    /// Its devices, each once, in order of appearance.
    pub fn devices(&self) -> Vec<&DeviceId> {
        let mut devices = Vec::new();
        for involved in &self.verdicts {
            if !devices.contains(&&involved.device_id) {
                devices.push(&involved.device_id);
            }
        }
        devices
    }
}
