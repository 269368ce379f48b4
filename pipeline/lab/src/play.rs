//! Captured traffic on its way to engines: read, split by device, numbered, cut into bundles.

use std::sync::Arc;

use andon_engine::{Feed, Input, Plant};
use andon_ingest::files::{CaptureError, Captures, Item, ReadAhead};
use andon_ingest::split::Splitter;
use andon_schemas::bundle::BUNDLE_ROWS_MAX;
use andon_schemas::observation::Observation;
use andon_schemas::time::EventTime;

/// Items taken from the captures at a time.
const CHUNK: usize = 16_384;

/// Captures being played. What an engine would be told of them comes out in chunks; inventory and
/// profiles that a recorded run brings along are passed over, since engines are measured against
/// what they were made with.
#[derive(Debug)]
pub struct Player {
    captures: ReadAhead,
    plant: Arc<Plant>,
    splitter: Splitter,
    feed: Feed,
    as_of: EventTime,
    rows: Vec<Observation>,
    records: u64,
    refused: u64,
}

impl Player {
    /// A player at the beginning of captures. `as_of` is when records were received that do not say
    /// so.
    ///
    /// # Errors
    /// If the system gives no thread to read the captures.
    pub fn new(
        captures: Captures,
        plant: &Arc<Plant>,
        as_of: EventTime,
    ) -> Result<Self, CaptureError> {
        Ok(Self {
            captures: captures.read_ahead(CHUNK)?,
            plant: plant.clone(),
            splitter: Splitter::default(),
            feed: Feed::new(plant.clone(), BUNDLE_ROWS_MAX),
            as_of,
            rows: Vec::new(),
            records: 0,
            refused: 0,
        })
    }

    /// The next chunk of input, none at the end. Every record's rows are shown to `alter` before
    /// they are taken.
    ///
    /// # Errors
    /// If a capture cannot be read on.
    pub fn next(
        &mut self,
        alter: &mut dyn FnMut(&mut Vec<Observation>),
    ) -> Result<Option<Vec<Input>>, CaptureError> {
        let items = self.captures.next_batch()?;
        if items.is_empty() {
            return Ok(None);
        }
        for item in items {
            match item {
                Item::Record { record, source } => {
                    self.records += 1;
                    self.rows.clear();
                    let received_at = record.received_at.unwrap_or(self.as_of);
                    let inventory = Some(self.plant.inventory());
                    let rows = &mut self.rows;
                    let split = self
                        .splitter
                        .rows(inventory, record, &source, received_at, rows);
                    if split.is_err() {
                        self.refused += 1;
                        continue;
                    }
                    alter(&mut self.rows);
                    self.feed.push(&self.rows);
                }
                Item::Reject(_) => {
                    self.records += 1;
                    self.refused += 1;
                }
                Item::Tick(at) => self.feed.tick(at),
                // Only recorded runs have control lines, and those bring their ticks along.
                Item::Control { .. } => self.feed.recorded(),
            }
        }
        Ok(Some(self.feed.take()))
    }

    /// The end of the input, for engines that are to close what is open. Call it once, after the
    /// last chunk.
    pub fn end(&mut self) -> Vec<Input> {
        self.feed.end();
        self.feed.take()
    }

    /// Newest event time so far.
    pub fn newest(&self) -> EventTime {
        self.feed.newest()
    }

    /// Records read so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Those that gave no row.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}
