//! What is told of the measures behind a verdict.

use serde_json::{Value, json};

use super::{Console, at, device, verdict};

#[test]
fn what_a_verdict_measured_is_told_window_by_window_against_its_band() {
    let console = Console::new();
    let id = device(0);
    let volume = |minute: i64, bytes: f64| {
        json!({
            "detector": "traffic_volume", "grade": "MEDIUM", "rule": true, "plane": "network",
            "score": 50, "p_value": null, "inputs": null, "observed": { "bytes": bytes },
            "expected": { "bytes_per_hour": [1e6, 2e6], "rule_bytes": 6e6 },
            "sentence": "It moved much.", "clears": "Less.", "techniques": [],
            "confidence": { "basis": "policy", "n": 0 },
            "window": { "start": at(0), "end": at(minute) }, "count": 1, "active": true,
            "source": [], "proven": true,
        })
    };
    let told = |revision: u32, findings: Value| {
        let mut verdict =
            serde_json::to_value(verdict(&id, "v1", revision, "raised", "MEDIUM")).unwrap();
        verdict["findings"] = findings;
        console
            .board
            .verdict(&serde_json::from_value(verdict).unwrap());
    };
    let path = format!("/v1/devices/{id}/signals");
    assert_eq!(console.get(&path).json()["signals"], json!([]));
    told(1, json!([volume(1, 7e6)]));
    // The window goes on; another detector measures nothing that can be drawn.
    let mut other = volume(2, 1.0);
    other["detector"] = json!("unknown_destination");
    told(2, json!([volume(2, 9e6), other]));
    let answer = console.get(&path).json();
    assert_eq!(answer["verdict_id"], "v1");
    let signals = answer["signals"].as_array().unwrap();
    assert_eq!(signals.len(), 1, "{answer}");
    assert_eq!(
        (&signals[0]["name"], &signals[0]["unit"]),
        (&json!("moved in the hour"), &json!("bytes"))
    );
    assert_eq!(
        signals[0]["bands"],
        json!([{ "name": "expected", "low": 1e6, "high": 2e6 }])
    );
    assert_eq!(
        signals[0]["lines"],
        json!([{ "name": "the rule is at", "at": 6e6 }])
    );
    assert_eq!(
        signals[0]["points"],
        json!([{ "at": at(1), "value": 7e6 }, { "at": at(2), "value": 9e6 }])
    );
    assert_eq!(
        console.get("/v1/verdicts/v1").json()["signals"],
        answer["signals"]
    );

    // However long it goes on, the first point and the newest are kept.
    for minute in 3..300 {
        told(u32::try_from(minute).unwrap(), json!([volume(minute, 9e6)]));
    }
    let points = console.get(&path).json()["signals"][0]["points"].clone();
    let points = points.as_array().unwrap();
    assert!(points.len() < 100);
    assert_eq!(points[0]["at"], json!(at(1)));
    assert_eq!(points.last().unwrap()["at"], json!(at(299)));
    console
        .get("/v1/devices/nobody/signals")
        .is_problem(404, "nobody");
}
