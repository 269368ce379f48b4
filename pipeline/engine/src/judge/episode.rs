//! One episode of one device: its findings, its grade, its revisions.

use andon_schemas::command::{Action, FlowMatch};
use andon_schemas::finding::{Confidence, Finding};
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{Role, Source};
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{State, VERDICT_SCHEMA, Verdict};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::response::{Cause, respond};
use super::{Sighting, Subject};
use crate::hex;

/// A rule finding ends so long after its last repeat.
const ENDS_AFTER: Span = Span::HOUR;
/// A CRITICAL one, or a person ends it.
const CRITICAL_ENDS_AFTER: Span = Span::DAY;
/// Findings on two planes this close together corroborate each other.
const CORROBORATES_WITHIN: Span = Span::from_secs(15 * 60);

/// A finding of the episode and what the judge needs to know about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    detector: u8,
    plane: Plane,
    pub(super) rule: bool,
    holds: bool,
    pub(super) grade: Grade,
    score: u8,
    magnitude: f64,
    /// The magnitude that the last revision told.
    told: f64,
    first: EventTime,
    last: EventTime,
    first_cause: u64,
    proven: bool,
    pub(super) active: bool,
    pub(super) role: Option<Role>,
    pub(super) flow: Option<FlowMatch>,
    pub(super) safety_flow: bool,
    #[serde(with = "as_json")]
    finding: Finding,
}

/// Postcard cannot read values that describe themselves, so findings are kept as JSON in
/// snapshots.
mod as_json {
    use andon_schemas::finding::Finding;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(finding: &Finding, s: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(finding).map_err(serde::ser::Error::custom)?;
        s.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Finding, D::Error> {
        let text = String::deserialize(d)?;
        serde_json::from_str(&text).map_err(serde::de::Error::custom)
    }
}

impl Held {
    fn new(sighting: &Sighting) -> Self {
        Self {
            detector: sighting.detector,
            plane: sighting.plane,
            rule: sighting.rule,
            holds: sighting.holds,
            grade: sighting.grade,
            score: sighting.score,
            magnitude: sighting.magnitude,
            told: sighting.magnitude,
            first: sighting.at,
            last: sighting.at,
            first_cause: sighting.cause,
            proven: sighting.proven,
            active: true,
            role: sighting.role,
            flow: sighting.flow.clone(),
            safety_flow: sighting.safety_flow,
            finding: (sighting.make)(),
        }
    }

    /// Folds another sighting in; says whether it is news by itself.
    fn fold(&mut self, sighting: &Sighting) -> bool {
        let returned = !self.active;
        let worse = sighting.grade > self.grade;
        // A statistic's latest word counts; of a rule the worst sighting is the one to show.
        if !sighting.rule || worse || returned || sighting.magnitude > self.magnitude {
            self.replace((sighting.make)());
            self.rule = sighting.rule;
            self.grade = if returned || !sighting.rule {
                sighting.grade
            } else {
                self.grade.max(sighting.grade)
            };
            self.score = sighting.score;
            self.magnitude = sighting.magnitude;
            self.role = sighting.role;
            self.flow.clone_from(&sighting.flow);
            self.safety_flow = sighting.safety_flow;
        }
        if returned {
            self.first = sighting.at;
            self.first_cause = sighting.cause;
        }
        self.holds = sighting.holds;
        self.proven |= sighting.proven;
        self.active = true;
        self.finding.active = true;
        self.finding.count += 1;
        self.first = self.first.min(sighting.at);
        self.last = self.last.max(sighting.at);
        self.finding.window.start = self.finding.window.start.min(sighting.at);
        self.finding.window.end = self.finding.window.end.max(sighting.at);
        returned || worse || (self.magnitude >= 2.0 * self.told && self.magnitude > self.told)
    }

    /// Takes over what was seen now, keeping how often and where it was first seen.
    fn replace(&mut self, mut latest: Finding) {
        latest.count = self.finding.count;
        latest.window.start = latest.window.start.min(self.finding.window.start);
        latest.window.end = latest.window.end.max(self.finding.window.end);
        latest.source = merge_sources(&self.finding.source, latest.source);
        self.finding = latest;
    }

