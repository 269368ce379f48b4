//! Writing a revision: an episode as a verdict says it.

use andon_schemas::command::Response;
use andon_schemas::finding::{Basis, Confidence};
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
        confidence: confidence(episode, grade),
        risk: Risk::of_score(episode.score()),
        sentence: sentence(&held, state, episode.is_corroborated(grade)),
        findings: held.into_iter().map(Held::finding).collect(),
        response,
        profile: subject.profile.clone(),
        end_of_input: false,
    }
}

/// Of the findings that set the grade, the one that rests on most.
fn confidence(episode: &Episode, grade: Grade) -> Confidence {
    let over = episode.is_over();
    episode
        .findings
        .iter()
        .filter(|held| (held.active || over) && episode.grade_of(held) == grade)
        .map(Held::confidence)
        .max_by_key(|confidence| (confidence.basis, confidence.n))
        .unwrap_or(Confidence {
            basis: Basis::Policy,
            n: 0,
        })
}

/// The worst finding's sentence, and what else there is.
fn sentence(held: &[&Held], state: State, corroborated: bool) -> String {
    let Some((first, rest)) = held.split_first() else {
        return String::new();
    };
    let mut text = first.sentence().to_owned();
    let mut others: Vec<String> = Vec::new();
    for name in rest.iter().map(|held| held.name().replace('_', " ")) {
        if name != first.name().replace('_', " ") && !others.contains(&name) {
            others.push(name);
        }
    }
    if !others.is_empty() {
        text.push_str(" Also: ");
        text.push_str(&others.join(", "));
        text.push('.');
    }
    if corroborated {
        text.push_str(" Two independent planes agree, so the grade is one step worse.");
    }
    if state == State::Cleared {
        text.insert_str(0, "It is over. ");
    }
    text
}
