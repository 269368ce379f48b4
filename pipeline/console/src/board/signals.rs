//! What the revisions of a verdict measured, where it is a number: to be drawn over the band it
//! should lie in. The engine keeps no series for people to look at, so these points are all there
//! is: one for each window that a revision told of.

use andon_schemas::finding::Finding;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// So many signals of a verdict.
const SIGNALS_MAX: usize = 8;
/// So many points of each: the first and the newest of the others.
const POINTS_MAX: usize = 48;
/// So many points of all verdicts, 16 bytes each.
const ALL_MAX: usize = 2_000_000;

/// What something is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// 1 KB is 1000 of them.
    Bytes,
    /// Electric current.
    Amperes,
    /// Revolutions per minute.
    Rpm,
    /// Plant time.
    Seconds,
    /// Part of a whole, 0 to 1.
    Share,
    /// A number of things.
    Count,
}

/// One thing that a detector measured, revision by revision.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Signal {
    /// The detector.
    pub(crate) detector: String,
    /// What was measured, in words.
    pub(crate) name: &'static str,
    /// In what.
    pub(crate) unit: Unit,
    /// Where it should lie, as of the newest point.
    pub(crate) bands: Vec<SignalBand>,
    /// What it must not cross, as of the newest point.
    pub(crate) lines: Vec<SignalLine>,
    /// What was seen, oldest first.
    pub(crate) points: Vec<SignalPoint>,
}

/// Where a measure should lie.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SignalBand {
    /// What it is the band of.
    pub(crate) name: &'static str,
    /// Its lower end.
    pub(crate) low: f64,
    /// Its upper end.
    pub(crate) high: f64,
}

/// What a measure must not cross.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SignalLine {
    /// What it is.
    pub(crate) name: &'static str,
    /// Where it lies.
    pub(crate) at: f64,
}

/// What was seen in one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SignalPoint {
    /// The end of the window, event time.
    pub(crate) at: EventTime,
    /// What was seen.
    pub(crate) value: f64,
}

/// Where a finding keeps what can be drawn of it.
struct Gauge {
    detector: &'static str,
    name: &'static str,
    unit: Unit,
    seen: &'static str,
    /// What that is a part of, if it is a share.
    of: Option<&'static str>,
    /// Names of bands, and where their two ends, or their upper one alone, are expected.
    bands: &'static [(&'static str, &'static str)],
    lines: &'static [(&'static str, &'static str)],
}

const EXPECTED: &str = "expected";

/// The part that one destination or protocol has.
const fn mix(detector: &'static str) -> Gauge {
    Gauge {
        of: Some("of"),
        lines: &[("of its profile", "share")],
        ..gauge(
            detector,
            "share of its connections",
            Unit::Share,
            "connections",
            &[(EXPECTED, "share_max")],
        )
    }
}

const fn gauge(
    detector: &'static str,
    name: &'static str,
    unit: Unit,
    seen: &'static str,
    bands: &'static [(&'static str, &'static str)],
) -> Gauge {
    Gauge {
        detector,
        name,
        unit,
        seen,
        of: None,
        bands,
        lines: &[],
    }
}

const GAUGES: &[Gauge] = &[
    Gauge {
        lines: &[("the rule is at", "rule_bytes")],
        ..gauge(
            "traffic_volume",
            "moved in the hour",
            Unit::Bytes,
            "bytes",
            &[(EXPECTED, "bytes_per_hour")],
        )
    },
    gauge(
        "connection_rate",
        "connections in the hour",
        Unit::Count,
        "connections",
        &[(EXPECTED, "connections_per_hour")],
    ),
    Gauge {
        lines: &[("absolute limit", "limit_a")],
        ..gauge(
            "current_draw",
            "current",
            Unit::Amperes,
            "current_a",
            &[
                ("idle", "idle_a"),
                ("working", "active_a"),
                ("off hours", "off_hours_below_a"),
            ],
        )
    },
    gauge(
        "spindle_speed",
        "spindle speed",
        Unit::Rpm,
        "spindle_rpm",
        &[(EXPECTED, "limit_rpm")],
    ),
    gauge(
        "frozen_sensor",
        "without a change",
        Unit::Seconds,
        "same_s",
        &[(EXPECTED, "same_s_max")],
    ),
    gauge(
        "silence",
        "without any record",
        Unit::Seconds,
        "silent_s",
        &[(EXPECTED, "silence_s_max")],
    ),
    gauge(
        "cadence",
        "message size",
        Unit::Bytes,
        "message_bytes",
        &[(EXPECTED, "message_bytes")],
    ),
    gauge(
        "scan",
        "hosts tried",
        Unit::Count,
        "hosts",
        &[(EXPECTED, "hosts_max")],
    ),
    gauge(
        "scan",
        "ports tried",
        Unit::Count,
        "host_ports",
        &[(EXPECTED, "host_ports_max")],
    ),
    gauge(
        "scan",
        "connections that failed",
        Unit::Count,
        "failed",
        &[(EXPECTED, "failed_max")],
    ),
    mix("destination_mix"),
    mix("protocol_mix"),
];

