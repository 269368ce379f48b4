//! A backtest that was never run: as many verdicts as a test wants, of every kind a page has to show.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

use andon_ingest::files::FileReport;
use andon_lab::compare::{self, Comparison, Raised, Side};
use andon_lab::report::{
    AlertLoad, Attack, Cause, Device, Episode, History, Leak, Played, Promise, Report, Rung,
    Stretch, Truth,
};
use andon_schemas::grade::{Grade, RiskClass};
use andon_schemas::identity::DeviceId;
use andon_schemas::profile::Calibration;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::{EventTime, PlantClock, Span};
use andon_schemas::verdict::{Risk, Verdict};
use serde_json::{Value, json};

/// Sunday 02:30 in the plant.
pub(crate) const NIGHT: &str = "2025-12-14T01:30:00Z";

/// What hostile input looks like where it is shown.
pub(crate) const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\u{202e}\"'&\u{0}{{data}}";

/// What a finding is made from: detector, grade, what was seen, what was expected.
type Pattern = (&'static str, &'static str, Value, Value);

fn patterns() -> Vec<Pattern> {
    vec![
        (
            "unknown_destination",
            "CRITICAL",
            json!({ "peer": "203.0.113.77", "port": 22, "transport": "tcp", "bytes": 500_000_000 }),
            json!({ "destinations": ["10.2.50.15"], "clients": [] }),
        ),
        (
            "traffic_volume",
            "MEDIUM",
            json!({ "bytes": 21_000_000.0, "times_baseline": 5.61 }),
            json!({ "bytes_per_hour": [2e6, 7e6], "rule_bytes": 21e6, "coverage": 0.95 }),
        ),
        (
            "spindle_speed",
            "HIGH",
            json!({ "spindle_rpm": 13_800.0 }),
            json!({ "limit_rpm": 12_000.0 }),
        ),
        (
            "current_draw",
            "LOW",
            json!({ "state": "gap", "current_a": 1.236 }),
            json!({ "idle_a": [0.4, 0.9], "active_a": [1.5, 4.0] }),
        ),
        (
            "destination_mix",
            "LOW",
            json!({ "cell": "other destinations", "connections": 53, "of": 94, "hours": 2 }),
            json!({ "share": 0.004_975, "share_max": 0.024_87 }),
        ),
        (
            "silence",
            "MEDIUM",
            json!({ "last_seen": NIGHT, "silent_s": 180.0 }),
            json!({ "silence_s_max": 180.0 }),
        ),
    ]
}

fn finding(pattern: &Pattern, at: EventTime, text: &str, times: f64) -> Value {
    let (detector, grade, observed, expected) = pattern;
    let mut observed = observed.clone();
    if let Some(bytes) = observed.get("bytes").and_then(Value::as_f64) {
        observed["bytes"] = json!(bytes * times);
    }
    json!({
        "detector": detector, "grade": grade, "rule": *detector != "destination_mix",
        "plane": "network", "score": 50, "p_value": null, "observed": observed,
        "expected": expected, "sentence": text, "clears": "An hour below it.",
        "techniques": ["T0882", "T9999"], "confidence": { "basis": "written", "n": 0 },
        "window": { "start": at, "end": at + Span::MINUTE }, "count": 3, "active": true,
        "inputs": null, "source": [{ "topic": "a.ndjson", "partition": 0, "offset": 7 }],
    })
}

/// A revision of one episode.
pub(crate) fn revision(number: usize, revision: u32, text: &str) -> Verdict {
    let patterns = patterns();
    let pattern = &patterns[number % patterns.len()];
    let opened = EventTime::parse(NIGHT).unwrap()
        + Span::MINUTE.times(i64::try_from(number * 37 % 4_000).unwrap());
    let at = opened + Span::MINUTE.times(i64::from(revision) * 7);
    let state = ["raised", "updated", "cleared"][(revision as usize - 1).min(2)];
    let action = if revision < 3 { "watch" } else { "log" };
    let mut findings = vec![finding(pattern, opened, text, f64::from(revision))];
    if number.is_multiple_of(5) {
        findings.push(finding(&patterns[1], opened, text, f64::from(revision)));
    }
    serde_json::from_value(json!({
        "schema": "andon.verdict.v1", "verdict_id": format!("{number:032x}"),
        "revision": revision, "state": state,
        "device_id": format!("conveyor-03-{:04}", number % 600), "device_type": "conveyor",
        "segment": "handling", "risk_class": "YELLOW", "site": "precision-parts",
        "event_time": opened, "window": { "start": opened, "end": at }, "grade": pattern.1,
        "confidence": { "basis": "policy", "n": 0 },
        "risk": { "score": 50, "trust": 50, "band": "medium" }, "sentence": text,
        "findings": findings,
        "response": {
            "action": action, "mode": "monitor", "scope": [],
            "exceptions": [{ "peer": "10.1.0.9", "transport": "udp", "port": 44818 }],
            "expires": null, "approval": "automatic", "note": "", "notify": ["operator"],
        },
        "profile": { "name": "conveyor", "version": "1", "hash": "d67bf10a" },
    }))
    .unwrap()
}

/// The last revisions of so many episodes, with all that came before.
pub(crate) fn episodes(count: usize, text: &str) -> (Vec<Verdict>, History) {
    let mut history = History::default();
    let last = (0..count).map(|number| {
        let all = (1..=3).map(|n| revision(number, n, text));
        let all: Vec<Verdict> = all.collect();
        for revision in &all {
            history.take(revision);
        }
        all.into_iter().last().unwrap()
    });
    (last.collect(), history)
}

