//! `andon run`: the live pipeline, from an MQTT broker or an embedded endpoint.
//!
//! A message is written to the log before it is acknowledged, and taken through the engine at
//! once; only the acknowledgement waits for the disk. The state is saved now and then, and the log
//! is kept until the state covers it.

mod history;
mod next;
mod opening;
mod shadow;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_emit::terminal::verdict_line;
use andon_ingest::delivery::Delivery;
use andon_ingest::log::{Body, Log};
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::access;
use crate::advisories::{self, Advisor};
use crate::args::{Format, RunArgs};
use crate::blueprint::{Blueprint, Named};
use crate::config::Config;
use crate::exit::{Outcome, usage};
use crate::live::acts::{Acts, Asked};
use crate::live::core::Core;
use crate::live::message::{Message, Read};
use crate::live::source::Source;
use crate::notify::Notify;
use crate::results::write_json;
use crate::siem::Siem;
use crate::signals::Stop;
use crate::summary::{Latency, Parts, Summary};
use crate::telling::Teller;
use crate::text;
use crate::wall;
use crate::{descriptors, kafka};

use self::history::Past;
use self::next::{Next, next};
use self::opening::{audience, results};

/// A bundle closes after this long, however few rows it holds.
const BUNDLE_OPEN: Duration = Duration::from_micros(500);
/// An idle source ticks this often.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// A drained source has ended when nothing came for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(3);

/// Runs the command.
///
/// # Errors
/// If the configuration or a file it names cannot be used, the disk fails, or the broker was not
/// there in all the time that the run was given.
pub fn run(args: &RunArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let config = Config::load(args)?;
    descriptors::require()?;
    if let Some(settings) = &config.kafka {
        return kafka::run::run(args, &config, settings, format, out);
    }
    let blueprint = Blueprint::read(&config.plant, config.mode)?;
    let plant = blueprint.compile()?;
    let advisor = Advisor::open(&config.advisories)?;
    let shadow = config.shadow.as_deref();
    let shadow = shadow.map(Named::profiles).transpose()?;
    let mut past = Past::of(&config.data, args.capture.is_some(), &plant)?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let stop = Stop {
        after: args.duration.map(Duration::from_secs_f64),
    };
    let mut source = Source::open(&runtime, &config, &plant, stop)?;
    let (operator, teller) = audience(&config, &plant, &blueprint, &runtime)?;
    let (acts, asked) = Acts::open();
    if let Some(teller) = &teller {
        // What is decided from here on waits until everything is known again.
        teller.sit(Arc::new(acts));
    }
    // Only now is anything made: a run that cannot listen leaves nothing behind.
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make folder `{}`", config.data.display()))
        .map_err(usage)?;
    source.keep_token(&config.data)?;
    operator.map(|operator| operator.keep()).transpose()?;
    if let Some(url) = teller.as_ref().and_then(Teller::url) {
        access::note_url(&config.data, &url)?;
    }
    let log = past.log(&config.data, source.settle.clone())?;
    let mut results = results(&config, &plant)?;
    results.measured_against(&blueprint, &plant)?;
    results.siem = Siem::start(&config.data, &config.siem)?;
    results.notify = Notify::start(&config.data, &config.notify)?;
    let outlet = source.outlet();
    let mut run = Run {
        core: Core::new(blueprint.clone(), &plant, config.shards, results, outlet)?,
        log,
        saved: 0,
        save_every: Duration::from_secs(60),
        config: &config,
        format,
        drain: args.drain,
        lines: Vec::new(),
    };
    run.core.keep_evidence(&config.data)?;
    run.core.advisor = advisor.map(|advisor| advisor.going_on(&config.data));
    if let Some(path) = &args.capture {
        run.core.record_to(path)?;
    }
    run.recover(past.state.take(), shadow.as_ref())?;
    run.adopt(blueprint)?;
    let in_shadow = run.begin_shadow(shadow)?;
    let told = teller.as_ref().and_then(Teller::url);
    let told = told.map(|url| format!("serving on    {url}/v1/board"));
    if let Some(teller) = teller {
        run.core.tell_by(teller)?;
    }
    for line in source.welcome.iter().chain(&told).chain(&in_shadow) {
        writeln!(out, "{line}")?;
    }
    run.print(out)?;
    run.serve(&runtime, &mut source, asked, out)?;
    let ended = run.end(source, &runtime, began, out);
    runtime.shutdown_timeout(Duration::from_secs(5));
    match ended?.filter(|_| args.duration.is_some()) {
        Some(cause) => Err(anyhow!("the broker was never reached: {cause}")),
        None => Ok(Outcome::Done),
    }
}

/// A live run.
struct Run<'a> {
    core: Core,
    log: Log,
    /// The newest log entry that the saved state covers.
    saved: u64,
    save_every: Duration,
    config: &'a Config,
    format: Format,
    drain: bool,
    /// Verdicts as they are printed, until they are.
    lines: Vec<String>,
}

