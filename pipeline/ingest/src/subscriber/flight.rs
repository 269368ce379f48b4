//! Messages of the present connection that were handed over and are not yet acknowledged.
//!
//! A receipt names the connection, because the broker numbers its messages anew on each: an
//! acknowledgement that is late by one connection could otherwise hit another message, which would
//! be lost. And MQTT demands acknowledgements in the order of arrival (v3.1.1 §4.6).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::delivery::Receipt;

/// Numbers of connections are unique in the process and far above those of the embedded endpoint,
/// so that whoever feeds one log from several sources may offer every receipt to all of them.
static LAST_CONNECTION: AtomicU64 = AtomicU64::new(1 << 63);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Flight {
    state: Mutex<State>,
    /// Something can be acknowledged.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// 0 while there is no connection.
    connection: u64,
    /// Number of the message at the front of `waiting`.
    first: u64,
    /// In the order of arrival.
    waiting: VecDeque<Waiting>,
    /// Packet ids to be acknowledged, in the order of arrival.
    ready: Vec<u16>,
}

#[derive(Debug)]
struct Waiting {
    packet: u16,
    is_settled: bool,
}

impl Flight {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has begun.
    pub(super) fn begin(&self) {
        let connection = LAST_CONNECTION.fetch_add(1, Ordering::Relaxed) + 1;
        *self.state() = State {
            connection,
            ..State::default()
        };
    }

    /// The connection is gone; the broker will send again what it has no acknowledgement for.
    pub(super) fn end(&self) {
        *self.state() = State::default();
    }

    /// Takes note of a message and issues its receipt.
    pub(super) fn enter(&self, packet: u16) -> Receipt {
        let mut state = self.state();
        let number = state.first + state.waiting.len() as u64;
        state.waiting.push_back(Waiting {
            packet,
            is_settled: false,
        });
        Receipt {
            connection: state.connection,
            number,
        }
    }

    /// See [`Settle`](crate::delivery::Settle).
    pub(super) fn settle(&self, receipts: &[Receipt]) {
        let mut state = self.state();
        let State {
            connection,
            first,
            waiting,
            ready,
        } = &mut *state;
        for receipt in receipts {
            if receipt.connection != *connection {
                continue;
            }
            let at = receipt.number.checked_sub(*first);
            let message = at
                .and_then(|at| usize::try_from(at).ok())
                .and_then(|at| waiting.get_mut(at));
            if let Some(message) = message {
                message.is_settled = true;
            }
        }
        let settled = waiting.iter().take_while(|message| message.is_settled);
        let settled = settled.count();
        ready.extend(waiting.drain(..settled).map(|message| message.packet));
        *first += settled as u64;
        if !ready.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Waits until something may have become ready. For one waiter.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes the packet ids to be acknowledged now.
    pub(super) fn take_ready(&self) -> Vec<u16> {
        std::mem::take(&mut self.state().ready)
    }

    /// Whether everything that was handed over has been settled.
    pub(super) fn is_settled(&self) -> bool {
        self.state().waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_keep_the_order_of_arrival() {
        let flight = Flight::default();
        flight.begin();
        let receipts = [7, 3, 9].map(|packet| flight.enter(packet));
        flight.settle(&receipts[1..2]);
        assert!(flight.take_ready().is_empty());
        flight.settle(&receipts[..1]);
        assert_eq!(flight.take_ready(), [7, 3]);
        // Settling again what is settled does nothing.
        flight.settle(&receipts);
        assert_eq!(flight.take_ready(), [9]);
        assert!(flight.is_settled());
    }

    #[test]
    fn receipts_of_an_older_connection_are_void() {
        let flight = Flight::default();
        flight.begin();
        let old = flight.enter(1);
        flight.end();
        flight.settle(&[old]);
        flight.begin();
        let new = flight.enter(1);
        flight.settle(&[old]);
        assert!(flight.take_ready().is_empty());
        flight.settle(&[new]);
        assert_eq!(flight.take_ready(), [1]);
    }
}
