//! `andon run` on Kafka: the loop that reads, lets the lanes work, and tends the group.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_ingest::kafka::payload::{self, Payloads};
use andon_ingest::kafka::{Reader, Taken};
use andon_ingest::refused::Refused;
use andon_schemas::observation::Record;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;
use tokio::runtime::Runtime;

use super::copy::Copy;
use super::group::Group;
use super::lane::Lane;
use super::measure::Measure;
use super::names::Names;
use super::pulse::Pulse;
use super::restore::Restorer;
use super::settings::{Protocol, Settings};
use super::shelf::{Saving, Shelf};
use super::sink::Sink;
use crate::args::{Format, RunArgs};
use crate::blueprint::Blueprint;
use crate::config::Config;
use crate::exit::{Outcome, usage};
use crate::signals::{Stop, hangups, stopping};

/// Most messages of one chunk.
const CHUNK: usize = 8_192;
/// A chunk goes on for so long after its first message.
const OPEN: Duration = Duration::from_millis(2);
/// How long nothing may come before the rest is tended to.
const WAIT: Duration = Duration::from_millis(20);
/// Idle partitions tick this often.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// A drained source has ended when nothing changed in the group for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(3);
/// Most records that wait to be committed.
const WAITING_MAX: usize = 100_000;
/// How long the cluster is given to answer a question.
const ASKED_WITHIN: Duration = Duration::from_secs(5);
/// How long the client is given to leave the cluster.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);
/// How long the last epoch is given.
const GOODBYE_WITHIN: Duration = Duration::from_secs(10);

/// Runs the command on Kafka.
///
/// # Errors
/// If the configuration cannot be used, a partition cannot be taken up, or the cluster refuses us
/// for good.
pub fn run(
    args: &RunArgs,
    config: &Config,
    settings: &Settings,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let blueprint = Blueprint::read(&config.plant, config.mode)?;
    let measure = Measure::of(blueprint)?;
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let after = args.duration.map(Duration::from_secs_f64);
    let stop = stopping(&runtime, Stop { after });
    let names = Names::of(&settings.prefix);
    let payloads = Payloads::new(&payload::Options {
        trusted: settings.trusted_producers,
        registry: settings.registry.clone(),
        ..payload::Options::default()
    })
    .map_err(usage)?;
    let pulse = Pulse::start(config.http.as_deref(), &runtime)?;
    let client = settings.client("andon");
    let reader = Arc::new(Reader::join(
        &consumer(settings, &client),
        &names.observations,
    )?);
    let sink = Sink::open(settings, client.clone(), &reader)?;
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make folder `{}`", config.data.display()))
        .map_err(usage)?;
    let shelf = Shelf::within(&config.data);
    let restorer = Restorer {
        client,
        group: settings.group.clone(),
        names: names.clone(),
        shelf: shelf.clone(),
        setting: measure.clone(),
        trusted: settings.trusted_producers,
        allow_gap: args.allow_state_gap,
    };
    let group = Group::new(reader.clone(), restorer, sink, settings.clone(), run_id()?);
    let copy = Copy::open(&config.data, &measure, format)?;
    let mut running = Running {
        reader,
        group,
        copy,
        saving: Saving::start(shelf).context("cannot start the thread that saves snapshots")?,
        reloads: hangups(&runtime),
        stop,
        config,
        payloads,
        pulse,
        paused: false,
        partitions: None,
        read: Vec::new(),
        last_idle: Instant::now(),
    };
    running.copy.say(
        &format!("reading {} from {}", names.observations, settings.brokers),
        out,
    )?;
    running.serve(args.drain, out)?;
    running.leave(args.drain, out)?;
    let summary = running.copy.summary(&running.group.lanes)?;
    crate::results::write_json(&config.data.join("summary.json"), &summary)?;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
        Format::Text => {
            let clock = &measure.plant.inventory().clock;
            crate::text::summary(&summary, &running.copy.ledger, clock, out)?;
        }
    }
    let Running {
        group,
        reader,
        pulse,
        saving,
        ..
    } = running;
    drop(saving);
    if let Some(share) = pulse.stop(&runtime) {
        tracing::info!(
            "ready {:.3} % of the time since it first was",
            share * 100.0
        );
    }
    close(move || drop((group, reader)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(Outcome::Done)
}

/// A run on Kafka.
struct Running<'a> {
    reader: Arc<Reader>,
    group: Group,
    copy: Copy,
    saving: Saving,
    reloads: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    config: &'a Config,
    payloads: Payloads,
    pulse: Pulse,
    /// Fetching is paused until what waits is committed.
    paused: bool,
    /// How many partitions the topic has, once that is asked.
    partitions: Option<usize>,
    /// Records of one message; reused.
    read: Vec<Result<Record, Refused>>,
    last_idle: Instant,
}

