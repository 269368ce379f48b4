//! What a whole installation on Kafka agrees on: inventory and profiles, and the number of
//! partitions.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::kafka_plant::{PARTITIONS, Site, cluster};

/// A flow to nowhere that any profile names, for each of some controllers.
fn strays(numbers: std::ops::Range<u32>, minute: u32) -> String {
    let mut lines = String::new();
    for number in numbers {
        let flow = json!({
            "kind": "flow", "time": format!("2025-12-12T09:{minute:02}:00Z"),
            "orig": format!("10.1.10.{number}:40000"), "resp": "203.0.113.7:4444",
            "transport": "udp", "state": "answered", "orig_bytes": 120, "resp_bytes": 40,
        });
        writeln!(lines, "cnc-controller-01-{number:04}\t{flow}").unwrap();
    }
    lines
}

/// The built-in profiles in a folder.
fn profiles(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../profiles");
    for entry in fs::read_dir(ours).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Waits until so many verdicts are out.
fn wait_for(site: &Site, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let verdicts = site.read("verdicts");
        if verdicts.len() >= count {
            return verdicts;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} of {count}",
            verdicts.len()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until a process says something.
fn wait_for_log(folder: &Path, name: &str, words: &str) {
    let path = folder.join(format!("{name}.log"));
    let began = Instant::now();
    while !fs::read_to_string(&path).unwrap().contains(words) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{name} never said: {words}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_change_that_one_process_is_told_of_holds_for_all_and_for_those_that_come_later() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "control");
    let start = |name: &str| {
        let path = folder.path().join(format!("{name}-profiles"));
        if !path.exists() {
            profiles(&path);
        }
        let args = ["--profiles", &path.to_string_lossy()];
        site.start_with(folder.path(), name, "epoch = \"50ms\"", &args)
    };
    let mut a = start("a");
    let mut b = start("b");
    site.produce("observations", &strays(1..9, 0));
    let before = wait_for(&site, 8);
    let hash = |verdict: &Value| verdict["profile"]["hash"].as_str().unwrap().to_owned();
    let first = hash(&before[0]);
    assert!(before.iter().all(|verdict| hash(verdict) == first));
    let path = folder.path().join("a-profiles/cnc_controller_fanuc.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replace("version: \"1\"", "version: \"2\"");
    assert_ne!(text, changed);
    fs::write(&path, changed).unwrap();
    plant::signal(&a, "-HUP");
    // Both have to say that they heard it.
    for name in ["a", "b"] {
        wait_for_log(folder.path(), name, "inventory and profiles have changed");
    }
    site.produce("observations", &strays(9..17, 5));
    let after = wait_for(&site, 16);
    let second = hash(&after[15]);
    assert_ne!(first, second);
    let with_second = after.iter().filter(|verdict| hash(verdict) == second);
    assert_eq!(with_second.count(), 8);
    // One that comes with the former files measures against what holds.
    for process in [&mut a, &mut b] {
        plant::terminate(process);
        assert!(process.wait().unwrap().success());
    }
    site.produce("observations", &strays(17..21, 10));
    let mut b = start("b");
    let last = wait_for(&site, 20);
    plant::terminate(&b);
    assert!(b.wait().unwrap().success());
    let with_second = last.iter().filter(|verdict| hash(verdict) == second);
    assert_eq!(with_second.count(), 12);
}

#[test]
fn another_number_of_partitions_stops_a_run_with_what_to_do() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "divided");
    site.produce("observations", &strays(1..9, 0));
    site.drain(folder.path(), "one", "");
    site.divide(&["observations", "state", "verdicts"], PARTITIONS + 1);
    let output = site.try_drain(folder.path(), "one", "");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(words.contains("had 4 partitions and have 5 now"), "{words}");
    assert!(words.contains("andon topics create"), "{words}");
}
