//! A lane: everything about one partition of the observations, from its messages to what comes of
//! them. What a lane does depends on its own messages, ticks and control inputs alone, so it can be
//! taken up by any process, at any committed offset, and goes on as if nothing had happened.

mod closing;
mod reading;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use andon_engine::{Engine, Input, Output, Plant};
use andon_schemas::bundle::BUNDLE_ROWS_MAX;
use andon_schemas::time::{EventTime, Span};

use super::address::Producers;
use super::draft::Draft;
use super::journal::{EpochRecord, Journal};
use super::measure::Measure;
use super::names::Names;
use super::snapshot::{Snapshot, Sum};
use crate::advisories::Advisor;
use crate::intake::{Intake, Tally};

/// Whether what a lane does is new.
#[derive(Debug)]
enum Phase {
    /// It repeats what was committed before: nothing of it goes out again.
    Repeating {
        /// The first offset that is new.
        until: i64,
        /// Ticks that were told by the clock, still to be told again.
        ticks: VecDeque<(i64, EventTime)>,
    },
    Live,
}

/// An engine with a partition's share of the room for made-up devices. What it says of risk is read
/// by others who cannot ask it whether that still holds.
fn in_partition(mut engine: Engine, partition: i32, producers: Producers) -> Engine {
    let of = u32::try_from(producers.partitions).unwrap_or(u32::MAX);
    engine.tell_heartbeats();
    engine.of_partition(u32::try_from(partition).unwrap_or(0), of)
}

/// Everything about one partition.
#[derive(Debug)]
pub struct Lane {
    partition: i32,
    topic: Arc<str>,
    producers: Producers,
    measure: Measure,
    intake: Intake,
    engine: Engine,
    phase: Phase,
    /// The offset of the next message.
    next: i64,
    /// The last epoch; what comes belongs to the one after it.
    epoch: EpochRecord,
    /// What the group holds beside our offset.
    note: Option<String>,
    /// Something has happened since the last epoch.
    touched: bool,
    /// Everything so far has been handed out, and nothing was left.
    ended: bool,
    /// The pieces of the newest snapshot in the journal, and when it was taken.
    pieces: Vec<Sum>,
    snapshot_at: Option<Instant>,
    /// The epoch and the next offset of the newest snapshot.
    newest_snapshot: (u64, i64),
    draft: Draft,
    /// When the oldest message that waits came.
    waiting_since: Option<Instant>,
    newest_came: Option<(EventTime, Instant)>,
    journal: Journal,
    /// Knows what devices run, for people.
    pub(super) advisor: Option<Advisor>,
}

impl Lane {
    /// A lane of which nothing is known yet, which begins at an offset.
    pub fn new(
        partition: i32,
        names: &Names,
        producers: Producers,
        measure: &Measure,
        begin: EpochRecord,
    ) -> Self {
        Self {
            partition,
            topic: names.observations.clone(),
            producers,
            measure: measure.clone(),
            intake: Intake::new(&measure.plant, BUNDLE_ROWS_MAX, false),
            engine: in_partition(Engine::new(measure.plant.clone()), partition, producers),
            phase: Phase::Live,
            next: begin.next,
            epoch: begin,
            note: None,
            touched: false,
            ended: false,
            pieces: Vec::new(),
            snapshot_at: None,
            newest_snapshot: (0, 0),
            draft: Draft::new(names),
            waiting_since: None,
            newest_came: None,
            journal: Journal::new(names.state.clone(), partition),
            advisor: None,
        }
    }

