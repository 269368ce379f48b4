//! From verdicts to incidents: which verdicts tell one story.
//!
//! A verdict of MEDIUM or worse begins an incident, unless it belongs to one: it is about the same
//! device, about a destination or an attacker that is in one, or the same detector has found it in
//! the same segment within a quarter of an hour. Whatever is found about a device of an incident
//! belongs to it, of whatever grade, as long as its incident is kept: a day after the last thing
//! happened. An incident is over when all its verdicts are cleared, and goes on when it finds more.
//!
//! Two incidents that turn out to be one stay two: what was said of them has been read.

mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::finding::Finding;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::{INCIDENT_SCHEMA, Incident, IncidentState, Involved, Judged, Link};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::{State, Verdict};
use serde::{Deserialize, Serialize};

use self::words::{destinations, headline};
use crate::digest;

/// What is worth an incident of its own.
const WORTH: Grade = Grade::Medium;
/// An incident is kept so long after the last thing that happened in it.
const KEPT: Span = Span::DAY;
/// The same, found in the same segment within this time, is one story.
const TOGETHER: Span = Span::from_secs(15 * 60);
/// So many incidents are kept at most; then the one that has been quiet for longest goes.
const INCIDENTS_MAX: usize = 10_000;
/// So many verdicts of one are listed.
const VERDICTS_MAX: usize = 200;
/// So many destinations and techniques of one are.
const NAMED_MAX: usize = 256;

/// The incidents that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Incident>", into = "Vec<Incident>")]
pub struct Incidents {
    kept: BTreeMap<String, Incident>,
    /// By when the last thing happened: those that are open, and those that are over.
    open: BTreeSet<(EventTime, String)>,
    over: BTreeSet<(EventTime, String)>,
    of_verdict: BTreeMap<String, String>,
    of_device: BTreeMap<DeviceId, String>,
    of_destination: BTreeMap<String, String>,
    /// The incident that something was found in last, by segment and detector, and when.
    of_segment: BTreeMap<(String, String), (String, EventTime)>,
}

impl From<Incidents> for Vec<Incident> {
    fn from(incidents: Incidents) -> Self {
        incidents.kept.into_values().collect()
    }
}

impl From<Vec<Incident>> for Incidents {
    fn from(kept: Vec<Incident>) -> Self {
        let mut incidents = Self::default();
        for incident in kept {
            incidents.index(&incident);
            let id = incident.incident_id.clone();
            incidents.kept.insert(id, incident);
        }
        incidents
    }
}

impl Incidents {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One of those that are kept.
    pub fn get(&self, incident_id: &str) -> Option<&Incident> {
        self.kept.get(incident_id)
    }

    /// Those that are kept.
    pub fn all(&self) -> impl Iterator<Item = &Incident> {
        self.kept.values()
    }

    /// The incident that a verdict belongs to.
    pub fn of(&self, verdict_id: &str) -> Option<&Incident> {
        self.kept.get(self.of_verdict.get(verdict_id)?)
    }

    /// Takes the next revision of a verdict; returns the incident that reads differently now, if one
    /// does.
    pub fn take(&mut self, verdict: &Verdict) -> Option<&Incident> {
        let at = verdict.window.end;
        self.forget(at);
        let found = destinations(verdict);
        let (id, link) = match self.belongs(verdict, &found) {
            Some(known) => known,
            None if verdict.grade >= WORTH && verdict.state != State::Cleared => {
                (self.begin(verdict), Link::First)
            }
            None => return None,
        };
        let mut incident = self.kept.remove(&id)?;
        self.quiet(incident.state)
            .remove(&(incident.last, id.clone()));
        let is_new = !self.of_verdict.contains_key(&verdict.verdict_id);
        let is_news = involve(&mut incident, verdict, link, &found);
        if is_news {
            incident.revision += 1;
        }
        self.index(&incident);
        let is_worth = verdict.grade >= WORTH && !verdict.segment.is_empty();
        let lead = verdict.findings.first();
        if let Some(lead) = lead.filter(|_| is_new && is_worth) {
            let together = (verdict.segment.clone(), lead.detector.clone());
            self.of_segment.insert(together, (id.clone(), at));
        }
        let incident = &*self.kept.entry(id).or_insert(incident);
        is_news.then_some(incident)
    }

    /// A person says what it was; returns it if that is new. `None` if it is not kept.
    pub fn judge(&mut self, incident_id: &str, judged: Judged) -> Option<(&Incident, bool)> {
        let incident = self.kept.get_mut(incident_id)?;
        let same = |before: &Judged| {
            (before.judgement, &before.by, &before.note)
                == (judged.judgement, &judged.by, &judged.note)
        };
        let is_news = !incident.judged.as_ref().is_some_and(same);
        if is_news {
            incident.judged = Some(judged);
            incident.revision += 1;
        }
        Some((incident, is_news))
    }

