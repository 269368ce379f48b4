//! Verdicts against the ground truth: what was found, how fast, and what was cried for nothing.

use std::collections::BTreeMap;

use andon_detectors::stats::bounds::{proportion_lower, proportion_upper};
use andon_lab::report::Cause;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};
use andon_simulator::Label;
use serde::Serialize;

use crate::ledger::{Episode, Ledger};

mod labels;
mod ladder;
mod leak;

pub use labels::Labels;
pub use ladder::Recall;
pub use leak::Leaks;

/// An episode belongs to an attack if it opens between its first moment and this long after its
/// end: windows close, and silence is noticed, after the fact.
const AFTERMATH: Span = Span::from_secs(2 * 3600);

/// One attack and what was made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Name of the attack.
    pub attack: String,
    /// The device it was carried out on.
    pub device: DeviceId,
    /// The grade it should reach.
    pub expected_grade: Grade,
    /// The worst grade its episode reached; null if none opened.
    pub grade: Option<Grade>,
    /// From its first moment to the opening finding, seconds of event time.
    pub delay_s: Option<f64>,
    /// Episodes it caused; one is right.
    pub episodes: usize,
    /// Detectors that should be among the findings and are not.
    pub missing: Vec<String>,
    /// It reached the expected grade with all its detectors, or it is not due yet.
    pub as_expected: bool,
    /// Labelled, but not due yet.
    pub later: bool,
    /// Bytes that left the device for the other end before it was found; null if no flow of it was
    /// seen.
    pub leaked_before_found_bytes: Option<u64>,
    /// Bytes that left while it went on.
    pub leaked_bytes: Option<u64>,
    /// Why nothing in the captures can have been this attack; null if something can.
    pub unmatched: Option<&'static str>,
}

/// Device-hours in which an episode first reached MEDIUM for nothing.
#[derive(Clone, Debug, Serialize)]
pub struct FalsePositives {
    /// How many.
    pub count: u64,
    /// Out of so many device-hours; those on a ladder are left out.
    pub device_hours: u64,
    /// The point estimate.
    pub rate: f64,
    /// Exact two-sided 95 % interval (Clopper–Pearson).
    pub interval_95: [f64; 2],
    /// Episodes that never rose above LOW, outside every attack.
    pub low_episodes: u64,
    /// LOW episodes per device-hour.
    pub low_rate: f64,
}

/// What detection came to.
#[derive(Clone, Debug, Serialize)]
pub struct Detection {
    /// Every attack, but for those that make up a ladder.
    pub attacks: Vec<Found>,
    /// The share of devices found on each rung of the volume ladder, the lowest first; empty
    /// without one.
    pub ladder: Vec<Recall>,
    /// What was cried for nothing.
    pub false_positives: FalsePositives,
}

/// The device and the time are the attack's: the episode opened during it, or stood already and
/// holds a finding of it. The other end of the attack counts as well, where the plant knows it.
fn belongs(episode: &Episode, label: &Label) -> bool {
    let last = &episode.last;
    let device = &last.device_id;
    let at_peer = label
        .peer
        .is_some_and(|peer| *device == DeviceId::of_address(peer));
    (*device == label.device || at_peer) && first_finding(episode, label).is_some()
}

/// Whether the attack may be the cause of what was seen at this moment.
fn during(label: &Label, at: EventTime) -> bool {
    at >= label.start - Span::MINUTE && at <= label.end + AFTERMATH
}

/// When the first finding that the attack explains was seen.
fn first_finding(episode: &Episode, label: &Label) -> Option<EventTime> {
    let during = |at: &EventTime| during(label, *at);
    let findings = episode
        .last
        .findings
        .iter()
        .map(|finding| finding.window)
        // One that began before goes on: when the attack was seen is then known only roughly.
        .map(|window| {
            if during(&window.start) {
                window.start
            } else {
                window.end
            }
        });
    let opened = Some(episode.last.event_time).filter(during);
    opened.or_else(|| findings.filter(during).min())
}