    /// A lane that goes on from a snapshot. What was committed after it is repeated first, without
    /// anything coming out. `current` is used for what the snapshot was measured against, if that
    /// is the same.
    ///
    /// # Errors
    /// If this build cannot use the snapshot.
    pub fn resume(
        snapshot: &Snapshot,
        committed: EpochRecord,
        in_journal: Vec<Sum>,
        names: &Names,
        producers: Producers,
        current: &Measure,
        now: Instant,
    ) -> anyhow::Result<Self> {
        let (blueprint, state) = snapshot.parts()?;
        let manifest = &snapshot.manifest;
        let measure = if blueprint == *current.blueprint {
            Measure {
                position: manifest.control,
                ..current.clone()
            }
        } else {
            Measure::of(blueprint, manifest.control)?
        };
        let begin = EpochRecord::default();
        let mut lane = Self::new(manifest.partition, names, producers, &measure, begin);
        let plant = measure.plant;
        let engine = Engine::restore(plant, &[state], |_| true, true)?;
        lane.engine = in_partition(engine, manifest.partition, producers);
        lane.intake
            .resume(manifest.feed.clone(), manifest.tally.clone());
        lane.next = manifest.next;
        let ticks = committed.ticks.iter().copied();
        lane.phase = Phase::Repeating {
            until: committed.next,
            // Those before it are in the snapshot; of those at its very end it says itself.
            ticks: ticks.filter(|(at, _)| *at >= manifest.next).collect(),
        };
        lane.epoch = committed;
        lane.pieces = in_journal;
        lane.snapshot_at = Some(now);
        // Should nothing come any more, time goes on from here.
        let newest = lane.newest();
        lane.newest_came = (newest > EventTime::MIN).then_some((newest, now));
        lane.newest_snapshot = (manifest.epoch, manifest.next);
        lane.repeated()?;
        Ok(lane)
    }

    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The offset of the next message.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Whether everything it does is new.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live)
    }

    /// Whether it was read to the end, and nothing has come since.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What it measures against.
    pub fn plant(&self) -> &Arc<Plant> {
        self.intake.plant()
    }

    /// The same, with the files and where the control topic says so.
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// Where every record went.
    pub fn tally(&self) -> &Tally {
        self.intake.tally()
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Largest event time so far.
    pub fn newest(&mut self) -> EventTime {
        self.intake.feed().newest()
    }

    /// What has to happen before the message at an offset is taken.
    fn pass(&mut self, offset: i64) -> anyhow::Result<()> {
        loop {
            let Phase::Repeating { until, ticks } = &mut self.phase else {
                return Ok(());
            };
            match ticks.front().copied() {
                Some((at, time)) if at <= offset => {
                    ticks.pop_front();
                    self.intake.feed().idle(time);
                }
                _ if offset >= *until => return self.caught_up(),
                _ => return Ok(()),
            }
        }
    }

    /// Everything that was committed has been repeated.
    fn caught_up(&mut self) -> anyhow::Result<()> {
        self.run()?;
        self.phase = Phase::Live;
        self.touched = false;
        self.waiting_since = None;
        self.next = self.next.max(self.epoch.next);
        Ok(())
    }

    /// Goes live if nothing is left to repeat.
    fn repeated(&mut self) -> anyhow::Result<()> {
        match self.phase {
            Phase::Repeating { until, .. } if self.next >= until => self.pass(until),
            _ => Ok(()),
        }
    }

    /// Nothing before this offset is left in the topic.
    pub fn skip_to(&mut self, low: i64) {
        if self.is_live() {
            self.next = self.next.max(low);
        }
    }

    /// The partition has been read to its end.
    pub fn reached_end(&mut self) {
        self.ended = true;
    }

    /// The partition has been idle: time goes on by the wall clock since its newest record came.
    pub fn idle(&mut self, now: Instant) {
        let Some((newest, came)) = self.newest_came.filter(|_| self.is_live()) else {
            return;
        };
        let micros = now.saturating_duration_since(came).as_micros();
        let time = newest + Span::from_micros(i64::try_from(micros).unwrap_or(i64::MAX / 2));
        let feed = self.intake.feed();
        feed.take_tick();
        feed.idle(time);
        if feed.take_tick().is_some() {
            self.epoch.ticks.push((self.next, time));
            self.touched = true;
        }
    }

    /// Measures against another plant from the next message on. Everything that waits has been run.
    pub fn change(&mut self, measure: &Measure) {
        if measure.blueprint == self.measure.blueprint {
            self.measure = measure.clone();
            return;
        }
        self.intake.change(&measure.plant);
        self.measure = measure.clone();
        // The change is nowhere but in the snapshot that this epoch will hold.
        self.snapshot_at = None;
        self.touched = true;
    }

    /// The input ends, at the newest time of all partitions.
    ///
    /// # Errors
    /// If something that came out cannot be written as JSON.
    pub fn end(&mut self, newest: EventTime) -> anyhow::Result<()> {
        self.intake.feed().end_at(newest);
        // The end is nowhere but in the snapshot that this epoch will hold.
        self.snapshot_at = None;
        self.touched = true;
        self.run()
    }

    /// Takes everything that waits through the engine.
    ///
    /// # Errors
    /// If something that came out cannot be written as JSON.
    pub fn run(&mut self) -> anyhow::Result<()> {
        self.intake.feed().flush();
        let inputs = self.intake.take();
        self.draft.rejects(self.intake.take_rejects())?;
        if !inputs.is_empty() {
            let output = self.step(&inputs);
            let refused = self.draft.take(output, self.waiting_since.take())?;
            self.intake.settle(refused);
            self.draft.rejects(self.intake.take_rejects())?;
        }
        if !self.is_live() {
            self.draft.discard();
        }
        Ok(())
    }

    fn step(&mut self, inputs: &[Input]) -> Output {
        Output::merge(inputs.iter().map(|input| self.engine.step(input)))
    }

    /// What came out since the last time.
    pub fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }
}
