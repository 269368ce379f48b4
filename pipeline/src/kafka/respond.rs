//! The second stage: from committed verdicts to commands. A segment's verdicts are in one
//! partition, so whoever holds that partition is the segment's only owner; commands, what stands,
//! and how far the verdicts were read are one transaction of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use andon_emit::kafka::{NextOffset, Outgoing};
use andon_ingest::kafka::{Change, Message, Reader};
use andon_respond::{Commands, Standing, device_view};
use andon_schemas::command::Command;
use andon_schemas::identity::DeviceId;
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow, bail};
use rdkafka::ClientConfig;

use super::epochs::{Epochs, Part, Settled};
use super::names::Names;
use super::recall::{Recall, Values};
use crate::sealed::{open, seal};

const STANDING: [u8; 8] = *b"ANDONCM1";
const END: [u8; 8] = *b"ANDONCE1";
/// What the keys of this stage begin with, in the topic of the state; a device follows.
const KEYS: &[u8] = b"respond/";

const CHUNK: usize = 1_024;
const WAIT: Duration = Duration::from_millis(20);
const OPEN: Duration = Duration::from_millis(5);
/// The verdicts are read to the end when nothing came for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(1);
/// How long the last commands are given.
const GOODBYE_WITHIN: Duration = Duration::from_secs(10);

const RUN: u8 = 0;
const DRAIN: u8 = 1;
const STOP: u8 = 2;

/// What stands about the devices of some segments.
#[derive(Debug, Default)]
struct Desk {
    next: i64,
    commands: Commands,
    /// Devices about which something else stands than was last kept.
    changed: BTreeSet<DeviceId>,
    records: Vec<Outgoing>,
    epoch: u64,
    touched: bool,
    ended: bool,
}

/// The stage, in a thread of its own.
#[derive(Debug)]
pub struct Responder {
    thread: Option<JoinHandle<anyhow::Result<()>>>,
    wish: Arc<AtomicU8>,
    gone: Arc<AtomicBool>,
}

impl Responder {
    /// Starts it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        reader: Arc<Reader>,
        client: ClientConfig,
        group: String,
        names: Names,
        epochs: Epochs<()>,
        run: u64,
    ) -> anyhow::Result<Self> {
        let wish = Arc::new(AtomicU8::new(RUN));
        let told = wish.clone();
        let gone = Arc::new(AtomicBool::new(false));
        let mut stage = Stage {
            reader,
            recall: Recall {
                client,
                group,
                topic: names.state.clone(),
                wanted: |key| key.starts_with(KEYS),
                end: |values| end(values).ok()?,
            },
            names,
            epochs,
            run,
            desks: BTreeMap::new(),
            quiet_since: Instant::now(),
            gone: gone.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("respond".to_owned())
            .spawn(move || stage.serve(&told))
            .context("cannot start the thread that answers verdicts")?;
        Ok(Self {
            thread: Some(thread),
            wish,
            gone,
        })
    }

    /// Whether it goes on.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            return self.join();
        }
        Ok(())
    }

    /// Ends it, after everything committed so far has been answered if it was drained.
    ///
    /// # Errors
    /// Why it ended before.
    pub fn stop(&mut self, drained: bool) -> anyhow::Result<()> {
        let wish = if drained { DRAIN } else { STOP };
        self.wish.store(wish, Ordering::Relaxed);
        self.gone.store(!drained, Ordering::Relaxed);
        self.join()
    }

    fn join(&mut self) -> anyhow::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(ended)) => ended.context("verdicts are no longer answered"),
            Some(Err(_)) => Err(anyhow!("the thread that answers verdicts ended by a panic")),
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.wish.store(STOP, Ordering::Relaxed);
        self.gone.store(true, Ordering::Relaxed);
    }
}

struct Stage {
    reader: Arc<Reader>,
    recall: Recall,
    names: Names,
    epochs: Epochs<()>,
    run: u64,
    desks: BTreeMap<i32, Desk>,
    quiet_since: Instant,
    /// Set once nobody waits for it any more.
    gone: Arc<AtomicBool>,
}

