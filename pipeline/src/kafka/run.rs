//! `andon run` on Kafka: opens everything, lets it run, and says how it went.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use andon_engine::Plant;
use andon_ingest::kafka::payload::{self, Payloads};
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;

use super::acts::{Acts, Waiting};
use super::address::Producers;
use super::clients::{self, Second};
use super::connect::{ASKED_AGAIN_AFTER, Unreachable};
use super::control::Control;
use super::copy::Copy;
use super::directory::Directory;
use super::evidence::{Keeping, Place};
use super::group::Group;
use super::measure::Measure;
use super::names::Names;
use super::partitioner::Partitioner;
use super::pulse::Pulse;
use super::respond::routes::Routes;
use super::restore::Restorer;
use super::running::Running;
use super::settings::{Delivery, Settings};
use super::shelf::{Saving, Shelf};
use super::sink::Sink;
use super::strays::Strays;
use super::topics;
use super::trail::Trail;
use super::whole;
use crate::access::{Operator, forget_url, note_url};
use crate::advisories::Advisor;
use crate::args::{Format, RunArgs};
use crate::blueprint::Blueprint;
use crate::config::Config;
use crate::exit::{Outcome, usage};
use crate::policy::PlantPolicy;
use crate::results::write_json;
use crate::signals::{Stop, hangups, stopping};
use crate::{advisories, text};

/// How long the cluster is given to answer a question.
const ASKED_WITHIN: Duration = Duration::from_secs(5);
/// How long a chunk goes on if what comes of it is sent at once, and if it waits for an epoch.
const OPEN_FOR_LATENCY: Duration = Duration::from_micros(500);
const OPEN_FOR_EPOCH: Duration = Duration::from_millis(20);

/// Runs the command on Kafka.
///
/// # Errors
/// If the configuration cannot be used, a topic is not as it must be, a partition cannot be taken
/// up, or the cluster refuses us for good.
pub fn run(
    args: &RunArgs,
    config: &Config,
    settings: &Settings,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let measure = Measure::of(Blueprint::read(&config.plant, config.mode)?, -1)?;
    if measure.plant.inventory().alert_budget.is_some() {
        tracing::warn!(
            "the inventory has an alert_budget, which a run on Kafka does not look at: of its \
             verdicts none is held back, and it writes no alerts"
        );
    }
    let advisor = Advisor::open(&config.advisories)?;
    let mut running = prepare(args, config, settings, measure, &runtime)?;
    running.copy.format = format;
    if let Some(advisor) = advisor.map(|advisor| advisor.going_on(&config.data)) {
        running.pulse.advise(advisor.clone());
        running.group.advisor = Some(advisor);
    }
    if let Some(address) = running.pulse.address() {
        let line = format!("health on  http://{address}/health/ready, metrics on /metrics");
        running.copy.say(&line, out)?;
    }
    if let Some(url) = running.pulse.url() {
        note_url(&config.data, &url)?;
    }
    let ended = go_on(args, config, settings, running, &runtime, out);
    forget_url(&config.data);
    // Whoever still waits for what comes of an act is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Everything after that, until it ends.
fn go_on(
    args: &RunArgs,
    config: &Config,
    settings: &Settings,
    mut running: Running<'_>,
    runtime: &Runtime,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let format = running.copy.format;
    if !running.reach(settings)? {
        leave(running, runtime);
        // A signal may come while the cluster is away; a time that was given is up.
        return match args.duration {
            None => Ok(Outcome::Done),
            Some(_) => Err(anyhow!(
                "the brokers at `{}` were never reached",
                settings.brokers
            )),
        };
    }
    let line = format!(
        "reading    {}.observations.v1 from {}: {}",
        settings.prefix,
        settings.brokers,
        settings.partitioner.expects()
    );
    running.copy.say(&line, out)?;
    let ended = running
        .serve(args.drain, out)
        .and_then(|()| running.leave(args.drain, out))
        .and_then(|()| running.responder()?.stop(args.drain));
    if let Err(error) = ended {
        // The clients are closed where nobody waits for them longer than a while.
        leave(running, runtime);
        return Err(error);
    }
    let mut summary = running.copy.summary(&running.group.lanes)?;
    summary.advisories = running.group.advisor.as_ref().map(Advisor::counts);
    write_json(&config.data.join("summary.json"), &summary)?;
    let inventory = running.copy.measure.plant.inventory();
    advisories::keep(running.group.advisor.as_ref(), &config.data, inventory)?;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
        Format::Text => {
            let clock = &running.copy.measure.plant.inventory().clock;
            text::summary(&summary, &running.copy.ledger, clock, out)?;
        }
    }
    leave(running, runtime);
    Ok(Outcome::Done)
}

