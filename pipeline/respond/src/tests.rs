//! Tests of the life of commands.

use andon_schemas::command::{Action, Approval, Command, FlowMatch, Mode, Response};
use andon_schemas::finding::{Basis, Confidence};
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{ProfileRef, Risk, State, VERDICT_SCHEMA, Verdict};
use proptest::prelude::*;

use crate::plant_of_tests::Lenient;
use crate::{Input, Orders, device_view};

fn hour(hours: i64) -> EventTime {
    EventTime::default() + Span::HOUR.times(hours)
}

fn flow(peer: &str) -> FlowMatch {
    FlowMatch {
        peer: peer.to_owned(),
        transport: None,
        port: None,
    }
}

/// A revision at this hour that asks for this action.
pub(crate) fn revision(id: &str, revision: u32, at: i64, action: Action) -> Verdict {
    Verdict {
        schema: VERDICT_SCHEMA.to_owned(),
        verdict_id: id.to_owned(),
        revision,
        state: if revision == 1 {
            State::Raised
        } else {
            State::Updated
        },
        device_id: DeviceId::new("plc-assembly-line-3").unwrap(),
        device_type: "plc".to_owned(),
        segment: "assembly".to_owned(),
        risk_class: None,
        site: "precision-parts".to_owned(),
        event_time: hour(0),
        window: Interval {
            start: hour(0),
            end: hour(at),
        },
        grade: Grade::Critical,
        confidence: Confidence {
            basis: Basis::Policy,
            n: 0,
        },
        risk: Risk::of_score(95),
        sentence: "It talked to an outside address.".to_owned(),
        findings: Vec::new(),
        response: Response {
            action,
            mode: Mode::Enforce,
            scope: Vec::new(),
            exceptions: vec![flow("safety-plc")],
            expires: (action > Action::Log).then(|| hour(at + 24)),
            approval: Approval::Automatic,
            note: "secret note".to_owned(),
            notify: vec!["soc".to_owned()],
        },
        profile: ProfileRef {
            name: String::new(),
            version: String::new(),
            hash: String::new(),
        },
        end_of_input: false,
    }
}

fn proposed(verdict: Verdict) -> Verdict {
    let response = Response {
        approval: Approval::Required,
        ..verdict.response
    };
    Verdict {
        response,
        ..verdict
    }
}

fn cleared(id: &str, number: u32, at: i64) -> Verdict {
    Verdict {
        state: State::Cleared,
        ..revision(id, number, at, Action::Log)
    }
}

fn take(orders: &mut Orders, verdict: &Verdict) -> Vec<Command> {
    orders.step(&Lenient, Input::Verdict(verdict)).commands
}

fn played(revisions: &[Verdict]) -> Vec<Command> {
    let mut orders = Orders::new();
    revisions
        .iter()
        .flat_map(|v| take(&mut orders, v))
        .collect()
}

/// Step, whether it is a release, and action.
fn told(revisions: &[Verdict]) -> Vec<(u32, bool, Action)> {
    played(revisions)
        .iter()
        .map(|c| (c.step, c.release, c.response.action))
        .collect()
}

#[test]
fn a_command_is_given_when_the_action_changes_and_lifted_when_it_is_over() {
    use Action::{Isolate, Log, Quarantine, Watch};
    for (actions, commands) in [
        (vec![Log], vec![]),
        (vec![Watch], vec![(1, false, Watch)]),
        (vec![Watch, Watch, Watch], vec![(1, false, Watch)]),
        (
            vec![Watch, Quarantine],
            vec![(1, false, Watch), (2, false, Quarantine), (3, true, Watch)],
        ),
        (
            vec![Quarantine, Isolate],
            vec![
                (1, false, Quarantine),
                (2, false, Isolate),
                (3, true, Quarantine),
            ],
        ),
        (
            vec![Isolate, Log],
            vec![(1, false, Isolate), (2, true, Isolate)],
        ),
    ] {
        let revisions: Vec<Verdict> = (1..)
            .zip(actions)
            .map(|(n, action)| revision("v", n, 0, action))
            .collect();
        assert_eq!(told(&revisions), commands);
    }
    let over = [revision("v", 1, 0, Isolate), cleared("v", 2, 3)];
    assert_eq!(told(&over), [(1, false, Isolate), (2, true, Isolate)]);
    assert_eq!(played(&over)[1].issued, hour(3));
}

