//! A topic full of records, drained: how many a second of processor time, and where it goes.

use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_benches::{Runs, Sheet, Stage};
use andon_schemas::wire;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::DELIVERIES;
use crate::installation::{Installation, PARTITIONS};
use crate::load::{self, Keyed};
use crate::process::{Threads, children_busy, load as machine_load};

/// Rows in the topic: so many that the first snapshots and the last do not weigh more than they do
/// in a run that goes on.
const ROWS: usize = 4_000_000;
/// One row in so many proves a CRITICAL, if its device is a controller that opened a flow.
const ATTACK_EVERY: usize = 500;
const REPEATS: usize = 3;
/// How often a run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Records are gathered for so long before the measurement.
const LINGER: Duration = Duration::from_millis(50);

/// What one drain came to.
struct Drained {
    /// Processor time of the whole process.
    busy: Duration,
    /// From the first commit that was seen, and how many rows it held, to the last.
    wall: Option<(Duration, i64)>,
    threads: Threads,
    summary: Value,
}

/// Drains a topic in either way of delivery, and prints what it took.
pub(crate) fn measure(
    stage: &mut Stage,
    install: &dyn Fn(&str, &str) -> Result<Installation, String>,
) -> Result<(), String> {
    let mut rows = load::rows(stage, ROWS)?;
    for row in rows.iter_mut().step_by(ATTACK_EVERY) {
        if let Some(attack) = load::attack(stage, &row.record, &row.device) {
            row.record = Arc::new(attack);
        }
    }
    for delivery in DELIVERIES {
        let empty = drain(&install("empty", delivery)?, 0)?;
        let (mut whole, mut between, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for repeat in 0..REPEATS {
            let installation = install(&format!("full-{repeat}"), delivery)?;
            produce(&installation, &rows)?;
            let run = drain(&installation, ROWS)?;
            whole.push(run.busy);
            between.push(run.busy.saturating_sub(empty.busy));
            runs.push(run);
        }
        let title = format!(
            "Kafka JSON to verdicts, {delivery}, {PARTITIONS} partitions, load {} before",
            machine_load()
        );
        let mut sheet = Sheet::new(&title);
        let mut rate = |what: &str, times: &[Duration], goal: &str| {
            let mut times = times.iter().copied();
            let runs = Runs::timed(REPEATS, || times.next().unwrap_or_default());
            sheet.rate(what, ROWS, &runs, goal);
        };
        let goal = "≥ 1 M/s (≥ 0.5 M/s for now; best published 0.43 M/s)";
        rate("rows per second of processor", &between, goal);
        rate("the same, with start and end", &whole, "");
        report(&mut sheet, &runs, &empty);
        sheet.print();
    }
    Ok(())
}

fn report(sheet: &mut Sheet, runs: &[Drained], empty: &Drained) {
    let walls = runs.iter().filter_map(|run| run.wall);
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rates = walls.map(|(wall, rows)| rows as f64 / wall.as_secs_f64());
    let best = rates.fold(0.0, f64::max);
    sheet.figure(
        "rows per second of wall",
        &format!("{:.0} k/s", best / 1e3),
        "",
    );
    let start = format!("{:.2} s", empty.busy.as_secs_f64());
    sheet.figure("start and end, nothing between", &start, "");
    let Some(run) = runs.last() else {
        return;
    };
    let number = |name: &str| run.summary[name].as_u64().unwrap_or(0);
    let peak = format!("{} MB", number("peak_rss_bytes") / 1_000_000);
    sheet.figure("most resident memory", &peak, "");
    let taken = format!("{} of {}", number("observations"), number("records"));
    sheet.figure("observations of records", &taken, "all");
    sheet.figure("verdict lines", &number("revisions").to_string(), "");
    for (part, busy, share) in run.threads.shares() {
        let figure = format!("{:.2} s, {:.0} %", busy.as_secs_f64(), share * 100.0);
        sheet.figure(&part, &figure, "");
    }
}

fn produce(installation: &Installation, rows: &[Keyed]) -> Result<(), String> {
    let producer = load::producer(installation, LINGER)?;
    let topic = installation.topic("observations");
    for row in rows {
        load::send(&producer, &topic, &row.device, &wire::encode(&row.record))?;
    }
    load::flush(&producer)
}

fn drain(installation: &Installation, rows: usize) -> Result<Drained, String> {
    let before = children_busy();
    let mut threads = Threads::default();
    let mut child = installation
        .run(&["--drain"])?
        .spawn()
        .map_err(|e| e.to_string())?;
    let wall = watch(installation, &mut child, rows, &mut threads)?;
    let status = child.wait().map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("{status}: {}", installation.complaints()));
    }
    Ok(Drained {
        busy: children_busy().saturating_sub(before),
        wall,
        threads,
        summary: installation.summary()?,
    })
}

/// Looks at a run until it ends: at its threads, and at what its group has committed.
fn watch(
    installation: &Installation,
    child: &mut Child,
    rows: usize,
    threads: &mut Threads,
) -> Result<Option<(Duration, i64)>, String> {
    let asking: BaseConsumer = installation
        .client()
        .set("group.id", installation.group())
        .create()
        .map_err(|e| e.to_string())?;
    let topic = installation.topic("observations");
    let rows = i64::try_from(rows).map_err(|e| e.to_string())?;
    let (mut first, mut wall) = (None, None);
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        threads.look(child.id());
        std::thread::sleep(LOOK_EVERY);
        if rows == 0 || wall.is_some() {
            continue;
        }
        let committed = committed(&asking, &topic)?;
        match first {
            None if committed > 0 => first = Some((Instant::now(), committed)),
            Some((since, before)) if committed >= rows => {
                wall = Some((since.elapsed(), rows - before));
            }
            _ => {}
        }
    }
    Ok(wall)
}

/// Rows that the group has committed.
fn committed(asking: &BaseConsumer, topic: &str) -> Result<i64, String> {
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(PARTITIONS).unwrap_or(0) {
        list.add_partition(topic, partition);
    }
    let told = asking
        .committed_offsets(list, Duration::from_secs(10))
        .map_err(|e| e.to_string())?;
    let offsets = told.elements().into_iter().map(|at| match at.offset() {
        Offset::Offset(at) => at,
        _ => 0,
    });
    Ok(offsets.sum())
}
