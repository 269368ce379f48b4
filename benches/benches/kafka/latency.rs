//! Records at a fixed rate, with the time of day, and among them some that prove a CRITICAL: how
//! long until its verdict is handed over, and until somebody else has read it.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use andon_benches::{Sheet, Stage};
use andon_schemas::observation::{Record, RecordBody};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::wire;
use hdrhistogram::Histogram;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::BaseProducer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::DELIVERIES;
use crate::installation::{Installation, PARTITIONS};
use crate::load::{self, Keyed};
use crate::process::load as machine_load;

/// Rows a second.
const RATES: [u32; 3] = [10_000, 50_000, 100_000];
/// What comes first is not counted: every device is new then.
const WARM: Duration = Duration::from_secs(5);
const COUNTED: Duration = Duration::from_secs(20);
/// Rows that are sent again and again, each time with the time of day.
const ROWS: usize = 500_000;
/// Rows a second that prove a CRITICAL, each of another device.
const ATTACKS_PER_SECOND: u32 = 100;
/// The shortest time that the client can gather records for, so that it does not send each alone.
const LINGER: Duration = Duration::from_millis(1);
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the last verdicts are waited for.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// When, by the clock that broker and clients share here, in microseconds since 1970.
type Moment = u64;

/// What became of a verdict.
#[derive(Clone, Copy)]
struct Told {
    /// When the broker had it; it counts in milliseconds.
    stored: Moment,
    /// When another client had read it.
    read: Moment,
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}

/// Runs at every rate in either way of delivery, and prints how long verdicts took.
pub(crate) fn measure(
    stage: &mut Stage,
    install: &dyn Fn(&str, &str) -> Result<Installation, String>,
) -> Result<(), String> {
    let rows = load::rows(stage, ROWS)?;
    for delivery in DELIVERIES {
        for rate in RATES {
            let installation = install(&format!("rate-{rate}"), delivery)?;
            let load = machine_load();
            let title = format!("Kafka, {delivery}, {rate} rows/s, load {load} before");
            let mut sheet = Sheet::new(&title);
            run(&installation, stage, &rows, rate, &mut sheet)?;
            sheet.print();
        }
    }
    Ok(())
}

fn run(
    installation: &Installation,
    stage: &Stage,
    rows: &[Keyed],
    rate: u32,
    sheet: &mut Sheet,
) -> Result<(), String> {
    let mut child = installation.run(&[])?.spawn().map_err(|e| e.to_string())?;
    let done = AtomicBool::new(false);
    let measured = thread::scope(|scope| {
        let reading = scope.spawn(|| read(installation, &done));
        let sent = ready(installation, &mut child).and_then(|()| {
            let sent = send(installation, stage, rows, rate);
            thread::sleep(READ_WITHIN);
            sent
        });
        done.store(true, Ordering::Release);
        let read = reading.join().map_err(|_| "the reader ended".to_owned())?;
        Ok::<_, String>((sent?, read?))
    });
    let told = Command::new("kill").arg(child.id().to_string()).status();
    told.map_err(|e| e.to_string())?;
    child.wait().map_err(|e| e.to_string())?;
    let (sent, read) = measured?;
    report(sheet, &installation.summary()?, &sent, &read)
}

fn report(
    sheet: &mut Sheet,
    summary: &Value,
    sent: &Sent,
    read: &BTreeMap<String, Told>,
) -> Result<(), String> {
    let inside = &summary["latency_us"];
    for (name, key, goal) in [
        ("p50", "p50", ""),
        ("p99", "p99", "< 2,000 µs in low_latency at 100,000/s"),
        ("p99.9", "p999", ""),
    ] {
        let what = format!("reader to hand-over, all verdicts, {name}");
        sheet.figure(&what, &format!("{} µs", inside[key]), goal);
    }
    let attacks = || sent.attacks.iter();
    let told: Vec<(Moment, Told)> = attacks()
        .filter_map(|(device, at)| Some((*at, *read.get(device)?)))
        .collect();
    let whole = told
        .iter()
        .map(|(sent, told)| told.read.saturating_sub(*sent));
    quantiles(sheet, "sent to verdict read by another client", whole)?;
    let into = told
        .iter()
        .map(|(sent, told)| told.stored.saturating_sub(*sent));
    quantiles(sheet, "of that, until the broker has the verdict", into)?;
    let found = format!("{} of {}", told.len(), sent.attacks.len());
    sheet.figure("attacks whose verdict was read", &found, "all");
    sheet.figure("rows per second sent", &format!("{:.0}", sent.pace), "");
    sheet.figure("late rows", &summary["late"].to_string(), "0");
    Ok(())
}

