//! Corroboration: two planes that agree, and what does not count as agreeing.

use andon_schemas::command::Action;
use andon_schemas::grade::Grade;
use andon_schemas::verdict::State;

use super::*;

/// Grade after two sightings so many minutes apart.
fn after(one: &Shown, other: &Shown, apart: i64) -> Grade {
    let mut stage = Stage::new();
    let mut out = stage.show(minute(0), std::slice::from_ref(one));
    out.extend(stage.show(minute(apart), std::slice::from_ref(other)));
    out.last().unwrap().grade
}

#[test]
fn two_planes_within_a_quarter_of_an_hour_raise_the_worst_by_one_step() {
    use Grade::{Critical, High, Low, Medium};
    for (one, other, apart, grade) in [
        (rule(VOLUME, Medium), rule(CURRENT, Medium), 15, High),
        (rule(VOLUME, Medium), rule(CURRENT, Medium), 16, Medium),
        (rule(VOLUME, Medium), state(FIRMWARE, High), 15, Critical),
        (state(FIRMWARE, High), rule(VOLUME, Medium), 16, High),
        (rule(VOLUME, Medium), rule(DESTINATION, Medium), 1, Medium),
        (rule(VOLUME, Low), rule(CURRENT, Medium), 1, Medium),
        (statistic(VOLUME, 60), rule(CURRENT, Medium), 1, Medium),
        (
            rule(DESTINATION, Critical),
            rule(CURRENT, Medium),
            1,
            Critical,
        ),
    ] {
        assert_eq!(after(&one, &other, apart), grade, "{one:?} and {other:?}");
    }
}

#[test]
fn the_order_in_which_two_planes_speak_does_not_matter() {
    let (one, other) = (rule(VOLUME, Grade::Medium), state(FIRMWARE, Grade::High));
    assert_eq!(after(&one, &other, 5), after(&other, &one, 5));
}

#[test]
fn one_event_never_corroborates_itself() {
    let mut stage = Stage::new();
    let both = [state(FIRMWARE, Grade::High), rule(VOLUME, Grade::Medium)];
    let out = stage.show(minute(0), &both);
    assert_eq!(out[0].grade, Grade::High);
}

#[test]
fn what_nothing_proves_corroborates_nothing() {
    let unproven = Shown {
        proven: false,
        ..rule(CURRENT, Grade::Medium)
    };
    assert_eq!(
        after(&rule(VOLUME, Grade::Medium), &unproven, 1),
        Grade::Medium
    );
    assert_eq!(
        after(&unproven, &rule(VOLUME, Grade::Medium), 1),
        Grade::Medium
    );
}

#[test]
fn the_raised_grade_lifts_the_floor_and_the_response_and_goes_with_its_ally() {
    let mut stage = Stage::new();
    stage.show(minute(0), &[rule(VOLUME, Grade::Medium)]);
    let out = stage.show(minute(5), &[state(CURRENT, Grade::Medium)]);
    assert_eq!(out[0].state, State::Escalated);
    assert_eq!(out[0].risk.score, Some(75));
    assert_eq!(out[0].response.action, Action::Isolate);
    assert!(
        out[0].findings.iter().all(|f| f.grade == Grade::Medium),
        "their own stay"
    );
    let out = stage.over(CURRENT, minute(10));
    assert_eq!(
        (out[0].grade, out[0].response.action),
        (Grade::Medium, Action::Watch)
    );
}

#[test]
fn a_corroborated_critical_stands_for_a_day_as_any_other() {
    let mut stage = Stage::new();
    stage.show(minute(0), &[rule(DESTINATION, Grade::High)]);
    stage.show(minute(5), &[rule(CURRENT, Grade::Medium)]);
    assert!(stage.pass(minute(24 * 60 - 1)).is_empty());
    let out = stage.pass(minute(24 * 60 + 5));
    assert_eq!(out.last().unwrap().state, State::Cleared);
}

#[test]
fn an_unproven_row_neither_worsens_nor_prolongs_what_is_proven() {
    let mut stage = Stage::new();
    stage.show(minute(0), &[rule(DESTINATION, Grade::High)]);
    let unproven = Shown {
        proven: false,
        ..rule(DESTINATION, Grade::Medium)
    };
    stage.show(minute(50), &[unproven]);
    let out = stage.pass(minute(60));
    assert_eq!(
        (out[0].state, out[0].grade),
        (State::Updated, Grade::Medium)
    );
    assert_eq!(stage.pass(minute(110))[0].state, State::Cleared);
}
