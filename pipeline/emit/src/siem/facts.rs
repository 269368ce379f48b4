//! What the forms tell of a verdict, taken from it once.

use std::borrow::Cow;
use std::net::IpAddr;

use andon_schemas::finding::Finding;
use andon_schemas::observation::Role;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use serde_json::Value;

use crate::terminal::printable;

/// Most findings that a form repeats; a verdict with more says so by its count.
pub(super) const FINDINGS_MAX: usize = 32;

/// The first and the last moment that all forms can write: 1970, and one of the last days of 9999.
const WRITABLE: (i64, i64) = (0, 253_402_200_000_000_000);

/// A moment as the forms can write it.
pub(super) fn moment(time: EventTime) -> EventTime {
    EventTime::from_micros(time.micros().clamp(WRITABLE.0, WRITABLE.1))
}

/// Milliseconds since 1970.
pub(super) fn millis(time: EventTime) -> i64 {
    moment(time).micros() / 1_000
}

/// The other end of a connection that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer<'a> {
    pub(super) address: Option<IpAddr>,
    pub(super) name: Option<Cow<'a, str>>,
    /// The responder's port.
    pub(super) port: Option<u16>,
    pub(super) transport: Option<Transport>,
    /// Which end the device was.
    pub(super) role: Role,
}

/// A transport with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transport {
    pub(super) name: &'static str,
    pub(super) number: u8,
}

fn transport(name: &str, address: Option<IpAddr>) -> Option<Transport> {
    let (name, number) = match name {
        "tcp" => ("tcp", 6),
        "udp" => ("udp", 17),
        "icmp" if address.is_some_and(|address| address.is_ipv6()) => ("ipv6-icmp", 58),
        "icmp" => ("icmp", 1),
        _ => return None,
    };
    Some(Transport { name, number })
}

/// The other end, if the finding is about one.
pub(super) fn peer(finding: &Finding) -> Option<Peer<'_>> {
    let text = |key: &str| finding.observed.get(key).and_then(Value::as_str);
    let written = text("peer");
    let address = written.and_then(|peer| peer.parse::<IpAddr>().ok());
    let address = address.map(|address| address.to_canonical());
    let name = text("peer_name").or(written.filter(|_| address.is_none()));
    let name = name.filter(|name| !name.is_empty()).map(printable);
    if address.is_none() && name.is_none() {
        return None;
    }
    let told = text("role").and_then(|role| role.parse().ok());
    let port = finding.observed.get("port").and_then(Value::as_u64);
    Some(Peer {
        address,
        name,
        port: port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0),
        transport: text("transport").and_then(|name| transport(name, address)),
        role: finding.role.or(told).unwrap_or(Role::Originator),
    })
}

/// The address of a device that is known by nothing else.
pub(super) fn address(verdict: &Verdict) -> Option<IpAddr> {
    let address = verdict.device_id.as_str().strip_prefix("ip:")?;
    address.parse().ok()
}

/// The finding that stands first.
pub(super) fn lead(verdict: &Verdict) -> Option<&Finding> {
    verdict.findings.first()
}

/// The name of the detector that leads; a verdict always has one, whatever a file may hold.
pub(super) fn lead_detector(verdict: &Verdict) -> Cow<'_, str> {
    let name = lead(verdict).map(|finding| finding.detector.as_str());
    printable(name.filter(|name| !name.is_empty()).unwrap_or("none"))
}

/// A name of a detector as people write it: `unknown_destination` is `Unknown destination`.
pub(super) fn title(detector: &str) -> String {
    let spaced = detector.replace('_', " ");
    let mut letters = spaced.chars();
    let first: Option<String> = letters.next().map(|first| first.to_uppercase().collect());
    first.unwrap_or_default() + letters.as_str()
}

/// Every technique of every finding, each once, in order.
pub(super) fn techniques(verdict: &Verdict) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for technique in verdict.findings.iter().flat_map(|f| &f.techniques) {
        if !found.contains(&technique.as_str()) {
            found.push(technique);
        }
    }
    found
}

/// The names of all detectors, each once, in order.
pub(super) fn detectors(verdict: &Verdict) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for finding in &verdict.findings {
        if !found.contains(&finding.detector.as_str()) {
            found.push(&finding.detector);
        }
    }
    found
}

/// Names this revision among all: the same however often it is sent.
pub(super) fn event_id(verdict: &Verdict) -> String {
    format!("{}-{}", verdict.verdict_id, verdict.revision)
}

/// A text of at most so many bytes; one that was cut ends with `…`.
pub(super) fn at_most(text: &str, bytes: usize) -> Cow<'_, str> {
    const CUT: &str = "…";
    if text.len() <= bytes {
        return Cow::Borrowed(text);
    }
    let Some(mut end) = bytes.checked_sub(CUT.len()) else {
        return Cow::Borrowed("");
    };
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{CUT}", &text[..end]))
}
