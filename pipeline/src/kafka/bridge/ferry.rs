//! From MQTT to Kafka: a message is acknowledged once Kafka has acknowledged everything that came
//! of it, and nothing is kept in between. While Kafka is away the bridge stops taking messages, and
//! whoever sent them keeps them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_emit::kafka::{Outgoing, Stream};
use andon_ingest::delivery::{Delivery, Receipt};
use andon_schemas::inventory::Inventory;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;

use super::counts::Counts;
use super::field::Field;
use super::open::reach;
use super::rows::Rows;
use super::vitals::{ACKNOWLEDGED_WITHIN, Vitals};
use crate::kafka::settings::Settings;
use crate::live::message::{Message, Read, turned_away};
use crate::wall;

/// How long the last messages are given to become safe.
pub const GOODBYE_WITHIN: Duration = Duration::from_secs(10);
/// Most messages on their way to Kafka, and most bytes of them; the producer has room for more.
const MESSAGES_MAX: usize = 20_000;
const BYTES_MAX: usize = 32 << 20;
/// Most messages that are taken before acknowledgements are looked at.
const CHUNK: usize = 1_024;
/// How long nothing may come before the rest is tended to.
const IDLE: Duration = Duration::from_millis(100);
/// The same while acknowledgements are awaited, which come within this time of each other.
const AWAITING: Duration = Duration::from_millis(1);
/// The same once they have not come for a while.
const STUCK: Duration = Duration::from_millis(50);
/// A drained source has ended when nothing came for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(3);
/// Health is told this often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A message on its way to Kafka.
#[derive(Debug)]
struct Afloat {
    /// It is safe once everything below this number is delivered.
    below: usize,
    receipt: Option<Receipt>,
    bytes: usize,
    counts: Counts,
    since: Instant,
}

/// Carries messages over.
#[expect(
    missing_debug_implementations,
    reason = "the way back is a trait object"
)]
pub struct Ferry {
    field: Field,
    stream: Stream,
    rows: Rows,
    vitals: Vitals,
    /// In the order of arrival.
    afloat: VecDeque<Afloat>,
    bytes: usize,
    /// Records sent to Kafka.
    sent: usize,
    /// Of the last message.
    position: u64,
    /// Nothing more will come.
    ended: bool,
    last_came: Option<Instant>,
    last_told: Option<Instant>,
    counts: Counts,
}

impl Ferry {
    /// Nothing is on its way yet.
    pub fn new(field: Field, stream: Stream, rows: Rows, vitals: Vitals) -> Self {
        Self {
            field,
            stream,
            rows,
            vitals,
            afloat: VecDeque::new(),
            bytes: 0,
            sent: 0,
            position: 0,
            ended: false,
            last_came: None,
            last_told: None,
            counts: Counts::default(),
        }
    }

    /// Waits for Kafka, and insists on its topics; `false` if it is told to stop before.
    ///
    /// # Errors
    /// If a topic is missing or is not as it must be, or Kafka does not let us in.
    pub fn reach(&self, settings: &Settings, stop: &AtomicBool) -> anyhow::Result<bool> {
        reach(settings, None, &self.vitals, stop)
    }

    /// Carries over until it is told to stop or, if asked to, until nothing comes any more; calls
    /// `reload` now and then for another inventory.
    ///
    /// # Errors
    /// If Kafka can never take a row.
    pub fn serve(
        &mut self,
        runtime: &Runtime,
        stop: &AtomicBool,
        drain: bool,
        reload: &mut dyn FnMut() -> Option<Arc<Inventory>>,
    ) -> anyhow::Result<()> {
        let mut until = None;
        while !(self.ended && self.afloat.is_empty()) {
            if until.is_none() && (stop.load(Ordering::Relaxed) || drain && self.is_drained()) {
                self.field.stop(runtime);
                until = Some(Instant::now() + GOODBYE_WITHIN);
            }
            if until.is_some_and(|until| Instant::now() > until) {
                return self.left_behind(drain);
            }
            if let Some(inventory) = reload() {
                self.rows.change(inventory);
            }
            self.take(runtime)?;
            self.settle()?;
            self.tell();
        }
        Ok(())
    }

    /// Closes the source and the console; returns what was moved.
    ///
    /// # Errors
    /// If a run of limited duration never reached one of its sides.
    pub fn close(mut self, runtime: &Runtime, limited: bool) -> anyhow::Result<Counts> {
        self.field.stop(runtime);
        self.field.close(runtime);
        let never_ready = self.vitals.never_ready().filter(|_| limited);
        self.vitals.stop(runtime);
        match never_ready {
            Some(reason) => Err(anyhow!("nothing could be moved: {reason}")),
            None => Ok(self.counts),
        }
    }

    /// Where messages come from, in words.
    pub fn from(&self) -> &str {
        &self.field.name
    }

