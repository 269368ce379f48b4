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

use crate::engine::{FAR_FUTURE, Input};
use crate::plant::Plant;
use crate::tick::Ticker;

/// Where a feed stands, to go on from after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeedState {
    ordinal: u64,
    ticker: Ticker,
    newest: EventTime,
}

/// Makes the input of one partition.
#[derive(Debug)]
pub struct Feed {
    plant: Arc<Plant>,
    builder: BundleBuilder,
    rows_max: usize,
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
        Self {
            plant,
            builder: BundleBuilder::starting_at(0),
            rows_max: rows_max.clamp(1, BUNDLE_ROWS_MAX),
            ticker: Ticker::default(),
            newest: EventTime::MIN,
            recorded: false,
            ticked: None,
            ready: Vec::new(),
        }
    }

    /// Goes on where another feed stood. Call it before the first row.
    pub fn resume(&mut self, state: FeedState) {
        self.builder = BundleBuilder::starting_at(state.ordinal);
        self.ticker = state.ticker;
        self.newest = state.newest;
    }

    /// Begins with this plant instead of the one it was made with. Call it before the first row.
    pub fn stand_on(&mut self, plant: Arc<Plant>) {
        self.plant = plant;
    }

    /// Where it stands; nothing may be waiting.
    pub fn state(&self) -> FeedState {
        FeedState {
            ordinal: self.builder.next_ordinal(),
            ticker: self.ticker.clone(),
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
        for row in rows {
            if self.builder.len() >= self.rows_max {
                self.flush();
            }
            self.builder.push_view(&row);
            tick = self.pass(&row.header).or(tick);
        }
        if let Some(at) = tick {
            self.tick(at);
        }
        if self.builder.len() >= self.rows_max {
            self.flush();
        }
    }

    /// Lets an honest row move time; returns the tick it makes.
    fn pass(&mut self, header: &ViewHeader) -> Option<EventTime> {
        let honest = header.sender.is_none_or(|sender| {
            self.plant
                .inventory()
                .may_speak_for(sender.name.as_str(), header.device.as_str())
        });
        if header.event_time > header.received_at + FAR_FUTURE || !honest {
            return None;
        }
        self.newest = self.newest.max(header.event_time);
        if self.recorded {
            return None;
        }
        self.ticker
            .pass(header.device, header.event_time, header.received_at)
    }

    /// Puts a tick after the rows taken so far.
    pub fn tick(&mut self, at: EventTime) {
        self.flush();
        self.ready.push(Input::Tick {
            ordinal: self.builder.skip(),
            at,
        });
        self.ticked = Some(at);
    }

    /// The tick put since the last time this was asked, for whoever records the input.
    pub fn take_tick(&mut self) -> Option<EventTime> {
        self.ticked.take()
    }

    /// Puts a change of inventory or profiles after the rows taken so far.
    pub fn control(&mut self, plant: Arc<Plant>) {
        self.flush();
        self.plant = plant.clone();
        self.ready.push(Input::Control(plant));
    }

    /// Closes the bundle that is being gathered, for whoever cannot wait.
    pub fn flush(&mut self) {
        if self.builder.is_empty() {
            return;
        }
        match self.builder.finish() {
            Ok(bundle) => self.ready.push(Input::Bundle(Box::new(bundle))),
            // The builder makes the columns itself; they always fit their own schema.
            Err(error) => debug_assert!(false, "{error}"),
        }
    }

    /// Ends the input.
    pub fn end(&mut self) {
        self.end_at(self.newest);
    }

    /// Ends the input of one partition of several, at the newest event time of all of them.
    pub fn end_at(&mut self, newest: EventTime) {
        self.flush();
        self.ready.push(Input::EndOfInput {
            ordinal: self.builder.skip(),
            at: newest.max(self.newest),
        });
    }

    /// The number that the next row or tick will have.
    pub fn next_ordinal(&self) -> u64 {
        self.builder.next_ordinal()
    }

    /// Rows gathered and not yet handed over.
    pub fn waiting(&self) -> usize {
        self.builder.len()
    }

    /// What is ready for the engine, in order.
    pub fn take(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.ready)
    }
}
