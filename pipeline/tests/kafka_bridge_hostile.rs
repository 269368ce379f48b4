//! What clients may send to a bridge, by its own endpoint or a Mosquitto: whatever it is, it becomes a
//! row or a reject, and what comes after it is moved.
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

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::bridged::{CONTROLLER, flow, moved, publisher, start, wait_for_session};
use self::broker::{Broker, tool};
use self::kafka_plant::{Luck, Site, cluster};
use self::watched::{PATIENCE, Watched};

/// A bridge with an endpoint of its own, and the endpoint's port.
fn listen(site: &Site, folder: &Path) -> (Watched, u16) {
    let config = site.config(folder, "bridge", "[mqtt]\nlisten = \"127.0.0.1:0\"");
    let mut command = plant::andon();
    command.arg("bridge").arg("-c").arg(config);
    let mut bridge = Watched::start("bridge", &mut command);
    let said = bridge.wait_for("moving whoever publishes to mqtt://127.0.0.1:");
    let port = said.split("127.0.0.1:").nth(1).unwrap();
    let port = port.split(' ').next().unwrap().parse().unwrap();
    (bridge, port)
}

/// Sends one message below the site's branch; the client may be refused.
fn send(port: u16, below: &str, payload: &[u8], args: &[&str]) {
    let topic = format!("andon/v1/in/precision-parts/{below}");
    let mut client = Command::new(tool("mosquitto_pub").unwrap());
    client.args([
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-t",
        &topic,
        "-s",
    ]);
    client.args(args).stderr(Stdio::null());
    let mut client = client.stdin(Stdio::piped()).spawn().unwrap();
    // Who is refused does not read to the end.
    let _sent = client.stdin.take().unwrap().write_all(payload).is_ok();
    let _ended = client.wait().unwrap();
}

/// Sends messages of all sorts; returns the numbers of the flows among them and how many of the
/// others are rejected for which reason.
fn send_all_sorts(
    port: u16,
    luck: &mut Luck,
) -> (std::ops::Range<u64>, BTreeMap<&'static str, u64>) {
    let device = format!("{CONTROLLER}/flow");
    let mut number = 0;
    let ways: [&[&str]; 5] = [
        &["-q", "1", "-V", "mqttv311"],
        &[
            "-q",
            "1",
            "-V",
            "mqttv5",
            "-D",
            "publish",
            "user-property",
            "a",
            "b",
        ],
        &["-q", "1", "-r"],
        &["-q", "0"],
        &["-q", "2"],
    ];
    for way in ways {
        send(port, &device, flow(number).as_bytes(), way);
        number += 1;
    }
    let shouted = device.to_uppercase().replace("FLOW", "flow");
    send(port, &shouted, flow(number).as_bytes(), &["-q", "1"]);
    number += 1;
    let noise: Vec<u8> = (0..5_000)
        .map(|_| luck.below(256).to_le_bytes()[0])
        .collect();
    let deep = "[".repeat(200_000);
    let odd = flow(9_999).replace(":120,", ":1e999,");
    let malformed = [&noise[..], b"\0", b"null", deep.as_bytes(), odd.as_bytes()];
    for payload in malformed {
        send(port, &device, payload, &["-q", "1"]);
    }
    let long = "x".repeat(2_000);
    let elsewhere = [
        "flow",
        "//flow",
        "a b/flow",
        "x/nothing",
        "x/flow/more",
        &long,
    ];
    for below in elsewhere {
        send(port, below, flow(9_999).as_bytes(), &["-q", "1"]);
    }
    send(port, &device, &vec![b' '; 3 << 20], &["-q", "1"]);
    let rejects = BTreeMap::from([
        ("malformed", malformed.len() as u64),
        ("wrong_topic", elsewhere.len() as u64),
        ("oversized", 1),
    ]);
    // And it goes on.
    send(port, &device, flow(number).as_bytes(), &["-q", "1"]);
    (0..number + 1, rejects)
}

/// How many rejects there are for each reason, once there are so many, or no more come.
fn rejects(site: &Site, total: u64) -> BTreeMap<String, u64> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut found = BTreeMap::new();
        for reject in site.read("rejects") {
            let reason = reject["reason"].as_str().unwrap().to_owned();
            *found.entry(reason).or_default() += 1;
        }
        if found.values().sum::<u64>() >= total || Instant::now() > until {
            return found;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn whatever_is_sent_is_moved_or_rejected_and_what_follows_it_is_moved() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let mut luck = Luck::new("bridge-hostile");
    let folder = tempfile::tempdir().unwrap();
    for (name, is_own) in [("bridge-endpoint", true), ("bridge-broker", false)] {
        let site = Site::new(kafka.addresses(), name);
        let (mut bridge, port) = if is_own {
            listen(&site, folder.path())
        } else {
            let bridge = start(&site, folder.path(), &mosquitto, &[]);
            wait_for_session(&mut mosquitto);
            (bridge, mosquitto.port)
        };
        let (numbers, expected) = send_all_sorts(port, &mut luck);
        let found = moved(&site, numbers.clone());
        assert!(found.values().all(|times| *times == 1), "{name}: {found:?}");
        let total: u64 = expected.values().sum();
        let expected = expected
            .into_iter()
            .map(|(reason, n)| (reason.to_owned(), n));
        assert_eq!(rejects(&site, total), expected.collect(), "{name}");
        assert!(bridge.terminate().success(), "{name}");
        site.drain(folder.path(), name, "");
        let summary = plant::read(&folder.path().join(name), "summary.json");
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        assert_eq!(summary["rejects"], json!({}), "{name}");
    }
}

#[test]
fn a_broker_that_goes_every_few_seconds_costs_nothing_that_it_acknowledged() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let mut luck = Luck::new("bridge-drops");
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-drops");
    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    wait_for_session(&mut mosquitto);
    let mut end = 0;
    for _ in 0..6 {
        let mut publishing = publisher(&mosquitto, end..end + 200);
        end += 200;
        thread::sleep(luck.millis(0, 1_500));
        assert!(publishing.wait().unwrap().success());
        mosquitto.stop();
        thread::sleep(luck.millis(0, 1_500));
        mosquitto.start();
    }
    moved(&site, 0..end);
    assert!(bridge.terminate().success());
}
