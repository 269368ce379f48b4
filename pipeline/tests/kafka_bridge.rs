//! The bridge between real parts: a Kafka, a Mosquitto, and clients of both that are not ours. What
//! a publisher was acknowledged for, or a topic holds, is in the verdict run, whatever dies.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod bridged;
mod broker;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;
mod watched;

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::thread;

use serde_json::{Value, json};

use self::bridged::{
    CONTROLLER, flow, make_topic, move_topic, moved, publish, publisher, ready, start,
    wait_for_session, wait_until,
};
use self::broker::Broker;
use self::kafka_broker::Cluster;
use self::kafka_plant::{Luck, Site, canonical, cluster, say};

#[test]
fn what_is_moved_from_an_unkeyed_topic_yields_the_verdicts_of_a_backtest() {
    let Some(kafka) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let attacks = ["plc-night-exfil", "plc-under-attack"];
    let capture = plant::simulate(folder.path(), "2", "40000", &attacks);
    let out = folder.path().join("backtest");
    let (path, text) = (capture.to_string_lossy(), out.to_string_lossy());
    plant::run(&["backtest", &path, "--out", &text]);
    let expected = canonical(plant::lines(&plant::read(&out, "verdicts.jsonl")));
    assert!(expected.len() > 5, "{}", expected.len());
    let site = Site::new(kafka.addresses(), "bridge-equal");
    make_topic(&site, "raw", 1);
    // Half at a time: the second bridge goes on where the first one ended.
    let lines = fs::read_to_string(&capture).unwrap();
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let (mut records, mut rows) = (0, 0);
    for half in lines.chunks(lines.len().div_ceil(2)) {
        site.produce("raw", &half.concat());
        let summary = move_topic(&site, folder.path(), "raw", &["--trusted-source"]);
        records += summary["records"].as_u64().unwrap();
        rows += summary["rows"].as_u64().unwrap();
    }
    assert_eq!(records, lines.len() as u64);
    assert_eq!(rows, site.read("observations").len() as u64);
    site.drain(folder.path(), "run", "");
    let found = canonical(site.read("verdicts"));
    let lost: Vec<_> = expected.iter().filter(|v| !found.contains(v)).collect();
    assert!(lost.is_empty(), "{} lost: {:?}", lost.len(), lost.first());
    assert_eq!(found, expected);
}

#[test]
fn a_bridge_between_topics_that_is_killed_moves_every_record_once() {
    let Some(kafka) = cluster() else {
        return;
    };
    let mut luck = Luck::new("bridge-kills");
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-once");
    make_topic(&site, "raw", 3);
    let config = site.config(folder.path(), "bridge", "epoch = \"50ms\"");
    let topic = site.topic("raw");
    let mut end = 0;
    for _ in 0..6 {
        let mut command = plant::andon();
        command.arg("bridge").arg("-c").arg(&config);
        command.args(["--from-topic", &topic, "-o", "json"]);
        let mut bridge = command.stdout(Stdio::null()).spawn().unwrap();
        for _ in 0..4 {
            let mut lines = String::new();
            for number in end..end + 500 {
                writeln!(lines, "{}", flow(number)).unwrap();
            }
            end += 500;
            site.produce("raw", &lines);
            thread::sleep(luck.millis(20, 900));
        }
        bridge.kill().unwrap();
        bridge.wait().unwrap();
    }
    move_topic(&site, folder.path(), "raw", &[]);
    let found = moved(&site, 0..end);
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times != 1).collect();
    assert!(
        twice.is_empty(),
        "{} twice: {:?}",
        twice.len(),
        twice.first()
    );
}

#[test]
fn whatever_the_mqtt_broker_acknowledged_is_in_the_verdict_run() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let mut luck = Luck::new("bridge-mqtt");
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-mqtt");
    let mut end = 0;
    for kill in 0..8 {
        let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
        wait_for_session(&mut mosquitto);
        let mut publishing = publisher(&mosquitto, end..end + 400);
        end += 400;
        thread::sleep(luck.millis(0, 400));
        bridge.kill();
        assert!(publishing.wait().unwrap().success());
        if kill % 3 == 1 {
            mosquitto.stop();
            mosquitto.start();
        }
    }
    // The broker goes and comes back while the bridge stays.
    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    wait_for_session(&mut mosquitto);
    publish(&mosquitto, end..end + 100);
    mosquitto.stop();
    mosquitto.start();
    publish(&mosquitto, end + 100..end + 200);
    end += 200;
    let found = moved(&site, 0..end);
    assert!(bridge.terminate().success());
    let rows: usize = found.values().sum();
    say(&format!("{end} messages, {rows} rows"));
    site.drain(folder.path(), "run", "");
    let summary = plant::read(&folder.path().join("run"), "summary.json");
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["records"], rows);
    assert_eq!(summary["duplicates"], rows as u64 - end);
    assert_eq!(summary["rejects"], json!({}));
    let verdicts = site.read("verdicts");
    assert_eq!(verdicts[0]["device_id"], CONTROLLER);
    assert_eq!(verdicts[0]["grade"], "CRITICAL");
}

#[test]
fn while_kafka_is_away_nothing_is_acknowledged_and_afterwards_nothing_is_missing() {
    let (Some(_), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let mut kafka = Cluster::start(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-away");
    let mut bridge = start(&site, folder.path(), &mosquitto, &["--http", "127.0.0.1:0"]);
    let said = bridge.said("health and metrics at http://");
    let console = said.rsplit('/').next().unwrap().to_owned();
    wait_for_session(&mut mosquitto);
    publish(&mosquitto, 0..100);
    moved(&site, 0..100);
    wait_until("it is ready", || ready(&console).is_ok());
    kafka.kill(1);
    publish(&mosquitto, 100..200);
    wait_until("it is not ready", || ready(&console).is_err());
    let reason = ready(&console).unwrap_err();
    assert!(reason.contains("kafka"), "{reason}");
    kafka.start_again(1);
    publish(&mosquitto, 200..300);
    let found = moved(&site, 0..300);
    // Neither the bridge nor the broker that it reads from has gone.
    assert!(found.values().all(|times| *times == 1), "{found:?}");
    wait_until("it is ready again", || ready(&console).is_ok());
    assert!(bridge.terminate().success());
    bridge.said("300 records, 300 rows");
}

#[test]
fn a_bridge_that_ends_in_order_leaves_nothing_to_come_again() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-order");
    let mut end = 0;
    for _ in 0..3 {
        let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
        wait_for_session(&mut mosquitto);
        let mut publishing = publisher(&mosquitto, end..end + 300);
        end += 300;
        assert!(bridge.terminate().success());
        assert!(publishing.wait().unwrap().success());
    }
    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    let found = moved(&site, 0..end);
    assert!(found.values().all(|times| *times == 1), "{found:?}");
    assert!(bridge.terminate().success());
}
