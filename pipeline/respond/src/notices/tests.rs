//! What people read.

use andon_schemas::command::{Action, FlowMatch, Mode};
use andon_schemas::notice::{Lifting, Notice};
use andon_schemas::observation::Transport;
use andon_schemas::order::{Order, OrderState};

use super::{Turn, notice as told};
use crate::Input;
use crate::orders::Orders;
use crate::plant_of_tests::Lenient;
use crate::tests::revision;

fn order(action: Action, mode: Mode, state: OrderState) -> Order {
    let mut orders = Orders::new();
    let verdict = revision("v", 1, 0, Action::Quarantine);
    let said = orders.step(&Lenient, Input::Verdict(&verdict));
    let mut order = said.orders().next().unwrap().clone();
    order.state = state;
    order.command.response.mode = mode;
    order.command.response.action = action;
    order.command.response.exceptions = vec![FlowMatch {
        peer: "safety-plc".to_owned(),
        transport: Some(Transport::Udp),
        port: Some(44_818),
    }];
    order
}

/// Of an order that was in force before, or waited for a person.
fn turn(order: &Order, from: OrderState) -> Turn<'_> {
    Turn {
        order,
        at: order.updated,
        from: Some(from),
        release: None,
        is_awaited: false,
        is_replaced: false,
        still: None,
    }
}

fn notice(order: &Order) -> Option<Notice> {
    let mut turn = turn(order, OrderState::Issued);
    turn.from = None;
    told(&turn)
}

#[test]
fn people_are_told_what_is_cut_and_what_runs_on() {
    let order = order(Action::Quarantine, Mode::Enforce, OrderState::Issued);
    let told = notice(&order).unwrap();
    assert_eq!(
        told.headline,
        "plc-assembly-line-3 is cut off from the network"
    );
    for part in [
        "The device itself is not stopped.",
        "These stay open: safety-plc (udp port 44818).",
        "It ends by itself at",
    ] {
        assert!(told.text.contains(part), "{}", told.text);
    }
    assert!(!told.waits_for_a_person);
}

#[test]
fn what_is_only_said_is_said_to_be() {
    let order = order(Action::Quarantine, Mode::Monitor, OrderState::Issued);
    let told = notice(&order).unwrap();
    assert!(told.headline.contains("would be"));
    assert!(told.text.contains("nothing is blocked"));
}

#[test]
fn what_waits_for_a_person_says_so_and_what_nobody_confirmed_is_not_called_done() {
    let waits = notice(&order(Action::Isolate, Mode::Enforce, OrderState::Proposed)).unwrap();
    assert!(waits.waits_for_a_person && waits.text.contains("waits for a person"));
    let late = notice(&order(Action::Isolate, Mode::Enforce, OrderState::TimedOut)).unwrap();
    assert!(late.text.contains("Treat the device as still connected"));
    assert!(notice(&order(Action::Isolate, Mode::Monitor, OrderState::TimedOut)).is_none());
}

#[test]
fn nobody_is_called_for_what_changes_nothing() {
    for action in [Action::Log, Action::Watch] {
        assert!(notice(&order(action, Mode::Enforce, OrderState::Issued)).is_none());
    }
    let quiet = order(Action::Quarantine, Mode::Enforce, OrderState::Acknowledged);
    assert!(notice(&quiet).is_none());
}

#[test]
fn what_was_not_lifted_is_not_called_lifted_and_what_stays_blocked_is_said() {
    let mut order = order(Action::Quarantine, Mode::Enforce, OrderState::Released);
    order.note = "fw could not lift it: no route".to_owned();
    for (came, headline) in [
        (Lifting::Failed, "is still cut off"),
        (Lifting::TimedOut, "may still be cut off"),
    ] {
        let mut turn = turn(&order, OrderState::Released);
        turn.release = Some(came);
        let notice = told(&turn).unwrap();
        assert!(notice.headline.contains(headline), "{}", notice.headline);
        assert_eq!(
            notice.id(),
            format!("{}-released-{came}", notice.command_id)
        );
        for part in [
            "but fw could not lift it: no route.",
            "treat it as cut off from the network",
            "These stay open: safety-plc (udp port 44818).",
            "has to lift it at the enforcement point by hand",
            "it should end by itself at",
        ] {
            assert!(notice.text.contains(part), "{}", notice.text);
        }
    }
}

#[test]
fn what_never_was_blocked_is_not_said_to_be_blocked_no_longer() {
    let order = order(Action::Isolate, Mode::Enforce, OrderState::Released);
    let withdrawn = told(&turn(&order, OrderState::Proposed)).unwrap();
    assert!(withdrawn.headline.contains("nobody has to decide any more"));
    assert!(!withdrawn.text.contains("no longer"), "{}", withdrawn.text);
    assert_eq!(told(&turn(&order, OrderState::Waiting)), None);
}
