//! The verdicts as JSON for the page's script, the worst first, until there is no more room for them.

use std::collections::BTreeMap;

use andon_detectors::words::{bytes_text, multiple_text, span_text, three_digits};
use andon_schemas::command::FlowMatch;
use andon_schemas::finding::{Confidence, Finding};
use andon_schemas::grade::{Grade, RiskClass};
use andon_schemas::time::Span;
use serde::Serialize;
use serde_json::{Value, json};

use super::data::{Cause, Episode, Report};
use super::gauge::{self, Gauge};
use super::{escape, technique};

/// Most verdicts that a file holds.
pub const VERDICTS_MAX: usize = 10_000;

/// Most bytes that they take in it.
pub const VERDICT_BYTES_MAX: usize = 24 << 20;

/// What the script gets, and how much of everything that is.
#[derive(Debug)]
pub(super) struct Payload {
    /// Safe inside a `script` element.
    pub(super) json: String,
    /// Verdicts in it.
    pub(super) held: usize,
}

#[derive(Serialize)]
struct DeviceRow<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    device_type: &'a str,
    segment: &'a str,
    class: Option<&'static str>,
    safety: bool,
    score: Option<u8>,
    band: &'static str,
}

#[derive(Serialize)]
struct FindingRow<'a> {
    detector: &'a str,
    grade: usize,
    counts_as: Option<usize>,
    rule: bool,
    proven: bool,
    plane: &'static str,
    score: u8,
    p: Option<f64>,
    confidence: String,
    say: &'a str,
    clears: &'a str,
    techniques: Vec<(&'a str, &'static str)>,
    from: String,
    to: String,
    count: u64,
    active: bool,
    gauges: Vec<Gauge>,
    seen: Vec<(String, String)>,
    expected: Vec<(String, String)>,
    source: Vec<String>,
}

/// The payload for a page.
pub(super) fn payload(report: &Report) -> Payload {
    let mut episodes: Vec<&Episode> = report.episodes.iter().collect();
    episodes.sort_by(|a, b| {
        let key = |e: &Episode| (std::cmp::Reverse(e.worst), e.last.event_time);
        key(a)
            .cmp(&key(b))
            .then_with(|| a.last.verdict_id.cmp(&b.last.verdict_id))
    });
    let mut numbers = Numbers::default();
    let mut rows = String::new();
    let mut held = 0;
    for episode in episodes.into_iter().take(VERDICTS_MAX) {
        let row = escape::json(row(report, episode, &mut numbers));
        if rows.len() + row.len() > VERDICT_BYTES_MAX {
            break;
        }
        if held > 0 {
            rows.push_str(",\n");
        }
        rows.push_str(&row);
        held += 1;
    }
    let frame = escape::json(json!({
        "zone": report.clock.name(),
        "folder": escape::shell(report.folder),
        "labelled": report.truth.is_some(),
        "total": report.episodes.len(),
        "attacks": attacks(report),
        "devices": numbers.devices(report),
        "profiles": numbers.profiles,
    }));
    // The frame is an object that is not empty: its last brace gives way to the rows.
    let frame = frame.trim_end_matches('}');
    Payload {
        json: format!("{frame},\"verdicts\":[\n{rows}\n]}}"),
        held,
    }
}

/// What many verdicts name is said once, and named by its number.
#[derive(Default)]
struct Numbers<'a> {
    devices: BTreeMap<&'a str, usize>,
    hashes: BTreeMap<&'a str, usize>,
    profiles: Vec<Value>,
}

impl<'a> Numbers<'a> {
    fn device(&mut self, id: &'a str) -> usize {
        let next = self.devices.len();
        *self.devices.entry(id).or_insert(next)
    }

    fn profile(&mut self, episode: &Episode<'a>) -> Option<usize> {
        let profile = &episode.last.profile;
        if profile.name.is_empty() {
            return None;
        }
        let next = self.profiles.len();
        let number = *self.hashes.entry(&profile.hash).or_insert(next);
        if number == next {
            self.profiles
                .push(json!([profile.name, profile.version, profile.hash]));
        }
        Some(number)
    }

    /// The devices in the order of their numbers.
    fn devices(&self, report: &Report) -> Vec<Value> {
        let mut rows = vec![Value::Null; self.devices.len()];
        for device in &report.devices {
            let Some(number) = self.devices.get(device.id.as_str()) else {
                continue;
            };
            rows[*number] = json!(DeviceRow {
                id: device.id.as_str(),
                device_type: &device.device_type,
                segment: &device.segment,
                class: device.risk_class.map(RiskClass::as_str),
                safety: device.safety_critical,
                score: device.risk.score,
                band: device.risk.band.as_str(),
            });
        }
        // A verdict may be about one that is in no list: a sender of records in others' names.
        for (id, number) in &self.devices {
            if rows[*number].is_null() {
                rows[*number] = json!({ "id": id, "type": "", "segment": "", "band": "unknown" });
            }
        }
        rows
    }
}

fn attacks(report: &Report) -> Vec<Value> {
    let attacks = report.truth.iter().flat_map(|truth| &truth.attacks);
    attacks.map(|attack| json!(attack.name)).collect()
}

