//! Responses and commands: what should be done about a verdict, to whom, except what, until when.

use serde::{Deserialize, Serialize};

use crate::grade::text_scale;
use crate::identity::DeviceId;
use crate::observation::Transport;
use crate::time::EventTime;

/// A rung of the response ladder, mildest first.
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
pub enum Action {
    /// Keep it for review.
    Log,
    /// Monitor more closely, tell the operator.
    Watch,
    /// Block or rate-limit the offending flows only.
    Restrict,
    /// Only historian, update, attestation and safety flows remain.
    Isolate,
    /// Only safety flows remain.
    Quarantine,
}

text_scale!(Action {
    Log => "log", Watch => "watch", Restrict => "restrict", Isolate => "isolate",
    Quarantine => "quarantine",
});

/// Whether enforcement points act, or are only told what would have been done.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Say what would have been done.
    #[default]
    Monitor,
    /// Do it.
    Enforce,
}

text_scale!(Mode { Monitor => "monitor", Enforce => "enforce" });

/// Whether a person has to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Approval {
    /// It may be done at once.
    Automatic,
    /// It is only proposed, and waits for a person.
    Required,
}

text_scale!(Approval { Automatic => "automatic", Required => "required" });

/// One exact flow, by its fields.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct FlowMatch {
    /// The other end: an address, a network in CIDR notation, or a name.
    pub peer: String,
    /// Transport; `None` for any.
    pub transport: Option<Transport>,
    /// The responder's port; `None` for any.
    pub port: Option<u16>,
}

/// What follows from a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Response {
    /// The rung.
    pub action: Action,
    /// Monitor or enforce.
    pub mode: Mode,
    /// The flows it is about, for `restrict`; empty for the whole device.
    pub scope: Vec<FlowMatch>,
    /// Flows that stay open whatever happens.
    pub exceptions: Vec<FlowMatch>,
    /// When it lapses unless renewed; null for `log`.
    pub expires: Option<EventTime>,
    /// Whether a person has to agree first, and to what.
    pub approval: Approval,
    /// Why a person has to agree, or why the rung is lower than the grade asks for; empty if
    /// neither.
    pub note: String,
    /// Whom to tell: `operator`, `soc`, `plant-operations`.
    pub notify: Vec<String>,
}

/// The note of a response that has to wait because its device is being maintained, and for nothing
/// else.
pub const MAINTENANCE: &str = "declared maintenance: it waits for a person";

/// Version of the command's wire form.
pub const COMMAND_SCHEMA: &str = "andon.command.v1";

/// One command to the enforcement points. Final here; its life cycle is another stage's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Command {
    /// Always `andon.command.v1`.
    pub schema: String,
    /// Hash of verdict id, action and step.
    pub command_id: String,
    /// The verdict it follows from.
    pub verdict_id: String,
    /// The device.
    pub device_id: DeviceId,
    /// The site.
    pub site: String,
    /// Counts the commands of one verdict, from 1.
    pub step: u32,
    /// When it was issued, event time.
    pub issued: EventTime,
    /// Lifts an earlier command instead of giving a new one.
    pub release: bool,
    /// One plain sentence.
    pub reason: String,
    /// What to do.
    pub response: Response,
}

/// A command as its device reads it: no grade, no reason, no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeviceCommand {
    /// Names the order on this device: the same for a command, its renewals and its release, so
    /// that the newest one with a key is the one that counts. Made of the device and the action
    /// only; a hash of anything secret could be found out by trying.
    pub key: String,
    /// What to do.
    pub action: Action,
    /// The flows it is about; empty for the whole device.
    pub scope: Vec<FlowMatch>,
    /// When it lapses. A release lapses at the moment it is given.
    pub expiry: EventTime,
}
