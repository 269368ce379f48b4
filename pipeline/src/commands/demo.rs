//! `andon demo`: the whole product in one process, on a simulated plant under attack.
//!
//! Plant time runs faster than the wall clock. The plant's rows enter in process; clients from
//! outside reach the same pipeline through the embedded MQTT endpoint. The receive time of every
//! row is plant time.

mod screen;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_engine::Plant;
use andon_ingest::delivery::{Delivery, Settle as _};
use andon_ingest::endpoint::{Anonymous, Authority, Endpoint, Limits, Refusal, SettleHandle};
use andon_schemas::command::Mode;
use andon_schemas::observation::{Record, Source};
use andon_schemas::time::{EventTime, Span};
use andon_simulator::{ATTACKS, Label, Options};
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use self::screen::Screen;
use crate::access::{self, Operator};
use crate::args::{DemoArgs, Format, PlantArgs};
use crate::blueprint::Blueprint;
use crate::exit::{Outcome, usage};
use crate::live::acts::{Acts, Asked};
use crate::live::core::Core;
use crate::live::message::{Message, Read};
use crate::live::outlet::Outlet;
use crate::results::{Results, write_json};
use crate::summary::{Latency, Parts, Summary};
use crate::telling::decisions;
use crate::telling::{Measured, Setup, Teller};
use crate::{devices, evidence, setting, text, truth};

/// Sunday 02:20 plant time, ten minutes before the worked anomaly: days since 1970, minute.
const START: (i32, u16) = (20_436, 140);
/// So much of the plant's day is simulated; every attack of the demo fits in.
const HOURS: u32 = 12;
/// An attack that began this long before the end should have been found.
const GIVEN: Span = Span::HOUR;
/// Rows enter the pipeline in steps of this much wall time.
const STEP: Duration = Duration::from_millis(5);

/// Runs the command.
///
/// # Errors
/// If the endpoint cannot listen or results cannot be written.
pub fn run(args: &DemoArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor)?;
    let plant = blueprint.compile()?;
    let inventory = plant.inventory();
    let start = inventory.clock.moment(START.0, START.1);
    let simulated = simulate(&plant, start, args.seed)?;
    let labels = simulated.labels().to_vec();
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let authority = Authority::new([], Anonymous::default()).map_err(usage)?;
    let (mut endpoint, deliveries) = runtime
        .block_on(Endpoint::bind(
            args.mqtt.as_str(),
            authority,
            Limits::default(),
        ))
        .with_context(|| format!("cannot listen on `{}`", args.mqtt))
        .map_err(usage)?;
    let measured = Measured {
        plant: &plant,
        blueprint: &blueprint,
    };
    let served = serve(args, measured, &runtime)?;
    let mut results = Results::create(args.out.as_deref())?;
    results.measured_against(&blueprint, &plant)?;
    let mut core = Core::new(
        blueprint,
        &plant,
        args.shards,
        results,
        Outlet::Endpoint(endpoint.publisher()),
    )?;
    let mut link = None;
    if let Some(folder) = &args.out {
        keep_evidence(&mut core, folder)?;
    }
    let (acts, asked) = Acts::open();
    if let Some((teller, url)) = served {
        teller.sit(Arc::new(acts));
        core.tell_by(teller)?;
        link = url;
    }
    let mut show = Show {
        plant: &plant,
        core,
        deliveries,
        asked,
        refusals: endpoint.refusals(),
        settle: endpoint.settle_handle(),
        received: 0,
        simulated: 0,
        screen: Screen::new(args.headless || format == Format::Json),
    };
    show.screen.welcome(
        args,
        &endpoint.local_addr().to_string(),
        &plant,
        labels.len(),
        out,
    )?;
    invite(link.as_deref(), format, out)?;
    let end = show.play(args, start, simulated, out)?;
    show.core.end(|_| {})?;
    show.core.hush(&runtime);
    runtime.block_on(endpoint.shutdown());
    let due: Vec<Label> = labels
        .into_iter()
        .filter(|label| label.end <= end || label.start + GIVEN <= end)
        .collect();
    show.finish(args, format, began, start, &due, out)
}

