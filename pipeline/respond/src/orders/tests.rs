//! Tests of the life of orders, one story each.

use andon_schemas::act::{ACK_SCHEMA, Ack, AckResult, Act, ActKind, ActRefused, Acted, Refusal};
use andon_schemas::command::{Action, Approval, MAINTENANCE};
use andon_schemas::identity::DeviceId;
use andon_schemas::order::{Order, OrderHistory, OrderState};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::{State, Verdict};

use super::{Answered, Input, Orders, Output};
use crate::device_view;
use crate::plant_of_tests::Strict;
use crate::tests::revision;

pub(super) fn second(seconds: i64) -> EventTime {
    EventTime::default() + Span::from_secs(seconds)
}

pub(super) fn id(device: &str) -> DeviceId {
    DeviceId::new(device).unwrap()
}

pub(super) fn asks(device: &str, number: u32, at: i64, action: Action) -> Verdict {
    let mut verdict = revision(&format!("v-{device}"), number, 0, action);
    verdict.device_id = id(device);
    verdict.segment = device[..1].to_owned();
    verdict.window.end = second(at);
    verdict.response.exceptions.clear();
    verdict.response.expires = (action > Action::Log).then(|| second(at) + Span::HOUR);
    verdict
}

pub(super) fn act(name: &str, at: i64, kind: ActKind) -> Act {
    let mut act = Act::new(name, "ada", "because", kind);
    act.at = second(at);
    act
}

pub(super) fn ack(command_id: &str, result: AckResult) -> Ack {
    Ack {
        schema: ACK_SCHEMA.to_owned(),
        command_id: Some(command_id.to_owned()),
        key: None,
        expiry: None,
        enforcer: "fw".to_owned(),
        result,
        detail: String::new(),
        at: second(0),
    }
}

pub(super) struct Plant {
    pub(super) policy: Strict,
    pub(super) orders: Orders,
}

impl Plant {
    pub(super) fn new(policy: Strict) -> Self {
        Self {
            policy,
            orders: Orders::new(),
        }
    }

    pub(super) fn step(&mut self, input: Input<'_>) -> Output {
        self.orders.step(&self.policy, input)
    }

    pub(super) fn verdict(&mut self, verdict: &Verdict) -> Output {
        self.step(Input::Verdict(verdict))
    }

    pub(super) fn act(&mut self, name: &str, at: i64, kind: ActKind) -> Result<Acted, ActRefused> {
        self.step(Input::Act(&act(name, at, kind))).acted.unwrap()
    }

    pub(super) fn tick(&mut self, at: i64) -> Output {
        self.step(Input::Tick(second(at)))
    }

    /// Action and state of what is kept of a device, oldest first.
    pub(super) fn of(&self, device: &str) -> Vec<(Action, OrderState)> {
        let dossier = self.orders.of(&id(device)).unwrap();
        let entries = dossier.entries.iter();
        entries.map(|e| (e.response().action, e.state())).collect()
    }

    pub(super) fn last(&self, device: &str) -> Order {
        let dossier = self.orders.of(&id(device)).unwrap();
        dossier.entries.last().unwrap().order.clone()
    }
}

fn approve(order: &Order) -> ActKind {
    ActKind::Approve {
        command_id: order.command.command_id.clone(),
    }
}

fn guarded() -> Strict {
    Strict {
        guarded: vec![id("a-1")],
        ..Strict::default()
    }
}

#[test]
fn what_only_a_person_may_do_is_proposed_then_agreed_to_then_obeyed_until_it_lapses() {
    let mut plant = Plant::new(guarded());
    let out = plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    assert!(out.issued.is_empty());
    let proposal = plant.last("a-1");
    assert_eq!(proposal.state, OrderState::Proposed);
    assert_eq!(device_view(&proposal.command), None);

    let agreed = act("one", 60, approve(&proposal));
    let out = plant.step(Input::Act(&agreed));
    assert_eq!(out.issued.len(), 1);
    assert_eq!(out.issued[0].command_id, proposal.command.command_id);
    assert_eq!(out.issued[0].issued, second(60));
    assert!(device_view(&out.issued[0]).is_some());
    let steps: Vec<OrderState> = out.orders().map(|order| order.state).collect();
    assert_eq!(steps, [OrderState::Approved, OrderState::Issued]);
    assert_eq!(plant.last("a-1").by.as_deref(), Some("ada"));

    let out = plant.step(Input::Act(&agreed));
    assert!(out.issued.is_empty() && out.audit.is_empty(), "done once");
    assert!(matches!(out.acted, Some(Ok(Acted::Order(_)))));

    let done = ack(&proposal.command.command_id, AckResult::Done);
    assert_eq!(
        plant.step(Input::Ack(&done)).answered,
        Some(Answered::Taken)
    );
    assert_eq!(
        plant.step(Input::Ack(&done)).answered,
        Some(Answered::Known)
    );
    assert_eq!(plant.last("a-1").state, OrderState::Acknowledged);

    plant.tick(3_599);
    assert_eq!(plant.last("a-1").state, OrderState::Acknowledged);
    plant.tick(3_600);
    assert_eq!(
        plant.of("a-1"),
        [
            (Action::Quarantine, OrderState::Expired),
            (Action::Watch, OrderState::Issued),
        ],
        "released on probation"
    );
}

