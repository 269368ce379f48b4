//! Verdicts for tests: of every grade, state and kind, with any text anywhere a text may come from
//! outside.

use andon_schemas::verdict::Verdict;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What receivers stumble over.
pub(crate) const ODD: &[&str] = &[
    "",
    " ",
    "\"'`",
    "a|b\\|c\\",
    "]] [x y=\"z\"]",
    "key=value other=more",
    "one\ntwo\r\nthree\u{b}\u{c}\u{85}\u{2028}",
    "\u{0}\u{7}\u{1b}[31m",
    "\u{202e}turned\u{2066}around\u{200b}",
    "größer als 10 µA, 日本語, 🏭",
    "\u{feff}<13>1 - - - - - -",
    "%s ${jndi:ldap://x} {{7*7}}",
];

/// A verdict whose texts are these.
pub(crate) fn verdict(
    grade: &str,
    state: &str,
    revision: u32,
    text: &str,
    finding: &Value,
) -> Verdict {
    let at = "2026-11-22T10:00:00.123456Z";
    serde_json::from_value(json!({
        "schema": "andon.verdict.v1", "verdict_id": "6e399901cbc0519ca9b907b8a947b246",
        "revision": revision, "state": state, "device_id": "cnc-07", "device_type": text,
        "segment": text, "risk_class": "RED", "site": "precision-parts",
        "event_time": "2026-11-22T09:59:00Z",
        "window": { "start": "2026-11-22T09:59:00Z", "end": at }, "grade": grade,
        "confidence": { "basis": "policy", "n": 0 },
        "risk": { "score": 95, "trust": 5, "band": "critical" }, "sentence": text,
        "findings": [finding],
        "response": {
            "action": "quarantine", "mode": "monitor", "scope": [],
            "exceptions": [{ "peer": "10.1.0.9", "transport": "udp", "port": 44818 }],
            "expires": "2026-11-22T11:00:00Z", "approval": "required", "note": text,
            "notify": ["soc", "operator"],
        },
        "profile": { "name": text, "version": "1", "hash": "d67bf10a" },
    }))
    .unwrap()
}

/// A finding of a detector about a connection.
pub(crate) fn finding(detector: &str, text: &str, observed: &Value) -> Value {
    json!({
        "detector": detector, "grade": "CRITICAL", "rule": true, "plane": "network", "score": 95,
        "p_value": null, "observed": observed, "expected": { "destinations": [text] },
        "sentence": text, "clears": text, "techniques": ["T0885", "T0856", "T9999"],
        "confidence": { "basis": "policy", "n": 0 },
        "window": { "start": "2026-11-22T09:59:00Z", "end": "2026-11-22T10:00:00Z" },
        "count": 3, "active": true, "inputs": {},
        "source": [{ "topic": text, "partition": 0, "offset": 7 }],
    })
}

/// A connection to a public address.
pub(crate) fn contact() -> Value {
    json!({
        "peer": "203.0.113.77", "peer_name": null, "port": 4444, "transport": "tcp",
        "role": "originator", "answered": true, "bytes": 48_211,
    })
}

/// A text with something odd in it, or of any characters, or very long.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(ODD).prop_map(str::to_owned),
        4 => "\\PC{0,40}",
        2 => any::<String>(),
        1 => "[ -~]{10000}",
    ]
}

fn observed() -> impl Strategy<Value = Value> {
    const PEERS: &[&str] = &[
        "203.0.113.77",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "plc.example",
        "",
        "a|b=c]\n",
    ];
    let peer = prop::sample::select(PEERS);
    let roles = prop::sample::select(["originator", "responder", "neither"].as_slice());
    let transports = prop::sample::select(["tcp", "udp", "icmp", "other", ""].as_slice());
    (peer, text(), roles, transports, any::<u16>()).prop_map(|(peer, name, role, transport, port)| {
        json!({ "peer": peer, "peer_name": name, "port": port, "transport": transport, "role": role })
    })
}

/// Any verdict.
pub(crate) fn any_verdict() -> impl Strategy<Value = Verdict> {
    let grades = prop::sample::select(["LOW", "MEDIUM", "HIGH", "CRITICAL"].as_slice());
    let states = prop::sample::select(["raised", "escalated", "updated", "cleared"].as_slice());
    let planes = prop::sample::select(["network", "physical", "firmware"].as_slice());
    let detectors = prop::collection::vec(text(), 0..3);
    let devices =
        prop::sample::select(["cnc-07", "ip:10.0.0.9", "ip:2001:db8::9", "o\"d]|=d\\"].as_slice());
    let rest = (text(), observed(), planes, detectors, devices, any::<i64>());
    (grades, states, 1..9_u32, rest).prop_map(|(grade, state, revision, rest)| {
        let (text, observed, plane, detectors, device, micros) = rest;
        let first = finding("unknown_destination", &text, &observed);
        let mut made = verdict(grade, state, revision, &text, &first);
        made.device_id = andon_schemas::identity::DeviceId::new(device).unwrap();
        if micros % 3 == 0 {
            made.window.end = andon_schemas::time::EventTime::from_micros(micros);
            made.risk = andon_schemas::verdict::Risk::UNKNOWN;
        }
        for name in detectors {
            let mut more = finding(&name, &text, &observed);
            more["plane"] = json!(plane);
            made.findings.push(serde_json::from_value(more).unwrap());
        }
        made
    })
}