impl Stage {
    fn serve(&mut self, wish: &AtomicU8) -> anyhow::Result<()> {
        loop {
            self.chunk()?;
            self.tend()?;
            match wish.load(Ordering::Relaxed) {
                RUN => {}
                DRAIN if !self.is_drained() => {}
                _ => break,
            }
        }
        let began = Instant::now();
        while self.has_news() && began.elapsed() < GOODBYE_WITHIN {
            self.tend()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn has_news(&self) -> bool {
        self.epochs.age().is_some() || self.desks.values().any(|desk| desk.touched)
    }

    fn is_drained(&self) -> bool {
        !self.has_news()
            && !self.desks.is_empty()
            && self.desks.values().all(|desk| desk.ended)
            && self.quiet_since.elapsed() > DRAINED_AFTER
    }

    fn chunk(&mut self) -> anyhow::Result<()> {
        let (desks, names) = (&mut self.desks, &self.names);
        let mut failed = Ok(());
        let taken = self.reader.take(CHUNK, WAIT, OPEN, &mut |message| {
            let Some(desk) = desks.get_mut(&message.partition) else {
                return;
            };
            let done = desk.take(&message, names);
            if failed.is_ok() {
                failed = done;
            }
        })?;
        failed?;
        if taken.messages > 0 {
            self.quiet_since = Instant::now();
        }
        for partition in taken.ended {
            if let Some(desk) = self.desks.get_mut(&partition) {
                desk.ended = true;
            }
        }
        Ok(())
    }

    fn tend(&mut self) -> anyhow::Result<()> {
        if let Settled::Committed(..) = self.epochs.settle(&self.reader, Duration::ZERO)? {
            self.quiet_since = Instant::now();
        }
        while let Some(change) = self.reader.next_change() {
            self.quiet_since = Instant::now();
            match change {
                Change::Assigned(partitions) => self.assigned(&partitions)?,
                Change::Revoked { partitions, .. } => {
                    // What was not committed is done again by whoever comes.
                    for partition in &partitions {
                        self.desks.remove(partition);
                    }
                    self.epochs.forget(&partitions);
                    self.reader.give_up(&partitions)?;
                }
            }
        }
        if self.epochs.age().is_none() {
            self.begin_epoch()?;
        }
        Ok(())
    }

    fn assigned(&mut self, partitions: &[i32]) -> anyhow::Result<()> {
        if partitions.is_empty() {
            return Ok(self.reader.begin(&[])?);
        }
        let recalled = self.recall.of(&self.reader, partitions, &self.gone)?;
        for (partition, recalled) in recalled {
            let next = recalled.committed.unwrap_or(recalled.low).max(recalled.low);
            let desk = Desk::of(next, &recalled.values)
                .with_context(|| format!("cannot take up the commands of partition {partition}"))?;
            self.desks.insert(partition, desk);
        }
        let from = self.desks.iter().filter(|(p, _)| partitions.contains(p));
        let from: Vec<_> = from.map(|(p, desk)| (*p, desk.next)).collect();
        Ok(self.reader.begin(&from)?)
    }

    fn begin_epoch(&mut self) -> anyhow::Result<()> {
        let mut parts = Vec::new();
        for (partition, desk) in &mut self.desks {
            if !desk.touched {
                continue;
            }
            desk.touched = false;
            desk.epoch += 1;
            desk.keep(&self.names.state, *partition)?;
            parts.push(Part {
                partition: *partition,
                records: Arc::new(std::mem::take(&mut desk.records)),
                offset: NextOffset {
                    partition: *partition,
                    next: desk.next,
                    note: format!("{}.{:016x}", desk.epoch, self.run),
                },
                with: (),
            });
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.epochs.begin(parts, &self.reader)
    }
}

/// The offset of the next verdict, as the state tells.
fn end(values: &Values) -> anyhow::Result<Option<i64>> {
    let bytes = values.get(KEYS);
    bytes.map(|bytes| open(END, bytes)).transpose()
}

impl Desk {
    /// Goes on with what stood when the verdicts before an offset had been answered.
    ///
    /// # Errors
    /// If what is kept is damaged, of another version, or not as new as the offset.
    fn of(next: i64, kept: &Values) -> anyhow::Result<Self> {
        let told = end(kept)?;
        if told.is_some_and(|told| told != next) || (told.is_none() && !kept.is_empty()) {
            bail!("they stand at offset {told:?} and {next} is committed");
        }
        let mut desk = Self {
            next,
            ..Self::default()
        };
        for (_, value) in kept.iter().filter(|(key, _)| key.as_slice() != KEYS) {
            let (device, standing): (DeviceId, Standing) = open(STANDING, value)?;
            desk.commands.resume(device, standing);
        }
        Ok(desk)
    }

    fn take(&mut self, message: &Message<'_>, names: &Names) -> anyhow::Result<()> {
        if message.offset < self.next {
            return Ok(());
        }
        self.next = message.offset + 1;
        self.touched = true;
        self.ended = false;
        let payload = message.payload.unwrap_or_default();
        let verdict: Verdict = match serde_json::from_slice(payload) {
            Ok(verdict) => verdict,
            Err(error) => {
                // Nobody but us writes there.
                tracing::error!(
                    partition = message.partition,
                    offset = message.offset,
                    "a record among the verdicts is none: {error}"
                );
                return Ok(());
            }
        };
        let before = self.commands.of(&verdict.device_id).cloned();
        for command in self.commands.take(&verdict) {
            self.issue(&command, names)?;
        }
        if self.commands.of(&verdict.device_id) != before.as_ref() {
            self.changed.insert(verdict.device_id);
        }
        Ok(())
    }

    /// Every command is in the audit trail; enforcement points are given only what they are to
    /// obey, nothing that is proposed or says what would be done.
    fn issue(&mut self, command: &Command, names: &Names) -> anyhow::Result<()> {
        let payload = serde_json::to_vec(command)?;
        let mut write = |topic: &Arc<str>| {
            self.records.push(Outgoing {
                topic: topic.clone(),
                partition: None,
                key: command.device_id.to_string().into_bytes(),
                payload: Some(payload.clone()),
                headers: vec![("andon.event", "command".to_owned())],
            });
        };
        if device_view(command).is_some() {
            write(&names.enforcement);
        }
        write(&names.audit);
        Ok(())
    }

    /// Keeps what stands about the devices of which something else stands now.
    fn keep(&mut self, topic: &Arc<str>, partition: i32) -> anyhow::Result<()> {
        let record = |device: &str, payload| Outgoing {
            topic: topic.clone(),
            partition: Some(partition),
            key: [KEYS, device.as_bytes()].concat(),
            payload: Some(payload),
            headers: Vec::new(),
        };
        for device in std::mem::take(&mut self.changed) {
            if let Some(standing) = self.commands.of(&device) {
                let kept = seal(STANDING, &(&device, standing))?;
                self.records.push(record(device.as_str(), kept));
            }
        }
        self.records.push(record("", seal(END, &self.next)?));
        Ok(())
    }
}
