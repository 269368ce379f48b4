//! What people and enforcement points say about orders: acts and acknowledgements.

use serde::{Deserialize, Serialize};

use crate::grade::text_scale;
use crate::identity::DeviceId;
use crate::incident::{Incident, Judgement};
use crate::order::Order;
use crate::time::EventTime;

/// Version of the wire form of an act.
pub const ACT_SCHEMA: &str = "andon.act.v1";
/// Version of the wire form of an acknowledgement.
pub const ACK_SCHEMA: &str = "andon.ack.v1";
/// Longest name of a person or an enforcement point, and longest key of an act, bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest reason or detail, bytes.
pub const REASON_BYTES_MAX: usize = 1_000;
/// Most hours that a device may be suppressed or quarantined by a person at a time: a week.
pub const HOURS_MAX: u32 = 168;

/// What a person does about an order or a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Act {
    /// Always `andon.act.v1`.
    pub schema: String,
    /// Made by whoever asks: an act that comes twice with the same one is done once.
    pub act_id: String,
    /// Who.
    pub by: String,
    /// When, event time. Whoever takes an act in writes the time of the plant here, whatever the
    /// caller wrote.
    pub at: EventTime,
    /// Why. Required.
    pub reason: String,
    /// What.
    #[serde(flatten)]
    pub kind: ActKind,
}

/// The kinds of acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum ActKind {
    /// Agrees to what is proposed, or ends the wait for maintenance.
    Approve {
        /// The command.
        command_id: String,
    },
    /// Decides against what is proposed or waits.
    Reject {
        /// The command.
        command_id: String,
    },
    /// Lifts a command that is in force.
    Release {
        /// The command.
        command_id: String,
    },
    /// Lifts everything that is in force about a device.
    ReleaseDevice {
        /// The device.
        device: DeviceId,
    },
    /// Quarantines a device; its safety flows stay open.
    Quarantine {
        /// The device.
        device: DeviceId,
        /// For how long; a day if nothing is said.
        hours: Option<u32>,
    },
    /// Says what an incident was.
    Judge {
        /// The incident.
        incident_id: String,
        /// What it was.
        judgement: Judgement,
    },
    /// Holds back commands about a device. What answers a rule of CRITICAL is never held
    /// back.
    Suppress {
        /// The device.
        device: DeviceId,
        /// For how long.
        hours: u32,
    },
}

impl Act {
    /// An act whose time is still to be written by whoever takes it in.
    pub fn new(act_id: &str, by: &str, reason: &str, kind: ActKind) -> Self {
        Self {
            schema: ACT_SCHEMA.to_owned(),
            act_id: act_id.to_owned(),
            by: by.to_owned(),
            at: EventTime::MIN,
            reason: reason.to_owned(),
            kind,
        }
    }

    /// Checks what a caller wrote.
    ///
    /// # Errors
    /// Says what is missing, too long or out of its bounds.
    pub fn check(&self) -> Result<(), String> {
        name("act_id", &self.act_id)?;
        name("by", &self.by)?;
        if self.reason.trim().is_empty() {
            return Err("`reason` is empty: say why".to_owned());
        }
        words("reason", &self.reason)?;
        match &self.kind {
            ActKind::Approve { command_id }
            | ActKind::Reject { command_id }
            | ActKind::Release { command_id } => name("command_id", command_id),
            ActKind::Judge { incident_id, .. } => name("incident_id", incident_id),
            ActKind::ReleaseDevice { .. } | ActKind::Quarantine { hours: None, .. } => Ok(()),
            ActKind::Quarantine {
                hours: Some(hours), ..
            }
            | ActKind::Suppress { hours, .. } => bounded(*hours),
        }
    }

    /// The same with no text longer than it may be: what is kept of an act that is refused.
    #[must_use]
    pub fn cut(&self) -> Self {
        let mut cut = self.clone();
        shorten(&mut cut.act_id, NAME_BYTES_MAX);
        shorten(&mut cut.by, NAME_BYTES_MAX);
        shorten(&mut cut.reason, REASON_BYTES_MAX);
        match &mut cut.kind {
            ActKind::Approve { command_id: id }
            | ActKind::Reject { command_id: id }
            | ActKind::Release { command_id: id }
            | ActKind::Judge {
                incident_id: id, ..
            } => shorten(id, NAME_BYTES_MAX),
            ActKind::ReleaseDevice { .. }
            | ActKind::Quarantine { .. }
            | ActKind::Suppress { .. } => {}
        }
        cut
    }
}