impl Running<'_> {
    fn serve(&mut self, drain: bool, out: &mut impl Write) -> anyhow::Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            let taken = self.chunk()?;
            for partition in taken.ended {
                if let Some(lane) = self.group.lanes.get_mut(&partition) {
                    lane.reached_end()?;
                }
            }
            self.group.tend()?;
            self.publish(out)?;
            self.pulse.beat(&self.reader, &mut self.group);
            self.hold_back()?;
            if self.reloads.swap(false, Ordering::Relaxed) {
                self.reload()?;
            }
            if drain {
                if self.partitions.is_none() {
                    self.partitions = self.reader.partitions(ASKED_WITHIN).ok();
                }
                if self.is_drained() {
                    return Ok(());
                }
            } else if self.last_idle.elapsed() >= IDLE_EVERY {
                self.last_idle = Instant::now();
                self.idle()?;
            }
        }
        Ok(())
    }

    /// Takes what has come through the lanes.
    fn chunk(&mut self) -> anyhow::Result<Taken> {
        let (lanes, read) = (&mut self.group.lanes, &mut self.read);
        let payloads = &mut self.payloads;
        let mut touched: Vec<i32> = Vec::new();
        let mut failed = Ok(());
        let taken = self.reader.take(CHUNK, WAIT, OPEN, &mut |message| {
            let Some(lane) = lanes.get_mut(&message.partition) else {
                return;
            };
            if !touched.contains(&message.partition) {
                touched.push(message.partition);
            }
            read.clear();
            if let Some(payload) = message.payload {
                payloads.read(payload, &mut |record| read.push(record));
            }
            let done = lane.take(&message, read.drain(..), Instant::now());
            if failed.is_ok() {
                failed = done;
            }
        })?;
        failed?;
        for partition in touched {
            if let Some(lane) = self.group.lanes.get_mut(&partition) {
                lane.run()?;
                let waits = std::mem::take(&mut lane.draft().waits);
                self.pulse.waited(&waits);
                self.copy.waited(waits);
            }
            self.group.hand_over(partition)?;
        }
        Ok(taken)
    }

    /// Tells what was committed, and keeps a copy of it.
    fn publish(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        self.pulse.events(&self.group.take_events());
        for part in self.group.take_committed() {
            self.pulse.committed(&part);
            self.copy.take(&part, out)?;
            if let Some(snapshot) = part.snapshot {
                self.saving.save(snapshot);
            }
        }
        self.copy.flush(out)
    }

    /// What waits to be committed is bounded: beyond, no more is fetched until it is out.
    fn hold_back(&mut self) -> anyhow::Result<()> {
        let waiting = self.group.waiting();
        let wanted = waiting
            > if self.paused {
                WAITING_MAX / 2
            } else {
                WAITING_MAX
            };
        if wanted != self.paused {
            let held: Vec<i32> = self.group.lanes.keys().copied().collect();
            self.reader.pause(&held, wanted)?;
            self.paused = wanted;
            tracing::info!(waiting, paused = wanted, "kafka: fetching");
        }
        Ok(())
    }

    /// Partitions that are connected, past their backlog and drained: time goes on by the wall
    /// clock.
    fn idle(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        for (partition, lane) in &mut self.group.lanes {
            let is_drained = self.reader.standing(*partition).is_some_and(|standing| {
                standing.connected && standing.queued == 0 && standing.end <= lane.next()
            });
            if is_drained && lane.has_ended() {
                lane.idle(now);
                lane.run()?;
            }
        }
        Ok(())
    }

    fn is_drained(&self) -> bool {
        let lanes = &self.group.lanes;
        // What ends is the whole topic: its last time is that of all partitions.
        self.partitions == Some(lanes.len())
            && !self.group.is_restoring()
            && lanes.values().all(Lane::has_ended)
            && self.group.settled_for() > DRAINED_AFTER
    }

    fn reload(&mut self) -> anyhow::Result<()> {
        match Blueprint::read(&self.config.plant, self.config.mode).and_then(Measure::of) {
            Ok(measure) => {
                self.copy.measured_against(&measure)?;
                self.group.change(measure)?;
                tracing::info!("inventory and profiles were read again and are in force");
            }
            Err(error) => tracing::error!(
                "inventory and profiles cannot be used, the former ones stay in force: {error:#}"
            ),
        }
        Ok(())
    }

    /// Ends the input if it was drained, and commits everything.
    fn leave(&mut self, drained: bool, out: &mut impl Write) -> anyhow::Result<()> {
        if drained {
            let lanes = self.group.lanes.values_mut();
            let newest = lanes.map(Lane::newest).max().unwrap_or(EventTime::MIN);
            for lane in self.group.lanes.values_mut() {
                lane.end(newest)?;
            }
        }
        let held: Vec<i32> = self.group.lanes.keys().copied().collect();
        for partition in &held {
            self.group.hand_over(*partition)?;
        }
        let finished = self.group.finish(&held, GOODBYE_WITHIN)?;
        self.publish(out)?;
        if !finished {
            let message = "the cluster did not take the last epoch in time: whoever goes on will \
                           say it again";
            if drained {
                return Err(anyhow!(message));
            }
            tracing::warn!("{message}");
        }
        Ok(())
    }
}

fn consumer(settings: &Settings, client: &ClientConfig) -> ClientConfig {
    let mut consumer = client.clone();
    consumer
        .set("group.id", &settings.group)
        .set("group.instance.id", &settings.instance)
        .set("max.poll.interval.ms", "300000")
        .set("queued.min.messages", "100000")
        .set("queued.max.messages.kbytes", "65536")
        .set("fetch.wait.max.ms", "100");
    match settings.protocol {
        Protocol::Consumer => {
            consumer.set("group.protocol", "consumer");
        }
        Protocol::Classic => {
            let session = settings.session.as_millis();
            consumer
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", session.to_string())
                .set(
                    "heartbeat.interval.ms",
                    (session / 10).min(3_000).to_string(),
                )
                .set("max.poll.interval.ms", session.max(300_000).to_string());
        }
    }
    consumer
}

/// Closes what may hang while the cluster is away, and waits only a while for it.
fn close(work: impl FnOnce() + Send + 'static) {
    let (done, closed) = std::sync::mpsc::sync_channel(1);
    let closing = std::thread::Builder::new()
        .name("kafka-close".to_owned())
        .spawn(move || {
            work();
            // Nobody waits any more if it took too long.
            let _heard = done.send(()).is_ok();
        });
    if closing.is_err() || closed.recv_timeout(CLOSED_WITHIN).is_err() {
        tracing::warn!("kafka: leaving without a goodbye");
    }
}

fn run_id() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no randomness for a name: {e}"))?;
    Ok(u64::from_be_bytes(bytes))
}
