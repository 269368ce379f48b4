//! Tests of what is worth an alert.

use andon_detectors::stats::evidence::{Bets, level_for};
use andon_detectors::stats::score::{grade_of, score_of};
use andon_schemas::finding::{Basis, Confidence};
use andon_schemas::grade::Plane;
use andon_schemas::time::{EventTime, Interval};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tests::revision;

/// A finding that counts with its grade; a statistic if it has evidence, else a rule.
pub(crate) fn finding(detector: &str, grade: Grade, evidence: Option<f32>) -> Finding {
    let at = EventTime::default();
    Finding {
        detector: detector.to_owned(),
        grade,
        counts_as: Some(grade),
        proven: true,
        rule: evidence.is_none(),
        plane: Plane::Network,
        score: evidence.map_or(grade.risk_floor(), score),
        p_value: None,
        observed: json!({ "device_days_per_false_alarm": evidence }),
        expected: json!({}),
        sentence: format!("{detector} at {grade}"),
        clears: String::new(),
        techniques: Vec::new(),
        confidence: Confidence {
            basis: Basis::Policy,
            n: 0,
        },
        window: Interval { start: at, end: at },
        role: None,
        count: 1,
        active: true,
        inputs: json!({}),
        profile: None,
        source: Vec::new(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score lies between 0 and 100"
)]
fn score(evidence: f32) -> u8 {
    score_of(evidence).round() as u8
}

/// A revision with these findings.
fn told(id: &str, number: u32, findings: Vec<Finding>) -> Verdict {
    let grade = findings.iter().filter_map(|finding| finding.counts_as);
    Verdict {
        grade: grade.max().unwrap_or(Grade::Low),
        findings,
        ..revision(id, number, 1, andon_schemas::command::Action::Watch)
    }
}

fn cleared(id: &str, number: u32, findings: Vec<Finding>) -> Verdict {
    Verdict {
        state: State::Cleared,
        ..told(id, number, findings)
    }
}

fn alerts(level: f64) -> Alerts {
    let mut alerts = Alerts::default();
    alerts.set(Some(Budget {
        per_day: 1.0,
        devices: 1,
        level,
    }));
    alerts
}

/// Cause and detector of each alert.
fn played(alerts: &mut Alerts, revisions: &[Verdict]) -> Vec<(u32, AlertCause, String)> {
    revisions
        .iter()
        .filter_map(|verdict| alerts.take(verdict))
        .map(|alert| (alert.revision, alert.cause, alert.detector))
        .collect()
}

#[test]
fn evidence_is_an_alert_once_it_reaches_the_level_and_once_only() {
    let mut alerts = alerts(400.0);
    let drift = |evidence| vec![finding("slow_drift", Grade::Medium, Some(evidence))];
    let revisions = [
        told("a", 1, drift(150.0)),
        told("a", 2, drift(399.0)),
        told("a", 3, drift(400.0)),
        told("a", 4, drift(900.0)),
        cleared("a", 5, drift(900.0)),
        told("b", 1, drift(500.0)),
    ];
    let evidence = |revision| (revision, AlertCause::Evidence, "slow_drift".to_owned());
    for held in &revisions[..2] {
        assert!(alerts.take(held).is_none());
        assert!(alerts.holds(held));
        assert_eq!(alerts.counts().held, 1);
    }
    assert_eq!(
        played(&mut alerts, &revisions[2..]),
        [evidence(3), evidence(1)]
    );
    let counts = AlertCounts {
        rule: 0,
        evidence: 2,
        held: 0,
    };
    assert_eq!(alerts.counts(), counts);
}

#[test]
fn rules_are_told_always_and_again_when_they_are_worse() {
    let mut alerts = alerts(1e9);
    let rule = |grade| finding("forbidden_flow", grade, None);
    let drift = finding("slow_drift", Grade::Medium, Some(2e9));
    let revisions = [
        told("a", 1, vec![rule(Grade::Low)]),
        told("a", 2, vec![rule(Grade::Medium)]),
        told("a", 3, vec![rule(Grade::Medium), drift.clone()]),
        told("a", 4, vec![drift.clone(), rule(Grade::High)]),
        // A rule is told whatever evidence has been.
        told("b", 1, vec![drift]),
        told("b", 2, vec![rule(Grade::Medium)]),
    ];
    let by_rule = |revision| (revision, AlertCause::Rule, "forbidden_flow".to_owned());
    let by_evidence = (1, AlertCause::Evidence, "slow_drift".to_owned());
    let expected = [by_rule(2), by_rule(4), by_evidence, by_rule(2)];
    assert_eq!(played(&mut alerts, &revisions), expected);
    assert_eq!(alerts.counts().held, 0);
}

#[test]
fn what_does_not_stand_or_is_only_logged_is_no_alert() {
    let mut alerts = alerts(100.0);
    // A written range that nobody calibrated stays LOW, whatever its evidence.
    let low = finding("slow_drift", Grade::Low, Some(9_000.0));
    let over = Finding {
        active: false,
        ..finding("scan", Grade::High, None)
    };
    let revisions = [
        told("a", 1, vec![low.clone()]),
        told("a", 2, vec![low, over]),
    ];
    assert!(played(&mut alerts, &revisions).is_empty());
    let mut without = Alerts::default();
    let critical = told("a", 1, vec![finding("scan", Grade::Critical, None)]);
    assert!(without.take(&critical).is_none());
}

proptest! {
    /// A run that is killed tells its last revisions again.
    #[test]
    fn a_revision_that_is_told_twice_is_one_alert(
        evidence in prop::collection::vec(10_f32..2_000.0, 1..20),
        again in 0..20_usize,
    ) {
        let of = |(at, evidence): (usize, &f32)| {
            let grade = grade_of(*evidence).unwrap();
            let number = u32::try_from(at).unwrap() + 1;
            told("a", number, vec![finding("slow_drift", grade, Some(*evidence))])
        };
        let once: Vec<Verdict> = evidence.iter().enumerate().map(of).collect();
        let mut twice = once.clone();
        twice.extend_from_slice(&once[again.min(once.len())..]);
        let (mut one, mut other) = (alerts(300.0), alerts(300.0));
        prop_assert_eq!(played(&mut one, &once), played(&mut other, &twice));
        prop_assert_eq!(one, other);
    }
}

/// Numbers that look random, the same every time (Vigna's splitmix64).
struct Coin(u64);

impl Coin {
    fn heads(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) & 1 == 1
    }
}

