//! The second stage: from committed verdicts, what people do and what enforcement points answer to
//! commands. A segment's verdicts are in one partition, so whoever holds that partition is the
//! segment's only owner; commands, what stands, and how far everything was read are one transaction
//! of its own.

mod desk;
mod hearing;
mod listen;
mod responder;
pub mod routes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use andon_ingest::kafka::{Change, Reader};
use anyhow::Context as _;

use self::desk::{Desk, Rules};
use self::hearing::Hearing;
use self::responder::{DRAIN, RUN, Refusals};
pub use self::responder::{Responder, Setup};
use self::routes::Routes;
use super::acts::Waiting;
use super::directory::Directory;
use super::epochs::{Epochs, Settled};
use super::evidence::{Keeping, Wanted};
use super::names::Names;
use super::recall::{Recall, Recalled, Restoring};
use crate::policy::PlantPolicy;

/// Names the desk that wrote a record, in its headers.
pub(super) const DESK: &str = "andon.desk";
const CHUNK: usize = 1_024;
const WAIT: Duration = Duration::from_millis(20);
const OPEN: Duration = Duration::from_millis(5);
/// Where nothing comes, time passes this often.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// The verdicts are read to the end when nothing came for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(1);
/// Most records that wait to be committed.
const WAITING_MAX: usize = 10_000;
/// How long the last commands are given.
const GOODBYE_WITHIN: Duration = Duration::from_secs(10);

struct Stage {
    reader: Arc<Reader>,
    recall: Recall,
    names: Names,
    epochs: Epochs<Vec<Wanted>>,
    /// Keeps the records around incidents.
    keeping: Keeping,
    run: u64,
    /// Of its last part of an epoch.
    number: u64,
    desks: BTreeMap<i32, Desk>,
    restoring: Vec<Restoring<BTreeMap<i32, Recalled>>>,
    /// Fetching is paused until what waits is committed.
    paused: bool,
    /// Since when it is to end at the end of the verdicts, with nothing new since.
    draining: Option<Instant>,
    /// What the plant allows.
    policy: PlantPolicy,
    /// Which desk is to answer for what.
    routes: Arc<Mutex<Routes>>,
    hearing: Hearing,
    /// Those who wait here for what comes of their acts.
    waiting: Waiting,
    trusted: bool,
    directory: Directory,
    /// Acknowledgements that were not believed.
    refused: Refusals,
    last_idle: Instant,
    allowed: Arc<Mutex<Option<PlantPolicy>>>,
}

