//! The pipeline on a real Kafka when what is sent is told again, out of order, from the future or
//! of devices that nobody has.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use self::kafka_plant::{
    Luck, PARTITIONS, Site, canonical, cluster, expected, inventory, keyed, same, say,
};

/// Two hours of the plant with attacks.
fn lines(folder: &Path) -> Vec<String> {
    let attacks = ["plc-night-exfil", "plc-under-attack"];
    let capture = plant::simulate(folder, "2", "12000", &attacks);
    let text = fs::read_to_string(capture).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Devices that nobody has, and how many of those a plant has room for, in all its partitions.
const GHOSTS: u32 = 1_000_000;
const ROOM: u64 = 16_384;
/// What the process may take at most, with all that it needs anyway.
const MEMORY: u64 = 500_000_000;

/// What comes of these lines on Kafka is what a backtest of them finds.
fn same_as_a_backtest(addresses: &str, name: &str, lines: &[String]) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("told.ndjson");
    fs::write(&capture, lines.join("\n") + "\n").unwrap();
    let expected = expected(folder.path(), &capture);
    assert!(expected.len() > 5, "{name}: {}", expected.len());
    let site = Site::new(addresses, name);
    site.produce("observations", &keyed(&capture));
    site.drain(folder.path(), "one", "");
    same(&site.read("verdicts"), &expected);
    site
}

#[test]
fn what_is_told_three_times_counts_once() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let once = lines(folder.path());
    // Each again at once, and the lot of fifty again after that.
    let thrice: Vec<String> = once
        .chunks(50)
        .flat_map(|lot| {
            let twice = lot.iter().flat_map(|line| [line, line]);
            twice.chain(lot).cloned()
        })
        .collect();
    let site = same_as_a_backtest(broker.addresses(), "thrice", &thrice);
    let duplicates = site.headers("rejects");
    let duplicates = duplicates
        .iter()
        .filter(|headers| headers.contains("andon.reason=duplicate"));
    assert!(duplicates.count() > once.len(), "they are told apart");
}

#[test]
fn what_comes_out_of_order_within_the_allowance_is_what_a_backtest_of_that_order_finds() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut luck = Luck::new("reordered");
    let folder = tempfile::tempdir().unwrap();
    let mut lines = lines(folder.path());
    for lot in lines.chunks_mut(25) {
        for at in (1..lot.len()).rev() {
            let other = luck.below(u64::try_from(at + 1).unwrap());
            lot.swap(at, usize::try_from(other).unwrap());
        }
    }
    same_as_a_backtest(broker.addresses(), "reordered", &lines);
}

#[test]
fn a_flood_from_the_future_moves_nobody_s_time() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut lines = lines(folder.path());
    let flood: Vec<String> = lines[..2_000]
        .iter()
        .map(|line| line.replace("\"2025-12-14T", "\"2999-12-14T"))
        .collect();
    lines.splice(1_000..1_000, flood);
    let site = same_as_a_backtest(broker.addresses(), "future", &lines);
    let future = site.headers("rejects");
    let future = future
        .iter()
        .filter(|headers| headers.contains("andon.reason=far_future"));
    assert!(future.count() >= 2_000, "every one is told");
}

#[test]
fn devices_that_nobody_has_take_no_memory_without_end_and_hide_nobody() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("plant.ndjson");
    fs::write(&capture, lines(folder.path()).join("\n") + "\n").unwrap();
    let expected = expected(folder.path(), &capture);
    let site = Site::new(broker.addresses(), "ghosts");
    let plant = keyed(&capture);
    let plant: Vec<&str> = plant.split_inclusive('\n').collect();
    let lots = 10;
    let mut fed = 0;
    for (lot, piece) in plant.chunks(plant.len().div_ceil(lots)).enumerate() {
        let mut text = String::new();
        let each = GHOSTS / u32::try_from(lots).unwrap();
        for ghost in fed..fed + each {
            let minute = 20 + lot;
            writeln!(
                text,
                "ghost-{ghost}\t{{\"kind\":\"reading\",\"device\":\"ghost-{ghost}\",\
                 \"time\":\"2025-12-14T01:{minute}:00Z\",\"current_a\":1.5}}"
            )
            .unwrap();
        }
        fed += each;
        site.produce("observations", &piece.concat());
        site.produce("observations", &text);
    }
    let output = site.try_drain(folder.path(), "one", "");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let peak = summary["peak_rss_bytes"].as_u64().unwrap();
    say(&format!(
        "{GHOSTS} made-up devices: peak {} MB, {} devices, {} shed",
        peak / 1_000_000,
        summary["devices"],
        summary["rejects"]["shed"],
    ));
    // Whoever got no room is told, one device of each partition stands for all of those, and what
    // they take is bounded.
    let listed = inventory();
    assert_eq!(summary["rejects"]["shed"], u64::from(GHOSTS) - ROOM);
    let known = u64::try_from(listed.devices.len()).unwrap();
    let crowds = u64::try_from(PARTITIONS).unwrap();
    let watched = summary["devices"].as_u64().unwrap();
    assert!(watched <= known + ROOM + crowds, "{watched}");
    assert!(peak < MEMORY, "{peak}");
    let of_the_plant = |verdict: &Value| {
        let device = verdict["device_id"].as_str().unwrap();
        listed.device(device).is_some()
    };
    let found: Vec<Value> = site
        .read("verdicts")
        .into_iter()
        .filter(of_the_plant)
        .collect();
    assert_eq!(canonical(found), expected);
}
