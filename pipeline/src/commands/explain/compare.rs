//! What a verdict says against what it comes to, field by field: nothing that can be worked out
//! again from what is stored with it may be another.

use andon_engine::{graded, keeps_grade, settled_confidence, settled_grade, settled_sentence};
use andon_schemas::finding::{Basis, Evidence, Finding};
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::verdict::{State, Verdict};

/// What computing a finding again came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Equal,
    Different(String),
    CannotSay(String),
}

impl Again {
    pub(super) fn word(&self) -> String {
        match self {
            Self::Equal => "equal".to_owned(),
            Self::Different(fields) => format!("DIFFERENT in {fields}"),
            Self::CannotSay(cause) => format!("cannot say: {cause}"),
        }
    }
}

fn again<'a>(compared: impl IntoIterator<Item = (&'a str, bool)>) -> Again {
    let differ: Vec<&str> = compared
        .into_iter()
        .filter_map(|(field, equal)| (!equal).then_some(field))
        .collect();
    if differ.is_empty() {
        Again::Equal
    } else {
        Again::Different(differ.join(", "))
    }
}

/// A finding against the evidence that its detector returns for its inputs.
pub(super) fn finding(
    verdict: &Verdict,
    finding: &Finding,
    plane: Plane,
    evidence: &Evidence,
) -> Again {
    let calibrated = evidence.confidence.basis == Basis::Calibrated;
    let (grade, score) = graded(evidence.floor, evidence.score, calibrated, finding.proven);
    again([
        ("grade", bears(finding, grade, score)),
        ("counts_as", counts(verdict, finding)),
        ("rule", evidence.floor.is_some() == finding.rule),
        ("plane", plane == finding.plane),
        ("score", score == finding.score),
        ("p_value", evidence.p_value == finding.p_value),
        ("observed", evidence.observed == finding.observed),
        ("expected", evidence.expected == finding.expected),
        ("sentence", evidence.sentence == finding.sentence),
        ("clears", evidence.clears == finding.clears),
        ("techniques", evidence.techniques == finding.techniques),
        ("confidence", evidence.confidence == finding.confidence),
    ])
}

/// Whether a finding may have the grade it says: the one that follows from its evidence, or of a
/// statistic one that it reached before and has not fallen far enough to lose.
fn bears(finding: &Finding, grade: Option<Grade>, score: u8) -> bool {
    let reached_before = !finding.rule
        && grade.is_some_and(|grade| grade < finding.grade)
        && keeps_grade(finding.grade, score);
    grade == Some(finding.grade) || reached_before
}

/// Whether a finding may count with the grade it says: its own, or one step worse if there is
/// another in the verdict to corroborate it. What a clear says of it is of an earlier revision.
fn counts(verdict: &Verdict, finding: &Finding) -> bool {
    let cleared = verdict.state == State::Cleared;
    let over = verdict.findings.iter().all(|other| !other.active);
    let Some(counted) = finding.counts_as else {
        return cleared || !finding.active && !over;
    };
    if cleared {
        return counted == finding.grade || counted == finding.grade.raised();
    }
    let bears = |f: &Finding| f.active && f.rule && f.proven && f.grade >= Grade::Medium;
    let corroborated = bears(finding)
        && verdict.findings.iter().any(|other| {
            bears(other) && other.plane != finding.plane && other.grade <= finding.grade
        });
    (finding.active || over)
        && (counted == finding.grade || corroborated && counted == finding.grade.raised())
}

/// What the verdict says of its findings together.
pub(super) fn settled(verdict: &Verdict) -> Again {
    let Verdict {
        findings,
        grade,
        state,
        ..
    } = verdict;
    again([
        ("grade", settled_grade(findings) == Some(*grade)),
        (
            "confidence",
            settled_confidence(findings, *grade) == verdict.confidence,
        ),
        (
            "sentence",
            settled_sentence(findings, *grade, *state) == verdict.sentence,
        ),
    ])
}
