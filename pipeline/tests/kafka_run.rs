//! The pipeline on a real Kafka: what goes in and comes out through clients that are not ours, and
//! what is left of it when processes and brokers die. Without Java on the machine these tests say
//! that they were skipped.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use andon::kafka::partitioner::Partitioner;
use serde_json::Value;

use self::kafka_plant::{Luck, PARTITIONS, Site, cluster, expected, keyed, same, say};

/// The newest reading of every command.
fn newest(commands: impl Iterator<Item = Value>) -> BTreeMap<String, Value> {
    let id = |command: &Value| command["command_id"].as_str().unwrap().to_owned();
    commands.map(|command| (id(&command), command)).collect()
}

/// The commands are those that follow from the verdicts in a backtest, each once, and the audit
/// trail tells of each in chains that hold.
fn same_commands(folder: &Path, site: &Site) {
    let expected = plant::lines(&plant::read(&folder.join("backtest"), "commands.jsonl"));
    assert!(!expected.is_empty());
    let trail = site.trail();
    let orders = trail.iter().filter(|entry| entry["event"] == "order");
    let commands = orders.map(|entry| entry["order"]["command"].clone());
    assert_eq!(newest(commands), newest(expected.into_iter()));
    // In monitor mode nobody is given anything to obey.
    assert_eq!(site.read("enforcement"), [] as [Value; 0]);
}

#[test]
fn what_another_client_writes_and_reads_is_what_a_backtest_finds() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "40000", &["plc-night-exfil"]);
    let expected = expected(folder.path(), &capture);
    assert!(expected.len() > 5, "{}", expected.len());
    for (delivery, protocol) in [
        ("exactly_once", "classic"),
        ("low_latency", "classic"),
        ("exactly_once", "consumer"),
    ] {
        let prefix = format!("equal-{delivery}-{protocol}");
        let site = Site::new(broker.addresses(), &prefix);
        site.produce("observations", &keyed(&capture));
        site.drain(
            folder.path(),
            &prefix,
            &format!("delivery = \"{delivery}\"\nprotocol = \"{protocol}\""),
        );
        same(&site.read("verdicts"), &expected);
        same_commands(folder.path(), &site);
        same_commands(folder.path(), &site);
    }
}

#[test]
fn a_process_that_is_killed_again_and_again_loses_nothing_and_says_nothing_twice() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut luck = Luck::new("kills");
    let folder = tempfile::tempdir().unwrap();
    let attacks = [
        "plc-night-exfil",
        "plc-under-attack",
        "off-hours-maintenance",
    ];
    let capture = plant::simulate(folder.path(), "2", "40000", &attacks);
    let expected = expected(folder.path(), &capture);
    let site = Site::new(broker.addresses(), "kills");
    let lines = keyed(&capture);
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let more = "epoch = \"50ms\"\nsnapshot = \"400ms\"";
    // A fortieth of the capture at a time, so that there is always something under way.
    let mut pieces = lines.chunks(lines.len().div_ceil(40));
    for kill in 0..20 {
        let mut run = site.start(folder.path(), "one", more);
        for _ in 0..2 {
            if let Some(piece) = pieces.next() {
                site.produce("observations", &piece.concat());
            }
            std::thread::sleep(luck.millis(50, 1_500));
        }
        run.kill().unwrap();
        run.wait().unwrap();
        say(&format!(
            "kill {kill}: {} verdicts",
            site.read("verdicts").len()
        ));
    }
    for piece in pieces {
        site.produce("observations", &piece.concat());
    }
    site.drain(folder.path(), "one", more);
    same(&site.read("verdicts"), &expected);
    same_commands(folder.path(), &site);
}