impl Run<'_> {
    fn serve(
        &mut self,
        runtime: &Runtime,
        source: &mut Source,
        mut asked: mpsc::Receiver<Asked>,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        let mut last_came = None;
        let mut last_save = Instant::now();
        loop {
            let next = runtime.block_on(next(&mut source.deliveries, &mut asked));
            if source.wants_reload() {
                self.reload()?;
                self.reload_shadow()?;
            }
            while let Some(refusal) = source.next_refusal() {
                self.core.refusal(&refusal, wall::now())?;
            }
            match next {
                Next::Delivery(delivery) => {
                    last_came = Some(Instant::now());
                    self.bundle(delivery, &mut source.deliveries)?;
                }
                Next::Act(asked) => self.act(&asked, out)?,
                Next::End => break,
                Next::Nothing if self.drain => {
                    if last_came.is_some_and(|came: Instant| came.elapsed() > DRAINED_AFTER) {
                        break;
                    }
                }
                Next::Nothing if source.is_live() => self.idle()?,
                Next::Nothing => {}
            }
            self.flush(out)?;
            self.core.tell(source.is_live())?;
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

    fn take(&mut self, message: &Message, came: Instant) -> anyhow::Result<()> {
        let source = message.source();
        match message.read(self.core.plant().inventory()) {
            Ok(Read::Record(record)) => {
                self.core.record(record, &source, message.received_at, came)
            }
            Ok(Read::Ack(answer)) => self.core.answer(*answer),
            Err(refused) => {
                self.core
                    .reject(refused, source, message.received_at, &message.payload)
            }
        }
    }

    /// Does what a person asks for, once it is durable, and tells what came of it.
    fn act(&mut self, asked: &Asked, out: &mut impl Write) -> anyhow::Result<()> {
        let mut act = asked.act.clone();
        act.at = self.core.plant_time(wall::now());
        let body = Body::Control {
            kind: history::ACT.to_owned(),
            payload: serde_json::to_vec(&act)?,
        };
        self.append(wall::now(), &body, None)?;
        self.log.sync()?;
        self.core.act(act)?;
        self.flush(out)?;
        if let Some(came) = self.core.take_acted() {
            asked.tell(came);
        }
        Ok(())
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
        self.collect(|core, each| core.flush(each))?;
        self.core.results.flush()?;
        if self.lines.is_empty() {
            return Ok(());
        }
        self.print(out)
    }

    /// Lets the engine work, and keeps what is to be said of the verdicts that come of it.
    fn collect(
        &mut self,
        work: impl FnOnce(&mut Core, &mut dyn FnMut(&Verdict)) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let plant = self.core.plant().clone();
        let clock = &plant.inventory().clock;
        let (format, lines) = (self.format, &mut self.lines);
        work(&mut self.core, &mut |verdict| {
            lines.push(match format {
                Format::Json => serde_json::to_string(verdict).unwrap_or_default(),
                Format::Text => {
                    let at = text::plant_time(clock, verdict.window.end);
                    verdict_line(verdict, &at, text::colour())
                }
            });
        })
    }

    /// Prints what is to be said, and lets it be seen.
    fn print(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        for line in self.lines.drain(..) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        Ok(())
    }

    /// Ends in order, and tells what it came to. Returns why the broker has never been reached, if
    /// it has not.
    fn end(
        mut self,
        source: Source,
        runtime: &Runtime,
        began: Instant,
        out: &mut impl Write,
    ) -> anyhow::Result<Option<String>> {
        if self.drain {
            self.collect(|core, each| core.end(each))?;
            self.print(out)?;
        }
        self.save()?;
        let inventory = self.core.plant().inventory();
        advisories::keep(self.core.advisor.as_ref(), &self.config.data, inventory)?;
        self.core.results.close_outlets();
        let mut summary = self.summary(began)?;
        (summary.siem, summary.notify) = self.core.results.outlets();
        summary.advisories = self.core.advisor.as_ref().map(Advisor::counts);
        self.core.finish()?;
        self.core.close_outlet();
        self.core.hush(runtime);
        access::forget_url(&self.config.data);
        let never_reached = source.never_reached();
        source.close(runtime);
        let compared = self.compared();
        summary.comparison = compared.as_ref().map(|found| found.comparison.gist.clone());
        let folder = &self.config.data;
        write_json(&folder.join("summary.json"), &summary)?;
        match self.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
            Format::Text => {
                let clock = &self.core.plant().inventory().clock;
                text::summary(&summary, &self.core.results.ledger, clock, out)?;
                if let Some(found) = compared {
                    writeln!(out)?;
                    text::shadow(&found, folder, "in its compare.json", out)?;
                }
            }
        }
        Ok(never_reached)
    }

    fn summary(&self, began: Instant) -> anyhow::Result<Summary> {
        let status = self.core.status()?;
        Ok(Summary::of(Parts {
            tally: self.core.tally(),
            ledger: &self.core.results.ledger,
            counts: status.counts,
            devices: status.devices,
            plant: self.core.plant(),
            order: "recorded".to_owned(),
            as_of: wall::now(),
            latency: Latency::of(&self.core.latency),
            elapsed_s: began.elapsed().as_secs_f64(),
        }))
    }
}
