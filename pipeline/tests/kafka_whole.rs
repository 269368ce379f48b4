//! Two processes of a group on a real Kafka, each with a part of the plant: whoever asks either is
//! told of all of it, when one dies, and when one begins.
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

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use andon::kafka::partitioner::Partitioner;
use andon::wall;
use serde_json::{Value, json};
use watched::{PATIENCE, Watched};

use self::kafka_plant::{PARTITIONS, Site, cluster};

const HOSTILE: &str = "203.0.113.7:4444";
const HISTORIAN: &str = "10.6.0.10:502";
/// Attacked ones.
const ATTACKED: std::ops::RangeInclusive<u32> = 1..=12;
/// And ones that do what they should.
const CALM: std::ops::RangeInclusive<u32> = 13..=24;
/// The inventory lists it, and no lane hears of it.
const SILENT: &str = "temp-sensor-042";

fn controller(number: u32) -> String {
    format!("cnc-controller-01-{number:04}")
}

/// A flow of a controller, now, keyed by it.
fn flow(number: u32, peer: &str) -> String {
    let flow = json!({
        "v": 1, "kind": "flow", "time": wall::now(), "orig": format!("10.1.10.{number}:40000"),
        "resp": peer, "transport": "tcp", "state": "answered", "orig_bytes": 120,
    });
    format!("{}\t{flow}\n", controller(number))
}

/// One process of the group.
struct Process {
    run: Watched,
    url: String,
}

impl Process {
    fn start(site: &Site, folder: &Path, name: &str) -> Self {
        let config = site.config(folder, name, "[pdp]");
        let mut command = plant::andon();
        command
            .args(["run", "--http", "127.0.0.1:0", "--config"])
            .env("RUST_LOG", "andon=info");
        let mut run = Watched::start(name, command.arg(config));
        let line = run.said("health on  http://");
        let (_, rest) = line.split_once("http://").unwrap();
        let (address, _) = rest.split_once('/').unwrap();
        let url = format!("http://{address}");
        Self { run, url }
    }

