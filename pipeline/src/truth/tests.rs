//! What counts as found, on the ladder and off it, and what as cried for nothing.

use serde_json::{Value, json};

use super::*;

const START: &str = "2025-12-13T00:00:00Z";
const END: &str = "2025-12-15T00:00:00Z";

fn label(attack: &str, device: &str) -> Label {
    serde_json::from_value(json!({
        "attack": attack, "device": device, "start": START, "end": END,
        "expected_grade": "LOW", "detectors": ["traffic_volume"], "later": true, "note": "",
    }))
    .unwrap()
}

fn finding(detector: &str, grade: &str, start: &str, observed: &Value) -> Value {
    json!({
        "detector": detector, "grade": grade, "rule": false, "plane": "network", "score": 30,
        "p_value": null, "observed": observed, "expected": null, "sentence": "", "clears": "",
        "techniques": [], "confidence": { "basis": "written", "n": 0 },
        "window": { "start": start, "end": start }, "count": 1, "active": true, "inputs": null,
        "source": [],
    })
}

/// A finding of more volume, in the hour that begins then.
fn volume(grade: &str, start: &str) -> Value {
    finding(
        "traffic_volume",
        grade,
        start,
        &json!({ "times_type": 1.4 }),
    )
}

/// A ledger of episodes of a device each: when it opened, its grade, its findings.
fn ledger(episodes: &[(&str, &str, &str, &[Value])]) -> Ledger {
    let mut ledger = Ledger::default();
    for (at, (device, opened, grade, findings)) in episodes.iter().enumerate() {
        let verdict = json!({
            "schema": "andon.verdict.v1", "verdict_id": format!("v{at}"), "revision": 1,
            "state": "raised", "device_id": device, "device_type": "", "segment": "",
            "risk_class": null, "site": "", "event_time": opened,
            "window": { "start": opened, "end": opened }, "grade": grade,
            "confidence": { "basis": "written", "n": 0 },
            "risk": { "score": 30, "trust": 70, "band": "low" }, "sentence": "",
            "findings": findings,
            "response": {
                "action": "log", "mode": "monitor", "scope": [], "exceptions": [],
                "expires": null, "approval": "automatic", "note": "", "notify": [],
            },
            "profile": { "name": "", "version": "", "hash": "" },
        });
        ledger.verdict(&serde_json::from_value(verdict).unwrap());
    }
    ledger
}

const RUNG: &str = "volume-ladder-x1.5";

#[test]
fn a_rung_counts_its_devices_those_found_and_those_found_at_medium() {
    let labels: Vec<Label> = ["a", "b", "c", "d"].map(|d| label(RUNG, d)).into();
    let ledger = ledger(&[
        (
            "a",
            "2025-12-13T04:00:00Z",
            "LOW",
            &[volume("LOW", "2025-12-13T03:00:00Z")],
        ),
        (
            "b",
            "2025-12-13T10:00:00Z",
            "MEDIUM",
            &[volume("MEDIUM", "2025-12-13T09:00:00Z")],
        ),
        (
            "c",
            "2025-12-13T20:00:00Z",
            "LOW",
            &[volume("LOW", "2025-12-13T19:00:00Z")],
        ),
        (
            "e",
            "2025-12-13T20:00:00Z",
            "LOW",
            &[volume("LOW", "2025-12-13T19:00:00Z")],
        ),
    ]);
    let detection = judge(&labels, &ledger, 1_000);
    let due = Recall {
        factor: 1.5,
        devices: 4,
        found_any: 3,
        found_medium: 1,
        median_delay_h: Some(10.0),
    };
    assert_eq!(detection.ladder, [due]);
    assert!(
        detection.attacks.is_empty(),
        "rungs are not listed one by one"
    );
}

#[test]
fn the_rungs_stand_in_the_order_of_their_factors() {
    let names = [
        "volume-ladder-x10",
        "volume-ladder-x2",
        RUNG,
        "volume-ladder-x2",
    ];
    let labels: Vec<Label> = names.map(|name| label(name, name)).into();
    let rungs = judge(&labels, &Ledger::default(), 1_000).ladder;
    let told: Vec<_> = rungs
        .iter()
        .map(|r| (r.factor, r.devices, r.found_any))
        .collect();
    assert_eq!(told, [(1.5, 1, 0), (2.0, 2, 0), (10.0, 1, 0)]);
    assert!(rungs.iter().all(|rung| rung.median_delay_h.is_none()));
}

