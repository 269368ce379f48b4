//! Streams of messages, drawn.

use super::*;
use crate::stage::{Stage, check, seen, time};

const PROFILE: &str = "
destinations: [{ name: cnc-historian.mfg.local, share: 100 % }]
cadence: { size: 2 KB, every: 5 s }
";
/// Messages a minute: twelve.
const MORNING: &str = "2025-12-12T08:00:00Z";

/// Plays messages, each so many seconds after the last and so large; what was seen, and whether
/// evidence was over in the end.
fn play(profile: &str, messages: impl Iterator<Item = (i64, u64)>) -> (Vec<(i64, Inputs)>, usize) {
    let stage = Stage::of(profile);
    let plan = Cadence::plan(&stage.baseline, 0.3).unwrap();
    let (mut memory, mut at) = (State::default(), time(MORNING));
    let (mut told, mut ends) = (Vec::new(), 0);
    for (number, (seconds, size)) in (0..).zip(messages) {
        at = at + Span::from_secs(seconds);
        let mut facts = stage.flow(at);
        facts.up = size;
        match Cadence::on_flow(&plan, &mut memory, &facts) {
            Signal::Quiet | Signal::Excused => {}
            Signal::Over => ends += 1,
            Signal::Seen(sighting) => {
                let evidence = Cadence::assess(&plan, &sighting.inputs);
                assert_eq!(evidence.score, sighting.score);
                assert!(evidence.score >= 25 && sighting.floor.is_none());
                told.push((number, sighting.inputs));
            }
        }
    }
    (told, ends)
}

fn sentence(inputs: &Inputs) -> String {
    let stage = Stage::of(PROFILE);
    Cadence::assess(&Cadence::plan(&stage.baseline, 0.3).unwrap(), inputs).sentence
}

#[test]
fn a_week_in_rhythm_with_honest_loss_is_silent() {
    let honest = (0..100_000).map(|number| (if number % 500 == 7 { 10 } else { 5 }, 2_000));
    assert_eq!(play(PROFILE, honest), (Vec::new(), 0));
}

#[test]
fn one_extra_message_every_five_minutes_is_seen_within_two_hours() {
    // Sixty messages a five minutes, and one more two seconds after one of them.
    let smuggled = (0..20_000).map(|number| match number % 61 {
        30 => (2, 2_000),
        31 => (3, 2_000),
        _ => (5, 2_000),
    });
    let (told, _) = play(PROFILE, smuggled);
    assert!(told[0].0 < 1_440, "{}", told[0].0);
    let words = sentence(&told[0].1);
    assert!(
        words.contains("before they are due") && words.contains("every 5 s"),
        "{words}"
    );
}

#[test]
fn missed_slots_and_other_sizes_are_seen_and_are_over_when_it_is_right_again() {
    let missing = (0..20_000).map(|number| {
        (
            if number < 600 && number % 4 == 0 {
                10
            } else {
                5
            },
            2_000,
        )
    });
    let (told, ends) = play(PROFILE, missing);
    assert!(sentence(&told[0].1).contains("leaves out messages"));
    assert_eq!(ends, 1);
    let larger = (0..20_000).map(|number| {
        (
            5,
            if number < 600 && number % 2 == 0 {
                2_600
            } else {
                2_000
            },
        )
    });
    let (told, ends) = play(PROFILE, larger);
    assert!(
        sentence(&told[0].1).contains("2.6 KB"),
        "{}",
        sentence(&told[0].1)
    );
    assert_eq!(ends, 1);
    let hours: Vec<i64> = told.iter().map(|(number, _)| number * 5 / 3_600).collect();
    assert!(hours.windows(2).all(|pair| pair[0] < pair[1]), "{hours:?}");
}

#[test]
fn nights_late_rows_and_other_destinations_are_no_steps() {
    let stage = Stage::of(&format!("{PROFILE}active_hours: 06:00-22:00\n"));
    let plan = Cadence::plan(&stage.baseline, 0.3).unwrap();
    let mut memory = State::default();
    let mut at = time(MORNING);
    // n one at night, l a late one, o one to somebody else, g in rhythm, e far too early.
    let drawing = "
        nnnn llll oooo g gggg
        .... .... .... . ....
        ";
    check(drawing, |symbol| {
        at = at + Span::from_secs(5);
        let when = if symbol == 'n' {
            time("2025-12-12T01:00:00Z")
        } else {
            at
        };
        let mut facts = stage.flow(when);
        facts.up = 2_000;
        facts.late = symbol == 'l';
        if symbol == 'o' {
            facts.destination = None;
        }
        let before = memory.weight;
        let signal = Cadence::on_flow(&plan, &mut memory, &facts);
        assert_eq!(memory.weight == before, "nlo".contains(symbol), "{symbol}");
        signal
    });
    let mut facts = stage.flow(at + Span::SECOND);
    facts.up = 2_000;
    let lone = Cadence::on_flow(&plan, &mut State::default(), &facts);
    assert!(matches!(lone, Signal::Quiet));
}

#[test]
fn the_gap_over_the_night_is_no_missed_slot() {
    let hourly = "
destinations: [{ name: cnc-historian.mfg.local, share: 100 % }]
cadence: { size: 48 B, every: 2 h, jitter: 10 s }
active_hours: 06:00-22:00
";
    // Eight messages a day, then ten hours of night, 40 days: ten percent would be missed.
    let days = (0..320).map(|number| (if number % 8 == 7 { 36_000 } else { 7_200 }, 48));
    assert_eq!(play(hourly, days), (Vec::new(), 0));
}

#[test]
fn state_is_compact_and_inputs_survive_storage() {
    assert!(size_of::<State>() <= 64, "{}", size_of::<State>());
    let (told, _) = play(PROFILE, (0..400).map(|_| (2, 2_000)));
    let stored = serde_json::to_value(told[0].1).unwrap();
    let inputs: Inputs = serde_json::from_value(stored).unwrap();
    assert_eq!(inputs, told[0].1);
    let wrong = seen(Signal::Seen(crate::detector::Sighting {
        floor: None,
        score: 30,
        magnitude: 1.0,
        holds: true,
        inputs,
    }));
    assert!(sentence(&wrong.inputs).contains("before they are due"));
}
