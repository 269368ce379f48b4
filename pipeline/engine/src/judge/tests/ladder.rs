//! The response ladder: what follows from what, and what is never done without a person.

use andon_schemas::command::{Action, Approval, Response};
use andon_schemas::grade::Grade;

use super::*;

fn response(stage: &mut Stage, shown: &[Shown]) -> Response {
    stage.show(minute(0), shown).pop().unwrap().response
}

#[test]
fn every_grade_has_its_rung() {
    use Action::{Isolate, Log, Quarantine, Restrict, Watch};
    use Grade::{Critical, High, Low, Medium};
    for (shown, action) in [
        (rule(HOURS, Low), Log),
        (rule(VOLUME, Medium), Watch),
        (statistic(VOLUME, 60), Watch),
        (statistic(VOLUME, 80), Restrict),
        (statistic(VOLUME, 100), Quarantine),
        (state(FIRMWARE, High), Isolate),
        (rule(DESTINATION, Critical), Quarantine),
        (by_peer("10.0.0.9", &rule(DESTINATION, Medium)), Watch),
        (by_peer("10.0.0.9", &rule(DESTINATION, High)), Restrict),
        (by_peer("10.0.0.9", &rule(DESTINATION, Critical)), Restrict),
        (
            Shown {
                proven: false,
                ..rule(DESTINATION, High)
            },
            Watch,
        ),
        (
            Shown {
                proven: false,
                ..rule(DESTINATION, Critical)
            },
            Watch,
        ),
    ] {
        let got = response(&mut Stage::new(), std::slice::from_ref(&shown));
        assert_eq!(got.action, action, "{shown:?}");
        assert_eq!(got.approval, Approval::Automatic);
        assert_eq!(got.mode, Mode::Monitor);
        assert_eq!(got.expires.is_none(), action == Log);
    }
}

#[test]
fn those_are_told_whom_it_concerns() {
    for (shown, names) in [
        (rule(HOURS, Grade::Low), &[][..]),
        (rule(VOLUME, Grade::Medium), &["operator"]),
        (statistic(VOLUME, 80), &["operator", "soc"]),
        (
            state(FIRMWARE, Grade::High),
            &["operator", "soc", "plant-operations"],
        ),
        (
            rule(DESTINATION, Grade::Critical),
            &["operator", "soc", "plant-operations"],
        ),
    ] {
        assert_eq!(response(&mut Stage::new(), &[shown]).notify, names);
    }
}

#[test]
fn what_a_peer_did_restricts_that_peer_and_the_next_one_too() {
    let mut stage = Stage::new();
    let attack = |peer: &str| by_peer(peer, &rule(DESTINATION, Grade::High));
    assert_eq!(
        response(&mut stage, &[attack("10.0.0.9")]).scope,
        [flow("10.0.0.9")]
    );
    assert!(stage.show(minute(1), &[attack("10.0.0.9")]).is_empty());
    let out = stage.show(minute(2), &[attack("10.0.0.8")]);
    assert_eq!(out[0].response.scope, [flow("10.0.0.8"), flow("10.0.0.9")]);
    let more: usize = (0..100)
        .map(|n| {
            stage
                .show(minute(3), &[attack(&format!("10.1.0.{n}"))])
                .len()
        })
        .sum();
    assert_eq!(
        more, 14,
        "so many peers as one restriction names, and no more revisions"
    );
}

#[test]
fn an_unnamed_peer_is_watched_and_not_the_whole_device_restricted() {
    let unnamed = Shown {
        flow: None,
        ..by_peer("x", &rule(DESTINATION, Grade::High))
    };
    let got = response(&mut Stage::new(), &[unnamed]);
    assert_eq!(got.action, Action::Watch);
    assert!(got.notify.iter().any(|name| name == "plant-operations"));
}

#[test]
fn exceptions_spare_safety_always_and_the_essential_short_of_quarantine() {
    let (safety, essential) = (
        flow("safety-plc.mfg.local"),
        flow("cnc-historian.mfg.local"),
    );
    for (shown, exceptions) in [
        (rule(VOLUME, Grade::Medium), vec![safety.clone()]),
        (
            by_peer("10.0.0.9", &rule(DESTINATION, Grade::High)),
            vec![safety.clone()],
        ),
        (
            statistic(VOLUME, 80),
            vec![essential.clone(), safety.clone()],
        ),
        (
            state(FIRMWARE, Grade::High),
            vec![essential, safety.clone()],
        ),
        (rule(DESTINATION, Grade::Critical), vec![safety]),
    ] {
        assert_eq!(response(&mut Stage::new(), &[shown]).exceptions, exceptions);
    }
}

