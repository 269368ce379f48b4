//! What a device may see of a command about itself: what to do, and nothing of what we know.

use andon_schemas::command::{Action, Approval, Command, DeviceCommand, Mode};

use crate::orders::key_of;

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
        key: key_of(&command.device_id, response.action),
        action: response.action,
        scope: response.scope.clone(),
        expiry,
    })
}
