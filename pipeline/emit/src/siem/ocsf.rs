//! OCSF Detection Finding (class 2004).
//!
//! One finding per episode, named by the verdict's id: created, updated, closed. Only attributes
//! that every schema from 1.5 on has are used; what has no place there is under `unmapped`.

use andon_schemas::finding::{Basis, Finding};
use andon_schemas::grade::Grade;
use andon_schemas::observation::Role;
use andon_schemas::verdict::{State, Verdict};
use serde_json::{Map, Value, json};

use super::facts::{self, Peer, millis, moment};
use super::{ATTACK_VERSION, PRODUCT, VENDOR, Writer, scale, technique};
use crate::terminal::printable;

/// The version of the schema that events name. They hold under the later ones as well.
const SCHEMA_VERSION: &str = "1.5.0";
const CLASS: u32 = 2004;

/// The verdict as a Detection Finding.
pub fn ocsf(verdict: &Verdict, writer: &Writer) -> Value {
    let (activity, activity_name) = activity(verdict);
    let (status, status_name) = status(verdict.state);
    let (severity, severity_name) = scale::severity(verdict).ocsf;
    let (confidence, confidence_name) = confidence(verdict.confidence.basis);
    let is_over = verdict.state == State::Cleared;
    let mut event = json!({
        "class_uid": CLASS, "class_name": "Detection Finding",
        "category_uid": 2, "category_name": "Findings",
        "activity_id": activity, "activity_name": activity_name,
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "time": millis(verdict.window.end),
        "start_time": millis(verdict.window.start), "end_time": millis(verdict.window.end),
        "severity_id": severity, "severity": severity_name,
        "status_id": status, "status": status_name,
        "confidence_id": confidence, "confidence": confidence_name,
        "is_alert": !is_over && verdict.grade >= Grade::Medium,
        "message": printable(&verdict.sentence),
        "metadata": {
            "version": SCHEMA_VERSION,
            "product": { "name": PRODUCT, "vendor_name": VENDOR, "version": writer.version },
            "uid": facts::event_id(verdict), "log_name": "verdicts",
            "original_time": moment(verdict.window.end),
        },
        "finding_info": finding_info(verdict),
        "device": device(verdict),
        "remediation": { "desc": remediation(verdict) },
        "unmapped": unmapped(verdict),
    });
    put_risk(&mut event, verdict);
    put_list(&mut event, "evidences", evidences(verdict));
    put_list(&mut event, "observables", observables(verdict));
    event
}

/// An empty list says less than none.
fn put_list(event: &mut Value, key: &str, list: Vec<Value>) {
    if !list.is_empty() {
        event[key] = Value::Array(list);
    }
}

fn put_risk(object: &mut Value, verdict: &Verdict) {
    if let Some((id, name)) = scale::risk_level(verdict.risk.band) {
        object["risk_level_id"] = json!(id);
        object["risk_level"] = json!(name);
    }
    if let Some(score) = verdict.risk.score {
        object["risk_score"] = json!(score);
    }
}

/// An episode is created once, by its first revision.
const fn activity(verdict: &Verdict) -> (u32, &'static str) {
    match (verdict.state, verdict.revision) {
        (State::Cleared, _) => (3, "Close"),
        (_, 0 | 1) => (1, "Create"),
        _ => (2, "Update"),
    }
}

const fn status(state: State) -> (u8, &'static str) {
    match state {
        State::Raised => (1, "New"),
        State::Escalated | State::Updated => (2, "In Progress"),
        State::Cleared => (4, "Resolved"),
    }
}

const fn confidence(basis: Basis) -> (u8, &'static str) {
    match basis {
        Basis::Written | Basis::ColdStart => (1, "Low"),
        Basis::Model => (2, "Medium"),
        Basis::Calibrated | Basis::Policy => (3, "High"),
    }
}

fn finding_info(verdict: &Verdict) -> Value {
    let detector = facts::lead_detector(verdict);
    let is_rule = facts::lead(verdict).is_some_and(|finding| finding.rule);
    let (kind, kind_name) = if is_rule {
        (1, "Rule")
    } else {
        (3, "Statistical")
    };
    let sentences = verdict.findings.iter().take(facts::FINDINGS_MAX);
    let sentences: Vec<_> = sentences.map(|f| printable(&f.sentence)).collect();
    let mut info = json!({
        "uid": verdict.verdict_id, "title": facts::title(&detector),
        "desc": sentences.join(" "), "types": facts::detectors(verdict),
        "created_time": millis(verdict.event_time),
        "first_seen_time": millis(verdict.window.start),
        "last_seen_time": millis(verdict.window.end),
        "analytic": {
            "uid": detector, "name": facts::title(&detector), "type_id": kind, "type": kind_name,
            "version": verdict.profile.version,
        },
    });
    put_list(&mut info, "attacks", attacks(verdict));
    info
}

