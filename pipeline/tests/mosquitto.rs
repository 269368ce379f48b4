//! The live pipeline with a broker and clients that are not ours: a real Mosquitto, its publisher
//! and its subscriber. Without Mosquitto on the machine these tests say that they were skipped.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod plant;
mod watched;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::watched::Watched;

/// An ingest broker drops nothing that it has acknowledged, and keeps it on disk. It logs
/// everything: the tests wait for what it says.
const CONFIG: &str = "\
    allow_anonymous true\n\
    max_inflight_messages 0\n\
    max_queued_messages 0\n\
    persistence true\n\
    autosave_on_changes true\n\
    autosave_interval 1\n\
    log_dest stderr\n\
    log_type all\n\
    user root\n";

/// How many ports are tried: another process may take a free one first.
const PORTS: usize = 5;

const CONTROLLER: &str = "cnc-controller-01-0001";
const OTHER: &str = "cnc-controller-01-0002";

/// A broker that may run or not.
struct Broker {
    binary: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Watched>,
}

impl Broker {
    /// A broker that does not run yet; `None`, after saying so, if the machine has no Mosquitto.
    fn absent() -> Option<Self> {
        let found = tool("mosquitto")
            .filter(|_| tool("mosquitto_pub").is_some() && tool("mosquitto_sub").is_some());
        let Some(binary) = found else {
            eprintln!("skipped: mosquitto and its clients are not installed");
            return None;
        };
        let mut broker = Self {
            binary,
            folder: tempfile::tempdir().unwrap(),
            port: 0,
            process: None,
        };
        broker.take_a_port();
        Some(broker)
    }

    fn take_a_port(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.port = listener.local_addr().unwrap().port();
        let config = format!(
            "listener {} 127.0.0.1\npersistence_location {}/\n{CONFIG}",
            self.port,
            self.folder.path().display()
        );
        fs::write(self.folder.path().join("mosquitto.conf"), config).unwrap();
    }

    /// A broker that runs.
    fn running() -> Option<Self> {
        let mut broker = Self::absent()?;
        for _ in 0..PORTS {
            if broker.try_to_start() {
                return Some(broker);
            }
            broker.take_a_port();
        }
        panic!("mosquitto does not start");
    }

    fn start(&mut self) {
        assert!(self.try_to_start(), "mosquitto does not start");
    }

    fn try_to_start(&mut self) -> bool {
        let config = self.folder.path().join("mosquitto.conf");
        let mut command = Command::new(&self.binary);
        let mut process = Watched::start("mosquitto", command.arg("-c").arg(config));
        let is_running = process.find(|line| line.ends_with(" running")).is_some();
        self.process = is_running.then_some(process);
        is_running
    }

    /// Ends it as an administrator would, so that it saves what it holds.
    fn stop(&mut self) {
        self.process.take().unwrap().terminate();
    }

    fn wait_for(&mut self, text: &str) {
        self.process.as_mut().unwrap().wait_for(text);
    }