#[test]
fn poison_ends_in_the_rejects_with_its_position_and_its_reason_and_the_rest_flows_on() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "poison");
    let device = "cnc-controller-01-0001";
    let flow = |more: &str| {
        format!(
            "{{\"kind\":\"flow\",\"time\":\"2025-12-12T09:00:00Z\",\"orig\":\"10.1.10.1:40000\",\
             \"resp\":\"203.0.113.7:4444\",\"transport\":\"udp\",\"state\":\"answered\",\
             \"orig_bytes\":120{more}}}"
        )
    };
    let good = flow("");
    let poison = [
        (device, "not json at all".to_owned(), "malformed"),
        (device, "{\"kind\":\"flow\"".to_owned(), "malformed"),
        (device, "{\"kind\":\"flow\"}".to_owned(), "missing_field"),
        (device, flow(",\"orig_bytes\":-1"), "malformed"),
        (device, flow(",\"resp_bytes\":-1"), "out_of_range"),
        (device, flow(",\"service\":7"), "wrong_type"),
        (device, flow(",\"v\":99"), "unknown_version"),
        (device, good.replace("2025", "2999"), "far_future"),
        (
            device,
            format!("{{\"kind\":\"{}\"}}", "x".repeat(300)),
            "unsupported",
        ),
        ("agv-01", good.clone(), "wrong_key"),
        ("a b", good.clone(), "wrong_key"),
        ("", good.clone(), "no_key"),
    ];
    let mut lines = String::new();
    for (key, payload, _) in &poison {
        writeln!(lines, "{key}\t{payload}\n{device}\t{good}").unwrap();
    }
    site.produce("observations", &lines);
    site.tombstone("observations", device);
    site.drain(folder.path(), "one", "");
    let rejects = site.read("rejects");
    for (key, payload, reason) in &poison {
        let excerpt: String = payload.chars().take(40).collect();
        let is_it = |reject: &&Value| {
            let text = reject["excerpt"].as_str().unwrap_or_default();
            reject["reason"] == *reason && (text.is_empty() || text.starts_with(&excerpt))
        };
        let reject = rejects.iter().find(is_it);
        let reject = reject.unwrap_or_else(|| panic!("{key} {reason} {payload}: {rejects:#?}"));
        assert_eq!(reject["source"]["topic"], site.topic("observations"));
        assert!(reject["source"]["offset"].is_u64(), "{reject}");
        assert!(!reject["detail"].as_str().unwrap().is_empty(), "{reject}");
    }
    let tombstones = rejects
        .iter()
        .filter(|r| r["detail"] == "record is a tombstone");
    assert_eq!(tombstones.count(), 1);
    let headers = site.headers("rejects");
    assert!(
        headers
            .iter()
            .all(|h| h.contains("andon.reason=") && h.contains("andon.offset="))
    );
    let verdicts = site.read("verdicts");
    assert_eq!(verdicts[0]["device_id"], device);
    assert_eq!(verdicts[0]["grade"], "CRITICAL");
}

