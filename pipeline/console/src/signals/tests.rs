//! What is told, and what waits. That others can check the tokens, and that nothing is lost over a
//! network and a crash, is shown in `tests/ssf.rs` of the binary.

use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::verdict::{RISK_SCHEMA, Risk, RiskUpdate, Verdict};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::event::SUPPORTED;
use super::*;
use crate::board::{Board, Elsewhere, Heard};
use crate::health::Health;

const DEVICE: &str = "temp-sensor-042";

struct Bench {
    board: Board,
    transmitter: Transmitter,
    _folder: tempfile::TempDir,
}

fn at() -> EventTime {
    EventTime::parse("2026-11-27T10:00:00Z").unwrap()
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let board = Board::new(&builtin::inventory().unwrap(), Mode::Monitor, "1", "boot");
        let health = Health::new(&[], std::time::Duration::from_secs(3_600));
        let options = SignalOptions {
            issuer: "https://andon.example".to_owned(),
            folder: folder.path().to_owned(),
            push_to: Vec::new(),
        };
        let feed = RiskFeed::new(board.clone(), health);
        let transmitter = Transmitter::open(options, feed).unwrap();
        let stream = Stream::new("soc", Wanted::default());
        transmitter.streams().insert("s".to_owned(), stream);
        Self {
            board,
            transmitter,
            _folder: folder,
        }
    }

    fn hear(&self, score: u8) {
        let device = DeviceId::new(DEVICE).unwrap();
        self.board.hear([Heard {
            device_id: device.clone(),
            risk: Risk::of_score(score),
            last_seen: EventTime::from_micros(1),
            at: EventTime::from_micros(1),
            open: None,
        }]);
        self.transmitter.update(&device, at());
    }

    /// Everything that waits, as it is handed out.
    fn waiting(&self) -> Vec<(String, Value)> {
        let mut streams = self.transmitter.streams();
        let stream = streams.get_mut("s").unwrap();
        let tokens = self.transmitter.hand_out("s", stream, 100, at());
        let read = |(jti, token): (String, String)| {
            let body = token.split('.').nth(1).unwrap().to_owned();
            let body = URL_SAFE_NO_PAD.decode(body).unwrap();
            (jti, serde_json::from_slice(&body).unwrap())
        };
        tokens.into_iter().map(read).collect()
    }

    fn acknowledge(&self, jti: &str) {
        let mut streams = self.transmitter.streams();
        streams.get_mut("s").unwrap().acknowledge(jti);
    }
}

fn levels(claims: &Value) -> (&Value, &Value, &Value) {
    let event = &claims["events"][SUPPORTED[0]];
    (
        &event["current_level"],
        &event["previous_level"],
        &event["x_grade"],
    )
}

#[test]
fn critical_is_high_and_says_so_beside() {
    let bench = Bench::new();
    bench.hear(10);
    assert!(bench.waiting().is_empty(), "low is no news of anybody");
    bench.hear(80);
    let waiting = bench.waiting();
    assert_eq!(
        levels(&waiting[0].1),
        (&json!("HIGH"), &Value::Null, &json!("HIGH"))
    );
    assert_eq!(waiting[0].1["iat"], 1_795_773_600);
    bench.acknowledge(&waiting[0].0);
    assert!(bench.waiting().is_empty());
    bench.hear(96);
    let waiting = bench.waiting();
    assert_eq!(
        levels(&waiting[0].1),
        (&json!("HIGH"), &json!("HIGH"), &json!("CRITICAL"))
    );
    assert_eq!(waiting[0].1["events"][SUPPORTED[0]]["x_score"], 96);
}

#[test]
fn only_the_newest_level_of_a_device_waits_and_a_token_is_the_same_each_time() {
    let bench = Bench::new();
    for score in [60, 80, 96, 80] {
        bench.hear(score);
    }
    let first = bench.waiting();
    assert_eq!(first.len(), 1);
    assert_eq!(levels(&first[0].1).2, "HIGH");
    assert_eq!(bench.waiting(), first);
    bench.hear(81);
    assert_eq!(bench.waiting(), first, "it is the same level");
    // It may have arrived, so that it is low again is told as well.
    bench.hear(10);
    let second = bench.waiting();
    assert_eq!(levels(&second[0].1).0, "LOW");
    assert_ne!(second[0].0, first[0].0);
    bench.acknowledge(&first[0].0);
    assert_eq!(
        bench.waiting(),
        second,
        "what was overtaken is nothing to acknowledge"
    );
    bench.acknowledge(&second[0].0);
    assert!(bench.waiting().is_empty());
    // What nobody was handed is no news once it is over.
    bench.hear(80);
    bench.hear(10);
    assert!(bench.waiting().is_empty());
}

