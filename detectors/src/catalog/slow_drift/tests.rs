//! A machine and a sensor over weeks: what creeps up is seen and named, what is honest is not.

use super::*;
use crate::facts::Pane;
use crate::stage::{Stage, seen, time};
use crate::stats::dice::Dice;
use andon_schemas::time::Interval;

const MACHINE: &str = "volume_per_hour: 50-150 MB\nupload_share: 5-15 %\n\
                       current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }\nspindle: 0-12000 rpm";
const SENSOR: &str = "cadence: { size: 48 B, every: 60 s }";

fn memory_of(stage: &Stage) -> (Plan, Memory) {
    let plan = SlowDrift::plan(&stage.baseline, 0.05).unwrap();
    (plan, Memory::default())
}

/// Closes an hour of a day that begins at 2025-12-12 in UTC.
fn close(
    stage: &Stage,
    plan: &Plan,
    memory: &mut Memory,
    hour: i32,
    (up, down): (u64, u64),
) -> Signal<Inputs> {
    let start = time("2025-12-12T00:00:00Z") + Span::HOUR.times(i64::from(hour));
    let first = i32::try_from(start.micros() / Span::HOUR.micros()).unwrap();
    let pane = Pane {
        hour: first,
        opened: 20,
        up,
        down,
        ..Pane::default()
    };
    let facts = CloseFacts {
        device: stage.device(),
        pane: &pane,
        window: Interval {
            start,
            end: start + Span::HOUR,
        },
        active_share: 1.0,
        partial: false,
    };
    SlowDrift::on_close(plan, memory, &facts)
}

/// Days of a machine that moves a fifth more than its type, up to one more; from the 30th day on it
/// moves so much more each day.
fn machine_days(days: i32, per_day: f64) -> Vec<Signal<Inputs>> {
    let stage = Stage::of(MACHINE);
    let (plan, mut memory) = memory_of(&stage);
    let mut dice = Dice(3);
    let mut signals = Vec::new();
    for day in 0..days {
        let grown = (per_day * f64::from((day - 30).max(0))).exp();
        for hour in 0..24 {
            let bytes = 1.2 * 86.6e6 * grown * (0.2 * dice.normal()).exp();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a hundred million"
            )]
            let (up, down) = ((0.09 * bytes) as u64, (0.91 * bytes) as u64);
            signals.push(close(
                &stage,
                &plan,
                &mut memory,
                day * 24 + hour,
                (up, down),
            ));
        }
    }
    signals
}

#[test]
fn a_device_above_its_type_is_silent_and_its_slow_growth_is_seen() {
    let honest = machine_days(120, 0.0);
    assert!(honest.iter().all(|signal| *signal == Signal::Quiet));
    let signals = machine_days(90, 0.005);
    let first = signals
        .iter()
        .position(|signal| matches!(signal, Signal::Seen(_)))
        .unwrap();
    assert!((30 * 24..85 * 24).contains(&first), "day {}", first / 24);
    let told = signals
        .iter()
        .filter(|signal| matches!(signal, Signal::Seen(_)));
    assert!(told.count() <= 60, "once a day at most");
}

#[test]
fn a_finding_names_what_is_expected_of_the_device_and_of_its_type() {
    let stage = Stage::of(MACHINE);
    let (plan, _) = memory_of(&stage);
    let sighting = machine_days(90, 0.005)
        .into_iter()
        .find(|signal| matches!(signal, Signal::Seen(_)))
        .map(seen)
        .unwrap();
    let stored = serde_json::to_value(sighting.inputs).unwrap();
    let inputs: Inputs = serde_json::from_value(stored).unwrap();
    let evidence = SlowDrift::assess(&plan, &inputs);
    assert_eq!(evidence.score, sighting.score);
    assert!(sighting.score >= 25 && sighting.floor.is_none());
    assert!(
        evidence
            .sentence
            .contains("its hourly volume has moved away from its own level")
    );
    let figure = |key: &str| evidence.expected[key].as_f64().unwrap();
    assert!((figure("of_type") / 86.6e6 - 1.0).abs() < 1e-3);
    assert!((1.12..1.25).contains(&(figure("of_device") / figure("of_type"))));
    assert!(evidence.observed["times_device"].as_f64().unwrap() > 1.05);
    assert_eq!(evidence.techniques, ["T0882"]);
}

#[test]
fn it_is_over_once_the_device_is_back_at_its_level() {
    let stage = Stage::of(MACHINE);
    let (plan, mut memory) = memory_of(&stage);
    let mut overs = 0;
    for day in 0..120 {
        let times = if (30..50).contains(&day) { 150 } else { 100 };
        for hour in 0..24 {
            let bytes = (times * 80_000, times * 800_000);
            let signal = close(&stage, &plan, &mut memory, day * 24 + hour, bytes);
            overs += usize::from(signal == Signal::Over);
        }
    }
    assert_eq!(overs, 1);
}

