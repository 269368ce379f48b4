//! Speeds and currents, drawn.

use super::*;
use crate::stage::{Stage, check, seen, time};

const PROFILE: &str = "
current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }
spindle: 0-12000 rpm
";

/// s stands idle, t turns under power, u turns without power, p stands under power, F too fast,
/// R too fast in reverse, L too fast and late, n no speed, c turns and the current is not said.
fn sample(symbol: char) -> (Option<f32>, Option<f32>) {
    match symbol {
        't' => (Some(5.0), Some(8_000.0)),
        'u' => (Some(0.7), Some(8_000.0)),
        'p' => (Some(5.0), Some(0.0)),
        'F' | 'L' => (Some(5.0), Some(12_001.0)),
        'R' => (Some(5.0), Some(-13_000.0)),
        'n' => (Some(5.0), None),
        'c' => (None, Some(8_000.0)),
        _ => (Some(0.7), Some(0.0)),
    }
}

fn play(profile: &str, apart: Span, drawing: &str) {
    let stage = Stage::of(profile);
    let plan = SpindleSpeed::plan(&stage.baseline, 1.0).unwrap();
    let mut memory = State::default();
    let mut at = time("2025-12-12T00:00:00Z");
    check(drawing, |symbol| {
        at = at + apart;
        let (current, speed) = sample(symbol);
        let mut reading = stage.reading(at, current, speed);
        reading.late = symbol == 'L';
        SpindleSpeed::on_reading(&plan, &mut memory, &reading)
    });
}

#[test]
fn the_first_sample_above_the_limit_is_seen_late_or_in_reverse() {
    play(
        PROFILE,
        Span::SECOND,
        "
        sstttt F tt L R nn cc ss
        ...... ! .. ! ! .. .. ..
        ",
    );
}

#[test]
fn a_written_limit_replaces_the_upper_end_of_the_range() {
    play(
        "spindle: { range: 0-12000 rpm, limit: 12500 rpm }",
        Span::SECOND,
        "
        s F R F
        . . ! .
        ",
    );
}

#[test]
fn spinning_up_and_running_down_are_no_contradiction() {
    play(
        PROFILE,
        Span::from_secs(10),
        "
        sspptttttuuusspptttttuuusspptttttuuusspptttttuuuss
        ..................................................
        ",
    );
}

#[test]
fn a_lasting_contradiction_becomes_evidence() {
    // A sample every five minutes: a stretch counts with its third sample, then each quarter hour.
    play(
        PROFILE,
        Span::from_secs(300),
        "
        tttttttttttt uuuuuuuuuuuu uuu
        ............ ........!..! ..!
        ",
    );
}

#[test]
fn standing_under_power_contradicts_too_and_ends_with_honest_work() {
    let stage = Stage::of(PROFILE);
    let plan = SpindleSpeed::plan(&stage.baseline, 1.0).unwrap();
    let mut memory = State::default();
    let mut at = time("2025-12-12T00:00:00Z");
    let (mut first, mut ends) = (None, Vec::new());
    for quarter in 0..90 {
        for _ in 0..15 {
            at = at + Span::MINUTE;
            let (current, speed) = sample(if quarter < 10 { 'p' } else { 't' });
            let reading = stage.reading(at, current, speed);
            match SpindleSpeed::on_reading(&plan, &mut memory, &reading) {
                Signal::Seen(sighting) => {
                    assert!(sighting.floor.is_none() && quarter < 11);
                    first.get_or_insert((quarter, sighting));
                }
                Signal::Over => ends.push(quarter),
                Signal::Quiet | Signal::Excused => {}
            }
        }
    }
    let (quarter, sighting) = first.unwrap();
    assert!((1..10).contains(&quarter), "{quarter}");
    assert_eq!(ends.len(), 1, "{ends:?}");
    let evidence = SpindleSpeed::assess(&plan, &sighting.inputs);
    assert_eq!(evidence.score, sighting.score);
    assert_eq!(
        evidence.sentence,
        "The machine draws 5 A, a working current, while its spindle reports 0 rpm, as if it stood."
    );
}

#[test]
fn the_sentence_of_the_rule_gives_both_speeds() {
    let stage = Stage::of(PROFILE);
    let plan = SpindleSpeed::plan(&stage.baseline, 0.0).unwrap();
    let mut memory = State::default();
    let reading = stage.reading(time("2025-12-12T00:00:00Z"), None, Some(13_500.0));
    let sighting = seen(SpindleSpeed::on_reading(&plan, &mut memory, &reading));
    assert_eq!(sighting.floor, Some(Grade::High));
    assert_eq!(
        SpindleSpeed::assess(&plan, &sighting.inputs).sentence,
        "Its spindle ran at 13,500 rpm, above its limit of 12,000 rpm."
    );
}

#[test]
fn the_state_stays_within_its_budget() {
    assert!(size_of::<State>() <= 32);
}
