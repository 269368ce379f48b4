//! How small a rise is still found: the devices of each rung of the volume ladder, counted.
//!
//! Many devices of one attack are a share, not a list. What their episodes hold is no false alarm,
//! and the hours in which they might have had one do not count as honest hours either.

use andon_schemas::finding::Finding;
use andon_schemas::grade::Grade;
use andon_schemas::time::{EventTime, Span};
use andon_simulator::Label;
use serde::Serialize;

use super::during;
use crate::ledger::{Episode, Ledger};

/// One rung: devices that all moved so many times their usual bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recall {
    /// How many times its own usual bytes each device moved.
    pub factor: f64,
    /// Devices on the rung.
    pub devices: u64,
    /// Those with an episode, opened on the rung, that holds a finding of what was done.
    pub found_any: u64,
    /// Those of them in which such a finding is MEDIUM or worse.
    pub found_medium: u64,
    /// From the start to that finding, hours of event time; the median of the devices found, null
    /// if there are none.
    pub median_delay_h: Option<f64>,
}

/// Counts rung by rung, the lowest factor first.
pub(super) fn recall(labels: &[&Label], ledger: &Ledger) -> Vec<Recall> {
    let mut factors: Vec<f64> = labels.iter().filter_map(|l| l.ladder_factor()).collect();
    factors.sort_by(f64::total_cmp);
    factors.dedup();
    let rung = |factor: f64| {
        let on_it = labels.iter().filter(|l| l.ladder_factor() == Some(factor));
        let found: Vec<Option<Discovery>> = on_it.map(|label| discovery(label, ledger)).collect();
        let mut delays: Vec<f64> = found.iter().flatten().map(|found| found.delay_h).collect();
        delays.sort_by(f64::total_cmp);
        Recall {
            factor,
            devices: found.len() as u64,
            found_any: delays.len() as u64,
            found_medium: found.iter().flatten().filter(|found| found.medium).count() as u64,
            median_delay_h: median(&delays),
        }
    };
    factors.into_iter().map(rung).collect()
}

/// Whether the rung is to blame for an episode, or for its having reached MEDIUM.
pub(super) fn causes(label: &Label, episode: &Episode) -> bool {
    let reached = episode.medium_at.is_some_and(|at| during(label, at));
    episode.last.device_id == label.device && (during(label, episode.last.event_time) || reached)
}

/// Whole hours that devices spend on the ladder.
pub(super) fn device_hours(labels: &[&Label]) -> u64 {
    let hours = |label: &&Label| label.end.since(label.start).micros() / Span::HOUR.micros();
    labels.iter().map(hours).sum::<i64>().max(0).unsigned_abs()
}

/// What was made of one device.
struct Discovery {
    delay_h: f64,
    medium: bool,
}

fn discovery(label: &Label, ledger: &Ledger) -> Option<Discovery> {
    let opened =
        |e: &&Episode| e.last.event_time >= label.start && during(label, e.last.event_time);
    let episodes = ledger.episodes.values();
    let own = episodes
        .filter(|e| e.last.device_id == label.device)
        .filter(opened);
    let mut found: Option<Discovery> = None;
    for episode in own {
        for finding in episode.last.findings.iter().filter(|f| tells(f, label)) {
            let delay_h = seen_at(episode, finding).since(label.start).as_secs_f64()
                / Span::HOUR.as_secs_f64();
            let before = found.unwrap_or(Discovery {
                delay_h,
                medium: false,
            });
            found = Some(Discovery {
                delay_h: before.delay_h.min(delay_h),
                medium: before.medium || finding.grade >= Grade::Medium,
            });
        }
    }
    found
}

/// One of the detectors due says that there is more than usual. The opposite is a false alarm
/// that happens to hit the right device.
fn tells(finding: &Finding, label: &Label) -> bool {
    let times = finding
        .observed
        .get("times_type")
        .and_then(serde_json::Value::as_f64);
    label.detectors.contains(&finding.detector) && times.is_none_or(|times| times > 1.0)
}

/// When a finding was first seen. A verdict tells that of the finding that opened it; one that
/// joined later was seen, to the hour, when the stretch it speaks about began.
fn seen_at(episode: &Episode, finding: &Finding) -> EventTime {
    episode.last.event_time.max(finding.window.start)
}

/// The middle of sorted values, or of the two in the middle.
fn median(sorted: &[f64]) -> Option<f64> {
    let (low, high) = (sorted.len().checked_sub(1)? / 2, sorted.len() / 2);
    Some(sorted.get(low)?.midpoint(*sorted.get(high)?))
}
