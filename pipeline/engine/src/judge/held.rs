//! One finding of an episode while it is held: sightings fold into it until it ends.

use andon_schemas::command::FlowMatch;
use andon_schemas::finding::{Confidence, Finding};
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::observation::{Role, Source};
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::ProfileRef;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Sighting, value};

/// Findings on two planes this close together corroborate each other.
const CORROBORATES_WITHIN: Span = Span::from_secs(15 * 60);
/// Offending flows remembered of one finding: so many peers can be restricted one by one.
const FLOWS_MAX: usize = 16;
/// A statistic keeps its grade until its score is so far below what the grade asks for: a factor
/// of ten in evidence (stats.md §7.2).
const HYSTERESIS: u8 = 25;
/// A repeat is put into words anew if its magnitude is so many times that of the last words.
const REWORDED_AT: f64 = 1.1;

/// Whether a statistic that reached a grade keeps it at this score, which may ask for less.
pub fn keeps_grade(grade: Grade, score: u8) -> bool {
    score >= grade.evidence_score().saturating_sub(HYSTERESIS)
}

/// What is counted together. What the device did is never mixed with what was done to it, nor
/// what is proven with what is not: an unproven row must not feed, worsen or prolong a proven
/// finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Facet {
    /// Number in the catalogue.
    pub(super) detector: u8,
    pub(super) rule: bool,
    pub(super) responder: bool,
    pub(super) proven: bool,
}

impl Facet {
    pub(super) fn of(sighting: &Sighting) -> Self {
        Self {
            detector: sighting.detector,
            rule: sighting.rule,
            responder: sighting.role == Some(Role::Responder),
            proven: sighting.proven,
        }
    }
}

/// The words of a finding: what does not change with every repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Words {
    detector: String,
    p_value: Option<f64>,
    #[serde(with = "value")]
    observed: Value,
    #[serde(with = "value")]
    expected: Value,
    sentence: String,
    clears: String,
    techniques: Vec<String>,
    confidence: Confidence,
    #[serde(with = "value")]
    inputs: Value,
    /// The profile it was measured against, if the device's is another by now.
    former: Option<ProfileRef>,
}

/// What one more sighting changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// It has to be told at once.
    pub(super) news: bool,
    /// Grade, score or response of the episode may be another.
    pub(super) standing: bool,
}

/// A finding of the episode and what the judge needs to know about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) facet: Facet,
    pub(super) plane: Plane,
    /// It ends by being over, not by time.
    holds: bool,
    /// Its own grade, before corroboration.
    pub(super) grade: Grade,
    pub(super) score: u8,
    /// The grade it counted with in the latest revision, if it counted.
    pub(super) counted: Option<Grade>,
    /// The magnitude that was put into words last, and the one the last revision told.
    magnitude: f64,
    told: f64,
    /// First and latest sighting since it began to stand.
    first: EventTime,
    last: EventTime,
    /// The input that began it.
    cause: u64,
    pub(super) active: bool,
    role: Option<Role>,
    /// Offending flows that are not safety flows.
    pub(super) flows: Vec<FlowMatch>,
    /// Every sighting was of a declared safety flow.
    pub(super) only_safety_flows: bool,
    count: u64,
    window: Interval,
    first_source: Option<Source>,
    latest_source: Option<Source>,
    words: Words,
}

impl Held {
    pub(super) fn new(sighting: &Sighting) -> Self {
        let finding = (sighting.make)();
        let source = (sighting.source)();
        let mut held = Self {
            facet: Facet::of(sighting),
            plane: sighting.plane,
            holds: sighting.holds,
            grade: sighting.grade,
            score: sighting.score,
            counted: None,
            magnitude: sighting.magnitude,
            told: sighting.magnitude,
            first: sighting.at,
            last: sighting.at,
            cause: sighting.cause,
            active: true,
            role: sighting.role,
            flows: Vec::new(),
            only_safety_flows: sighting.safety_flow,
            count: 1,
            window: finding.window,
            first_source: source.clone(),
            latest_source: source,
            words: Words::of(finding),
        };
        held.add_flow(sighting);
        held.cover(sighting.at);
        held
    }

