//! What follows from a verdict: the rung of the ladder, and everything that keeps it safe.
//!
//! | grade | by | response | stands for |
//! |---|---|---|---|
//! | LOW | | log | |
//! | MEDIUM | | watch | 24 h |
//! | HIGH | statistics, or a peer's doing | restrict | 4 h |
//! | HIGH | a rule on what the device did | isolate | 24 h |
//! | CRITICAL | a peer's doing | restrict | 4 h |
//! | CRITICAL | what the device did | quarantine | 24 h |
//!
//! Every finding asks for a rung of its own, and the highest is taken: a safety flow among the
//! offending ones spares that flow, not the device.

use andon_schemas::command::{Action, Approval, FlowMatch, MAINTENANCE, Response};
use andon_schemas::grade::Grade;
use andon_schemas::time::{EventTime, Span};

use super::Subject;
use super::held::Held;
use crate::protect::needs_a_person;

/// What one finding asks for.
struct Rung<'a> {
    action: Action,
    /// The offending flows; empty for the whole device.
    flows: &'a [FlowMatch],
    /// Why it is lower than the grade asks for.
    note: Option<&'static str>,
    /// A person has to look at it.
    call: bool,
}

impl<'a> Rung<'a> {
    fn of(held: &'a Held, grade: Grade) -> Self {
        let plain = |action| Self {
            action,
            flows: &[],
            note: None,
            call: false,
        };
        let lowered = |note, call| Self {
            note: Some(note),
            call,
            ..plain(Action::Watch)
        };
        match grade {
            Grade::Low => return plain(Action::Log),
            Grade::Medium => return plain(Action::Watch),
            Grade::High | Grade::Critical => {}
        }
        if !held.facet.proven {
            return lowered("it rests on a sender that nothing proves", false);
        }
        if held.only_safety_flows {
            let note = "the offending flow is a declared safety flow: only a person may cut it";
            return lowered(note, true);
        }
        let by_evidence = grade == Grade::High && !held.facet.rule;
        if !held.facet.responder && !by_evidence {
            let action = if grade == Grade::High {
                Action::Isolate
            } else {
                Action::Quarantine
            };
            return plain(action);
        }
        if held.facet.responder && held.flows.is_empty() {
            return lowered(
                "it is a peer's doing and no flow of that peer is known",
                true,
            );
        }
        Self {
            flows: &held.flows,
            ..plain(Action::Restrict)
        }
    }
}

/// How long a response stands unless it is renewed.
const fn lasts(action: Action) -> Option<Span> {
    match action {
        Action::Log => None,
        Action::Watch | Action::Isolate | Action::Quarantine => Some(Span::DAY),
        Action::Restrict => Some(Span::HOUR.times(4)),
    }
}

/// What should be done about the standing findings, with everything that must stay open left
/// open. `graded` holds each with the grade it counts with, `grade` is the worst of them.
pub(super) fn respond(
    subject: &Subject,
    graded: &[(&Held, Grade)],
    grade: Grade,
    at: EventTime,
) -> Response {
    let rungs: Vec<Rung> = graded
        .iter()
        .map(|(held, grade)| Rung::of(held, *grade))
        .collect();
    let action = rungs
        .iter()
        .map(|rung| rung.action)
        .max()
        .unwrap_or(Action::Log);
    let scope = scope(action, &rungs);
    let whole = action >= Action::Isolate || action == Action::Restrict && scope.is_empty();
    let mut notes: Vec<&str> = Vec::new();
    for note in rungs.iter().filter_map(|rung| rung.note) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let waits = waits_for_a_person(subject, action);
    notes.extend(waits);
    let call = waits.is_some() || rungs.iter().any(|rung| rung.call);
    Response {
        action,
        mode: subject.mode,
        scope,
        exceptions: exceptions(action, whole, subject),
        expires: lasts(action).map(|span| at + span),
        approval: if waits.is_some() {
            Approval::Required
        } else {
            Approval::Automatic
        },
        note: notes.join("; "),
        notify: notify(grade, call || action >= Action::Isolate),
    }
}

/// What is left to do when an episode is over: those who were told of it are told.
pub(super) fn released(subject: &Subject, told: Option<&Response>) -> Response {
    Response {
        action: Action::Log,
        mode: subject.mode,
        scope: Vec::new(),
        exceptions: exceptions(Action::Log, false, subject),
        expires: None,
        approval: Approval::Automatic,
        note: String::new(),
        notify: told.map(|told| told.notify.clone()).unwrap_or_default(),
    }
}

/// Whether two responses ask for the same, whenever they lapse.
pub(super) fn same(one: &Response, other: &Response) -> bool {
    one.action == other.action
        && one.mode == other.mode
        && one.scope == other.scope
        && one.exceptions == other.exceptions
        && one.approval == other.approval
}

/// Whether half of its time is gone: a state can stand for days without a repeat, and the
/// response must not lapse under it.
pub(super) fn wants_renewal(told: &Response, at: EventTime) -> bool {
    let (Some(expires), Some(lasts)) = (told.expires, lasts(told.action)) else {
        return false;
    };
    expires.since(at).micros() < lasts.micros() / 2
}

/// Why a person has to agree first, if one has to.
fn waits_for_a_person(subject: &Subject, action: Action) -> Option<&'static str> {
    let maintained = subject.in_maintenance && action < Action::Quarantine;
    if action >= Action::Isolate
        && let Some(why) = needs_a_person(subject.inventory, subject.protected)
    {
        return Some(why);
    }
    (maintained && action > Action::Log).then_some(MAINTENANCE)
}

/// Only `restrict` names flows; the other rungs are about the whole device, and so is a
/// restriction of which one finding names no flow.
fn scope(action: Action, rungs: &[Rung]) -> Vec<FlowMatch> {
    let asking = || rungs.iter().filter(|rung| rung.action == Action::Restrict);
    if action != Action::Restrict || asking().any(|rung| rung.flows.is_empty()) {
        return Vec::new();
    }
    let mut flows: Vec<FlowMatch> = asking().flat_map(|rung| rung.flows).cloned().collect();
    flows.sort();
    flows.dedup();
    flows
}

/// Safety flows stay open whatever is done. What production cannot do without stays open as
/// well, short of quarantine.
fn exceptions(action: Action, whole: bool, subject: &Subject) -> Vec<FlowMatch> {
    let mut flows = subject.protected.to_vec();
    if whole && action < Action::Quarantine {
        flows.extend_from_slice(subject.essential);
    }
    flows.sort();
    flows.dedup();
    flows
}

/// Whom to tell; `production` if production feels it, or a person has to decide.
fn notify(grade: Grade, production: bool) -> Vec<String> {
    let names: &[&str] = match grade {
        Grade::Low => &[],
        Grade::Medium => &["operator"],
        Grade::High => &["operator", "soc"],
        Grade::Critical => &["operator", "soc", "plant-operations"],
    };
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    if production && grade < Grade::Critical {
        names.push("plant-operations".to_owned());
    }
    names
}
