//! The device-hours of captures as the table `windows`: the same engine that judges live traffic
//! gathers them, anew for every query.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use andon_engine::{Engine, Input, Item, Plant, Window};
use andon_ingest::files::{self, OpenOptions};
use andon_schemas::time::Span;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use serde_json::{Value, json};

use super::column::{Column, Filler, Holds, computed, schema};
use super::feed::Rows;
use crate::play::Player;

/// Rows of a batch.
const BATCH_ROWS: usize = 4_096;

/// The columns, in the order of [`cells`].
pub(super) const COLUMNS: &[Column] = &[
    computed("device_id", Holds::Text, "the device"),
    computed(
        "device_type",
        Holds::Text,
        "its type; null if the inventory does not list it",
    ),
    computed("segment", Holds::Text, "its segment"),
    computed("window_start", Holds::Time, "begin, inclusive"),
    computed("window_end", Holds::Time, "end, exclusive"),
    computed(
        "hours",
        Holds::Whole,
        "1, or more empty hours that closed at once",
    ),
    computed(
        "partial",
        Holds::Flag,
        "true if the device was first seen in it, or the input ended there",
    ),
    computed("opened", Holds::Whole, "connections that the device opened"),
    computed("accepted", Holds::Whole, "connections to the device"),
    computed(
        "failed",
        Holds::Whole,
        "of those it opened, refused or not answered",
    ),
    computed(
        "bytes_up",
        Holds::Whole,
        "bytes sent, of the kind that its profile counts",
    ),
    computed("bytes_down", Holds::Whole, "bytes received"),
    computed("bytes", Holds::Whole, "both together"),
    computed(
        "other_byte_rows",
        Holds::Whole,
        "rows whose bytes were of another kind and not added",
    ),
];

/// The windows of captures, measured against a plant.
#[derive(Debug)]
pub(super) struct Windows {
    captures: Vec<PathBuf>,
    options: OpenOptions,
    plant: Arc<Plant>,
    schema: SchemaRef,
    refused: Arc<AtomicU64>,
}

impl Windows {
    /// Records that give no observation are counted in `refused`.
    pub(super) fn new(
        captures: Vec<PathBuf>,
        options: OpenOptions,
        plant: Arc<Plant>,
        refused: Arc<AtomicU64>,
    ) -> Self {
        Self {
            captures,
            options,
            plant,
            schema: schema(COLUMNS),
            refused,
        }
    }

    fn cells(&self, window: &Window) -> [Value; COLUMNS.len()] {
        let inventory = self.plant.inventory();
        let device = inventory.device(window.device.as_str());
        let segment = device.and_then(|device| inventory.segments.get(device.segment));
        let pane = &window.pane;
        let span = window.span.end.since(window.span.start).micros();
        let whole = |bytes: u64| json!(i64::try_from(bytes).unwrap_or(i64::MAX));
        [
            json!(window.device.as_str()),
            json!(device.map(|device| &device.device_type)),
            json!(segment.map(|segment| &segment.name)),
            json!(window.span.start.to_string()),
            json!(window.span.end.to_string()),
            // The last one may end with the input, inside its hour.
            json!((span / Span::HOUR.micros()).max(1)),
            json!(window.partial),
            json!(pane.opened),
            json!(pane.accepted),
            json!(pane.failed),
            whole(pane.up),
            whole(pane.down),
            whole(pane.bytes()),
            json!(pane.other_bytes),
        ]
    }
}

impl Rows for Windows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn read(&self, give: &mut dyn FnMut(RecordBatch) -> bool) -> io::Result<()> {
        let options = OpenOptions {
            is_mapping_spare: true,
            ..self.options.clone()
        };
        let as_of = options.as_of;
        let captures = files::open(&self.captures, options).map_err(io::Error::other)?;
        let mut player = Player::new(captures, &self.plant, as_of).map_err(io::Error::other)?;
        let mut engine = Engine::new(self.plant.clone());
        engine.tell_windows();
        let mut gathered = Gathered::new(self);
        loop {
            let chunk = player.next(&mut |_| {}).map_err(io::Error::other)?;
            let ended = chunk.is_none();
            self.refused.fetch_max(player.refused(), Ordering::Relaxed);
            for input in chunk.unwrap_or_else(|| player.end()) {
                if !matches!(input, Input::Control(_)) {
                    gathered.step(&mut engine, &input);
                }
            }
            let is_due = gathered.rows >= BATCH_ROWS || (ended && gathered.rows > 0);
            if is_due && !give(gathered.finish()?) || ended {
                return Ok(());
            }
        }
    }
}

/// Windows on their way into a batch.
struct Gathered<'a> {
    windows: &'a Windows,
    fillers: Vec<Filler>,
    rows: usize,
}

impl<'a> Gathered<'a> {
    fn new(windows: &'a Windows) -> Self {
        Self {
            windows,
            fillers: COLUMNS.iter().map(|c| Filler::of(c.holds)).collect(),
            rows: 0,
        }
    }

    fn step(&mut self, engine: &mut Engine, input: &Input) {
        for (_, item) in engine.step(input).items {
            if let Item::Window(window) = item {
                let cells = self.windows.cells(&window);
                for (filler, cell) in self.fillers.iter_mut().zip(&cells) {
                    filler.push(Some(cell));
                }
                self.rows += 1;
            }
        }
    }

    fn finish(&mut self) -> io::Result<RecordBatch> {
        self.rows = 0;
        let columns = self.fillers.iter_mut().map(Filler::finish).collect();
        RecordBatch::try_new(self.windows.schema.clone(), columns).map_err(io::Error::other)
    }
}
