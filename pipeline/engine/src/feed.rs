//! From observations to the engine's input: rows are numbered and gathered into bundles, and the
//! ticks that they make are put between them.
//!
//! How many rows a bundle holds changes nothing: a row's number and the ticks' places are the same
//! for every batch size.

use std::sync::Arc;

use andon_schemas::bundle::{BUNDLE_ROWS_MAX, BundleBuilder};
use andon_schemas::observation::Observation;
use andon_schemas::time::EventTime;
use andon_schemas::view::{View, ViewHeader};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Tick};
use crate::engine::{FAR_FUTURE, Input};
use crate::plant::Plant;
use crate::tick::{Seen, Ticker, TickerState};
use crate::vnode::{VNODES, vnode_of};

/// Ticks in one batch at most: of our own, a month of them.
const TICKS_MAX: usize = 1 << 18;

/// Rows in one batch at most, of all parts together: some 80 MB.
const BATCH_ROWS_MAX: u64 = 64 * BUNDLE_ROWS_MAX as u64;

/// Where a feed stands, to go on from after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedState {
    ordinal: u64,
    ticker: TickerState,
    newest: EventTime,
}

/// Makes the input of one partition.
#[derive(Debug)]
pub struct Feed {
    plant: Arc<Plant>,
    /// One, or of [batches](Self::in_batches) one for each part.
    builders: Vec<BundleBuilder>,
    /// The ticks between the rows that are gathered; `None` if they end a bundle.
    ticks: Option<Vec<Tick>>,
    /// The virtual node of each device of the inventory, for batches.
    vnodes: Vec<u8>,
    rows_max: usize,
    /// The number of the next row or tick.
    next: u64,
    /// The number of the first row or tick that waits.
    waits_from: Option<u64>,
    ticker: Ticker,
    /// Largest event time of a row that was not far in the future.
    newest: EventTime,
    /// Ticks come with the input instead of being made here.
    recorded: bool,
    /// The newest tick, until it is asked for.
    ticked: Option<EventTime>,
    ready: Vec<Input>,
}

impl Feed {
    /// A feed whose bundles hold at most `rows_max` rows, and never more than
    /// [`BUNDLE_ROWS_MAX`].
    pub fn new(plant: Arc<Plant>, rows_max: usize) -> Self {
        let mut feed = Self {
            plant,
            builders: vec![BundleBuilder::default()],
            ticks: None,
            vnodes: Vec::new(),
            rows_max: rows_max.clamp(1, BUNDLE_ROWS_MAX),
            next: 0,
            waits_from: None,
            ticker: Ticker::default(),
            newest: EventTime::MIN,
            recorded: false,
            ticked: None,
            ready: Vec::new(),
        };
        feed.share_names();
        feed
    }

    /// Gathers batches of so many parts, for whoever has a capture at hand and need not say anything
    /// before it has filled a bundle. Call it before the first row.
    #[must_use]
    pub fn in_batches(mut self, parts: usize) -> Self {
        self.ticks = Some(Vec::new());
        self.builders
            .resize_with(parts.clamp(1, VNODES), BundleBuilder::default);
        self.share_names();
        self
    }

    /// Lets bundles share the names of the devices that the inventory lists.
    fn share_names(&mut self) {
        let inventory = self.plant.inventory();
        for builder in &mut self.builders {
            builder.share_names(inventory.names());
        }
        self.vnodes.clear();
        if self.builders.len() > 1 {
            let ids = inventory.devices.iter().map(|device| device.id.as_str());
            self.vnodes.extend(ids.map(vnode_of));
        }
    }

    /// Goes on where another feed stood. Call it before the first row.
    pub fn resume(&mut self, state: FeedState) {
        self.next = state.ordinal;
        self.ticker = Ticker::resume(state.ticker);
        self.newest = state.newest;
    }

    /// Begins with this plant instead of the one it was made with. Call it before the first row.
    pub fn stand_on(&mut self, plant: Arc<Plant>) {
        self.ticker = Ticker::resume(self.ticker.state(self.plant.inventory()));
        self.plant = plant;
        self.share_names();
    }

    /// Where it stands; nothing may be waiting.
    pub fn state(&self) -> FeedState {
        FeedState {
            ordinal: self.next,
            ticker: self.ticker.state(self.plant.inventory()),
            newest: self.newest,
        }
    }

    /// Largest event time so far of a row that was not far in the future.
    pub fn newest(&self) -> EventTime {
        self.newest
    }

    /// No row has come for a while, and by the source's clock it would be `at` by now.
    pub fn idle(&mut self, at: EventTime) {
        if let Some(tick) = self.ticker.idle(at) {
            self.tick(tick);
        }
    }

    /// From here on the input brings its ticks along: it is the record of a live run.
    pub fn recorded(&mut self) {
        self.flush();
        self.recorded = true;
    }

    /// Takes the rows of the next record. The tick that they make follows all of them: a record is
    /// not cut by time.
    pub fn push(&mut self, rows: &[Observation]) {
        self.push_views(rows.iter().map(Observation::view));
    }

