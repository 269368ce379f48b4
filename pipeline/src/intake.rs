//! From records to the engine's input, for every source alike: split, checked, numbered, counted.

mod tally;

use std::sync::Arc;

use andon_engine::{Batch, FAR_FUTURE, Feed, FeedState, Input, Plant};
use andon_ingest::files::{FlowBlock, Item, Piece};
use andon_ingest::refused::{Refused, excerpt};
use andon_ingest::split::Splitter;
use andon_schemas::act::Act;
use andon_schemas::observation::{Record, Source};
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use andon_schemas::view::View;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use self::tally::Several;
pub use self::tally::Tally;
use crate::aside::{Answer, Aside, Asides, in_order, times};
use crate::blueprint::{Blueprint, Named};

/// Records taken from captures at a time.
pub const CHUNK: usize = 16_384;

/// Takes records and makes the engine's input of them.
#[derive(Debug)]
pub struct Intake {
    plant: Arc<Plant>,
    /// Devices are taken by address instead of by inventory.
    by_address: bool,
    /// What is measured against whatever plant a recorded run brings.
    named: Named,
    /// What stands between the rows, in order.
    asides: Asides,
    splitter: Splitter,
    feed: Feed,
    tally: Tally,
    /// Records of several rows of which the engine has not seen all yet, in order.
    several: Several,
    /// Ordinals below this one have been given to the engine.
    given: u64,
    rejects: Vec<Reject>,
    recorded: bool,
}

/// A control line of a recorded run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Recorded {
    /// The first line of every recorded run: from there on the input brings its own ticks, and
    /// says itself whether it ended.
    Start {
        /// What the run was measured against.
        plant: Option<Blueprint>,
    },
    /// Inventory or profiles changed.
    Plant {
        /// What it is measured against from here on.
        plant: Blueprint,
    },
    /// A person did something.
    Act {
        /// What.
        act: Box<Act>,
    },
    /// An enforcement point answered.
    Ack {
        /// What.
        answer: Box<Answer>,
    },
    /// The run ended by draining its source.
    EndOfInput,
}

impl Intake {
    /// An intake for one partition. `by_address` takes devices by address instead of by inventory.
    pub fn new(plant: &Arc<Plant>, rows_max: usize, by_address: bool) -> Self {
        Self {
            plant: plant.clone(),
            by_address,
            named: Named::default(),
            asides: Asides::new(),
            splitter: Splitter::default(),
            feed: Feed::new(plant.clone(), rows_max),
            tally: Tally::default(),
            several: Several::default(),
            given: 0,
            rejects: Vec::new(),
            recorded: false,
        }
    }

    /// Gathers rows in batches, for engines of which so many share the devices: what comes is captured
    /// traffic, and nobody waits for it row by row.
    #[must_use]
    pub fn in_batches(mut self, engines: usize) -> Self {
        let devices = self.plant.inventory().devices.len();
        self.feed = self.feed.in_batches(Batch::parts_for(devices, engines));
        self
    }

    /// Takes an item of a capture.
    ///
    /// # Errors
    /// If a recorded run brings a plant that cannot be used.
    pub fn item(&mut self, item: Item, as_of: EventTime) -> anyhow::Result<()> {
        match item {
            Item::Record { record, source } => self.record(&record, &source, as_of),
            Item::Reject(reject) => self.reject(reject),
            Item::Tick(at) => self.feed.tick(at),
            Item::Control { control, source } => return self.control(&control, &source, as_of),
        }
        Ok(())
    }

    /// Takes a piece of a capture.
    ///
    /// # Errors
    /// As [`item`](Self::item).
    pub fn piece(&mut self, piece: Piece, as_of: EventTime) -> anyhow::Result<()> {
        match piece {
            Piece::Items(items) => items
                .into_iter()
                .try_for_each(|item| self.item(item, as_of)),
            Piece::Flows(block) => {
                self.flows(&block, as_of, |_| ());
                Ok(())
            }
        }
    }

    /// Keeps to what is named, whatever plant a recorded run brings.
    pub fn keep_to(&mut self, named: Named) {
        self.named = named;
    }

    /// A control line that is none is a reject. One that brings a plant which this build cannot
    /// compile ends it all: everything after it would be measured against something else.
    fn control(&mut self, control: &str, source: &Source, as_of: EventTime) -> anyhow::Result<()> {
        let plant = match serde_json::from_str(control) {
            Ok(Recorded::Start { plant }) => {
                self.recorded = true;
                self.feed.recorded();
                plant
            }
            Ok(Recorded::Plant { plant }) => Some(plant),
            Ok(Recorded::Act { act }) => {
                self.aside(Aside::Act(act));
                None
            }
            Ok(Recorded::Ack { answer }) => {
                self.aside(Aside::Ack(answer));
                None
            }
            Ok(Recorded::EndOfInput) => {
                self.feed.end();
                None
            }
            Err(cause) => {
                tracing::warn!(
                    "`{}`, record {}: a control line cannot be read; from here on this is not \
                     what the run was",
                    source.topic,
                    source.offset
                );
                self.reject(Reject {
                    reason: RejectReason::Malformed,
                    detail: format!("control line: {cause}"),
                    source: source.clone(),
                    device: None,
                    received_at: as_of,
                    excerpt: excerpt(control.as_bytes()),
                });
                None
            }
        };
        let Some(plant) = plant else {
            return Ok(());
        };
        let plant = self.named.over(&plant);
        let compiled = plant.compile().with_context(|| {
            let Source { topic, offset, .. } = source;
            format!("`{topic}`, record {offset}: the plant that was recorded cannot be used")
        })?;
        self.change(&compiled);
        self.aside(Aside::Plant(Box::new(plant), compiled));
        Ok(())
    }