    /// The incident that a verdict belongs to, and by what.
    fn belongs(&self, verdict: &Verdict, destinations: &[String]) -> Option<(String, Link)> {
        if let Some(id) = self.of_verdict.get(&verdict.verdict_id) {
            return Some((id.clone(), Link::First));
        }
        if verdict.state == State::Cleared {
            return None;
        }
        if let Some(id) = self.of_device.get(&verdict.device_id) {
            return Some((id.clone(), Link::Device));
        }
        if verdict.grade < WORTH {
            return None;
        }
        let shared = destinations.iter().find_map(|d| self.of_destination.get(d));
        if let Some(id) = shared {
            return Some((id.clone(), Link::Destination));
        }
        let lead: &Finding = verdict.findings.first()?;
        let together = (verdict.segment.clone(), lead.detector.clone());
        let (id, at) = self.of_segment.get(&together)?;
        (*at + TOGETHER >= verdict.event_time).then(|| (id.clone(), Link::Segment))
    }

    /// An incident that a verdict begins. What is in it comes with the verdict.
    fn begin(&mut self, verdict: &Verdict) -> String {
        let id = digest(&["incident", &verdict.site, &verdict.verdict_id], 16);
        let incident = Incident {
            schema: INCIDENT_SCHEMA.to_owned(),
            incident_id: id.clone(),
            revision: 0,
            state: IncidentState::Open,
            site: verdict.site.clone(),
            grade: verdict.grade,
            began: verdict.event_time,
            last: verdict.event_time,
            over: None,
            sentence: String::new(),
            segments: Vec::new(),
            destinations: Vec::new(),
            techniques: Vec::new(),
            verdicts: Vec::new(),
            more: 0,
            judged: None,
        };
        self.kept.insert(id.clone(), incident);
        id
    }

    fn quiet(&mut self, state: IncidentState) -> &mut BTreeSet<(EventTime, String)> {
        match state {
            IncidentState::Open => &mut self.open,
            IncidentState::Over => &mut self.over,
        }
    }

    /// Takes down by what an incident is found.
    fn index(&mut self, incident: &Incident) {
        let id = &incident.incident_id;
        let quiet = self.quiet(incident.state);
        quiet.insert((incident.last, id.clone()));
        for involved in &incident.verdicts {
            let verdict = involved.verdict_id.clone();
            self.of_verdict.insert(verdict, id.clone());
            let device = involved.device_id.clone();
            self.of_device.insert(device, id.clone());
        }
        for destination in &incident.destinations {
            self.of_destination.insert(destination.clone(), id.clone());
        }
    }

    /// Lets go of what has been quiet for long, and of the quietest where there are too many.
    fn forget(&mut self, now: EventTime) {
        let is_stale = |(last, _): &&(EventTime, String)| *last + KEPT < now;
        while self.over.first().filter(is_stale).is_some() || self.kept.len() >= INCIDENTS_MAX {
            let Some((_, id)) = self.over.pop_first().or_else(|| self.open.pop_first()) else {
                break;
            };
            if let Some(gone) = self.kept.remove(&id) {
                self.unindex(&gone);
            }
        }
        self.of_segment.retain(|_, (_, at)| *at + TOGETHER >= now);
    }

    fn unindex(&mut self, gone: &Incident) {
        let id = &gone.incident_id;
        for involved in &gone.verdicts {
            self.of_verdict.remove(&involved.verdict_id);
            // A newer one may have it.
            if self.of_device.get(&involved.device_id) == Some(id) {
                self.of_device.remove(&involved.device_id);
            }
        }
        for destination in &gone.destinations {
            if self.of_destination.get(destination) == Some(id) {
                self.of_destination.remove(destination);
            }
        }
        self.of_segment.retain(|_, (of, _)| of != id);
    }
}

/// Takes a revision of a verdict into an incident; whether that reads differently now.
fn involve(
    incident: &mut Incident,
    verdict: &Verdict,
    link: Link,
    destinations: &[String],
) -> bool {
    let at = verdict.window.end;
    let mut is_news = false;
    let is_full = incident.verdicts.len() >= VERDICTS_MAX;
    let mut all = incident.verdicts.iter_mut();
    match all.find(|involved| involved.verdict_id == verdict.verdict_id) {
        Some(known) if known.revision >= verdict.revision => return false,
        Some(known) => {
            known.revision = verdict.revision;
            is_news |= (known.state == State::Cleared) != (verdict.state == State::Cleared);
            known.state = verdict.state;
            if verdict.grade > known.grade {
                known.grade = verdict.grade;
                known.sentence.clone_from(&verdict.sentence);
                is_news = true;
            }
        }
        None if is_full => {
            is_news = verdict.revision == 1;
            incident.more += u64::from(is_news);
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
    incident.last = incident.last.max(at);
    incident.began = incident.began.min(verdict.event_time);
    incident.grade = incident.grade.max(verdict.grade);
    is_news |= name(&mut incident.segments, [verdict.segment.as_str()]);
    is_news |= name(
        &mut incident.destinations,
        destinations.iter().map(String::as_str),
    );
    let techniques = verdict.findings.iter().flat_map(|f| &f.techniques);
    is_news |= name(&mut incident.techniques, techniques.map(String::as_str));
    let is_over = incident
        .verdicts
        .iter()
        .all(|involved| involved.state == State::Cleared);
    incident.state = if is_over {
        IncidentState::Over
    } else {
        IncidentState::Open
    };
    incident.over = is_over.then_some(incident.last);
    incident.sentence = headline(incident);
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
