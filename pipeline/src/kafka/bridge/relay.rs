//! From a topic that is not keyed by device to the one that is: read, split and keyed, written, in
//! transactions that take the offsets along. Between two epochs nothing is remembered, so whoever
//! takes a partition up begins at its committed offset.

mod held;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_console::TransactionResult;
use andon_ingest::kafka::payload::Payloads;
use andon_ingest::kafka::{Change, Reader, ReaderError};
use andon_schemas::inventory::Inventory;
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;

use self::held::Held;
use super::counts::Counts;
use super::open::reach;
use super::rows::Rows;
use super::vitals::{ACKNOWLEDGED_WITHIN, Vitals};
use crate::kafka::clients::close;
use crate::kafka::epochs::{Epochs, Settled};
use crate::kafka::settings::Settings;
use crate::kafka::sink::Sink;

/// Most messages of one chunk.
const CHUNK: usize = 8_192;
/// A chunk goes on for so long after its first message.
const OPEN: Duration = Duration::from_millis(10);
/// How long nothing may come before the rest is tended to.
const WAIT: Duration = Duration::from_millis(20);
/// Most rows of an epoch: beyond, no more is fetched until it has begun.
const ROWS_MAX: usize = 50_000;
/// A drained source has ended when nothing changed in the group for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(3);
/// How long the last epoch is given.
const GOODBYE_WITHIN: Duration = Duration::from_secs(10);
/// How long the group may take to say where to begin, before it is asked again.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Health is told this often.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How a relay goes about it.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The topic that is read.
    pub topic: Arc<str>,
    /// One transaction every so often.
    pub epoch: Duration,
    /// Partitions must be given up within this time.
    pub session: Duration,
    /// Tells our commits from those of other processes.
    pub run: u64,
}

/// Moves a topic.
#[derive(Debug)]
pub struct Relay {
    manner: Manner,
    reader: Arc<Reader>,
    epochs: Epochs<Counts>,
    last_epoch: Instant,
    /// Of the last epoch.
    number: u64,
    payloads: Payloads,
    rows: Rows,
    vitals: Vitals,
    held: BTreeMap<i32, Held>,
    /// Assigned to us, while it is not known yet where to begin.
    awaited: Vec<i32>,
    /// Fetching is paused until what waits is committed.
    paused: bool,
    /// When the group last changed.
    changed: Option<Instant>,
    last_told: Option<Instant>,
    counts: Counts,
}

impl Relay {
    /// Holds nothing yet.
    pub fn new(
        manner: Manner,
        reader: Arc<Reader>,
        sink: Sink,
        payloads: Payloads,
        rows: Rows,
        vitals: Vitals,
    ) -> Self {
        Self {
            epochs: Epochs::new(sink, manner.topic.clone()),
            last_epoch: Instant::now(),
            number: 0,
            manner,
            reader,
            payloads,
            rows,
            vitals,
            held: BTreeMap::new(),
            awaited: Vec::new(),
            paused: false,
            changed: None,
            last_told: None,
            counts: Counts::default(),
        }
    }

    /// Waits for the cluster, and insists on its topics and on the one that is read; `false` if it
    /// is told to stop before.
    ///
    /// # Errors
    /// If a topic is missing or is not as it must be, or the cluster does not let us in.
    pub fn reach(&self, settings: &Settings, stop: &AtomicBool) -> anyhow::Result<bool> {
        reach(settings, Some(&self.manner.topic), &self.vitals, stop)
    }

    /// Moves until it is told to stop or, if asked to, until the topic was read to its end; calls
    /// `reload` now and then for another inventory.
    ///
    /// # Errors
    /// If the cluster refuses us for good, or the last epoch of a drained topic is not committed.
    pub fn serve(
        &mut self,
        stop: &AtomicBool,
        drain: bool,
        reload: &mut dyn FnMut() -> Option<Arc<Inventory>>,
    ) -> anyhow::Result<()> {
        while !(stop.load(Ordering::Relaxed) || drain && self.is_drained()) {
            if let Some(inventory) = reload() {
                self.rows.change(inventory);
            }
            self.take()?;
            self.tend()?;
            self.hold_back()?;
            self.tell();
        }
        if self.finish(GOODBYE_WITHIN)? {
            return Ok(());
        }
        let message = "the cluster did not take the last epoch in time: whoever goes on moves it";
        if drain {
            return Err(anyhow!(message));
        }
        tracing::warn!("{message}");
        Ok(())
    }

