//! `andon run`: the live pipeline, from an MQTT broker or an embedded endpoint.
//!
//! A message is written to the log before it is acknowledged, and taken through the engine at
//! once; only the acknowledgement waits for the disk. The state is saved now and then, and the log
//! is kept until the state covers it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_emit::terminal::verdict_line;
use andon_engine::Plant;
use andon_ingest::delivery::{Delivery, Receipt, Settle};
use andon_ingest::log::{self, Body, Log, LogError};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::args::{Format, RunArgs};
use crate::config::Config;
use crate::exit::{Outcome, usage};
use crate::live::core::Core;
use crate::live::message::Message;
use crate::live::source::{Source, Stop};
use crate::live::state::{self, State};
use crate::results::{Results, write_json};
use crate::summary::{Latency, Parts, Summary};
use crate::text;
use crate::{devices, setting, wall};

/// A bundle closes after this long, however few rows it holds.
const BUNDLE_OPEN: Duration = Duration::from_micros(500);
/// An idle source ticks this often.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// A drained source has ended when nothing came for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(3);

/// Runs the command.
///
/// # Errors
/// If the configuration or a file it names cannot be used, or the disk fails.
pub fn run(args: &RunArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let config = Config::load(args)?;
    let plant = setting::plant(&config.plant, config.mode)?;
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make folder `{}`", config.data.display()))
        .map_err(usage)?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let stop = Stop {
        after: args.duration.map(Duration::from_secs_f64),
    };
    let mut source = Source::open(&runtime, &config, &plant, stop)?;
    for line in &source.welcome {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    let log = open_log(&config.data, source.settle.clone())?;
    let results = Results::go_on(&config.data)?;
    let state = state::load(&config.data)?;
    if args.capture.is_some() && (state.is_some() || log.last_sequence() > 0) {
        let folder = config.data.display();
        return Err(usage(anyhow!(
            "a capture repeats a run from its beginning, and `{folder}` holds the state of an \
             earlier one; name another folder with --data"
        )));
    }
    let outlet = source.outlet();
    let mut run = Run {
        core: Core::new(&plant, config.shards, results, outlet)?,
        plant: &plant,
        log,
        saved: 0,
        save_every: Duration::from_secs(60),
        folder: &config.data,
        format,
        drain: args.drain,
    };
    if let Some(path) = &args.capture {
        run.core.record_to(path)?;
    }
    run.recover(state, config.shards, out)?;
    run.serve(&runtime, &mut source, out)?;
    if args.drain {
        run.core.end(|_| {})?;
    }
    run.save()?;
    let summary = run.summary(began)?;
    run.core.finish()?;
    run.core.close_outlet();
    source.close(&runtime);
    write_json(&config.data.join("summary.json"), &summary)?;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
        Format::Text => text::summary(&summary, &run.core.results.ledger, out)?,
    }
    runtime.shutdown_timeout(Duration::from_secs(5));
    Ok(Outcome::Done)
}

/// Opens the log; what becomes durable in it is acknowledged to its sender.
fn open_log(folder: &Path, settle: Arc<dyn Settle>) -> anyhow::Result<Log> {
    let (log, recovery) = Log::open(
        &folder.join("log"),
        log::Options::default(),
        move |commit| {
            settle.settle(&commit.receipts);
        },
    )?;
    if let Some(torn) = &recovery.torn {
        tracing::warn!(
            "the log ended in the middle of a record, as after a crash: {} bytes that nobody was \
             promised were cut off {}",
            torn.bytes,
            torn.path.display()
        );
    }
    Ok(log)
}

/// A live run.
struct Run<'a> {
    core: Core<'a>,
    plant: &'a Arc<Plant>,
    log: Log,
    /// The newest log entry that the saved state covers.
    saved: u64,
    save_every: Duration,
    folder: &'a Path,
    format: Format,
    drain: bool,
}

