//! From verdicts to alerts, within what false alarms may cost the people of a plant in a day.
//!
//! A statistic's evidence M is worth one false alarm in M device-days. Over N devices, alarming
//! at `A = 1.11 N / B` promises at most B false alarms a day, whatever depends on whatever
//! (stats.md §8). A verdict whose evidence stays below stands as it is, is listed by its evidence
//! for whoever has time, and disturbs nobody. Rules are policy: they are told always.
//!
//! An episode is one alert by evidence at most, and none if something as grave has been told. It is
//! over when all its evidence has fallen below one device-day, which is further than the promise
//! asks for before a level may alarm again.

use std::collections::BTreeMap;

use andon_schemas::alert::{ALERT_SCHEMA, Alert, AlertCause};
use andon_schemas::finding::Finding;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::verdict::{State, Verdict};
use serde::{Deserialize, Serialize};

/// What is worth an alert at all: a LOW verdict is only logged.
const WORTH: Grade = Grade::Medium;

/// What false alarms may cost, and what evidence has to reach for it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// False alarms of the statistics of all devices together, a day.
    pub per_day: f64,
    /// Devices that it is meant for.
    pub devices: u64,
    /// Evidence that is an alert, device-days per false alarm.
    pub level: f64,
}

/// What became of verdicts of MEDIUM or worse since the budget was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertCounts {
    /// Alerts by rules.
    pub rule: u64,
    /// Alerts by evidence.
    pub evidence: u64,
    /// Verdicts whose evidence has not reached the level so far.
    pub held: u64,
}

/// Tells alerts from verdicts. A device has at most one open verdict, so this is bounded by the
/// number of devices. Without a budget nothing is an alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    budget: Option<Budget>,
    devices: BTreeMap<DeviceId, Told>,
    counts: AlertCounts,
}

/// What has been told of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    verdict_id: String,
    revision: u32,
    /// The worst grade of an alert.
    grade: Option<Grade>,
    /// The worst grade of an alert by a rule.
    rule: Option<Grade>,
    /// Whether its evidence has been an alert.
    by_evidence: bool,
    held: bool,
}

impl Told {
    fn nothing_of(verdict: &Verdict) -> Self {
        Self {
            verdict_id: verdict.verdict_id.clone(),
            revision: 0,
            grade: None,
            rule: None,
            by_evidence: false,
            held: false,
        }
    }
}

impl Alerts {
    /// From here on this budget counts, or none.
    pub fn set(&mut self, budget: Option<Budget>) {
        self.budget = budget;
    }

    /// The budget that counts.
    pub fn budget(&self) -> Option<Budget> {
        self.budget
    }

    /// What became of verdicts.
    pub fn counts(&self) -> AlertCounts {
        self.counts
    }

    /// Whether the open verdict of a device is held back.
    pub fn holds(&self, verdict: &Verdict) -> bool {
        let told = self.devices.get(&verdict.device_id);
        told.is_some_and(|told| told.held && told.verdict_id == verdict.verdict_id)
    }

    /// Takes the next revision of a verdict; returns the alert that it is, if it is one. A
    /// revision that was taken before is none.
    pub fn take(&mut self, verdict: &Verdict) -> Option<Alert> {
        let budget = self.budget?;
        let told = self
            .devices
            .entry(verdict.device_id.clone())
            .or_insert_with(|| Told::nothing_of(verdict));
        if told.verdict_id != verdict.verdict_id {
            *told = Told::nothing_of(verdict);
        }
        if verdict.revision <= told.revision {
            return None;
        }
        told.revision = verdict.revision;
        if verdict.state == State::Cleared {
            told.held = false;
            return None;
        }
        let found = told.found(verdict, budget.level);
        let Some((finding, grade, evidence)) = found else {
            if verdict.grade >= WORTH && told.grade.is_none() && !told.held {
                told.held = true;
                self.counts.held += 1;
            }
            return None;
        };
        if std::mem::take(&mut told.held) {
            self.counts.held = self.counts.held.saturating_sub(1);
        }
        told.grade = told.grade.max(Some(grade));
        if evidence.is_some() {
            told.by_evidence = true;
            self.counts.evidence += 1;
        } else {
            told.rule = Some(grade);
            self.counts.rule += 1;
        }
        Some(alert(verdict, finding, grade, evidence, budget.level))
    }
}

impl Told {
    /// What makes a revision an alert: a rule at a worse grade than a rule was told at, or, once, the
    /// statistic with the most evidence among those of a worse grade than anything was told at.
    fn found<'a>(
        &self,
        verdict: &'a Verdict,
        level: f64,
    ) -> Option<(&'a Finding, Grade, Option<f64>)> {
        let standing = verdict.findings.iter().filter_map(|finding| {
            let grade = finding.counts_as.filter(|grade| *grade >= WORTH)?;
            finding.active.then_some((finding, grade))
        });
        let rules = standing.clone().filter(|(finding, _)| finding.rule);
        // Of several that are equal, the first: findings stand in order.
        let worst = rules.rev().max_by_key(|(_, grade)| *grade);
        if let Some((finding, grade)) = worst.filter(|(_, grade)| Some(*grade) > self.rule) {
            return Some((finding, grade, None));
        }
        if self.by_evidence {
            return None;
        }
        let reached = standing
            .filter(|(finding, grade)| !finding.rule && Some(*grade) > self.grade)
            .map(|(finding, grade)| (finding, grade, evidence(finding)))
            .filter(|(_, _, evidence)| *evidence >= level);
        let most = reached.rev().max_by(|(.., a), (.., b)| a.total_cmp(b));
        most.map(|(finding, grade, evidence)| (finding, grade, Some(evidence)))
    }
}

/// Evidence of a statistic, device-days per false alarm: as it says itself, or else as its score
/// says.
pub fn evidence(finding: &Finding) -> f64 {
    let said = finding.observed.get("device_days_per_false_alarm");
    said.and_then(serde_json::Value::as_f64)
        .unwrap_or_else(|| 10_f64.powf(f64::from(finding.score) / 25.0))
}

fn alert(
    verdict: &Verdict,
    finding: &Finding,
    grade: Grade,
    evidence: Option<f64>,
    level: f64,
) -> Alert {
    Alert {
        schema: ALERT_SCHEMA.to_owned(),
        verdict_id: verdict.verdict_id.clone(),
        revision: verdict.revision,
        device_id: verdict.device_id.clone(),
        device_type: verdict.device_type.clone(),
        segment: verdict.segment.clone(),
        site: verdict.site.clone(),
        event_time: verdict.window.end.max(verdict.event_time),
        grade,
        cause: if evidence.is_some() {
            AlertCause::Evidence
        } else {
            AlertCause::Rule
        },
        detector: finding.detector.clone(),
        evidence,
        level,
        sentence: finding.sentence.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
