//! The live pipeline with a broker and clients that are not ours: a real Mosquitto, its publisher
//! and its subscriber. Without Mosquitto on the machine these tests say that they were skipped.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
mod plant;
mod watched;

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use self::broker::{Broker, tool};
use self::watched::{PATIENCE, Watched};

const SHA256_OF_SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

const CONTROLLER: &str = "cnc-controller-01-0001";
const OTHER: &str = "cnc-controller-01-0002";
const THIRD: &str = "cnc-controller-01-0003";

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
    assert!(risk.to_string().len() < 200, "{risk}");
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
    let said = run.said("no connection, trying again");
    assert!(
        said.contains(&format!("mqtt://127.0.0.1:{}", broker.port)),
        "{said}"
    );
    assert!(
        !said.contains('\x1b'),
        "it is coloured for no terminal: {said}"
    );
    broker.start();
    broker.wait_for_andon();
    broker.publish(CONTROLLER, &to_unknown("10.1.10.1", 1));
    run.wait_for("CRITICAL");
    assert!(run.terminate().success());
}

#[test]
fn a_broker_that_takes_nothing_any_more_ends_the_publishing() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("capture.ndjson");
    // One at once, and five seconds later more than may be under way.
    let at = |second| {
        let time = format!("2025-12-12T09:00:0{second}Z");
        json!({ "kind": "reading", "device": "d", "time": time, "current_a": 3.0 }).to_string()
    };
    let lines: Vec<String> = [at(0)]
        .into_iter()
        .chain((0..20_000).map(|_| at(5)))
        .collect();
    fs::write(&capture, lines.join("\n")).unwrap();
    let mut command = plant::andon();
    command.arg("publish").arg(&capture);
    command.args(["--mqtt", &format!("127.0.0.1:{}", broker.port)]);
    command.args(["--speed", "1", "--connect-timeout", "1s"]);
    let mut publish = Watched::start("andon publish", &mut command);
    broker.wait_for("Received PUBLISH from andon-publish-");
    broker.hold();
    publish.wait_for("takes nothing any more after");
    assert_eq!(publish.wait().code(), Some(1));
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
fn a_run_that_is_killed_loses_nothing_that_was_acknowledged() {
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
    broker.publish(OTHER, &to_unknown("10.1.10.2", 1));
    run.wait_for("CRITICAL");
    // Dropping kills: it saves nothing, and only its log knows what it has acknowledged.
    drop(run);
    for seq in EACH..2 * EACH {
        broker.publish(CONTROLLER, &as_usual("10.1.10.1", seq));
    }
    broker.publish(THIRD, &to_unknown("10.1.10.3", 1));
    let mut run = broker.andon(folder.path(), true);
    run.find(|line| line.contains("CRITICAL") && line.contains(THIRD))
        .expect("it goes on");
    assert!(run.terminate().success());
    let summary: Value =
        serde_json::from_slice(&plant::read(folder.path(), "summary.json")).unwrap();
    assert_eq!(summary["observations"], 2 * EACH + 2, "{summary}");
    let verdicts = plant::lines(&plant::read(folder.path(), "verdicts.jsonl"));
    for device in [OTHER, THIRD] {
        assert!(
            verdicts.iter().any(|v| v["device_id"] == device),
            "{device}"
        );
    }
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
    // Entry 1 of the log says what everything is measured against.
    let expected = [
        ("malformed", 2),
        ("malformed", 3),
        ("wrong_topic", 4),
        ("out_of_range", 5),
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

#[test]
fn the_embedded_endpoint_serves_clients_that_are_not_ours() {
    let (Some(publisher), Some(reader)) = (tool("mosquitto_pub"), tool("mosquitto_sub")) else {
        eprintln!("skipped: the clients of mosquitto are not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("andon.toml");
    let principal = format!(
        "[[mqtt.principals]]\nname = \"{CONTROLLER}\"\nrole = \"device\"\n\
         password_sha256 = \"{SHA256_OF_SECRET}\"\n"
    );
    fs::write(&config, principal).unwrap();
    let data = folder.path().join("data");
    let mut command = plant::andon();
    command.args(["run", "--mqtt", "127.0.0.1:0", "--config"]);
    command.arg(&config).arg("--data").arg(&data);
    let mut run = Watched::start("andon", &mut command);
    let said = run.wait_for("listening on mqtt://127.0.0.1:");
    let port = said.rsplit(':').next().unwrap().to_owned();
    let at = ["-h", "127.0.0.1", "-p", &port];
    let topic = format!("andon/v1/in/precision-parts/{CONTROLLER}/flow");
    let publish = |user: &[&str]| {
        let payload = to_unknown("10.1.10.1", 1);
        let mut client = Command::new(&publisher);
        client
            .args(at)
            .args(user)
            .args(["-q", "1", "-t", &topic, "-m", &payload]);
        client.stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(!publish(&["-u", CONTROLLER, "-P", "guessed"]));
    assert!(publish(&["-u", CONTROLLER, "-P", "secret"]));
    run.wait_for("CRITICAL");
    // Verdicts and risk are for those who may read them.
    let token = fs::read_to_string(data.join("reader.token")).unwrap();
    let topic = format!("andon/v1/out/precision-parts/{CONTROLLER}/risk");
    let mut client = Command::new(&reader);
    client.args(at).args(["-u", "reader", "-P", token.trim()]);
    let output = client
        .args(["-C", "1", "-W", "60", "-t", &topic])
        .output()
        .unwrap();
    let risk: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(risk["band"], "critical");
    assert!(run.terminate().success());
    let summary: Value = serde_json::from_slice(&plant::read(&data, "summary.json")).unwrap();
    assert_eq!(summary["records"], 1, "the guess was let in: {summary}");
}

/// Profiles in the shadow of a run raise what the run permits, and nobody but who asks hears of it.
#[test]
fn a_broker_hears_nothing_of_a_shadow() {
    let Some(mut broker) = Broker::running() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let active = plant::permitting(folder.path(), "active", "cnc_controller", "203.0.113.7");
    let active = active.to_string_lossy();
    let mut reader = broker.reader();
    let extra = ["--profiles", &*active, "--shadow", plant::PROFILES];
    let mut run = broker.andon_with(&data, true, &extra);
    broker.wait_for_andon();
    broker.publish(CONTROLLER, &to_unknown("10.1.10.1", 1));
    let since = Instant::now();
    // Asked while the run goes on: it looks after its shadow once a second, if nothing comes.
    let change = loop {
        let folder = data.to_string_lossy();
        let told = plant::run(&["shadow", "--data", &*folder, "-o", "json"]);
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        let changes = told["changes"].as_array().unwrap().clone();
        let mut both = changes.iter().filter(|change| !change["after"].is_null());
        if let Some(change) = both.next() {
            break change.clone();
        }
        assert!(since.elapsed() < PATIENCE, "{told}");
    };
    assert_eq!(
        (&change["device_id"], &change["change"]),
        (&json!(CONTROLLER), &json!("worse"))
    );
    assert_eq!(change["after"]["grade"], "CRITICAL");
    let why = change["reasons"].to_string();
    assert!(why.contains("destinations: 203.0.113.7"), "{why}");

    // The policy of the segment forbids it, too: that is all that is heard.
    broker.publish(OTHER, &flow("10.1.10.2", "203.0.113.8:4444", 1));
    let mut about_it = String::new();
    loop {
        let line = reader.find(|_| true).unwrap();
        if line.contains("/verdict {") && line.contains(OTHER) {
            break;
        }
        about_it += &line.to_lowercase();
    }
    assert!(about_it.contains(CONTROLLER) && about_it.contains("high"));
    assert!(!about_it.contains("critical"), "{about_it}");
    assert!(run.terminate().success());
}
