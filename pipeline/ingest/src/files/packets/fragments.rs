//! Datagrams in parts: only the first part names the ports, the others are told apart by the
//! datagram's id. A bounded number of datagrams is remembered; the oldest is forgotten first.

use std::collections::VecDeque;
use std::net::IpAddr;

use andon_schemas::time::EventTime;
use hashbrown::HashMap;

use super::flow::Key;

/// Most datagrams whose parts are waited for.
const DATAGRAMS_MAX: usize = 4_096;

/// How long parts are waited for, microseconds: ids come round again.
const PATIENCE: i64 = 30_000_000;

/// What the parts of one datagram have in common.
pub(super) type Id = (IpAddr, IpAddr, u8, u32);

/// The flow that a datagram belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) key: Key,
    pub(super) backwards: bool,
    /// Of TCP, the number that the datagram's first byte would have.
    pub(super) base: Option<u32>,
    /// When its first part was seen.
    pub(super) time: EventTime,
}

/// Datagrams whose first part has been seen.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    known: HashMap<Id, Known>,
    order: VecDeque<Id>,
}

impl Fragments {
    /// Remembers a first part.
    pub(super) fn first(&mut self, id: Id, known: Known) {
        if self.known.insert(id, known).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > DATAGRAMS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// The flow of a later part.
    pub(super) fn find(&self, id: &Id, time: EventTime) -> Option<Known> {
        self.known
            .get(id)
            .filter(|known| {
                let waited = time.micros().saturating_sub(known.time.micros());
                waited.saturating_abs() <= PATIENCE
            })
            .copied()
    }
}