#[test]
fn wrong_firmware_is_not_compliant_until_its_verdict_ends() {
    let bench = Bench::new();
    bench.hear(10);
    let device = DeviceId::new(DEVICE).unwrap();
    let verdict = |state: &str, revision: u32| -> Verdict {
        serde_json::from_value(json!({
            "schema": "andon.verdict.v1", "verdict_id": "v", "revision": revision, "state": state,
            "device_id": DEVICE, "device_type": "temperature_sensor", "segment": "assembly",
            "risk_class": null, "site": "precision-parts", "event_time": at(),
            "window": { "start": at(), "end": at() }, "grade": "HIGH",
            "confidence": { "basis": "policy", "n": 0 },
            "risk": { "score": 80, "trust": 20, "band": "high" }, "sentence": "It runs 9.9.9.",
            "findings": [{
                "detector": "firmware_mismatch", "grade": "HIGH", "plane": "firmware", "score": 80,
                "rule": true, "proven": true, "clears": "", "count": 1, "active": true,
                "inputs": {},
                "confidence": { "basis": "policy", "n": 0 },
                "window": { "start": at(), "end": at() },
                "p_value": null, "observed": {}, "expected": {}, "sentence": "It runs 9.9.9.",
                "techniques": [], "source": [],
            }],
            "response": {
                "action": "isolate", "mode": "monitor", "scope": [], "exceptions": [],
                "expires": null, "approval": "automatic", "note": "", "notify": [],
            },
            "profile": { "name": "", "version": "", "hash": "" },
        }))
        .unwrap()
    };
    // The risk comes first, and says that a verdict follows.
    bench.board.risk(&RiskUpdate {
        schema: RISK_SCHEMA.to_owned(),
        device_id: device.clone(),
        site: "precision-parts".to_owned(),
        event_time: at(),
        risk: Risk::of_score(80),
        risk_class: None,
        verdict_id: Some("v".to_owned()),
    });
    bench.transmitter.update(&device, at());
    assert!(bench.waiting().is_empty(), "it is told together with why");
    bench.board.verdict(&verdict("raised", 1));
    bench.transmitter.update(&device, at());
    let waiting = bench.waiting();
    assert_eq!(waiting.len(), 2);
    let (jti, claims) = &waiting[1];
    let event = &claims["events"][SUPPORTED[1]];
    assert_eq!(event["current_status"], "not-compliant");
    assert_eq!(event["previous_status"], "compliant");
    assert_eq!(claims["txn"], "v");
    assert_eq!(event["reason_admin"]["en"], "It runs 9.9.9.");
    bench.acknowledge(jti);
    bench.board.verdict(&verdict("cleared", 2));
    bench.transmitter.update(&device, at());
    let waiting = bench.waiting();
    let (_, claims) = waiting.last().unwrap();
    assert_eq!(
        claims["events"][SUPPORTED[1]]["current_status"],
        "compliant"
    );
}

#[test]
fn a_device_that_another_process_holds_is_for_that_one_to_tell_of() {
    let bench = Bench::new();
    let device = DeviceId::new(DEVICE).unwrap();
    let update = RiskUpdate {
        schema: String::new(),
        device_id: device.clone(),
        site: String::new(),
        event_time: at(),
        risk: Risk::of_score(80),
        risk_class: None,
        verdict_id: None,
    };
    bench.board.elsewhere(&Elsewhere {
        update: &update,
        is_watched: true,
    });
    bench.transmitter.update(&device, at());
    bench.transmitter.update_all(at());
    assert!(bench.waiting().is_empty());
    // It is taken over as it stands.
    bench.hear(80);
    assert_eq!(bench.waiting().len(), 1);
}

#[test]
fn what_was_acknowledged_is_kept_and_what_was_not_is_told_again() {
    let bench = Bench::new();
    bench.hear(80);
    let waiting = bench.waiting();
    bench.acknowledge(&waiting[0].0);
    bench.transmitter.changed();
    bench.transmitter.save().unwrap();
    let reopened = Transmitter::open(
        bench.transmitter.options.clone(),
        bench.transmitter.feed.clone(),
    );
    let reopened = reopened.unwrap();
    assert_eq!(reopened.keys(), bench.transmitter.keys());
    reopened.update_all(at());
    assert_eq!(reopened.counts(), (0, 0), "it is known");
    bench.hear(10);
    reopened.update_all(at());
    assert_eq!(reopened.counts(), (1, 0));
}

#[test]
fn streams_that_cannot_be_read_are_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ssf-streams.json"), "{").unwrap();
    let error = store::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("ssf-streams.json"), "{error}");
}
