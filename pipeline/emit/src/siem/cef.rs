//! `ArcSight` Common Event Format, revision 25 and later.

use std::net::IpAddr;

use andon_schemas::observation::Role;
use andon_schemas::verdict::Verdict;

use super::facts::{self, Peer};
use super::{PRODUCT, VENDOR, Writer, scale};
use crate::terminal::printable;

/// Most bytes of `msg`; the format counts characters, of which there are never more.
const MESSAGE_BYTES_MAX: usize = 1_023;
/// Most bytes of a field of the header, and of a custom text.
const FIELD_BYTES_MAX: usize = 1_023;

/// The verdict in CEF, without a header of syslog.
pub fn cef(verdict: &Verdict, writer: &Writer) -> String {
    let detector = facts::lead_detector(verdict);
    let mut line = Line::begin(&[
        VENDOR,
        PRODUCT,
        &writer.version,
        &detector,
        &facts::title(&detector),
        &scale::severity(verdict).cef.to_string(),
    ]);
    times_and_ids(&mut line, verdict, writer);
    match facts::lead(verdict).and_then(facts::peer) {
        Some(peer) => ends(&mut line, verdict, &peer),
        None => line.device("shost", "src", "c6a2", "Source IPv6 Address", verdict),
    }
    let custom = [
        ("cs1", "grade", verdict.grade.as_str().to_owned()),
        (
            "cs2",
            "attackTechniques",
            facts::techniques(verdict).join(","),
        ),
        ("cs3", "deviceType", verdict.device_type.clone()),
        ("cs4", "segment", verdict.segment.clone()),
        ("cs5", "detectors", facts::detectors(verdict).join(",")),
        ("cs6", "site", verdict.site.clone()),
    ];
    for (key, label, value) in custom {
        line.labelled(key, label, &value);
    }
    line.labelled("cn1", "revision", &verdict.revision.to_string());
    if let Some(score) = verdict.risk.score {
        line.labelled("cn2", "riskScore", &score.to_string());
    }
    line.pair("outcome", verdict.state.as_str());
    line.pair("act", verdict.response.action.as_str());
    line.labelled("flexString1", "mode", verdict.response.mode.as_str());
    let message = printable(&verdict.sentence);
    line.pair("msg", &facts::at_most(&message, MESSAGE_BYTES_MAX));
    line.0
}

fn times_and_ids(line: &mut Line, verdict: &Verdict, writer: &Writer) {
    let [start, end] = [verdict.window.start, verdict.window.end].map(facts::millis);
    line.pair("rt", &end.to_string());
    line.pair("start", &start.to_string());
    line.pair("end", &end.to_string());
    line.pair("externalId", &verdict.verdict_id);
    line.pair("deviceExternalId", verdict.device_id.as_str());
    line.pair("dvchost", &writer.host);
    if let Some(lead) = facts::lead(verdict) {
        line.pair("cnt", &lead.count.to_string());
        line.pair("cat", lead.plane.as_str());
    }
}

/// Both ends of a connection. The direction is the one the device sees.
fn ends(line: &mut Line, verdict: &Verdict, peer: &Peer<'_>) {
    match peer.role {
        Role::Originator => {
            line.device("shost", "src", "c6a2", "Source IPv6 Address", verdict);
            line.other("dhost", "dst", "c6a3", "Destination IPv6 Address", peer);
            line.pair("deviceDirection", "1");
        }
        Role::Responder => {
            line.other("shost", "src", "c6a2", "Source IPv6 Address", peer);
            line.device("dhost", "dst", "c6a3", "Destination IPv6 Address", verdict);
            line.pair("deviceDirection", "0");
        }
    }
    if let Some(port) = peer.port {
        line.pair("dpt", &port.to_string());
    }
    if let Some(transport) = peer.transport {
        line.pair("proto", &transport.name.to_uppercase());
    }
}

struct Line(String);

impl Line {
    fn begin(header: &[&str]) -> Self {
        let mut line = "CEF:0".to_owned();
        for field in header {
            let field = printable(field);
            let field = facts::at_most(&field, FIELD_BYTES_MAX);
            line.push('|');
            escape(&mut line, &field, &['\\', '|']);
        }
        line.push('|');
        Self(line)
    }

    /// One pair; nothing for an empty value.
    fn pair(&mut self, key: &str, value: &str) {
        let value = printable(value);
        let value = facts::at_most(&value, FIELD_BYTES_MAX);
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if !self.0.ends_with('|') {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        escape(&mut self.0, value, &['\\', '=']);
    }

    fn labelled(&mut self, key: &str, label: &str, value: &str) {
        if !value.trim().is_empty() {
            self.pair(&format!("{key}Label"), label);
            self.pair(key, value);
        }
    }

    fn device(&mut self, host: &str, v4: &str, v6: &str, label: &str, verdict: &Verdict) {
        match facts::address(verdict) {
            Some(address) => self.address(v4, v6, label, address),
            None => self.pair(host, verdict.device_id.as_str()),
        }
    }

    fn other(&mut self, host: &str, v4: &str, v6: &str, label: &str, peer: &Peer<'_>) {
        if let Some(address) = peer.address {
            self.address(v4, v6, label, address);
        }
        if let Some(name) = &peer.name {
            self.pair(host, name);
        }
    }

    /// `src` and `dst` are of IPv4; IPv6 has fields of its own.
    fn address(&mut self, v4: &str, v6: &str, label: &str, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.pair(v4, &address.to_string()),
            IpAddr::V6(address) => self.labelled(v6, label, &address.to_string()),
        }
    }
}

/// Hidden characters are gone by now, line ends among them.
fn escape(line: &mut String, text: &str, special: &[char]) {
    for c in text.chars() {
        if special.contains(&c) {
            line.push('\\');
        }
        line.push(c);
    }
}