    fn ends(&self) -> EventTime {
        if !self.active || self.holds {
            return EventTime::MAX;
        }
        match self.grade {
            Grade::Critical => self.last + CRITICAL_ENDS_AFTER,
            Grade::Low | Grade::Medium | Grade::High => self.last + ENDS_AFTER,
        }
    }

    fn end(&mut self) {
        self.active = false;
        self.finding.active = false;
    }

    /// How far apart in event time two findings stand; nothing if their stretches overlap.
    fn gap(&self, other: &Self) -> Span {
        let between = self.first.max(other.first).since(self.last.min(other.last));
        between.max(Span::from_micros(0))
    }
}

/// The first and the latest row.
fn merge_sources(known: &[Source], latest: Vec<Source>) -> Vec<Source> {
    match (known.first(), latest.into_iter().next_back()) {
        (Some(first), Some(last)) if *first != last => vec![first.clone(), last],
        (Some(first), _) => vec![first.clone()],
        (None, last) => last.into_iter().collect(),
    }
}

/// One episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Episode {
    id: String,
    opened: EventTime,
    newest: EventTime,
    revision: u32,
    grade: Grade,
    action: Action,
    findings: Vec<Held>,
    /// Something is to be told at once.
    news: bool,
    /// Something was sighted since the last revision, to be told when its window closes.
    touched: bool,
    /// Grade or response may have changed.
    changed: bool,
}

