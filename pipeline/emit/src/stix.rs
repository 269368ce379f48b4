//! STIX 2.1 of an incident: what was observed, and, once a person has found it to be true, an
//! indicator of each outside address or name and its sighting, for whoever shares intelligence. When
//! a person finds later that it was something else, both are revoked.
//!
//! Ids are made of the incident, so that telling it again replaces what was told before. Names and
//! addresses of the plant are not told.

use std::net::IpAddr;

use andon_schemas::hex;
use andon_schemas::incident::{Incident, Judgement};
use andon_schemas::time::{EventTime, Span};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use crate::siem::technique;

/// The namespace of the ids of cyber-observable objects, STIX 2.1 §2.9.
const OBSERVABLES: [u8; 16] = [
    0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7,
];
/// The namespace of ours.
const OURS: [u8; 16] = [
    0x5d, 0x0b, 0x4f, 0x1e, 0x92, 0x6a, 0x4c, 0x37, 0x8e, 0x51, 0x0c, 0x7d, 0x23, 0xb9, 0x6f, 0xa4,
];
/// An indicator of an address counts for so long: they change hands.
const VALID_FOR: Span = Span::from_secs(90 * 24 * 3_600);

/// A UUID of version 5, RFC 9562 §5.5.
fn uuid(namespace: &[u8; 16], name: &str) -> String {
    let named = [namespace.as_slice(), name.as_bytes()].concat();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &named);
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = hex(&bytes);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

/// An address or a name that others can look for.
struct Observable<'a> {
    kind: &'static str,
    value: &'a str,
}

impl<'a> Observable<'a> {
    /// What has a meaning outside of the plant.
    fn of(destination: &'a str) -> Option<Self> {
        let kind = match destination.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) if is_outside(address) => "ipv4-addr",
            Ok(IpAddr::V6(address)) if address.segments()[0] & 0xe000 == 0x2000 => "ipv6-addr",
            Err(_) if is_domain(destination) => "domain-name",
            Ok(_) | Err(_) => return None,
        };
        Some(Self {
            kind,
            value: destination,
        })
    }

    fn id(&self) -> String {
        // Canonical JSON of what makes the id. The value holds nothing that would be escaped.
        let name = format!("{{\"value\":\"{}\"}}", self.value);
        format!("{}--{}", self.kind, uuid(&OBSERVABLES, &name))
    }

    fn object(&self) -> Value {
        json!({
            "type": self.kind, "spec_version": "2.1", "id": self.id(), "value": self.value,
        })
    }
}

fn is_outside(address: std::net::Ipv4Addr) -> bool {
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_unspecified()
        // Shared address space, RFC 6598.
        || address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64)
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_whole = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && label.chars().all(is_plain) && is_whole
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label)
}

/// A moment as STIX writes it: at least milliseconds.
fn time(at: EventTime) -> String {
    let at = EventTime::from_micros(at.micros().clamp(0, 253_402_200_000_000_000));
    at.to_string()
}