/// Makes everything that does not need the cluster.
fn prepare<'a>(
    args: &RunArgs,
    config: &'a Config,
    settings: &Settings,
    measure: Measure,
    runtime: &Runtime,
) -> anyhow::Result<Running<'a>> {
    let after = args.duration.map(Duration::from_secs_f64);
    let stop = stopping(runtime, Stop { after });
    let names = Names::of(&settings.prefix);
    let payloads = Payloads::new(&payload::Options {
        trusted: settings.trusted_producers,
        registry: settings.registry.clone(),
        registry_ca: settings.registry_ca.clone(),
        // Read again after a crash, a message must come to the same, registry or not.
        schemas: Some(config.data.join("schemas")),
        ..payload::Options::default()
    })
    .map_err(usage)?;
    let http = config.http.as_deref();
    let operator = http.map(|_| Operator::of(&config.data)).transpose()?;
    let mut access = config.access.clone();
    access.access.operator = operator.as_ref().map(|operator| operator.token.clone());
    let pulse = Pulse::start(&config.setup(&access), &measure, runtime)?;
    let client = settings.client("run");
    let reader = clients::join(settings, &settings.group, &names.observations)?;
    let sink = Sink::open(settings, client.clone(), &reader)?;
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make folder `{}`", config.data.display()))
        .map_err(usage)?;
    operator.map(|operator| operator.keep()).transpose()?;
    let shelf = Shelf::within(&config.data);
    let copy = Copy::open(&config.data, &measure)?;
    let restorer = Restorer {
        client,
        group: settings.group.clone(),
        names,
        shelf: shelf.clone(),
        setting: measure,
        producers: Producers {
            trusted: settings.trusted_producers,
            partitioner: settings.partitioner,
            partitions: 0,
        },
        allow_gap: args.allow_state_gap,
    };
    let run = clients::run_id()?;
    let group = Group::new(reader.clone(), restorer, sink, settings.clone(), run);
    Ok(Running {
        reader,
        responder: None,
        control: None,
        group,
        copy,
        saving: Saving::start(shelf).context("cannot start the thread that saves snapshots")?,
        reloads: hangups(runtime),
        stop,
        config,
        payloads,
        pulse,
        strays: (settings.partitioner == Partitioner::Any).then(Strays::default),
        heard: settings.trusted_producers,
        trail: None,
        partitions: 0,
        open: match settings.delivery {
            Delivery::ExactlyOnce => OPEN_FOR_EPOCH,
            Delivery::LowLatency => OPEN_FOR_LATENCY,
        },
        missed_after: settings.missed_after(),
        waits_for_others: false,
        last_idle: Instant::now(),
        last_heed: Instant::now(),
    })
}

impl Running<'_> {
    /// Waits for the cluster, and insists on its topics. `false` if it is told to stop before.
    fn reach(&mut self, settings: &Settings) -> anyhow::Result<bool> {
        while !self.stop.load(Ordering::Relaxed) {
            match topics::demand(settings, ASKED_WITHIN) {
                Ok(partitions) => {
                    self.partitions = partitions.observations;
                    let names = Names::of(&settings.prefix);
                    let (control, measure) =
                        Control::open(settings, &names, self.copy.measure.clone())?;
                    self.control = Some(control);
                    self.copy.measured_against(&measure)?;
                    self.pulse.change(&measure);
                    let plant = measure.plant.clone();
                    self.group.begin_with(measure, partitions.observations);
                    self.begin_to_respond(settings, &names, plant)?;
                    return Ok(true);
                }
                Err(error) if error.is::<Unreachable>() => {
                    tracing::warn!("kafka: {error:#}");
                    self.pulse.unreachable(&format!("{error:#}"));
                    std::thread::sleep(ASKED_AGAIN_AFTER);
                }
                Err(error) => return Err(usage(error)),
            }
        }
        Ok(false)
    }
}

impl Running<'_> {
    /// Begins with the second stage, and with what leads to it.
    fn begin_to_respond(
        &mut self,
        settings: &Settings,
        names: &Names,
        plant: Arc<Plant>,
    ) -> anyhow::Result<()> {
        let policy = PlantPolicy::new(plant, settings.trusted_producers);
        let (directory, waiting) = (Directory::default(), Waiting::default());
        let board = self.pulse.board();
        let trail = Trail::follow(settings, names, board.clone(), directory.clone())?;
        self.trail = Some(trail);
        self.pulse.follow(whole::Told {
            settings,
            names,
            run: self.group.run(),
            partitions: self.partitions,
        })?;
        let keeping = Keeping::start(
            settings,
            Place {
                data: self.config.data.clone(),
                topic: names.observations.clone(),
                partitions: self.partitions,
            },
            policy.plant().clone(),
        )?;
        let routes = Routes::new(policy.clone(), self.partitions);
        let routes = Arc::new(Mutex::new(routes));
        if let Some(board) = board {
            let (directory, waiting) = (directory.clone(), waiting.clone());
            let acts = Acts::open(
                settings,
                names,
                board.clone(),
                directory,
                routes.clone(),
                waiting,
            );
            board.sit(Arc::new(acts));
        }
        let second = Second {
            run: clients::run_id()?,
            policy,
            routes,
            waiting,
            directory,
            keeping,
        };
        self.responder = Some(clients::respond(settings, names, second)?);
        Ok(())
    }
}

/// Closes everything; what may hang while the cluster is away is waited for only a while.
fn leave(running: Running<'_>, runtime: &Runtime) {
    let Running {
        group,
        reader,
        pulse,
        saving,
        responder,
        ..
    } = running;
    drop(saving);
    if let Some(share) = pulse.stop(runtime) {
        let share = share * 100.0;
        tracing::info!("ready {share:.3} % of the time since it first was");
    }
    clients::close(move || drop((group, reader, responder)));
}
