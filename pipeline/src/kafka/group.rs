//! Our part of the consumer group: the lanes we hold, how they come and go, and the epochs in
//! which what they did becomes visible.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_emit::kafka::NextOffset;
use andon_ingest::kafka::{Change, Reader};
use andon_schemas::verdict::Verdict;
use anyhow::Context as _;

use super::epochs::{Epochs, Part, Settled};
use super::lane::Lane;
use super::measure::Measure;
use super::recall::Restoring;
use super::restore::Restorer;
use super::settings::Settings;
use super::sink::Sink;
use super::snapshot::Snapshot;
use crate::advisories::Advisor;

/// Most records that wait to be committed.
const WAITING_MAX: usize = 32_768;
/// Most snapshots in one epoch, unless partitions are given up: the state of a large plant must not
/// make a transaction too long.
const SNAPSHOTS_MAX: usize = 2;

/// What is known of a lane's part of an epoch once it is committed.
#[derive(Debug)]
pub struct Done {
    /// The verdicts that came out.
    pub verdicts: Vec<Verdict>,
    /// The state, if it was due.
    pub snapshot: Option<Snapshot>,
}

/// What happened, for whoever keeps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An epoch was committed so long after it had begun.
    Committed(Duration),
    /// An epoch was not.
    Aborted,
    /// Partitions were taken up in so long.
    Restored(Duration),
    /// A snapshot of so many bytes was taken in so long.
    Snapshot(Duration, u64),
}

/// Our part of the group.
#[derive(Debug)]
pub struct Group {
    reader: Arc<Reader>,
    restorer: Restorer,
    epochs: Epochs<Done>,
    settings: Settings,
    /// Tells our commits from those of other processes.
    run: u64,
    /// The lanes we hold, by partition.
    pub lanes: BTreeMap<i32, Lane>,
    /// Knows what devices run, for people.
    pub advisor: Option<Advisor>,
    restoring: Vec<Restoring<Vec<Lane>>>,
    /// Fetching is paused until what waits is committed.
    paused: bool,
    last_epoch: Instant,
    /// Committed and not yet asked for.
    committed: Vec<Done>,
    events: Vec<Event>,
    /// When the group last changed.
    changed: Instant,
    /// The group has told us what is ours, be it nothing.
    member: bool,
}

impl Group {
    /// Holds nothing yet.
    pub fn new(
        reader: Arc<Reader>,
        restorer: Restorer,
        sink: Sink,
        settings: Settings,
        run: u64,
    ) -> Self {
        Self {
            epochs: Epochs::new(sink, restorer.names.observations.clone()),
            reader,
            restorer,
            settings,
            run,
            lanes: BTreeMap::new(),
            advisor: None,
            restoring: Vec::new(),
            paused: false,
            last_epoch: Instant::now(),
            committed: Vec::new(),
            events: Vec::new(),
            changed: Instant::now(),
            member: false,
        }
    }

    /// What is measured against, and into how many partitions the observations are divided; to be
    /// said before anything is read.
    pub fn begin_with(&mut self, measure: Measure, partitions: usize) {
        self.restorer.setting = measure;
        self.restorer.producers.partitions = partitions;
    }

