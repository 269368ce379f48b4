//! The budget of alerts: what a plant writes into its inventory, and what that asks of evidence.

use andon_detectors::stats::evidence::level_for;
use andon_detectors::stats::score::LEVELS;
use andon_respond::{AlertCounts, Alerts, Budget, evidence};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Function, Inventory};
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;
use serde::Serialize;

use crate::exit::usage;
use crate::ledger::Ledger;

/// Evidence is held at CRITICAL, or by rounding a little below: a level above is never reached.
const LEVEL_MAX: f64 = 0.99 * LEVELS[3] as f64;

/// Most verdicts that are listed for whoever has time.
const TRIAGE_MAX: usize = 20;

/// What the budget of an inventory comes to; none if it names none.
pub fn budget(inventory: &Inventory) -> Option<Budget> {
    let per_day = inventory.alert_budget?;
    let watched = inventory.devices.iter();
    let devices = watched.filter(|device| device.function == Function::Device);
    let devices = devices.count() as u64;
    Some(Budget {
        per_day,
        devices,
        level: level_for(devices, per_day),
    })
}

/// Makes sure that statistics can reach what the budget asks for.
///
/// # Errors
/// If they cannot, with the smallest budget under which they can.
pub fn check(inventory: &Inventory) -> anyhow::Result<()> {
    let Some(Budget { devices, level, .. }) = budget(inventory) else {
        return Ok(());
    };
    if level <= LEVEL_MAX {
        return Ok(());
    }
    Err(usage(anyhow!(
        "alert_budget: {devices} devices would have to give evidence of {level:.0} device-days, and \
         evidence ends at {LEVEL_MAX}: no statistic would ever be an alert. Write {:.2} or more.",
        (level_for(devices, 1.0) / LEVEL_MAX * 100.0).ceil() / 100.0
    )))
}

/// Alerts against their budget, in `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub struct AlertSummary {
    /// What is borne, and what it asks for.
    #[serde(flatten)]
    pub budget: Budget,
    /// Alerts by rules, alerts by evidence, and verdicts of MEDIUM or worse that are held back.
    #[serde(flatten)]
    pub counts: AlertCounts,
    /// Alerts by evidence, those that were right included, on a day of the whole fleet; null if no
    /// device-hour has passed. What the budget is to be held against.
    pub evidence_per_day: Option<f64>,
    /// Open verdicts that are held back, those with the most evidence first.
    pub triage: Vec<Triage>,
}

/// A verdict for whoever has time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Triage {
    /// The verdict.
    pub verdict_id: String,
    /// Its device.
    pub device_id: DeviceId,
    /// Its strongest evidence, device-days per false alarm.
    pub evidence: f64,
}

/// What alerts came to; `None` without a budget.
#[expect(clippy::cast_precision_loss, reason = "rates are for people")]
pub fn summary(ledger: &Ledger, device_hours: u64) -> Option<AlertSummary> {
    let alerts = &ledger.alerts;
    let budget = alerts.budget()?;
    let counts = alerts.counts();
    let device_days = device_hours as f64 / 24.0;
    let per_day = counts.evidence as f64 / device_days * budget.devices as f64;
    Some(AlertSummary {
        budget,
        counts,
        evidence_per_day: (device_hours > 0).then_some(per_day),
        triage: triage(ledger, alerts),
    })
}

fn triage(ledger: &Ledger, alerts: &Alerts) -> Vec<Triage> {
    let open = ledger.episodes.values().map(|episode| &episode.last);
    let held = open.filter(|verdict| alerts.holds(verdict));
    let mut listed: Vec<Triage> = held
        .map(|verdict| Triage {
            verdict_id: verdict.verdict_id.clone(),
            device_id: verdict.device_id.clone(),
            evidence: most(verdict),
        })
        .collect();
    listed.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
    listed.truncate(TRIAGE_MAX);
    listed
}

/// The strongest evidence that stands.
fn most(verdict: &Verdict) -> f64 {
    let standing = verdict.findings.iter().filter(|f| f.active && !f.rule);
    standing.map(evidence).fold(0.0, f64::max)
}
