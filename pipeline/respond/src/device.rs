//! What a device may see of a command about itself: what to do, and nothing of what we know.

use andon_schemas::command::{Action, Approval, Command, FlowMatch, Mode};
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

use crate::digest;

/// A command as its device reads it: no grade, no reason, no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The form of a command that its device may read. `None` where there is nothing for a device to
/// see: in monitor mode, for what is only proposed, and for `log` and `watch`, which ask nothing
/// of a device and would tell an intruder on it that it is suspected.
pub fn device_view(command: &Command) -> Option<DeviceCommand> {
    let response = &command.response;
    if response.mode == Mode::Monitor
        || response.approval == Approval::Required
        || response.action < Action::Restrict
    {
        return None;
    }
    let expiry = if command.release {
        command.issued
    } else {
        response.expires?
    };
    Some(DeviceCommand {
        key: digest(&[command.device_id.as_str(), response.action.as_str()], 8),
        action: response.action,
        scope: response.scope.clone(),
        expiry,
    })
}