fn number(of: &Value, key: &str) -> Option<f64> {
    of.get(key)?.as_f64().filter(|number| number.is_finite())
}

impl Gauge {
    fn value(&self, observed: &Value) -> Option<f64> {
        let seen = number(observed, self.seen)?;
        match self.of {
            None => Some(seen),
            Some(of) => number(observed, of)
                .filter(|of| *of > 0.0)
                .map(|of| seen / of),
        }
    }

    fn bands(&self, expected: &Value) -> Vec<SignalBand> {
        let band = |(name, key): &(&'static str, &'static str)| {
            let ends = expected.get(key)?;
            let end = |at: usize| ends.get(at).and_then(Value::as_f64);
            let (low, high) = match ends.as_f64() {
                Some(high) => (0.0, high),
                None => (end(0)?, end(1)?),
            };
            Some(SignalBand { name, low, high })
        };
        self.bands.iter().filter_map(band).collect()
    }

    fn lines(&self, expected: &Value) -> Vec<SignalLine> {
        let line = |(name, key): &(&'static str, &'static str)| {
            let at = number(expected, key)?;
            Some(SignalLine { name, at })
        };
        self.lines.iter().filter_map(line).collect()
    }
}

/// How many points are kept of all verdicts.
#[derive(Debug, Default)]
pub(super) struct Room(usize);

impl Room {
    /// These are not kept any more.
    pub(super) fn give_back(&mut self, signals: &[Signal]) {
        let points: usize = signals.iter().map(|signal| signal.points.len()).sum();
        self.0 = self.0.saturating_sub(points);
    }
}

/// Adds what a revision measured.
pub(super) fn note(signals: &mut Vec<Signal>, verdict: &Verdict, room: &mut Room) {
    for finding in &verdict.findings {
        for gauge in GAUGES.iter().filter(|g| g.detector == finding.detector) {
            if let Some(value) = gauge.value(&finding.observed) {
                take(signals, gauge, finding, value, room);
            }
        }
    }
}

fn take(signals: &mut Vec<Signal>, gauge: &Gauge, finding: &Finding, value: f64, room: &mut Room) {
    let is_it = |signal: &Signal| signal.detector == gauge.detector && signal.name == gauge.name;
    let place = signals.iter().position(is_it).or_else(|| {
        (signals.len() < SIGNALS_MAX).then(|| {
            signals.push(Signal {
                detector: finding.detector.clone(),
                name: gauge.name,
                unit: gauge.unit,
                bands: Vec::new(),
                lines: Vec::new(),
                points: Vec::new(),
            });
            signals.len() - 1
        })
    });
    let Some(signal) = place.and_then(|place| signals.get_mut(place)) else {
        return;
    };
    let at = finding.window.end;
    if signal.points.last().is_none_or(|last| last.at <= at) {
        signal.bands = gauge.bands(&finding.expected);
        signal.lines = gauge.lines(&finding.expected);
    }
    let point = SignalPoint { at, value };
    match signal.points.binary_search_by_key(&at, |point| point.at) {
        Ok(known) => signal.points[known] = point,
        Err(_) if room.0 >= ALL_MAX => {}
        Err(place) => {
            signal.points.insert(place, point);
            room.0 += 1;
        }
    }
    if signal.points.len() > POINTS_MAX {
        signal.points.remove(1);
        room.0 = room.0.saturating_sub(1);
    }
}
