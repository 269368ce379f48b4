//! What enforcement points are told. Of several orders of one action about a device the newest told
//! is the one that counts to them, so the one that stands longest comes last.

use andon_schemas::command::Command;

use super::Work;
use super::dossier::{Dossier, Entry};
use crate::device::device_view;

impl Dossier {
    /// Tells enforcement points of an order in force. The newest of a key is the one that counts
    /// to them: if another order of the same action stands for longer, that comes last.
    pub(super) fn tell(&self, id: &str, work: &mut Work<'_>) {
        let Some(command) = self.entry(id).map(|entry| &entry.order.command) else {
            return;
        };
        if device_view(command).is_none() {
            return;
        }
        work.out.issued.push(command.clone());
        let longest = self.binding(command, work);
        if let Some(longest) = longest.filter(|longest| longest.command_id != command.command_id) {
            work.out.issued.push(longest.clone());
        }
    }

    /// Tells that an order is lifted, unless another one of the same action stands.
    pub(super) fn tell_release(&self, release: &Command, work: &mut Work<'_>) {
        if device_view(release).is_none() {
            return;
        }
        let stands = self.binding(release, work);
        work.out.issued.push(stands.unwrap_or(release).clone());
    }

    /// An order has lapsed: if another one of the same action stands, that is told again.
    pub(super) fn tell_others(&self, lapsed: &Command, work: &mut Work<'_>) {
        if device_view(lapsed).is_some() {
            let stands = self.binding(lapsed, work);
            work.out.issued.extend(stands.cloned());
        }
    }

    /// Of the orders of the same action that enforcement points obey, the one that stands longest.
    /// One that does not spare all that it must by now is about to be given anew, and not told.
    fn binding(&self, command: &Command, work: &Work<'_>) -> Option<&Command> {
        let action = command.response.action;
        let protected = work.policy.shield(&command.device_id).protected;
        let spares = |entry: &Entry| {
            let exceptions = &entry.response().exceptions;
            protected.iter().all(|flow| exceptions.contains(flow))
        };
        let bind = |e: &&Entry| e.binds() && e.response().action == action && spares(e);
        let longest = self.entries.iter().filter(bind).max_by_key(|e| e.expires());
        longest.map(|entry| &entry.order.command)
    }
}