    /// What tells our commits from those of other processes.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// What was committed since the last time.
    pub fn take_committed(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.committed)
    }

    /// Whether partitions are being taken up, or repeat what was committed.
    pub fn is_restoring(&self) -> bool {
        !self.restoring.is_empty() || self.lanes.values().any(|lane| !lane.is_live())
    }

    /// The partitions that are being taken up, or repeat what was committed.
    pub fn restoring(&self) -> Vec<i32> {
        let repeating = self.lanes.values().filter(|lane| !lane.is_live());
        let taken_up = self
            .restoring
            .iter()
            .flat_map(|r| r.partitions.iter().copied());
        taken_up.chain(repeating.map(Lane::partition)).collect()
    }

    /// Whether the group has more processes than partitions, and none is ours.
    pub fn is_idle_member(&self) -> bool {
        self.member && self.lanes.is_empty() && self.restoring.is_empty()
    }

    /// Whether the group has told us what is ours.
    pub fn is_member(&self) -> bool {
        self.member
    }

    /// Records that wait for the end of the epoch.
    pub fn waiting(&mut self) -> usize {
        let lanes = self.lanes.values_mut();
        lanes.map(|lane| lane.draft().records.len()).sum()
    }

    /// What happened since the last time.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// How long nothing has changed in the group.
    pub fn settled_for(&self) -> Duration {
        self.changed.elapsed()
    }

    /// What a lane did is handed to the sink at once, if the sink takes it.
    ///
    /// # Errors
    /// If the sink cannot take it.
    pub fn hand_over(&mut self, partition: i32) -> anyhow::Result<()> {
        let Some(lane) = self.lanes.get_mut(&partition).filter(|lane| lane.is_live()) else {
            return Ok(());
        };
        self.epochs.hand_over(&mut lane.draft().records)
    }

    /// Does what has become due: settles what ended, takes partitions up or gives them up, and
    /// begins the next epoch.
    ///
    /// # Errors
    /// If a partition cannot be taken up, or the cluster refuses us for good.
    pub fn tend(&mut self) -> anyhow::Result<()> {
        self.settle(Duration::ZERO)?;
        self.take_up()?;
        while let Some(change) = self.reader.next_change() {
            match change {
                Change::Assigned(partitions) => self.assigned(partitions)?,
                Change::Revoked { partitions, lost } => self.revoked(&partitions, lost)?,
            }
        }
        self.hold_back()?;
        self.bring_up_to_date();
        if self.epochs.age().is_none() && self.last_epoch.elapsed() >= self.settings.epoch {
            self.begin_epoch(&[])?;
        }
        Ok(())
    }

    fn assigned(&mut self, partitions: Vec<i32>) -> anyhow::Result<()> {
        tracing::info!(?partitions, "kafka: assigned");
        self.changed = Instant::now();
        self.member = true;
        // The group does not wait for the restore, nor do our other partitions.
        self.reader.claim(&partitions)?;
        if !partitions.is_empty() {
            let restoring = self.restorer.start(&self.reader, partitions)?;
            self.restoring.push(restoring);
        }
        Ok(())
    }

    /// Reads from partitions whose lanes have been made.
    fn take_up(&mut self) -> anyhow::Result<()> {
        if self.reader.is_lost() {
            return Ok(());
        }
        let mut at = 0;
        while let Some(restoring) = self.restoring.get(at) {
            let Some(lanes) = restoring.result() else {
                at += 1;
                continue;
            };
            let restoring = self.restoring.remove(at);
            if restoring.partitions.is_empty() {
                continue;
            }
            let took = restoring.since.elapsed();
            self.changed = Instant::now();
            let mut lanes = lanes?;
            // Some may have been given up meanwhile.
            lanes.retain(|lane| restoring.partitions.contains(&lane.partition()));
            tracing::info!(lanes = lanes.len(), ?took, "kafka: restored");
            self.events.push(Event::Restored(took));
            let from: Vec<_> = lanes.iter().map(|l| (l.partition(), l.next())).collect();
            for mut lane in lanes {
                lane.advisor.clone_from(&self.advisor);
                let partition = lane.partition();
                lane.draft().sign(partition, self.run);
                self.lanes.insert(lane.partition(), lane);
            }
            self.reader.go(&from, self.paused)?;
        }
        Ok(())
    }

    /// What waits to be committed is bounded: beyond, no more is fetched until it is out.
    fn hold_back(&mut self) -> anyhow::Result<()> {
        let waiting = self.waiting() + self.epochs.in_flight()?;
        let wanted = waiting
            > if self.paused {
                WAITING_MAX / 2
            } else {
                WAITING_MAX
            };
        if wanted != self.paused {
            let held: Vec<i32> = self.lanes.keys().copied().collect();
            self.reader.pause(&held, wanted)?;
            self.paused = wanted;
            tracing::info!(waiting, paused = wanted, "kafka: fetching");
        }
        Ok(())
    }

    /// A lane that has repeated what was committed goes on with what holds now.
    fn bring_up_to_date(&mut self) {
        let current = &self.restorer.setting;
        for lane in self.lanes.values_mut() {
            if lane.is_live() && lane.measure().position < current.position {
                lane.change(current);
            }
        }
    }

    /// Ends what we do with partitions, within a third of the time that the group grants.
    fn revoked(&mut self, partitions: &[i32], lost: bool) -> anyhow::Result<()> {
        tracing::info!(?partitions, lost, "kafka: revoked");
        self.changed = Instant::now();
        // Until the group has heard of us again, there may be something for us.
        self.member &= !lost;
        if !lost && self.holds_news_of(partitions) {
            self.finish(partitions, self.settings.session / 3)?;
        }
        for partition in partitions {
            self.lanes.remove(partition);
        }
        for restoring in &mut self.restoring {
            restoring.partitions.retain(|p| !partitions.contains(p));
        }
        self.epochs.forget(partitions);
        Ok(self.reader.give_up(partitions)?)
    }

    fn holds_news_of(&self, partitions: &[i32]) -> bool {
        let is_touched = |p: &i32| self.lanes.get(p).is_some_and(Lane::is_touched);
        self.epochs.age().is_some() || partitions.iter().any(is_touched)
    }

    /// Commits everything so far, with the state of some partitions, if that can be done in time.
    ///
    /// # Errors
    /// If the cluster refuses us for good.
    pub fn finish(&mut self, with_state: &[i32], within: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + within;
        let mut begun = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.epochs.age().is_none() {
                if begun {
                    return Ok(true);
                }
                self.begin_epoch(with_state)?;
                begun = true;
                continue;
            }
            if left.is_zero() || self.reader.is_lost() {
                return Ok(false);
            }
            self.settle(left.min(Duration::from_millis(100)))?;
        }
    }

    /// Puts everything that happened since the last epoch into the next one.
    fn begin_epoch(&mut self, with_state: &[i32]) -> anyhow::Result<()> {
        self.last_epoch = Instant::now();
        let mut parts = Vec::new();
        let mut snapshots = 0;
        for lane in self.lanes.values_mut() {
            let partition = lane.partition();
            let age = lane.snapshot_age();
            let has_aged = age.is_some_and(|age| age >= self.settings.snapshot);
            let is_due = with_state.contains(&partition) || has_aged && snapshots < SNAPSHOTS_MAX;
            snapshots += usize::from(is_due);
            if !lane.is_live() || !(lane.is_touched() || is_due) {
                continue;
            }
            lane.run()?;
            let began = Instant::now();
            let snapshot = lane
                .close_epoch(is_due)
                .with_context(|| format!("partition {partition}"))?;
            if let Some(snapshot) = &snapshot {
                let event = Event::Snapshot(began.elapsed(), snapshot.length());
                self.events.push(event);
            }
            let epoch = lane.epoch();
            let offset = NextOffset {
                partition,
                next: epoch.next,
                note: format!("{}.{:016x}", epoch.epoch, self.run),
                before: lane.note().cloned(),
            };
            let draft = lane.draft();
            parts.push(Part {
                partition,
                records: Arc::new(std::mem::take(&mut draft.records)),
                offset,
                with: Done {
                    verdicts: std::mem::take(&mut draft.verdicts),
                    snapshot,
                },
            });
        }
        if parts.is_empty() {
            return Ok(());
        }
        self.epochs.begin(parts, &self.reader)
    }

    fn settle(&mut self, within: Duration) -> anyhow::Result<()> {
        match self.epochs.settle(&self.reader, within)? {
            Settled::Not => {}
            Settled::Committed(parts, took) => {
                self.events.push(Event::Committed(took));
                for part in parts {
                    if let Some(lane) = self.lanes.get_mut(&part.partition) {
                        lane.was_committed(Some(part.offset.note));
                    }
                    self.committed.push(part.with);
                }
            }
            Settled::Refused => self.events.push(Event::Aborted),
        }
        Ok(())
    }

    /// How long the epoch that is under way has been.
    pub fn epoch_age(&self) -> Option<Duration> {
        self.epochs.age()
    }

    /// Measures every lane against another plant, those that come later too.
    ///
    /// # Errors
    /// If something that came out cannot be written as JSON.
    pub fn change(&mut self, setting: Measure) -> anyhow::Result<()> {
        self.restorer.setting = setting;
        for lane in self.lanes.values_mut() {
            lane.run()?;
        }
        self.bring_up_to_date();
        Ok(())
    }
}
