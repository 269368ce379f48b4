//! What people decide and what enforcement points answer on a real Kafka: handed in at any process
//! of the group, done once by the one that has the device's segment, across kills, in an audit
//! trail whose chains hold.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod acting;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use andon::kafka::partitioner::Partitioner;
use andon_respond::key_of;
use andon_schemas::command::Action;
use andon_schemas::identity::DeviceId;
use andon_schemas::notice::Notice;
use serde_json::{Value, json};
use watched::PATIENCE;

use self::acting::{ENFORCER, Process};
use self::kafka_plant::{PARTITIONS, Site, cluster};

const HOSTILE: &str = "203.0.113.7:4444";
const DEVICE: &str = "cnc-controller-01-0001";
const GATEWAY: &str = "gw-cnc-safety";

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

fn id_of_notice(notice: &Value) -> String {
    let notice: Notice = serde_json::from_value(notice.clone()).unwrap();
    notice.id()
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
    // Enforcement points are told more than once where nobody answers, people are not.
    let ids: BTreeSet<String> = notices.iter().map(id_of_notice).collect();
    assert_eq!(ids.len(), notices.len(), "{notices:?}");
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

/// A segment of another name, whose verdicts come to another desk.
fn elsewhere() -> String {
    let home = |name: &str| Partitioner::Murmur2.home(name, PARTITIONS.try_into().unwrap());
    let names = (0..).map(|number| format!("cnc-hall-{number}"));
    let mut others = names.filter(|name| home(name) != home("cnc-safety"));
    others.next().unwrap()
}

#[test]
fn what_a_desk_was_told_stays_there_when_the_device_moves_and_time_goes_on_without_verdicts() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "moved");
    let mut one = Process::start(&site, folder.path(), "one");
    let quarantine = ["quarantine", DEVICE, "--reason", "a laptop was seen on it"];
    let held = one.done(&quarantine);
    // Nobody answers, and nothing else happens in the whole plant.
    one.until(DEVICE, "timed_out");

    let inventory = folder.path().join("inventory.yaml");
    let moved = fs::read_to_string(&inventory).unwrap();
    let moved: String = moved
        .lines()
        .map(|line| {
            let line = line.replace("segment: cnc-safety", &format!("segment: {}", elsewhere()));
            let line = line.replace("name: cnc-safety", &format!("name: {}", elsewhere()));
            line.replace("[cnc-safety]", &format!("[{}]", elsewhere())) + "\n"
        })
        .collect();
    fs::write(&inventory, moved).unwrap();
    one.run.hang_up();
    one.run.wait_for("have changed and are in force");
    let released = one.done(&["release", id_of(&held), "--reason", "the laptop is gone"]);
    assert_eq!(released["state"], "released");
    let again = one.done(&quarantine);
    assert_ne!(id_of(&again), id_of(&held));
    one.run.kill();

    // Whoever hears all of it again, at whatever desk, does nothing of it again.
    let mut one = Process::start_again(folder.path(), "one");
    one.done(&["suppress", DEVICE, "--reason", "being repaired"]);
    assert!(one.run.terminate().success());
    let trail = site.trail();
    let acts = trail.iter().filter(|entry| entry["event"] == "act");
    let desks: Vec<&Value> = acts.map(|entry| &entry["chain"]).collect();
    assert_eq!(desks.len(), 4, "{desks:?}");
    assert_eq!(
        desks.iter().filter(|desk| **desk == desks[0]).count(),
        2,
        "{desks:?}"
    );
}
