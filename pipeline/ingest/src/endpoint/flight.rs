//! The messages of one connection between their arrival and their acknowledgement: a queue in the
//! order of arrival, whose front is acknowledged as soon as it is settled. Pure; the connection
//! puts the bytes on the wire.

use std::collections::{BTreeSet, VecDeque};

use super::reply::{self, Ack, SUCCESS};
use super::wire::Version;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// Consecutive numbers, the front one is `first`.
    waiting: VecDeque<Entry>,
    first: u64,
    /// Entries of `waiting` that have no outcome yet.
    unsettled: usize,
    /// QoS 2 identifiers in `waiting`.
    pending: BTreeSet<u16>,
    /// QoS 2 identifiers that are acknowledged and that the client has not released.
    received: BTreeSet<u16>,
}

#[derive(Debug)]
struct Entry {
    packet_id: u16,
    ack: Ack,
    /// The reason code to acknowledge with, once it is known.
    outcome: Option<u8>,
}

/// What to do with a message that has just come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Hand it over; settle it under this number.
    New(u64),
    /// A QoS 2 message again, on the same connection, while its first copy is unsettled: an
    /// acknowledgement now would be a lie, and one is on its way.
    Pending,
    /// A QoS 2 message again that was acknowledged: acknowledge it once more.
    Received,
    /// The client has more open messages than it was allowed. Nothing is entered.
    Full,
}

impl Flight {
    /// Enters a message that will be handed over, if fewer than `open_max` are open.
    pub(super) fn admit(
        &mut self,
        packet_id: u16,
        exactly_once: bool,
        open_max: usize,
    ) -> Admission {
        if exactly_once && self.pending.contains(&packet_id) {
            return Admission::Pending;
        }
        if exactly_once && self.received.contains(&packet_id) {
            return Admission::Received;
        }
        if self.open() >= open_max {
            return Admission::Full;
        }
        let ack = if exactly_once {
            Ack::Pubrec
        } else {
            Ack::Puback
        };
        if exactly_once {
            self.pending.insert(packet_id);
        }
        Admission::New(self.enter(packet_id, ack, None))
    }

    /// Enters a message that is not handed over, to be answered in its turn with this reason.
    /// False if the client has more open messages than it was allowed.
    pub(super) fn refuse(
        &mut self,
        packet_id: u16,
        exactly_once: bool,
        reason: u8,
        open_max: usize,
    ) -> bool {
        let room = self.open() < open_max;
        if room {
            let ack = if exactly_once {
                Ack::Pubrec
            } else {
                Ack::Puback
            };
            self.enter(packet_id, ack, Some(reason));
        }
        room
    }

    fn enter(&mut self, packet_id: u16, ack: Ack, outcome: Option<u8>) -> u64 {
        self.unsettled += usize::from(outcome.is_none());
        self.waiting.push_back(Entry {
            packet_id,
            ack,
            outcome,
        });
        self.first + (self.waiting.len() as u64 - 1)
    }

    /// Notes that the message of this number is safe. False if there is no such message, or if it
    /// was settled before.
    pub(super) fn settle(&mut self, number: u64) -> bool {
        let at = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        let Some(entry) = at.and_then(|at| self.waiting.get_mut(at)) else {
            return false;
        };
        if entry.outcome.is_some() {
            return false;
        }
        entry.outcome = Some(SUCCESS);
        self.unsettled -= 1;
        true
    }

    /// Appends the acknowledgements that are due: those at the front, up to the first message
    /// that is not settled.
    pub(super) fn acknowledge(&mut self, version: Version, out: &mut Vec<u8>) {
        while let Some(&Entry {
            packet_id,
            ack,
            outcome: Some(reason),
        }) = self.waiting.front()
        {
            reply::ack(out, version, ack, packet_id, reason);
            // A refused identifier is free again at once (v5 §4.3.3).
            if ack == Ack::Pubrec && reason == SUCCESS {
                self.pending.remove(&packet_id);
                self.received.insert(packet_id);
            }
            self.waiting.pop_front();
            self.first += 1;
        }
    }

