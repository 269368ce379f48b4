//! What all connections share: the limits, who is connected, who reads what, and the ways in and
//! out. Every lock here is held for a moment and never across another lock or an await.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, mpsc};

use super::authority::Authority;
use super::counters::Counters;
use super::limits::Limits;
use super::link::{Link, Offer, Replay};
use super::refusal::Refusal;
use super::reply;
use super::retained::{Page, Retained};
use super::roster::{Roster, Subscriptions};
use super::topic::{fold_device, is_name};
use super::wire::Version;
use crate::delivery::Receipt;

/// How much of a replay is read at once, bytes.
const REPLAY_CHUNK: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) limits: Limits,
    pub(super) authority: Authority,
    pub(super) counters: Counters,
    /// See [`Limits::buffered_bytes`].
    pub(super) budget: Arc<Semaphore>,
    refusals: mpsc::Sender<Refusal>,
    roster: Mutex<Roster>,
    subscriptions: Mutex<Subscriptions>,
    retained: Mutex<Retained>,
    last_number: AtomicU64,
}

impl Hub {
    /// The hub, and where refusals arrive.
    pub(super) fn new(
        authority: Authority,
        limits: Limits,
    ) -> io::Result<(Self, mpsc::Receiver<Refusal>)> {
        limits.check()?;
        let (refusals, taken) = mpsc::channel(limits.refusals);
        let hub = Self {
            budget: Arc::new(Semaphore::new(limits.buffered_bytes)),
            limits,
            authority,
            counters: Counters::default(),
            refusals,
            roster: Mutex::default(),
            subscriptions: Mutex::default(),
            retained: Mutex::default(),
            last_number: AtomicU64::new(0),
        };
        Ok((hub, taken))
    }

    /// A number for a connection, never used before in this process.
    pub(super) fn next_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn retained(&self) -> MutexGuard<'_, Retained> {
        self.retained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over the record of a refusal, or counts that there was no room for it.
    pub(super) fn record(&self, refusal: Refusal) {
        tracing::debug!(
            sender = refusal.sender.name,
            topic = refusal.topic.as_deref().unwrap_or("?"),
            peer = %refusal.peer,
            "message refused: {}",
            refusal.reason
        );
        if self.refusals.try_send(refusal).is_err() {
            self.counters.refusals_shed.increment();
        }
    }

    /// Sends a message to everyone who reads its topic. Returns how many that were.
    pub(super) fn publish(&self, topic: &str, payload: &[u8], retain: bool) -> usize {
        let topic = &*fold_device(topic);
        if !is_name(topic, usize::from(u16::MAX)) {
            tracing::error!("message to the impossible topic {topic:?} was not sent");
            return 0;
        }
        if retain
            && !self
                .retained()
                .keep(topic, payload, self.limits.retained_bytes)
        {
            self.counters.retained_shed.increment();
        }
        let readers = self.subscriptions().readers(topic);
        if readers.is_empty() {
            return 0;
        }
        let links: Vec<Arc<Link>> = {
            let roster = self.roster();
            readers
                .iter()
                .filter_map(|number| roster.link(*number).cloned())
                .collect()
        };
        let mut packets = Packets {
            topic,
            payload,
            v3: None,
            v5: None,
        };
        links
            .iter()
            .filter(|link| self.offer(link, packets.of(link.version)))
            .count()
    }

    fn offer(&self, link: &Link, packet: &[u8]) -> bool {
        let offer = link.offer(packet);
        match offer {
            Offer::Queued => self.counters.published_out.increment(),
            Offer::TooLarge => self.counters.too_large_for_reader.increment(),
            Offer::Slow => {
                tracing::warn!(connection = link.number, "slow reader cut");
                self.counters.slow_readers.increment();
            }
            Offer::Gone => {}
        }
        offer == Offer::Queued
    }

    /// Appends the next retained messages of a replay to a writer's batch; returns what is left.
    pub(super) fn continue_replay(
        &self,
        link: &Link,
        replay: Replay,
        batch: &mut Vec<u8>,
    ) -> Option<Replay> {
        let Replay { filter, after } = replay;
        let Page { messages, rest } = self
            .retained()
            .page(&filter, after.as_deref(), REPLAY_CHUNK);
        for (topic, payload) in messages {
            let packet = reply::publish(link.version, &topic, &payload, true).unwrap_or_default();
            if link.takes(&packet) {
                batch.extend_from_slice(&packet);
                self.counters.published_out.increment();
            } else {
                self.counters.too_large_for_reader.increment();
            }
        }
        rest.map(|after| Replay {
            filter,
            after: Some(after),
        })
    }

    /// See [`Settle`](crate::delivery::Settle).
    pub(super) fn settle(&self, receipts: &[Receipt]) {
        // One lock and one wake-up per connection, however its messages were mixed with others.
        let mut receipts = receipts.to_vec();
        receipts.sort_by_key(|receipt| receipt.connection);
        for run in receipts.chunk_by(|a, b| a.connection == b.connection) {
            let Some(first) = run.first() else { continue };
            let link = self.roster().link(first.connection).cloned();
            if let Some(link) = link {
                let settled = link.settle(run.iter().map(|receipt| receipt.number));
                self.counters.acknowledged.add(settled);
            }
        }
    }
}

/// One message as the packets of each version, written when first needed.
struct Packets<'a> {
    topic: &'a str,
    payload: &'a [u8],
    v3: Option<Vec<u8>>,
    v5: Option<Vec<u8>>,
}

impl Packets<'_> {
    fn of(&mut self, version: Version) -> &[u8] {
        let packet = match version {
            Version::V3 => &mut self.v3,
            Version::V5 => &mut self.v5,
        };
        // A message to current readers is not marked as retained (v5 §3.3.1.3).
        packet.get_or_insert_with(|| {
            reply::publish(version, self.topic, self.payload, false).unwrap_or_default()
        })
    }
}
