//! Elastic Common Schema 9.
//!
//! What has no field there is under `andon`, whose fields have one type each; the whole verdict is
//! in `event.original`, which is kept and not indexed.

use andon_schemas::grade::Plane;
use andon_schemas::observation::Role;
use andon_schemas::verdict::Verdict;
use serde_json::{Value, json};

use super::facts::{self, Peer, moment};
use super::{PRODUCT, VENDOR, Writer, scale, technique};
use crate::terminal::printable;

/// The version of the schema.
const SCHEMA_VERSION: &str = "9.4.0";

/// The verdict as a document.
pub fn ecs(verdict: &Verdict, writer: &Writer) -> Value {
    let detector = facts::lead_detector(verdict);
    let id = verdict.device_id.as_str();
    let mut document = json!({
        "@timestamp": moment(verdict.window.end),
        "ecs": { "version": SCHEMA_VERSION },
        "event": event(verdict, &detector),
        "message": printable(&verdict.sentence),
        "rule": {
            "id": detector, "name": facts::title(&detector), "category": category(verdict),
            "ruleset": verdict.profile.name, "version": verdict.profile.version,
        },
        "device": { "id": id },
        "host": { "id": id, "name": id, "type": verdict.device_type, "risk": risk(verdict) },
        "observer": {
            "vendor": VENDOR, "product": PRODUCT, "type": "analytics",
            "version": writer.version, "hostname": writer.host,
        },
        "labels": { "grade": verdict.grade, "state": verdict.state },
        "andon": own(verdict),
    });
    put_threat(&mut document, verdict);
    put_ends(&mut document, verdict);
    document
}

fn category(verdict: &Verdict) -> &'static str {
    match facts::lead(verdict).map(|finding| finding.rule) {
        Some(true) => "policy",
        _ => "behavioural",
    }
}

fn event(verdict: &Verdict, detector: &str) -> Value {
    let mut categories: Vec<&str> = vec!["intrusion_detection"];
    for finding in &verdict.findings {
        let category = match finding.plane {
            Plane::Network => "network",
            Plane::Physical => "host",
            Plane::Firmware => "configuration",
        };
        if !categories.contains(&category) {
            categories.push(category);
        }
    }
    let mut event = json!({
        "kind": "alert", "category": categories, "type": ["info"],
        "id": facts::event_id(verdict), "code": detector,
        "dataset": "andon.verdict", "module": PRODUCT, "provider": PRODUCT,
        "action": format!("verdict-{}", verdict.state),
        "severity": scale::severity(verdict).ecs, "sequence": verdict.revision,
        "start": moment(verdict.window.start), "end": moment(verdict.window.end),
        "created": moment(verdict.window.end),
        // A verdict's texts and finite numbers always become JSON.
        "original": serde_json::to_string(verdict).unwrap_or_default(),
    });
    if let Some(lead) = facts::lead(verdict) {
        event["reason"] = json!(printable(&lead.sentence));
    }
    if let Some(score) = verdict.risk.score {
        event["risk_score"] = json!(f64::from(score));
        event["risk_score_norm"] = json!(f64::from(score));
    }
    event
}

fn risk(verdict: &Verdict) -> Value {
    let mut risk = json!({ "calculated_level": scale::ecs_risk_level(verdict.risk.band) });
    if let Some(score) = verdict.risk.score {
        risk["calculated_score"] = json!(f64::from(score));
        risk["calculated_score_norm"] = json!(f64::from(score));
    }
    risk
}

fn put_threat(document: &mut Value, verdict: &Verdict) {
    let known: Vec<_> = facts::techniques(verdict)
        .into_iter()
        .filter_map(technique)
        .collect();
    if known.is_empty() {
        return;
    }
    let mut tactics = Vec::new();
    for tactic in known.iter().flat_map(|known| known.tactics) {
        if !tactics.contains(&tactic) {
            tactics.push(tactic);
        }
    }
    let of = |texts: Vec<&str>| json!(texts);
    document["threat"] = json!({
        "framework": "MITRE ATT&CK for ICS",
        "tactic": {
            "id": of(tactics.iter().map(|tactic| tactic.id).collect()),
            "name": of(tactics.iter().map(|tactic| tactic.name).collect()),
        },
        "technique": {
            "id": of(known.iter().map(|known| known.id).collect()),
            "name": of(known.iter().map(|known| known.name).collect()),
            "reference": known.iter()
                .map(|known| format!("https://attack.mitre.org/techniques/{}/", known.id))
                .collect::<Vec<_>>(),
        },
    });
}

/// Both ends of the connection that the verdict is about first, and all that are related.
fn put_ends(document: &mut Value, verdict: &Verdict) {
    let mut us = json!({ "address": verdict.device_id });
    let mut addresses = Vec::new();
    if let Some(address) = facts::address(verdict) {
        us["ip"] = json!(address);
        addresses.push(address);
    }
    let peers = verdict.findings.iter().filter_map(facts::peer);
    for address in peers.filter_map(|peer| peer.address) {
        if !addresses.contains(&address) && addresses.len() < facts::FINDINGS_MAX {
            addresses.push(address);
        }
    }
    let mut related = json!({ "hosts": [verdict.device_id] });
    if !addresses.is_empty() {
        related["ip"] = json!(addresses);
    }
    document["related"] = related;
    let Some(peer) = facts::lead(verdict).and_then(facts::peer) else {
        return;
    };
    let them = end(&peer);
    let (source, mut target, direction) = match peer.role {
        Role::Originator => (us, them, "egress"),
        Role::Responder => (them, us, "ingress"),
    };
    if let Some(port) = peer.port {
        target["port"] = json!(port);
    }
    document["source"] = source;
    document["destination"] = target;
    document["network"] = network(&peer, direction);
}

fn end(peer: &Peer<'_>) -> Value {
    let address = peer.address.map(|address| address.to_string());
    let name = peer.name.as_deref();
    let mut end = json!({ "address": address.as_deref().or(name) });
    if let Some(address) = &address {
        end["ip"] = json!(address);
    }
    if let Some(name) = name {
        end["domain"] = json!(name);
    }
    end
}

/// The direction is the one the device sees.
fn network(peer: &Peer<'_>, direction: &str) -> Value {
    let mut network = json!({ "direction": direction });
    if let Some(address) = peer.address {
        network["type"] = json!(if address.is_ipv4() { "ipv4" } else { "ipv6" });
    }
    if let Some(transport) = peer.transport {
        network["transport"] = json!(transport.name);
        network["iana_number"] = json!(transport.number.to_string());
    }
    network
}

fn own(verdict: &Verdict) -> Value {
    json!({
        "verdict_id": verdict.verdict_id, "revision": verdict.revision, "state": verdict.state,
        "grade": verdict.grade, "site": verdict.site, "segment": verdict.segment,
        "device_type": verdict.device_type, "risk_class": verdict.risk_class,
        "band": verdict.risk.band, "detectors": facts::detectors(verdict),
        "confidence": { "basis": verdict.confidence.basis, "windows": verdict.confidence.n },
        "response": {
            "action": verdict.response.action, "mode": verdict.response.mode,
            "approval": verdict.response.approval, "notify": verdict.response.notify,
        },
        "profile": verdict.profile,
    })
}
