//! What an incident is about, and what is said of it.

use andon_schemas::finding::Finding;
use andon_schemas::incident::Incident;
use andon_schemas::observation::Role;
use andon_schemas::verdict::Verdict;
use serde_json::Value;

/// Detectors whose other end should not have been talked to: whoever else talks to it tells the
/// same story.
const AT_THE_DESTINATION: [&str; 4] = [
    "unknown_destination",
    "known_bad_destination",
    "forbidden_flow",
    "beaconing",
];
/// Detectors that speak of an attacker where the device was the one that was called.
const BY_AN_ATTACKER: [&str; 5] = [
    "unknown_destination",
    "forbidden_flow",
    "unknown_protocol",
    "unknown_command",
    "scan",
];

/// The destinations and attackers that a verdict is about, in order of its findings.
pub(super) fn destinations(verdict: &Verdict) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for peer in verdict.findings.iter().filter_map(destination) {
        if !found.iter().any(|known| known == peer) {
            found.push(peer.to_owned());
        }
    }
    found
}

fn destination(finding: &Finding) -> Option<&str> {
    let detectors: &[&str] = match finding.role {
        Some(Role::Responder) => &BY_AN_ATTACKER,
        _ => &AT_THE_DESTINATION,
    };
    let speaks = detectors.contains(&finding.detector.as_str());
    let peer = finding.observed.get("peer").and_then(Value::as_str);
    peer.filter(|peer| speaks && !peer.is_empty())
}

/// One plain sentence about all of it: the gravest first, and how much more there is.
pub(super) fn headline(incident: &Incident) -> String {
    let mut gravest = None;
    for involved in &incident.verdicts {
        // The first of the gravest.
        if gravest.is_none_or(|(grade, _)| involved.grade > grade) {
            gravest = Some((involved.grade, involved));
        }
    }
    let Some((_, gravest)) = gravest else {
        return String::new();
    };
    let others = incident.devices().len().saturating_sub(1);
    let more = match others {
        0 => String::new(),
        1 => " One more device is in it.".to_owned(),
        n => format!(" {n} more devices are in it."),
    };
    format!("{}: {}{more}", gravest.device_id, gravest.sentence)
}
