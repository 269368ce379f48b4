//! What this process committed, for whoever sits at it: verdicts on the terminal, files in the data
//! folder, counts for the summary. The topics are what counts; this is a copy, which a crash may
//! leave incomplete.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon_emit::terminal::verdict_line;
use andon_engine::Counts;
use anyhow::Context as _;
use hdrhistogram::Histogram;

use super::group::Done;
use super::lane::Lane;
use super::measure::Measure;
use crate::args::Format;
use crate::intake::Tally;
use crate::ledger::Ledger;
use crate::shards::Status;
use crate::summary::{Latency, Parts, Summary};
use crate::{devices, text, wall};

const VERDICTS: &str = "verdicts.jsonl";
/// What waits for a disk that is full for a while.
const BUFFER_BYTES: usize = 256 * 1_024;

/// A copy of what was committed.
#[derive(Debug)]
pub struct Copy {
    folder: PathBuf,
    /// How verdicts are printed.
    pub format: Format,
    /// What verdicts are measured against.
    pub measure: Measure,
    verdicts: BufWriter<File>,
    /// The disk does not take the verdicts.
    failing: bool,
    /// What came out.
    pub ledger: Ledger,
    latency: Histogram<u64>,
    began: Instant,
}

impl Copy {
    /// Goes on with the files of a data folder.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn open(folder: &Path, measure: &Measure) -> anyhow::Result<Self> {
        let path = folder.join(VERDICTS);
        let verdicts = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        let copy = Self {
            folder: folder.to_owned(),
            format: Format::Text,
            measure: measure.clone(),
            verdicts: BufWriter::with_capacity(BUFFER_BYTES, verdicts),
            failing: false,
            ledger: Ledger::of_a_list(),
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            began: Instant::now(),
        };
        copy.keep(measure)?;
        Ok(copy)
    }

    /// What verdicts are measured against from now on, kept beside them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn measured_against(&mut self, measure: &Measure) -> anyhow::Result<()> {
        self.measure = measure.clone();
        self.keep(measure)
    }

    fn keep(&self, measure: &Measure) -> anyhow::Result<()> {
        measure.blueprint.keep(&self.folder, &measure.plant)
    }

    /// Tells people something.
    ///
    /// # Errors
    /// If it cannot be printed.
    pub fn say(&self, line: &str, out: &mut impl Write) -> anyhow::Result<()> {
        if self.format == Format::Text {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        Ok(())
    }

    /// How long verdicts took from the reader to the hand-over, and how many took so long.
    pub fn waited(&mut self, waits: Vec<(Duration, u64)>) {
        for (wait, verdicts) in waits {
            let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            self.latency.saturating_record_n(micros, verdicts);
        }
    }

    /// Takes what a lane gave to an epoch that was committed.
    ///
    /// # Errors
    /// If it cannot be printed.
    pub fn take(&mut self, done: &Done, out: &mut impl Write) -> anyhow::Result<()> {
        for verdict in &done.verdicts {
            self.ledger.verdict(verdict);
            let line = serde_json::to_string(verdict)?;
            // In one piece, so that what a full disk refuses is a whole line.
            let written = self.verdicts.write_all(format!("{line}\n").as_bytes());
            self.weigh(&written);
            match self.format {
                Format::Json => writeln!(out, "{line}")?,
                Format::Text => {
                    let clock = &self.measure.plant.inventory().clock;
                    let at = text::plant_time(clock, verdict.window.end);
                    writeln!(out, "{}", verdict_line(verdict, &at, text::colour()))?;
                }
            }
        }
        Ok(())
    }

    /// Lets what was written be seen.
    ///
    /// # Errors
    /// If it cannot be printed.
    pub fn flush(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        let written = self.verdicts.flush();
        self.weigh(&written);
        out.flush()?;
        Ok(())
    }

    /// A disk that fails is told once, and costs nothing but this copy.
    fn weigh(&mut self, written: &io::Result<()>) {
        match written {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                let path = self.folder.join(VERDICTS);
                tracing::error!(
                    "cannot write `{}`: {error}; the run goes on, and verdicts that do not fit \
                     are in the cluster only",
                    path.display()
                );
            }
            Err(_) => {}
        }
    }

    /// What the run came to, over the lanes that it holds; the devices of them are written out.
    ///
    /// # Errors
    /// If they cannot be.
    pub fn summary(&self, lanes: &BTreeMap<i32, Lane>) -> anyhow::Result<Summary> {
        let (mut tally, mut status) = (Tally::default(), Status::default());
        for lane in lanes.values() {
            tally.add(lane.tally());
            let engine = lane.engine();
            status.counts.add(&engine.counts());
            status.devices += engine.device_count();
            status.risks.extend(engine.risks());
        }
        status.risks.sort_by(|a, b| a.0.cmp(&b.0));
        devices::write(&self.folder, &self.measure.plant, &status)?;
        let Status {
            counts, devices, ..
        } = status;
        Ok(self.sum(&tally, counts, devices))
    }

    fn sum(&self, tally: &Tally, counts: Counts, devices: usize) -> Summary {
        Summary::of(Parts {
            tally,
            ledger: &self.ledger,
            counts,
            devices,
            plant: &self.measure.plant,
            order: "recorded".to_owned(),
            // Receive times are the broker's.
            as_of: wall::now(),
            latency: Latency::of(&self.latency),
            elapsed_s: self.began.elapsed().as_secs_f64(),
        })
    }
}
