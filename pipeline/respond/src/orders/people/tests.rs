//! What people are told of a story, and how often.

use andon_schemas::act::{AckResult, ActKind};
use andon_schemas::command::Action;
use andon_schemas::grade::Grade;
use andon_schemas::order::OrderState;
use andon_schemas::verdict::State;

use crate::alerts::tests::finding;
use crate::orders::tests::{Plant, ack, act, asks, id};
use crate::orders::{Input, Output};
use crate::plant_of_tests::Strict;

fn headlines(out: &Output) -> Vec<&str> {
    let notices = out.notices.iter();
    notices.map(|notice| notice.headline.as_str()).collect()
}

fn cut(plant: &mut Plant) -> String {
    let out = plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    assert_eq!(headlines(&out), ["a-1 is cut off from the network"]);
    plant.last("a-1").command.command_id
}

#[test]
fn what_enforcement_points_are_told_again_people_are_not() {
    let mut plant = Plant::new(Strict::default());
    let id = cut(&mut plant);
    for at in [30, 60] {
        let out = plant.tick(at);
        assert_eq!((out.issued.len(), headlines(&out)), (1, vec![]), "{at}");
    }
    let out = plant.tick(90);
    let [late] = &out.notices[..] else {
        panic!("{out:?}");
    };
    assert_eq!(late.id(), format!("{id}-timed_out"));
    assert!(late.headline.contains("not certain"), "{}", late.headline);
}

#[test]
fn a_release_that_nobody_answers_or_that_fails_is_told_as_what_it_is() {
    let mut plant = Plant::new(Strict::default());
    let id = cut(&mut plant);
    plant.step(Input::Ack(&ack(&id, AckResult::Done)));
    let kind = ActKind::Release {
        command_id: id.clone(),
    };
    let out = plant.step(Input::Act(&act("one", 10, kind)));
    assert_eq!(
        headlines(&out),
        ["a-1 is no longer cut off from the network"]
    );
    assert!(out.notices[0].text.contains("you are told"));
    let release = out.issued[0].command_id.clone();
    for at in [40, 70] {
        let out = plant.tick(at);
        assert_eq!((out.issued.len(), headlines(&out)), (1, vec![]), "{at}");
    }
    let mut ids = vec![out.notices[0].id()];
    let mut told = |out: &Output, headline: &str| {
        let [one] = &out.notices[..] else {
            panic!("{out:?}");
        };
        assert_eq!(one.headline, format!("a-1 {headline}"));
        ids.push(one.id());
    };
    told(
        &plant.tick(100),
        "may still be cut off from the network: nobody has confirmed that it was lifted",
    );
    told(
        &plant.step(Input::Ack(&ack(&release, AckResult::Failed))),
        "is still cut off from the network: it could not be lifted",
    );
    told(
        &plant.step(Input::Ack(&ack(&release, AckResult::Done))),
        "is no longer cut off from the network after all",
    );
    let names = ["", "-timed_out", "-failed", "-done"];
    assert_eq!(ids, names.map(|name| format!("{id}-released{name}")));
}

#[test]
fn a_release_that_is_done_is_told_once() {
    let mut plant = Plant::new(Strict::default());
    let id = cut(&mut plant);
    let kind = ActKind::Release { command_id: id };
    let out = plant.step(Input::Act(&act("one", 10, kind)));
    let done = ack(&out.issued[0].command_id, AckResult::Done);
    assert_eq!(
        headlines(&plant.step(Input::Ack(&done))),
        Vec::<&str>::new()
    );
    assert_eq!(plant.tick(600).notices, []);
}

#[test]
fn what_is_given_anew_or_made_severer_is_not_told_as_an_end() {
    let mut plant = Plant::new(Strict {
        answers: false,
        ..Strict::default()
    });
    plant.verdict(&asks("a-1", 1, 0, Action::Isolate));
    // Half of its time is gone.
    let out = plant.verdict(&asks("a-1", 2, 1_900, Action::Isolate));
    let isolated = "a-1 is cut off from all but its essential servers";
    assert_eq!(headlines(&out), [isolated]);
    let out = plant.verdict(&asks("a-1", 3, 1_901, Action::Quarantine));
    assert_eq!(headlines(&out), ["a-1 is cut off from the network"]);
    let mut over = asks("a-1", 4, 1_902, Action::Log);
    over.state = State::Cleared;
    let out = plant.verdict(&over);
    assert_eq!(
        headlines(&out),
        ["a-1 is no longer cut off from the network"]
    );
}

