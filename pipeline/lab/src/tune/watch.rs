//! Who was accused, when, and on what grounds: the false positives of clean traffic, whatever they
//! turn out to be.

use std::collections::{BTreeSet, HashMap};

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{State, Verdict};

/// An episode reached a grade for the first time, by opening or escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accusation {
    /// Of whom.
    pub(super) device: DeviceId,
    /// Event time.
    pub(super) at: EventTime,
    /// The grade it had before, if it stood already.
    pub(super) before: Option<Grade>,
    /// The grade it reached.
    pub(super) grade: Grade,
    /// The detectors whose findings carry that grade, with whether a rule set it.
    pub(super) grounds: Vec<(String, bool)>,
    /// The verdict's sentence.
    pub(super) sentence: String,
}

impl Accusation {
    /// Whether this is where its episode first reached `grade`.
    pub(super) fn reaches(&self, grade: Grade) -> bool {
        self.grade >= grade && self.before.is_none_or(|before| before < grade)
    }

    /// The hour it falls into, since the epoch.
    pub(super) fn hour(&self) -> i64 {
        self.at.micros().div_euclid(Span::HOUR.micros())
    }

    /// Whether evidence alone carries it.
    pub(super) fn by_evidence(&self) -> bool {
        self.grounds.iter().all(|(_, rule)| !rule)
    }

    /// Whether the rule on volume has a part in it.
    pub(super) fn by_volume_rule(&self) -> bool {
        let volume = |(name, rule): &(String, bool)| *rule && name == "traffic_volume";
        self.grounds.iter().any(volume)
    }
}

/// Follows the verdicts of one engine.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// The grade each open episode has reached.
    reached: HashMap<String, Grade>,
    /// In the order they came.
    pub(super) accusations: Vec<Accusation>,
    /// Since when each open episode has stood at MEDIUM or worse.
    standing: HashMap<String, (DeviceId, EventTime)>,
    /// Times in which devices stood accused of MEDIUM or worse, those that are over.
    stood: Vec<(DeviceId, Interval)>,
}

impl Watch {
    /// Takes a revision.
    pub(super) fn verdict(&mut self, verdict: &Verdict) {
        let id = &verdict.verdict_id;
        let now = verdict.window.end.max(verdict.event_time);
        if verdict.state == State::Cleared {
            if let Some((device, since)) = self.standing.remove(id) {
                let stretch = Interval {
                    start: since,
                    end: now.max(since),
                };
                self.stood.push((device, stretch));
            }
            // A late row may open it again: what mattered is remembered, the rest may be forgotten.
            if self
                .reached
                .get(id)
                .is_some_and(|grade| *grade < Grade::Medium)
            {
                self.reached.remove(id);
            }
            return;
        }
        let before = self.reached.get(id).copied();
        if before.is_some_and(|before| verdict.grade <= before) {
            return;
        }
        self.reached.insert(id.clone(), verdict.grade);
        if verdict.grade >= Grade::Medium {
            let device = verdict.device_id.clone();
            self.standing.entry(id.clone()).or_insert((device, now));
        }
        let standing = verdict.findings.iter().filter(|f| f.active);
        let carries = standing.filter(|f| f.counts_as.unwrap_or(f.grade) >= verdict.grade);
        self.accusations.push(Accusation {
            device: verdict.device_id.clone(),
            at: now,
            before,
            grade: verdict.grade,
            grounds: carries.map(|f| (f.detector.clone(), f.rule)).collect(),
            sentence: verdict.sentence.clone(),
        });
    }

    /// Device-hours in which an episode first reached `grade`, of those that `counts` lets pass.
    pub(super) fn hours<'a>(
        &'a self,
        grade: Grade,
        counts: impl Fn(&Accusation) -> bool + 'a,
    ) -> BTreeSet<(&'a DeviceId, i64)> {
        let reached = self.accusations.iter().filter(move |a| a.reaches(grade));
        reached
            .filter(|accusation| counts(accusation))
            .map(|accusation| (&accusation.device, accusation.hour()))
            .collect()
    }

    /// Hours within a span in which each device stood accused of MEDIUM or worse already: nothing
    /// more could be said of it, so they prove nothing. The hour in which it was accused counts.
    pub(super) fn accused_hours(&self, span: Interval) -> HashMap<&DeviceId, u64> {
        let over = self.stood.iter().map(|(device, stood)| (device, *stood));
        let open = self.standing.values().map(|(device, since)| {
            let stood = Interval {
                start: *since,
                end: span.end.max(*since),
            };
            (device, stood)
        });
        let mut hours = HashMap::new();
        for (device, stood) in over.chain(open) {
            let from = (stood.start + Span::HOUR).max(span.start);
            let within = stood.end.min(span.end).since(from).micros() / Span::HOUR.micros();
            *hours.entry(device).or_default() += u64::try_from(within).unwrap_or(0);
        }
        hours
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::time::Span;

    use super::*;

    /// A revision as `verdicts.jsonl` holds it, some hours after a moment.
    fn revision(hour: i64, state: &str, grade: &str) -> Verdict {
        let at = (start() + Span::HOUR.times(hour)).to_string();
        serde_json::from_value(serde_json::json!({
            "schema": "andon.verdict.v1", "verdict_id": "aa", "revision": 1, "state": state,
            "device_id": "plc-1", "device_type": "", "segment": "", "risk_class": null,
            "site": "s", "event_time": at, "window": { "start": at, "end": at },
            "grade": grade, "confidence": { "basis": "policy", "n": 0 },
            "risk": { "score": 0, "trust": 100, "band": "low" }, "sentence": "", "findings": [],
            "response": {
                "action": "watch", "mode": "monitor", "scope": [], "exceptions": [],
                "expires": null, "approval": "automatic", "note": "", "notify": [],
            },
            "profile": { "name": "", "version": "", "hash": "" },
        }))
        .unwrap()
    }

    fn start() -> EventTime {
        EventTime::parse("2025-12-12T00:00:00Z").unwrap()
    }

    fn span(hours: i64) -> Interval {
        Interval {
            start: start(),
            end: start() + Span::HOUR.times(hours),
        }
    }

    #[test]
    fn a_grade_is_reached_once_and_the_hours_after_it_prove_nothing() {
        let mut watch = Watch::default();
        watch.verdict(&revision(1, "raised", "LOW"));
        watch.verdict(&revision(3, "escalated", "MEDIUM"));
        watch.verdict(&revision(5, "escalated", "HIGH"));
        watch.verdict(&revision(6, "updated", "HIGH"));
        let device = DeviceId::new("plc-1").unwrap();
        let reached = |grade| watch.hours(grade, |_| true).len();
        assert_eq!(reached(Grade::Medium), 1);
        assert_eq!(reached(Grade::High), 1);
        // It stands to the end: of ten hours the fourth, in which it was accused, still counts.
        assert_eq!(watch.accused_hours(span(10))[&device], 6);
        watch.verdict(&revision(8, "cleared", "HIGH"));
        assert_eq!(watch.accused_hours(span(10))[&device], 4);
        assert_eq!(watch.accused_hours(span(2))[&device], 0);
        // Opened again by a late row, it is not accused anew.
        watch.verdict(&revision(9, "raised", "HIGH"));
        assert_eq!(watch.hours(Grade::Medium, |_| true).len(), 1);
    }
}
