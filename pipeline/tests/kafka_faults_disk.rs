//! The pipeline on a real Kafka when its disk fails, what was saved is damaged, or the system gives
//! it no descriptors and no memory: the cluster holds everything that counts.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod faults;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use self::faults::ready::Watch;
use self::faults::tracer::{self, Edge};
use self::faults::{Case, until};
use self::kafka_plant::{Luck, PARTITIONS, cluster, say};

#[test]
fn a_disk_that_fails_costs_nothing_but_the_local_copy() {
    let Some(broker) = cluster() else {
        return;
    };
    if !tracer::is_allowed() {
        return;
    }
    let mut case = Case::new(broker.addresses(), "disk");
    let data = case.data("one");
    let watch = Watch::new("disk");
    for (edge, error, told) in [
        (Edge::Fsync, "EIO", "cannot save the state of partition"),
        (Edge::Write, "ENOSPC", "cannot save the state of partition"),
        (Edge::Rename, "EIO", "cannot save the state of partition"),
        (Edge::Copy, "ENOSPC", "verdicts.jsonl"),
    ] {
        let before = case.log("one").matches(told).count();
        let mut run = case.start_under("one", &edge.failing(error, &data));
        watch.ask(&[&run.http]);
        until(told, || {
            assert!(case.feed(100) > 0, "{edge:?}: it was never told");
            case.until_caught_up();
            assert!(run.ended().is_none(), "{edge:?}: it goes on");
            case.log("one").matches(told).count() > before
        });
        say(&format!("{edge:?} failed with {error}: it went on"));
        case.feed(200);
        case.until_caught_up();
        run.kill();
        watch.outage();
    }
    drop(watch);
    case.settle("one");
}

/// Feeds a run until it has saved two snapshots of every partition, then takes it away.
fn two_snapshots_each(case: &mut Case) {
    let mut run = case.start("one");
    until("two snapshots of every partition", || {
        case.feed(200);
        case.until_caught_up();
        case.snapshots("one").len() >= 2 * usize::try_from(PARTITIONS).unwrap()
    });
    run.kill();
}

/// Damages a file in one of several ways.
fn damage(path: &PathBuf, way: i32, luck: &mut Luck) {
    let mut bytes = fs::read(path).unwrap();
    let length = u64::try_from(bytes.len().max(1)).unwrap();
    let at = usize::try_from(luck.below(length)).unwrap();
    match way % 4 {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << luck.below(8),
        1 => bytes.truncate(at),
        2 if bytes.len() > 7 => bytes[7] = b'9',
        _ => bytes.clear(),
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_snapshots_are_told_and_an_older_state_is_gone_on_from() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut luck = Luck::new("damage");
    let mut case = Case::new(broker.addresses(), "damage");
    two_snapshots_each(&mut case);
    let newest = |partition: i32, case: &Case| {
        let stem = format!("partition-{partition:05}-");
        let paths = case.snapshots("one");
        let mut of_it = paths
            .into_iter()
            .filter(|path| path.to_string_lossy().contains(&stem));
        of_it.next_back().unwrap()
    };
    for partition in 0..PARTITIONS {
        damage(&newest(partition, &case), partition, &mut luck);
    }
    let mut run = case.start("one");
    case.feed(500);
    case.until_caught_up();
    run.kill();
    let log = case.log("one");
    assert_eq!(
        log.matches("an older state is gone on from").count(),
        4,
        "{log}"
    );
    assert!(log.contains("another version of andon"), "{log}");
    assert!(log.contains("it is damaged"), "{log}");
    // Of all that is on the disk nothing can be used: the cluster's is.
    for (way, path) in (0..).zip(case.snapshots("one").iter()) {
        damage(path, way, &mut luck);
    }
    let mut run = case.start("one");
    case.feed(500);
    case.until_caught_up();
    // In order, so that what it knows is on the disk again.
    run.end();
    // Nor can what the cluster holds of one partition: the disk's is used.
    case.site
        .produce_into("state", 0, "manifest\tnobody wrote this");
    let mut run = case.start("one");
    case.feed(500);
    case.until_caught_up();
    run.end();
    assert!(case.log("one").contains("the snapshot of partition 0 in"));
    case.settle("one");
}

#[test]
fn a_state_that_cannot_be_used_ends_the_start_with_words_that_say_what_to_do() {
    let Some(broker) = cluster() else {
        return;
    };
    for (name, record) in [
        ("no-manifest", "manifest\tnobody wrote this"),
        ("no-epoch", "epoch\tnobody wrote this"),
        ("emptied", "epoch\t"),
    ] {
        let mut case = Case::new(broker.addresses(), name);
        let mut run = case.start("one");
        case.feed(500);
        case.until_caught_up();
        run.kill();
        fs::remove_dir_all(case.data("one")).unwrap();
        case.site.produce_into("state", 0, record);
        let mut run = case.start("one");
        let status = run.wait();
        assert_eq!(status.code(), Some(1), "{name}: {status}");
        let log = case.log("one");
        let last = log.lines().last().unwrap_or_default();
        for words in ["cannot take up partition 0", "--allow-state-gap"] {
            assert!(log.contains(words), "{name}: {last}");
        }
        // What may still be on its way is waited for, and that is told.
        let is_waiting = log.contains("waiting for transactions");
        assert_eq!(is_waiting, name != "no-manifest", "{name}: {log}");
        say(&format!("{name}: {last}"));
    }
}

#[test]
fn too_few_descriptors_end_a_start_clearly_and_stop_no_run() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut case = Case::new(broker.addresses(), "descriptors");
    for limit in [8, 16, 24, 40, 64] {
        let wrapper = ["prlimit".to_owned(), format!("--nofile={limit}")];
        let mut run = case.start_under("one", &wrapper);
        until("an end", || run.ended().is_some());
        let log = case.log("one");
        let status = run.ended();
        assert_eq!(status.map(|s| s.code()), Some(Some(1)), "{limit}: {log}");
        assert!(log.contains("file descriptors at least"), "{limit}: {log}");
    }
    let watch = Watch::new("descriptors");
    let mut run = case.start("one");
    watch.ask(&[&run.http]);
    case.feed(500);
    case.until_caught_up();
    limit(&run, "--nofile=3:");
    until("what it saves cannot be opened", || {
        case.feed(100);
        case.until_caught_up();
        case.log("one").contains("cannot save the state")
    });
    limit(&run, "--nofile=1024:");
    case.feed(500);
    case.until_caught_up();
    run.end();
    drop(watch);
    case.settle("one");
}

fn limit(run: &faults::process::Process, what: &str) {
    let pid = run.id().to_string();
    let set = Command::new("prlimit").args(["--pid", &pid, what]).status();
    assert!(set.unwrap().success());
}

#[test]
fn a_process_that_runs_out_of_memory_loses_nothing() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut case = Case::new(broker.addresses(), "memory");
    let mut run = case.start("one");
    case.feed(1_000);
    case.until_caught_up();
    // From now on it is given nothing that it has not got.
    limit(&run, "--as=1:");
    let began = Instant::now();
    while run.ended().is_none() && began.elapsed() < Duration::from_secs(5) {
        if case.feed(2_000) == 0 {
            break;
        }
    }
    say(&format!("with no more memory: {:?}", run.ended()));
    run.kill();
    case.settle("one");
}
