//! Rows and deadlines, drawn.

use super::*;
use crate::stage::{Stage, check, seen, time};
use proptest::prelude::*;
use std::cell::Cell;

const SHIFT: &str = "active_hours: Mon-Fri 06:00-22:00";

fn due(profile: &str, last_seen: &str) -> EventTime {
    let stage = Stage::of(profile);
    let plan = Silence::plan(&stage.baseline, 0.0).unwrap();
    Silence::deadline(&plan, &State::default(), &stage.device(), time(last_seen))
}

#[test]
fn patience_is_written_or_three_periods_or_the_first_empty_hour() {
    let seen_at = "2025-12-12T09:10:00Z";
    let cadence = "cadence: { size: 2 KB, every: 5 s }";
    assert_eq!(
        due("silence: 15 min", seen_at),
        time("2025-12-12T09:25:00Z")
    );
    assert_eq!(due(cadence, seen_at), time("2025-12-12T09:10:15Z"));
    assert_eq!(due("", seen_at), time("2025-12-12T11:00:00Z"));
}

#[test]
fn time_outside_the_hours_does_not_count() {
    let patient = format!("silence: 15 min\n{SHIFT}");
    // Friday 21:50 plant time: ten minutes on Friday, five on Monday.
    assert_eq!(
        due(&patient, "2025-12-12T20:50:00Z"),
        time("2025-12-15T05:05:00Z")
    );
    assert_eq!(
        due(SHIFT, "2025-12-12T20:10:00Z"),
        time("2025-12-15T06:00:00Z")
    );
    // The evening before Christmas, a holiday of the plant: on Friday morning.
    assert_eq!(
        due(&patient, "2025-12-24T22:00:00Z"),
        time("2025-12-26T05:15:00Z")
    );
}

/// r a row, l a late row, d the deadline asked for, m the same in maintenance, e an earlier
/// deadline: a minute apart.
fn play(drawing: &str) {
    let stage = Stage::of("silence: 3 min");
    let plan = Silence::plan(&stage.baseline, 0.0).unwrap();
    let mut memory = State::default();
    let now = Cell::new(time("2025-12-12T09:00:00Z"));
    let last_seen = Cell::new(now.get());
    check(drawing, |symbol| match symbol {
        'd' | 'm' => {
            let asked = Silence::deadline(&plan, &memory, &stage.device(), last_seen.get());
            assert!(asked > last_seen.get() && asked >= now.get());
            now.set(asked);
            let mut facts = stage.deadline(asked, last_seen.get());
            facts.excused = symbol == 'm';
            Silence::on_deadline(&plan, &mut memory, &facts)
        }
        'e' => {
            now.set(now.get() + Span::MINUTE);
            let facts = stage.deadline(now.get(), last_seen.get());
            Silence::on_deadline(&plan, &mut memory, &facts)
        }
        _ => {
            now.set(now.get() + Span::MINUTE);
            let mut row = stage.row(now.get());
            row.late = symbol == 'l';
            if !row.late {
                last_seen.set(now.get());
            }
            Silence::on_row(&plan, &mut memory, &row)
        }
    });
}

#[test]
fn silence_holds_until_the_next_row() {
    play(
        "
        rrr ee r d ddd r rr d
        ... .. . ! ... o .. !
        ",
    );
}

#[test]
fn silence_in_maintenance_is_excused_once_and_told_if_it_outlasts_it() {
    play(
        "
        rr m mm r d
        .. e .. o !
        ",
    );
    play(
        "
        rr m mm d dd m r
        .. e .. ! .. . o
        ",
    );
}

#[test]
fn a_late_row_does_not_end_silence() {
    play(
        "
        r d ll d r
        . ! .. . o
        ",
    );
}

#[test]
fn a_device_that_is_not_listed_is_not_missed() {
    let stage = Stage::of("silence: 3 min");
    let plan = Silence::plan(&stage.baseline, 0.0).unwrap();
    let mut stranger = stage.deadline(time("2025-12-13T09:00:00Z"), time("2025-12-12T09:00:00Z"));
    stranger.device.listed = None;
    let mut memory = State::default();
    assert_eq!(
        Silence::deadline(&plan, &memory, &stranger.device, stranger.last_seen),
        EventTime::MAX
    );
    assert_eq!(
        Silence::on_deadline(&plan, &mut memory, &stranger),
        Signal::Quiet
    );
}

#[test]
fn the_sentence_gives_plant_time() {
    let stage = Stage::of(&format!("silence: 15 min\n{SHIFT}"));
    let plan = Silence::plan(&stage.baseline, 0.0).unwrap();
    let facts = stage.deadline(time("2025-12-15T05:05:00Z"), time("2025-12-12T20:50:00Z"));
    let sighting = seen(Silence::on_deadline(&plan, &mut State::default(), &facts));
    assert_eq!(
        Silence::assess(&plan, &sighting.inputs).sentence,
        "Nothing has been heard from it since Friday 21:50 plant time: 15 min of its active \
         hours passed without any record."
    );
}

proptest! {
    #[test]
    fn deadlines_lie_ahead_and_inside_the_active_hours(
        minutes in 0_i64..1_000_000, seconds in 0_i64..60, patience in 1_i64..100_000,
    ) {
        let stage = Stage::of("active_hours: [Mon-Thu 06:00-14:30, Fri 22:00-04:00]");
        let mut plan = Silence::plan(&stage.baseline, 0.0).unwrap();
        plan.patience = Span::from_secs(patience);
        plan.whole_hour = false;
        let from = time("2025-01-01T00:00:00Z") + Span::from_secs(minutes * 60 + seconds);
        let due = plan.due(&stage.baseline, from);
        prop_assert!(due > from);
        prop_assert!(stage.baseline.active_at(due), "{from} to {due}");
    }
}