#[test]
fn a_device_in_a_second_partition_is_refused_if_the_right_one_is_known_and_told_if_not() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let device = "cnc-controller-01-0001";
    let flow = "{\"kind\":\"flow\",\"time\":\"2025-12-12T09:00:00Z\",\"orig\":\"10.1.10.1:40000\",\
                \"resp\":\"203.0.113.7:4444\",\"transport\":\"udp\",\"state\":\"answered\",\
                \"orig_bytes\":120}";
    let record = format!("{device}\t{flow}");
    // kcat goes by crc32.
    let partitions = usize::try_from(PARTITIONS).unwrap();
    let home = Partitioner::Crc32.home(device, partitions).unwrap();
    let elsewhere = (home + 1) % PARTITIONS;
    for (partitioner, refused) in [("crc32", vec![elsewhere]), ("any", vec![])] {
        let site = Site::new(broker.addresses(), &format!("stray-{partitioner}"));
        site.produce("observations", &format!("{record}\n"));
        site.produce_into("observations", elsewhere, &record);
        let more = format!("partitioner = \"{partitioner}\"");
        let output = site.try_drain(folder.path(), partitioner, &more);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let rejects = site.read("rejects");
        let from: Vec<i64> = rejects
            .iter()
            .map(|reject| {
                assert_eq!(reject["reason"], "wrong_partition", "{reject}");
                assert_eq!(reject["device"], device, "{reject}");
                let hint = format!("belongs in partition {home} of {PARTITIONS}");
                assert!(
                    reject["detail"].as_str().unwrap().contains(&hint),
                    "{reject}"
                );
                reject["source"]["partition"].as_i64().unwrap()
            })
            .collect();
        assert_eq!(
            from,
            refused.iter().map(|p| i64::from(*p)).collect::<Vec<_>>()
        );
        let warning = format!("`{device}` comes in partitions ");
        assert_eq!(told.contains(&warning), refused.is_empty(), "{told}");
    }
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// How long each partition went without a commit at most between two moments, ms, by when the
/// broker received its epochs.
fn longest_pauses(site: &Site, from: u64, to: u64) -> BTreeMap<i32, u64> {
    let mut last: BTreeMap<i32, u64> = BTreeMap::new();
    let mut longest: BTreeMap<i32, u64> = BTreeMap::new();
    for (partition, at) in site.epochs() {
        let before = last.insert(partition, at);
        if let Some(before) = before.filter(|before| at >= from && *before <= to) {
            let pause = longest.entry(partition).or_default();
            *pause = (*pause).max(at - before);
        }
    }
    longest
}

#[test]
fn processes_that_come_and_go_share_the_work_and_change_nothing_of_what_comes_out() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let attacks = [
        "plc-night-exfil",
        "plc-under-attack",
        "off-hours-maintenance",
    ];
    let capture = plant::simulate(folder.path(), "2", "40000", &attacks);
    let expected = expected(folder.path(), &capture);
    let site = Site::new(broker.addresses(), "scale");
    let more = "epoch = \"100ms\"\nsnapshot = \"1s\"";
    let lines = keyed(&capture);
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let mut pieces = lines.chunks(lines.len().div_ceil(280));
    let start = |name: &str| site.start(folder.path(), name, more);
    let mut moments = Vec::new();
    let mut feed = |what: &'static str, seconds: u64| {
        moments.push((what, now_ms()));
        for _ in 0..10 * seconds {
            let began = Instant::now();
            if let Some(piece) = pieces.next() {
                site.produce("observations", &piece.concat());
            }
            std::thread::sleep(Duration::from_millis(100).saturating_sub(began.elapsed()));
        }
    };
    let mut members = BTreeMap::from(["a", "b", "c"].map(|name| (name, start(name))));
    feed("three begin", 6);
    // One dies, and its session with it.
    let mut killed = members.remove("b").unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    feed("one is killed", 9);
    // One comes.
    members.insert("d", start("d"));
    feed("one is added", 4);
    // Each in turn ends in order and comes back under its name.
    for name in ["a", "c", "d"] {
        let mut member = members.remove(name).unwrap();
        plant::terminate(&member);
        assert!(member.wait().unwrap().success(), "{name}");
        members.insert(name, start(name));
        feed("one is restarted", 2);
    }
    feed("all run on", 4);
    moments.push(("the end", now_ms()));
    assert_eq!(pieces.next(), None, "all of it was produced");
    for member in members.values() {
        plant::terminate(member);
    }
    for (name, mut member) in members {
        assert!(member.wait().unwrap().success(), "{name}");
    }
    // Whoever is left has to wait until the others are missed.
    site.drain(folder.path(), "a", more);
    same(&site.read("verdicts"), &expected);
    same_commands(folder.path(), &site);
    for pair in moments.windows(2) {
        let pauses = longest_pauses(&site, pair[0].1, pair[1].1);
        say(&format!(
            "{}: longest time without a commit, ms by partition: {pauses:?}",
            pair[0].0
        ));
    }
}
