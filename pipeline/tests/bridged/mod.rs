//! What the tests of the bridge share: topics that are not ours, flows that are published or produced
//! by clients that are not ours, and what has come of them.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use andon_console::check_ready;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use serde_json::{Value, json};

use crate::broker::{Broker, tool};
use crate::kafka_plant::Site;
use crate::plant;
use crate::watched::{PATIENCE, Watched};

pub(crate) const CONTROLLER: &str = "cnc-controller-01-0001";

/// Makes a topic that is not one of ours.
pub(crate) fn make_topic(site: &Site, name: &str, partitions: i32) {
    make_topic_with(site, name, partitions, &[]);
}

/// The same, with settings.
pub(crate) fn make_topic_with(site: &Site, name: &str, partitions: i32, settings: &[(&str, &str)]) {
    let topic = site.topic(name);
    let admin: AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", &site.addresses)
        .create()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let topic = NewTopic::new(&topic, partitions, TopicReplication::Fixed(-1));
    let topic = settings
        .iter()
        .fold(topic, |topic, (key, value)| topic.set(key, value));
    // The answer comes once whoever asks is told of the topic.
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let made = runtime.block_on(admin.create_topics([&topic], &options));
    for result in made.unwrap() {
        result.unwrap();
    }
}

/// Moves a topic to its end; returns the summary.
pub(crate) fn move_topic(site: &Site, folder: &Path, name: &str, more: &[&str]) -> Value {
    move_topic_with(site, folder, name, "", more)
}

/// The same, with more in the configuration.
pub(crate) fn move_topic_with(
    site: &Site,
    folder: &Path,
    name: &str,
    config: &str,
    more: &[&str],
) -> Value {
    let config = site.config(folder, "bridge", &format!("epoch = \"50ms\"\n{config}"));
    let config = config.to_string_lossy();
    let topic = site.topic(name);
    let args = ["bridge", "-c", &config, "--from-topic", &topic];
    let output = plant::run(&[&args[..], &["--drain", "-o", "json"], more].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The partition and the key of every observation.
pub(crate) fn places(site: &Site) -> Vec<(usize, String)> {
    let topic = site.topic("observations");
    let mut kcat = Command::new("kcat");
    kcat.args(["-b", &site.addresses, "-C", "-t", &topic, "-e", "-q"]);
    let output = kcat.args(["-f", "%p %k\\n"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let (partition, key) = line.split_once(' ').unwrap();
            (partition.parse().unwrap(), key.to_owned())
        })
        .collect()
}

/// A bridge from a topic that goes on until it is told to stop, once it has said what it does.
pub(crate) fn start_from(
    site: &Site,
    folder: &Path,
    instance: &str,
    name: &str,
    args: &[&str],
) -> Watched {
    let config = site.config(folder, instance, "epoch = \"50ms\"");
    let topic = site.topic(name);
    let mut command = plant::andon();
    command.arg("bridge").arg("-c").arg(config);
    command.args(["--from-topic", &topic]).args(args);
    command.env("RUST_LOG", "andon=info");
    let mut bridge = Watched::start(instance, &mut command);
    bridge.wait_for(&format!("moving {topic} to"));
    bridge
}

/// The bridge from a Mosquitto, once it has said what it does.
pub(crate) fn start(site: &Site, folder: &Path, mosquitto: &Broker, args: &[&str]) -> Watched {
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
pub(crate) fn wait_for_session(mosquitto: &mut Broker) {
    mosquitto.wait_for("bridge 1 andon/v1/in/precision-parts/#");
}

/// A flow of the controller to nowhere that any profile names.
pub(crate) fn flow(seq: u64) -> String {
    let (s, ms) = (seq / 100 % 60, seq % 100 * 10);
    json!({
        "kind": "flow", "seq": seq, "time": format!("2025-12-12T09:{:02}:{s:02}.{ms:03}Z", seq / 6_000),
        "orig": "10.1.10.1:40000", "resp": "203.0.113.7:4444", "transport": "udp",
        "state": "answered", "orig_bytes": 120, "resp_bytes": 40,
    })
    .to_string()
}

/// A publisher that sends the flows of these numbers and ends once all are acknowledged.
pub(crate) fn publisher(mosquitto: &Broker, numbers: std::ops::Range<u64>) -> Child {
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

pub(crate) fn publish(mosquitto: &Broker, numbers: std::ops::Range<u64>) {
    assert!(publisher(mosquitto, numbers).wait().unwrap().success());
}

/// How often each number is in the topic of observations, once all of them are.
pub(crate) fn moved(site: &Site, numbers: std::ops::Range<u64>) -> BTreeMap<u64, usize> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut found = BTreeMap::new();
        for row in site.read("observations") {
            assert_eq!(row["device"], CONTROLLER);
            *found.entry(row["seq"].as_u64().unwrap()).or_default() += 1;
        }
        let missing = numbers.clone().filter(|n| !found.contains_key(n));
        let missing: Vec<u64> = missing.collect();
        if missing.is_empty() {
            return found;
        }
        assert!(
            Instant::now() < until,
            "{} messages are not there, the first is {:?}",
            missing.len(),
            missing.first()
        );
        thread::sleep(Duration::from_millis(200));
    }
}

/// Whether whoever asks over HTTP is told that all is well; else why not.
pub(crate) fn ready(console: &str) -> Result<(), String> {
    check_ready(console, Duration::from_secs(2)).map_err(|error| error.to_string())
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}