#[test]
fn an_answer_to_what_was_never_issued_or_by_a_stranger_is_refused() {
    let mut plant = Plant::new(guarded());
    let unknown = plant.step(Input::Ack(&ack("none", AckResult::Done)));
    assert!(matches!(unknown.answered, Some(Answered::Refused(_))));
    plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    let proposal = plant.last("a-1").command.command_id;
    let early = plant.step(Input::Ack(&ack(&proposal, AckResult::Done)));
    assert!(matches!(early.answered, Some(Answered::Refused(_))));
    plant.verdict(&asks("a-2", 1, 0, Action::Quarantine));
    let mut stranger = ack(&plant.last("a-2").command.command_id, AckResult::Done);
    stranger.enforcer = "someone".to_owned();
    let answered = plant.step(Input::Ack(&stranger)).answered;
    assert!(matches!(answered, Some(Answered::Refused(why)) if why.contains("someone")));
    assert_eq!(plant.last("a-2").state, OrderState::Issued);
}

#[test]
fn an_enforcer_that_reads_what_the_device_reads_answers_by_key_and_expiry() {
    let mut plant = Plant::new(Strict::default());
    let out = plant.verdict(&asks("a-1", 1, 0, Action::Isolate));
    let seen = device_view(&out.issued[0]).unwrap();
    let mut answer = ack("x", AckResult::Failed);
    (answer.command_id, answer.key, answer.expiry) = (None, Some(seen.key), Some(second(1)));
    let another = plant.step(Input::Ack(&answer));
    assert!(matches!(another.answered, Some(Answered::Refused(_))));
    answer.expiry = Some(seen.expiry);
    assert_eq!(
        plant.step(Input::Ack(&answer)).answered,
        Some(Answered::Taken)
    );
    assert_eq!(plant.last("a-1").state, OrderState::Failed);
    answer.result = AckResult::Done;
    assert_eq!(
        plant.step(Input::Ack(&answer)).answered,
        Some(Answered::Taken)
    );
    assert_eq!(plant.last("a-1").state, OrderState::Acknowledged);
}

#[test]
fn silence_is_asked_again_and_then_is_an_answer() {
    let mut plant = Plant::new(Strict::default());
    plant.verdict(&asks("a-1", 1, 0, Action::Isolate));
    assert_eq!(plant.tick(30).issued.len(), 1);
    assert_eq!(plant.tick(60).issued.len(), 1);
    assert_eq!(plant.tick(90).issued.len(), 0);
    assert_eq!(plant.last("a-1").state, OrderState::TimedOut);
    let late = ack(&plant.last("a-1").command.command_id, AckResult::Done);
    assert_eq!(
        plant.step(Input::Ack(&late)).answered,
        Some(Answered::Taken)
    );
}

#[test]
fn more_devices_than_may_be_cut_wait_for_their_turn_the_worst_first() {
    let mut plant = Plant::new(Strict::default());
    for (device, action) in [
        ("a-1", Action::Isolate),
        ("a-2", Action::Isolate),
        ("a-3", Action::Isolate),
        ("a-4", Action::Isolate),
        ("a-5", Action::Quarantine),
        ("b-1", Action::Isolate),
    ] {
        plant.verdict(&asks(device, 1, 0, action));
    }
    let waiting = |plant: &Plant| {
        let devices = ["a-1", "a-2", "a-3", "a-4", "a-5", "b-1"];
        let waits = |d: &&str| plant.last(d).state == OrderState::Waiting;
        devices.into_iter().filter(waits).collect::<Vec<_>>()
    };
    assert_eq!(waiting(&plant), ["a-3", "a-4", "a-5"]);
    assert!(plant.last("a-3").note.contains("turn"));
    plant.tick(59);
    assert_eq!(waiting(&plant), ["a-3", "a-4", "a-5"]);
    let out = plant.tick(60);
    assert_eq!(waiting(&plant), ["a-4"]);
    assert_eq!(
        out.issued
            .iter()
            .filter(|c| c.device_id == id("a-5"))
            .count(),
        1
    );
    plant.tick(120);
    assert!(waiting(&plant).is_empty());
}