    /// Puts what concerns no device's behaviour after the rows taken so far.
    pub fn aside(&mut self, aside: Aside) {
        self.asides.push((self.feed.next_ordinal(), aside));
    }

    /// What was put between the rows that [`take`](Self::take) gave, and the times that those
    /// `inputs` tell.
    pub fn take_asides(&mut self, inputs: &[Input]) -> Asides {
        let given = self.given;
        let later = self.asides.partition_point(|(place, _)| *place <= given);
        let later = self.asides.split_off(later);
        in_order(times(inputs), std::mem::replace(&mut self.asides, later))
    }

    /// Begins with this plant instead of the one it was made with: what went before was measured
    /// against it too.
    pub fn stand_on(&mut self, plant: &Arc<Plant>) {
        self.plant = plant.clone();
        self.splitter.forget();
        self.feed.stand_on(plant.clone());
    }

    /// Measures against another plant from the next record on.
    pub fn change(&mut self, plant: &Arc<Plant>) {
        self.plant = plant.clone();
        self.splitter.forget();
        self.feed.control(plant.clone());
    }

    /// What it measures against.
    pub fn plant(&self) -> &Arc<Plant> {
        &self.plant
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
    pub fn record(&mut self, record: &Record, source: &Source, received_at: EventTime) {
        let received_at = record.received_at.unwrap_or(received_at);
        let at = record.event_time;
        let refusal = |refused: Refused| Reject {
            reason: refused.reason,
            detail: refused.detail,
            source: source.clone(),
            device: record.device.as_ref().map(ToString::to_string),
            received_at,
            excerpt: String::new(),
        };
        if let Err(refused) = is_of_now(at, received_at) {
            self.reject(refusal(refused));
            return;
        }
        let inventory = (!self.by_address).then(|| self.plant.inventory());
        let ends = match self.splitter.heard(inventory, record) {
            Ok(ends) => ends,
            Err(refused) => {
                let reject = refusal(refused);
                self.reject(reject);
                return;
            }
        };
        self.tally.observe();
        self.several.take(self.feed.next_ordinal(), ends.count());
        self.feed
            .push_views(ends.views(record, source, received_at));
    }

    /// Takes the flows of a block; `observed` is told the event time of each that was observed.
    pub fn flows(
        &mut self,
        block: &FlowBlock,
        as_of: EventTime,
        mut observed: impl FnMut(EventTime),
    ) {
        let mut source = block.source(0);
        let first = source.offset;
        for row in 0..block.len() {
            source.offset = first + row as u64;
            let at = block.event_time(row);
            let received_at = block.received_at(row).unwrap_or(as_of);
            let inventory = (!self.by_address).then(|| self.plant.inventory());
            let ends = is_of_now(at, received_at)
                .and_then(|()| self.splitter.ends_in(inventory, block, row));
            let ends = match ends {
                Ok(ends) => ends,
                Err(refused) => {
                    let reject = refused.at(source.clone(), received_at, b"");
                    self.reject(reject);
                    continue;
                }
            };
            self.tally.observe();
            self.several.take(self.feed.next_ordinal(), ends.count());
            self.feed.push_views(ends.each().map(|(owner, role)| {
                let device = (&*owner.device, owner.place);
                block.view(row, role, device, &source, received_at)
            }));
            observed(at);
        }
    }

    /// Takes a record that is one row.
    pub fn row(&mut self, row: View) {
        let header = &row.header;
        if let Err(refused) = is_of_now(header.event_time, header.received_at) {
            self.reject(Reject {
                reason: refused.reason,
                detail: refused.detail,
                source: header.source.clone(),
                device: Some(header.device.to_string()),
                received_at: header.received_at,
                excerpt: String::new(),
            });
            return;
        }
        self.tally.records += 1;
        self.tally.observed += 1;
        self.feed.push_views([row]);
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

    /// The engine took everything that [`take`](Self::take) gave, and refused these rows, each
    /// with its ordinal. Every one is written out; a record is counted as a reject, once, if
    /// nothing of it is left.
    pub fn settle(&mut self, refused: Vec<(u64, Reject)>) {
        self.settle_below(self.given, refused);
    }

    /// The same, if the engine has taken only what was given while [`given`](Self::given) was this.
    pub fn settle_below(&mut self, given: u64, refused: Vec<(u64, Reject)>) {
        for (ordinal, reject) in refused {
            if self.several.refuse(ordinal) {
                self.tally.refused(reject.reason);
            }
            self.rejects.push(reject);
        }
        self.several.settle(given);
    }

    /// What makes the input: for ticks and flushes of live sources.
    pub fn feed(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// The engine's input so far, in order.
    pub fn take(&mut self) -> Vec<Input> {
        self.given = self.feed.ready_below();
        self.feed.take()
    }

    /// Rows and ticks with ordinals below this one have been given to the engine.
    pub fn given(&self) -> u64 {
        self.given
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

fn is_of_now(at: EventTime, received_at: EventTime) -> Result<(), Refused> {
    if at <= received_at + FAR_FUTURE {
        return Ok(());
    }
    Err(Refused::new(
        RejectReason::FarFuture,
        format!("event time {at} is more than 5 min after it was received, {received_at}"),
    ))
}

#[cfg(test)]
mod tests;