impl Stage {
    fn serve(&mut self, wish: &AtomicU8) -> anyhow::Result<()> {
        loop {
            self.chunk()?;
            self.listen()?;
            self.tend()?;
            self.idle()?;
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

    /// Lets time pass where every verdict has been answered.
    fn idle(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if now.saturating_duration_since(self.last_idle) < IDLE_EVERY {
            return Ok(());
        }
        self.last_idle = now;
        let rules = Rules {
            names: &self.names,
            policy: &self.policy,
        };
        for (partition, desk) in &mut self.desks {
            let standing = self.reader.standing(*partition);
            if desk.ended && standing.is_some_and(|standing| standing.is_drained()) {
                desk.idle(now, rules)?;
            }
        }
        Ok(())
    }

    fn has_news(&self) -> bool {
        self.epochs.age().is_some() || self.desks.values().any(|desk| desk.touched)
    }

    /// Whether every verdict has been answered. What was committed just now is not seen at once:
    /// its markers come after its transaction has ended.
    fn is_drained(&mut self) -> bool {
        let is_quiet = !self.has_news() && self.restoring.is_empty();
        let all = self.reader.partitions();
        let is_at_end = |(partition, desk): (&i32, &Desk)| {
            let standing = self.reader.standing(*partition);
            desk.ended && standing.is_some_and(|standing| standing.is_drained())
        };
        if !is_quiet || all != Some(self.desks.len()) || !self.desks.iter().all(is_at_end) {
            self.draining = None;
            return false;
        }
        if self.draining.get_or_insert_with(Instant::now).elapsed() <= DRAINED_AFTER {
            return false;
        }
        // Nothing comes any more: what is there is all that there will be.
        self.keeping.finish() && !self.keeping.has_done()
    }

    fn chunk(&mut self) -> anyhow::Result<()> {
        let desks = &mut self.desks;
        let rules = Rules {
            names: &self.names,
            policy: &self.policy,
        };
        let mut failed = Ok(());
        let taken = self.reader.take(CHUNK, WAIT, OPEN, &mut |messages| {
            for message in messages {
                let desk = desks.get_mut(&message.partition);
                let done = desk.map_or(Ok(()), |desk| desk.take(message, rules));
                if failed.is_ok() {
                    failed = done;
                }
            }
        })?;
        failed?;
        if taken.messages > 0 {
            self.draining = None;
        }
        for partition in taken.ended {
            if let Some(desk) = self.desks.get_mut(&partition) {
                desk.ended = true;
            }
        }
        Ok(())
    }

    fn tend(&mut self) -> anyhow::Result<()> {
        if let Settled::Committed(parts, _) = self.epochs.settle(&self.reader, Duration::ZERO)? {
            for part in parts {
                if let Some(desk) = self.desks.get_mut(&part.partition) {
                    desk.note = Some(part.offset.note);
                    self.keeping.want(part.with);
                }
            }
        }
        for done in self.keeping.take_done() {
            if let Some(desk) = self.desks.get_mut(&done.desk) {
                desk.preserved(&done);
            }
        }
        let allowed = self
            .allowed
            .lock()
            .ok()
            .and_then(|mut policy| policy.take());
        if let Some(policy) = allowed {
            let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
            routes.follow(policy.clone());
            drop(routes);
            self.keeping.follow(policy.plant());
            self.policy = policy;
            let rules = Rules {
                names: &self.names,
                policy: &self.policy,
            };
            for desk in self.desks.values_mut() {
                desk.reconsider(rules)?;
            }
        }
        self.take_up()?;
        while let Some(change) = self.reader.next_change() {
            match change {
                Change::Assigned(partitions) => self.assigned(partitions)?,
                Change::Revoked { partitions, .. } => self.revoked(&partitions)?,
            }
        }
        self.hold_back()?;
        if self.epochs.age().is_none() {
            self.begin_epoch()?;
        }
        Ok(())
    }

    fn assigned(&mut self, partitions: Vec<i32>) -> anyhow::Result<()> {
        self.reader.claim(&partitions)?;
        if partitions.is_empty() {
            return Ok(());
        }
        let (recall, reader) = (self.recall.clone(), self.reader.clone());
        let restoring = Restoring::start(partitions, move |partitions, stop| {
            recall.of(&reader, partitions, stop)
        })?;
        self.restoring.push(restoring);
        Ok(())
    }

    fn revoked(&mut self, partitions: &[i32]) -> anyhow::Result<()> {
        // What was not committed is done again by whoever comes.
        for partition in partitions {
            self.desks.remove(partition);
            self.keeping.leave(*partition);
        }
        for restoring in &mut self.restoring {
            restoring.partitions.retain(|p| !partitions.contains(p));
        }
        self.epochs.forget(partitions);
        Ok(self.reader.give_up(partitions)?)
    }

    /// Answers verdicts of partitions whose commands have been read.
    fn take_up(&mut self) -> anyhow::Result<()> {
        if self.reader.is_lost() {
            return Ok(());
        }
        let mut at = 0;
        while let Some(restoring) = self.restoring.get(at) {
            let Some(recalled) = restoring.result() else {
                at += 1;
                continue;
            };
            let restoring = self.restoring.remove(at);
            if restoring.partitions.is_empty() {
                continue;
            }
            let mut from = Vec::new();
            for (partition, recalled) in recalled? {
                if !restoring.partitions.contains(&partition) {
                    continue;
                }
                let mut desk = Desk::of(partition, &recalled).with_context(|| {
                    format!("cannot take up the commands of partition {partition}")
                })?;
                desk.reconsider(Rules {
                    names: &self.names,
                    policy: &self.policy,
                })?;
                from.push((partition, desk.next));
                self.keeping.want(desk.unkept());
                self.desks.insert(partition, desk);
            }
            self.hearing.look_back();
            self.reader.go(&from, self.paused)?;
        }
        Ok(())
    }

    /// What waits to be committed is bounded: beyond, no more is fetched until it is out.
    fn hold_back(&mut self) -> anyhow::Result<()> {
        let waiting: usize = self.desks.values().map(|desk| desk.records.len()).sum();
        let wanted = waiting > WAITING_MAX;
        if wanted != self.paused {
            let held: Vec<i32> = self.desks.keys().copied().collect();
            self.reader.pause(&held, wanted)?;
            self.paused = wanted;
        }
        Ok(())
    }

    fn begin_epoch(&mut self) -> anyhow::Result<()> {
        let mut parts = Vec::new();
        for (partition, desk) in &mut self.desks {
            let number = &mut self.number;
            parts.extend(desk.part(*partition, &self.names, self.run, number)?);
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.epochs.begin(parts, &self.reader)
    }
}
