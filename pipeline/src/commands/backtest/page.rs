//! What a backtest came to, handed to whoever writes the report, and to whoever compares.

use std::collections::BTreeMap;
use std::path::Path;

use andon_ingest::files::{FileReport, Order};
use andon_lab::compare::{self, Comparison, Detected, Raised};
use andon_lab::report::{
    AlertLoad, Attack, Cause, Device, Episode, Leak, Played, Promise, Report, Rung, Truth,
};
use andon_schemas::verdict::ProfileRef;
use andon_simulator::Label;

use super::play::{Other, Play, Side};
use crate::args::BacktestArgs;
use crate::devices;
use crate::ledger::Ledger;
use crate::shards::Status;
use crate::summary::Summary;
use crate::truth::{self, Detection};

/// Compares what both sides made of the capture.
pub(super) fn comparison(
    args: &BacktestArgs,
    play: &Play,
    other: &Other,
    labels: Option<&[Label]>,
) -> Comparison {
    let side = |side: &Side| {
        let hours = side.status.counts.device_hours;
        let judged = labels.map(|labels| truth::judge(labels, &side.results.ledger, hours));
        judged.map(|detection| detected(&detection))
    };
    let before = match &args.plant.profiles {
        Some(path) => path.display().to_string(),
        None if play.is_recorded => "as recorded".to_owned(),
        None => "built in".to_owned(),
    };
    let after = args.compare.as_deref().unwrap_or_else(|| Path::new(""));
    compare::compare(
        &compared(&play.side, before, side(&play.side)),
        &compared(&other.side, after.display().to_string(), side(&other.side)),
    )
}

pub(super) fn compared(
    side: &Side,
    name: String,
    detection: Option<Detected>,
) -> compare::Side<'_> {
    let episodes = side.results.ledger.episodes.values();
    compare::Side {
        name,
        profile_hash: side.plant.profile_hash().to_owned(),
        profiles: side.profiles.iter().collect(),
        episodes: episodes
            .map(|episode| Raised {
                last: &episode.last,
                worst: episode.worst,
            })
            .collect(),
        detection,
    }
}

pub(super) fn detected(detection: &Detection) -> Detected {
    let due = || detection.attacks.iter().filter(|attack| !attack.later);
    let cried = &detection.false_positives;
    Detected {
        attacks_found: due().filter(|attack| attack.as_expected).count() as u64,
        attacks_due: due().count() as u64,
        false_positives: cried.count,
        device_hours: cried.device_hours,
        false_positive_rate: cried.rate,
        interval_95: cried.interval_95,
    }
}

/// What a report is made from, beside what was played.
pub(super) struct Parts<'a> {
    pub(super) folder: &'a Path,
    pub(super) summary: &'a Summary,
    pub(super) status: &'a Status,
    pub(super) files: &'a [FileReport],
    pub(super) labels: Option<&'a [Label]>,
    pub(super) comparison: Option<&'a Comparison>,
}

/// Writes `report.html`.
pub(super) fn write(play: &Play, parts: &Parts) -> anyhow::Result<()> {
    let inventory = play.intake.plant().inventory();
    let ledger = &play.side.results.ledger;
    let causes = parts
        .labels
        .map(|labels| truth::causes(labels, ledger))
        .unwrap_or_default();
    let folder = parts.folder.display().to_string();
    let report = Report {
        site: &inventory.site,
        clock: &inventory.clock,
        folder: &folder,
        played: played(play, parts.summary),
        files: parts.files,
        profiles: profiles(play),
        promises: promises(play),
        devices: fleet(play, parts.status),
        episodes: episodes(play, ledger, &causes),
        truth: parts
            .summary
            .detection
            .as_ref()
            .map(|detection| ground_truth(detection, parts.labels.unwrap_or_default())),
        comparison: parts.comparison,
    };
    report.write_into(parts.folder)?;
    Ok(())
}

fn episodes<'a>(
    play: &'a Play,
    ledger: &'a Ledger,
    causes: &BTreeMap<String, Cause>,
) -> Vec<Episode<'a>> {
    let episode = |(id, episode): (&'a String, &'a crate::ledger::Episode)| Episode {
        last: &episode.last,
        worst: episode.worst,
        medium_at: episode.medium_at,
        steps: play.side.history.of(id),
        response: play
            .side
            .history
            .response(id)
            .unwrap_or(&episode.last.response),
        cause: causes.get(id).copied().unwrap_or(Cause::Unknown),
    };
    ledger.episodes.iter().map(episode).collect()
}