    fn ask(&self, path: &str, question: Option<&Value>) -> (u16, String) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let url = format!("{}{path}", self.url);
        let mut answer = match question {
            None => agent.get(url).call().unwrap(),
            Some(question) => agent
                .post(url)
                .header("Content-Type", "application/json")
                .send(question.to_string())
                .unwrap(),
        };
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), text)
    }

    /// What it knows of a device, without what only the process says that holds it.
    fn risk(&self, device: &str) -> Value {
        let (status, text) = self.ask(&format!("/v1/risk/{device}"), None);
        assert_eq!(status, 200, "{text}");
        let mut risk: Value = serde_json::from_str(&text).unwrap();
        let fields = risk.as_object_mut().unwrap();
        fields.remove("confidence").unwrap();
        fields.remove("event_time").unwrap();
        risk
    }

    fn decision(&self, device: &str) -> Value {
        let question = json!({
            "device": { "id": device, "authenticated": true },
            "attestation": { "state": "good" },
            "request": { "resource": "telemetry", "action": "write" },
        });
        let (status, text) = self.ask("/v1/decision", Some(&question));
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A number that it publishes; none that it does not is 0.
    fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.ask("/metrics", None);
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |number| number.trim().parse().unwrap())
    }

    fn held(&self) -> u64 {
        self.metric("andon_partitions_assigned ")
    }

    /// How many open verdicts it lists, and of how many more it knows.
    fn open(&self) -> (u64, u64) {
        let (_, text) = self.ask("/v1/status", None);
        let status: Value = serde_json::from_str(&text).unwrap();
        let count = |field: &str| status[field].as_u64().unwrap();
        (count("verdicts_open"), count("verdicts_elsewhere"))
    }

    fn is_ready(&self) -> bool {
        self.ask("/health/ready", None).0 == 200
    }

    fn is_critical(&self, number: u32) -> bool {
        let risk = self.risk(&controller(number));
        (&risk["band"], &risk["freshness"]) == (&json!("critical"), &json!("fresh"))
    }

    fn is_calm(&self, number: u32) -> bool {
        let risk = self.risk(&controller(number));
        (&risk["band"], &risk["freshness"]) == (&json!("low"), &json!("fresh"))
    }

    fn knows_all(&self) -> bool {
        ATTACKED.into_iter().all(|number| self.is_critical(number))
            && CALM.into_iter().all(|number| self.is_calm(number))
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: never");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Both are told of in the same words, and decided about in the same way.
fn agree(one: &Process, two: &Process) {
    for number in ATTACKED.chain(CALM) {
        let device = controller(number);
        assert_eq!(one.risk(&device), two.risk(&device));
    }
    for (number, score, decision) in [(1, 95, "deny"), (12, 95, "deny")] {
        for process in [one, two] {
            let answer = process.decision(&controller(number));
            assert_eq!(answer["decision"], decision, "{answer}");
            assert_eq!(answer["device_risk"]["score"], score, "{answer}");
        }
    }
}

/// Each of both processes has some of the attacked and some of the calm devices.
fn are_spread() {
    let partitions = usize::try_from(PARTITIONS).unwrap();
    for numbers in [ATTACKED, CALM] {
        let home = |number| Partitioner::Crc32.home(&controller(number), partitions);
        let homes: BTreeSet<_> = numbers.map(home).collect();
        assert_eq!(homes.len(), partitions, "{homes:?}");
    }
}

/// A risk as somebody else writes it.
fn risk(device: &str, score: u32, band: &str, time: &str) -> String {
    let trust = 100 - score;
    json!({
        "device_id": device, "event_time": time, "score": score, "trust": trust, "band": band,
        "risk_class": null, "verdict_id": null,
    })
    .to_string()
}

/// What is no risk, and what is one of a device of nobody's, in the topic of the risks.
fn garbage_is_passed_over(site: &Site, processes: &[&Process]) {
    let attacked = controller(1);
    let now = wall::now().to_string();
    let low = risk(&attacked, 0, "low", &now);
    let records = [
        (attacked.as_str(), "nothing".to_owned()),
        (&attacked, "{}".to_owned()),
        (&attacked, risk(&controller(2), 0, "low", &now)),
        (&attacked, risk(&attacked, 0, "critical", &now)),
        (&attacked, risk(&attacked, 0, "low", "2999-01-01T00:00:00Z")),
        (&attacked, low.clone() + &" ".repeat(2_000)),
        ("a b", low.clone()),
        ("", low),
    ];
    let mut lines = String::new();
    for (key, record) in &records {
        writeln!(lines, "{key}\t{record}").unwrap();
    }
    let stranger = risk("no-such-device", 80, "high", &now);
    writeln!(lines, "no-such-device\t{stranger}").unwrap();
    site.produce("risk", &lines);
    let refused = records.len() as u64;
    until("all have passed it over", || {
        let has_read = |p: &&Process| p.metric("andon_risks_ignored_total ") == refused;
        processes.iter().all(has_read)
    });
    assert_eq!(processes[0].ask("/v1/risk/no-such-device", None).0, 404);
}

/// A partition that the topic did not have is read as well, and a tombstone forgets.
fn what_comes_in_a_new_partition_is_read(site: &Site, processes: &[&Process]) {
    site.divide(&["risk"], PARTITIONS + 1);
    let high = risk(SILENT, 80, "high", &wall::now().to_string());
    site.produce_into("risk", PARTITIONS, &format!("{SILENT}\t{high}"));
    until("all know it", || {
        let knows = |p: &&Process| p.risk(SILENT)["band"] == "high";
        processes.iter().all(knows)
    });
    site.produce_into("risk", PARTITIONS, &format!("{SILENT}\t"));
    until("all have forgotten it", || {
        let has_forgotten = |p: &&Process| p.risk(SILENT)["freshness"] == "never";
        processes.iter().all(has_forgotten)
    });
}

#[test]
fn every_process_answers_for_the_whole_plant_when_one_dies_and_when_one_begins() {
    let Some(broker) = cluster() else {
        return;
    };
    are_spread();
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "whole");
    let mut one = Process::start(&site, folder.path(), "one");
    let two = Process::start(&site, folder.path(), "two");
    until("both have a half", || {
        [&one, &two].iter().all(|p| p.held() == 2 && p.is_ready())
    });
    for number in ATTACKED.chain(CALM) {
        assert_eq!(two.risk(&controller(number))["band"], "unknown");
    }
    let attacked: String = ATTACKED.map(|number| flow(number, HOSTILE)).collect();
    let calm: String = CALM.map(|number| flow(number, HISTORIAN)).collect();
    site.produce("observations", &(attacked + &calm));
    until("both know all", || one.knows_all() && two.knows_all());
    agree(&one, &two);
    until("both count what is open, their own and the other's", || {
        let (here, there) = (one.open(), two.open());
        let all = ATTACKED.count() as u64;
        here == (there.1, there.0) && here.0 > 0 && here.1 > 0 && here.0 + here.1 == all
    });

    garbage_is_passed_over(&site, &[&one, &two]);
    what_comes_in_a_new_partition_is_read(&site, &[&one, &two]);
    assert!(one.knows_all() && two.knows_all());
    agree(&one, &two);

    // One dies: the other knows its devices all the time, and takes them over.
    one.run.kill();
    until("two has all", || {
        assert!(two.knows_all());
        two.held() == 4 && two.is_ready()
    });
    assert!(two.knows_all());
    site.produce("observations", &flow(25, HOSTILE));
    until("two goes on", || two.is_critical(25));
    let all = ATTACKED.count() as u64 + 1;
    until("two counts all", || {
        let (here, there) = two.open();
        // What the dead one raised is held by this one, and not listed by it yet.
        here + there == all && here > 0
    });

    // One that begins knows what was said before it says that it is ready.
    let one = Process::start(&site, folder.path(), "one");
    until("one is ready", || one.is_ready());
    for number in ATTACKED {
        let risk = one.risk(&controller(number));
        assert_eq!(risk["band"], "critical", "{risk}");
    }
    until("one knows all", || one.knows_all() && one.is_critical(25));
    assert!(two.knows_all());
    agree(&one, &two);
    until("both count all that is open", || {
        let counts = [one.open(), two.open()];
        counts.iter().all(|(here, there)| here + there == all)
    });
}
