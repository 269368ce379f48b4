//! What a finding tells bears out its grade and score, so that they can be worked out again.

use andon_schemas::grade::Grade;
use andon_schemas::verdict::State;

use super::*;
use crate::judge::{settled_confidence, settled_grade, settled_sentence};

fn sized(shown: &Shown, magnitude: f64) -> Shown {
    Shown {
        magnitude,
        ..shown.clone()
    }
}

#[test]
fn the_words_stay_those_of_the_worst_that_was_seen() {
    let mut stage = Stage::new();
    let worst = sized(&rule(DESTINATION, Grade::Critical), 1.0);
    let larger = sized(&rule(DESTINATION, Grade::Medium), 1_000.0);
    stage.show(minute(0), &[worst]);
    stage.show(minute(1), &[larger]);
    let told = stage.close(minute(60));
    let finding = &told.last().unwrap().findings[0];
    assert_eq!(finding.grade, Grade::Critical);
    assert_eq!(finding.inputs, json!({ "amount": 1.0 }));
    assert_eq!(finding.count, 2);
}

#[test]
fn a_worse_score_under_the_same_cap_brings_its_own_words() {
    let capped = |score| Shown {
        proven: false,
        score,
        ..rule(DESTINATION, Grade::Medium)
    };
    let mut stage = Stage::new();
    stage.show(minute(0), &[sized(&capped(50), 2.0)]);
    stage.show(minute(1), &[sized(&capped(74), 1.0)]);
    stage.show(minute(2), &[sized(&capped(50), 9.0)]);
    let told = stage.close(minute(60));
    let finding = &told.last().unwrap().findings[0];
    assert_eq!(finding.score, 74);
    assert_eq!(finding.inputs, json!({ "amount": 1.0 }));
}

#[test]
fn a_verdict_is_what_its_findings_count_as_to_the_last_revision() {
    let mut stage = Stage::new();
    let mut told = stage.show(minute(0), &[rule(VOLUME, Grade::Medium)]);
    told.extend(stage.show(minute(5), &[state(FIRMWARE, Grade::High)]));
    told.extend(stage.over(FIRMWARE, minute(6)));
    told.extend(stage.pass(minute(60 * 48)));
    assert_eq!(told.last().unwrap().state, State::Cleared);
    for verdict in &told {
        let (findings, grade) = (&verdict.findings, verdict.grade);
        assert_eq!(settled_grade(findings), Some(grade), "{verdict:?}");
        assert_eq!(settled_confidence(findings, grade), verdict.confidence);
        assert_eq!(
            settled_sentence(findings, grade, verdict.state),
            verdict.sentence
        );
    }
    let raised = told.iter().find(|v| v.grade == Grade::Critical).unwrap();
    let counts: Vec<_> = raised
        .findings
        .iter()
        .map(|f| (f.grade, f.counts_as))
        .collect();
    assert_eq!(
        counts,
        [
            (Grade::High, Some(Grade::Critical)),
            (Grade::Medium, Some(Grade::Medium)),
        ]
    );
}