    /// Folds another sighting in.
    pub(super) fn fold(&mut self, sighting: &Sighting) -> Change {
        if !self.active {
            self.flows.clear();
            self.only_safety_flows = sighting.safety_flow;
        }
        let other_flows = self.add_flow(sighting);
        let mut change = Change {
            news: false,
            standing: other_flows || !self.active,
        };
        self.count = self.count.saturating_add(1);
        if let Some(source) = (sighting.source)() {
            self.first_source.get_or_insert_with(|| source.clone());
            self.latest_source = Some(source);
        }
        self.cover(sighting.at);
        self.holds = sighting.holds;
        let grade = self.grade_after(sighting);
        let score = if self.active && sighting.rule {
            self.score.max(sighting.score)
        } else {
            sighting.score
        };
        // The words are those of the worst that was seen: they must bear the grade out.
        let bears_out = !self.active
            || !sighting.rule
            || (sighting.grade, sighting.score) >= (self.grade, self.score);
        let exceeds = |by: f64, magnitude: f64| {
            bears_out && sighting.magnitude > magnitude && sighting.magnitude >= by * magnitude
        };
        // Of a statistic only the grade is told: evidence doubles all the time.
        let doubled = sighting.rule && exceeds(2.0, self.told);
        change.news = grade > self.grade || doubled;
        change.standing |= grade != self.grade || score != self.score;
        // Words are dear: a running total is not put into new ones for every row.
        let reworded = exceeds(REWORDED_AT, self.magnitude) || score != self.score;
        if change.news || reworded || !self.active {
            let finding = (sighting.make)();
            self.window.start = self.window.start.min(finding.window.start);
            self.window.end = self.window.end.max(finding.window.end);
            self.words = Words::of(finding);
            self.magnitude = sighting.magnitude;
            self.role = sighting.role;
        }
        if self.active {
            self.first = self.first.min(sighting.at);
            self.last = self.last.max(sighting.at);
        } else {
            (self.first, self.last) = (sighting.at, sighting.at);
            self.cause = sighting.cause;
            self.active = true;
        }
        (self.grade, self.score) = (grade, score);
        change
    }

    /// A rule's worst grade counts while it stands. A statistic's grade rises at once and falls
    /// only when its evidence is a factor of ten below it.
    fn grade_after(&self, sighting: &Sighting) -> Grade {
        let falls = !sighting.rule && !keeps_grade(self.grade, sighting.score);
        if !self.active || falls {
            sighting.grade
        } else {
            self.grade.max(sighting.grade)
        }
    }

    /// Remembers the offending flow; says whether the response may be another for it.
    fn add_flow(&mut self, sighting: &Sighting) -> bool {
        let was_only_safety = self.only_safety_flows;
        self.only_safety_flows &= sighting.safety_flow;
        let fresh = sighting.flow.as_ref().filter(|flow| {
            !sighting.safety_flow && self.flows.len() < FLOWS_MAX && !self.flows.contains(flow)
        });
        if let Some(flow) = fresh {
            self.flows.push(flow.clone());
            return true;
        }
        was_only_safety != self.only_safety_flows
    }

    /// The device's profile is another from here on. What would stand until its detector says that
    /// it is over ends: the detector may have nothing to say under the new profile. If it is still
    /// so, it is found again.
    pub(super) fn change_profile(&mut self, former: &ProfileRef) {
        self.words.former.get_or_insert_with(|| former.clone());
        self.active &= !self.holds;
    }

    /// A revision tells it as it stands, counting with this grade if it counts.
    pub(super) fn tell(&mut self, counts_as: Option<Grade>) {
        self.told = self.magnitude;
        self.counted = counts_as;
    }

    fn cover(&mut self, at: EventTime) {
        self.window.start = self.window.start.min(at);
        self.window.end = self.window.end.max(at);
    }

    pub(super) fn window(&self) -> Interval {
        self.window
    }

    pub(super) fn name(&self) -> &str {
        &self.words.detector
    }

    /// Whether a report that this detector's finding holds no longer speaks of this one.
    pub(super) fn ends_by_word(&self, detector: u8) -> bool {
        self.active && self.holds && self.facet.detector == detector
    }

    /// When it ends by time, if it stands `after` its last repeat.
    pub(super) fn ends(&self, after: Span) -> EventTime {
        if !self.active || self.holds {
            return EventTime::MAX;
        }
        self.last + after
    }

    /// Whether the two corroborate each other: rules of MEDIUM or worse on two planes, close
    /// together, from different input. What rests on an unproven sender corroborates nothing.
    pub(super) fn corroborates(&self, other: &Self) -> bool {
        let counts = |held: &Self| {
            held.active && held.facet.rule && held.facet.proven && held.grade >= Grade::Medium
        };
        let apart = self.first.max(other.first).since(self.last.min(other.last));
        counts(self)
            && counts(other)
            && self.plane != other.plane
            && self.cause != other.cause
            && apart <= CORROBORATES_WITHIN
    }

    /// The finding as a verdict shows it.
    pub(super) fn finding(&self) -> Finding {
        let words = self.words.clone();
        let mut source: Vec<Source> = self.first_source.iter().cloned().collect();
        if self.latest_source != self.first_source {
            source.extend(self.latest_source.clone());
        }
        Finding {
            detector: words.detector,
            grade: self.grade,
            counts_as: self.counted,
            proven: self.facet.proven,
            rule: self.facet.rule,
            plane: self.plane,
            score: self.score,
            p_value: words.p_value,
            observed: words.observed,
            expected: words.expected,
            sentence: words.sentence,
            clears: words.clears,
            techniques: words.techniques,
            confidence: words.confidence,
            window: self.window,
            role: self.role,
            count: self.count,
            active: self.active,
            inputs: words.inputs,
            profile: words.former,
            source,
        }
    }
}

impl Words {
    fn of(finding: Finding) -> Self {
        Self {
            detector: finding.detector,
            p_value: finding.p_value,
            observed: finding.observed,
            expected: finding.expected,
            sentence: finding.sentence,
            clears: finding.clears,
            techniques: finding.techniques,
            confidence: finding.confidence,
            inputs: finding.inputs,
            former: None,
        }
    }
}
