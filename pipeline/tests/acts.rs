//! What people decide and what enforcement points answer, in a live run: by the command line, over
//! MQTT by a client that is not ours, across a crash, and in a replay of the recorded run.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
mod plant;
mod watched;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use andon_schemas::notice::Notice;
use andon_schemas::{builtin, hex};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use watched::{PATIENCE, Watched};

const ENFORCER: &str = "fw-cnc";
const HOSTILE: &str = "203.0.113.7";
/// Where safety flows lead: one there breaks nothing, and moves time.
const SAFETY: &str = "10.1.10.250:44818";

/// A run that enforces, with an enforcement point for its first segment.
struct Enforcing {
    folder: PathBuf,
    run: Watched,
    mqtt: u16,
}

fn principal(name: &str, role: &str) -> String {
    let digest = hex(&Sha256::digest(name.as_bytes()));
    format!(
        "[[mqtt.principals]]\nname = \"{name}\"\nrole = \"{role}\"\npassword_sha256 = \"{digest}\"\n"
    )
}

impl Enforcing {
    /// Writes down what it is.
    fn describe(folder: &Path) {
        let inventory = folder.join("inventory.yaml");
        let enforcers = format!(
            "\nenforcement:\n  enforcers:\n    - {{ id: {ENFORCER}, segments: [cnc-safety] }}\n"
        );
        fs::write(&inventory, builtin::INVENTORY.text.to_owned() + &enforcers).unwrap();
        let indicators = folder.join("hostile.txt");
        fs::write(&indicators, format!("{HOSTILE}\n")).unwrap();
        let mut config = format!(
            "mode = \"enforce\"\ninventory = \"{}\"\nindicators = [\"{}\"]\n",
            inventory.display(),
            indicators.display()
        );
        for (name, role) in [
            (ENFORCER, "enforcer"),
            ("fw-other", "enforcer"),
            ("zeek-01", "sensor"),
            ("watcher", "reader"),
        ] {
            write!(config, "{}", principal(name, role)).unwrap();
        }
        fs::write(folder.join("andon.toml"), config).unwrap();
    }