/// Alerts of an honest device, hour by hour: its e-values have mean 1, the most they may have.
fn false_alarms(hours: u64, coin: &mut Coin, alerts: &mut Alerts) -> u64 {
    let (mut bets, mut episode, mut number) = (Bets::<1>::default(), 0, 0);
    for _ in 0..hours {
        let e = if coin.heads() { 1.5 } else { 0.5 };
        bets.step(1.0 / 24.0, &[e]);
        let evidence = bets.total();
        let id = episode.to_string();
        let words = |grade| vec![finding("slow_drift", grade, Some(evidence))];
        if let Some(grade) = grade_of(evidence) {
            number += 1;
            alerts.take(&told(&id, number, words(grade)));
        } else if number > 0 && evidence < 1.0 {
            alerts.take(&cleared(&id, number + 1, words(Grade::Low)));
            (episode, number) = (episode + 1, 0);
        }
    }
    alerts.counts().evidence
}

#[test]
fn false_alarms_of_an_honest_fleet_stay_within_the_budget() {
    const DEVICES: u64 = 400;
    const DAYS: u64 = 250;
    let mut coin = Coin(7);
    for per_day in [1.0, 4.0] {
        let level = level_for(DEVICES, per_day);
        let mut told_in_all = 0;
        for _ in 0..DEVICES {
            told_in_all += false_alarms(24 * DAYS, &mut coin, &mut alerts(level));
        }
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let a_day = told_in_all as f64 / DAYS as f64;
        assert!(a_day <= per_day, "{a_day} of {per_day}");
        // And the promise is no empty one: these come within a factor of ten of it.
        assert!(a_day >= per_day / 10.0, "{a_day} of {per_day}");
    }
}