/// Keeps the records around incidents; like the other results, they are begun anew.
fn keep_evidence(core: &mut Core, folder: &Path) -> anyhow::Result<()> {
    let earlier = folder.join(evidence::FOLDER);
    if earlier.is_dir() {
        evidence::set_aside(&earlier)?;
    }
    core.keep_evidence(folder)
}

/// Serves the board and tells a policy engine, if that is asked for; says where the board is, with
/// the token of whoever is at the machine.
fn serve(
    args: &DemoArgs,
    measured: Measured<'_>,
    runtime: &Runtime,
) -> anyhow::Result<Option<(Teller, Option<String>)>> {
    let operator = Operator::new()?;
    let mut access = access::Settings::default();
    access.access.operator = Some(operator.token);
    let decisions = decisions::Settings::of_demo(args.opa.as_deref(), args.out.as_deref());
    let setup = Setup {
        http: args.http.as_deref(),
        access: &access,
        decisions: &decisions.map_err(usage)?,
        real_time: false,
    };
    if !setup.is_wanted() {
        return Ok(None);
    }
    let teller = Teller::open(&setup, measured, runtime)?;
    let url = teller.url();
    let link = url.map(|url| format!("{url}/#token={}", operator.text));
    Ok(Some((teller, link)))
}

/// Says where it is served; not among the results of a machine.
fn invite(link: Option<&str>, format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    match (link, format) {
        (Some(link), Format::Text) => writeln!(out, "serving on    {link}\n")?,
        // Neither among the results nor in a log: it opens everything.
        (Some(link), Format::Json) => writeln!(io::stderr(), "serving on    {link}")?,
        (None, _) => {}
    }
    out.flush()?;
    Ok(())
}

fn simulate(
    plant: &Arc<Plant>,
    start: EventTime,
    seed: u64,
) -> anyhow::Result<andon_simulator::Plant> {
    let options = Options {
        seed,
        start: Some(start),
        hours: HOURS,
        devices: None,
        attacks: ATTACKS
            .iter()
            .filter(|a| !a.later)
            .map(|a| a.name.to_owned())
            .collect(),
        only: None,
        limit: None,
    };
    let profiles = setting::profiles(&[])?;
    andon_simulator::Plant::new(plant.inventory(), &profiles, &options).map_err(|e| anyhow!(e))
}

/// The demo while it runs.
struct Show<'a> {
    plant: &'a Arc<Plant>,
    core: Core,
    deliveries: mpsc::Receiver<Delivery>,
    asked: mpsc::Receiver<Asked>,
    refusals: Option<mpsc::Receiver<Refusal>>,
    settle: SettleHandle,
    received: u64,
    simulated: u64,
    screen: Screen,
}