/// Two months of readings by the minute, of which the second draws `times` as much.
fn worked(stage: &Stage, times: f32) -> Vec<Signal<Inputs>> {
    let (plan, mut memory) = memory_of(stage);
    let start = time("2025-12-12T00:00:00Z");
    let mut dice = Dice(8);
    let mut signals = Vec::new();
    for minute in 0..60_i64 * 24 * 60 {
        let factor = if minute < 30 * 24 * 60 { 1.0 } else { times };
        let amperes = if minute % 20 < 8 {
            0.7
        } else {
            factor * 4.0 * (0.1 * dice.score()).exp()
        };
        let at = start + Span::MINUTE.times(minute);
        let facts = stage.reading(at, Some(amperes), Some(6_000.0));
        signals.push(SlowDrift::on_reading(&plan, &mut memory, &facts));
    }
    signals
}

#[test]
fn a_working_current_that_has_crept_up_is_seen_within_its_written_range() {
    let stage = Stage::of(MACHINE);
    let honest = worked(&stage, 1.0);
    assert!(honest.iter().all(|signal| *signal == Signal::Quiet));
    let last = worked(&stage, 1.8)
        .into_iter()
        .rfind(|signal| matches!(signal, Signal::Seen(_)))
        .map(seen)
        .unwrap();
    let (plan, _) = memory_of(&stage);
    let evidence = SlowDrift::assess(&plan, &last.inputs);
    assert_eq!(evidence.observed["number"], "active_current_a");
    assert!(
        evidence.sentence.contains("its working current"),
        "{}",
        evidence.sentence
    );
}

/// A month of one message a minute, and another in which every `nth` is followed by one more.
fn beats(stage: &Stage, nth: i32, size: u64) -> Vec<Signal<Inputs>> {
    let (plan, mut memory) = memory_of(stage);
    let start = time("2025-12-12T00:00:00Z");
    let mut signals = Vec::new();
    for hour in 0..60 * 24 {
        let begin = start + Span::HOUR.times(i64::from(hour));
        let number = i32::try_from(begin.micros() / Span::HOUR.micros()).unwrap();
        let pane = Pane {
            hour: number,
            ..Pane::default()
        };
        let (extra, size) = if hour < 30 * 24 {
            (0, 48)
        } else {
            (60 / nth, size)
        };
        for _ in 0..60 + extra {
            let mut facts = stage.flow(begin);
            (facts.destination, facts.up, facts.pane) = (Some(0), size, Some(&pane));
            SlowDrift::on_flow(&plan, &mut memory, &facts);
        }
        let bytes = (size * u64::try_from(60 + extra).unwrap(), 0);
        signals.push(close(stage, &plan, &mut memory, hour, bytes));
    }
    signals
}

#[test]
fn one_message_more_in_ten_or_a_larger_one_is_seen_and_an_even_rhythm_is_silent() {
    let stage = Stage::of(SENSOR);
    let (plan, _) = memory_of(&stage);
    assert!(
        beats(&stage, 1_000, 48)
            .iter()
            .all(|signal| *signal == Signal::Quiet)
    );
    for (nth, size, number) in [(10, 48, "messages_per_hour"), (1_000, 54, "message_bytes")] {
        let last = beats(&stage, nth, size)
            .into_iter()
            .rfind(|signal| matches!(signal, Signal::Seen(_)))
            .map(seen)
            .unwrap();
        let evidence = SlowDrift::assess(&plan, &last.inputs);
        assert_eq!(evidence.observed["number"], number);
        assert_eq!(evidence.techniques[0], "T0856");
    }
}

#[test]
fn nothing_is_staked_on_what_a_profile_does_not_speak_of() {
    assert!(SlowDrift::plan(&Stage::of("").baseline, 0.05).is_none());
    let stage = Stage::of(SENSOR);
    let (plan, _) = memory_of(&stage);
    let followed: Vec<_> = plan
        .lanes
        .iter()
        .flatten()
        .map(|lane| lane.measure)
        .collect();
    assert_eq!(followed, [Measure::Rhythm, Measure::Size]);
    assert!((plan.stake - 0.025).abs() < 1e-9);
    let (plan, _) = memory_of(&Stage::of(MACHINE));
    assert_eq!(plan.lanes.iter().flatten().count(), 4);
}

#[test]
fn state_is_compact() {
    assert!(size_of::<Memory>() <= 68, "{}", size_of::<Memory>());
}
