//! The plant that all benches run on: the demo plant, scaled, on a working morning.

use std::sync::Arc;

use andon_detectors::catalog::CATALOG;
use andon_engine::{Feed, Input, Plant};
use andon_ingest::split::Splitter;
use andon_schemas::builtin;
use andon_schemas::bundle::BUNDLE_ROWS_MAX;
use andon_schemas::command::Mode;
use andon_schemas::observation::{Body, Observation, Record, Role, Source};
use andon_schemas::profile::ProfileSet;
use andon_schemas::time::{EventTime, Span};
use andon_simulator::Options;

/// Ten minutes before a full hour on a Friday morning in the plant: everybody works, and after a
/// quarter of an hour a window closes for every device.
pub const HISTORY_START: &str = "2025-12-12T08:50:00Z";

/// The plant, compiled, and where its records come from.
#[derive(Debug)]
pub struct Stage {
    /// What engines run on.
    pub plant: Arc<Plant>,
    /// The shipped profiles.
    pub profiles: ProfileSet,
    simulated: andon_simulator::Plant,
}

impl Stage {
    /// The demo plant with so many devices, servers and sensors not counted.
    ///
    /// # Errors
    /// If what is built in does not load, or the plant cannot be made so large.
    pub fn new(devices: usize) -> Result<Self, String> {
        let known: Vec<&str> = CATALOG.iter().map(|entry| entry.name).collect();
        let profiles = builtin::profiles(&known).map_err(|e| e.to_string())?;
        let inventory = builtin::inventory().map_err(|e| e.to_string())?;
        let options = Options {
            seed: 1,
            start: Some(EventTime::parse(HISTORY_START)?),
            hours: 24,
            devices: Some(devices),
            ..Options::default()
        };
        let simulated = andon_simulator::Plant::new(&inventory, &profiles, &options)?;
        let plant = Plant::compile(simulated.inventory().clone(), &profiles, Mode::Monitor);
        Ok(Self {
            plant: Arc::new(plant),
            profiles,
            simulated,
        })
    }

    /// The next records, in the order of their times.
    pub fn records(&mut self, count: usize) -> Vec<Record> {
        self.simulated.by_ref().take(count).collect()
    }

    /// The next observations, in the order of their times: every record seen by each of its ends.
    ///
    /// # Errors
    /// If a record of the plant's own cannot be split.
    pub fn observations(&mut self, at_least: usize) -> Result<Vec<Vec<Observation>>, String> {
        let source = source();
        let mut splitter = Splitter::default();
        let (mut all, mut rows) = (Vec::new(), 0);
        for record in self.simulated.by_ref() {
            let mut split = Vec::new();
            let at = record.event_time;
            splitter
                .split(
                    Some(self.plant.inventory()),
                    record,
                    &source,
                    at,
                    &mut split,
                )
                .map_err(|refused| refused.detail)?;
            rows += split.len();
            all.push(split);
            if rows >= at_least {
                break;
            }
        }
        Ok(all)
    }

    /// The engine's input for the next observations, made as the pipeline makes it: bundles of
    /// 8,192 rows, with ticks between them.
    ///
    /// # Errors
    /// If a record of the plant's own cannot be split.
    pub fn inputs(&mut self, at_least: usize) -> Result<Vec<Input>, String> {
        let observations = self.observations(at_least)?;
        Ok(self.fed(observations.iter().map(Vec::as_slice)))
    }

    /// The worst order for memory: flows of honest devices drawn at random, the smallest of each
    /// device again and again, so that hardly a device comes twice in a bundle.
    ///
    /// # Errors
    /// If a record of the plant's own cannot be split.
    pub fn scattered(&mut self, rows: usize) -> Result<Vec<Input>, String> {
        let devices = self.plant.inventory().devices.len();
        let mut drafts: Vec<Observation> = self
            .observations(8 * devices)?
            .into_iter()
            .flatten()
            .filter(|o| matches!(&o.body, Body::Flow(flow) if flow.role == Role::Originator))
            .collect();
        drafts.sort_by_cached_key(|draft| (draft.header.device.clone(), size(draft)));
        drafts.dedup_by(|a, b| a.header.device == b.header.device);
        let start = EventTime::parse(HISTORY_START)?;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let scattered: Vec<[Observation; 1]> = (0..rows)
            .map(|row| {
                // xorshift64 (Marsaglia, 2003): any spread will do.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let draft = usize::try_from(state >> 11).unwrap_or(0) % drafts.len();
                let at = start + Span::from_micros(600 * i64::try_from(row).unwrap_or(0));
                [moved(&drafts[draft], at)]
            })
            .collect();
        Ok(self.fed(scattered.iter().map(<[Observation; 1]>::as_slice)))
    }

    fn fed<'a>(&self, records: impl Iterator<Item = &'a [Observation]>) -> Vec<Input> {
        let mut feed = Feed::new(self.plant.clone(), BUNDLE_ROWS_MAX);
        let mut inputs = Vec::new();
        for record in records {
            feed.push(record);
            inputs.append(&mut feed.take());
        }
        feed.flush();
        inputs.append(&mut feed.take());
        inputs
    }
}

/// Bytes that a flow moved.
fn size(draft: &Observation) -> u64 {
    match &draft.body {
        Body::Flow(flow) => flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0)),
        Body::Reading(_) | Body::Attestation(_) | Body::Resolution(_) => 0,
    }
}

/// The same flow at another time.
fn moved(draft: &Observation, at: EventTime) -> Observation {
    let mut moved = draft.clone();
    moved.header.event_time = at;
    moved.header.received_at = at;
    moved.header.seq = None;
    if let Body::Flow(flow) = &mut moved.body {
        flow.start = at - Span::SECOND;
        flow.uid = None;
    }
    moved
}

fn source() -> Source {
    Source {
        topic: "bench".into(),
        partition: 0,
        offset: 0,
    }
}
