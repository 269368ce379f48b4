//! Speeds and currents, drawn.

use super::*;
use crate::detector::Sighting;
use crate::stage::{Stage, check, seen, time};
use crate::stats::dice::Dice;

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

const LOADS: &str = "
current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }
spindle: 0-12000 rpm
load:
  - { speed: 0-120 rpm, current: 0.4-1 A }
  - { speed: 6000-12000 rpm, current: 4-6.2 A, mean: 4.5-5.5 A }
";

/// A sample every ten seconds of cycles of a minute: four samples of work and two at rest, with
/// these amperes each. What was told first, in which quarter of an hour, and when it was over.
type Told = (Option<(i64, Sighting<Inputs>)>, Option<i64>);

fn cycles(profile: &str, quarters: i64, amperes: impl Fn(i64) -> (f32, f32)) -> (Told, Plan) {
    let stage = Stage::of(profile);
    let plan = SpindleSpeed::plan(&stage.baseline, 0.2).unwrap();
    let mut memory = State::default();
    let (mut first, mut over) = (None, None);
    for sample in 0..quarters * 90 {
        let at = time("2025-12-12T00:00:00Z") + Span::from_secs(10).times(sample);
        let (work, rest) = amperes(sample / 90);
        let (current, speed) = match sample % 6 {
            0..4 => (work, 8_000.0),
            _ => (rest, 0.0),
        };
        let reading = stage.reading(at, Some(current), Some(speed));
        match SpindleSpeed::on_reading(&plan, &mut memory, &reading) {
            Signal::Seen(sighting) if first.is_none() => first = Some((sample / 90, sighting)),
            Signal::Over => over = Some(sample / 90),
            _ => {}
        }
    }
    ((first, over), plan)
}

fn sentence(plan: &Plan, sighting: &Sighting<Inputs>) -> String {
    let evidence = SpindleSpeed::assess(plan, &sighting.inputs);
    assert_eq!((evidence.score, evidence.floor), (sighting.score, None));
    evidence.sentence
}

#[test]
fn short_cycles_of_honest_work_stay_silent_as_does_a_drift_that_is_let_pass() {
    // Ten days; the load wanders by a tenth.
    let (told, _) = cycles(LOADS, 960, |quarter| match quarter % 3 {
        0 => (5.0, 0.7),
        1 => (5.4, 0.9),
        _ => (4.6, 0.0),
    });
    assert_eq!(told, (None, None));
}

#[test]
fn a_working_current_at_rest_is_found_although_rest_never_lasts() {
    let ((first, over), plan) = cycles(LOADS, 80, |quarter| match quarter {
        8..16 => (5.0, 5.0),
        _ => (5.0, 0.7),
    });
    let (quarter, sighting) = first.unwrap();
    assert!((11..15).contains(&quarter), "{quarter}");
    assert!(over.unwrap() > 16);
    assert_eq!(
        sentence(&plan, &sighting),
        "In 100 % of the samples of a quarter of an hour in which its spindle reports to stand, the \
         machine draws another current than at rest, such as 5 A."
    );
}

#[test]
fn turning_without_current_is_found_in_short_cycles() {
    let ((first, _), plan) = cycles(LOADS, 20, |quarter| match quarter {
        8.. => (0.0, 0.7),
        _ => (5.0, 0.7),
    });
    let (quarter, sighting) = first.unwrap();
    assert!((11..15).contains(&quarter), "{quarter}");
    assert!(sentence(&plan, &sighting).contains("reports to turn"));
}

#[test]
fn a_load_that_moves_is_found_within_the_currents_of_work() {
    // 6.2 A is a current of work; that every quarter means it is not.
    let ((first, _), plan) = cycles(LOADS, 24, |quarter| match quarter {
        8.. => (6.2, 0.7),
        _ => (5.0, 0.7),
    });
    let (quarter, sighting) = first.unwrap();
    assert!((9..20).contains(&quarter), "{quarter}");
    assert_eq!(
        sentence(&plan, &sighting),
        "While its spindle turned, the machine drew 1.25 times the current that goes with the \
         speed, in the mean of a quarter of an hour."
    );
    // A profile without means does not know it.
    let without = LOADS.replace(", mean: 4.5-5.5 A", "");
    let ((first, _), _) = cycles(&without, 24, |_| (6.2, 0.7));
    assert!(first.is_none());
}

#[test]
fn what_a_drive_draws_as_it_starts_and_stops_is_passed_over() {
    // Every first sample of work draws nothing yet, every first one at rest what work drew.
    let stage = Stage::of(LOADS);
    let plan = SpindleSpeed::plan(&stage.baseline, 0.2).unwrap();
    let mut memory = State::default();
    for sample in 0..90 * 960 {
        let at = time("2025-12-12T00:00:00Z") + Span::from_secs(10).times(sample);
        let (current, speed) = match sample % 6 {
            0 => (0.1, 8_000.0),
            1..4 => (5.0, 8_000.0),
            4 => (5.0, 0.0),
            _ => (0.7, 0.0),
        };
        let reading = stage.reading(at, Some(current), Some(speed));
        let signal = SpindleSpeed::on_reading(&plan, &mut memory, &reading);
        assert_eq!(signal, Signal::Quiet, "{sample}");
    }
}

/// The promise is 1.11 alarms at `A` per `A` device-days and whole stake; these devices are as
/// honest as their profile says: one sample in twenty fits nothing, means are log-normal.
#[test]
fn honest_loads_alarm_no_more_often_than_promised() {
    let stage = Stage::of(LOADS);
    let plan = SpindleSpeed::plan(&stage.baseline, 1.0).unwrap();
    let (devices, days) = (40, 40);
    let mut dice = Dice(11);
    let mut alarms = 0_u32;
    for _ in 0..devices {
        let (mut memory, mut stood) = (State::default(), false);
        // It keeps to a level within what is let pass.
        let level = 1.0 + 0.05 * dice.normal().clamp(-1.0, 1.0);
        for quarter in 0..days * 96 {
            #[expect(clippy::cast_possible_truncation, reason = "amperes fit")]
            let work = (5.0 * level * (0.04 * dice.normal()).exp()) as f32;
            for sample in 0..24 {
                let from_s = i64::from(quarter) * 900 + i64::from(sample) * 36;
                let at = time("2025-12-12T00:00:00Z") + Span::from_secs(from_s);
                let is_odd = dice.uniform() < 0.05;
                let (current, speed) = match (sample < 12, is_odd) {
                    (true, true) => (0.5, 8_000.0),
                    (true, false) => (work, 8_000.0),
                    (false, true) => (5.0, 0.0),
                    (false, false) => (0.7, 0.0),
                };
                let reading = stage.reading(at, Some(current), Some(speed));
                match SpindleSpeed::on_reading(&plan, &mut memory, &reading) {
                    Signal::Seen(_) if !stood => (stood, alarms) = (true, alarms + 1),
                    Signal::Over => stood = false,
                    _ => {}
                }
            }
        }
    }
    let per_level = f64::from(alarms) * 10.0 / f64::from(devices * days);
    assert!(per_level <= 1.11, "{alarms} alarms, {per_level} per level");
}

#[test]
fn the_state_stays_within_its_budget() {
    assert!(size_of::<State>() <= 56);
}
