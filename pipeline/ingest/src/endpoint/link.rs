//! One connection as the rest of the endpoint sees it: what waits to be written, what waits to be
//! settled, and whether it is to end. The socket itself belongs to the connection's task.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::flight::{Admission, Flight};
use super::limits::Limits;
use super::reply;
use super::topic::Filter;
use super::wire::{Fault, Hello, Version};

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) version: Version,
    /// Largest packet the client takes, bytes (v5).
    maximum_packet: usize,
    /// Open messages the client may have.
    open_max: usize,
    outbox_bytes: usize,
    state: Mutex<State>,
    /// Something to write, or the end.
    pub(super) work: Notify,
    /// The reading side has room again: less output waits, or fewer messages are unsettled.
    room: Notify,
    /// The end has come.
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    outbox: Vec<u8>,
    flight: Flight,
    /// Subscriptions whose retained messages are still to be sent.
    replays: VecDeque<Replay>,
    end: Option<End>,
}

/// How far the retained messages of one filter have been sent.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    pub(super) filter: Filter,
    /// The last topic looked at.
    pub(super) after: Option<String>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What waits to be written is written first.
    Flushed,
    /// At once.
    Cut,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) enum Work {
    /// Write what is in the batch.
    Write,
    /// Nothing waits but retained messages.
    Replay(Replay),
    /// Wait.
    Idle,
    /// Stop.
    Stop,
}

/// What became of a message for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Queued,
    /// The reader announced that it takes no packets of this size.
    TooLarge,
    /// The reader is too far behind and has been cut.
    Slow,
    /// The connection was ending anyway.
    Gone,
}

