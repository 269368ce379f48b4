//! `andon publish`: a capture played to a broker or to a running endpoint.
//!
//! Everything is published in the name of a sensor, below its own topic: that is who sees the
//! flows of others. A record that says who sent it is published below that sender's topic.

use std::io::Write;
use std::time::{Duration, Instant};

use andon_emit::mqtt::{Credentials, Health, Options, Publisher};
use andon_ingest::files::{self, Item, OpenOptions};
use andon_ingest::subscriber::BrokerAddress;
use andon_schemas::inventory::{Function, Inventory};
use andon_schemas::observation::{Record, RecordBody};
use andon_schemas::time::EventTime;
use andon_schemas::wire;
use anyhow::{Context as _, anyhow};
use tokio::runtime::Runtime;

use super::unread;
use crate::args::{Format, PublishArgs};
use crate::exit::{Outcome, usage};
use crate::progress::Progress;
use crate::text::count;
use crate::{setting, wall};

/// Records taken from the capture at a time.
const CHUNK: usize = 1_024;
/// Messages under way at a time; the embedded endpoint takes up to 1,024 of one client.
const WINDOW: u16 = 1_000;
/// What may wait besides: what is lost if the receiver goes away, so not much.
const OUTBOX_BYTES: usize = 1 << 20;
/// How long the end waits for acknowledgements.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// If the capture cannot be read, the address is none, or nobody answers there in time.
pub fn run(args: &PublishArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let inventory = setting::inventory(args.plant.inventory.as_deref())?;
    let sensor = sensor(args, &inventory)?;
    let options =
        OpenOptions::as_of(wall::now()).with_mapping(super::mapping(args.mapping.as_deref())?);
    let mut captures = files::open(std::slice::from_ref(&args.capture), options).map_err(usage)?;
    let mut items = captures.next_batch(CHUNK).map_err(usage)?;
    if items.len() < CHUNK {
        // That was all: there may be nothing to connect for.
        unread::check(captures.files())?;
    }
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let publisher = connect(&runtime, args)?;
    let progress = Progress::new("records");
    let (mut sent, mut skipped) = (0_u64, 0_u64);
    let mut pace = Pace::new(args.speed);
    while !items.is_empty() {
        for item in items {
            let Item::Record { record, .. } = item else {
                skipped += 1;
                continue;
            };
            pace.wait_for(record.event_time);
            let (topic, payload) = message(&record, &inventory.site, &sensor);
            let taken = publisher.publish(&topic, payload, false);
            within(&runtime, args, taken).ok_or_else(|| gone(&publisher, args, sent))??;
            sent += 1;
        }
        progress.set(sent);
        items = captures.next_batch(CHUNK).map_err(usage)?;
    }
    let left = runtime.block_on(publisher.shutdown(SETTLE_WITHIN));
    progress.done();
    match format {
        Format::Json => writeln!(
            out,
            "{}",
            serde_json::json!({
                "published": sent, "skipped": skipped, "unacknowledged": left,
            })
        )?,
        Format::Text => writeln!(
            out,
            "{} records published, {} not records and skipped, {left} not acknowledged",
            count(sent),
            count(skipped)
        )?,
    }
    unread::check(captures.files())?;
    Ok(if left == 0 {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

/// A publisher that has reached the receiver.
fn connect(runtime: &Runtime, args: &PublishArgs) -> anyhow::Result<Publisher> {
    let options = options(args)?;
    let publisher = {
        let _inside = runtime.enter();
        Publisher::start(options).map_err(usage)?
    };
    let mut health = publisher.health();
    let settled = health.wait_for(|now| !matches!(now, Health::Connecting { .. }));
    // If time is up, it says what it is waiting for.
    let _in_time = within(runtime, args, settled).is_some();
    if matches!(*health.borrow(), Health::Connected { .. }) {
        return Ok(publisher);
    }
    let cause = ailment(&publisher, args);
    Err(anyhow!("cannot publish to `{}`: {cause}", args.mqtt))
}

/// The receiver has taken nothing for as long as it may take to be reached.
fn gone(publisher: &Publisher, args: &PublishArgs, sent: u64) -> anyhow::Error {
    let cause = ailment(publisher, args);
    anyhow!(
        "`{}` takes nothing any more after {} records, the last of which were not acknowledged: \
         {cause}",
        args.mqtt,
        count(sent)
    )
}

/// Why nothing can be published.
fn ailment(publisher: &Publisher, args: &PublishArgs) -> String {
    let waited = format!("waited {} s", args.connect_timeout);
    match publisher.health().borrow().clone() {
        Health::Connected { .. } => format!("it is connected and does not acknowledge ({waited})"),
        Health::Refused { reason } => reason,
        Health::Connecting { last_error, .. } => {
            format!(
                "{} ({waited})",
                last_error.as_deref().unwrap_or("no answer")
            )
        }
    }
}

/// What comes within the time that the receiver has to be reached, or reached again.
fn within<T>(runtime: &Runtime, args: &PublishArgs, coming: impl Future<Output = T>) -> Option<T> {
    let patience = Duration::from_secs_f64(args.connect_timeout);
    runtime.block_on(async { tokio::time::timeout(patience, coming).await.ok() })
}

fn options(args: &PublishArgs) -> anyhow::Result<Options> {
    let text = if args.mqtt.contains("://") {
        args.mqtt.clone()
    } else {
        format!("mqtt://{}", args.mqtt)
    };
    let address: BrokerAddress = text.parse().map_err(usage)?;
    let client_id = format!("andon-publish-{}", std::process::id());
    let mut options = Options::new(address.host(), address.port(), &client_id);
    // An acknowledgement waits for the receiver's disk: many messages share each wait.
    options.window = WINDOW;
    options.outbox_bytes = OUTBOX_BYTES;
    if let Some(user) = &args.user {
        let password = match &args.password_file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read password `{}`", path.display()))
                .map_err(usage)?
                .trim_end()
                .to_owned(),
        };
        options.credentials = Some(Credentials {
            user: user.clone(),
            password,
        });
    }
    Ok(options)
}

fn sensor(args: &PublishArgs, inventory: &Inventory) -> anyhow::Result<String> {
    if let Some(sensor) = &args.sensor {
        return Ok(sensor.to_lowercase());
    }
    inventory
        .devices
        .iter()
        .find(|device| device.function == Function::Sensor)
        .map(|device| device.id.to_string())
        .ok_or_else(|| {
            usage(anyhow!(
                "the inventory lists no sensor; name one with --sensor"
            ))
        })
}

fn message(record: &Record, site: &str, sensor: &str) -> (String, Vec<u8>) {
    let mut bare = record.clone();
    let speaker = match bare.sender.take() {
        Some(sender) => sender.name.to_string(),
        None => sensor.to_owned(),
    };
    bare.received_at = None;
    let kind = match &bare.body {
        RecordBody::Flow(_) => andon_schemas::observation::Kind::Flow,
        RecordBody::Single(body) => body.kind(),
    };
    (
        format!("andon/v1/in/{site}/{speaker}/{kind}"),
        wire::encode(&bare).into_bytes(),
    )
}

/// Lets capture time pass at a given speed.
struct Pace {
    speed: Option<f64>,
    began: Option<(Instant, EventTime)>,
}

impl Pace {
    fn new(speed: Option<f64>) -> Self {
        Self {
            speed: speed.filter(|s| *s > 0.0),
            began: None,
        }
    }

    fn wait_for(&mut self, at: EventTime) {
        let Some(speed) = self.speed else { return };
        let (wall, first) = *self.began.get_or_insert((Instant::now(), at));
        let after = at.since(first).as_secs_f64().max(0.0) / speed;
        let due = Duration::try_from_secs_f64(after).unwrap_or(Duration::MAX);
        std::thread::sleep(due.saturating_sub(wall.elapsed()));
    }
}
