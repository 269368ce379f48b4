//! From verdicts to incidents: which verdicts tell one story.
//!
//! A verdict of MEDIUM or worse begins an incident, unless it belongs to one: it is about the same
//! device, about a destination or an attacker that is in one, or the same detector has found it in
//! the same segment within a quarter of an hour. Whatever is found about a device of an incident
//! belongs to it, of whatever grade, as long as its incident is kept: a day after the last thing
//! happened. An incident is over when all its verdicts are cleared, and goes on when it finds more.
//!
//! Two incidents that turn out to be one stay two: what was said of them has been read.

mod index;
mod involve;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::finding::Finding;
use andon_schemas::grade::Grade;
use andon_schemas::incident::{INCIDENT_SCHEMA, Incident, IncidentState, Judged, Judgement, Link};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::{State, Verdict};
use serde::{Deserialize, Serialize};

pub use self::index::KeptIncident;
use self::index::{Clues, Index};
use self::involve::{involve, is_listed};
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

/// The incidents that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Saved", into = "Saved")]
pub struct Incidents {
    kept: BTreeMap<String, KeptIncident>,
    /// By when the last thing happened: those that are open, and those that are over.
    open: BTreeSet<(EventTime, String)>,
    over: BTreeSet<(EventTime, String)>,
    index: Index,
    /// Those that read differently than was last told.
    changed: BTreeSet<String>,
    /// Those of which something else is kept, or nothing any more, than was last asked for; for
    /// whoever keeps them piece by piece only.
    touched: Option<BTreeSet<String>>,
}

/// What is saved of it; the rest follows.
#[derive(Serialize, Deserialize)]
struct Saved {
    kept: Vec<KeptIncident>,
    changed: BTreeSet<String>,
}

impl From<Incidents> for Saved {
    fn from(incidents: Incidents) -> Self {
        Self {
            kept: incidents.kept.into_values().collect(),
            changed: incidents.changed,
        }
    }
}

impl From<Saved> for Incidents {
    fn from(saved: Saved) -> Self {
        let mut incidents = Self {
            changed: saved.changed,
            ..Self::default()
        };
        for held in saved.kept {
            incidents.resume(held);
        }
        incidents
    }
}

impl Incidents {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, for whoever keeps them piece by piece.
    pub fn piecewise() -> Self {
        Self {
            touched: Some(BTreeSet::new()),
            ..Self::default()
        }
    }

    /// One of those that are kept.
    pub fn get(&self, incident_id: &str) -> Option<&Incident> {
        self.kept.get(incident_id).map(|held| &held.incident)
    }

    /// Those that are kept.
    pub fn all(&self) -> impl Iterator<Item = &Incident> {
        self.kept.values().map(|held| &held.incident)
    }

    /// The incident that a verdict belongs to.
    pub fn of(&self, verdict_id: &str) -> Option<&Incident> {
        self.get(self.index.verdicts.get(verdict_id)?)
    }

    /// Everything that is kept of one, for whoever keeps them piece by piece.
    pub fn kept(&self, incident_id: &str) -> Option<&KeptIncident> {
        self.kept.get(incident_id)
    }

    /// Goes on with what was kept of one.
    pub fn resume(&mut self, held: KeptIncident) {
        self.index.know_again(&held);
        self.put(held);
    }

