//! The board of a run on Kafka: what its lanes say and know, and of devices in partitions that other
//! processes hold, what those say.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use andon_console::{Board, Elsewhere, Pulse as Beat};
use andon_engine::{Counts, Item};
use andon_schemas::time::EventTime;

use super::group::Group;
use super::measure::Measure;
use super::whole::{Report, Whole};
use crate::intake::Tally;
use crate::telling::{self, Counted, heard};
use crate::wall;

/// So many devices of a lane are looked at at a time: 50,000 within one and a quarter seconds.
const LOOKED_AT: usize = 1_024;
/// And so often.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// So many devices of other processes are put on the board at a time.
const TAKEN_AT_ONCE: usize = 2_048;

/// The board of a run on Kafka.
#[derive(Debug)]
pub(super) struct Told {
    board: Board,
    /// Where it looks next: a partition, and a place among its devices.
    partition: i32,
    place: usize,
    looked: Instant,
    /// The partitions that this process has, and since when.
    held: BTreeMap<i32, Instant>,
    /// What other processes say, once the cluster is reached.
    whole: Option<Whole>,
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
            held: BTreeMap::new(),
            whole: None,
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
        if let Some(whole) = &self.whole {
            whole.again();
        }
    }

    /// What other processes say is told there.
    pub(super) fn follow(&mut self, whole: Whole) {
        self.whole = Some(whole);
    }

    /// Why not everything is known that other processes say, if it is not.
    pub(super) fn trouble(&self) -> Option<String> {
        match &self.whole {
            Some(whole) => whole.trouble(),
            None => Some("the cluster was not reached yet".to_owned()),
        }
    }

    /// Takes what came out of the lanes since the last time.
    pub(super) fn take(&mut self, group: &mut Group) {
        self.hold(group);
        for lane in group.lanes.values_mut() {
            let news = lane.draft().take_news();
            for verdict in &news.again {
                self.board.verdict_again(verdict);
            }
            for item in news.items {
                match item {
                    Item::Verdict(verdict) => self.board.verdict(&verdict),
                    Item::Risk(update) => self.board.risk(&update),
                    Item::Heartbeat(_)
                    | Item::Refusal(_)
                    | Item::Late(_)
                    | Item::Duplicate(_)
                    | Item::Window(_) => {}
                }
            }
        }
        self.take_elsewhere();
    }

    /// Notes which partitions this process has now.
    fn hold(&mut self, group: &Group) {
        let is_gone = |partition: &&i32| !group.lanes.contains_key(partition);
        let gone: Vec<i32> = self.held.keys().filter(is_gone).copied().collect();
        if !gone.is_empty() {
            // Its devices are for another process to tell of.
            self.board.hear_anew();
        }
        for partition in gone {
            let since = self.held.remove(&partition);
            if let (Some(whole), Some(since)) = (&self.whole, since) {
                whole.lost(partition, since);
            }
        }
        for partition in group.lanes.keys() {
            self.held.entry(*partition).or_insert_with(Instant::now);
        }
    }

    /// Takes what other processes say.
    fn take_elsewhere(&self) {
        let Some(whole) = &self.whole else { return };
        for report in whole.take(TAKEN_AT_ONCE) {
            let Report {
                device,
                update,
                is_watched,
                is_echo,
            } = &report;
            match update {
                None => self.board.forgotten_elsewhere(device.as_str()),
                // What a lane here showed of it is as new, or newer, and says more.
                Some(_) if *is_echo && self.board.is_known(device.as_str()) => {}
                Some(update) => self.board.elsewhere(&Elsewhere {
                    update,
                    is_watched: *is_watched,
                }),
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