    fn start(folder: &Path, extra: &[&str]) -> Self {
        let mut command = plant::andon();
        command.args(["run", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.arg("--config").arg(folder.join("andon.toml"));
        command.arg("--data").arg(folder.join("data")).args(extra);
        let mut run = Watched::start("run", &mut command);
        let said = run.wait_for("mqtt://");
        let port = said.rsplit(':').next().unwrap().parse().unwrap();
        run.said("serving on");
        Self {
            folder: folder.to_owned(),
            run,
            mqtt: port,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A client that says at once what it has to say.
    fn client(&self, name: &str, who: &str) -> Command {
        let mut client = Command::new("stdbuf");
        client.arg("-oL").arg(broker::tool(name).unwrap());
        client.args(["-h", "127.0.0.1", "-p", &self.mqtt.to_string(), "-u", who]);
        client.args(["-P", who, "-q", "1"]);
        client
    }

    fn publish(&self, who: &str, topic: &str, payload: &Value) {
        let topic = format!("andon/v1/in/precision-parts/{topic}");
        let mut client = self.client("mosquitto_pub", who);
        client.args(["-t", &topic, "-m", &payload.to_string()]);
        assert!(client.status().unwrap().success());
    }

    fn flow(&self, from: &str, to: &str, time: &str) {
        let flow = json!({
            "kind": "flow", "time": time, "orig": format!("{from}:40000"), "resp": to,
            "transport": "udp", "state": "answered", "orig_bytes": 120, "resp_bytes": 40,
        });
        self.publish("zeek-01", "zeek-01/flow", &flow);
    }

    fn ack(&self, who: &str, order: &Value, result: &str) {
        let ack = json!({
            "schema": "andon.ack.v1", "enforcer": who, "result": result,
            "command_id": order["command"]["command_id"], "at": "2025-12-12T09:00:01Z",
        });
        self.publish(who, &format!("{who}/ack"), &ack);
    }

    /// What `andon act` prints.
    fn act(&self, args: &[&str]) -> (bool, String) {
        let mut command = plant::andon();
        command.args(["-o", "json", "act"]).args(args);
        let output = command.arg("--data").arg(self.data()).output().unwrap();
        let said = if output.status.success() {
            output.stdout
        } else {
            output.stderr
        };
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    fn done(&self, args: &[&str]) -> Value {
        let (is_done, said) = self.act(args);
        assert!(is_done, "{args:?}: {said}");
        serde_json::from_str(&said).unwrap()
    }

    fn refused(&self, args: &[&str]) -> String {
        let (is_done, said) = self.act(args);
        assert!(!is_done, "{args:?} was done: {said}");
        said
    }

    /// The newest command about a device, once it is in this state.
    fn until(&self, device: &str, state: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, said) = self.act(&["list", "--state", "all", "--device", device]);
            let first = said.lines().next().map(serde_json::from_str::<Value>);
            if let Some(Ok(order)) = &first
                && order["state"] == state
            {
                return order.clone();
            }
            assert!(Instant::now() < until, "{device} is not {state}: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn audit(&self) -> Vec<AuditEntry> {
        let text = plant::read(&self.data(), "audit.jsonl");
        let text = String::from_utf8(text).unwrap();
        let mut chain = Chain::default();
        let read = text.lines().map(|line| {
            let entry: AuditEntry = serde_json::from_str(line).unwrap();
            let before = chain.number;
            chain.follow(&entry).unwrap();
            assert_eq!(chain.number, before + 1, "nothing stands twice");
            entry
        });
        read.collect()
    }
}

fn id_of(order: &Value) -> &str {
    order["command"]["command_id"].as_str().unwrap()
}

fn has_clients() -> bool {
    let all = ["mosquitto_pub", "mosquitto_sub"]
        .iter()
        .all(|name| broker::tool(name).is_some());
    if !all {
        eprintln!("skipped: the clients of Mosquitto are not installed");
    }
    all
}

#[test]
fn commands_live_from_the_verdict_to_the_answer_and_the_release_across_a_crash() {
    if !has_clients() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    Enforcing::describe(folder.path());
    let mut plant = Enforcing::start(folder.path(), &[]);
    let mut listener = plant.client("mosquitto_sub", ENFORCER);
    listener.args([
        "-v",
        "-d",
        "-t",
        "andon/v1/out/precision-parts/+/enforcement",
    ]);
    let mut listener = Watched::start("mosquitto_sub", &mut listener);
    listener.wait_for("Subscribed");

    // A safety-critical device is quarantined at once: its safety flow stays open.
    let device = "cnc-controller-01-0001";
    plant.flow(
        "10.1.10.1",
        &format!("{HOSTILE}:4444"),
        "2025-12-12T09:00:00Z",
    );
    let issued = plant.until(device, "issued");
    assert_eq!(issued["command"]["response"]["action"], "quarantine");
    assert_ne!(issued["command"]["response"]["exceptions"], json!([]));
    let told = listener.wait_for(&format!("{device}/enforcement {{"));
    assert!(told.contains("\"action\":\"quarantine\""), "{told}");
    assert!(!told.contains("verdict"), "{told}");

    // Only who answers for the segment is believed, and only once.
    plant.ack("fw-other", &issued, "done");
    plant.ack(
        ENFORCER,
        &json!({ "command": { "command_id": "made-up" } }),
        "done",
    );
    plant.ack(ENFORCER, &issued, "done");
    plant.ack(ENFORCER, &issued, "done");
    let acknowledged = plant.until(device, "acknowledged");
    assert_eq!(acknowledged["by"], ENFORCER);

    // Whoever stops something that others depend on decides that himself.
    let gateway = "gw-cnc-safety";
    plant.flow(
        "10.1.10.240",
        &format!("{HOSTILE}:4444"),
        "2025-12-12T09:00:10Z",
    );
    let proposed = plant.until(gateway, "proposed");
    let why = plant.refused(&["release", id_of(&proposed), "--reason", "a test"]);
    assert!(why.contains("it was not issued"), "{why}");
    let approved = plant.done(&["approve", id_of(&proposed), "--reason", "seen on site"]);
    assert_eq!(
        (&approved["state"], &approved["by"]),
        (&json!("issued"), &json!("operator"))
    );
    listener.wait_for(&format!("{gateway}/enforcement {{"));

    // Killed, it still knows all of it.
    plant.run.kill();
    let mut plant = Enforcing::start(folder.path(), &[]);
    plant.until(device, "acknowledged");
    plant.until(gateway, "issued");
    let released = plant.done(&["release", id_of(&issued), "--reason", "reimaged"]);
    assert_eq!(released["state"], "released");
    let over = plant.refused(&["release", id_of(&issued), "--reason", "again"]);
    assert!(over.contains("it is over already"), "{over}");

    // Nobody answered for the gateway in time.
    for (second, host) in [(2, "10.1.10.9"), (3, "10.1.10.10"), (4, "10.1.10.11")] {
        plant.flow(host, SAFETY, &format!("2025-12-12T09:02:0{second}Z"));
    }
    plant.until(gateway, "timed_out");
    assert!(plant.run.terminate().success());

    what_is_left_of_it(&plant);
}

/// The audit trail and the rejects of that run.
fn what_is_left_of_it(plant: &Enforcing) {
    let audit = plant.audit();
    let events: Vec<&str> = audit.iter().map(|entry| entry.event.as_str()).collect();
    let number = |event: &str| events.iter().filter(|e| **e == event).count();
    assert_eq!(number("ack"), 1, "{events:?}");
    assert_eq!(number("ack_refused"), 2, "{events:?}");
    assert_eq!(number("act"), 2, "{events:?}");
    assert_eq!(number("act_refused"), 2, "{events:?}");
    let rejects = plant::lines(&plant::read(&plant.data(), "rejects.jsonl"));
    let refused: Vec<&Value> = rejects
        .iter()
        .filter(|reject| reject["reason"] == "refused_ack")
        .collect();
    assert!(refused.len() >= 2, "{rejects:?}");
    let said = refused.iter().map(|reject| reject["detail"].to_string());
    let said = said.collect::<String>();
    assert!(said.contains("does not answer for the segment"), "{said}");
    assert!(said.contains("`made-up`"), "{said}");
    // Written again after the kill, perhaps; never another one under the same name.
    let mut told = BTreeMap::new();
    for notice in plant::lines(&plant::read(&plant.data(), "notices.jsonl")) {
        let notice: Notice = serde_json::from_value(notice).unwrap();
        if let Some(before) = told.insert(notice.id(), notice.clone()) {
            assert_eq!(before, notice);
        }
    }
    assert!(told.keys().any(|id| id.ends_with("-timed_out")), "{told:?}");
}

#[test]
fn a_recorded_run_replays_its_commands_and_its_audit_trail_byte_for_byte() {
    if !has_clients() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().join("recorded.ndjson");
    let capture = recorded.to_string_lossy().into_owned();
    Enforcing::describe(folder.path());
    let mut plant = Enforcing::start(folder.path(), &["--capture", &capture]);
    let device = "cnc-controller-01-0001";
    plant.flow(
        "10.1.10.1",
        &format!("{HOSTILE}:4444"),
        "2025-12-12T09:00:00Z",
    );
    let issued = plant.until(device, "issued");
    plant.ack("fw-other", &issued, "done");
    plant.ack(ENFORCER, &issued, "failed");
    plant.until(device, "failed");
    let by_hand = plant.done(&[
        "quarantine",
        "cnc-controller-01-0002",
        "--reason",
        "a laptop was seen on it",
        "--hours",
        "2",
    ]);
    assert_eq!(by_hand["state"], "issued");
    plant.flow("10.1.10.2", SAFETY, "2025-12-12T09:01:00Z");
    plant.done(&["suppress", device, "--reason", "being repaired"]);
    plant.done(&["release", "--device", device, "--reason", "repaired"]);
    assert!(plant.run.terminate().success());

    for shards in ["1", "2"] {
        let again = folder.path().join(format!("again-{shards}"));
        let out = again.to_string_lossy();
        plant::run(&["backtest", &capture, "--out", &out, "--shards", shards]);
        for file in [
            "verdicts.jsonl",
            "commands.jsonl",
            "audit.jsonl",
            "incidents.jsonl",
            "notices.jsonl",
            "rejects.jsonl",
        ] {
            let live = plant::read(&plant.data(), file);
            assert!(!live.is_empty(), "{file}");
            let replayed = plant::read(&again, file);
            assert!(
                live == replayed,
                "{file}: {} and {}",
                String::from_utf8_lossy(&live),
                String::from_utf8_lossy(&replayed)
            );
        }
    }
}
