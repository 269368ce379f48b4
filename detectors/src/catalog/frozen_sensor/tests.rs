//! Values that stand still, drawn.

use super::*;
use crate::stage::{Stage, check, seen, time};

const PROFILE: &str = "
current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }
spindle: 0-12000 rpm
frozen: { idle: 20 min, active: 12 min, turning: 15 min }
";

/// A reading a minute: w works and moves, W works and shows 5 A again, i idles, I idles at 0.7 A
/// again, o is off, T turns at 8,000 rpm again while its current moves, n says nothing, L is late.
fn play(profile: &str, apart: Span, drawing: &str) {
    let stage = Stage::of(profile);
    let plan = FrozenSensor::plan(&stage.baseline, 0.0).unwrap();
    let mut memory = State::default();
    let mut at = time("2025-12-12T00:00:00Z");
    let mut moving = 0.0_f32;
    check(drawing, |symbol| {
        at = at + apart;
        moving += 0.001;
        let (current, speed) = match symbol {
            'w' => (Some(5.0 + moving), Some(8_000.0 + 100.0 * moving)),
            'W' | 'L' => (Some(5.0), Some(8_000.0 + 100.0 * moving)),
            'T' => (Some(5.0 + moving), Some(8_000.0)),
            'i' => (Some(0.7 + moving), Some(0.0)),
            'I' => (Some(0.7), Some(0.0)),
            'o' => (Some(0.0), Some(0.0)),
            _ => (None, None),
        };
        let mut reading = stage.reading(at, current, speed);
        reading.late = symbol == 'L';
        FrozenSensor::on_reading(&plan, &mut memory, &reading)
    });
}

#[test]
fn a_value_that_stands_still_is_seen_told_again_and_over() {
    play(
        PROFILE,
        Span::MINUTE,
        "
        ww WWWWWWWWWWWWWWWWWWWWWWWWWWWWWW ww
        .. ............!...........!..... o.
        ",
    );
}

#[test]
fn each_state_has_its_own_patience() {
    play(
        PROFILE,
        Span::MINUTE,
        "
        IIIIIIIIIIIIIIIIIIIIII w TTTTTTTTTTTTTTTTT w
        ....................!. o ...............!. o
        ",
    );
}

#[test]
fn a_machine_that_is_off_and_a_spindle_at_rest_show_the_same_for_ever() {
    play(
        PROFILE,
        Span::MINUTE,
        "
        ooooooooooooooooooooooooooooooooooooooooooo iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii
        ........................................... ...................................
        ",
    );
}

#[test]
fn a_state_that_nothing_is_written_of_may_repeat_itself() {
    play(
        "current: { idle: 0.5-1.0 A, active: 2.0-8.0 A }\nfrozen: { active: 12 min }",
        Span::MINUTE,
        "
        IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII WWWWWWWWWWWWWW
        .......................................... ............!.
        ",
    );
}

#[test]
fn late_readings_and_silent_ones_neither_count_nor_interrupt() {
    play(
        PROFILE,
        Span::MINUTE,
        "
        WWWWWWWWLnLW W
        ............ !
        ",
    );
}

#[test]
fn a_few_samples_far_apart_prove_nothing() {
    // Twelve minutes, but only every four minutes a sample; then one every twenty, which is more
    // than any sample vouches for.
    play(
        PROFILE,
        Span::MINUTE.times(4),
        "
        WWWWWWWWW WW
        ......... !.
        ",
    );
    play(
        PROFILE,
        Span::MINUTE.times(20),
        "
        WWWWWWWWWWWWWWWWWWWWWW
        ......................
        ",
    );
}

#[test]
fn the_sentence_says_what_stands_still_for_how_long() {
    let stage = Stage::of(PROFILE);
    let plan = FrozenSensor::plan(&stage.baseline, 0.0).unwrap();
    let mut memory = State::default();
    let mut come = Signal::Quiet;
    for second in 0..721 {
        let at = time("2025-12-12T00:00:00Z") + Span::from_secs(second);
        come = FrozenSensor::on_reading(&plan, &mut memory, &stage.reading(at, Some(5.0), None));
    }
    let sighting = seen(come);
    assert_eq!(sighting.floor, Some(Grade::Medium));
    assert!(sighting.holds);
    assert_eq!(
        FrozenSensor::assess(&plan, &sighting.inputs).sentence,
        "Its current has been exactly 5 A for 12 min, where an honest sensor moves within 12 min."
    );
}

#[test]
fn another_profile_has_told_nothing_yet() {
    let stage = Stage::of(PROFILE);
    let plan = FrozenSensor::plan(&stage.baseline, 0.0).unwrap();
    let mut memory = State::default();
    let take = |minute: i64, memory: &mut State| {
        let at = time("2025-12-12T00:00:00Z") + Span::MINUTE.times(minute);
        FrozenSensor::on_reading(&plan, memory, &stage.reading(at, Some(5.0), None))
    };
    let told = (0..14).filter(|minute| matches!(take(*minute, &mut memory), Signal::Seen(_)));
    assert_eq!(told.count(), 1);
    FrozenSensor::change_profile(&mut memory);
    assert!(matches!(take(14, &mut memory), Signal::Seen(_)));
}

#[test]
fn the_state_stays_within_its_budget() {
    assert!(size_of::<State>() <= 32);
}