fn shorten(text: &mut String, bytes: usize) {
    if text.len() <= bytes {
        return;
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
}

/// Whether an enforcement point could do what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AckResult {
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
}

text_scale!(AckResult { Done => "done", Failed => "failed" });

/// What an enforcement point answers. It names the command by its id, or, where it read what the
/// device reads, by the key and the expiry that stand there. On Kafka the key of the record is the
/// device, as that of the command is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// Always `andon.ack.v1`.
    pub schema: String,
    /// The command.
    #[serde(default)]
    pub command_id: Option<String>,
    /// The key of the command as its device reads it.
    #[serde(default)]
    pub key: Option<String>,
    /// The expiry that stood beside that key: it tells a command from its renewal.
    #[serde(default)]
    pub expiry: Option<EventTime>,
    /// Who answers.
    pub enforcer: String,
    /// Whether it is done.
    pub result: AckResult,
    /// More about it, such as why it could not be done.
    #[serde(default)]
    pub detail: String,
    /// When it was done, by the clock of the enforcement point. For people; nothing is decided by it.
    pub at: EventTime,
}

impl Ack {
    /// Checks what an enforcement point wrote.
    ///
    /// # Errors
    /// Says what is missing or too long.
    pub fn check(&self) -> Result<(), String> {
        if self.schema != ACK_SCHEMA {
            return Err(format!("`schema` is not `{ACK_SCHEMA}`"));
        }
        name("enforcer", &self.enforcer)?;
        words("detail", &self.detail)?;
        match (&self.command_id, &self.key, self.expiry) {
            (Some(id), None, None) => name("command_id", id),
            (None, Some(key), Some(_)) => name("key", key),
            _ => Err("either `command_id`, or `key` and `expiry`, names the command".to_owned()),
        }
    }
}

fn name(field: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("`{field}` is empty"));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(format!("`{field}` is longer than {NAME_BYTES_MAX} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("`{field}` holds a control character"));
    }
    Ok(())
}

fn words(field: &str, text: &str) -> Result<(), String> {
    if text.len() > REASON_BYTES_MAX {
        return Err(format!("`{field}` is longer than {REASON_BYTES_MAX} bytes"));
    }
    let is_bad = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.chars().any(is_bad) {
        return Err(format!("`{field}` holds a control character"));
    }
    Ok(())
}

fn bounded(hours: u32) -> Result<(), String> {
    if (1..=HOURS_MAX).contains(&hours) {
        return Ok(());
    }
    Err(format!("`hours` is {hours}; 1 to {HOURS_MAX} are possible"))
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Acted {
    /// Where the order stands now; of several, the last.
    Order(Box<Order>),
    /// What is known of the incident now.
    Incident(Box<Incident>),
    /// Until when commands about the device are held back.
    Suppressed {
        /// The device.
        device: DeviceId,
        /// Event time.
        suppressed_until: EventTime,
    },
}

/// Why an act was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct ActRefused {
    /// Of which kind the refusal is.
    pub kind: Refusal,
    /// Why, in plain words.
    pub reason: String,
}

/// The kinds of refusals, as an HTTP server tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such command or device (404).
    NotFound,
    /// Its state does not allow it, or the same `act_id` asked for something else (409).
    Conflict,
    /// The act cannot be read as one (422).
    Invalid,
    /// Too much waits, or nobody is there to do it (503).
    Busy,
}

impl ActRefused {
    /// A refusal.
    pub fn new(kind: Refusal, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

/// Where acts are handed in: the running pipeline, as an HTTP server sees it. A call may wait for
/// the pipeline; a server makes it where waiting is allowed.
pub trait Desk: Send + Sync {
    /// Does it, durably, once. What it refuses is in the audit trail too, as what it does.
    ///
    /// # Errors
    /// Why it was not done.
    fn act(&self, act: Act) -> Result<Acted, ActRefused>;
}
