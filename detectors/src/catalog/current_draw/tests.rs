//! Samples of current, drawn.

use super::*;
use crate::stage::{Stage, check, seen, time};

const PROFILE: &str = "
current: { idle: 0.5-1.0 A, active: 2.0-8.0 A, limit: 10 A }
active_hours: 06:00-22:00
";

fn amperes(symbol: char) -> f32 {
    match symbol {
        'o' => 0.0,
        'g' => 1.5,
        'w' => 5.0,
        'v' => 9.6,
        'L' => 12.0,
        _ => 0.7,
    }
}

/// Plays samples `apart` from each other, from `start`. o off, i idle, g gap, w working, v over
/// active, L above the limit.
fn play(profile: &str, start: &str, apart: Span, drawing: &str) {
    let stage = Stage::of(profile);
    let plan = CurrentDraw::plan(&stage.baseline, 1.0).unwrap();
    let mut memory = State::default();
    let mut at = time(start);
    check(drawing, |symbol| {
        at = at + apart;
        let reading = stage.reading(at, Some(amperes(symbol)), None);
        CurrentDraw::on_reading(&plan, &mut memory, &reading)
    });
}

const DAY: &str = "2025-12-12T09:00:00Z";
const NIGHT: &str = "2025-12-12T23:00:00Z";

#[test]
fn the_third_sample_above_the_limit_is_seen() {
    play(
        PROFILE,
        DAY,
        Span::SECOND,
        "
        iiwww LLwLL LLL i LLL
        ..... ..... !!! . ..!
        ",
    );
}

#[test]
fn working_current_at_night_is_seen_and_idle_current_is_not() {
    play(
        PROFILE,
        NIGHT,
        Span::SECOND,
        "
        ooiiiiooiiii wwiww www i
        ............ ..... !!! .
        ",
    );
}

#[test]
fn work_at_night_in_maintenance_is_excused_once_and_counts_when_maintenance_is_over() {
    let stage = Stage::of(PROFILE);
    let plan = CurrentDraw::plan(&stage.baseline, 1.0).unwrap();
    let (mut memory, mut at) = (State::default(), time(NIGHT));
    // Capitals: in maintenance.
    check(
        "
        WWWWWW II WWWW LLL W ww
        ..e... .. ..e. ..! . !!
        ",
        |symbol| {
            at = at + Span::SECOND;
            let sample = match symbol {
                'W' | 'w' => 'w',
                other => other,
            };
            let mut reading = stage.reading(at, Some(amperes(sample)), None);
            reading.excused = symbol.is_uppercase();
            reading.in_hours |= reading.excused;
            CurrentDraw::on_reading(&plan, &mut memory, &reading)
        },
    );
}

#[test]
fn without_hours_there_is_no_night() {
    play(
        "current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }",
        NIGHT,
        Span::SECOND,
        "
        iii wwwwww LLLLLL
        ... ...... ......
        ",
    );
}

#[test]
fn passing_through_the_gap_is_normal_and_staying_there_becomes_evidence() {
    play(
        PROFILE,
        DAY,
        Span::SECOND,
        "
        iiigwwwwgiiiggwwwiiiggiiiwwwwiiigwww
        ....................................
        ",
    );
    play(
        PROFILE,
        DAY,
        Span::MINUTE.times(5),
        "
        gggiii gggiii gggiii gggiii gggiii gggiii gggiii
        ...... ...... ...... ...... ..!... ..!... ..!...
        ",
    );
}

#[test]
fn heavy_work_does_not_seem_to_last_where_cycles_hardly_idle() {
    let stage = Stage::of("current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }");
    let plan = CurrentDraw::plan(&stage.baseline, 0.3).unwrap();
    let (mut memory, mut at) = (State::default(), time(DAY));
    // Two samples of work and one of idling, again and again; one cycle in twenty draws much.
    let cycles = format!("{}vvvi", "wwi".repeat(19));
    for symbol in cycles.chars().cycle().take(20_000) {
        at = at + Span::from_secs(30);
        let reading = stage.reading(at, Some(amperes(symbol)), None);
        let signal = CurrentDraw::on_reading(&plan, &mut memory, &reading);
        assert!(matches!(signal, Signal::Quiet), "{symbol} at {at:?}");
    }
}

