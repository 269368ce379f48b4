//! Notices to those who run the plant: in plain words, what is done to a device and what of it keeps
//! running.

use serde::{Deserialize, Serialize};

use crate::command::{Action, FlowMatch, Mode};
use crate::grade::text_scale;
use crate::identity::DeviceId;
use crate::order::OrderState;
use crate::time::EventTime;

/// Version of the wire form.
pub const NOTICE_SCHEMA: &str = "andon.notice.v1";

/// What became of the release of a command that enforcement points had been told.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Lifting {
    /// No enforcement point answered in time: what was blocked counts as blocked.
    TimedOut,
    /// An enforcement point could not lift it: what was blocked is blocked.
    Failed,
    /// An enforcement point lifted it after all.
    Done,
}

text_scale!(Lifting { TimedOut => "timed_out", Failed => "failed", Done => "done" });

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Notice {
    /// Always `andon.notice.v1`.
    pub schema: String,
    /// The command that it is about. It, where that stands and what became of its release name the
    /// notice: told again, it is the same.
    pub command_id: String,
    /// Where the command stands.
    pub state: OrderState,
    /// What became of the release, if that is what is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Lifting>,
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

impl Notice {
    /// Names it among all, the same however often it is told.
    pub fn id(&self) -> String {
        let state = self.state.as_str();
        match self.release {
            None => format!("{}-{state}", self.command_id),
            Some(came) => format!("{}-{state}-{came}", self.command_id),
        }
    }
}