fn row<'a>(report: &Report, episode: &Episode<'a>, numbers: &mut Numbers<'a>) -> Value {
    let last = episode.last;
    let time = |at| super::plant_seconds(report.clock, at);
    let response = episode.response;
    let flows = |flows: &[FlowMatch]| flows.iter().map(flow_text).collect::<Vec<_>>();
    json!({
        "id": last.verdict_id,
        "ms": last.event_time.micros() / 1_000,
        "at": time(last.event_time),
        "to": time(last.window.end.max(last.event_time)),
        "grade": grade_number(episode.worst),
        "state": last.state.as_str(),
        "revision": last.revision,
        "dev": numbers.device(last.device_id.as_str()),
        "say": last.sentence,
        "risk": [last.risk.score, last.risk.band.as_str()],
        "confidence": confidence_text(last.confidence),
        "profile": numbers.profile(episode),
        "cut_short": last.end_of_input,
        "cause": match episode.cause {
            Cause::Unknown => Value::Null,
            Cause::Nothing => json!("nothing"),
            Cause::Ladder => json!("ladder"),
            Cause::Attack(number) => json!(number),
        },
        "response": {
            "action": response.action.as_str(),
            "mode": response.mode.as_str(),
            "scope": flows(&response.scope),
            "exceptions": flows(&response.exceptions),
            "expires": response.expires.map(time),
            "approval": response.approval.as_str(),
            "note": response.note,
            "notify": response.notify,
        },
        "findings": last.findings.iter().map(|f| finding_row(report, f)).collect::<Vec<_>>(),
        "steps": episode.steps.iter().map(|step| json!({
            "n": step.revision, "state": step.state.as_str(),
            "ms": step.at.micros() / 1_000, "at": time(step.at),
            "grade": grade_number(step.grade), "score": step.score,
            "action": step.action.as_str(), "measured": step.measured,
        })).collect::<Vec<_>>(),
    })
}

fn finding_row<'a>(report: &Report, finding: &'a Finding) -> FindingRow<'a> {
    let named = finding.techniques.iter();
    FindingRow {
        detector: &finding.detector,
        grade: grade_number(finding.grade),
        counts_as: finding.counts_as.map(grade_number),
        rule: finding.rule,
        proven: finding.proven,
        plane: finding.plane.as_str(),
        score: finding.score,
        p: finding.p_value,
        confidence: confidence_text(finding.confidence),
        say: &finding.sentence,
        clears: &finding.clears,
        techniques: named.map(|id| (id.as_str(), technique::name(id))).collect(),
        from: super::plant_seconds(report.clock, finding.window.start),
        to: super::plant_seconds(report.clock, finding.window.end),
        count: finding.count,
        active: finding.active,
        gauges: gauge::of(finding),
        seen: facts(&finding.observed),
        expected: facts(&finding.expected),
        source: finding
            .source
            .iter()
            .map(|source| {
                format!(
                    "{} · {} · {}",
                    source.topic, source.partition, source.offset
                )
            })
            .collect(),
    }
}

/// 0 is LOW, 3 is CRITICAL.
fn grade_number(grade: Grade) -> usize {
    grade as usize
}

fn confidence_text(confidence: Confidence) -> String {
    let basis = confidence.basis.as_str().replace('_', " ");
    match confidence.n {
        0 => basis,
        n => format!("{basis}, {n} clean windows"),
    }
}

fn flow_text(flow: &FlowMatch) -> String {
    let over = match (flow.transport, flow.port) {
        (Some(transport), Some(port)) => format!(" {transport}/{port}"),
        (Some(transport), None) => format!(" {transport}"),
        (None, Some(port)) => format!(" port {port}"),
        (None, None) => String::new(),
    };
    format!("{}{over}", flow.peer)
}

/// The members of a small object, each with its unit. Units are the ends of the keys.
fn facts(values: &Value) -> Vec<(String, String)> {
    let members = values.as_object().into_iter().flatten();
    let said = members.filter(|(_, value)| !value.is_null());
    said.map(|(key, value)| fact(key, value)).collect()
}

fn fact(key: &str, value: &Value) -> (String, String) {
    let unit = ["_a", "_rpm", "_s", "_min"]
        .into_iter()
        .find(|end| key.ends_with(end))
        .filter(|_| key != "samples_min")
        .unwrap_or_default();
    let unit = if key.contains("bytes") { "bytes" } else { unit };
    let name = key
        .strip_suffix(unit)
        .filter(|_| unit != "bytes")
        .unwrap_or(key);
    (name.replace('_', " "), told(value, unit))
}

fn told(value: &Value, unit: &str) -> String {
    match value {
        Value::Number(number) => number_text(number.as_f64().unwrap_or_default(), unit),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "–".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => {
            let is_range = items.len() == 2 && items.iter().all(Value::is_number);
            let texts: Vec<String> = items.iter().map(|item| told(item, unit)).collect();
            texts.join(if is_range { " – " } else { ", " })
        }
        Value::Object(_) => {
            let facts: Vec<String> = facts(value)
                .into_iter()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            facts.join(", ")
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large for a span is cut to the longest"
)]
fn number_text(number: f64, unit: &str) -> String {
    match unit {
        "bytes" => bytes_text(number),
        "_a" => format!("{} A", three_digits(number)),
        "_rpm" => format!("{} rpm", multiple_text(number)),
        "_min" => format!("{} min", three_digits(number)),
        "_s" => span_text(Span::from_micros((number * 1e6) as i64)),
        // A share of half a percent must not read as 0.
        _ if number != 0.0 && number.abs() < 0.01 => format!("{number:.2e}"),
        _ => multiple_text(number),
    }
}
