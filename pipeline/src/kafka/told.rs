//! The board of a run on Kafka: what its lanes say and know. Devices in partitions that other
//! processes hold are not heard of here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use andon_console::{Board, Pulse as Beat};
use andon_engine::{Counts, Item};
use andon_schemas::time::EventTime;

use super::group::Group;
use super::measure::Measure;
use crate::intake::Tally;
use crate::telling::{self, Counted, heard};
use crate::wall;

/// So many devices of a lane are looked at at a time: 50,000 within one and a quarter seconds.
const LOOKED_AT: usize = 1_024;
/// And so often.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The board of a run on Kafka.
#[derive(Debug)]
pub(super) struct Told {
    board: Board,
    /// Where it looks next: a partition, and a place among its devices.
    partition: i32,
    place: usize,
    looked: Instant,
    /// The partitions that this process has.
    held: BTreeSet<i32>,
    said: Instant,
    /// Records of each lane when that was said.
    records: BTreeMap<i32, u64>,
}

impl Told {
    pub(super) fn new(board: Board) -> Self {
        Self {
            board,
            partition: i32::MIN,
            place: 0,
            looked: Instant::now(),
            held: BTreeSet::new(),
            said: Instant::now(),
            records: BTreeMap::new(),
        }
    }

    /// The board.
    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// What is measured against from now on.
    pub(super) fn change(&self, measure: &Measure) {
        telling::change(&self.board, measure.measured());
    }

    /// Takes what came out of the lanes since the last time.
    pub(super) fn take(&mut self, group: &mut Group) {
        let is_gone = |partition: &i32| !group.lanes.contains_key(partition);
        if self.held.iter().any(is_gone) {
            // Its devices are for another process to tell of.
            self.board.hear_anew();
        }
        if self.held.len() != group.lanes.len() || self.held.iter().any(is_gone) {
            self.held = group.lanes.keys().copied().collect();
        }
        for lane in group.lanes.values_mut() {
            let news = lane.draft().take_news();
            for verdict in &news.again {
                self.board.verdict_again(verdict);
            }
            for item in news.items {
                match item {
                    Item::Verdict(verdict) => self.board.verdict(&verdict),
                    Item::Risk(update) => self.board.risk(&update),
                    Item::Refusal(_) | Item::Late(_) | Item::Duplicate(_) | Item::Window(_) => {}
                }
            }
        }
    }

    /// Looks over some of what the lanes know, if it is time to.
    pub(super) fn look(&mut self, group: &Group) {
        if self.looked.elapsed() < LOOK_EVERY {
            return;
        }
        self.looked = Instant::now();
        let next = group.lanes.range(self.partition..).next();
        let Some((partition, lane)) = next.filter(|(_, lane)| lane.is_live()) else {
            self.partition = next.map_or(i32::MIN, |(partition, _)| partition.saturating_add(1));
            self.place = 0;
            return;
        };
        if *partition != self.partition {
            (self.partition, self.place) = (*partition, 0);
        }
        let standings = lane.engine().standings(self.place, LOOKED_AT);
        self.place += LOOKED_AT;
        if self.place >= lane.engine().device_count() {
            (self.partition, self.place) = (partition.saturating_add(1), 0);
        }
        self.board.hear(standings.into_iter().map(heard));
    }

    /// Tells how the run is doing.
    pub(super) fn tell(&mut self, group: &mut Group, connected: bool) {
        let (mut tally, mut counts) = (Tally::default(), Counts::default());
        let (mut newest, mut fresh) = (EventTime::MIN, 0);
        let before = std::mem::take(&mut self.records);
        for (partition, lane) in &mut group.lanes {
            let records = lane.tally().records;
            // What a lane brings along when it is taken up was counted by others.
            let known = before.get(partition).copied().unwrap_or(records);
            fresh += records.saturating_sub(known);
            self.records.insert(*partition, records);
            tally.add(lane.tally());
            counts.add(&lane.engine().counts());
            newest = newest.max(lane.newest());
        }
        let newest = (newest > EventTime::MIN).then_some(newest);
        let lag = newest.map(|newest| wall::now().since(newest).micros() / 1_000);
        let beat = Beat {
            newest,
            lag_ms: lag,
            connected,
            fresh,
            totals: Counted::totals(&tally, counts),
        };
        let since = self.said.elapsed();
        self.said = Instant::now();
        self.board.pulse(beat, since.as_secs_f64());
    }
}