impl Show<'_> {
    /// Lets plant time pass until the time is up or the simulation ends; returns how far it came.
    fn play(
        &mut self,
        args: &DemoArgs,
        start: EventTime,
        simulated: andon_simulator::Plant,
        out: &mut impl Write,
    ) -> anyhow::Result<EventTime> {
        let speed = if args.speed.is_finite() && args.speed > 0.0 {
            args.speed
        } else {
            1.0
        };
        let limit = args.duration.unwrap_or(f64::INFINITY);
        let began = Instant::now();
        let mut rows = simulated.peekable();
        loop {
            let wall = began.elapsed().as_secs_f64().min(limit);
            #[expect(clippy::cast_possible_truncation, reason = "µs of plant time fit i64")]
            let now = start + Span::from_micros((wall * speed * 1e6) as i64);
            let came = Instant::now();
            while let Some(record) = rows.next_if(|record| record.event_time <= now) {
                self.row(record, came)?;
            }
            while let Ok(delivery) = self.deliveries.try_recv() {
                self.message(delivery, now, came)?;
            }
            while let Some(refusal) = self.refusals.as_mut().and_then(|r| r.try_recv().ok()) {
                self.core.refusal(&refusal, now)?;
            }
            while let Ok(asked) = self.asked.try_recv() {
                self.act(&asked, now, out)?;
            }
            self.flush(now, out)?;
            self.core.tell(true)?;
            if wall >= limit || rows.peek().is_none() {
                return Ok(now);
            }
            std::thread::sleep(STEP);
        }
    }

    fn row(&mut self, record: Record, came: Instant) -> anyhow::Result<()> {
        self.simulated += 1;
        let source = Source {
            topic: "plant".into(),
            partition: 0,
            offset: self.simulated,
        };
        let received_at = record.event_time;
        self.core.record(record, &source, received_at, came)
    }

    fn message(&mut self, delivery: Delivery, now: EventTime, came: Instant) -> anyhow::Result<()> {
        self.received += 1;
        let message = Message {
            topic: delivery.topic,
            payload: delivery.payload,
            sender: Some(delivery.sender.name),
            proven: delivery.sender.proven,
            received_at: now,
            sequence: self.received,
        };
        let source = message.source();
        match message.read(self.plant.inventory()) {
            Ok(Read::Record(record)) => self.core.record(record, &source, now, came)?,
            Ok(Read::Ack(answer)) => self.core.answer(*answer)?,
            Err(refused) => self.core.reject(refused, source, now, &message.payload)?,
        }
        if let Some(receipt) = delivery.receipt {
            self.settle.settle(&[receipt]);
        }
        Ok(())
    }

    fn act(&mut self, asked: &Asked, now: EventTime, out: &mut impl Write) -> anyhow::Result<()> {
        let mut act = asked.act.clone();
        act.at = now;
        self.core.act(act)?;
        self.flush(now, out)?;
        if let Some(came) = self.core.take_acted() {
            asked.tell(came);
        }
        Ok(())
    }

    fn flush(&mut self, now: EventTime, out: &mut impl Write) -> anyhow::Result<()> {
        let mut news = Vec::new();
        self.core.flush(|verdict| news.push(verdict.clone()))?;
        for verdict in &news {
            self.screen.verdict(verdict, self.plant, out)?;
        }
        self.screen
            .status(self.plant, now, self.simulated + self.received, &self.core);
        Ok(())
    }

    fn finish(
        mut self,
        args: &DemoArgs,
        format: Format,
        began: Instant,
        start: EventTime,
        due: &[Label],
        out: &mut impl Write,
    ) -> anyhow::Result<Outcome> {
        self.core.finish()?;
        self.screen.done();
        let status = self.core.status()?;
        let mut summary = Summary::of(Parts {
            tally: self.core.tally(),
            ledger: &self.core.results.ledger,
            counts: status.counts,
            devices: status.devices,
            plant: self.plant,
            order: "recorded".to_owned(),
            as_of: start,
            latency: Latency::of(&self.core.latency),
            elapsed_s: began.elapsed().as_secs_f64(),
        });
        summary.detection = Some(truth::judge(
            due,
            &self.core.results.ledger,
            status.counts.device_hours,
        ));
        if let Some(folder) = &args.out {
            write_json(&folder.join("summary.json"), &summary)?;
            devices::write(folder, self.plant, &status)?;
        }
        match format {
            Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&summary)?)?,
            Format::Text => {
                let clock = &self.plant.inventory().clock;
                writeln!(out)?;
                text::summary(&summary, &self.core.results.ledger, clock, out)?;
                if let Some(folder) = &args.out {
                    let folder = folder.display();
                    writeln!(out, "\nnext: andon explain all --data {folder}")?;
                }
            }
        }
        Ok(Outcome::Done)
    }
}