#[test]
fn another_scope_or_mode_is_another_command() {
    let first = revision("v", 1, 0, Action::Restrict);
    let mut scope = revision("v", 2, 0, Action::Restrict);
    scope.response.scope = vec![flow("10.0.0.9")];
    assert_eq!(told(&[first.clone(), scope]).len(), 2);
    let mut monitor = revision("v", 2, 0, Action::Restrict);
    monitor.response.mode = Mode::Monitor;
    let commands = played(&[first, monitor]);
    assert_eq!(
        commands.len(),
        3,
        "what is enforced is lifted before only talking of it"
    );
    assert!(commands[1].release && commands[1].response.mode == Mode::Enforce);
}

#[test]
fn a_command_is_renewed_once_half_of_its_time_is_gone() {
    let revisions: Vec<Verdict> = (0_u32..=48)
        .map(|n| revision("v", n + 1, i64::from(n), Action::Isolate))
        .collect();
    let commands = played(&revisions);
    let issued: Vec<EventTime> = commands.iter().map(|command| command.issued).collect();
    assert_eq!(issued, [hour(0), hour(12), hour(24), hour(36), hour(48)]);
}

#[test]
fn a_proposal_does_not_touch_what_is_in_force() {
    let watch = revision("v", 1, 0, Action::Watch);
    let isolate = proposed(revision("v", 2, 1, Action::Isolate));
    let commands = played(&[watch, isolate, cleared("v", 3, 2)]);
    let was_told: Vec<_> = commands
        .iter()
        .map(|c| (c.release, c.response.action))
        .collect();
    assert_eq!(
        was_told,
        [
            (false, Action::Watch),
            (false, Action::Isolate),
            (true, Action::Isolate),
            (true, Action::Watch),
        ]
    );
    let doubted = [
        revision("v", 1, 0, Action::Isolate),
        proposed(revision("v", 2, 1, Action::Isolate)),
    ];
    assert_eq!(
        told(&doubted),
        [
            (1, false, Action::Isolate),
            (2, false, Action::Isolate),
            (3, true, Action::Isolate)
        ],
        "what only a person may do is not in force until one agrees"
    );
    let milder = [
        revision("v", 1, 0, Action::Quarantine),
        proposed(revision("v", 2, 1, Action::Isolate)),
    ];
    assert!(
        played(&milder).iter().any(|c| c.release),
        "nothing asks for quarantine any more"
    );
}

#[test]
fn a_revision_told_twice_changes_nothing() {
    let revisions = [
        revision("v", 1, 0, Action::Watch),
        revision("v", 2, 0, Action::Isolate),
    ];
    let twice: Vec<Verdict> = [&revisions[..], &revisions[..]].concat();
    assert_eq!(played(&revisions), played(&twice));
}

#[test]
fn a_new_verdict_lifts_what_the_one_before_left() {
    let revisions = [
        revision("v", 1, 0, Action::Isolate),
        revision("w", 1, 1, Action::Watch),
    ];
    let commands = played(&revisions);
    assert!(commands[1].release);
    assert_eq!(commands[1].verdict_id, "v");
    assert_eq!(
        (commands[2].verdict_id.as_str(), commands[2].step),
        ("w", 1)
    );
}

#[test]
fn a_verdict_that_opens_again_goes_on_counting() {
    let revisions = [
        revision("v", 1, 0, Action::Isolate),
        cleared("v", 2, 1),
        revision("v", 3, 2, Action::Isolate),
    ];
    let steps: Vec<u32> = played(&revisions)
        .iter()
        .map(|command| command.step)
        .collect();
    assert_eq!(steps, [1, 2, 3]);
}

#[test]
fn a_device_reads_what_to_do_and_nothing_of_what_we_know() {
    let command = &played(&[revision("verdict-7", 1, 0, Action::Quarantine)])[0];
    let seen = serde_json::to_value(device_view(command).unwrap()).unwrap();
    let keys: Vec<&String> = seen.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["key", "action", "scope", "expiry"]);
    let text = seen.to_string();
    let secrets = [
        "verdict-7",
        "CRITICAL",
        "outside",
        "secret",
        "safety-plc",
        "soc",
    ];
    assert!(
        secrets.iter().all(|secret| !text.contains(secret)),
        "{text}"
    );
    assert!(
        !text.contains(&command.command_id),
        "it could be found out by trying"
    );
}