#[test]
fn an_offending_safety_flow_is_watched_and_a_person_called() {
    let mut stage = Stage::new();
    let safety = Shown {
        flow: Some(flow("safety-plc.mfg.local")),
        safety_flow: true,
        ..rule(DESTINATION, Grade::Critical)
    };
    let got = response(&mut stage, std::slice::from_ref(&safety));
    assert_eq!(got.action, Action::Watch);
    assert!(got.note.contains("safety flow"), "{}", got.note);
    assert!(got.notify.iter().any(|name| name == "plant-operations"));
    // An intruder must not buy itself out by touching a safety flow as well.
    let outside = Shown {
        flow: Some(flow("203.0.113.9")),
        safety_flow: false,
        ..safety
    };
    let out = stage.show(minute(1), &[outside]);
    assert_eq!(out[0].response.action, Action::Quarantine);
    assert_eq!(out[0].response.exceptions, [flow("safety-plc.mfg.local")]);
}

#[test]
fn what_would_drop_a_safety_flow_or_stop_others_is_only_proposed() {
    let gateway = |stage: &mut Stage| {
        stage.device.function = Function::Gateway;
        stage.device.safety_critical = false;
    };
    let server = |stage: &mut Stage| stage.device.function = Function::Server;
    let bare = |stage: &mut Stage| stage.protected.clear();
    for change in [gateway as fn(&mut Stage), server, bare] {
        for (shown, approval) in [
            (rule(VOLUME, Grade::Medium), Approval::Automatic),
            (state(FIRMWARE, Grade::High), Approval::Required),
            (rule(DESTINATION, Grade::Critical), Approval::Required),
        ] {
            let mut stage = Stage::new();
            change(&mut stage);
            let got = response(&mut stage, std::slice::from_ref(&shown));
            assert_eq!(got.approval, approval, "{shown:?}");
            assert_eq!(got.note.is_empty(), approval == Approval::Automatic);
        }
    }
    let mut harmless = Stage::new();
    gateway(&mut harmless);
    harmless.protected.clear();
    let got = response(&mut harmless, &[rule(DESTINATION, Grade::Critical)]);
    assert_eq!(
        got.approval,
        Approval::Automatic,
        "this gateway carries no safety flow"
    );
}

#[test]
fn commands_below_quarantine_wait_for_the_end_of_maintenance() {
    for (shown, waits) in [
        (rule(HOURS, Grade::Low), false),
        (rule(VOLUME, Grade::Medium), true),
        (state(FIRMWARE, Grade::High), true),
        (rule(DESTINATION, Grade::Critical), false),
    ] {
        let mut stage = Stage::new();
        stage.in_maintenance = true;
        let got = response(&mut stage, std::slice::from_ref(&shown));
        assert_eq!(got.approval == Approval::Required, waits, "{shown:?}");
    }
    let mut stage = Stage::new();
    stage.in_maintenance = true;
    stage.show(minute(0), &[state(FIRMWARE, Grade::High)]);
    stage.in_maintenance = false;
    let out = stage.close(minute(60));
    assert_eq!(out[0].response.approval, Approval::Automatic);
}

#[test]
fn the_response_to_a_state_is_renewed_before_it_lapses() {
    let mut stage = Stage::new();
    let mut expires = response(&mut stage, &[state(FIRMWARE, Grade::High)])
        .expires
        .unwrap();
    let mut revisions = 0;
    for hour in 1..=96 {
        for verdict in stage.close(minute(60 * hour)) {
            expires = verdict.response.expires.unwrap();
            revisions += 1;
        }
        assert!(expires > minute(60 * hour), "it lapsed at {hour} h");
    }
    assert!(revisions < 10, "{revisions}");
}

#[test]
fn a_finding_that_returns_does_not_restrict_the_peers_of_its_past() {
    let mut stage = Stage::new();
    let attack = |peer: &str| by_peer(peer, &rule(DESTINATION, Grade::High));
    stage.show(minute(0), &[state(CURRENT, Grade::Low), attack("10.0.0.9")]);
    stage.pass(minute(60));
    let out = stage.show(minute(90), &[attack("10.0.0.8")]);
    assert_eq!(out[0].response.scope, [flow("10.0.0.8")]);
}