    /// Closes the client and the console; returns what was moved.
    ///
    /// # Errors
    /// If a run of limited duration never reached the cluster.
    pub fn close(self, runtime: &Runtime, limited: bool) -> anyhow::Result<Counts> {
        let never_ready = self.vitals.never_ready().filter(|_| limited);
        self.vitals.stop(runtime);
        let (epochs, reader) = (self.epochs, self.reader);
        close(move || drop((epochs, reader)));
        match never_ready {
            Some(reason) => Err(anyhow!("nothing could be moved: {reason}")),
            None => Ok(self.counts),
        }
    }

    /// Where health and metrics are served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.vitals.address()
    }

    fn is_drained(&self) -> bool {
        let is_settled = self
            .changed
            .is_some_and(|changed| changed.elapsed() > DRAINED_AFTER);
        is_settled
            && !self.held.is_empty()
            && self.held.values().all(Held::is_drained)
            && self.awaited.is_empty()
            && !self.is_under_way()
    }

    /// Takes what has come.
    fn take(&mut self) -> anyhow::Result<()> {
        let (held, payloads, rows) = (&mut self.held, &mut self.payloads, &mut self.rows);
        let topic = &self.manner.topic;
        let mut failed = Ok(());
        let taken = self.reader.take(CHUNK, WAIT, OPEN, &mut |messages| {
            for message in messages {
                if let Some(held) = held.get_mut(&message.partition)
                    && failed.is_ok()
                {
                    failed = held.take(message, topic, payloads, rows);
                }
            }
        })?;
        failed?;
        for partition in taken.ended {
            if let Some(held) = self.held.get_mut(&partition) {
                held.reached_end();
            }
        }
        Ok(())
    }

    /// Does what has become due: settles what ended, takes partitions up or gives them up, and
    /// begins the next epoch.
    fn tend(&mut self) -> anyhow::Result<()> {
        self.settle(Duration::ZERO)?;
        // What was lost meanwhile is to be given up, and has no beginning.
        if self.reader.is_lost() {
            self.awaited.clear();
        }
        self.take_up()?;
        while self.awaited.is_empty() {
            match self.reader.next_change() {
                None => break,
                Some(Change::Assigned(partitions)) => {
                    tracing::info!(?partitions, "kafka: assigned");
                    self.changed = Some(Instant::now());
                    if partitions.is_empty() {
                        self.reader.begin(&[])?;
                    }
                    self.awaited = partitions;
                    self.take_up()?;
                }
                Some(Change::Revoked { partitions, lost }) => self.revoked(&partitions, lost)?,
            }
        }
        if !self.is_under_way() && self.last_epoch.elapsed() >= self.manner.epoch {
            self.begin_epoch()?;
        }
        Ok(())
    }

    /// Begins to read partitions that were assigned, each where its last epoch ended.
    fn take_up(&mut self) -> anyhow::Result<()> {
        if self.awaited.is_empty() {
            return Ok(());
        }
        let held = match self.beginnings() {
            Ok(held) => held,
            Err(error) => {
                tracing::warn!("kafka: it is not known yet where to begin: {error}");
                return Ok(());
            }
        };
        self.awaited.clear();
        self.changed = Some(Instant::now());
        let from: Vec<_> = held.iter().map(|(p, held)| (*p, held.next)).collect();
        self.reader.begin(&from)?;
        self.paused = false;
        self.held.extend(held);
        Ok(())
    }

    fn beginnings(&self) -> Result<Vec<(i32, Held)>, ReaderError> {
        let committed = self.reader.committed(&self.awaited, TOLD_WITHIN)?;
        committed
            .into_iter()
            .map(|committed| {
                let partition = committed.partition;
                let next = match committed.next {
                    Some(next) => next,
                    None => self.reader.low_end(partition, TOLD_WITHIN)?,
                };
                let note = committed.noted().map(str::to_owned);
                Ok((partition, Held::at(next, note)))
            })
            .collect()
    }

    /// Ends what we do with partitions, within a third of the time that the group grants.
    fn revoked(&mut self, partitions: &[i32], lost: bool) -> anyhow::Result<()> {
        tracing::info!(?partitions, lost, "kafka: revoked");
        self.changed = Some(Instant::now());
        if !lost {
            self.finish(self.manner.session / 3)?;
        }
        for partition in partitions {
            self.held.remove(partition);
            self.vitals.metrics.forget_partition(*partition);
        }
        self.epochs.forget(partitions);
        Ok(self.reader.give_up(partitions)?)
    }

    /// Commits everything so far, if that can be done in time.
    fn finish(&mut self, within: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + within;
        loop {
            if !self.is_under_way() {
                self.begin_epoch()?;
                if !self.is_under_way() {
                    return Ok(true);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.reader.is_lost() {
                return Ok(false);
            }
            self.settle(left.min(Duration::from_millis(100)))?;
        }
    }

    /// Puts everything that came since the last epoch into the next one.
    fn begin_epoch(&mut self) -> anyhow::Result<()> {
        self.last_epoch = Instant::now();
        self.number += 1;
        let note = format!("{}.{:016x}", self.number, self.manner.run);
        let held = self.held.iter_mut();
        let parts: Vec<_> = held
            .filter_map(|(partition, held)| held.part(*partition, &note))
            .collect();
        if parts.is_empty() {
            return Ok(());
        }
        self.epochs.begin(parts, &self.reader)
    }

    fn is_under_way(&self) -> bool {
        self.epochs.age().is_some()
    }

    fn settle(&mut self, within: Duration) -> anyhow::Result<()> {
        let metrics = &self.vitals.metrics;
        match self.epochs.settle(&self.reader, within)? {
            Settled::Not => {}
            Settled::Refused => metrics.transaction(TransactionResult::Aborted),
            Settled::Committed(parts, took) => {
                metrics.transaction(TransactionResult::Committed);
                metrics.epoch(took);
                for part in parts {
                    if let Some(held) = self.held.get_mut(&part.partition) {
                        held.note = Some(part.offset.note);
                    }
                    self.vitals.moved(&part.with);
                    self.counts.add(&part.with);
                }
            }
        }
        Ok(())
    }

    /// What waits to be committed is bounded: beyond, no more is fetched until it is out.
    fn hold_back(&mut self) -> anyhow::Result<()> {
        let waiting: usize = self.held.values().map(Held::waiting).sum();
        let wanted = waiting > if self.paused { ROWS_MAX / 2 } else { ROWS_MAX };
        if wanted != self.paused {
            let held: Vec<i32> = self.held.keys().copied().collect();
            self.reader
                .pause(&held, wanted)
                .context("cannot hold partitions back")?;
            self.paused = wanted;
        }
        self.vitals.metrics.queue_depth("epoch", waiting as u64);
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
        let metrics = &self.vitals.metrics;
        metrics.partitions_assigned(self.held.len() as u64);
        for (partition, held) in &self.held {
            if let Some(standing) = self.reader.standing(*partition) {
                metrics.consumer_lag(*partition, standing.lag(held.next));
            }
        }
        let trouble = match (self.reader.brokers(), self.epochs.age()) {
            (None | Some(0), _) => Some(
                self.reader
                    .trouble()
                    .unwrap_or_else(|| "no broker answers".to_owned()),
            ),
            (_, Some(age)) if age > ACKNOWLEDGED_WITHIN => Some(format!(
                "an epoch has not been committed for {} s",
                age.as_secs()
            )),
            _ if self.changed.is_none() || !self.awaited.is_empty() => {
                Some("no partitions are assigned yet".to_owned())
            }
            _ => None,
        };
        self.vitals.tell("kafka", trouble);
    }
}
