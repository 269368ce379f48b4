//! The bridge between real parts: a Kafka, a Mosquitto, and clients of both that are not ours. What
//! a publisher was acknowledged for, or a topic holds, is in the verdict run, whatever dies.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use andon_console::check_ready;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use serde_json::{Value, json};

use self::broker::{Broker, tool};
use self::kafka_broker::Cluster;
use self::kafka_plant::{Luck, Site, canonical, cluster, say};
use self::watched::{PATIENCE, Watched};

const CONTROLLER: &str = "cnc-controller-01-0001";

/// Makes a topic that is not one of ours.
fn make_topic(site: &Site, name: &str, partitions: i32) {
    let topic = site.topic(name);
    let admin: AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", &site.addresses)
        .create()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let topic = NewTopic::new(&topic, partitions, TopicReplication::Fixed(-1));
    let options = AdminOptions::new();
    let made = runtime.block_on(admin.create_topics([&topic], &options));
    for result in made.unwrap() {
        result.unwrap();
    }
}

/// Moves a topic to its end; returns the summary.
fn move_topic(site: &Site, folder: &Path, name: &str, more: &str) -> Value {
    let config = site.config(folder, "bridge", more);
    let config = config.to_string_lossy();
    let topic = site.topic(name);
    let args = ["bridge", "-c", &config, "--from-topic", &topic];
    let output = plant::run(&[&args[..], &["--drain", "-o", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The bridge from a Mosquitto, once it has said what it does.
fn start(site: &Site, folder: &Path, mosquitto: &Broker, args: &[&str]) -> Watched {
    let mqtt = format!(
        "[mqtt]\nbroker = \"mqtt://127.0.0.1:{}\"\nclient_id = \"bridge\"\ntrusted_topics = true",
        mosquitto.port
    );
    let config = site.config(folder, "bridge", &mqtt);
    let mut command = plant::andon();
    command.arg("bridge").arg("-c").arg(config).args(args);
    let mut bridge = Watched::start("bridge", &mut command);
    bridge.wait_for("moving andon/v1/in/precision-parts/#");
    bridge
}

/// Messages may be sent: the broker keeps them for the bridge from here on.
fn wait_for_session(mosquitto: &mut Broker) {
    mosquitto.wait_for("bridge 1 andon/v1/in/precision-parts/#");
}

/// A flow of the controller to nowhere that any profile names.
fn flow(seq: u64) -> String {
    let (s, ms) = (seq / 100 % 60, seq % 100 * 10);
    json!({
        "kind": "flow", "seq": seq, "time": format!("2025-12-12T09:{:02}:{s:02}.{ms:03}Z", seq / 6_000),
        "orig": "10.1.10.1:40000", "resp": "203.0.113.7:4444", "transport": "udp",
        "state": "answered", "orig_bytes": 120, "resp_bytes": 40,
    })
    .to_string()
}

/// A publisher that sends the flows of these numbers and ends once all are acknowledged.
fn publisher(mosquitto: &Broker, numbers: std::ops::Range<u64>) -> Child {
    let topic = format!("andon/v1/in/precision-parts/{CONTROLLER}/flow");
    let port = mosquitto.port.to_string();
    let mut client = Command::new(tool("mosquitto_pub").unwrap());
    client.args([
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-q",
        "1",
        "-t",
        &topic,
        "-l",
    ]);
    let mut client = client.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = String::new();
    for number in numbers {
        writeln!(lines, "{}", flow(number)).unwrap();
    }
    let mut input = client.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    client
}

fn publish(mosquitto: &Broker, numbers: std::ops::Range<u64>) {
    assert!(publisher(mosquitto, numbers).wait().unwrap().success());
}

/// How often each number is in the topic of observations, once all of them are.
fn moved(site: &Site, numbers: std::ops::Range<u64>) -> BTreeMap<u64, usize> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut found = BTreeMap::new();
        for row in site.read("observations") {
            assert_eq!(row["device"], CONTROLLER);
            *found.entry(row["seq"].as_u64().unwrap()).or_default() += 1;
        }
        let missing = numbers.clone().filter(|n| !found.contains_key(n));
        let missing = missing.count();
        if missing == 0 {
            return found;
        }
        assert!(Instant::now() < until, "{missing} messages are not there");
        thread::sleep(Duration::from_millis(200));
    }
}

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
        let summary = move_topic(&site, folder.path(), "raw", "epoch = \"100ms\"");
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
    move_topic(&site, folder.path(), "raw", "epoch = \"50ms\"");
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
    let said = bridge.wait_for("health and metrics at http://");
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

#[test]
fn poison_of_a_topic_and_of_mqtt_ends_in_the_rejects_with_its_position() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-poison");
    make_topic(&site, "raw", 1);
    let abroad = flow(7).replace("10.1.10.1", "198.51.100.9");
    let lines = [
        "not json",
        &flow(1),
        "{\"kind\":\"flow\"}",
        &abroad,
        &flow(2),
    ];
    site.produce("raw", &(lines.join("\n") + "\n"));
    let summary = move_topic(&site, folder.path(), "raw", "");
    assert_eq!(summary["records"], 5, "{summary}");
    assert_eq!(summary["rows"], 2, "{summary}");
    let expected = json!({ "malformed": 1, "missing_field": 1, "no_known_endpoint": 1 });
    assert_eq!(summary["rejects"], expected);
    let raw = site.topic("raw");
    let found: BTreeSet<(String, u64)> = site.read("rejects").iter().map(position).collect();
    for (reason, offset) in [
        ("malformed", 0),
        ("missing_field", 2),
        ("no_known_endpoint", 3),
    ] {
        assert!(
            found.contains(&(format!("{reason} {raw}"), offset)),
            "{found:?}"
        );
    }
    let headers = site.headers("rejects");
    let is_told = |h: &String| h.contains("andon.reason=") && h.contains(&format!("topic={raw}"));
    assert!(headers.iter().all(is_told), "{headers:?}");

    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    wait_for_session(&mut mosquitto);
    mosquitto.publish(CONTROLLER, "not json");
    publish(&mosquitto, 3..5);
    moved(&site, 1..5);
    assert!(bridge.terminate().success());
    bridge.said("3 records, 2 rows");
    bridge.said("1 rejected as malformed");
    let rejects = site.read("rejects");
    let topic = format!("andon/v1/in/precision-parts/{CONTROLLER}/flow");
    let is_it = |reject: &&Value| reject["source"]["topic"] == topic.as_str();
    assert_eq!(rejects.iter().filter(is_it).count(), 1, "{rejects:?}");
}

/// Reason and topic of a reject, and its offset.
fn position(reject: &Value) -> (String, u64) {
    let source = &reject["source"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reason = text(&reject["reason"]);
    let offset = source["offset"].as_u64().unwrap();
    (format!("{reason} {}", text(&source["topic"])), offset)
}

fn ready(console: &str) -> Result<(), String> {
    check_ready(console, Duration::from_secs(2)).map_err(|error| error.to_string())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}
