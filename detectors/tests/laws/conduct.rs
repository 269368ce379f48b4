//! How detectors behave when rows come.

use andon_detectors::catalog::{CATALOG, Plans, States};
use andon_detectors::detector::Clock;
use andon_detectors::facts::{CELLS, CloseFacts, DeadlineFacts, Pane};
use andon_schemas::profile::Profile;
use andon_schemas::time::{EventTime, Interval, Span};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::plant::{PROFILES, Report, Reports, Row, Watch, a_device, baseline};
use crate::{calm, wild};

/// Machines that between them have every section of a profile, and a device with a cadence.
const MIXED: [&str; 3] = [
    "cnc_controller_fanuc",
    "cnc_controller_siemens",
    "plc_assembly",
];

/// What the catalogue reports about a device of this type.
fn watched(profile: &Profile, rows: &[Row]) -> Vec<Report> {
    let baseline = baseline(profile.clone());
    let plans = Plans::compile(&baseline);
    Watch::of(a_device(&baseline), &plans).all(rows)
}

#[test]
fn a_calm_fortnight_of_every_shipped_type_is_silent() {
    let monday = EventTime::parse("2025-12-07T23:00:00Z").unwrap();
    for profile in PROFILES.iter() {
        let baseline = baseline(profile.clone());
        let rows = calm::rows(&baseline, monday, 14);
        assert!(rows.len() > 100, "{} has {} rows", profile.name, rows.len());
        let reports = watched(profile, &rows);
        let told: Vec<_> = reports
            .iter()
            .filter_map(|r| Some((r.name, r.at, &r.seen.as_ref()?.1.sentence)))
            .take(3)
            .collect();
        assert!(told.is_empty(), "{}: {told:#?}", profile.name);
    }
}

/// Laws over wild rows would hold for detectors that never look.
#[test]
fn wild_rows_wake_every_rule() {
    let mut runner = TestRunner::deterministic();
    let mut woken: Vec<&str> = Vec::new();
    for round in 0..120 {
        let rows = wild::rows().new_tree(&mut runner).unwrap().current();
        let baseline = baseline(PROFILES.get(MIXED[round % 3]).unwrap().clone());
        let plans = Plans::compile(&baseline);
        let mut device = a_device(&baseline);
        if round == 0 {
            device.listed = None;
        }
        woken.extend(
            Watch::of(device, &plans)
                .all(&rows)
                .iter()
                .map(|report| report.name),
        );
    }
    for rule in CATALOG.iter().filter(|entry| entry.clock == Clock::None) {
        assert!(woken.contains(&rule.name), "{} slept", rule.name);
    }
}

