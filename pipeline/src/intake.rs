//! From records to the engine's input, for every source alike: split, checked, numbered, counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_engine::{FAR_FUTURE, Feed, FeedState, Input, Plant};
use andon_ingest::files::Item;
use andon_ingest::split::Splitter;
use andon_schemas::observation::{Observation, Record, Source};
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};

/// Where every record went: `records = observed + rejects`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records that came in.
    pub records: u64,
    /// Records that yielded at least one observation.
    pub observed: u64,
    /// Records that yielded none, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
}

impl Tally {
    /// Counts a rejected record.
    pub fn reject(&mut self, reason: RejectReason) {
        self.records += 1;
        *self.rejects.entry(reason).or_default() += 1;
    }

    /// A record that was counted as observed turned out to be refused by the engine.
    pub fn refused(&mut self, reason: RejectReason) {
        self.observed = self.observed.saturating_sub(1);
        *self.rejects.entry(reason).or_default() += 1;
    }

    /// Whether every record is accounted for.
    pub fn adds_up(&self) -> bool {
        self.records == self.observed + self.rejects.values().sum::<u64>()
    }
}

/// Takes records and makes the engine's input of them.
#[derive(Debug)]
pub struct Intake<'a> {
    plant: &'a Plant,
    splitter: Splitter<'a>,
    feed: Feed,
    tally: Tally,
    observations: Vec<Observation>,
    rejects: Vec<Reject>,
    recorded: bool,
}

/// Control lines of a recorded run.
pub const RECORDED_START: &str = "start";
/// The run ended by draining its source.
pub const RECORDED_END: &str = "end_of_input";

impl<'a> Intake<'a> {
    /// An intake for one partition. `by_address` takes devices by address instead of by inventory.
    pub fn new(plant: &'a Arc<Plant>, rows_max: usize, by_address: bool) -> Self {
        let splitter = if by_address {
            Splitter::by_address()
        } else {
            Splitter::by_inventory(plant.inventory())
        };
        Self {
            plant,
            splitter,
            feed: Feed::new(plant.clone(), rows_max),
            tally: Tally::default(),
            observations: Vec::new(),
            rejects: Vec::new(),
            recorded: false,
        }
    }

    /// Takes an item of a capture.
    pub fn item(&mut self, item: Item, as_of: EventTime) {
        match item {
            Item::Record { record, source } => self.record(record, &source, as_of),
            Item::Reject(reject) => self.reject(reject),
            Item::Tick(at) => self.feed.tick(at),
            Item::Control(control) => self.control(&control),
        }
    }

    /// The first line of every recorded run is a control line: from there on the input brings its
    /// own ticks, and says itself whether it ended.
    fn control(&mut self, control: &str) {
        let event = serde_json::from_str::<serde_json::Value>(control)
            .ok()
            .and_then(|line| line["event"].as_str().map(str::to_owned));
        match event.as_deref() {
            Some(RECORDED_START) => {
                self.recorded = true;
                self.feed.recorded();
            }
            Some(RECORDED_END) => self.feed.end(),
            _ => self.feed.flush(),
        }
    }

    /// Ends the input, unless it is the record of a run, which says itself how it ended.
    pub fn end(&mut self) {
        if self.recorded {
            self.feed.flush();
        } else {
            self.feed.end();
        }
    }

    /// Takes a record.
    pub fn record(&mut self, record: Record, source: &Source, received_at: EventTime) {
        let received_at = record.received_at.unwrap_or(received_at);
        let at = record.event_time;
        let device = record.device.as_ref().map(ToString::to_string);
        let refusal = |reason, detail: String| Reject {
            reason,
            detail,
            source: source.clone(),
            device: device.clone(),
            received_at,
            excerpt: String::new(),
        };
        if at > received_at + FAR_FUTURE {
            let detail =
                format!("event time {at} is more than 5 min after it was received, {received_at}");
            self.reject(refusal(RejectReason::FarFuture, detail));
            return;
        }
        self.observations.clear();
        let split = self
            .splitter
            .split(record, source, received_at, &mut self.observations);
        if let Err(refused) = split {
            self.reject(refusal(refused.reason, refused.detail));
            return;
        }
        self.keep_what_the_sender_may_say();
        self.tally.records += 1;
        self.tally.observed += 1;
        self.feed.push(&self.observations);
    }

    /// A sensor's record of a flow may show an end it does not watch: that end is left out. If it
    /// may speak for none, one row stays, for the engine to refuse and to hold against the sender.
    fn keep_what_the_sender_may_say(&mut self) {
        let inventory = self.plant.inventory();
        let allowed = |observation: &Observation| {
            observation.header.sender.as_ref().is_none_or(|sender| {
                inventory.may_speak_for(sender.name.as_str(), observation.header.device.as_str())
            })
        };
        if self.observations.iter().any(allowed) {
            self.observations.retain(allowed);
        } else {
            self.observations.truncate(1);
        }
    }

    /// Goes on where another intake stood.
    pub fn resume(&mut self, feed: FeedState, tally: Tally) {
        self.feed.resume(feed);
        self.tally = tally;
    }

    /// Takes a reject that a reader made.
    pub fn reject(&mut self, reject: Reject) {
        self.tally.reject(reject.reason);
        self.rejects.push(reject);
    }

    /// The engine refused a row of a record that was counted as observed.
    pub fn refused(&mut self, reject: Reject) {
        self.tally.refused(reject.reason);
        self.rejects.push(reject);
    }

    /// What makes the input: for ticks and flushes of live sources.
    pub fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// The engine's input so far, in order.
    pub fn take(&mut self) -> Vec<Input> {
        self.feed.take()
    }

    /// Rejects since the last time.
    pub fn take_rejects(&mut self) -> Vec<Reject> {
        std::mem::take(&mut self.rejects)
    }

    /// Where every record went so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}
