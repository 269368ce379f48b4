//! Messages that the broker has not acknowledged, in order.
//!
//! The client library forgets what is unsent or unacknowledged when the broker has forgotten the
//! session, so this is where they live until their acknowledgement. On every connection everything
//! here is sent from the beginning.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumqttc::Publish;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// What a message costs beside its topic and payload, bytes, roughly.
const OVERHEAD_BYTES: usize = 128;

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// A message was added.
    added: Notify,
    /// Bytes that are free.
    room: Arc<Semaphore>,
    bytes: usize,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Every message up to this number is acknowledged.
    through: u64,
    /// No more will be.
    is_closed: bool,
}

#[derive(Debug)]
struct State {
    /// Number of the message at the front; the first one ever is number 1.
    first: u64,
    /// Unacknowledged messages in order; `None` is one that was acknowledged out of order.
    messages: VecDeque<Option<Message>>,
    /// How many from the front have been sent on this connection.
    sent: usize,
    /// Packet ids in use on this connection, and their messages.
    in_flight: BTreeMap<u16, u64>,
    free: VecDeque<u16>,
}

#[derive(Debug)]
struct Message {
    publish: Publish,
    /// Gives its room back when it is dropped.
    _room: OwnedSemaphorePermit,
}

impl Outbox {
    /// An outbox of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                first: 1,
                messages: VecDeque::new(),
                sent: 0,
                in_flight: BTreeMap::new(),
                free: VecDeque::new(),
            }),
            added: Notify::new(),
            room: Arc::new(Semaphore::new(bytes)),
            bytes,
            progress: watch::Sender::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much room a message takes, if it fits at all.
    pub(super) fn cost(&self, topic: &str, payload: &[u8]) -> Option<u32> {
        let cost = topic.len() + payload.len() + OVERHEAD_BYTES;
        u32::try_from(cost).ok().filter(|_| cost <= self.bytes)
    }

    /// Waits for room and adds the message. `false` once the outbox is closed.
    pub(super) async fn add(&self, publish: Publish, cost: u32) -> bool {
        let room = Arc::clone(&self.room).acquire_many_owned(cost).await;
        let Ok(room) = room else { return false };
        self.state().messages.push_back(Some(Message {
            publish,
            _room: room,
        }));
        self.added.notify_one();
        true
    }

    /// Waits until messages may have been added. For one waiter.
    pub(super) async fn added(&self) {
        self.added.notified().await;
    }

    /// A connection has begun, on which so many messages may be unacknowledged at a time. All are
    /// to be sent, again if need be.
    pub(super) fn begin(&self, window: u16) {
        let mut state = self.state();
        state.sent = 0;
        state.in_flight.clear();
        state.free = (1..=window).collect();
    }

    /// The next message to be sent, with its packet id; `None` if there is none, or the window is
    /// full.
    pub(super) fn next_to_send(&self) -> Option<Publish> {
        let mut state = self.state();
        let State {
            first,
            messages,
            sent,
            in_flight,
            free,
        } = &mut *state;
        while let Some(message) = messages.get(*sent) {
            let Some(message) = message else {
                *sent += 1;
                continue;
            };
            let packet = free.pop_front()?;
            in_flight.insert(packet, *first + *sent as u64);
            *sent += 1;
            let mut publish = message.publish.clone();
            publish.pkid = packet;
            return Some(publish);
        }
        None
    }

    /// The broker has acknowledged the packet.
    pub(super) fn acknowledge(&self, packet: u16) {
        let mut state = self.state();
        let Some(number) = state.in_flight.remove(&packet) else {
            return;
        };
        state.free.push_back(packet);
        let at = usize::try_from(number - state.first).unwrap_or(usize::MAX);
        if let Some(message) = state.messages.get_mut(at) {
            *message = None;
        }
        let leading = state.messages.iter().take_while(|m| m.is_none()).count();
        if leading > 0 {
            state.messages.drain(..leading);
            state.first += leading as u64;
            state.sent = state.sent.saturating_sub(leading);
            let through = state.first - 1;
            self.progress
                .send_modify(|progress| progress.through = through);
        }
    }

    /// Waits until every message added so far is acknowledged. `false` if the outbox is closed
    /// before.
    pub(super) async fn flushed(&self) -> bool {
        let last = {
            let state = self.state();
            state.first + state.messages.len() as u64 - 1
        };
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.through >= last || progress.is_closed);
        // The sender lives as long as `self`.
        reached.await.is_ok_and(|progress| progress.through >= last)
    }

    /// How many messages are not acknowledged.
    pub(super) fn len(&self) -> usize {
        self.state().messages.iter().flatten().count()
    }

    /// Nothing will be sent any more; ends all waiting.
    pub(super) fn close(&self) {
        self.room.close();
        self.progress
            .send_modify(|progress| progress.is_closed = true);
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::QoS;

    use super::*;

    async fn add(outbox: &Outbox, topic: &str) -> bool {
        let cost = outbox.cost(topic, b"").unwrap();
        let publish = Publish::new(topic, QoS::AtLeastOnce, b"");
        outbox.add(publish, cost).await
    }

    /// Packet id and topic of everything that can be sent now.
    fn sendable(outbox: &Outbox) -> Vec<(u16, String)> {
        std::iter::from_fn(|| outbox.next_to_send())
            .map(|publish| (publish.pkid, publish.topic))
            .collect()
    }

    fn sent(packet: u16, topic: &str) -> (u16, String) {
        (packet, topic.to_owned())
    }

    #[tokio::test]
    async fn the_window_limits_what_is_sent() {
        let outbox = Outbox::new(10_000);
        for topic in ["a", "b", "c"] {
            assert!(add(&outbox, topic).await);
        }
        // There is no connection yet.
        assert_eq!(sendable(&outbox), []);
        outbox.begin(2);
        assert_eq!(sendable(&outbox), [sent(1, "a"), sent(2, "b")]);
        outbox.acknowledge(2);
        assert_eq!(sendable(&outbox), [sent(2, "c")]);
        // Unknown, and known no more.
        outbox.acknowledge(9);
        outbox.acknowledge(1);
        outbox.acknowledge(1);
        assert_eq!(outbox.len(), 1);
        outbox.acknowledge(2);
        assert_eq!(outbox.len(), 0);
        assert!(outbox.flushed().await);
    }

    #[tokio::test]
    async fn the_next_connection_sends_what_is_not_acknowledged_in_order() {
        let outbox = Outbox::new(10_000);
        for topic in ["a", "b", "c", "d"] {
            assert!(add(&outbox, topic).await);
        }
        outbox.begin(3);
        assert_eq!(sendable(&outbox).len(), 3);
        outbox.acknowledge(2);
        outbox.begin(3);
        let again = [sent(1, "a"), sent(2, "c"), sent(3, "d")];
        assert_eq!(sendable(&outbox), again);
    }

    #[tokio::test]
    async fn room_comes_back_with_the_acknowledgement_whatever_its_order() {
        let outbox = Arc::new(Outbox::new(2 * (OVERHEAD_BYTES + 1)));
        assert!(add(&outbox, "a").await && add(&outbox, "b").await);
        outbox.begin(10);
        assert_eq!(sendable(&outbox).len(), 2);
        let waiting = {
            let outbox = Arc::clone(&outbox);
            tokio::spawn(async move { add(&outbox, "c").await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        outbox.acknowledge(2);
        assert!(waiting.await.unwrap());
        assert_eq!(sendable(&outbox), [sent(3, "c")]);
        assert_eq!(outbox.cost(&"x".repeat(200), b""), None);
    }

    #[tokio::test]
    async fn closing_ends_all_waiting() {
        let outbox = Arc::new(Outbox::new(OVERHEAD_BYTES + 1));
        assert!(add(&outbox, "a").await);
        let flushing = {
            let outbox = Arc::clone(&outbox);
            tokio::spawn(async move { outbox.flushed().await })
        };
        let adding = {
            let outbox = Arc::clone(&outbox);
            tokio::spawn(async move { add(&outbox, "b").await })
        };
        tokio::task::yield_now().await;
        outbox.close();
        assert!(!flushing.await.unwrap());
        assert!(!adding.await.unwrap());
    }
}