    /// The same, of rows that are borrowed.
    pub fn push_views<'a>(&mut self, rows: impl IntoIterator<Item = View<'a>>) {
        let mut tick = None;
        let mut full = false;
        for row in rows {
            let honest = self.is_honest(&row.header);
            let part = self.part(&row.header, honest);
            if self.builders[part].len() >= self.rows_max {
                self.flush();
                full = false;
            }
            let ordinal = self.number();
            let builder = &mut self.builders[part];
            builder.go_on_at(ordinal);
            builder.push_view(&row);
            full |=
                builder.len() >= self.rows_max || self.next - self.ready_below() >= BATCH_ROWS_MAX;
            if honest {
                tick = self.pass(&row.header).or(tick);
            }
        }
        if let Some(at) = tick {
            self.tick(at);
        }
        if full {
            self.flush();
        }
    }

    /// Whether a row comes from somebody who may say it.
    fn is_honest(&self, header: &ViewHeader) -> bool {
        header.sender.is_none_or(|sender| {
            let (inventory, name) = (self.plant.inventory(), sender.name.as_str());
            match (header.place, inventory.position(name)) {
                (Some(place), Some(speaker)) => inventory.speaks_for(speaker, place as usize),
                _ => inventory.may_speak_for(name, header.device.as_str()),
            }
        })
    }

    /// The part of the device whose state a row concerns: a false one concerns its sender.
    fn part(&self, header: &ViewHeader, honest: bool) -> usize {
        if self.builders.len() == 1 {
            return 0;
        }
        let place = header.place.filter(|_| honest);
        let listed = place.and_then(|place| self.vnodes.get(place as usize));
        let vnode = listed.copied().unwrap_or_else(|| {
            let sender = header.sender.filter(|_| !honest);
            let name = sender.map_or(header.device, |sender| &sender.name);
            vnode_of(name.as_str())
        });
        usize::from(vnode) % self.builders.len()
    }

    /// The number of the next row or tick, which then waits.
    fn number(&mut self) -> u64 {
        self.waits_from.get_or_insert(self.next);
        self.next += 1;
        self.next - 1
    }

    /// Lets an honest row move time; returns the tick it makes.
    fn pass(&mut self, header: &ViewHeader) -> Option<EventTime> {
        if header.event_time > header.received_at + FAR_FUTURE {
            return None;
        }
        self.newest = self.newest.max(header.event_time);
        if self.recorded {
            return None;
        }
        let (device, place) = (header.device, header.place);
        let times = (header.event_time, header.received_at);
        self.ticker
            .pass(Seen { device, place }, times, self.plant.inventory())
    }

    /// Puts a tick after the rows taken so far.
    pub fn tick(&mut self, at: EventTime) {
        self.ticked = Some(at);
        let ordinal = match self.ticks {
            Some(_) => self.number(),
            None => self.alone(),
        };
        match &mut self.ticks {
            Some(ticks) => {
                ticks.push(Tick { ordinal, at });
                if ticks.len() >= TICKS_MAX {
                    self.flush();
                }
            }
            None => self.ready.push(Input::Tick { ordinal, at }),
        }
    }

    /// The number of what comes by itself, after all that waits.
    fn alone(&mut self) -> u64 {
        self.flush();
        self.next += 1;
        self.next - 1
    }

    /// The tick put since the last time this was asked, for whoever records the input.
    pub fn take_tick(&mut self) -> Option<EventTime> {
        self.ticked.take()
    }

    /// Puts a change of inventory or profiles after the rows taken so far.
    pub fn control(&mut self, plant: Arc<Plant>) {
        self.flush();
        self.ticker = Ticker::resume(self.ticker.state(self.plant.inventory()));
        self.plant = plant.clone();
        self.share_names();
        self.ready.push(Input::Control(plant));
    }

    /// Closes what is being gathered, for whoever cannot wait.
    pub fn flush(&mut self) {
        self.waits_from = None;
        let parts = (0..).zip(&mut self.builders);
        let gathered = parts.filter(|(_, builder)| !builder.is_empty());
        let mut bundles = gathered.filter_map(|(part, builder)| match builder.finish() {
            Ok(bundle) => Some((part, bundle)),
            // The builder makes the columns itself; they always fit their own schema.
            Err(error) => {
                debug_assert!(false, "{error}");
                None
            }
        });
        let Some(ticks) = &mut self.ticks else {
            let bundle = bundles.next().map(|(_, bundle)| bundle);
            self.ready
                .extend(bundle.map(|bundle| Input::Bundle(Box::new(bundle))));
            return;
        };
        let bundles: Vec<_> = bundles.collect();
        if bundles.is_empty() && ticks.is_empty() {
            return;
        }
        self.ready.push(Input::Batch(Box::new(Batch {
            parts: u32::try_from(self.builders.len()).unwrap_or(u32::MAX),
            bundles,
            ticks: std::mem::take(ticks),
        })));
    }

    /// Ends the input.
    pub fn end(&mut self) {
        self.end_at(self.newest);
    }

    /// Ends the input of one partition of several, at the newest event time of all of them.
    pub fn end_at(&mut self, newest: EventTime) {
        let ordinal = self.alone();
        self.ready.push(Input::EndOfInput {
            ordinal,
            at: newest.max(self.newest),
        });
    }

    /// The number that the next row or tick will have.
    pub fn next_ordinal(&self) -> u64 {
        self.next
    }

    /// Rows and ticks below this number are ready or have been taken.
    pub fn ready_below(&self) -> u64 {
        self.waits_from.unwrap_or(self.next)
    }

    /// What is ready for the engine, in order.
    pub fn take(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.ready)
    }
}