#[test]
fn evidence_is_over_after_enough_normal_visits() {
    let stage = Stage::of("current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }");
    let plan = CurrentDraw::plan(&stage.baseline, 1.0).unwrap();
    let mut memory = State::default();
    let mut at = time(DAY);
    let mut ends = Vec::new();
    for visit in 0..200 {
        for _ in 0..3 {
            at = at + Span::MINUTE.times(5);
            let amperes = match visit {
                0..20 if visit % 2 == 0 => 1.5,
                _ if visit % 2 == 0 => 5.0,
                _ => 0.7,
            };
            let reading = stage.reading(at, Some(amperes), None);
            match CurrentDraw::on_reading(&plan, &mut memory, &reading) {
                Signal::Over => ends.push(visit),
                Signal::Seen(sighting) => assert!(sighting.floor.is_none() && visit < 20),
                Signal::Quiet | Signal::Excused => {}
            }
        }
    }
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(ends[0] > 20);
}

#[test]
fn a_stuck_state_counts_again_each_quarter_hour_but_never_per_sample() {
    let stage = Stage::of("current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }");
    let plan = CurrentDraw::plan(&stage.baseline, 1.0).unwrap();
    let mut memory = State::default();
    let start = time("2025-12-12T00:00:00Z");
    let mut first = None;
    for minute in 0..24 * 60 {
        let at = start + Span::MINUTE.times(minute);
        let reading = stage.reading(at, Some(9.6), None);
        if let Signal::Seen(_) = CurrentDraw::on_reading(&plan, &mut memory, &reading) {
            first.get_or_insert(minute);
        }
    }
    let first = first.unwrap();
    assert!((30..3 * 60).contains(&first), "{first}");
}

#[test]
fn evidence_explains_itself_from_its_inputs() {
    let stage = Stage::of(PROFILE);
    let plan = CurrentDraw::plan(&stage.baseline, 1.0).unwrap();
    let mut memory = State::default();
    let mut at = time(DAY);
    let signals = (0..60).map(|sample| {
        at = at + Span::MINUTE.times(5);
        let amperes = if sample / 3 % 2 == 0 { 9.6 } else { 0.7 };
        CurrentDraw::on_reading(&plan, &mut memory, &stage.reading(at, Some(amperes), None))
    });
    let last = signals
        .filter(|signal| matches!(signal, Signal::Seen(_)))
        .last()
        .unwrap();
    let sighting = seen(last);
    let evidence = CurrentDraw::assess(&plan, &sighting.inputs);
    assert_eq!(evidence.score, sighting.score);
    assert!(evidence.score >= 25);
    assert_eq!(
        evidence.sentence,
        "Its current keeps staying above its working current of 8 A at most, now at 9.6 A, more \
         often than its profile allows."
    );
}

#[test]
fn the_sentences_of_the_rules_give_amperes_and_plant_time() {
    let stage = Stage::of(PROFILE);
    let plan = CurrentDraw::plan(&stage.baseline, 0.0).unwrap();
    let limit = Inputs::AboveLimit { amperes: 12.5 };
    assert_eq!(
        CurrentDraw::assess(&plan, &limit).sentence,
        "It drew 12.5 A, above its absolute limit of 10 A, in at least 3 samples in a row."
    );
    let night = Inputs::WorkingOffHours {
        amperes: 5.0,
        at: time(NIGHT),
    };
    assert_eq!(
        CurrentDraw::assess(&plan, &night).sentence,
        "It drew 5 A, a working current, on Saturday 00:00 plant time, outside its active hours."
    );
}

#[test]
fn the_state_stays_within_its_budget() {
    assert!(size_of::<State>() <= 48);
}
