//! Events, and the tokens that carry them.

use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use serde_json::{Map, Value, json};

use super::Known;

/// Delivery by push, RFC 8935.
pub const PUSH: &str = "urn:ietf:rfc:8935";
/// Delivery by poll, RFC 8936.
pub const POLL: &str = "urn:ietf:rfc:8936";

const RISK: &str = "https://schemas.openid.net/secevent/caep/event-type/risk-level-change";
const COMPLIANCE: &str =
    "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change";
/// The event by which a receiver sees that a stream works.
pub(crate) const VERIFICATION: &str =
    "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// Events that streams can be asked for; verification comes whether it is asked for or not.
pub(crate) const SUPPORTED: [&str; 2] = [RISK, COMPLIANCE];

/// What is told in one event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// The risk of a device is another.
    Risk {
        device: DeviceId,
        before: Option<Band>,
        known: Known,
        at: EventTime,
    },
    /// Its firmware is, or is not, what it should be.
    Compliance {
        device: DeviceId,
        is_compliant: bool,
        known: Known,
        at: EventTime,
    },
    /// A receiver asked for a sign of life.
    Verification(Option<String>),
}

/// Kinds of events about devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Risk,
    Compliance,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Risk, Self::Compliance];

    /// As streams ask for it.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::Risk => RISK,
            Self::Compliance => COMPLIANCE,
        }
    }
}

/// What a token is made of.
#[derive(Debug)]
pub(super) struct Set<'a> {
    pub(super) issuer: &'a str,
    pub(super) site: &'a str,
    pub(super) stream: &'a str,
    pub(super) audience: &'a str,
    pub(super) jti: &'a str,
    pub(super) iat: EventTime,
    pub(super) content: &'a Content,
}

/// The claims of a token.
pub(super) fn claims(set: &Set<'_>) -> Value {
    let (subject, uri, event, txn) = match set.content {
        Content::Verification(state) => {
            let subject = json!({ "format": "opaque", "id": set.stream });
            let event = state.as_ref().map(|state| json!({ "state": state }));
            (subject, VERIFICATION, event.unwrap_or(json!({})), None)
        }
        Content::Risk {
            device,
            before,
            known,
            at,
        } => {
            let event = risk(*before, known, *at);
            let txn = known.verdict_id.clone();
            (subject(device, set.site), RISK, event, txn)
        }
        Content::Compliance {
            device,
            is_compliant,
            known,
            at,
        } => {
            let status = |is: bool| if is { "compliant" } else { "not-compliant" };
            let mut event = json!({
                "event_timestamp": seconds(*at), "initiating_entity": "policy",
                "previous_status": status(!is_compliant),
                "current_status": status(*is_compliant),
            });
            reason(known, &mut event);
            let txn = known.verdict_id.clone();
            (subject(device, set.site), COMPLIANCE, event, txn)
        }
    };
    let mut events = Map::new();
    events.insert(uri.to_owned(), event);
    let mut claims = json!({
        "iss": set.issuer, "jti": set.jti, "iat": seconds(set.iat), "aud": set.audience,
        "sub_id": subject, "events": events,
    });
    if let Some(txn) = txn {
        claims["txn"] = txn.into();
    }
    claims
}

fn subject(device: &DeviceId, site: &str) -> Value {
    json!({
        "format": "complex",
        "device": { "format": "opaque", "id": device },
        "tenant": { "format": "opaque", "id": site },
    })
}

/// CAEP knows three levels; the fourth is said beside.
fn risk(before: Option<Band>, known: &Known, at: EventTime) -> Value {
    let band = known.band.unwrap_or(Band::Unknown);
    let mut event = json!({
        "event_timestamp": seconds(at), "initiating_entity": "policy", "principal": "DEVICE",
        "current_level": level(band), "x_grade": grade(band), "x_score": known.score,
    });
    if let Some(before) = before {
        event["previous_level"] = level(before).into();
        event["x_previous_grade"] = grade(before).into();
    }
    let because = known.detectors.join(",").to_uppercase();
    let because = if because.is_empty() {
        "NOTHING_OPEN".to_owned()
    } else {
        because
    };
    event["risk_reason"] = because.into();
    reason(known, &mut event);
    event
}

fn reason(known: &Known, event: &mut Value) {
    if !known.sentence.is_empty() {
        event["reason_admin"] = json!({ "en": known.sentence });
    }
}

const fn level(band: Band) -> &'static str {
    match band {
        Band::Critical | Band::High => "HIGH",
        Band::Medium => "MEDIUM",
        Band::Low | Band::Unknown => "LOW",
    }
}

const fn grade(band: Band) -> &'static str {
    match band {
        Band::Critical => "CRITICAL",
        Band::High => "HIGH",
        Band::Medium => "MEDIUM",
        Band::Low => "LOW",
        Band::Unknown => "UNKNOWN",
    }
}

fn seconds(at: EventTime) -> i64 {
    at.micros().div_euclid(1_000_000)
}
