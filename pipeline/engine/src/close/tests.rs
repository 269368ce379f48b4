//! Windows and deadlines come in the order of their times, and only once.

use andon_schemas::time::{EventTime, Span};

use crate::output::Item;
use crate::scenes::{Bench, device, minute, reading, stray_flow, verdicts};

#[test]
fn hours_close_by_ticks_and_each_counts_once() {
    let mut bench = Bench::new();
    let conveyor = device("conveyor");
    bench.rows(&[stray_flow(&conveyor, minute(630))]);
    for minutes in [640, 659, 660, 660, 661, 719, 720, 725] {
        bench.tick(minute(minutes));
    }
    assert_eq!(bench.engine.counts().device_hours, 2);
}

#[test]
fn a_flow_closes_hours_by_its_own_clock() {
    let mut bench = Bench::new();
    let conveyor = device("conveyor");
    bench.rows(&[stray_flow(&conveyor, minute(630))]);
    bench.rows(&[stray_flow(&conveyor, minute(665))]);
    assert_eq!(
        bench.engine.counts().device_hours,
        0,
        "its allowance is not over"
    );
    bench.rows(&[stray_flow(&conveyor, minute(666))]);
    assert_eq!(bench.engine.counts().device_hours, 1);
}

#[test]
fn the_first_tick_after_decades_costs_a_few_questions() {
    let mut bench = Bench::new();
    let plc = device("plc_assembly");
    bench.rows(&[reading(&plc, EventTime::from_micros(30_000_000))]);
    let output = bench.tick(EventTime::parse("2100-01-01T00:00:00Z").unwrap());
    // Every deadline up to the tick has been asked, and the decades are not counted as watched.
    assert!(bench.engine.devices.due[0] > EventTime::parse("2100-01-01T00:00:00Z").unwrap());
    assert!(bench.engine.counts().device_hours < 24 * 100);
    assert!(output.items.len() < 40, "{}", output.items.len());
}

#[test]
fn deadlines_of_one_tick_are_told_in_their_order() {
    let mut bench = Bench::new();
    let crew = ["conveyor", "plc_assembly", "robotic_arm"].map(device);
    for (n, id) in (0..).zip(&crew) {
        bench.rows(&[stray_flow(id, minute(600 + n))]);
    }
    let output = bench.tick(minute(6_000));
    let deadlines: Vec<_> = output
        .items
        .iter()
        .map(|(cause, _)| cause.deadline)
        .collect();
    assert!(deadlines.is_sorted(), "{deadlines:?}");
    assert!(deadlines.iter().all(|at| *at <= minute(6_000)));
    assert!(deadlines.len() > 3);
}

#[test]
fn a_device_that_falls_silent_again_is_missed_again() {
    let mut bench = Bench::new();
    // A day and a half of silence inside its hours, a row, and silence again.
    let sensor = device("temperature_sensor");
    bench.rows(&[reading(&sensor, minute(600))]);
    let first = silences(&mut bench, minute(2_760));
    bench.rows(&[reading(&sensor, minute(2_761))]);
    let second = silences(&mut bench, minute(4_800));
    assert_eq!((first.len(), second.len()), (1, 1));
    let patience = |at: EventTime, seen: i64| at.since(minute(seen));
    assert_eq!(patience(second[0], 2_761), patience(first[0], 600));
}

/// Ticks until `end`, and the deadlines at which silence was raised.
fn silences(bench: &mut Bench, end: EventTime) -> Vec<EventTime> {
    let output = bench.tick(end);
    verdicts(&output)
        .into_iter()
        .filter(|(_, state, standing)| state == "raised" && standing == &["silence"])
        .map(|(deadline, ..)| deadline)
        .collect()
}

#[test]
fn at_the_end_what_is_told_is_marked_and_nobody_is_missed() {
    let mut bench = Bench::new();
    let sensor = device("temperature_sensor");
    let conveyor = device("conveyor");
    bench.rows(&[
        reading(&sensor, minute(600)),
        stray_flow(&conveyor, minute(600)),
    ]);
    let output = bench.end(minute(640));
    assert!(
        verdicts(&output)
            .iter()
            .all(|(.., standing)| !standing.contains(&"silence".to_owned())),
        "{output:?}"
    );
    for (_, item) in &output.items {
        if let Item::Verdict(verdict) = item {
            assert!(verdict.end_of_input);
        }
    }
}

#[test]
fn an_hour_that_the_end_closed_does_not_close_again() {
    let mut bench = Bench::new();
    bench.rows(&[stray_flow(&device("conveyor"), minute(600))]);
    bench.end(minute(640));
    let hours = bench.engine.counts().device_hours;
    bench.tick(minute(660));
    assert_eq!(bench.engine.counts().device_hours, hours);
}

#[test]
fn a_tick_that_goes_back_moves_nothing() {
    let mut bench = Bench::new();
    let conveyor = device("conveyor");
    bench.rows(&[stray_flow(&conveyor, minute(630))]);
    bench.tick(minute(700));
    let before = bench.engine.snapshot().unwrap();
    assert!(bench.tick(minute(650)).items.is_empty());
    assert_eq!(bench.engine.snapshot().unwrap(), before);
}

#[test]
fn the_first_and_the_last_moment_do_no_harm() {
    for at in [EventTime::MIN, EventTime::MAX, EventTime::MAX - Span::HOUR] {
        let mut bench = Bench::new();
        let conveyor = device("conveyor");
        bench.rows(&[stray_flow(&conveyor, at), reading(&conveyor, minute(0))]);
        bench.tick(EventTime::MAX);
        bench.end(EventTime::MAX);
    }
}