/// One entry for each tactic that a technique serves.
fn attacks(verdict: &Verdict) -> Vec<Value> {
    let known = facts::techniques(verdict).into_iter().filter_map(technique);
    let pairs = known.flat_map(|known| known.tactics.iter().map(move |tactic| (known, tactic)));
    let entry = |(known, tactic): (&super::Technique, &super::Tactic)| {
        json!({
            "version": ATTACK_VERSION,
            "tactic": { "uid": tactic.id, "name": tactic.name },
            "technique": { "uid": known.id, "name": known.name },
        })
    };
    pairs.map(entry).collect()
}

fn device(verdict: &Verdict) -> Value {
    let id = verdict.device_id.as_str();
    let mut device = json!({ "type_id": 7, "type": "IOT", "uid": id, "name": id });
    if !verdict.segment.is_empty() {
        device["zone"] = json!(verdict.segment);
    }
    if let Some(address) = facts::address(verdict) {
        device["ip"] = json!(address);
    }
    put_risk(&mut device, verdict);
    device
}

fn evidences(verdict: &Verdict) -> Vec<Value> {
    let findings = verdict.findings.iter().take(facts::FINDINGS_MAX);
    findings.map(|finding| evidence(verdict, finding)).collect()
}

fn evidence(verdict: &Verdict, finding: &Finding) -> Value {
    let mut evidence = json!({ "data": {
        "detector": finding.detector, "grade": finding.grade, "plane": finding.plane,
        "rule": finding.rule, "score": finding.score, "p_value": finding.p_value,
        "confidence": finding.confidence, "count": finding.count, "active": finding.active,
        "window": finding.window, "observed": finding.observed, "expected": finding.expected,
        "sentence": finding.sentence, "clears": finding.clears, "source": finding.source,
    } });
    let Some(peer) = facts::peer(finding) else {
        return evidence;
    };
    let mut us = json!({ "uid": verdict.device_id });
    if let Some(address) = facts::address(verdict) {
        us["ip"] = json!(address);
    }
    let mut them = endpoint(&peer);
    let (direction, name) = match peer.role {
        Role::Originator => (2, "Outbound"),
        Role::Responder => (1, "Inbound"),
    };
    let (source, mut target) = match peer.role {
        Role::Originator => (us, them),
        Role::Responder => (std::mem::take(&mut them), us),
    };
    if let Some(port) = peer.port {
        target["port"] = json!(port);
    }
    let mut connection = json!({ "direction_id": direction, "direction": name });
    if let Some(transport) = peer.transport {
        connection["protocol_num"] = json!(transport.number);
        connection["protocol_name"] = json!(transport.name);
    }
    evidence["src_endpoint"] = source;
    evidence["dst_endpoint"] = target;
    evidence["connection_info"] = connection;
    evidence
}

fn endpoint(peer: &Peer<'_>) -> Value {
    let mut endpoint = Map::new();
    if let Some(address) = peer.address {
        endpoint.insert("ip".to_owned(), json!(address));
    }
    if let Some(name) = &peer.name {
        // What may be no host name at all must not stand where one is expected.
        endpoint.insert("name".to_owned(), json!(name));
    }
    Value::Object(endpoint)
}

fn observables(verdict: &Verdict) -> Vec<Value> {
    let mut seen = Vec::new();
    for (at, finding) in verdict
        .findings
        .iter()
        .take(facts::FINDINGS_MAX)
        .enumerate()
    {
        let Some(peer) = facts::peer(finding) else {
            continue;
        };
        let Some(address) = peer.address.map(|address| address.to_string()) else {
            continue;
        };
        let end = match peer.role {
            Role::Originator => "dst_endpoint",
            Role::Responder => "src_endpoint",
        };
        if seen.iter().all(|known: &Value| known["value"] != address) {
            let name = format!("evidences[{at}].{end}.ip");
            seen.push(json!({
                "name": name, "type_id": 2, "type": "IP Address", "value": address,
            }));
        }
    }
    seen
}

/// What is to be done, in words; in monitor mode nobody does it.
fn remediation(verdict: &Verdict) -> String {
    let response = &verdict.response;
    let mode = match response.mode {
        andon_schemas::command::Mode::Monitor => "proposed (monitor mode)",
        andon_schemas::command::Mode::Enforce => "ordered",
    };
    let mut words = format!("{} is {mode}.", facts::title(response.action.as_str()));
    if !response.note.is_empty() {
        words = format!("{words} {}", printable(&response.note));
    }
    for finding in verdict.findings.iter().take(facts::FINDINGS_MAX) {
        words = format!("{words} To clear it: {}", printable(&finding.clears));
    }
    words
}

fn unmapped(verdict: &Verdict) -> Value {
    let ids = facts::techniques(verdict).into_iter();
    let unknown: Vec<_> = ids.filter(|id| technique(id).is_none()).collect();
    let mut rest = json!({
        "schema": verdict.schema, "revision": verdict.revision, "state": verdict.state,
        "grade": verdict.grade, "site": verdict.site, "device_type": verdict.device_type,
        "risk_class": verdict.risk_class, "band": verdict.risk.band,
        "confidence": verdict.confidence, "findings": verdict.findings.len(),
        "response": verdict.response, "profile": verdict.profile,
    });
    if !unknown.is_empty() {
        rest["techniques"] = json!(unknown);
    }
    if verdict.end_of_input {
        rest["end_of_input"] = json!(true);
    }
    rest
}