#[test]
fn an_episode_that_stood_before_the_ladder_did_not_find_it() {
    let findings = [volume("MEDIUM", "2025-12-13T09:00:00Z")];
    let before = ledger(&[("a", "2025-12-12T23:59:30Z", "MEDIUM", &findings)]);
    let rung = judge(&[label(RUNG, "a")], &before, 1_000).ladder.remove(0);
    assert_eq!((rung.found_any, rung.found_medium), (0, 0));
}

#[test]
fn another_detector_or_too_little_volume_did_not_find_it() {
    let at = "2025-12-13T09:00:00Z";
    let less = finding("traffic_volume", "LOW", at, &json!({ "times_type": 0.7 }));
    let other = finding("connection_rate", "MEDIUM", at, &json!({}));
    let ledger = ledger(&[("a", at, "LOW", &[less]), ("b", at, "MEDIUM", &[other])]);
    let labels = ["a", "b"].map(|device| label(RUNG, device));
    let rung = judge(&labels, &ledger, 1_000).ladder.remove(0);
    assert_eq!((rung.found_any, rung.found_medium), (0, 0));
}

#[test]
fn medium_is_what_the_volume_reached_not_what_stands_beside_it() {
    let at = "2025-12-13T09:00:00Z";
    let findings = [
        finding("silence", "MEDIUM", at, &json!({})),
        volume("LOW", "2025-12-13T12:00:00Z"),
    ];
    let ledger = ledger(&[("a", at, "MEDIUM", &findings)]);
    let rung = judge(&[label(RUNG, "a")], &ledger, 1_000).ladder.remove(0);
    assert_eq!((rung.found_any, rung.found_medium), (1, 0));
    // It joined the episode three hours after it had opened.
    assert_eq!(rung.median_delay_h, Some(12.0));
}

#[test]
fn whatever_the_ladder_causes_is_no_false_alarm_and_its_hours_are_not_honest_ones() {
    let at = "2025-12-13T09:00:00Z";
    let findings = [volume("MEDIUM", at)];
    let ledger = ledger(&[
        ("a", at, "MEDIUM", &findings),
        ("a", "2025-12-14T09:00:00Z", "LOW", &findings),
        ("b", at, "MEDIUM", &findings),
        ("b", "2025-12-14T09:00:00Z", "LOW", &findings),
    ]);
    let cried = judge(&[label(RUNG, "a")], &ledger, 1_048).false_positives;
    assert_eq!((cried.count, cried.low_episodes), (1, 1));
    // 48 hours of one device.
    assert_eq!(cried.device_hours, 1_000);
    assert!((cried.rate - 0.001).abs() < 1e-12);
}

#[test]
fn a_false_alarm_on_a_device_before_it_steps_on_the_ladder_stays_one() {
    let findings = [volume("MEDIUM", "2025-12-13T09:00:00Z")];
    let ledger = ledger(&[("a", "2025-12-12T09:00:00Z", "MEDIUM", &findings)]);
    let cried = judge(&[label(RUNG, "a")], &ledger, 1_000).false_positives;
    assert_eq!(cried.count, 1);
}

#[test]
fn an_ordinary_attack_is_listed_with_its_grade_and_its_delay() {
    let mut attack = label("volume-3x", "a");
    attack.later = false;
    let at = "2025-12-13T00:30:00Z";
    let found = ledger(&[("a", at, "LOW", &[volume("LOW", at)])]);
    let detection = judge(&[attack.clone()], &found, 1_000);
    assert!(detection.ladder.is_empty());
    assert_eq!(detection.false_positives.low_episodes, 0);
    assert_eq!(detection.false_positives.device_hours, 1_000);
    let listed = &detection.attacks[0];
    assert_eq!(
        (listed.grade, listed.delay_s),
        (Some(Grade::Low), Some(1_800.0))
    );
    assert!(listed.as_expected && listed.missing.is_empty());
    let missed = judge(&[attack], &Ledger::default(), 1_000);
    assert!(!missed.attacks[0].as_expected);
}
