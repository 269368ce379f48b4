//! What the embedded decision point answers; that Open Policy Agent answers the same is shown with
//! a real one, in `tests/opa.rs`.

use andon_schemas::builtin;
use andon_schemas::inventory::{self, Function};
use andon_schemas::time::EventTime;

use super::*;
use crate::setting::read_profiles;

fn decider() -> Decider {
    let inventory = inventory::parse(builtin::INVENTORY).unwrap();
    let profiles = read_profiles(builtin::PROFILES).unwrap();
    Decider::new(&Policies::builtin().unwrap(), inventory, &profiles).unwrap()
}

fn ask(decider: &Decider, question: &str, risk: Option<&Known>, now: EventTime) -> Answer {
    Question::read(question).map_or_else(Answer::denial, |asked| decider.answer(&asked, risk, now))
}

fn at(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

fn known(score: u8) -> Known {
    let risk = andon_schemas::verdict::Risk::of_score(score);
    Known {
        score: risk.score,
        trust: risk.trust,
        band: risk.band,
        expires: at("2025-12-16T13:50:00Z"),
    }
}

const NORMAL: &str = r#"{"device":{"id":"Temp-Sensor-042","authenticated":true,"address":"10.2.50.42"},
  "attestation":{"state":"good"},
  "request":{"resource":"telemetry","action":"write","address":"10.6.0.13","transport":"tcp","port":8883}}"#;

#[test]
fn the_normal_request_of_the_requirements_is_allowed() {
    let decider = decider();
    let now = at("2025-12-16T13:45:00Z");
    let answer = ask(&decider, NORMAL, Some(&known(25)), now);
    assert_eq!(answer.decision, Decision::Allow, "{answer:?}");
    assert_eq!(answer.monitoring.as_deref(), Some("standard"));
    assert_eq!(answer.request_risk, Some(30.0));
    // The same engine, asked again, remembers nothing of it.
    let answer = ask(&decider, NORMAL, Some(&known(96)), now);
    assert_eq!(answer.decision, Decision::Deny);
    assert!(answer.reasons[0].contains("96 of 100"), "{answer:?}");
    assert_eq!(
        ask(&decider, NORMAL, None, now).decision,
        Decision::Constrain
    );
}

#[test]
fn a_question_cannot_say_what_time_it_is() {
    let decider = decider();
    let late = at("2025-12-16T13:50:01Z");
    let lie = NORMAL.replacen('{', r#"{"now":"2025-12-16T13:45:00Z","#, 1);
    let answer = ask(&decider, &lie, Some(&known(0)), late);
    assert_eq!(answer.device_risk, None, "{answer:?}");
}

#[test]
fn what_cannot_be_read_is_denied_with_the_reason() {
    let decider = decider();
    let now = at("2025-12-16T13:45:00Z");
    let long = format!(r#"{{"x":"{}"}}"#, "y".repeat(70_000));
    for (question, reason) in [
        ("", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "not proven"),
        (
            r#"{"device":7,"request":[],"attestation":null}"#,
            "not proven",
        ),
        (
            r#"{"device":{"id":{"a":1},"authenticated":true}}"#,
            "not in the inventory",
        ),
        (&long, "longer"),
    ] {
        let answer = ask(&decider, question, None, now);
        assert_eq!(answer.decision, Decision::Deny, "{question}");
        let reasons = answer.reasons.join("; ");
        assert!(reasons.contains(reason), "{question}: {reasons}");
    }
}

#[test]
fn the_safety_flow_of_every_safety_critical_device_stays_open() {
    let decider = decider();
    let inventory = inventory::parse(builtin::INVENTORY).unwrap();
    let now = at("2025-12-16T13:45:00Z");
    let mut tried = 0;
    for device in inventory
        .devices
        .iter()
        // A server is asked, and asks nothing.
        .filter(|device| device.safety_critical && device.function != Function::Server)
    {
        let Some(rule) = inventory.segments[device.segment]
            .allowed
            .iter()
            .find(|r| r.safety)
        else {
            continue;
        };
        let question = serde_json::json!({
            "device": {"id": device.id, "authenticated": true, "address": device.addresses[0]},
            "attestation": {"state": "failed"},
            "request": {
                "resource": "safety-plc", "action": "write", "transport": rule.transport,
                "address": rule.networks[0].addr(), "port": rule.ports[0],
            },
        });
        let answer = ask(&decider, &question.to_string(), Some(&known(100)), now);
        assert_eq!(
            answer.decision,
            Decision::Allow,
            "{}: {answer:?}",
            device.id
        );
        tried += 1;
    }
    // The 170 of the plant, and a gateway that carries safety flows.
    assert_eq!(tried, 171);
}