impl Run<'_> {
    /// Goes on where the last run stood: its saved state, then the log from there.
    fn recover(
        &mut self,
        state: Option<State>,
        shards: usize,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        if let Some(state) = state {
            self.saved = state.through;
            self.core.resume(state, shards)?;
        }
        let came = Instant::now();
        for entry in self.log.replay(self.saved + 1)? {
            let entry = entry?;
            let received_at = EventTime::from_micros(entry.received_at);
            match entry.body {
                Body::Message {
                    topic,
                    payload,
                    sender,
                    proven,
                } => {
                    let message = Message {
                        topic,
                        payload,
                        sender,
                        proven,
                        received_at,
                        sequence: entry.sequence,
                    };
                    self.take(&message, came)?;
                }
                Body::Tick { at } => self.core.idle(EventTime::from_micros(at))?,
                Body::Control { .. } => {}
            }
        }
        self.flush(out)
    }

    fn serve(
        &mut self,
        runtime: &Runtime,
        source: &mut Source,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let mut last_came = None;
        let mut last_save = Instant::now();
        loop {
            let next = runtime.block_on(async {
                tokio::time::timeout(IDLE_EVERY, source.deliveries.recv()).await
            });
            while let Some(refusal) = source.next_refusal() {
                self.core.refusal(&refusal, wall::now())?;
            }
            match next {
                Ok(Some(delivery)) => {
                    last_came = Some(Instant::now());
                    self.bundle(delivery, &mut source.deliveries)?;
                }
                Ok(None) => break,
                Err(_) if self.drain => {
                    if last_came.is_some_and(|came: Instant| came.elapsed() > DRAINED_AFTER) {
                        break;
                    }
                }
                Err(_) if source.is_live() => self.idle()?,
                Err(_) => {}
            }
            self.flush(out)?;
            if last_save.elapsed() > self.save_every {
                self.save()?;
                last_save = Instant::now();
            }
        }
        self.flush(out)
    }

    /// Takes a delivery, and what else has come within the time a bundle stays open.
    fn bundle(
        &mut self,
        first: Delivery,
        deliveries: &mut mpsc::Receiver<Delivery>,
    ) -> anyhow::Result<()> {
        let came = Instant::now();
        let mut next = Some(first);
        let mut rows = 0;
        while let Some(delivery) = next {
            let received_at = wall::now();
            let receipt = delivery.receipt;
            let body = Body::from(delivery);
            let sequence = self.append(received_at, &body, receipt)?;
            if let Body::Message {
                topic,
                payload,
                sender,
                proven,
            } = body
            {
                let message = Message {
                    topic,
                    payload,
                    sender,
                    proven,
                    received_at,
                    sequence,
                };
                self.take(&message, came)?;
            }
            rows += 1;
            let room = rows < andon_schemas::bundle::BUNDLE_ROWS_MAX;
            next = if room && came.elapsed() < BUNDLE_OPEN {
                deliveries.try_recv().ok()
            } else {
                None
            };
        }
        Ok(())
    }

    /// Writes an entry to the log. A full log is let go of as far as the state can cover it; if
    /// that frees nothing, the run waits and the source stops being read.
    fn append(
        &mut self,
        received_at: EventTime,
        body: &Body,
        receipt: Option<Receipt>,
    ) -> anyhow::Result<u64> {
        loop {
            match self.log.append(received_at.micros(), body, receipt) {
                Err(LogError::Full { .. }) => {
                    self.core.flush(|_| {})?;
                    self.save()?;
                    std::thread::sleep(IDLE_EVERY);
                }
                result => return Ok(result?),
            }
        }
    }

    fn take(&mut self, message: &Message, came: Instant) -> anyhow::Result<()> {
        let source = message.source();
        match message.read(self.plant.inventory()) {
            Ok(record) => self.core.record(record, &source, message.received_at, came),
            Err(refused) => {
                self.core
                    .reject(refused, source, message.received_at, &message.payload)
            }
        }
    }

    /// The source is connected and drained: time goes on by the wall clock since the newest row.
    fn idle(&mut self) -> anyhow::Result<()> {
        let Some(at) = self.core.idle_time(Instant::now()) else {
            return Ok(());
        };
        self.append(wall::now(), &Body::Tick { at: at.micros() }, None)?;
        self.core.idle(at)
    }

    fn flush(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        let clock = &self.plant.inventory().clock;
        let format = self.format;
        let mut lines = Vec::new();
        self.core.flush(|verdict: &Verdict| {
            lines.push(match format {
                Format::Json => serde_json::to_string(verdict).unwrap_or_default(),
                Format::Text => {
                    let at = text::plant_time(clock, verdict.window.end);
                    verdict_line(verdict, &at, text::colour())
                }
            });
        })?;
        self.core.results.flush()?;
        if lines.is_empty() {
            return Ok(());
        }
        for line in lines {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        Ok(())
    }

    /// Saves the state and lets go of the log that it covers.
    fn save(&mut self) -> anyhow::Result<()> {
        let through = self.log.sync()?;
        if !self.core.effects_are_out()? {
            tracing::warn!("the broker has not acknowledged what was published; keeping the log");
            return Ok(());
        }
        let state = self.core.state(through)?;
        state::save(self.folder, &state)?;
        self.saved = through;
        self.log.release(through)?;
        devices::write(self.folder, self.plant, &self.core.status()?)
    }

    fn summary(&self, began: Instant) -> anyhow::Result<Summary> {
        let status = self.core.status()?;
        Ok(Summary::of(Parts {
            tally: self.core.tally(),
            ledger: &self.core.results.ledger,
            counts: status.counts,
            devices: status.devices,
            plant: self.plant,
            order: "recorded".to_owned(),
            as_of: wall::now(),
            latency: Latency::of(&self.core.latency),
            elapsed_s: began.elapsed().as_secs_f64(),
        }))
    }
}