    /// Where health and metrics are served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.vitals.address()
    }

    fn is_drained(&self) -> bool {
        let came = self.last_came;
        self.afloat.is_empty() && came.is_some_and(|came| came.elapsed() > DRAINED_AFTER)
    }

    fn left_behind(&self, drain: bool) -> anyhow::Result<()> {
        let message = format!(
            "Kafka did not take {} messages in time: they are not acknowledged, and come again",
            self.afloat.len()
        );
        if drain {
            return Err(anyhow!(message));
        }
        tracing::warn!("{message}");
        Ok(())
    }

    /// Takes what has come, as long as there is room.
    fn take(&mut self, runtime: &Runtime) -> anyhow::Result<()> {
        while !self.is_full()
            && let Some(refusal) = self.field.next_refusal()
        {
            let (refused, mut source) = turned_away(&refusal);
            let received_at = wall::now();
            source.offset = self.next_position(received_at);
            self.rows
                .take(Err(refused), &source, received_at, &refusal.head)?;
            self.send(None)?;
        }
        let wait = self.wait();
        if self.ended || self.is_full() {
            self.stream.wait(wait);
            return Ok(());
        }
        let deliveries = &mut self.field.deliveries;
        let next = runtime.block_on(async { tokio::time::timeout(wait, deliveries.recv()).await });
        let mut next = match next {
            Ok(Some(delivery)) => Some(delivery),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(_) => None,
        };
        let mut room = CHUNK;
        while let Some(delivery) = next {
            self.carry(delivery)?;
            room -= 1;
            let may_take = room > 0 && !self.is_full();
            next = may_take
                .then(|| self.field.deliveries.try_recv().ok())
                .flatten();
        }
        Ok(())
    }

    fn wait(&self) -> Duration {
        match self.afloat.front() {
            None => IDLE,
            Some(first) if first.since.elapsed() < TELL_EVERY => AWAITING,
            Some(_) => STUCK,
        }
    }

    fn is_full(&self) -> bool {
        self.afloat.len() >= MESSAGES_MAX || self.bytes >= BYTES_MAX
    }

    /// Sends what comes of a message.
    fn carry(&mut self, delivery: Delivery) -> anyhow::Result<()> {
        self.last_came = Some(Instant::now());
        let received_at = wall::now();
        let sender = delivery.sender;
        let message = Message {
            topic: delivery.topic,
            payload: delivery.payload,
            sender: (!sender.name.is_empty()).then_some(sender.name),
            proven: sender.proven,
            received_at,
            sequence: self.next_position(received_at),
        };
        let record = match message.read(self.rows.inventory()) {
            Ok(Read::Record(record)) => Ok(record),
            Ok(Read::Ack(answer)) => {
                self.rows.answer(&answer.ack)?;
                return self.send(delivery.receipt);
            }
            Err(refused) => Err(refused),
        };
        self.rows
            .take(record, &message.source(), received_at, &message.payload)?;
        self.send(delivery.receipt)
    }

    /// The position of the message that came then. MQTT numbers nothing, and we remember nothing,
    /// so it is the time in microseconds, and more than the last: no position comes twice, whoever
    /// was the bridge before.
    fn next_position(&mut self, at: EventTime) -> u64 {
        let micros = u64::try_from(at.micros()).unwrap_or(0);
        self.position = micros.max(self.position + 1);
        self.position
    }

    fn send(&mut self, receipt: Option<Receipt>) -> anyhow::Result<()> {
        let (records, counts) = self.rows.drain();
        // Not what came: a reject repeats its topic, which may be far longer than the message.
        let bytes = records.iter().map(Outgoing::bytes).sum();
        for record in &records {
            self.sent = self.stream.send(record)? + 1;
        }
        self.bytes += bytes;
        self.afloat.push_back(Afloat {
            below: self.sent,
            receipt,
            bytes,
            counts,
            since: Instant::now(),
        });
        Ok(())
    }

    /// Acknowledges what has become safe.
    fn settle(&mut self) -> anyhow::Result<()> {
        self.stream.poll();
        let delivered = self.stream.delivered().context(
            "Kafka refuses what the bridge sends, and nothing of it was acknowledged; `andon \
             topics check` tells what is wrong with a topic",
        )?;
        let mut receipts = Vec::new();
        let safe = self
            .afloat
            .partition_point(|message| message.below <= delivered);
        for message in self.afloat.drain(..safe) {
            self.bytes -= message.bytes;
            receipts.extend(message.receipt);
            self.vitals.moved(&message.counts);
            self.counts.add(&message.counts);
        }
        if !receipts.is_empty() {
            self.field.settle.settle(&receipts);
        }
        Ok(())
    }

    fn tell(&mut self) {
        self.vitals.beat();
        if self
            .last_told
            .is_some_and(|told| told.elapsed() < TELL_EVERY)
        {
            return;
        }
        self.last_told = Some(Instant::now());
        self.vitals.tell("mqtt", self.field.trouble());
        let afloat = self.afloat.len() as u64;
        self.vitals.metrics.queue_depth("kafka", afloat);
        let age = self.afloat.front().map(|first| first.since.elapsed());
        let kafka = match (self.stream.brokers(), age) {
            (None | Some(0), _) => Some(
                self.stream
                    .trouble()
                    .unwrap_or_else(|| "no broker answers".to_owned()),
            ),
            (_, Some(age)) if age > ACKNOWLEDGED_WITHIN => Some(format!(
                "a message has waited {} s for its acknowledgement",
                age.as_secs()
            )),
            _ => None,
        };
        self.vitals.tell("kafka", kafka);
    }
}