    /// Those of which something else is kept than when this was asked last, or nothing any more.
    pub fn take_touched(&mut self) -> BTreeSet<String> {
        self.touched
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    fn touch(&mut self, id: &str) {
        if let Some(touched) = &mut self.touched {
            touched.insert(id.to_owned());
        }
    }

    /// Takes the next revision of a verdict; returns the incident that it begins, if it does. What
    /// else changes is told by [`settle`](Self::settle), so that a plant of which all devices fall
    /// silent at once is not told of a thousand times.
    pub fn take(&mut self, verdict: &Verdict) -> Option<Incident> {
        let at = verdict.window.end;
        self.forget(at);
        let found = destinations(verdict);
        let is_over = verdict.state == State::Cleared;
        let (id, link) = match self.belongs(verdict, &found) {
            Some(known) => known,
            None if verdict.grade >= WORTH && !is_over => {
                return Some(self.begin(verdict, &found));
            }
            None => return None,
        };
        let mut held = self.kept.remove(&id)?;
        self.quiet(held.incident.state)
            .remove(&(held.incident.last, id.clone()));
        let is_new = !self.index.verdicts.contains_key(&verdict.verdict_id);
        if involve(&mut held, verdict, link, &found) {
            self.changed.insert(id.clone());
        }
        if is_over && !is_listed(&held.incident, &verdict.verdict_id) {
            self.index.forget_verdict(&mut held, &verdict.verdict_id);
        } else if is_new {
            self.know(&mut held, verdict);
        }
        self.index.name(&mut held, &found);
        self.put(held);
        None
    }

    /// The incidents that read differently than was last told, each once.
    pub fn settle(&mut self) -> Vec<Incident> {
        let changed = std::mem::take(&mut self.changed);
        let mut told = Vec::new();
        for id in &changed {
            self.touch(id);
            if let Some(held) = self.kept.get_mut(id) {
                held.incident.revision += 1;
                held.incident.sentence = headline(&held.incident);
                told.push(held.incident.clone());
            }
        }
        told
    }

    /// A person says what it was; returns it, and whether that is new. `None` if it is not kept.
    pub fn judge(&mut self, incident_id: &str, judged: Judged) -> Option<(Incident, bool)> {
        let incident = &mut self.kept.get_mut(incident_id)?.incident;
        let same = |before: &Judged| {
            (before.judgement, &before.by, &before.note)
                == (judged.judgement, &judged.by, &judged.note)
        };
        let is_news = !incident.judged.as_ref().is_some_and(same);
        if is_news {
            incident.was_true |= judged.judgement == Judgement::TruePositive;
            incident.judged = Some(judged);
            incident.revision += 1;
            incident.sentence = headline(incident);
        }
        let judged = incident.clone();
        if is_news {
            self.changed.remove(incident_id);
            self.touch(incident_id);
        }
        Some((judged, is_news))
    }

    /// The incident that a verdict belongs to, and by what.
    fn belongs(&self, verdict: &Verdict, destinations: &[String]) -> Option<(String, Link)> {
        if let Some(id) = self.index.verdicts.get(&verdict.verdict_id) {
            return Some((id.clone(), Link::First));
        }
        if verdict.state == State::Cleared {
            return None;
        }
        if let Some(id) = self.index.devices.get(&verdict.device_id) {
            return Some((id.clone(), Link::Device));
        }
        if verdict.grade < WORTH {
            return None;
        }
        let mut named = destinations.iter();
        let shared = named.find_map(|d| self.index.destinations.get(d));
        if let Some(id) = shared {
            return Some((id.clone(), Link::Destination));
        }
        let lead: &Finding = verdict.findings.first()?;
        let together = (verdict.segment.clone(), lead.detector.clone());
        let (id, at) = self.index.segments.get(&together)?;
        (*at + TOGETHER >= verdict.event_time).then(|| (id.clone(), Link::Segment))
    }

    /// An incident that a verdict begins.
    fn begin(&mut self, verdict: &Verdict, destinations: &[String]) -> Incident {
        let id = digest(&["incident", &verdict.site, &verdict.verdict_id], 16);
        let mut held = KeptIncident {
            incident: Incident {
                schema: INCIDENT_SCHEMA.to_owned(),
                incident_id: id.clone(),
                revision: 1,
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
                was_true: false,
            },
            unlisted: BTreeSet::new(),
            clues: Clues::default(),
        };
        involve(&mut held, verdict, Link::First, destinations);
        held.incident.sentence = headline(&held.incident);
        self.know(&mut held, verdict);
        self.index.name(&mut held, destinations);
        let incident = held.incident.clone();
        self.put(held);
        incident
    }

    /// Takes down by what more of an incident is found. What was a clue to another one no longer is.
    fn know(&mut self, held: &mut KeptIncident, verdict: &Verdict) {
        let lost = self.index.know(held, verdict, verdict.grade >= WORTH);
        for (id, clue) in lost {
            if let Some(other) = self.kept.get_mut(&id) {
                other.clues.lose(&clue);
                self.touch(&id);
            }
        }
    }

    fn quiet(&mut self, state: IncidentState) -> &mut BTreeSet<(EventTime, String)> {
        match state {
            IncidentState::Open => &mut self.open,
            IncidentState::Over => &mut self.over,
        }
    }

    fn put(&mut self, held: KeptIncident) {
        let id = held.incident.incident_id.clone();
        self.quiet(held.incident.state)
            .insert((held.incident.last, id.clone()));
        self.touch(&id);
        self.kept.insert(id, held);
    }

    /// Lets go of what has been quiet for long, and of the quietest where there are too many.
    fn forget(&mut self, now: EventTime) {
        let is_stale = |(last, _): &(EventTime, String)| *last + KEPT < now;
        while self.over.first().is_some_and(is_stale) || self.kept.len() >= INCIDENTS_MAX {
            let Some((_, id)) = self.over.pop_first().or_else(|| self.open.pop_first()) else {
                break;
            };
            if let Some(gone) = self.kept.remove(&id) {
                self.changed.remove(&id);
                self.index.forget(&gone);
                self.touch(&id);
            }
        }
        let is_stale = |at: EventTime| at + TOGETHER < now;
        for (id, clue) in self.index.forget_segments(is_stale) {
            if let Some(held) = self.kept.get_mut(&id) {
                held.clues.lose(&clue);
                self.touch(&id);
            }
        }
    }
}
