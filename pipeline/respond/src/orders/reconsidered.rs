//! Tests of what a change of the plant brings about, one story each.

use andon_schemas::command::{Action, Mode};
use andon_schemas::grade::Grade;
use andon_schemas::order::OrderState;

use super::Input;
use super::tests::{Plant, asks};
use crate::plant_of_tests::Strict;

#[test]
fn what_was_only_said_waits_for_its_turn_when_it_is_to_be_done() {
    let mut plant = Plant::new(Strict {
        from: None,
        cap: 1,
        answers: false,
        ..Strict::default()
    });
    plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    plant.verdict(&asks("a-2", 1, 61, Action::Quarantine));
    plant.policy.from = Some(Grade::Low);
    let out = plant.step(Input::Policy);
    let cut = out.issued.iter().filter(|command| !command.release);
    assert_eq!(cut.count(), 1, "one has its turn");
    let waiting: Vec<&str> = ["a-1", "a-2"]
        .into_iter()
        .filter(|device| plant.last(device).state == OrderState::Waiting)
        .collect();
    assert_eq!(waiting.len(), 1, "the other is not forgotten");
    let out = plant.tick(200);
    let given: Vec<_> = out
        .issued
        .iter()
        .filter(|command| !command.release)
        .collect();
    assert_eq!(given.len(), 1);
    assert_eq!(given[0].device_id.as_str(), waiting[0]);
    assert_eq!(given[0].response.mode, Mode::Enforce);
}

#[test]
fn a_change_of_the_plant_does_not_bring_back_what_has_lapsed() {
    let mut plant = Plant::new(Strict::default());
    plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    plant.tick(3_601);
    let on_probation = [
        (Action::Quarantine, OrderState::Expired),
        (Action::Watch, OrderState::Issued),
    ];
    assert_eq!(plant.of("a-1"), on_probation);
    let out = plant.step(Input::Policy);
    assert_eq!(out.issued, []);
    assert_eq!(plant.of("a-1"), on_probation);
}

#[test]
fn who_waits_keeps_the_place_when_the_verdict_asks_for_more_exceptions() {
    let mut plant = Plant::new(Strict {
        cap: 1,
        ..Strict::default()
    });
    plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    plant.verdict(&asks("a-2", 1, 1, Action::Quarantine));
    plant.verdict(&asks("a-3", 1, 2, Action::Quarantine));
    let mut wider = asks("a-2", 2, 3, Action::Quarantine);
    wider.response.exceptions = plant.policy.protected.clone();
    wider.response.exceptions[0].peer = "another".to_owned();
    plant.verdict(&wider);
    plant.tick(61);
    assert_eq!(plant.last("a-2").state, OrderState::Issued);
    assert_eq!(plant.last("a-3").state, OrderState::Waiting);
}
