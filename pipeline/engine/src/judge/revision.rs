//! Writing a revision: an episode as a verdict says it.

use andon_schemas::command::Response;
use andon_schemas::finding::{Basis, Confidence, Finding};
use andon_schemas::grade::Grade;
use andon_schemas::time::Interval;
use andon_schemas::verdict::{Risk, State, VERDICT_SCHEMA, Verdict};

use super::Subject;
use super::episode::Episode;
use super::held::Held;

/// The episode as it stands. The risk is the caller's to fill in: it knows what is fading.
pub(super) fn write(
    episode: &Episode,
    subject: &Subject,
    state: State,
    grade: Grade,
    response: Response,
) -> Verdict {
    let mut held: Vec<&Held> = episode.findings.iter().collect();
    held.sort_by_key(|held| (!held.active, std::cmp::Reverse(held.grade), held.facet));
    let start = held
        .iter()
        .map(|held| held.window().start)
        .min()
        .unwrap_or(episode.opened);
    let findings: Vec<Finding> = held.into_iter().map(Held::finding).collect();
    Verdict {
        schema: VERDICT_SCHEMA.to_owned(),
        verdict_id: episode.id.clone(),
        revision: episode.revision,
        state,
        device_id: subject.device.clone(),
        device_type: subject.device_type.to_owned(),
        segment: subject
            .segment
            .map_or_else(String::new, |segment| segment.name.clone()),
        risk_class: subject.inventory.map(|device| device.risk_class),
        site: subject.site.to_owned(),
        event_time: episode.opened,
        window: Interval {
            start: start.min(episode.opened),
            end: episode.newest,
        },
        grade,
        confidence: settled_confidence(&findings, grade),
        risk: Risk::of_score(episode.score()),
        sentence: settled_sentence(&findings, grade, state),
        findings,
        response,
        profile: subject.profile.clone(),
        end_of_input: false,
    }
}

/// The grade of a verdict: that of the worst of its findings that count. `None` if none does.
pub fn settled_grade(findings: &[Finding]) -> Option<Grade> {
    findings.iter().filter_map(|f| f.counts_as).max()
}

/// The confidence of a verdict: of the findings that set its grade, the one that rests on most.
pub fn settled_confidence(findings: &[Finding], grade: Grade) -> Confidence {
    findings
        .iter()
        .filter(|finding| finding.counts_as == Some(grade))
        .map(|finding| finding.confidence)
        .max_by_key(|confidence| (confidence.basis, confidence.n))
        .unwrap_or(Confidence {
            basis: Basis::Policy,
            n: 0,
        })
}

/// The sentence of a verdict: that of its first finding, the worst, and what else there is.
pub fn settled_sentence(findings: &[Finding], grade: Grade, state: State) -> String {
    let Some((first, rest)) = findings.split_first() else {
        return String::new();
    };
    let mut text = first.sentence.clone();
    let mut others: Vec<String> = Vec::new();
    for name in rest.iter().map(|f| f.detector.replace('_', " ")) {
        if name != first.detector.replace('_', " ") && !others.contains(&name) {
            others.push(name);
        }
    }
    if !others.is_empty() {
        text.push_str(" Also: ");
        text.push_str(&others.join(", "));
        text.push('.');
    }
    let raised = |f: &Finding| f.active && f.grade < grade && f.counts_as == Some(grade);
    if findings.iter().any(raised) {
        text.push_str(" Two independent planes agree, so the grade is one step worse.");
    }
    if state == State::Cleared {
        text.insert_str(0, "It is over. ");
    }
    text
}
