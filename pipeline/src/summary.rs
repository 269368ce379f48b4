//! `summary.json`: what went in, what came out, how long it took. Field names are stable.

use std::collections::BTreeMap;

use andon_emit::outlet::Status;
use andon_engine::{Counts, Plant};
use andon_lab::compare::Gist;
use andon_schemas::advisory;
use andon_schemas::grade::Grade;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::alerts::{self, AlertSummary};
use crate::intake::Tally;
use crate::ledger::Ledger;
use crate::truth::Detection;

/// Percentiles of the time from reader to hand-over, microseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: u64,
    /// 99 in 100 were faster.
    pub p99: u64,
    /// 999 in 1,000 were faster.
    pub p999: u64,
    /// The slowest.
    pub max: u64,
    /// Verdicts measured.
    pub n: u64,
}

impl Latency {
    /// The percentiles of a histogram; `None` if it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
            n: histogram.len(),
        })
    }
}

/// What a run came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Records read; `records = records_observed + the sum of rejects`.
    pub records: u64,
    /// Records that yielded an observation.
    pub records_observed: u64,
    /// Observations accepted by the engine.
    pub observations: u64,
    /// Records that yielded no observation, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
    /// Observations after their windows may have closed.
    pub late: u64,
    /// Observations told twice.
    pub duplicates: u64,
    /// Parts of flows that fell into closed windows.
    pub spread_late: u64,
    /// Verdict ids by worst grade.
    pub verdicts: BTreeMap<Grade, u64>,
    /// Verdict ids.
    pub episodes: u64,
    /// Lines of verdicts.
    pub revisions: u64,
    /// Hours of devices that were watched.
    pub device_hours: u64,
    /// Devices seen.
    pub devices: usize,
    /// Unproven observations of devices that prove themselves: looked at, never counted.
    pub unproven_apart: u64,
    /// Findings held back by declared maintenance.
    pub in_maintenance: u64,
    /// `recorded` or `sorted`.
    pub order: String,
    /// What stood for the receive time of records that had none.
    pub as_of: EventTime,
    /// Reader to hand-over; null in a backtest.
    pub latency_us: Option<Latency>,
    /// Wall time, seconds.
    pub elapsed_s: f64,
    /// Observations per second of wall time.
    pub observations_per_s: f64,
    /// Peak resident memory of the process; null where the system does not tell.
    pub peak_rss_bytes: Option<u64>,
    /// Over all profiles.
    pub profile_hash: String,
    /// Over the inventory.
    pub inventory_hash: String,
    /// Of this program.
    pub version: String,
    /// Alerts against their budget, where the inventory names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertSummary>,
    /// Against the ground truth, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detection>,
    /// Against another set of profiles, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Gist>,
    /// How the outlets to SIEMs stand; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub siem: Vec<Status>,
    /// How the outlets for notices stand; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Status>,
    /// How much was read of advisories; left out if none were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advisories: Option<advisory::Counts>,
}

/// What a summary is made from.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Where every record went.
    pub tally: &'a Tally,
    /// What came out.
    pub ledger: &'a Ledger,
    /// The engine's counts.
    pub counts: Counts,
    /// Devices seen.
    pub devices: usize,
    /// What was measured against.
    pub plant: &'a Plant,
    /// `recorded` or `sorted`.
    pub order: String,
    /// What stood for the receive time.
    pub as_of: EventTime,
    /// Reader to hand-over.
    pub latency: Option<Latency>,
    /// Wall time, seconds.
    pub elapsed_s: f64,
}

impl Summary {
    /// Puts it together.
    #[expect(clippy::cast_precision_loss, reason = "rates are for people")]
    pub fn of(parts: Parts) -> Self {
        let Parts {
            tally,
            ledger,
            counts,
            ..
        } = parts;
        Self {
            records: tally.records,
            records_observed: tally.observed,
            observations: counts.observations,
            rejects: tally.rejects.clone(),
            late: counts.late,
            duplicates: counts.duplicates,
            spread_late: counts.spread_late,
            verdicts: ledger.by_grade(),
            episodes: ledger.episode_count(),
            revisions: ledger.revisions,
            device_hours: counts.device_hours,
            devices: parts.devices,
            unproven_apart: counts.unproven_apart,
            in_maintenance: counts.in_maintenance,
            order: parts.order,
            as_of: parts.as_of,
            latency_us: parts.latency,
            elapsed_s: parts.elapsed_s,
            observations_per_s: counts.observations as f64 / parts.elapsed_s.max(1e-9),
            peak_rss_bytes: peak_rss_bytes(),
            profile_hash: parts.plant.profile_hash().to_owned(),
            inventory_hash: parts.plant.inventory_hash().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            alerts: alerts::summary(ledger, counts.device_hours),
            detection: None,
            comparison: None,
            siem: Vec::new(),
            notify: Vec::new(),
            advisories: None,
        }
    }
}

/// Peak resident memory of this process, from `/proc`.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
