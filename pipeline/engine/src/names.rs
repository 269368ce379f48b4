//! Names a device resolved: which addresses stand for destinations of its profile for how long.

use andon_schemas::columns::ResolutionRow;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

/// Answers remembered per device.
const NAMES_MAX: usize = 32;
/// An answer is kept for a day at most, whatever it says.
const TTL_S_MAX: u32 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    address: u128,
    cell: u8,
    until: EventTime,
}

/// The answers one device saw, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names(Vec<Answer>);

impl Names {
    /// Remembers an answer for the destination `cell`.
    pub(crate) fn learn(&mut self, answer: &ResolutionRow, cell: u8, at: EventTime) {
        let until = at + Span::from_secs(i64::from(answer.ttl_s.min(TTL_S_MAX)));
        for address in answer.keys().take(NAMES_MAX) {
            self.0.retain(|known| known.address != address);
            if self.0.len() >= NAMES_MAX {
                self.0.remove(0);
            }
            self.0.push(Answer {
                address,
                cell,
                until,
            });
        }
    }

    /// The destination an address stands for at a moment.
    pub(crate) fn find(&self, address: u128, at: EventTime) -> Option<u8> {
        self.0
            .iter()
            .find(|a| a.address == address && at <= a.until)
            .map(|a| a.cell)
    }
}
