//! What follows from a verdict: the rung of the ladder, and everything that keeps it safe.
//!
//! | grade | by | response |
//! |---|---|---|
//! | LOW | | log |
//! | MEDIUM | | watch |
//! | HIGH | statistics, or a peer's doing | restrict |
//! | HIGH | a rule | isolate |
//! | CRITICAL | a rule on what the device did | quarantine |

use andon_schemas::command::{Action, Approval, FlowMatch, Response};
use andon_schemas::grade::Grade;
use andon_schemas::inventory::Function;
use andon_schemas::observation::Role;
use andon_schemas::time::{EventTime, Span};

use super::Subject;
use super::episode::Held;

/// What a response answers.
pub(super) struct Cause<'a> {
    /// The settled grade.
    pub(super) grade: Grade,
    /// The standing findings that set it.
    pub(super) findings: &'a [&'a Held],
}

impl Cause<'_> {
    /// All of it was done *to* the device, by peers.
    fn is_a_peers_doing(&self) -> bool {
        !self.findings.is_empty()
            && self
                .findings
                .iter()
                .all(|held| held.role == Some(Role::Responder))
    }

    fn rung(&self) -> Action {
        match self.grade {
            Grade::Low => Action::Log,
            Grade::Medium => Action::Watch,
            Grade::High | Grade::Critical if self.is_a_peers_doing() => Action::Restrict,
            Grade::High if self.findings.iter().any(|held| held.rule) => Action::Isolate,
            Grade::High => Action::Restrict,
            Grade::Critical => Action::Quarantine,
        }
    }
}

/// How long a response stands unless it is renewed.
fn lasts(action: Action) -> Option<Span> {
    match action {
        Action::Log => None,
        Action::Watch | Action::Isolate | Action::Quarantine => Some(Span::DAY),
        Action::Restrict => Some(Span::HOUR.times(4)),
    }
}

/// Whom to tell.
fn notify(grade: Grade) -> Vec<String> {
    let names: &[&str] = match grade {
        Grade::Low => &[],
        Grade::Medium => &["operator"],
        Grade::High => &["operator", "soc"],
        Grade::Critical => &["soc", "operator", "plant-operations"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What should be done, with everything that must stay open left open.
pub(super) fn respond(subject: &Subject, cause: &Cause, at: EventTime) -> Response {
    let mut action = cause.rung();
    let mut approval = Approval::Automatic;
    let mut note = String::new();
    let mut told = notify(cause.grade);
    if action > Action::Watch && cause.findings.iter().any(|held| held.safety_flow) {
        action = Action::Watch;
        approval = Approval::Required;
        "the offending flow is a declared safety flow: only a person may cut it"
            .clone_into(&mut note);
        if !told.iter().any(|name| name == "plant-operations") {
            told.push("plant-operations".to_owned());
        }
    } else if action >= Action::Isolate && carries_safety_flows(subject) {
        approval = Approval::Required;
        "this gateway carries safety flows of the devices it serves: only a person may cut it"
            .clone_into(&mut note);
    } else if subject.in_maintenance && matches!(action, Action::Restrict | Action::Isolate) {
        approval = Approval::Required;
        "declared maintenance: waits for a person".clone_into(&mut note);
    }
    Response {
        action,
        mode: subject.mode,
        scope: scope(action, cause),
        exceptions: exceptions(action, subject),
        expires: lasts(action).map(|span| at + span),
        approval,
        note,
        notify: told,
    }
}

fn carries_safety_flows(subject: &Subject) -> bool {
    subject
        .inventory
        .is_some_and(|device| device.function == Function::Gateway)
        && !subject.protected.is_empty()
}

/// Only `restrict` names flows; the other rungs are about the whole device.
fn scope(action: Action, cause: &Cause) -> Vec<FlowMatch> {
    if action != Action::Restrict {
        return Vec::new();
    }
    let mut flows: Vec<FlowMatch> = cause
        .findings
        .iter()
        .filter_map(|held| held.flow.clone())
        .collect();
    flows.sort();
    flows.dedup();
    flows
}

fn exceptions(action: Action, subject: &Subject) -> Vec<FlowMatch> {
    let mut flows = match action {
        Action::Log | Action::Watch => Vec::new(),
        Action::Restrict | Action::Quarantine => subject.protected.to_vec(),
        Action::Isolate => [subject.protected, subject.essential].concat(),
    };
    flows.sort();
    flows.dedup();
    flows
}
