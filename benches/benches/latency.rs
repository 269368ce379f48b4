//! One row that proves a CRITICAL, among 100,000 honest ones a second: from its arrival to the
//! verdict in the hands of the caller, at 50,000 devices of state, on one core.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use andon_benches::{Sheet, Stage};
use andon_engine::{Engine, Feed, Input, Item};
use andon_schemas::grade::Grade;
use andon_schemas::observation::{Body, Observation, Role};
use hdrhistogram::Histogram;

const DEVICES: usize = 50_000;
const WARM_ROWS: usize = 1_000_000;
const ROWS_PER_SECOND: u32 = 100_000;
const SECONDS: u32 = 12;
/// A bundle closes after half a millisecond.
const BUNDLE: Duration = Duration::from_micros(500);
const ROWS_PER_BUNDLE: usize = 50;
/// One row in so many proves a CRITICAL, each of another device.
const ATTACK_EVERY: usize = 100;
/// Latencies are counted up to a minute.
const LONGEST_NS: u64 = 60_000_000_000;
/// An address of no plant (RFC 5737).
const STRANGER: &str = "203.0.113.66";

fn main() -> Result<(), String> {
    let mut stage = Stage::new(DEVICES)?;
    let mut engine = Engine::new(stage.plant.clone());
    let mut feed = Feed::new(stage.plant.clone(), ROWS_PER_BUNDLE);
    for input in &stage.inputs(WARM_ROWS)? {
        engine.step(input);
    }
    let rows = usize::try_from(ROWS_PER_SECOND * SECONDS).map_err(|e| e.to_string())?;
    let mut rows: Vec<Observation> = stage.observations(rows)?.into_iter().flatten().collect();
    let attacks = attack(&stage, &mut rows)?;
    let mut latency = Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(|e| e.to_string())?;
    let mut found = 0;
    let began = Instant::now();
    let mut arrives = began;
    for (bundle, chunk) in rows.chunks(ROWS_PER_BUNDLE).enumerate() {
        let closes = arrives + BUNDLE;
        while Instant::now() < closes {
            std::hint::spin_loop();
        }
        for row in chunk {
            feed.push(std::slice::from_ref(row));
        }
        feed.flush();
        let criticals: usize = feed.take().iter().map(|i| criticals(&mut engine, i)).sum();
        let done = Instant::now();
        // Rows arrive evenly while the bundle is open: the attack is its first row.
        if (bundle * ROWS_PER_BUNDLE).is_multiple_of(ATTACK_EVERY) && criticals > 0 {
            let nanos = done.saturating_duration_since(arrives).as_nanos();
            latency.saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
            found += 1;
        }
        arrives = closes;
    }
    let seconds = began.elapsed().as_secs_f64();
    report(&latency, rows.len(), seconds, found, attacks);
    Ok(())
}

/// Sends the first row of every second bundle to a stranger, if its device is a controller that
/// has not been attacked yet; the number of attacks.
fn attack(stage: &Stage, rows: &mut [Observation]) -> Result<usize, String> {
    let stranger = STRANGER.parse().map_err(|e| format!("{STRANGER}: {e}"))?;
    let inventory = stage.plant.inventory();
    let controller = |device: &str| {
        inventory
            .device(device)
            .and_then(|device| stage.profiles.get(&device.device_type))
            .is_some_and(|profile| profile.controller)
    };
    let mut attacked = BTreeSet::new();
    for chunk in rows.chunks_mut(ATTACK_EVERY) {
        let suitable = |row: &Observation| {
            matches!(&row.body, Body::Flow(flow) if flow.role == Role::Originator)
                && controller(row.header.device.as_str())
                && !attacked.contains(&row.header.device)
        };
        // The suitable row trades places with the first: both are a millisecond apart at most.
        let Some(at) = chunk.iter().position(suitable) else {
            continue;
        };
        attacked.insert(chunk[at].header.device.clone());
        if let Body::Flow(flow) = &mut chunk[at].body {
            flow.peer = stranger;
            flow.peer_name = None;
        }
        chunk.swap(0, at);
    }
    Ok(attacked.len())
}

/// Takes a step; the number of CRITICAL verdicts that came of it.
fn criticals(engine: &mut Engine, input: &Input) -> usize {
    let output = engine.step(input);
    let critical =
        |item: &Item| matches!(item, Item::Verdict(verdict) if verdict.grade == Grade::Critical);
    output
        .items
        .iter()
        .filter(|(_, item)| critical(item))
        .count()
}

fn report(latency: &Histogram<u64>, rows: usize, seconds: f64, found: usize, attacks: usize) {
    let mut sheet = Sheet::new("latency, one core, 50,000 devices, rows in bundles of 0.5 ms");
    let quantile = |q: f64| {
        let micros = Duration::from_nanos(latency.value_at_quantile(q)).as_micros();
        format!("{micros} µs")
    };
    sheet.figure("p50", &quantile(0.5), "");
    sheet.figure("p99", &quantile(0.99), "< 2,000 µs");
    sheet.figure("p99.9", &quantile(0.999), "");
    sheet.figure("longest", &quantile(1.0), "");
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let pace = rows as f64 / seconds;
    sheet.figure("observations per second", &format!("{pace:.0}"), "100,000");
    sheet.figure(
        "attacks found at once",
        &format!("{found} of {attacks}"),
        "all",
    );
    sheet.print();
}
