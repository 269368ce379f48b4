//! `andon backtest`: captured traffic through the same engine as live traffic.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use andon_engine::Plant;
use andon_ingest::files::{self, FileReport, OpenOptions, Order};
use andon_lab::compare::Comparison;
use andon_lab::report;
use andon_schemas::command::Mode;
use andon_schemas::time::EventTime;
use andon_simulator::Label;
use anyhow::Context as _;

use self::play::{Play, Side};
use super::unread;
use crate::args::{BacktestArgs, Format};
use crate::blueprint::Blueprint;
use crate::devices;
use crate::exit::{Outcome, usage};
use crate::results::write_json;
use crate::shards::Status;
use crate::summary::{Parts, Summary};
use crate::text;
use crate::truth::{self, Detection, Labels};

mod cluster;
pub(super) mod forecast;
mod page;
mod play;

/// Everything that changed between two sets of profiles.
const COMPARISON: &str = "compare.json";

/// Runs the command.
///
/// # Errors
/// If a capture, inventory, profile or label file cannot be read, a result cannot be written, or
/// not one record of the captures can be read; the results stand then all the same.
pub fn run(args: &BacktestArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    cluster::check(args)?;
    let as_of = match &args.as_of {
        Some(text) => EventTime::parse(text).map_err(|e| usage(anyhow::anyhow!(e)))?,
        None => crate::wall::now(),
    };
    let labels = args.labels.as_deref().map(Labels::read).transpose()?;
    let options = OpenOptions::as_of(as_of).with_mapping(super::mapping(args.mapping.as_deref())?);
    // What was written wrong is told before the captures are looked at.
    let written = args.plant.inventory.is_some() || args.plant.profiles.is_some();
    let given = written.then(|| assumed(args, false)).transpose()?;
    let captures = files::open(&args.captures, options).map_err(usage)?;
    let by_address = args.plant.inventory.is_none() && captures.order() == Order::Sorted;
    let (blueprint, plant) = match given {
        Some(given) if !by_address => given,
        _ => assumed(args, by_address)?,
    };
    // A recorded run may bring a plant of its own.
    let may_change = captures.order() == Order::Recorded;
    if !may_change {
        check(labels.as_ref(), &plant)?;
    }
    let measured = (&blueprint, &plant);
    let engines = cluster::engines(args, measured, by_address, as_of)?;
    if let Some(folder) = &args.out {
        forget_reports(folder)?;
    }
    let mut play = Play::new(args, measured, engines, &captures, by_address, as_of)?;
    play.labels = labels;
    let files = play.all(captures)?;
    // What is wrong with them then is told when the results stand.
    let checked = if may_change {
        check(play.labels.as_ref(), play.intake.plant())
    } else {
        Ok(())
    };
    let labelled = play.labels.as_ref().map(Labels::all);
    let other = play.other.as_ref();
    let comparison = other.map(|other| page::comparison(args, &play, other, labelled));
    let status = &play.side.status;
    let mut summary = summary(&play, status, began);
    let ledger = &play.side.results.ledger;
    summary.detection = labelled.map(|labels| detection(&play, status, labels));
    summary.comparison = comparison.as_ref().map(|found| found.gist.clone());
    if let Some(folder) = &args.out {
        let parts = page::Parts {
            folder,
            summary: &summary,
            status,
            files: &files,
            labels: labelled,
            comparison: comparison.as_ref(),
        };
        write(&play, &parts)?;
    }
    tell(&play, &summary, comparison.as_ref(), &files, format, out)?;
    unread::check(&files)?;
    checked?;
    let reached = args
        .fail_on
        .is_some_and(|grade| ledger.episodes.values().any(|e| e.worst >= grade));
    Ok(if reached {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// Makes sure that labels name devices that there are.
fn check(labels: Option<&Labels>, plant: &Plant) -> anyhow::Result<()> {
    labels.map_or(Ok(()), |labels| labels.check_devices(plant.inventory()))
}

/// What came out, held against the labels.
fn detection(play: &Play, status: &Status, labels: &[Label]) -> Detection {
    let ledger = &play.side.results.ledger;
    let mut detection = truth::judge(labels, ledger, status.counts.device_hours);
    detection.add_leaks(&play.leaks);
    // By id; risks are told of devices of which a row was accepted.
    detection.mark_unmatched(labels, play.stretch.ends(), |id| {
        let known = status
            .risks
            .binary_search_by(|(known, _)| known.as_str().cmp(id.as_str()));
        known.is_ok()
    });
    detection
}

/// What captures are measured against: what the arguments name, or, for devices that are taken by
/// address, nothing that anybody described.
fn assumed(args: &BacktestArgs, by_address: bool) -> anyhow::Result<(Blueprint, Arc<Plant>)> {
    let blueprint = if by_address {
        Blueprint::undescribed(&args.plant)?
    } else {
        Blueprint::read(&args.plant, Mode::Monitor)?
    };
    let plant = blueprint.compile()?;
    Ok((blueprint, plant))
}

/// Reports of an earlier run must not pass for those of this one, if this one fails.
fn forget_reports(folder: &Path) -> anyhow::Result<()> {
    for name in [report::FILE, COMPARISON] {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot remove `{}`", path.display()))
                    .map_err(usage);
            }
            _ => {}
        }
    }
    Ok(())
}

fn summary(play: &Play, status: &Status, began: Instant) -> Summary {
    let order = match play.order {
        Order::Recorded => "recorded",
        Order::Sorted => "sorted",
    };
    Summary::of(Parts {
        tally: play.intake.tally(),
        ledger: &play.side.results.ledger,
        counts: status.counts,
        devices: status.devices,
        plant: play.intake.plant(),
        order: order.to_owned(),
        as_of: play.as_of,
        latency: None,
        elapsed_s: began.elapsed().as_secs_f64(),
    })
}

/// Writes everything that is made of the results as a whole.
fn write(play: &Play, parts: &page::Parts) -> anyhow::Result<()> {
    let folder = parts.folder;
    devices::write(folder, play.intake.plant(), parts.status)?;
    if let (Some(comparison), Some(other)) = (parts.comparison, &play.other) {
        write_json(&folder.join(COMPARISON), comparison)?;
        let Side { plant, status, .. } = &other.side;
        devices::write(&folder.join(play::COMPARED), plant, status)?;
    }
    write_json(&folder.join("summary.json"), parts.summary)?;
    page::write(play, parts)
}

fn tell(
    play: &Play,
    summary: &Summary,
    comparison: Option<&Comparison>,
    files: &[FileReport],
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let mut document = serde_json::to_value(summary)?;
            if let Some(comparison) = comparison {
                document["comparison"] = serde_json::to_value(comparison)?;
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        }
        Format::Text => {
            let clock = &play.intake.plant().inventory().clock;
            text::summary(summary, &play.side.results.ledger, clock, out)?;
            if let Some(comparison) = comparison {
                text::comparison(comparison, clock, "in compare.json, with --out", out)?;
            }
            unread::tell(files, out)?;
        }
    }
    Ok(())
}
