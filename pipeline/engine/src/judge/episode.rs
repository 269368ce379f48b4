//! One episode of one device: its findings, their grade together, and when they end.

use andon_schemas::command::Response;
use andon_schemas::grade::Grade;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::{ProfileRef, State, Verdict};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::held::{Facet, Held};
use super::response::{self, respond};
use super::{Sighting, Subject, revision};
use crate::hex;

/// A rule finding ends so long after its last repeat.
const ENDS_AFTER: Span = Span::HOUR;
/// A CRITICAL one: whoever is cut off is quiet, and that proves nothing.
const CRITICAL_ENDS_AFTER: Span = Span::DAY;

/// One episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Episode {
    pub(super) id: String,
    /// Event time of the finding that opened it.
    pub(super) opened: EventTime,
    /// The latest moment it knows of: a sighting, or the end of a finding.
    pub(super) newest: EventTime,
    pub(super) revision: u32,
    /// In order of facet, which is catalogue order first.
    pub(super) findings: Vec<Held>,
    /// What the latest revision said; nothing before the first.
    told: Option<Told>,
    /// Something is to be told at once.
    news: bool,
    /// Something was sighted that no revision has told; the earliest moment of it.
    untold: Option<EventTime>,
    /// Grade or response may have changed.
    changed: bool,
    /// Of the standing findings together; 0 if none stands.
    score: u8,
    /// No finding ends by time before this.
    deadline: EventTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    grade: Grade,
    response: Response,
}

/// What is left of an episode that is over, so that its id is never given twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    id: String,
    opened: EventTime,
    cleared: EventTime,
    revision: u32,
}

impl Past {
    /// Whether this moment lies before the end of what is over: seen late, it belongs there.
    pub(super) fn covers(&self, at: EventTime) -> bool {
        at <= self.cleared
    }
}

impl Episode {
    /// Opens an episode with its first sighting. `again` is the past episode that a late sighting
    /// belongs to: its id and its numbering go on. A new id is given with the first revision.
    pub(super) fn open(sighting: &Sighting, again: Option<&Past>) -> Self {
        let new = Past {
            id: String::new(),
            opened: sighting.at,
            cleared: sighting.at,
            revision: 0,
        };
        let begun = again.cloned().unwrap_or(new);
        Self {
            id: begun.id,
            opened: begun.opened,
            // Never before the end it had: what an id covers only grows, so that no later episode
            // can open at the moment that an earlier one opened at.
            newest: begun.cleared.max(sighting.at),
            revision: begun.revision,
            findings: Vec::new(),
            told: None,
            news: true,
            untold: None,
            changed: true,
            score: 0,
            deadline: EventTime::MAX,
        }
    }

    /// The grade that its latest revision said; `None` before the first.
    pub(super) fn told_grade(&self) -> Option<Grade> {
        self.told.as_ref().map(|told| told.grade)
    }

    pub(super) fn past(&self) -> Past {
        Past {
            id: self.id.clone(),
            opened: self.opened,
            cleared: self.newest,
            revision: self.revision,
        }
    }

    pub(super) fn take(&mut self, sighting: &Sighting) {
        self.newest = self.newest.max(sighting.at);
        self.untold = Some(self.untold.map_or(sighting.at, |at| at.min(sighting.at)));
        let facet = Facet::of(sighting);
        let standing = match self
            .findings
            .binary_search_by_key(&facet, |held| held.facet)
        {
            Ok(at) => {
                let change = self.findings[at].fold(sighting);
                self.news |= change.news;
                change.standing
            }
            Err(at) => {
                // Most episodes never have a second one, and a finding is long.
                if self.findings.is_empty() {
                    self.findings.reserve_exact(1);
                }
                self.findings.insert(at, Held::new(sighting));
                self.news = true;
                true
            }
        };
        if standing {
            self.refresh();
        }
    }

    /// A detector reported that what it saw holds no longer. Findings that end by time still do.
    pub(super) fn over(&mut self, detector: u8, at: EventTime) {
        let mut any = false;
        for held in &mut self.findings {
            if held.ends_by_word(detector) {
                held.active = false;
                any = true;
            }
        }
        if any {
            self.newest = self.newest.max(at);
            self.refresh();
        }
    }

    /// The device's profile is another from here on.
    pub(super) fn change_profile(&mut self, former: &ProfileRef) {
        for held in &mut self.findings {
            held.change_profile(former);
        }
        self.refresh();
    }

    /// Ends, one after the other, what ends at or before `now`.
    pub(super) fn fire(&mut self, now: EventTime) {
        while self.deadline <= now {
            let due = (0..self.findings.len()).map(|at| (self.ends(at), at)).min();
            if let Some((end, at)) = due.filter(|(end, _)| *end <= now) {
                self.findings[at].active = false;
                self.newest = self.newest.max(end);
                self.refresh();
            } else {
                // A repeat put the end off: the deadline was only a lower bound.
                self.set_deadline();
            }
        }
    }

    fn refresh(&mut self) {
        self.changed = true;
        self.score = self.settled_score();
        self.set_deadline();
    }

