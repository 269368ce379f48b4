//! Taking a verdict into an incident.

use andon_schemas::incident::{Incident, IncidentState, Involved, Link};
use andon_schemas::verdict::{State, Verdict};

use super::KeptIncident;

/// So many verdicts of one are listed.
pub(super) const VERDICTS_MAX: usize = 200;
/// So many destinations and techniques of one are.
const NAMED_MAX: usize = 256;

/// Whether an incident lists a verdict.
pub(super) fn is_listed(incident: &Incident, verdict_id: &str) -> bool {
    let mut listed = incident.verdicts.iter();
    listed.any(|involved| involved.verdict_id == verdict_id)
}

/// Takes a revision of a verdict into an incident; whether that reads differently now.
pub(super) fn involve(
    held: &mut KeptIncident,
    verdict: &Verdict,
    link: Link,
    destinations: &[String],
) -> bool {
    let incident = &mut held.incident;
    let is_cleared = verdict.state == State::Cleared;
    let mut is_news = verdict.grade > incident.grade;
    let is_full = incident.verdicts.len() >= VERDICTS_MAX;
    let mut all = incident.verdicts.iter_mut();
    match all.find(|involved| involved.verdict_id == verdict.verdict_id) {
        Some(known) if known.revision >= verdict.revision => return false,
        Some(known) => {
            known.revision = verdict.revision;
            is_news |= (known.state == State::Cleared) != is_cleared;
            known.state = verdict.state;
            if verdict.grade > known.grade {
                known.grade = verdict.grade;
                known.sentence.clone_from(&verdict.sentence);
                is_news = true;
            }
        }
        None if is_full && is_cleared => is_news |= held.unlisted.remove(&verdict.verdict_id),
        None if is_full => {
            if held.unlisted.insert(verdict.verdict_id.clone()) {
                incident.more += 1;
                is_news = true;
            }
        }
        None => {
            incident.verdicts.push(Involved {
                verdict_id: verdict.verdict_id.clone(),
                revision: verdict.revision,
                device_id: verdict.device_id.clone(),
                device_type: verdict.device_type.clone(),
                segment: verdict.segment.clone(),
                grade: verdict.grade,
                state: verdict.state,
                began: verdict.event_time,
                link,
                sentence: verdict.sentence.clone(),
            });
            is_news = true;
        }
    }
    incident.last = incident.last.max(verdict.window.end);
    incident.began = incident.began.min(verdict.event_time);
    incident.grade = incident.grade.max(verdict.grade);
    is_news |= name(&mut incident.segments, [verdict.segment.as_str()]);
    is_news |= name(
        &mut incident.destinations,
        destinations.iter().map(String::as_str),
    );
    let techniques = verdict.findings.iter().flat_map(|f| &f.techniques);
    is_news |= name(&mut incident.techniques, techniques.map(String::as_str));
    let mut listed = incident.verdicts.iter();
    let is_over = held.unlisted.is_empty() && listed.all(|v| v.state == State::Cleared);
    incident.state = if is_over {
        IncidentState::Over
    } else {
        IncidentState::Open
    };
    incident.over = is_over.then_some(incident.last);
    is_news
}

/// Adds names that are new; whether there were any.
fn name<'a>(names: &mut Vec<String>, more: impl IntoIterator<Item = &'a str>) -> bool {
    let before = names.len();
    for one in more {
        let is_new = !one.is_empty() && !names.iter().any(|known| known == one);
        if is_new && names.len() < NAMED_MAX {
            names.push(one.to_owned());
        }
    }
    names.len() > before
}