fn device(number: usize) -> Device {
    Device {
        id: DeviceId::new(&format!("conveyor-03-{number:04}")).unwrap(),
        device_type: "conveyor".to_owned(),
        segment: "handling".to_owned(),
        risk_class: Some(RiskClass::Yellow),
        safety_critical: false,
        risk: Risk::of_score(50),
        seen: true,
    }
}

/// Everything that a report borrows.
pub(crate) struct Made {
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) history: History,
    pub(crate) clock: PlantClock,
    pub(crate) files: Vec<FileReport>,
    pub(crate) comparison: Comparison,
    pub(crate) folder: String,
}

/// So many verdicts whose sentences, file and folder hold this text.
pub(crate) fn make(count: usize, text: &str) -> Made {
    let (verdicts, history) = episodes(count, text);
    let comparison = compared(&verdicts);
    Made {
        verdicts,
        history,
        clock: PlantClock::new("Europe/Berlin").unwrap(),
        files: vec![FileReport {
            packets: None,
            path: format!("captures/{text}.ndjson"),
            format: None,
            records: 0,
            rejects: 1,
            unread: 0,
            first_refusal: Some(text.to_owned()),
        }],
        comparison,
        folder: format!("results of {text}"),
    }
}

/// With the other profiles the first episode is gone.
fn compared(verdicts: &[Verdict]) -> Comparison {
    let side = |name: &str, skipped: usize| Side {
        name: name.to_owned(),
        profile_hash: "9bf7".to_owned(),
        profiles: Vec::new(),
        episodes: verdicts
            .iter()
            .skip(skipped)
            .map(|last| Raised {
                last,
                worst: last.grade,
            })
            .collect(),
        detection: None,
    };
    compare::compare(&side("built in", 0), &side("profiles-2", 1))
}

impl Made {
    /// The report of it; with labels, every tenth verdict is an attack's.
    pub(crate) fn report(&self, is_labelled: bool) -> Report<'_> {
        let mut stretch = Stretch::default();
        for hour in 0..80 {
            stretch.see(EventTime::parse(NIGHT).unwrap() + Span::HOUR.times(hour));
        }
        Report {
            site: "precision-parts",
            clock: &self.clock,
            folder: &self.folder,
            played: Played {
                records: 1_000,
                records_observed: 999,
                observations: 1_500,
                rejects: [(RejectReason::Malformed, 1)].into(),
                devices: 600,
                device_hours: 48_000,
                alerts: is_labelled.then_some(AlertLoad {
                    per_day: 0.5,
                    level: 1_333.0,
                    rule: 70,
                    evidence: 12,
                    evidence_per_day: Some(3.6),
                    held: 5,
                }),
                stretch: stretch.ends(),
                hours: stretch.hours(),
                profile_hash: "9bf739e4".to_owned(),
                inventory_hash: "3080b7d2".to_owned(),
                version: "0.1.0".to_owned(),
                ..Played::default()
            },
            files: &self.files,
            profiles: Vec::new(),
            promises: vec![Promise {
                calibration: Calibration {
                    discount: 1.5,
                    device_hours: 90_000,
                    false_positives: 0.001,
                    confidence: 0.95,
                },
                profiles: vec!["conveyor".to_owned()],
            }],
            devices: (0..600).map(device).collect(),
            episodes: self
                .verdicts
                .iter()
                .enumerate()
                .map(|(at, last)| self.episode(at, last, is_labelled))
                .collect(),
            truth: is_labelled.then(truth),
            comparison: is_labelled.then_some(&self.comparison),
        }
    }

    fn episode<'a>(&'a self, at: usize, last: &'a Verdict, is_labelled: bool) -> Episode<'a> {
        Episode {
            last,
            worst: last.grade,
            medium_at: (last.grade >= Grade::Medium).then_some(last.event_time),
            steps: self.history.of(&last.verdict_id),
            response: self.history.response(&last.verdict_id).unwrap(),
            cause: match (is_labelled, at % 10) {
                (false, _) => Cause::Unknown,
                (true, 0) => Cause::Attack(0),
                (true, _) => Cause::Nothing,
            },
        }
    }

    /// The page as text.
    pub(crate) fn page(&self, is_labelled: bool) -> String {
        let mut page = Vec::new();
        self.report(is_labelled).write_to(&mut page).unwrap();
        String::from_utf8(page).unwrap()
    }
}

fn truth() -> Truth {
    let start = EventTime::parse(NIGHT).unwrap();
    let attack = |name: &str, grade: Option<Grade>| Attack {
        name: name.to_owned(),
        note: "500 MB to an outside address.".to_owned(),
        device: DeviceId::new("conveyor-03-0000").unwrap(),
        start,
        end: start + Span::HOUR,
        expected_grade: Grade::Critical,
        grade,
        delay_s: grade.map(|_| 10.0),
        missing: Vec::new(),
        as_expected: grade == Some(Grade::Critical),
        later: false,
        leak: grade.map(|_| Leak {
            before_found: 12_000_000,
            total: 500_000_000,
        }),
        unmatched: None,
    };
    Truth {
        attacks: vec![
            attack("night-exfil", Some(Grade::Critical)),
            attack("quiet-one", None),
        ],
        ladder: vec![Rung {
            factor: 1.5,
            devices: 10,
            found_any: 2,
            found_medium: 0,
            median_delay_h: Some(20.0),
        }],
        false_positives: 7,
        low_for_nothing: 3,
        device_hours: 47_000,
    }
}
