//! What people decide and what enforcement points answer on a real Kafka: handed in at any process
//! of the group, done once by the one that has the device's segment, across kills, in an audit
//! trail whose chains hold.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;
mod watched;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon_respond::key_of;
use andon_schemas::builtin;
use andon_schemas::command::Action;
use andon_schemas::identity::DeviceId;
use serde_json::{Value, json};
use watched::{PATIENCE, Watched};

use self::kafka_plant::{Site, cluster};

const ENFORCER: &str = "fw-cnc";
const HOSTILE: &str = "203.0.113.7:4444";
const DEVICE: &str = "cnc-controller-01-0001";
const GATEWAY: &str = "gw-cnc-safety";

/// One process of the group.
struct Process {
    run: Watched,
    data: PathBuf,
}

impl Process {
    /// Starts one that enforces, with an enforcement point for the first segment.
    fn start(site: &Site, folder: &Path, name: &str) -> Self {
        Self::start_as(site, folder, name, &|config| config)
    }

    /// The same, with another configuration.
    fn start_as(site: &Site, folder: &Path, name: &str, other: &dyn Fn(String) -> String) -> Self {
        let inventory = folder.join("inventory.yaml");
        let enforcement = format!(
            "\nenforcement:\n  acknowledge_within: 5s\n  enforcers:\n    - {{ id: {ENFORCER}, \
             segments: [cnc-safety] }}\n"
        );
        fs::write(
            &inventory,
            builtin::INVENTORY.text.to_owned() + &enforcement,
        )
        .unwrap();
        let indicators = folder.join("hostile.txt");
        fs::write(&indicators, "203.0.113.7\n").unwrap();
        let config = site.config(folder, name, "");
        let own = fs::read_to_string(&config).unwrap();
        let text = format!(
            "mode = \"enforce\"\ninventory = \"{}\"\nindicators = [\"{}\"]\n",
            inventory.display(),
            indicators.display()
        );
        fs::write(&config, text + &other(own)).unwrap();
        let mut command = plant::andon();
        command.args(["run", "--http", "127.0.0.1:0", "--config"]);
        let mut run = Watched::start(name, command.arg(config));
        run.said("reading");
        Self {
            run,
            data: folder.join(name),
        }
    }

    /// What `andon act` says, and whether it was done.
    fn act(&self, args: &[&str]) -> (bool, String) {
        self.ask("act", args)
    }

