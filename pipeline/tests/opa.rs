//! One policy, two that read it: a real Open Policy Agent, filled over its data API, and the decision
//! point in the binary decide the same, word for word.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test"
)]

mod opa_server;
mod plant;

use std::fs;
use std::path::Path;

use andon::pdp::{Answer, Decision};
use opa_server::Opa;
use serde_json::{Value, json};

/// When everything is asked: a Tuesday, 14:45 and 23:30 in the plant.
const MOMENTS: [(&str, &str); 2] = [
    ("2025-12-16T13:45:00Z", "2025-12-16T13:46:00Z"),
    ("2025-12-16T22:30:00Z", "2025-12-16T22:31:00Z"),
];

/// Whose risk is what, and one of whom nothing is known.
const RISKS: [(&str, Option<u8>); 6] = [
    ("temp-sensor-042", Some(25)),
    ("robotic-arm-03-0001", Some(100)),
    ("cnc-controller-01-0001", Some(60)),
    ("tool-monitor-01-0041", Some(0)),
    ("agv-03-0001", Some(49)),
    ("plc-assembly-line-3", None),
];

/// Everybody asks for everything, in every state.
fn questions() -> Vec<Value> {
    let everybody = RISKS.iter().map(|(id, _)| *id).chain(["nobody"]);
    let own = [
        "10.2.50.42",
        "10.4.10.101",
        "10.1.10.1",
        "10.1.20.9",
        "10.4.10.1",
        "10.2.50.3",
        "10.0.0.1",
    ];
    let asked_for = [
        ("telemetry", "10.6.0.13", "tcp", 8_883),
        ("safety-plc.mfg.local", "10.1.10.250", "udp", 44_818),
        (
            "handling-safety-plc.mfg.local",
            "10.4.10.250",
            "udp",
            44_818,
        ),
        ("cnc-historian.mfg.local", "10.6.0.10", "tcp", 502),
        ("fleet-manager", "10.6.0.16", "tcp", 8_883),
        ("paint", "10.5.10.3", "tcp", 80),
        ("internet", "203.0.113.77", "tcp", 22),
        ("time", "10.6.0.20", "udp", 123),
    ];
    let mut questions = Vec::new();
    for (device, address) in everybody.zip(own) {
        for (resource, peer, transport, port) in asked_for {
            for (state, authenticated) in [
                ("good", true),
                ("failed", true),
                ("?", true),
                ("good", false),
            ] {
                for (action, from) in [("write", address), ("command", "10.9.9.9")] {
                    questions.push(json!({
                        "device": {"id": device, "authenticated": authenticated, "address": from},
                        "attestation": {"state": state},
                        "request": {
                            "resource": resource, "action": action,
                            "address": peer, "transport": transport, "port": port,
                        },
                    }));
                }
            }
        }
    }
    questions.push(json!({}));
    questions.push(json!({"device": {"id": 7}, "request": []}));
    questions
}

/// A folder as a run leaves it, with these risks.
fn recorded(folder: &Path) {
    let row = |(id, score): &(&str, Option<u8>)| {
        json!({
            "device_id": id, "device_type": "", "segment": "", "risk_class": null,
            "safety_critical": false, "seen": true, "score": score,
            "trust": score.map(|score| 100 - score),
            "band": score.map_or("unknown", |score| match score {
                0..50 => "low", 50..75 => "medium", 75..95 => "high", _ => "critical",
            }),
        })
    };
    let rows: Vec<Value> = RISKS.iter().map(row).collect();
    fs::write(folder.join("devices.json"), json!(rows).to_string()).unwrap();
}

/// The same risks, as somebody pushes them.
fn pushed(folder: &Path, expires: &str) -> Value {
    let rows = fs::read_to_string(folder.join("devices.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let known = |row: &Value| {
        let id = row["device_id"].as_str().unwrap().to_owned();
        let (score, trust, band) = (&row["score"], &row["trust"], &row["band"]);
        let expires = expires.replace('Z', ".000000Z");
        (
            id,
            json!({"score": score, "trust": trust, "band": band, "expires": expires}),
        )
    };
    Value::Object(rows.iter().map(known).collect())
}

#[test]
fn a_real_opa_and_the_binary_decide_alike_and_a_pushed_risk_flips_a_decision() {
    let Some(opa) = Opa::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let data = plant::run(&["pdp", "data"]).stdout;
    opa.put("andon/plant", &serde_json::from_slice(&data).unwrap());
    let questions = questions();
    let path = folder.path().join("questions.ndjson");
    let lines: Vec<String> = questions.iter().map(Value::to_string).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    let mut seen = [0; 3];
    for (at, expires) in MOMENTS {
        opa.put("andon/risk/devices", &pushed(folder.path(), expires));
        let (path, data) = (path.to_string_lossy(), folder.path().to_string_lossy());
        let args = [
            "-o", "json", "pdp", "ask", &path, "--data", &data, "--at", at,
        ];
        let own = String::from_utf8(plant::run(&args).stdout).unwrap();
        assert_eq!(own.lines().count(), questions.len());
        for (question, own) in questions.iter().zip(own.lines()) {
            let own: Answer = serde_json::from_str(own).unwrap();
            let mut asked = question.clone();
            asked["now"] = json!(at);
            assert_eq!(opa.answer(&asked), own, "{asked}");
            seen[own.decision as usize] += 1;
        }
    }
    assert!(seen.iter().all(|n| *n > 10), "all of them occur: {seen:?}");

    let mut asked = questions[0].clone();
    asked["now"] = json!(MOMENTS[1].0);
    assert_eq!(opa.answer(&asked).decision, Decision::Allow);
    let worst = json!({
        "score": 95, "trust": 5, "band": "critical", "expires": "2025-12-16T22:31:00.000000Z",
    });
    opa.put("andon/risk/devices/temp-sensor-042", &worst);
    assert_eq!(opa.answer(&asked).decision, Decision::Deny);
}