    /// The client releases a QoS 2 message. False if it is not known.
    pub(super) fn release(&mut self, packet_id: u16) -> bool {
        self.received.remove(&packet_id)
    }

    /// Messages handed over and not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Messages that count against the Receive Maximum of v5 (§4.9): without PUBACK, or without
    /// PUBCOMP.
    fn open(&self) -> usize {
        self.waiting.len() + self.received.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acks(flight: &mut Flight) -> Vec<u8> {
        let mut out = Vec::new();
        flight.acknowledge(Version::V5, &mut out);
        out
    }

    fn number(admission: Admission) -> u64 {
        match admission {
            Admission::New(number) => number,
            repeated => panic!("taken for a repetition: {repeated:?}"),
        }
    }

    #[test]
    fn acknowledgements_keep_the_order_of_arrival_whatever_the_order_of_settlement() {
        let mut flight = Flight::default();
        let [a, b, c] = [7, 8, 9].map(|id| number(flight.admit(id, false, 9)));
        assert!(flight.settle(c) && flight.settle(b));
        assert!(acks(&mut flight).is_empty());
        assert!(flight.settle(a));
        assert_eq!(
            acks(&mut flight),
            [0x40, 2, 0, 7, 0x40, 2, 0, 8, 0x40, 2, 0, 9]
        );
        assert_eq!((flight.unsettled(), flight.open()), (0, 0));
    }

    #[test]
    fn a_refusal_waits_for_its_turn() {
        let mut flight = Flight::default();
        let first = number(flight.admit(1, false, 9));
        assert!(flight.refuse(2, false, reply::NOT_AUTHORISED, 9));
        assert!(acks(&mut flight).is_empty());
        flight.settle(first);
        assert_eq!(acks(&mut flight), [0x40, 2, 0, 1, 0x40, 3, 0, 2, 0x87]);
    }

    #[test]
    fn a_receipt_settles_once_and_unknown_ones_are_ignored() {
        let mut flight = Flight::default();
        let first = number(flight.admit(1, false, 9));
        assert!(!flight.settle(first + 1) && !flight.settle(u64::MAX));
        assert!(flight.settle(first) && !flight.settle(first));
        acks(&mut flight);
        assert!(!flight.settle(first));
    }

    #[test]
    fn a_repeated_exactly_once_message_is_not_handed_over_again_nor_acknowledged_early() {
        let mut flight = Flight::default();
        let first = number(flight.admit(5, true, 9));
        assert_eq!(flight.admit(5, true, 9), Admission::Pending);
        assert!(acks(&mut flight).is_empty());
        flight.settle(first);
        assert_eq!(acks(&mut flight), [0x50, 2, 0, 5]);
        assert_eq!(flight.admit(5, true, 9), Admission::Received);
        assert_eq!(flight.open(), 1);
        assert!(flight.release(5) && !flight.release(5));
        assert_eq!(flight.open(), 0);
        number(flight.admit(5, true, 9));
    }

    #[test]
    fn a_full_flight_takes_neither_messages_nor_refusals() {
        let mut flight = Flight::default();
        let first = number(flight.admit(1, true, 1));
        assert_eq!(flight.admit(2, false, 1), Admission::Full);
        assert_eq!(flight.admit(1, true, 1), Admission::Pending);
        assert!(!flight.refuse(2, false, reply::NOT_AUTHORISED, 1));
        flight.settle(first);
        acks(&mut flight);
        assert_eq!(
            flight.admit(2, false, 1),
            Admission::Full,
            "not released yet"
        );
        flight.release(1);
        number(flight.admit(2, false, 1));
    }

    #[test]
    fn an_exactly_once_message_behind_an_unsettled_one_counts_once() {
        let mut flight = Flight::default();
        number(flight.admit(1, false, 9));
        let second = number(flight.admit(2, true, 9));
        assert_eq!(flight.open(), 2);
        flight.settle(second);
        assert_eq!((flight.open(), flight.unsettled()), (2, 1));
    }
}
