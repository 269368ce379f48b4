//! Laws that hold whatever is played.

use std::collections::BTreeMap;

use andon_schemas::command::{Action, Approval};
use andon_schemas::grade::Grade;
use andon_schemas::verdict::State;
use proptest::prelude::*;

use super::*;

/// One step of a play.
#[derive(Clone, Debug)]
enum Step {
    Show(Vec<Shown>),
    Over(u8),
    Close,
    Pass,
}

fn shown() -> impl Strategy<Value = Shown> {
    let detector = 0..5_u8;
    let grade = prop::sample::select(Grade::ALL);
    (
        detector,
        grade,
        25..=100_u8,
        any::<[bool; 4]>(),
        0..4_u8,
        0.0..1e4_f64,
    )
        .prop_map(
            |(detector, grade, score, [is_rule, holds, proven, responder], peer, magnitude)| {
                let proven = proven || peer > 1;
                let plain = if is_rule {
                    rule(detector, grade)
                } else {
                    statistic(detector, score)
                };
                let cap = if proven {
                    Grade::Critical
                } else {
                    Grade::Medium
                };
                let role = if responder {
                    Role::Responder
                } else {
                    Role::Originator
                };
                Shown {
                    holds: holds || !is_rule,
                    grade: plain.grade.min(cap),
                    score: if proven {
                        plain.score
                    } else {
                        plain.score.min(74)
                    },
                    magnitude,
                    role: Some(role),
                    proven,
                    flow: (peer > 0).then(|| flow(&format!("10.0.0.{peer}"))),
                    safety_flow: peer == 3,
                    ..plain
                }
            },
        )
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let kind = prop_oneof![
        4 => prop::collection::vec(shown(), 1..4).prop_map(|mut shown| {
            shown.sort_by_key(|one| one.detector);
            Step::Show(shown)
        }),
        1 => (0..5_u8).prop_map(Step::Over),
        1 => Just(Step::Close),
        1 => Just(Step::Pass),
    ];
    (-10..90_i64, kind)
}

fn plays() -> impl Strategy<Value = Vec<(i64, Step)>> {
    prop::collection::vec(step(), 0..60)
}

/// Plays the steps from where the clock stands; each moves it by its minutes.
fn play(stage: &mut Stage, clock: &mut i64, steps: &[(i64, Step)]) -> Vec<Verdict> {
    let mut out = Vec::new();
    for (by, step) in steps {
        *clock += by;
        let at = minute(*clock);
        out.extend(match step {
            Step::Show(shown) => stage.show(at, shown),
            Step::Over(detector) => stage.over(*detector, at),
            Step::Close => stage.close(at),
            Step::Pass => stage.pass(at),
        });
    }
    out
}

fn played(steps: &[(i64, Step)]) -> Vec<Verdict> {
    play(&mut Stage::new(), &mut 0, steps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_play_goes_on_from_a_snapshot_as_if_nothing_happened(
        steps in plays(), cut in any::<prop::sample::Index>(),
    ) {
        let whole = played(&steps);
        let (before, after) = steps.split_at(cut.index(steps.len() + 1));
        let (mut stage, mut clock) = (Stage::new(), 0);
        let mut out = play(&mut stage, &mut clock, before);
        let bytes = postcard::to_stdvec(&stage.case).unwrap();
        let restored: Case = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&restored, &stage.case);
        stage.case = restored;
        out.extend(play(&mut stage, &mut clock, after));
        prop_assert_eq!(whole, out);
    }

    #[test]
    fn revisions_of_an_id_are_consecutive_and_raised_and_cleared_take_turns(steps in plays()) {
        let mut latest: BTreeMap<String, Verdict> = BTreeMap::new();
        let mut open: Option<String> = None;
        for verdict in played(&steps) {
            let before = latest.get(&verdict.verdict_id);
            prop_assert_eq!(verdict.revision, before.map_or(0, |v| v.revision) + 1);
            if let Some(before) = before {
                prop_assert_eq!(verdict.event_time, before.event_time);
                prop_assert!(before.state == State::Cleared || before.window.end <= verdict.window.end);
            }
            prop_assert_eq!(verdict.state == State::Raised, open.is_none(), "one is open at most");
            prop_assert_eq!(open.as_ref().unwrap_or(&verdict.verdict_id), &verdict.verdict_id);
            let standing = verdict.findings.iter().any(|finding| finding.active);
            open = (verdict.state != State::Cleared).then(|| verdict.verdict_id.clone());
            prop_assert!(standing == (verdict.state != State::Cleared) || verdict.state == State::Raised);
            latest.insert(verdict.verdict_id.clone(), verdict);
        }
    }

    #[test]
    fn whatever_cuts_spares_every_safety_flow(steps in plays()) {
        for verdict in played(&steps) {
            let response = &verdict.response;
            let spared = |peer| response.exceptions.contains(&flow(peer));
            prop_assert!(spared("safety-plc.mfg.local"));
            if response.action == Action::Isolate {
                prop_assert!(spared("cnc-historian.mfg.local"));
            }
            prop_assert!(!response.scope.contains(&flow("10.0.0.3")), "a safety flow is restricted");
            prop_assert!(response.action == Action::Restrict || response.scope.is_empty());
        }
    }

    #[test]
    fn a_gateway_is_never_cut_without_a_person(steps in plays()) {
        let mut stage = Stage::new();
        stage.device.function = Function::Gateway;
        for verdict in play(&mut stage, &mut 0, &steps) {
            let response = &verdict.response;
            prop_assert!(
                response.action < Action::Isolate || response.approval == Approval::Required
            );
        }
    }

    #[test]
    fn what_nothing_proves_is_never_more_than_watched(steps in plays()) {
        let doubt = |step: &Step| match step {
            Step::Show(shown) => Step::Show(shown.iter().map(|one| Shown {
                proven: false,
                grade: one.grade.min(Grade::Medium),
                score: one.score.min(74),
                ..one.clone()
            }).collect()),
            other => other.clone(),
        };
        let steps: Vec<_> = steps.iter().map(|(by, step)| (*by, doubt(step))).collect();
        for verdict in played(&steps) {
            prop_assert!(verdict.grade <= Grade::Medium);
            prop_assert!(verdict.response.action <= Action::Watch);
            prop_assert!(verdict.risk.score.unwrap() < 75);
        }
    }

    #[test]
    fn sources_and_positions_change_nothing_but_sources(steps in plays()) {
        let mut stage = Stage::new();
        stage.ordinal = 1_000;
        let shifted = play(&mut stage, &mut 0, &steps);
        let without = |verdicts: Vec<Verdict>| -> Vec<Verdict> {
            verdicts.into_iter().map(|mut verdict| {
                verdict.findings.iter_mut().for_each(|finding| finding.source.clear());
                verdict
            }).collect()
        };
        prop_assert_eq!(without(played(&steps)), without(shifted));
    }

    #[test]
    fn a_flood_of_repeats_is_a_handful_of_revisions(one in shown(), repeats in 1..2_000_i64) {
        let mut stage = Stage::new();
        let mut out = Vec::new();
        for repeat in 0..repeats {
            let at = minute(0) + Span::SECOND.times(repeat);
            out.extend(stage.show(at, std::slice::from_ref(&one)));
        }
        out.extend(stage.close(minute(60)));
        prop_assert!(out.len() <= 2, "{} revisions", out.len());
        prop_assert_eq!(out.last().unwrap().findings[0].count, repeats.unsigned_abs());
    }
}
