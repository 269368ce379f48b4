//! Flows that are told in several records: running totals counted by difference, and the same
//! record told twice.

use andon_schemas::columns::FlowRow;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

use crate::fingerprint;

/// Open flows remembered per device.
const OPEN_MAX: usize = 64;
/// Fingerprints of ended flows remembered per device.
const RECENT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenFlow {
    uid: u64,
    up: u64,
    down: u64,
    told: EventTime,
}

/// Totals of the flows of one device that have not ended, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenFlows(Vec<OpenFlow>);

/// What one record adds to what was known of its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Increment {
    /// Bytes sent since the last record.
    pub(crate) up: u64,
    /// Bytes received since the last record.
    pub(crate) down: u64,
    /// Since when.
    pub(crate) from: EventTime,
    /// The first record of its flow.
    pub(crate) first: bool,
    /// Another flow was forgotten to make room.
    pub(crate) evicted: bool,
}

impl OpenFlows {
    /// Counts a record of a flow with an id. A total below the last one is a counter that started
    /// again and counts in full.
    pub(crate) fn tell(&mut self, uid: &str, flow: &FlowRow, at: EventTime) -> Increment {
        let uid = fingerprint(&[uid.as_bytes()]);
        let (up, down) = (flow.up.unwrap_or(0), flow.down.unwrap_or(0));
        let known = self
            .0
            .iter()
            .position(|open| open.uid == uid)
            .map(|at| self.0.remove(at));
        let mut increment = match known {
            Some(last) => Increment {
                up: up.checked_sub(last.up).unwrap_or(up),
                down: down.checked_sub(last.down).unwrap_or(down),
                from: last.told.min(at),
                first: false,
                evicted: false,
            },
            None => Increment {
                up,
                down,
                from: flow.start,
                first: true,
                evicted: false,
            },
        };
        if flow.interim {
            if self.0.len() >= OPEN_MAX {
                self.0.remove(0);
                increment.evicted = true;
            }
            self.0.push(OpenFlow {
                uid,
                up,
                down,
                told: at,
            });
        }
        increment
    }
}

/// Fingerprints of the last flows of one device that ended, a ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecentFlows {
    seen: [u64; RECENT],
    next: u8,
}

impl Default for RecentFlows {
    fn default() -> Self {
        Self {
            seen: [0; RECENT],
            next: 0,
        }
    }
}

impl RecentFlows {
    /// Takes a record; `false` if the same id, end and totals were seen lately.
    pub(crate) fn admit(&mut self, uid: &str, flow: &FlowRow, at: EventTime) -> bool {
        let print = fingerprint(&[
            uid.as_bytes(),
            &at.micros().to_le_bytes(),
            &flow.up.unwrap_or(0).to_le_bytes(),
            &flow.down.unwrap_or(0).to_le_bytes(),
            &[u8::from(flow.interim)],
        ]);
        if self.seen.contains(&print) {
            return false;
        }
        self.seen[usize::from(self.next) % RECENT] = print;
        self.next = (self.next + 1) % 16;
        true
    }
}