#[test]
fn the_devices_key_does_not_depend_on_why() {
    let mut other = revision("another", 1, 5, Action::Quarantine);
    other.grade = Grade::High;
    other.sentence = "Something else.".to_owned();
    let key = |verdict| device_view(&played(&[verdict])[0]).unwrap().key;
    assert_eq!(key(revision("v", 1, 0, Action::Quarantine)), key(other));
}

#[test]
fn a_device_sees_nothing_in_monitor_mode_nor_proposals_nor_that_it_is_watched() {
    let mut monitor = revision("v", 1, 0, Action::Quarantine);
    monitor.response.mode = Mode::Monitor;
    for hidden in [
        monitor,
        proposed(revision("v", 1, 0, Action::Quarantine)),
        revision("v", 1, 0, Action::Watch),
    ] {
        assert_eq!(device_view(&played(&[hidden])[0]), None);
    }
}

#[test]
fn a_release_lapses_at_once_under_the_key_of_what_it_lifts() {
    let commands = played(&[revision("v", 1, 0, Action::Isolate), cleared("v", 2, 3)]);
    let [given, lifted] = [0, 1].map(|at| device_view(&commands[at]).unwrap());
    assert_eq!((given.key, given.action), (lifted.key, lifted.action));
    assert_eq!((given.expiry, lifted.expiry), (hour(24), hour(3)));
}

fn plays() -> impl Strategy<Value = Vec<Verdict>> {
    let one = (
        prop::sample::select(Action::ALL),
        any::<bool>(),
        prop::sample::select(Mode::ALL),
        0..30_i64,
        0..8_u8,
    );
    prop::collection::vec(one, 0..40).prop_map(|steps| {
        let (mut at, mut episode, mut number) = (0, 0, 0);
        steps
            .into_iter()
            .map(|(action, waits, mode, by, kind)| {
                at += by;
                number += 1;
                let id = format!("v{episode}");
                if kind == 0 {
                    let over = cleared(&id, number, at);
                    (episode, number) = (episode + 1, 0);
                    return over;
                }
                let mut verdict = revision(&id, number, at, action);
                verdict.response.mode = mode;
                if waits { proposed(verdict) } else { verdict }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn ids_are_unique_and_every_command_is_lifted_in_the_end(mut revisions in plays()) {
        revisions.push(cleared("the last", 1, 10_000));
        let mut orders = Orders::new();
        let out: Vec<Command> = revisions.iter().flat_map(|v| take(&mut orders, v)).collect();
        let mut ids: Vec<&str> = out.iter().map(|command| command.command_id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), out.len());
        prop_assert_eq!(orders.standing(), 0);
    }

    #[test]
    fn what_the_device_obeys_is_never_worse_than_the_verdict_asks_for(revisions in plays()) {
        let mut orders = Orders::new();
        let mut obeyed: Vec<(Action, EventTime)> = Vec::new();
        for verdict in &revisions {
            let out = orders.step(&Lenient, Input::Verdict(verdict));
            for seen in out.issued.iter().filter_map(device_view) {
                obeyed.retain(|(action, _)| *action != seen.action);
                obeyed.push((seen.action, seen.expiry));
            }
            let asked = match verdict.state {
                State::Cleared => Action::Log,
                _ => verdict.response.action,
            };
            let now = verdict.window.end;
            let standing = obeyed.iter().filter(|(_, expiry)| *expiry > now);
            prop_assert!(standing.map(|(action, _)| *action).max() <= Some(asked).filter(|a| *a > Action::Log));
        }
    }

    #[test]
    fn a_snapshot_goes_on_the_same(revisions in plays(), cut in any::<prop::sample::Index>()) {
        let whole = played(&revisions);
        let (before, after) = revisions.split_at(cut.index(revisions.len() + 1));
        let mut orders = Orders::new();
        let mut out: Vec<Command> = before.iter().flat_map(|v| take(&mut orders, v)).collect();
        let bytes = postcard::to_stdvec(&orders).unwrap();
        let mut restored: Orders = postcard::from_bytes(&bytes).unwrap();
        out.extend(after.iter().flat_map(|v| take(&mut restored, v)));
        prop_assert_eq!(whole, out);
    }
}