/// The bundle of an incident; `None` if it is about nothing that has a meaning outside of the plant.
/// `is_inside` says of an address or a name whether it is the plant's own.
pub fn bundle(incident: &Incident, is_inside: impl Fn(&str) -> bool) -> Option<Value> {
    let observables: Vec<Observable<'_>> = incident
        .destinations
        .iter()
        .filter(|destination| !is_inside(destination))
        .filter_map(|destination| Observable::of(destination))
        .collect();
    if observables.is_empty() {
        return None;
    }
    let id = |kind: &str, of: &str| {
        let name = format!("{}/{kind}/{of}", incident.incident_id);
        format!("{kind}--{}", uuid(&OURS, &name))
    };
    let producer = format!(
        "identity--{}",
        uuid(&OURS, &format!("site/{}", incident.site))
    );
    let (began, last) = (time(incident.began), time(incident.last));
    let modified = modified(incident);
    let common = |kind: &str, of: &str| {
        json!({
            "type": kind, "spec_version": "2.1", "id": id(kind, of), "created_by_ref": producer,
            "created": began, "modified": modified,
        })
    };
    let mut objects = vec![json!({
        "type": "identity", "spec_version": "2.1", "id": producer, "created": began,
        "modified": began, "name": incident.site, "identity_class": "organization",
    })];
    objects.extend(observables.iter().map(Observable::object));
    let refs: Vec<String> = observables.iter().map(Observable::id).collect();
    let seen = json!({
        "first_observed": began, "last_observed": last,
        "number_observed": incident.verdicts.len().max(1), "object_refs": refs,
    });
    objects.push(with(common("observed-data", ""), seen));
    let is_true = incident
        .judged
        .as_ref()
        .is_some_and(|judged| judged.judgement == Judgement::TruePositive);
    if is_true || incident.was_true {
        let common = |kind: &str, of: &str| {
            let mut object = common(kind, of);
            if !is_true {
                object["revoked"] = json!(true);
            }
            object
        };
        for observable in &observables {
            let indicator = indicator(incident, observable);
            objects.push(with(common("indicator", observable.value), indicator));
            let sighting = json!({
                "first_seen": began, "last_seen": last,
                "sighting_of_ref": id("indicator", observable.value),
                "observed_data_refs": [id("observed-data", "")],
                "where_sighted_refs": [producer],
            });
            objects.push(with(common("sighting", observable.value), sighting));
        }
    }
    Some(json!({ "type": "bundle", "id": id("bundle", ""), "objects": objects }))
}

/// When this version of what is told was made.
fn modified(incident: &Incident) -> String {
    // A judgement comes after what happened, and makes it another version.
    let judged = incident.judged.as_ref().map(|judged| judged.at);
    let modified = incident.last.max(judged.unwrap_or(incident.last));
    // Two judgements may come at one time of the plant; the newer version has to be newer.
    time(modified + Span::from_micros(i64::from(incident.revision) * 1_000))
}

/// What an indicator says of an address or a name.
fn indicator(incident: &Incident, observable: &Observable<'_>) -> Value {
    json!({
        "name": format!("Seen in an incident at {}", incident.site),
        "description": format!(
            "Devices of a plant dealt with it in an incident of grade {}.",
            incident.grade
        ),
        "indicator_types": ["malicious-activity"],
        "pattern": format!("[{}:value = '{}']", observable.kind, observable.value),
        "pattern_type": "stix", "pattern_version": "2.1",
        "valid_from": time(incident.began), "valid_until": time(incident.last + VALID_FOR),
        "external_references": references(incident),
    })
}

fn references(incident: &Incident) -> Vec<Value> {
    let known = incident.techniques.iter().filter_map(|id| technique(id));
    let mut references: Vec<Value> = known
        .map(|technique| json!({ "source_name": "mitre-attack", "external_id": technique.id }))
        .collect();
    references.push(json!({ "source_name": "andon", "external_id": incident.incident_id }));
    references
}

fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::siem::tests::judged::judged;

    fn incident(destinations: &[&str], judgement: Option<&str>) -> Incident {
        let judged = judgement.map(|judgement| {
            json!({ "judgement": judgement, "by": "ada", "at": "2025-12-14T03:00:00Z", "note": "" })
        });
        serde_json::from_value(json!({
            "schema": "andon.incident.v1", "incident_id": "0a1b", "revision": 1, "state": "open",
            "site": "precision-parts", "grade": "CRITICAL", "began": "2025-12-14T01:30:00Z",
            "last": "2025-12-14T01:31:00Z", "over": null, "sentence": "It's bad.",
            "segments": ["assembly"], "destinations": destinations, "techniques": ["T0885"],
            "verdicts": [], "more": 0, "judged": judged,
        }))
        .unwrap()
    }

    fn bundle(incident: &Incident) -> Option<Value> {
        super::bundle(incident, |name| name.ends_with(".mfg.local"))
    }

    fn kinds(bundle: &Value) -> Vec<&str> {
        let objects = bundle["objects"].as_array().unwrap();
        objects
            .iter()
            .map(|o| o["type"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn ids_of_observables_are_those_that_others_compute() {
        let observable = Observable::of("203.0.113.77").unwrap();
        // By the Python library of OASIS.
        assert_eq!(
            observable.id(),
            "ipv4-addr--7413ddce-a9e8-55d7-b915-129c50abc215"
        );
    }

    #[test]
    fn only_what_a_person_found_to_be_true_is_an_indicator() {
        let seen = bundle(&incident(&["203.0.113.77"], None)).unwrap();
        assert_eq!(kinds(&seen), ["identity", "ipv4-addr", "observed-data"]);
        let benign = bundle(&incident(&["203.0.113.77"], Some("benign"))).unwrap();
        assert_eq!(kinds(&benign), kinds(&seen));
        let named = ["203.0.113.77", "c2.example.net"];
        let told = bundle(&incident(&named, Some("true_positive"))).unwrap();
        let indicators = kinds(&told)
            .iter()
            .filter(|kind| **kind == "indicator")
            .count();
        assert_eq!(indicators, 2);
        assert_eq!(
            told,
            bundle(&incident(&named, Some("true_positive"))).unwrap()
        );
    }

    #[test]
    fn what_was_found_to_be_true_and_is_not_is_revoked() {
        let told = bundle(&incident(&["203.0.113.77"], Some("true_positive"))).unwrap();
        for judgement in ["false_positive", "benign"] {
            let mut later = incident(&["203.0.113.77"], Some(judgement));
            assert!(!kinds(&bundle(&later).unwrap()).contains(&"indicator"));
            (later.was_true, later.revision) = (true, 2);
            let later = bundle(&later).unwrap();
            assert_eq!(kinds(&later), kinds(&told));
            let both = told["objects"].as_array().unwrap().iter();
            let both = both.zip(later["objects"].as_array().unwrap());
            let mut revoked = 0;
            for (before, after) in both {
                assert_eq!(before["id"], after["id"]);
                let kind = before["type"].as_str().unwrap();
                if !["indicator", "sighting"].contains(&kind) {
                    assert_eq!(after["revoked"], Value::Null, "{kind}");
                    continue;
                }
                revoked += 1;
                assert_eq!(before["revoked"], Value::Null, "{kind}");
                assert_eq!(after["revoked"], true, "{kind}");
                assert_eq!(before["created"], after["created"]);
                assert!(before["modified"].as_str() < after["modified"].as_str());
            }
            assert_eq!(revoked, 2);
        }
    }

    #[test]
    fn every_bundle_is_one_by_the_validator_of_oasis() {
        let odd = [
            "203.0.113.77",
            "2001:db8::1",
            "c2.example.net",
            "a-b_c.example",
            "10.0.0.1",
        ];
        let judgements = [
            None,
            Some("benign"),
            Some("true_positive"),
            Some("false_positive"),
        ];
        let incidents = judgements.map(|judgement| {
            let mut incident = incident(&odd, judgement);
            incident.was_true = judgement == Some("false_positive");
            incident.sentence = "\"It's\" <bad>\u{202e}\n".to_owned();
            incident.techniques.push("T9999".to_owned());
            bundle(&incident).unwrap().to_string()
        });
        judged("stix", &incidents);
    }

    #[test]
    fn what_has_no_meaning_outside_of_the_plant_is_told_nobody() {
        for inside in [
            "plc.mfg.local",
            "10.1.10.9",
            "fe80::1",
            "historian",
            "127.0.0.1",
            "'; drop",
            "",
        ] {
            assert_eq!(
                bundle(&incident(&[inside], Some("true_positive"))),
                None,
                "{inside}"
            );
        }
    }
}