/// Prints how long things took that took so many microseconds.
fn quantiles(
    sheet: &mut Sheet,
    what: &str,
    micros: impl Iterator<Item = u64>,
) -> Result<(), String> {
    let mut took = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)
        .map_err(|e: hdrhistogram::CreationError| e.to_string())?;
    micros.for_each(|micros| took.saturating_record(micros));
    for (name, quantile) in [
        ("p50", 0.5),
        ("p99", 0.99),
        ("p99.9", 0.999),
        ("longest", 1.0),
    ] {
        let figure = format!("{} µs", took.value_at_quantile(quantile));
        sheet.figure(&format!("{what}, {name}"), &figure, "");
    }
    Ok(())
}

/// Waits until the run is ready.
fn ready(installation: &Installation, child: &mut Child) -> Result<(), String> {
    let address = installation.health()?;
    let began = Instant::now();
    while began.elapsed() < READY_WITHIN {
        if let Ok(mut stream) = TcpStream::connect(&address) {
            let mut answer = String::new();
            let request = "GET /health/ready HTTP/1.0\r\n\r\n";
            let asked = stream.write_all(request.as_bytes());
            let told = asked.and_then(|()| stream.read_to_string(&mut answer));
            if told.is_ok() && answer.split(' ').nth(1) == Some("200") {
                return Ok(());
            }
        }
        if child.try_wait().map_err(|e| e.to_string())?.is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("never ready: {}", installation.complaints()))
}

/// What was sent.
struct Sent {
    attacks: BTreeMap<String, Moment>,
    pace: f64,
}

/// Sends rows evenly, round after round, a millisecond's worth at a time.
fn send(
    installation: &Installation,
    stage: &Stage,
    rows: &[Keyed],
    rate: u32,
) -> Result<Sent, String> {
    let producer = load::producer(installation, LINGER)?;
    let topic = installation.topic("observations");
    let mut attacks = BTreeMap::new();
    let mut luck = 0x9e37_79b9_7f4a_7c15_u64;
    let total = u64::from(rate) * (WARM + COUNTED).as_secs();
    let began = Instant::now();
    let mut sent = 0_u64;
    while sent < total {
        let due = began.elapsed().as_micros() * u128::from(rate) / 1_000_000;
        while u128::from(sent) < due.min(u128::from(total)) {
            let row = &rows[usize::try_from(sent).unwrap_or(0) % rows.len()];
            let mut record = moved(&row.record);
            // xorshift64 (Marsaglia, 2003): any luck will do.
            luck ^= luck << 13;
            luck ^= luck >> 7;
            luck ^= luck << 17;
            let is_chosen = luck % u64::from(rate) < u64::from(ATTACKS_PER_SECOND);
            let counts = began.elapsed() > WARM && !attacks.contains_key(row.device.as_str());
            if is_chosen
                && counts
                && let Some(attack) = load::attack(stage, &record, &row.device)
            {
                record = attack;
                attacks.insert(row.device.to_string(), now());
            }
            load::send(&producer, &topic, &row.device, &wire::encode(&record))?;
            sent += 1;
        }
        wait(&producer);
    }
    #[expect(clippy::cast_precision_loss, reason = "six digits are shown")]
    let pace = sent as f64 / began.elapsed().as_secs_f64();
    load::flush(&producer)?;
    Ok(Sent { attacks, pace })
}

fn wait(producer: &BaseProducer) {
    producer.poll(Duration::ZERO);
    thread::sleep(Duration::from_micros(500));
}

/// The record as if it came from this moment, and never sent before.
fn moved(record: &Record) -> Record {
    let now = EventTime::from_micros(i64::try_from(now()).unwrap_or(0));
    let mut moved = record.clone();
    moved.event_time = now;
    moved.seq = None;
    if let RecordBody::Flow(flow) = &mut moved.body {
        flow.start = now - Span::SECOND;
        flow.uid = None;
    }
    moved
}

/// Reads verdicts until it is told to stop: when the first CRITICAL of each device was seen.
fn read(installation: &Installation, done: &AtomicBool) -> Result<BTreeMap<String, Told>, String> {
    let consumer: BaseConsumer = installation
        .client()
        .set("group.id", "bench-reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .create()
        .map_err(|e| e.to_string())?;
    let topic = installation.topic("verdicts");
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(PARTITIONS).unwrap_or(0) {
        list.add_partition_offset(&topic, partition, Offset::Beginning)
            .map_err(|e| e.to_string())?;
    }
    consumer.assign(&list).map_err(|e| e.to_string())?;
    let mut seen = BTreeMap::new();
    while !done.load(Ordering::Acquire) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else {
            continue;
        };
        let stored = message.timestamp().to_millis().unwrap_or(0);
        let told = Told {
            stored: u64::try_from(stored).unwrap_or(0) * 1_000,
            read: now(),
        };
        let verdict: Value = serde_json::from_slice(message.payload().unwrap_or_default())
            .map_err(|e| e.to_string())?;
        if let (Some("CRITICAL"), Some(device)) =
            (verdict["grade"].as_str(), verdict["device_id"].as_str())
        {
            seen.entry(device.to_owned()).or_insert(told);
        }
    }
    Ok(seen)
}
