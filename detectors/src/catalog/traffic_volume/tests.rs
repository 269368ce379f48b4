//! Hours of traffic, drawn.

use super::*;
use crate::facts::Pane;
use crate::stage::{Stage, check, seen, time};

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
            TrafficVolume::on_flow(&plan, &mut Default::default(), &facts)
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
            TrafficVolume::on_flow(&plan, &mut Default::default(), &facts)
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
    let signal = TrafficVolume::on_flow(&plan, &mut Default::default(), &facts);
    let sentence = TrafficVolume::assess(&plan, &seen(signal).inputs).sentence;
    assert!(
        sentence.contains("500 MB")
            && sentence.contains("347 times")
            && sentence.contains("250,000"),
        "{sentence}"
    );
}