impl Link {
    pub(super) fn new(number: u64, hello: &Hello, limits: &Limits) -> Self {
        Self {
            number,
            version: hello.version,
            maximum_packet: hello.maximum_packet,
            open_max: match hello.version {
                // v3.1.1 has no word for it: there, reading stops at the limit of unsettled ones.
                Version::V3 => usize::MAX,
                Version::V5 => usize::from(limits.in_flight),
            },
            outbox_bytes: limits.outbox_bytes,
            state: Mutex::default(),
            work: Notify::new(),
            room: Notify::new(),
            ended: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if one did, the state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an answer to the client.
    pub(super) fn reply(&self, bytes: &[u8]) {
        self.state().outbox.extend_from_slice(bytes);
        self.work.notify_one();
    }

    /// Queues a message for the reader, or cuts it if it does not keep up.
    pub(super) fn offer(&self, packet: &[u8]) -> Offer {
        if packet.len() > self.maximum_packet {
            return Offer::TooLarge;
        }
        let mut state = self.state();
        if state.end.is_some() {
            return Offer::Gone;
        }
        if !state.outbox.is_empty() && state.outbox.len() + packet.len() > self.outbox_bytes {
            drop(state);
            self.cut();
            return Offer::Slow;
        }
        state.outbox.extend_from_slice(packet);
        drop(state);
        self.work.notify_one();
        Offer::Queued
    }

    /// Has the retained messages of a new subscription sent, as fast as the reader takes them.
    pub(super) fn replay(&self, filter: Filter) {
        self.state().replays.push_back(Replay {
            filter,
            after: None,
        });
        self.work.notify_one();
    }

    /// Stops the replay of a filter that is no longer subscribed to.
    pub(super) fn forget_replay(&self, filter: &Filter) {
        self.state()
            .replays
            .retain(|replay| replay.filter != *filter);
    }

    /// The rest of a replay.
    pub(super) fn resume_replay(&self, replay: Replay) {
        self.state().replays.push_front(replay);
    }

    /// Enters a message that is about to be handed over.
    pub(super) fn admit(&self, packet_id: u16, exactly_once: bool) -> Admission {
        let mut state = self.state();
        let admission = state.flight.admit(packet_id, exactly_once, self.open_max);
        if admission == Admission::Received {
            let again = reply::Ack::Pubrec;
            reply::ack(
                &mut state.outbox,
                self.version,
                again,
                packet_id,
                reply::SUCCESS,
            );
            self.work.notify_one();
        }
        admission
    }

    /// Answers a message that is not handed over, in its turn. False if too many are open.
    pub(super) fn refuse(&self, packet_id: u16, exactly_once: bool, reason: u8) -> bool {
        let mut state = self.state();
        let entered = state
            .flight
            .refuse(packet_id, exactly_once, reason, self.open_max);
        self.acknowledge(&mut state);
        entered
    }

    /// Settles messages and queues the acknowledgements that are due. Returns how many were new.
    pub(super) fn settle(&self, numbers: impl Iterator<Item = u64>) -> u64 {
        let mut state = self.state();
        let mut settled = 0;
        for number in numbers {
            settled += u64::from(state.flight.settle(number));
        }
        self.acknowledge(&mut state);
        self.room.notify_one();
        settled
    }

    fn acknowledge(&self, state: &mut State) {
        let before = state.outbox.len();
        state.flight.acknowledge(self.version, &mut state.outbox);
        if state.outbox.len() > before {
            self.work.notify_one();
        }
    }

    /// Answers PUBREL.
    pub(super) fn release(&self, packet_id: u16) {
        let mut state = self.state();
        let known = state.flight.release(packet_id);
        let reason = if known {
            reply::SUCCESS
        } else {
            reply::PACKET_IDENTIFIER_NOT_FOUND
        };
        reply::ack(
            &mut state.outbox,
            self.version,
            reply::Ack::Pubcomp,
            packet_id,
            reason,
        );
        drop(state);
        self.work.notify_one();
    }

    /// Waits until fewer than this many messages are unsettled. For the reading side only.
    pub(super) async fn unsettled_below(&self, bound: usize) {
        while self.state().flight.unsettled() >= bound {
            self.room.notified().await;
        }
    }

    /// Waits until the outbox is within its bound, so that a client that asks and never listens
    /// is not read any further. For the reading side only.
    pub(super) async fn outbox_room(&self) {
        while self.state().outbox.len() > self.outbox_bytes {
            self.room.notified().await;
        }
    }

    /// Ends the connection, telling a v5 client why. The first reason wins.
    pub(super) fn close(&self, reason: Option<Fault>) {
        let mut state = self.state();
        if state.end.is_none() {
            if let Some(reason) = reason {
                state
                    .outbox
                    .extend_from_slice(&reply::farewell(self.version, reason));
            }
            state.end = Some(End::Flushed);
        }
        drop(state);
        self.ended.notify_one();
        self.work.notify_one();
    }

    /// Ends the connection without a word, even in the middle of a packet.
    fn cut(&self) {
        self.state().end = Some(End::Cut);
        self.ended.notify_one();
        self.work.notify_one();
    }

    /// Waits for the end. For the reading side only.
    pub(super) async fn ended(&self) {
        while self.state().end.is_none() {
            self.ended.notified().await;
        }
    }

    /// Waits until the writer must stop even in the middle of a batch. For the writer only.
    pub(super) async fn is_cut(&self) {
        while self.state().end != Some(End::Cut) {
            self.work.notified().await;
        }
    }

    /// What the writer does next; what is to be written is swapped into `batch`, which is empty.
    pub(super) fn next_work(&self, batch: &mut Vec<u8>) -> Work {
        let mut state = self.state();
        if state.end == Some(End::Cut) {
            return Work::Stop;
        }
        if !state.outbox.is_empty() {
            std::mem::swap(&mut state.outbox, batch);
            drop(state);
            self.room.notify_one();
            return Work::Write;
        }
        if state.end.is_some() {
            return Work::Stop;
        }
        state.replays.pop_front().map_or(Work::Idle, Work::Replay)
    }

    /// Whether the client takes packets of this size.
    pub(super) fn takes(&self, packet: &[u8]) -> bool {
        packet.len() <= self.maximum_packet
    }
}
