//! What a finding saw against what it expected, where both are numbers: a value, the band it should
//! lie in, and the lines it must not cross.

use andon_detectors::words::{bytes_text, multiple_text, span_text, three_digits};
use andon_schemas::finding::Finding;
use andon_schemas::time::Span;
use serde::Serialize;
use serde_json::Value;

/// A number and how people read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Reading {
    /// The number, for its place on an axis.
    #[serde(rename = "n")]
    pub(super) number: f64,
    /// With its unit.
    #[serde(rename = "t")]
    pub(super) text: String,
}

/// What is normal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Band {
    /// What it is the band of: `expected`, `idle`.
    pub(super) name: &'static str,
    /// Its lower end.
    pub(super) low: Reading,
    /// Its upper end.
    pub(super) high: Reading,
}

/// Something that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Gauge {
    /// What was measured.
    pub(super) label: &'static str,
    /// What was seen.
    pub(super) value: Reading,
    /// Where it should lie.
    pub(super) bands: Vec<Band>,
    /// Limits and middles, each with its name.
    pub(super) lines: Vec<(&'static str, Reading)>,
}

#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Amperes,
    Rpm,
    Seconds,
    Share,
    Count,
}

impl Unit {
    fn reading(self, number: f64) -> Reading {
        let text = match self {
            Self::Bytes => bytes_text(number),
            Self::Amperes => format!("{} A", three_digits(number)),
            Self::Rpm => format!("{} rpm", multiple_text(number)),
            Self::Seconds => span_text(seconds(number)),
            Self::Share => format!("{} %", three_digits(number * 100.0)),
            Self::Count => multiple_text(number),
        };
        Reading { number, text }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large for a span is cut to the longest"
)]
fn seconds(number: f64) -> Span {
    Span::from_micros((number * 1e6) as i64)
}

/// The values of a finding, and a gauge in the making.
struct Draft<'a> {
    finding: &'a Finding,
    unit: Unit,
    gauge: Gauge,
}

fn number(of: &Value, key: &str) -> Option<f64> {
    of.get(key)?.as_f64().filter(|number| number.is_finite())
}

impl<'a> Draft<'a> {
    fn new(
        finding: &'a Finding,
        label: &'static str,
        unit: Unit,
        value: Option<f64>,
    ) -> Option<Self> {
        Some(Self {
            finding,
            unit,
            gauge: Gauge {
                label,
                value: unit.reading(value.filter(|value| value.is_finite())?),
                bands: Vec::new(),
                lines: Vec::new(),
            },
        })
    }

    fn seen(
        finding: &'a Finding,
        label: &'static str,
        unit: Unit,
        key: &'static str,
    ) -> Option<Self> {
        Self::new(finding, label, unit, number(&finding.observed, key))
    }

    /// A band whose two ends are an array.
    fn within(mut self, name: &'static str, key: &str) -> Self {
        let ends = self.finding.expected.get(key).and_then(Value::as_array);
        let end = |at: usize| ends.and_then(|ends| ends.get(at)?.as_f64());
        if let (Some(low), Some(high)) = (end(0), end(1)) {
            self.band(name, low, high);
        }
        self
    }

    /// A band from zero to a largest value.
    fn at_most(mut self, name: &'static str, key: &str) -> Self {
        if let Some(high) = number(&self.finding.expected, key) {
            self.band(name, 0.0, high);
        }
        self
    }

    fn band(&mut self, name: &'static str, low: f64, high: f64) {
        self.gauge.bands.push(Band {
            name,
            low: self.unit.reading(low),
            high: self.unit.reading(high),
        });
    }

    fn line(mut self, name: &'static str, key: &str) -> Self {
        if let Some(at) = number(&self.finding.expected, key) {
            self.gauge.lines.push((name, self.unit.reading(at)));
        }
        self
    }
}

/// What of a finding can be drawn; empty where it is about names, not numbers.
pub(super) fn of(finding: &Finding) -> Vec<Gauge> {
    let seen = |label, unit, key| Draft::seen(finding, label, unit, key);
    let drafts: Vec<Option<Draft>> = match finding.detector.as_str() {
        "traffic_volume" => vec![
            seen("moved in the hour", Unit::Bytes, "bytes").map(|draft| {
                draft
                    .within("expected", "bytes_per_hour")
                    .line("the rule is at", "rule_bytes")
            }),
        ],
        "connection_rate" => vec![
            seen("connections in the hour", Unit::Count, "connections")
                .map(|draft| draft.within("expected", "connections_per_hour")),
        ],
        "current_draw" => vec![seen("current", Unit::Amperes, "current_a").map(|draft| {
            draft
                .within("idle", "idle_a")
                .within("working", "active_a")
                .at_most("expected off hours", "off_hours_below_a")
                .line("absolute limit", "limit_a")
        })],
        "spindle_speed" => spindle(finding),
        "frozen_sensor" => vec![
            seen("without a change", Unit::Seconds, "same_s")
                .map(|draft| draft.at_most("expected", "same_s_max")),
        ],
        "cadence" => vec![
            seen("message size", Unit::Bytes, "message_bytes")
                .map(|draft| draft.within("expected", "message_bytes")),
            seen(
                "after the last message",
                Unit::Seconds,
                "seconds_after_the_last",
            )
            .map(period),
        ],
        "scan" => [
            ("hosts tried", "hosts", "hosts_max"),
            ("ports tried", "host_ports", "host_ports_max"),
            ("connections that failed", "failed", "failed_max"),
        ]
        .map(|(label, key, most)| {
            seen(label, Unit::Count, key).map(|draft| draft.at_most("expected", most))
        })
        .into(),
        "silence" => vec![
            seen("without any record", Unit::Seconds, "silent_s")
                .map(|draft| draft.at_most("expected", "silence_s_max")),
        ],
        "destination_mix" | "protocol_mix" => vec![share(finding)],
        _ => Vec::new(),
    };
    drafts
        .into_iter()
        .flatten()
        .map(|draft| draft.gauge)
        .collect()
}

fn spindle(finding: &Finding) -> Vec<Option<Draft<'_>>> {
    let speed = Draft::seen(finding, "spindle speed", Unit::Rpm, "spindle_rpm");
    let current = Draft::seen(finding, "current", Unit::Amperes, "current_a").map(|draft| {
        draft
            .within("at rest", "standing_a")
            .within("while it turns", "turning_a")
            .line("turns above", "turning_above_a")
            .line("stands below", "standing_below_a")
    });
    vec![
        speed.map(|draft| draft.at_most("expected", "limit_rpm")),
        current,
    ]
}

fn period(mut draft: Draft<'_>) -> Draft<'_> {
    let expected = |key| number(&draft.finding.expected, key);
    if let (Some(period), Some(jitter)) = (expected("period_s"), expected("jitter_s")) {
        draft.band("expected", (period - jitter).max(0.0), period + jitter);
    }
    draft
}

fn share(finding: &Finding) -> Option<Draft<'_>> {
    let seen = |key| number(&finding.observed, key);
    let of = seen("of").filter(|of| *of > 0.0)?;
    let value = seen("connections").map(|connections| connections / of);
    let draft = Draft::new(finding, "share of its connections", Unit::Share, value)?;
    Some(
        draft
            .at_most("expected", "share_max")
            .line("of its profile", "share"),
    )
}
