//! Notices to those who run the plant: in plain words, what is done to a device and what of it keeps
//! running.

use serde::{Deserialize, Serialize};

use crate::command::{Action, FlowMatch, Mode};
use crate::identity::DeviceId;
use crate::order::OrderState;
use crate::time::EventTime;

/// Version of the wire form.
pub const NOTICE_SCHEMA: &str = "andon.notice.v1";

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Notice {
    /// Always `andon.notice.v1`.
    pub schema: String,
    /// The command that it is about, and where that stands: told again, it is the same notice.
    pub command_id: String,
    /// Where the command stands.
    pub state: OrderState,
    /// When, event time.
    pub at: EventTime,
    /// The site.
    pub site: String,
    /// The device.
    pub device_id: DeviceId,
    /// What is done, or proposed.
    pub action: Action,
    /// Whether it is done, or only said.
    pub mode: Mode,
    /// Whether a person has to decide.
    pub waits_for_a_person: bool,
    /// One line.
    pub headline: String,
    /// What happened, what of the device keeps running, how it ends, and what to do: some plain
    /// sentences.
    pub text: String,
    /// The flows that stay open.
    pub stays_open: Vec<FlowMatch>,
}