#[test]
fn a_person_does_not_pass_the_cap() {
    let mut plant = Plant::new(Strict::default());
    let quarantine = |device: &str| ActKind::Quarantine {
        device: id(device),
        hours: None,
    };
    for (name, device) in [("1", "a-1"), ("2", "a-2"), ("3", "a-3")] {
        plant.act(name, 0, quarantine(device)).unwrap();
    }
    assert_eq!(plant.last("a-3").state, OrderState::Waiting);
    plant.tick(60);
    assert_eq!(plant.last("a-3").state, OrderState::Issued);
    let unknown = plant.act("4", 61, quarantine("c-1")).unwrap_err();
    assert_eq!(unknown.kind, Refusal::NotFound);
}

#[test]
fn below_quarantine_commands_wait_for_maintenance_to_end() {
    let mut policy = Strict::default();
    policy.maintained.insert(id("a-1"), second(600));
    policy.maintained.insert(id("a-2"), second(600));
    let mut plant = Plant::new(policy);
    let mut verdict = asks("a-1", 1, 0, Action::Isolate);
    verdict.response.approval = Approval::Required;
    verdict.response.note = MAINTENANCE.to_owned();
    plant.verdict(&verdict);
    assert_eq!(plant.last("a-1").state, OrderState::Waiting);
    plant.verdict(&asks("a-2", 1, 0, Action::Quarantine));
    assert_eq!(plant.last("a-2").state, OrderState::Issued);
    let out = plant.tick(600);
    assert_eq!(plant.last("a-1").state, OrderState::Issued);
    assert!(
        out.issued
            .iter()
            .any(|command| command.device_id == id("a-1"))
    );
}

#[test]
fn what_a_person_decided_against_does_not_come_back_with_the_next_revision() {
    let mut plant = Plant::new(Strict::default());
    plant.verdict(&asks("a-1", 1, 0, Action::Isolate));
    let issued = plant.last("a-1").command.command_id;
    let release = |name, plant: &mut Plant| {
        let command_id = issued.clone();
        plant.act(name, 10, ActKind::Release { command_id })
    };
    assert!(release("one", &mut plant).is_ok());
    assert_eq!(plant.last("a-1").state, OrderState::Released);
    assert_eq!(
        release("two", &mut plant).unwrap_err().kind,
        Refusal::Conflict
    );
    let out = plant.verdict(&asks("a-1", 2, 1_900, Action::Isolate));
    assert!(out.issued.iter().all(|command| command.release));
    let worse = plant.verdict(&asks("a-1", 3, 1_901, Action::Quarantine));
    assert_eq!(worse.issued.len(), 1);
}

#[test]
fn what_is_suppressed_waits_and_comes_when_that_is_over() {
    let mut plant = Plant::new(Strict::default());
    let kind = ActKind::Suppress {
        device: id("a-1"),
        hours: 1,
    };
    plant.act("one", 0, kind).unwrap();
    let mut verdict = asks("a-1", 1, 1, Action::Isolate);
    verdict.response.expires = Some(second(9_000));
    assert!(plant.verdict(&verdict).issued.is_empty());
    assert_eq!(plant.tick(3_600).issued.len(), 1);
    assert_eq!(plant.orders.suppressed_until(&id("a-1")), None);
}

fn is_over(found: &OrderHistory) -> bool {
    found.order.state.is_over()
}

#[test]
fn a_release_of_one_quarantine_does_not_lift_the_other() {
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
    let seen = device_view(out.issued.last().unwrap()).unwrap();
    assert_eq!(seen.expiry, second(7_200), "the one of the person stands");
    let everything = ActKind::ReleaseDevice { device: id("a-1") };
    plant.act("two", 3, everything).unwrap();
    assert!(plant.orders.histories(&id("a-1")).iter().all(is_over));
}

#[test]
fn a_plant_that_allows_less_takes_back_what_stands() {
    let mut plant = Plant::new(Strict::default());
    plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    let mut more = plant.policy.protected[0].clone();
    "light-curtain".clone_into(&mut more.peer);
    plant.policy.protected.push(more.clone());
    let out = plant.step(Input::Policy);
    assert!(
        out.issued
            .last()
            .unwrap()
            .response
            .exceptions
            .contains(&more)
    );
    plant.policy.guarded.push(id("a-1"));
    let out = plant.step(Input::Policy);
    assert!(out.issued.last().unwrap().release);
    assert_eq!(plant.last("a-1").state, OrderState::Proposed);
}

#[test]
fn in_monitor_mode_orders_live_and_nobody_is_told() {
    let mut plant = Plant::new(Strict {
        from: None,
        ..Strict::default()
    });
    let out = plant.verdict(&asks("a-1", 1, 0, Action::Quarantine));
    assert!(out.issued.is_empty());
    assert_eq!(plant.last("a-1").state, OrderState::Issued);
    assert!(plant.last("a-1").note.contains("monitor"));
    assert!(plant.tick(600).audit.is_empty(), "nobody is waited for");
}