    fn set_deadline(&mut self) {
        let ends = (0..self.findings.len()).map(|at| self.ends(at));
        self.deadline = ends.min().unwrap_or(EventTime::MAX);
    }

    pub(super) fn deadline(&self) -> EventTime {
        self.deadline
    }

    pub(super) fn is_over(&self) -> bool {
        !self.findings.iter().any(|held| held.active)
    }

    /// 0–100: the worst of the floors of rules and the scores of statistics that stand.
    pub(super) fn score(&self) -> u8 {
        self.score
    }

    /// Whether [`Self::conclude`] may have something to tell. A closing window is always worth
    /// the question: maintenance may be over, or the response be due for renewal.
    pub(super) fn is_due(&self, window_closed: bool) -> bool {
        self.news || self.changed || window_closed
    }

    /// Its grade as the episode counts it: one step worse if it is the worse one of two that
    /// corroborate each other.
    pub(super) fn grade_of(&self, held: &Held) -> Grade {
        let raised = self
            .findings
            .iter()
            .any(|other| held.corroborates(other) && held.grade >= other.grade);
        if raised {
            held.grade.raised()
        } else {
            held.grade
        }
    }

    fn ends(&self, at: usize) -> EventTime {
        let held = &self.findings[at];
        let critical = self.grade_of(held) == Grade::Critical
            || self
                .findings
                .iter()
                .any(|other| held.corroborates(other) && self.grade_of(other) == Grade::Critical);
        held.ends(if critical {
            CRITICAL_ENDS_AFTER
        } else {
            ENDS_AFTER
        })
    }

    fn settled_score(&self) -> u8 {
        let standing = self.findings.iter().filter(|held| held.active);
        standing
            .map(|held| {
                let rule = held.facet.rule;
                let floor = if rule {
                    self.grade_of(held).risk_floor()
                } else {
                    0
                };
                held.score.max(floor).min(100)
            })
            .max()
            .unwrap_or(0)
    }

    /// What stands, or everything if nothing does, with the grade it counts with.
    fn graded(&self) -> Vec<(&Held, Grade)> {
        let over = self.is_over();
        self.findings
            .iter()
            .filter(|held| held.active || over)
            .map(|held| (held, self.grade_of(held)))
            .collect()
    }

    /// Writes what changed until `at`: a revision if there is something to tell, and the clear if
    /// nothing stands any more. `closed` says when the window that just closed ended.
    pub(super) fn conclude(
        &mut self,
        subject: &Subject,
        at: EventTime,
        closed: Option<EventTime>,
        out: &mut Vec<Verdict>,
    ) {
        self.changed = false;
        let over = self.is_over();
        if !over || self.told.is_none() {
            self.newest = self.newest.max(at);
            self.tell(subject, at, closed, out);
        }
        if over {
            let at = self.newest.max(at);
            let response = response::released(subject, self.told.as_ref().map(|t| &t.response));
            let grade = self.told.as_ref().map_or(Grade::Low, |told| told.grade);
            self.newest = at;
            self.revision += 1;
            out.push(revision::write(
                self,
                subject,
                State::Cleared,
                grade,
                response,
            ));
        }
    }

    fn tell(
        &mut self,
        subject: &Subject,
        at: EventTime,
        closed: Option<EventTime>,
        out: &mut Vec<Verdict>,
    ) {
        let graded = self.graded();
        let grade = graded
            .iter()
            .map(|(_, grade)| *grade)
            .max()
            .unwrap_or(Grade::Low);
        let response = respond(subject, &graded, grade, at);
        let told_in_window = closed.is_some_and(|end| self.untold.is_some_and(|at| at <= end));
        let differs = self.told.as_ref().is_none_or(|told| {
            told.grade != grade
                || !response::same(&told.response, &response)
                || closed.is_some() && response::wants_renewal(&told.response, at)
        });
        if !(self.news || differs || told_in_window) {
            return;
        }
        let state = match &self.told {
            None => State::Raised,
            Some(told) if grade > told.grade => State::Escalated,
            Some(_) => State::Updated,
        };
        if self.revision == 0
            && let Some(first) = self.findings.first()
        {
            self.id = verdict_id(subject, first.name(), self.opened);
        }
        self.revision += 1;
        self.news = false;
        self.untold = None;
        let over = self.is_over();
        let counted: Vec<_> = self
            .findings
            .iter()
            .map(|held| (held.active || over).then(|| self.grade_of(held)))
            .collect();
        for (held, counts_as) in self.findings.iter_mut().zip(counted) {
            held.tell(counts_as);
        }
        self.told = Some(Told {
            grade,
            response: response.clone(),
        });
        out.push(revision::write(self, subject, state, grade, response));
    }
}

/// Site, device, and event time and detector of the opening finding, the first in catalogue order
/// if one row showed several; nothing else.
fn verdict_id(subject: &Subject, detector: &str, opened: EventTime) -> String {
    let mut digest = Sha256::new();
    for part in [subject.site, subject.device.as_str(), detector] {
        digest.update(part.as_bytes());
        // No part can hold a zero, so no two lists of parts run together to the same text.
        digest.update([0]);
    }
    digest.update(opened.micros().to_le_bytes());
    hex(&digest.finalize()[..16])
}