    fn ask(&self, what: &str, args: &[&str]) -> (bool, String) {
        let mut command = plant::andon();
        command.args(["-o", "json", what]).args(args);
        let output = command.arg("--data").arg(&self.data).output().unwrap();
        let is_done = output.status.success();
        let said = if is_done {
            output.stdout
        } else {
            output.stderr
        };
        (is_done, String::from_utf8(said).unwrap())
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

    /// What it serves under a path.
    fn get(&self, path: &str) -> Value {
        let url = fs::read_to_string(self.data.join("console.url")).unwrap();
        let address = url.trim().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// The incident that is as it is to be.
    fn incident(&self, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.get("/v1/incidents?state=all");
            let all = told["incidents"].as_array().unwrap();
            if let Some(found) = all.iter().find(|incident| is(incident)) {
                return found.clone();
            }
            assert!(Instant::now() < until, "{told}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until its console says until when commands about a device are held back.
    fn until_held_back(&self, device: &str, held_until: &Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.get(&format!("/v1/devices/{device}"));
            if said["suppressed_until"] == *held_until {
                return;
            }
            assert!(Instant::now() < until, "{device} is not held back: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
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
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn id_of(order: &Value) -> &str {
    order["command"]["command_id"].as_str().unwrap()
}

fn flow(site: &Site, device: &str, from: &str, time: &str) {
    let flow = json!({
        "kind": "flow", "time": time, "orig": format!("{from}:40000"), "resp": HOSTILE,
        "transport": "udp", "state": "answered", "orig_bytes": 120, "resp_bytes": 40,
    });
    site.produce("observations", &format!("{device}\t{flow}\n"));
}

fn answer(site: &Site, device: &str, who: &str, command: &Value) {
    let mut ack = json!({
        "schema": "andon.ack.v1", "enforcer": who, "result": "done", "at": "2025-12-12T09:00:01Z",
    });
    let fields = command.as_object().unwrap().clone();
    ack.as_object_mut().unwrap().extend(fields);
    site.produce("acks", &format!("{device}\t{ack}\n"));
}

/// Counts records of a topic that a test accepts, once there are so many.
fn until_there_are(site: &Site, topic: &str, number: usize, accept: impl Fn(&Value) -> bool) {
    let until = Instant::now() + PATIENCE;
    loop {
        let all = site.read(topic);
        let found = all.iter().filter(|record| accept(record)).count();
        if found == number {
            return;
        }
        assert!(
            found < number && Instant::now() < until,
            "{found} of {number}: {all:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn any_process_takes_acts_and_the_desk_of_the_segment_does_them_once_across_kills() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "acts");
    let mut one = Process::start(&site, folder.path(), "one");
    let mut two = Process::start(&site, folder.path(), "two");

    flow(&site, DEVICE, "10.1.10.1", "2025-12-12T09:00:00Z");
    let issued = one.until(DEVICE, "issued");
    assert_eq!(issued["command"]["response"]["action"], "quarantine");
    assert_eq!(id_of(&two.until(DEVICE, "issued")), id_of(&issued));
    assert!(
        site.read("enforcement")
            .iter()
            .any(|told| told["command_id"] == id_of(&issued))
    );

    only_who_answers_for_the_segment_is_believed(&site, id_of(&issued));
    assert_eq!(two.until(DEVICE, "acknowledged")["by"], ENFORCER);

    // One process or the other has the segment: both take what people decide about it.
    flow(&site, GATEWAY, "10.1.10.240", "2025-12-12T09:00:10Z");
    let proposed = one.until(GATEWAY, "proposed");
    two.until(GATEWAY, "proposed");
    for process in [&one, &two] {
        let why = process.refused(&["release", id_of(&proposed), "--reason", "a test"]);
        assert!(why.contains("it was not issued"), "{why}");
    }
    let approved = one.done(&["approve", id_of(&proposed), "--reason", "seen on site"]);
    assert_eq!(
        (&approved["state"], &approved["by"]),
        (&json!("issued"), &json!("operator"))
    );
    let by_hand = "cnc-controller-01-0002";
    let held = two.done(&["quarantine", by_hand, "--reason", "a laptop was seen on it"]);
    assert_eq!(held["state"], "issued");
    let why = two.refused(&["approve", "made-up", "--reason", "a test"]);
    assert!(why.contains("there is no order `made-up`"), "{why}");

    what_a_person_finds_an_incident_to_be_is_known_everywhere(&one, &two);

    // An enforcement point that reads what devices read names the command by its key.
    let key = key_of(&DeviceId::new(by_hand).unwrap(), Action::Quarantine);
    let expiry = &held["command"]["response"]["expires"];
    answer(
        &site,
        "",
        ENFORCER,
        &json!({ "key": key, "expiry": expiry }),
    );
    one.until(by_hand, "acknowledged");
    // Nobody answers for the gateway in time.
    one.until(GATEWAY, "timed_out");

    one.run.kill();
    two.run.kill();
    after_the_kill(&site, folder.path(), &issued);
    what_is_left_of_it(&site);
}

fn what_a_person_finds_an_incident_to_be_is_known_everywhere(one: &Process, two: &Process) {
    let found = one.incident(|incident| incident["verdicts"].as_array().unwrap().len() == 2);
    let id = found["incident_id"].as_str().unwrap();
    // What talks to the same hostile address is one story.
    assert_eq!(found["grade"], "CRITICAL");
    let judgement = [
        "judge",
        id,
        "--as",
        "true_positive",
        "--reason",
        "found the laptop",
    ];
    let (is_done, said) = two.ask("incident", &judgement);
    assert!(is_done, "{said}");
    let judged = one.incident(|incident| !incident["judged"].is_null());
    assert_eq!(judged["incident_id"], found["incident_id"]);
    assert_eq!(judged["judged"]["judgement"], "true_positive");
    let (is_done, said) = one.ask(
        "incident",
        &["judge", "made-up", "--as", "benign", "--reason", "no"],
    );
    assert!(
        !is_done && said.contains("no incident `made-up` is kept"),
        "{said}"
    );
}

/// And each of its answers counts once.
fn only_who_answers_for_the_segment_is_believed(site: &Site, id: &str) {
    answer(site, DEVICE, "fw-other", &json!({ "command_id": id }));
    answer(site, DEVICE, ENFORCER, &json!({ "command_id": "made-up" }));
    site.produce("acks", &format!("{DEVICE}\tnothing\n"));
    answer(site, DEVICE, ENFORCER, &json!({ "command_id": id }));
    answer(site, DEVICE, ENFORCER, &json!({ "command_id": id }));
}

/// Killed, they still know all of it, and do nothing of it again.
fn after_the_kill(site: &Site, folder: &Path, issued: &Value) {
    let done = |slip: &Value| {
        ["approve", "quarantine"]
            .iter()
            .any(|act| slip["act"]["act"]["act"] == *act)
    };
    let said: Vec<Value> = site.read("acts").into_iter().filter(done).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    for act in &said {
        site.produce_into("acts", 0, &format!("again\t{act}"));
    }
    let mut one = Process::start(site, folder, "one");
    one.until(DEVICE, "acknowledged");
    one.until(GATEWAY, "timed_out");
    one.incident(|incident| !incident["judged"].is_null());
    let released = one.done(&["release", id_of(issued), "--reason", "reimaged"]);
    assert_eq!(released["state"], "released");
    let over = one.refused(&["release", id_of(issued), "--reason", "again"]);
    assert!(over.contains("it is over already"), "{over}");
    let held = one.done(&["suppress", DEVICE, "--reason", "being repaired"]);
    assert!(held["suppressed_until"].is_string(), "{held}");
    one.until_held_back(DEVICE, &held["suppressed_until"]);
    until_there_are(site, "rejects", 2, |reject| {
        reject["reason"] == "refused_ack"
    });
    assert!(one.run.terminate().success());
}

/// The audit trail and the rejects of that group.
fn what_is_left_of_it(site: &Site) {
    let trail = site.trail();
    let number = |event: &str| trail.iter().filter(|entry| entry["event"] == event).count();
    let events: Vec<&Value> = trail.iter().map(|entry| &entry["event"]).collect();
    assert_eq!(number("act"), 5, "{events:?}");
    assert_eq!(number("act_refused"), 3, "{events:?}");
    assert_eq!(number("ack"), 2, "{events:?}");
    assert_eq!(number("ack_refused"), 2, "{events:?}");
    let notices = site.read("notices");
    let waits = |notice: &&Value| notice["waits_for_a_person"] == true;
    assert_eq!(notices.iter().filter(waits).count(), 1, "{notices:?}");
    let rejects = site.read("rejects");
    let details: String = rejects
        .iter()
        .map(|reject| reject["detail"].to_string())
        .collect();
    assert!(
        details.contains("does not answer for the segment"),
        "{details}"
    );
    assert!(details.contains("`made-up`"), "{details}");
    let malformed: Vec<&Value> = rejects
        .iter()
        .filter(|r| r["reason"] == "malformed")
        .collect();
    assert_eq!(malformed.len(), 1, "{rejects:?}");
    assert_eq!(malformed[0]["excerpt"], "nothing");
    assert_eq!(malformed[0]["source"]["topic"], "acts.acks.v1");
}

#[test]
fn nobody_is_believed_where_anybody_may_have_written() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "doubted");
    let doubt = |config: String| config.replace("trusted_producers = true", "");
    let mut one = Process::start_as(&site, folder.path(), "one", &doubt);
    let held = one.done(&["quarantine", DEVICE, "--reason", "a laptop was seen on it"]);
    answer(
        &site,
        DEVICE,
        ENFORCER,
        &json!({ "command_id": id_of(&held) }),
    );
    until_there_are(&site, "rejects", 1, |reject| {
        reject["reason"] == "wrong_sender"
    });
    // Whose answers are not read is not said to have been silent either.
    one.done(&["suppress", DEVICE, "--reason", "being repaired"]);
    assert_eq!(one.until(DEVICE, "issued")["command"], held["command"]);
    assert!(one.run.terminate().success());
    assert!(site.trail().iter().all(|entry| entry["event"] != "ack"));
}