fn played(play: &Play, summary: &Summary) -> Played {
    Played {
        records: summary.records,
        records_observed: summary.records_observed,
        observations: summary.observations,
        rejects: summary.rejects.clone(),
        late: summary.late,
        duplicates: summary.duplicates,
        spread_late: summary.spread_late,
        unproven_apart: summary.unproven_apart,
        in_maintenance: summary.in_maintenance,
        devices: summary.devices as u64,
        device_hours: summary.device_hours,
        revisions: summary.revisions,
        alerts: summary.alerts.as_ref().map(|found| AlertLoad {
            per_day: found.budget.per_day,
            level: found.budget.level,
            rule: found.counts.rule,
            evidence: found.counts.evidence,
            evidence_per_day: found.evidence_per_day,
            held: found.counts.held,
        }),
        stretch: play.stretch.ends(),
        hours: play.stretch.hours(),
        // Captures of ours say when everything was received.
        as_of: (play.order == Order::Sorted).then_some(summary.as_of),
        profile_hash: summary.profile_hash.clone(),
        inventory_hash: summary.inventory_hash.clone(),
        version: summary.version.clone(),
    }
}

/// Each once; of several with one name, all.
fn profiles(play: &Play) -> Vec<ProfileRef> {
    let all = play.side.profiles.iter().map(|profile| ProfileRef {
        name: profile.name.clone(),
        version: profile.version.clone(),
        hash: profile.content_hash(),
    });
    let mut profiles: Vec<ProfileRef> = all.collect();
    profiles.dedup();
    profiles
}

/// What calibrated profiles promise: those that were tuned together share one promise.
fn promises(play: &Play) -> Vec<Promise> {
    let mut promises: Vec<Promise> = Vec::new();
    for profile in &play.side.profiles {
        let Some(calibration) = profile.calibration else {
            continue;
        };
        match promises.iter_mut().find(|p| p.calibration == calibration) {
            Some(promise) if promise.profiles.contains(&profile.name) => {}
            Some(promise) => promise.profiles.push(profile.name.clone()),
            None => promises.push(Promise {
                calibration,
                profiles: vec![profile.name.clone()],
            }),
        }
    }
    promises
}

fn fleet(play: &Play, status: &Status) -> Vec<Device> {
    devices::rows(play.intake.plant(), status)
        .into_iter()
        .map(|row| Device {
            id: row.device_id,
            device_type: row.device_type,
            segment: row.segment,
            risk_class: row.risk_class,
            safety_critical: row.safety_critical,
            risk: row.risk,
            seen: row.seen,
        })
        .collect()
}

fn ground_truth(detection: &Detection, labels: &[Label]) -> Truth {
    // In the order of the labels, which those on a ladder are left out of.
    let labels = labels
        .iter()
        .filter(|label| label.ladder_factor().is_none());
    let attacks = detection.attacks.iter().zip(labels);
    let cried = &detection.false_positives;
    Truth {
        attacks: attacks
            .map(|(found, label)| Attack {
                name: found.attack.clone(),
                note: label.note.clone(),
                device: found.device.clone(),
                start: label.start,
                end: label.end,
                expected_grade: found.expected_grade,
                grade: found.grade,
                delay_s: found.delay_s,
                missing: found.missing.clone(),
                as_expected: found.as_expected,
                later: found.later,
                leak: found.leaked_bytes.map(|total| Leak {
                    before_found: found.leaked_before_found_bytes.unwrap_or(total),
                    total,
                }),
                unmatched: found.unmatched,
            })
            .collect(),
        ladder: detection
            .ladder
            .iter()
            .map(|rung| Rung {
                factor: rung.factor,
                devices: rung.devices,
                found_any: rung.found_any,
                found_medium: rung.found_medium,
                median_delay_h: rung.median_delay_h,
            })
            .collect(),
        false_positives: cried.count,
        low_for_nothing: cried.low_episodes,
        device_hours: cried.device_hours,
    }
}