/// Holds what came out against the ground truth.
#[expect(clippy::cast_precision_loss, reason = "rates are for people")]
pub fn judge(labels: &[Label], ledger: &Ledger, device_hours: u64) -> Detection {
    let (ladder, attacks): (Vec<&Label>, Vec<&Label>) =
        labels.iter().partition(|l| l.ladder_factor().is_some());
    let innocent = || {
        ledger.episodes.values().filter(|e| {
            !attacks.iter().any(|l| belongs(e, l)) && !ladder.iter().any(|l| ladder::causes(l, e))
        })
    };
    let count = innocent().filter(|e| e.medium_at.is_some()).count() as u64;
    let low_episodes = innocent().filter(|e| e.medium_at.is_none()).count() as u64;
    let device_hours = device_hours.saturating_sub(ladder::device_hours(&ladder));
    let hours = device_hours.max(1);
    Detection {
        attacks: attacks.iter().map(|label| found(label, ledger)).collect(),
        ladder: ladder::recall(&ladder, ledger),
        false_positives: FalsePositives {
            count,
            device_hours,
            rate: count as f64 / hours as f64,
            interval_95: [
                proportion_lower(count, hours, 0.025),
                proportion_upper(count, hours, 0.025),
            ],
            low_episodes,
            low_rate: low_episodes as f64 / hours as f64,
        },
    }
}

/// What caused each episode, by verdict id. An attack goes by its place among those of
/// [`Detection::attacks`].
pub fn causes(labels: &[Label], ledger: &Ledger) -> BTreeMap<String, Cause> {
    let (ladder, attacks): (Vec<&Label>, Vec<&Label>) =
        labels.iter().partition(|l| l.ladder_factor().is_some());
    let cause = |episode: &Episode| {
        if let Some(number) = attacks.iter().position(|l| belongs(episode, l)) {
            Cause::Attack(number)
        } else if ladder.iter().any(|l| ladder::causes(l, episode)) {
            Cause::Ladder
        } else {
            Cause::Nothing
        }
    };
    let episodes = ledger.episodes.iter();
    episodes
        .map(|(id, episode)| (id.clone(), cause(episode)))
        .collect()
}

fn found(label: &Label, ledger: &Ledger) -> Found {
    let mut episodes: Vec<&Episode> = ledger
        .episodes
        .values()
        .filter(|e| belongs(e, label))
        .collect();
    episodes.sort_by_key(|e| (std::cmp::Reverse(e.worst), e.last.event_time));
    let best = episodes.first();
    let missing: Vec<String> = label
        .detectors
        .iter()
        .filter(|name| !best.is_some_and(|e| e.last.findings.iter().any(|f| f.detector == **name)))
        .cloned()
        .collect();
    let grade = best.map(|e| e.worst);
    let reached = grade.is_some_and(|grade| {
        grade == label.expected_grade || label.at_least && grade > label.expected_grade
    });
    Found {
        attack: label.attack.clone(),
        device: label.device.clone(),
        expected_grade: label.expected_grade,
        grade,
        delay_s: best
            .and_then(|e| first_finding(e, label))
            .map(|at| at.since(label.start).as_secs_f64().max(0.0)),
        episodes: episodes.len(),
        as_expected: label.later || reached && missing.is_empty(),
        missing,
        later: label.later,
        leaked_before_found_bytes: None,
        leaked_bytes: None,
        unmatched: None,
    }
}

impl Detection {
    /// Adds what left during the attacks.
    pub fn add_leaks(&mut self, leaks: &Leaks) {
        let delays: Vec<_> = self.attacks.iter().map(|attack| attack.delay_s).collect();
        let told = leaks.told(delays.into_iter());
        for (attack, leak) in self.attacks.iter_mut().zip(told) {
            attack.leaked_before_found_bytes = leak.map(|leak| leak.before_found);
            attack.leaked_bytes = leak.map(|leak| leak.total);
        }
    }

    /// Marks attacks that the captures cannot hold: those on devices of which nothing was read,
    /// and those at times from which nothing was.
    pub fn mark_unmatched(
        &mut self,
        labels: &[Label],
        stretch: Option<(EventTime, EventTime)>,
        is_seen: impl Fn(&DeviceId) -> bool,
    ) {
        let labels = labels.iter().filter(|l| l.ladder_factor().is_none());
        for (found, label) in self.attacks.iter_mut().zip(labels) {
            let apart =
                |(first, last): (EventTime, EventTime)| label.end < first || label.start > last;
            found.unmatched = if stretch.is_none_or(apart) {
                Some("the captures hold nothing from its time")
            } else if !is_seen(&label.device) {
                Some("the captures hold no record of its device")
            } else {
                None
            };
        }
    }
}

#[cfg(test)]
mod tests;