/// The knobs by which a plant makes its rules stricter.
fn stricter(profile: &Profile) -> Profile {
    let mut strict = profile.clone();
    strict.scan.hosts /= 2;
    strict.scan.ports /= 2;
    strict.scan.failed /= 2;
    if let Some(volume) = &mut strict.volume {
        volume.rule_bytes /= 4.0;
    }
    if let Some(current) = &mut strict.current {
        current.limit = current.limit.map(|limit| limit * 0.9);
    }
    if let Some(spindle) = &mut strict.spindle {
        spindle.limit *= 0.9;
    }
    if let Some(hours) = &mut strict.hours {
        for span in &mut hours.spans {
            span.from += 60;
        }
    }
    // Nobody is a stranger to a profile that names nobody, so the last one stays.
    strict
        .destinations
        .truncate((strict.destinations.len() - 1).max(1));
    strict
        .protocols
        .truncate((strict.protocols.len() - 1).max(1));
    strict
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_reported_is_finite_bounded_and_worded(
        rows in wild::rows(), which in prop::sample::select(&MIXED[..]),
    ) {
            for report in watched(PROFILES.get(which).unwrap(), &rows) {
            let Some((brief, evidence, _)) = report.seen else { continue };
            prop_assert!(brief.magnitude.is_finite() && brief.magnitude >= 0.0, "{}", report.name);
            prop_assert!(brief.score <= 100 && evidence.score <= 100);
            prop_assert_eq!(brief.score, evidence.score, "{}", report.name);
            prop_assert_eq!(brief.floor, evidence.floor);
            prop_assert_eq!(brief.magnitude.to_bits(), evidence.magnitude.to_bits());
            prop_assert!(evidence.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)));
            for text in [&evidence.sentence, &evidence.clears] {
                prop_assert!(text.ends_with('.') && !text.contains("NaN"), "{}", text);
            }
            prop_assert!(evidence.observed.is_object() && evidence.expected.is_object());
            let technique = |id: &String| id.len() >= 5 && id.starts_with('T');
            prop_assert!(!evidence.techniques.is_empty());
            prop_assert!(evidence.techniques.iter().all(technique));
        }
    }

    #[test]
    fn stored_inputs_explain_themselves(
        rows in wild::rows(), which in prop::sample::select(&MIXED[..]),
    ) {
            let profile = PROFILES.get(which).unwrap().clone();
        let plans = Plans::compile(&baseline(profile.clone()));
        for report in watched(&profile, &rows) {
            let Some((_, evidence, inputs)) = report.seen else { continue };
            let entry = CATALOG.iter().find(|entry| entry.name == report.name).unwrap();
            let stored = serde_json::to_string(&inputs).unwrap();
            let again = (entry.assess)(&plans, &serde_json::from_str(&stored).unwrap());
            prop_assert_eq!(again, Ok(evidence), "{}: {}", report.name, stored);
        }
    }

    #[test]
    fn the_same_rows_always_come_to_the_same(
        rows in wild::rows(), others in wild::rows(), which in prop::sample::select(&MIXED[..]),
    ) {
            let baseline = baseline(PROFILES.get(which).unwrap().clone());
        let plans = Plans::compile(&baseline);
        let device = a_device(&baseline);
        let alone = Watch::of(device, &plans).all(&rows);

        // Again, with the rows of a neighbour of the same type in between.
        let (mut one, mut neighbour) = (Watch::of(device, &plans), Watch::of(device, &plans));
        let (mut reports, mut gossip) = (Reports::default(), Reports::default());
        let mut others = others.iter();
        for row in &rows {
            one.row(row, &mut reports);
            if let Some(other) = others.next() {
                neighbour.row(other, &mut gossip);
            }
        }
        prop_assert_eq!(reports.all, alone);
    }

    #[test]
    fn a_stricter_rule_never_finds_less(
        rows in wild::rows(), which in prop::sample::select(&MIXED[..]),
    ) {
            let loose = PROFILES.get(which).unwrap().clone();
        // The hours also say when silence counts, so it is tried on its own.
        let rules = |profile: &Profile| -> Vec<(&'static str, EventTime)> {
            watched(profile, &rows)
                .iter()
                .filter(|r| r.name != "silence")
                .filter(|r| r.seen.as_ref().is_some_and(|(brief, ..)| brief.floor.is_some()))
                .map(|r| (r.name, r.at))
                .collect()
        };
        let strict = rules(&stricter(&loose));
        for found in rules(&loose) {
            prop_assert!(strict.contains(&found), "{found:?} is lost");
        }
    }

    #[test]
    fn less_patience_never_misses_a_silence(rows in wild::rows(), minutes in 1_i64..30) {
            let mut profile = PROFILES.get("cnc_controller_fanuc").unwrap().clone();
        let mut silences = |patience: Span| -> Vec<serde_json::Value> {
            profile.silence = Some(patience);
            let reports = watched(&profile, &rows);
            let silent = reports.into_iter().filter(|r| r.name == "silence");
            silent.filter_map(|r| Some(r.seen?.2["last_seen"].clone())).collect()
        };
        let patient = silences(Span::MINUTE.times(2 * minutes));
        let hasty = silences(Span::MINUTE.times(minutes));
        for silence in patient {
            prop_assert!(hasty.contains(&silence), "{silence} is lost");
        }
    }

    #[test]
    fn no_window_and_no_deadline_panics(
        counts in any::<([u16; CELLS], [u16; CELLS], u32, u32, u64, u64)>(),
        at in wild::any_time(), seen_at in wild::any_time(), hours in 1_i64..10_000,
        active_share in 0.0..=1.0_f32, partial in any::<bool>(),
        which in prop::sample::select(&MIXED[..]),
    ) {
            let baseline = baseline(PROFILES.get(which).unwrap().clone());
        let plans = Plans::compile(&baseline);
        let device = a_device(&baseline);
        let (destinations, protocols, opened, failed, up, down) = counts;
        let pane = Pane { hour: 0, opened, accepted: failed, failed, up, down, destinations, protocols,
            other_bytes: failed };
        let (mut states, mut reports) = (States::default(), Reports::default());
        let window = Interval { start: at, end: at + Span::HOUR.times(hours) };
        for _ in 0..3 {
            let close = CloseFacts { device, pane: &pane, window, active_share, partial };
            plans.on_close(&mut states, &close, &mut reports);
            let due = plans.deadline(&states, &device, seen_at);
            prop_assert!(due > seen_at || due == EventTime::MAX);
            let deadline = DeadlineFacts { device, now: at, last_seen: seen_at, excused: false };
            plans.on_deadline(&mut states, &deadline, &mut reports);
        }
        for report in reports.all {
            if let Some((brief, evidence, _)) = report.seen {
                prop_assert!(brief.magnitude.is_finite() && brief.score <= 100, "{}", report.name);
                prop_assert!(evidence.magnitude.is_finite());
            }
        }
    }
}