    /// One of Mosquitto's clients, told where the broker is.
    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(tool(name).unwrap());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command
    }

    /// Publishes and waits until the broker has acknowledged it.
    fn publish(&self, device: &str, payload: &str) {
        let topic = format!("andon/v1/in/precision-parts/{device}/flow");
        let mut client = self.client("mosquitto_pub");
        client.args(["-q", "1", "-t", &topic, "-m", payload]);
        assert!(client.status().unwrap().success());
    }

    /// A subscriber to everything that comes out, once the broker has accepted it.
    fn reader(&mut self) -> Watched {
        let mut client = self.client("mosquitto_sub");
        client.args(["-i", "reader", "-v", "-t", "andon/v1/out/#"]);
        let reader = Watched::start("mosquitto_sub", &mut client);
        self.wait_for("reader 0 andon/v1/out/#");
        reader
    }

    /// `andon run` on this broker, which may not run yet.
    fn andon(&self, data: &Path, is_trusted: bool) -> Watched {
        let config = self.folder.path().join("andon.toml");
        fs::write(&config, format!("[mqtt]\ntrusted_topics = {is_trusted}\n")).unwrap();
        let address = format!("mqtt://127.0.0.1:{}", self.port);
        let mut command = plant::andon();
        command
            .args(["run", "--mqtt", &address, "--config"])
            .arg(config);
        command.arg("--data").arg(data);
        let mut run = Watched::start("andon", &mut command);
        let said = run.wait_for("reading andon/v1/in/precision-parts/#");
        assert!(said.ends_with(&address), "{said}");
        run
    }

    /// Waits until `andon run` may be sent something.
    fn wait_for_andon(&mut self) {
        self.wait_for("andon 1 andon/v1/in/precision-parts/#");
    }

    /// The message that the broker keeps for a topic.
    fn retained(&self, topic: &str) -> Value {
        let mut client = self.client("mosquitto_sub");
        client.args(["--retained-only", "-C", "1", "-W", "60", "-t", topic]);
        let output = client.output().unwrap();
        assert!(
            output.status.success(),
            "the broker keeps nothing for {topic}"
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Debian keeps the broker where only root looks.
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A flow of a controller on a Friday morning.
fn flow(from: &str, to: &str, seq: u64) -> String {
    json!({
        "kind": "flow", "time": format!("2025-12-12T09:00:{:02}Z", seq % 60), "seq": seq,
        "orig": format!("{from}:40000"), "resp": to, "transport": "udp", "state": "answered",
        "orig_bytes": 120, "resp_bytes": 40,
    })
    .to_string()
}

/// A flow to nowhere that any profile names.
fn to_unknown(from: &str, seq: u64) -> String {
    flow(from, "203.0.113.7:4444", seq)
}

/// A flow as the profile has it: to the safety PLC.
fn as_usual(from: &str, seq: u64) -> String {
    flow(from, "10.1.10.250:44818", seq)
}

/// The next verdict that a subscriber reads.
fn verdict(reader: &mut Watched) -> Value {
    let line = reader.wait_for("/verdict {");
    let (topic, payload) = line.split_once(' ').unwrap();
    let verdict: Value = serde_json::from_str(payload).unwrap();
    let device = verdict["device_id"].as_str().unwrap();
    assert_eq!(
        topic,
        format!("andon/v1/out/precision-parts/{device}/verdict")
    );
    verdict
}

fn detectors(verdict: &Value) -> Vec<&str> {
    let findings = verdict["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|f| f["detector"].as_str().unwrap())
        .collect()
}

#[test]
fn an_unknown_destination_comes_back_as_a_critical_verdict() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut reader = broker.reader();
    let mut run = broker.andon(folder.path(), true);
    broker.wait_for_andon();
    broker.publish(CONTROLLER, &to_unknown("10.1.10.1", 1));
    let verdict = verdict(&mut reader);
    assert_eq!(verdict["device_id"], CONTROLLER);
    assert_eq!(verdict["grade"], "CRITICAL");
    assert_eq!(verdict["response"]["action"], "quarantine");
    assert!(
        detectors(&verdict).contains(&"unknown_destination"),
        "{verdict}"
    );
    let source = &verdict["findings"][0]["source"][0];
    assert_eq!(
        source["topic"],
        format!("andon/v1/in/precision-parts/{CONTROLLER}/flow")
    );
    reader.wait_for("/risk {");
    let risk = broker.retained(&format!("andon/v1/out/precision-parts/{CONTROLLER}/risk"));
    assert_eq!(risk["band"], "critical");
    assert_eq!(risk["verdict_id"], verdict["verdict_id"]);
    assert!(run.terminate().success());
    let kept = plant::lines(&plant::read(folder.path(), "verdicts.jsonl"));
    assert_eq!(kept, [verdict]);
}

#[test]
fn a_topic_that_the_broker_does_not_guard_proves_no_more_than_medium() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut reader = broker.reader();
    let mut run = broker.andon(folder.path(), false);
    broker.wait_for_andon();
    broker.publish(CONTROLLER, &to_unknown("10.1.10.1", 1));
    let verdict = verdict(&mut reader);
    assert_eq!(verdict["device_id"], CONTROLLER);
    assert!(
        detectors(&verdict).contains(&"unknown_destination"),
        "{verdict}"
    );
    assert_eq!(verdict["grade"], "MEDIUM");
    assert_eq!(verdict["response"]["action"], "watch");
    assert!(run.terminate().success());
}

#[test]
fn a_broker_that_comes_later_is_waited_for() {
    let Some(mut broker) = Broker::absent() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = broker.andon(folder.path(), true);
    let said = run.wait_for("no connection, trying again");
    assert!(
        said.contains(&format!("mqtt://127.0.0.1:{}", broker.port)),
        "{said}"
    );
    broker.start();
    broker.wait_for_andon();
    broker.publish(CONTROLLER, &to_unknown("10.1.10.1", 1));
    run.wait_for("CRITICAL");
    assert!(run.terminate().success());
}

#[test]
fn a_broker_that_restarts_loses_nothing_that_was_acknowledged() {
    const EACH: u64 = 25;
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = broker.andon(folder.path(), true);
    broker.wait_for_andon();
    for seq in 0..EACH {
        broker.publish(CONTROLLER, &as_usual("10.1.10.1", seq));
    }
    broker.stop();
    run.wait_for("no connection, trying again");
    broker.start();
    for seq in EACH..2 * EACH {
        broker.publish(CONTROLLER, &as_usual("10.1.10.1", seq));
    }
    // A broker keeps the order of a client's messages: after this one, all the others are in.
    broker.publish(OTHER, &to_unknown("10.1.10.2", 1));
    run.wait_for("CRITICAL");
    assert!(run.terminate().success());
    let summary: Value =
        serde_json::from_slice(&plant::read(folder.path(), "summary.json")).unwrap();
    let count = |name: &str| summary[name].as_u64().unwrap();
    let sent = 2 * EACH + 1;
    assert_eq!(count("observations"), sent, "{summary}");
    // The broker may send some twice. They are recognised.
    assert_eq!(count("records"), sent + count("duplicates"), "{summary}");
    assert_eq!(summary["rejects"], json!({}));
}

#[test]
fn what_cannot_be_read_is_rejected_with_its_topic_and_number() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = broker.andon(folder.path(), true);
    broker.wait_for_andon();
    broker.publish(CONTROLLER, "{\"kind\":\"flow\"");
    broker.publish(CONTROLLER, "");
    broker.publish("tower/of/babel", &as_usual("10.1.10.1", 1));
    broker.publish(CONTROLLER, &as_usual("10.1.10.1", 1).replace("120", "-120"));
    broker.publish(OTHER, &to_unknown("10.1.10.2", 1));
    run.wait_for("CRITICAL");
    assert!(run.terminate().success());
    let rejects = plant::lines(&plant::read(folder.path(), "rejects.jsonl"));
    let told: Vec<_> = rejects
        .iter()
        .map(|r| {
            (
                r["reason"].as_str().unwrap(),
                r["source"]["offset"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("malformed", 1),
        ("malformed", 2),
        ("wrong_topic", 3),
        ("out_of_range", 4),
    ];
    assert_eq!(told, expected);
    for reject in &rejects {
        let topic = reject["source"]["topic"].as_str().unwrap();
        assert!(
            topic.starts_with("andon/v1/in/precision-parts/"),
            "{reject}"
        );
        assert!(!reject["detail"].as_str().unwrap().is_empty(), "{reject}");
    }
}