impl Episode {
    pub(super) fn open(site: &str, device: &DeviceId, sighting: &Sighting) -> Self {
        Self {
            id: verdict_id(site, device, sighting),
            opened: sighting.at,
            newest: sighting.at,
            revision: 0,
            grade: Grade::Low,
            action: Action::Log,
            findings: Vec::new(),
            news: true,
            touched: false,
            changed: true,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn take(&mut self, sighting: &Sighting) {
        self.newest = self.newest.max(sighting.at);
        self.touched = true;
        self.changed = true;
        match self
            .findings
            .iter_mut()
            .find(|held| held.detector == sighting.detector)
        {
            Some(held) => self.news |= held.fold(sighting),
            None => {
                self.findings.push(Held::new(sighting));
                self.findings.sort_by_key(|held| held.detector);
                self.news = true;
            }
        }
    }

    pub(super) fn over(&mut self, detector: u8, at: EventTime) {
        let held = self
            .findings
            .iter_mut()
            .find(|held| held.detector == detector);
        if let Some(held) = held.filter(|held| held.active) {
            held.end();
            self.newest = self.newest.max(at);
            self.changed = true;
        }
    }

    pub(super) fn deadline(&self) -> EventTime {
        self.findings
            .iter()
            .map(Held::ends)
            .min()
            .unwrap_or(EventTime::MAX)
    }

    pub(super) fn fire(&mut self, now: EventTime) {
        for held in self.findings.iter_mut().filter(|held| held.ends() <= now) {
            held.end();
            self.changed = true;
        }
    }

    /// Whether there may be something to tell.
    pub(super) fn is_due(&self, window_closed: bool) -> bool {
        self.news || self.changed || window_closed && self.touched
    }

    pub(super) fn is_over(&self) -> bool {
        !self.findings.iter().any(|held| held.active)
    }

    /// Rule findings of MEDIUM or worse on two planes, close together, from different input.
    /// What rests on an unproven sender corroborates nothing.
    fn corroborated(&self) -> bool {
        let counts =
            |held: &&Held| held.active && held.rule && held.proven && held.grade >= Grade::Medium;
        self.findings.iter().filter(counts).any(|one| {
            self.findings.iter().filter(counts).any(|other| {
                one.plane != other.plane
                    && one.first_cause != other.first_cause
                    && one.gap(other) <= CORROBORATES_WITHIN
            })
        })
    }

    /// The standing findings of the worst grade.
    fn worst(&self) -> impl Iterator<Item = &Held> {
        let standing = |held: &&Held| held.active || self.is_over();
        let grade = self
            .findings
            .iter()
            .filter(standing)
            .map(|held| held.grade)
            .max();
        self.findings
            .iter()
            .filter(standing)
            .filter(move |held| Some(held.grade) == grade)
    }

    fn settled_grade(&self) -> Grade {
        let worst = self
            .worst()
            .map(|held| held.grade)
            .next()
            .unwrap_or(Grade::Low);
        if self.corroborated() {
            worst.raised()
        } else {
            worst
        }
    }

    /// 0–100: the floor of what rules found, corroboration included, or a statistic's own score.
    pub(super) fn score(&self) -> u8 {
        let by_rule = self.findings.iter().any(|held| held.active && held.rule);
        let floor = if by_rule && self.corroborated() {
            self.settled_grade().risk_floor()
        } else {
            0
        };
        let standing = self
            .findings
            .iter()
            .filter(|held| held.active || self.is_over());
        standing
            .map(|held| held.score)
            .max()
            .unwrap_or(0)
            .max(floor)
    }

    /// Writes a revision if there is something to tell.
    pub(super) fn conclude(
        &mut self,
        subject: &Subject,
        at: EventTime,
        window_closed: bool,
    ) -> Option<Verdict> {
        let over = self.is_over();
        let grade = if over {
            self.grade
        } else {
            self.settled_grade()
        };
        let cause = Cause {
            grade,
            findings: &self.worst().collect::<Vec<_>>(),
        };
        let response = respond(subject, &cause, at);
        self.changed = false;
        let moved = grade != self.grade || response.action != self.action;
        if !(self.news || moved || over || window_closed && self.touched) {
            return None;
        }
        self.revision += 1;
        let state = match self.revision {
            _ if over && self.revision > 1 => State::Cleared,
            1 => State::Raised,
            _ if grade > self.grade => State::Escalated,
            _ => State::Updated,
        };
        self.grade = grade;
        self.action = response.action;
        self.news = false;
        self.touched = false;
        for held in &mut self.findings {
            held.told = held.magnitude;
        }
        Some(self.verdict(subject, at, state, response))
    }

    fn verdict(
        &self,
        subject: &Subject,
        at: EventTime,
        state: State,
        response: andon_schemas::command::Response,
    ) -> Verdict {
        let mut held: Vec<&Held> = self.findings.iter().collect();
        held.sort_by_key(|held| (!held.active, std::cmp::Reverse(held.grade), held.detector));
        Verdict {
            schema: VERDICT_SCHEMA.to_owned(),
            verdict_id: self.id.clone(),
            revision: self.revision,
            state,
            device_id: subject.device.clone(),
            device_type: subject.device_type.to_owned(),
            segment: subject
                .segment
                .map_or_else(String::new, |segment| segment.name.clone()),
            risk_class: subject.inventory.map(|device| device.risk_class),
            site: subject.site.to_owned(),
            event_time: self.opened,
            window: Interval {
                start: held
                    .iter()
                    .map(|h| h.finding.window.start)
                    .min()
                    .unwrap_or(self.opened),
                end: self.newest.max(if state == State::Cleared {
                    at
                } else {
                    self.newest
                }),
            },
            grade: self.grade,
            confidence: self.confidence(),
            risk: andon_schemas::verdict::Risk::of_score(self.score()),
            sentence: sentence(&held, state, self.corroborated()),
            findings: held.into_iter().map(|held| held.finding.clone()).collect(),
            response,
            profile: subject.profile.clone(),
            end_of_input: false,
        }
    }

    /// Of the worst finding that rests on most.
    fn confidence(&self) -> Confidence {
        self.worst()
            .map(|held| held.finding.confidence)
            .max_by_key(|confidence| (confidence.basis, confidence.n))
            .unwrap_or(Confidence {
                basis: andon_schemas::finding::Basis::Policy,
                n: 0,
            })
    }
}

/// The worst finding's sentence, and what else there is.
fn sentence(held: &[&Held], state: State, corroborated: bool) -> String {
    let Some((first, rest)) = held.split_first() else {
        return String::new();
    };
    let mut text = first.finding.sentence.clone();
    let others: Vec<String> = rest
        .iter()
        .map(|held| held.finding.detector.replace('_', " "))
        .collect();
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

/// Site, device, and event time and detector of the opening finding; nothing else.
fn verdict_id(site: &str, device: &DeviceId, sighting: &Sighting) -> String {
    let mut digest = Sha256::new();
    for part in [site, device.as_str(), sighting.name] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.update(sighting.at.micros().to_le_bytes());
    hex(&digest.finalize()[..16])
}