#[test]
fn a_quarantine_that_stands_for_longer_is_no_release_that_failed() {
    let mut plant = Plant::new(Strict::default());
    let kind = ActKind::Quarantine {
        device: id("a-1"),
        hours: Some(2),
    };
    plant.act("one", 0, kind).unwrap();
    plant.verdict(&asks("a-1", 1, 1, Action::Quarantine));
    let mut over = asks("a-1", 2, 2, Action::Log);
    over.state = State::Cleared;
    let out = plant.verdict(&over);
    assert_eq!(headlines(&out), ["a-1 is still cut off from the network"]);
    let out = plant.tick(600);
    assert!(
        out.notices.iter().all(|notice| notice.release.is_none()),
        "{out:?}"
    );
}

#[test]
fn a_proposal_that_is_withdrawn_is_told_as_one() {
    let mut plant = Plant::new(Strict {
        guarded: vec![id("a-1")],
        ..Strict::default()
    });
    let out = plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    assert!(out.notices[0].waits_for_a_person);
    let mut over = asks("a-1", 2, 2, Action::Log);
    over.state = State::Cleared;
    let out = plant.verdict(&over);
    let [one] = &out.notices[..] else {
        panic!("{out:?}");
    };
    assert!(
        one.headline.contains("nobody has to decide any more"),
        "{}",
        one.headline
    );
    assert_eq!(
        (one.state, one.waits_for_a_person),
        (OrderState::Released, false)
    );
}

#[test]
fn people_hear_of_a_suppressed_device_only_what_blocks_something() {
    let suppress = |device: &str| ActKind::Suppress {
        device: id(device),
        hours: 1,
    };
    // What was proposed is withdrawn, and nothing was ever blocked.
    let withdrawn = |is_suppressed: bool| {
        let mut policy = Strict::default();
        policy.guarded.push(id("a-1"));
        let mut plant = Plant::new(policy);
        let out = plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
        assert_eq!(out.notices.len(), 1, "a person has to decide");
        if is_suppressed {
            plant.act("one", 1, suppress("a-1")).unwrap();
        }
        plant.tick(3_700).notices.len() + plant.tick(8_000).notices.len()
    };
    assert_eq!(withdrawn(false), 1);
    // Suppression lasts to 3,601 s, and what was proposed lapses before.
    assert_eq!(withdrawn(true), 0);

    let mut plant = Plant::new(Strict::default());
    cut(&mut plant);
    plant.act("one", 1, suppress("a-1")).unwrap();
    let mut over = asks("a-1", 2, 2, Action::Log);
    over.state = State::Cleared;
    assert!(plant.orders.mutes(&over));
    let mut other = over.clone();
    other.device_id = id("a-2");
    assert!(!plant.orders.mutes(&other));
    let mut grave = over.clone();
    for (grade, is_muted) in [(Grade::High, true), (Grade::Critical, false)] {
        grave.findings.push(finding("forbidden_flow", grade, None));
        assert_eq!(plant.orders.mutes(&grave), is_muted, "{grade}");
    }
    plant.tick(3_601);
    assert!(!plant.orders.mutes(&over), "it is over");
}

#[test]
fn of_a_suppressed_device_it_is_told_when_it_is_no_longer_cut() {
    let mut plant = Plant::new(Strict::default());
    cut(&mut plant);
    let kind = ActKind::Suppress {
        device: id("a-1"),
        hours: 48,
    };
    plant.act("one", 1, kind).unwrap();
    let told: Vec<Output> = [60, 7_200].map(|at| plant.tick(at)).into();
    let told: Vec<&str> = told.iter().flat_map(headlines).collect();
    assert!(!told.is_empty(), "it lapsed");
}
