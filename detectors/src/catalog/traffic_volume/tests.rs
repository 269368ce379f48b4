//! Hours of traffic, drawn.

use super::*;
use crate::facts::Pane;
use crate::stage::{Stage, check, seen, time};
use andon_schemas::time::Interval;

const PROFILE: &str = "
volume_per_hour: 50-150 MB
cadence: { size: 2 KB, every: 5 s }
";

/// The running hour holds so many megabytes, a quarter of them sent.
fn running(megabytes: u64) -> Pane {
    Pane {
        up: megabytes * 250_000,
        down: megabytes * 750_000,
        ..Pane::default()
    }
}

#[test]
fn the_row_that_crosses_three_times_the_upper_end_is_seen_at_once() {
    let stage = Stage::of(PROFILE);
    let plan = TrafficVolume::plan(&stage.baseline, 0.0).unwrap();
    // Each digit adds fifty megabytes for each of its units; the rule is at 450.
    let mut megabytes = 0;
    check(
        "
        1111 3 1 1 1 0
        .... . . . ! !
        ",
        |symbol| {
            megabytes += 50 * u64::from(symbol.to_digit(10).unwrap());
            let pane = running(megabytes);
            let mut facts = stage.flow(time("2025-12-12T09:30:00Z"));
            facts.pane = Some(&pane);
            TrafficVolume::on_flow(&plan, &mut Shift::default(), &facts)
        },
    );
}

#[test]
fn a_late_row_says_nothing_about_the_hour_and_a_long_flow_counts_by_its_mean() {
    let stage = Stage::of(PROFILE);
    let plan = TrafficVolume::plan(&stage.baseline, 0.0).unwrap();
    let pane = running(10);
    // l a late row of a huge flow, m a flow of 800 MB in two hours, M of 1,000 MB.
    check(
        "
        l m M
        . . !
        ",
        |symbol| {
            let mut facts = stage.flow(time("2025-12-12T09:30:00Z"));
            facts.flow.start = time("2025-12-12T07:30:00Z");
            facts.flow.up = Some(if symbol == 'm' {
                800_000_000
            } else {
                1_000_000_000
            });
            facts.pane = (symbol != 'l').then_some(&pane);
            TrafficVolume::on_flow(&plan, &mut Shift::default(), &facts)
        },
    );
}

#[test]
fn the_sentence_compares_with_the_baseline_and_the_message() {
    let stage = Stage::of("cadence: { size: 2 KB, every: 5 s }");
    let plan = TrafficVolume::plan(&stage.baseline, 0.0).unwrap();
    let pane = running(500);
    let mut facts = stage.flow(time("2025-12-14T01:30:00Z"));
    facts.pane = Some(&pane);
    let signal = TrafficVolume::on_flow(&plan, &mut Shift::default(), &facts);
    let sentence = TrafficVolume::assess(&plan, &seen(signal).inputs).sentence;
    assert!(
        sentence.contains("500 MB")
            && sentence.contains("347 times")
            && sentence.contains("250,000"),
        "{sentence}"
    );
}

/// Full hours that each moved so many megabytes.
fn hours(plan: &Plan, memory: &mut Shift, stage: &Stage, megabytes: &[u64]) -> Vec<Signal<Inputs>> {
    let start = time("2025-12-12T00:00:00Z");
    (0..)
        .zip(megabytes)
        .map(|(hour, megabytes)| {
            let pane = Pane {
                hour: 490_000 + hour,
                ..running(*megabytes)
            };
            let from = start + Span::HOUR.times(i64::from(hour));
            let facts = CloseFacts {
                device: stage.device(),
                pane: &pane,
                window: Interval {
                    start: from,
                    end: from + Span::HOUR,
                },
                active_share: 1.0,
                partial: false,
            };
            TrafficVolume::on_close(plan, memory, &facts)
        })
        .collect()
}

/// Honest hours: 88 MB, a third more or less.
fn honest(hours: usize) -> Vec<u64> {
    (0..hours)
        .map(|hour| [72, 104, 88, 80, 116, 64, 92][hour % 7])
        .collect()
}

#[test]
fn honest_hours_are_silent_and_half_as_much_again_is_seen_told_and_over() {
    let stage = Stage::of(PROFILE);
    let plan = TrafficVolume::plan(&stage.baseline, 0.1).unwrap();
    let mut series = honest(96);
    series.extend(honest(24).iter().map(|megabytes| megabytes * 8 / 5));
    series.extend(honest(200));
    let signals = hours(&plan, &mut Shift::default(), &stage, &series);
    let seen_at: Vec<usize> = (0..series.len())
        .filter(|at| matches!(signals[*at], Signal::Seen(_)))
        .collect();
    assert!((98..112).contains(&seen_at[0]), "{seen_at:?}");
    let over: Vec<_> = signals.iter().filter(|s| **s == Signal::Over).collect();
    assert_eq!(over.len(), 1);
    let Signal::Seen(sighting) = &signals[119] else {
        panic!("it does not stand: {:?}", signals[119]);
    };
    let stored = serde_json::to_value(&sighting.inputs).unwrap();
    let inputs: Inputs = serde_json::from_value(stored).unwrap();
    let evidence = TrafficVolume::assess(&plan, &inputs);
    assert_eq!((evidence.score, evidence.floor), (sighting.score, None));
    let sentence = evidence.sentence;
    assert!(
        sentence.contains("times what its type does: ")
            && sentence.ends_with("expected of this device and 50\u{2013}150 MB of its type."),
        "{sentence}"
    );
}

#[test]
fn an_hour_that_cannot_be_compared_is_no_step() {
    let stage = Stage::of(PROFILE);
    let plan = TrafficVolume::plan(&stage.baseline, 0.1).unwrap();
    let from = time("2025-12-12T04:00:00Z");
    let pane = running(400);
    let whole = CloseFacts {
        device: stage.device(),
        pane: &pane,
        window: Interval {
            start: from,
            end: from + Span::HOUR,
        },
        active_share: 1.0,
        partial: false,
    };
    let mixed = Pane {
        other_bytes: 1,
        ..pane
    };
    let empty = running(0);
    for facts in [
        CloseFacts {
            active_share: 0.25,
            ..whole
        },
        CloseFacts {
            partial: true,
            ..whole
        },
        CloseFacts {
            pane: &mixed,
            ..whole
        },
        CloseFacts {
            pane: &empty,
            ..whole
        },
    ] {
        let mut memory = Shift::default();
        assert_eq!(
            TrafficVolume::on_close(&plan, &mut memory, &facts),
            Signal::Quiet
        );
        assert_eq!(memory, Shift::default());
    }
    let mut memory = Shift::default();
    TrafficVolume::on_close(&plan, &mut memory, &whole);
    assert!(memory != Shift::default());
}

#[test]
fn the_close_of_an_hour_above_the_rule_tells_the_final_figure() {
    let stage = Stage::of(PROFILE);
    let plan = TrafficVolume::plan(&stage.baseline, 0.1).unwrap();
    let signal = hours(&plan, &mut Shift::default(), &stage, &[700])
        .pop()
        .unwrap();
    let sighting = seen(signal);
    assert!(sighting.floor.is_some() && !sighting.holds);
    let evidence = TrafficVolume::assess(&plan, &sighting.inputs);
    assert!(
        evidence.sentence.contains("It moved 700 MB this hour"),
        "{}",
        evidence.sentence
    );
}
