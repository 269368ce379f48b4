//! What other profiles would make of captured traffic: one pass, two engines, nothing written.

use std::path::PathBuf;
use std::sync::Arc;

use andon_engine::Plant;
use andon_ingest::files::{self, OpenOptions};
use andon_lab::compare::{self, Comparison};
use andon_schemas::verdict::Verdict;
use serde::Serialize;

use super::page::{compared, detected};
use super::play::{Play, Side};
use crate::args::{BacktestArgs, PlantArgs};
use crate::blueprint::{Blueprint, Named};
use crate::engines::Engines;
use crate::exit::usage;
use crate::shards::Shards;
use crate::truth::{self, Labels};

/// What one stretch of traffic shows.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Forecast {
    /// What was played.
    pub(in crate::commands) traffic: String,
    /// Records of it.
    pub(in crate::commands) records: u64,
    /// Device-days that were watched.
    pub(in crate::commands) device_days: f64,
    /// Alarms of MEDIUM or worse in a device-day, before and after; with labels, false ones.
    pub(in crate::commands) alarms_per_device_day: [f64; 2],
    /// Attacks that were found as they should be, and would not be any more; null without labels.
    pub(in crate::commands) attacks_lost: Option<Vec<String>>,
    /// Verdicts that were raised before.
    #[serde(skip)]
    pub(in crate::commands) raised: Vec<String>,
    /// The last revision of each verdict that is raised after.
    #[serde(skip)]
    pub(in crate::commands) still: Vec<Verdict>,
    /// Every verdict that changes.
    pub(in crate::commands) comparison: Comparison,
}

/// Traffic to play, and under which name it is told of.
pub(in crate::commands) struct Traffic<'a> {
    pub(in crate::commands) name: String,
    pub(in crate::commands) captures: Vec<PathBuf>,
    pub(in crate::commands) labels: Option<&'a PathBuf>,
}

/// Plays it against both.
///
/// # Errors
/// If it cannot be read.
pub(in crate::commands) fn forecast(
    traffic: Traffic,
    (blueprint, plant): (&Blueprint, &Arc<Plant>),
    proposed: &Blueprint,
) -> anyhow::Result<Forecast> {
    let as_of = crate::wall::now();
    let labels = traffic.labels.map(|path| Labels::read(path)).transpose()?;
    if let Some(labels) = &labels {
        labels.check_devices(plant.inventory())?;
    }
    let captures = files::open(&traffic.captures, OpenOptions::as_of(as_of)).map_err(usage)?;
    let args = args(traffic.captures);
    let engines = Engines::Here(Shards::new(plant, args.shards)?);
    let named = (Named::all(blueprint), Some(Named::all(proposed)));
    let measured = (blueprint, plant);
    let mut play = Play::of(&args, measured, engines, &captures, as_of, named, false)?;
    play.labels = labels;
    play.all(captures)?;
    let labels = play.labels.as_ref().map(Labels::all);
    let judged = |side: &Side| {
        let hours = side.status.counts.device_hours;
        labels.map(|labels| truth::judge(labels, &side.results.ledger, hours))
    };
    let other = play.other.as_ref().map_or(&play.side, |other| &other.side);
    let (before, after) = (judged(&play.side), judged(other));
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
    let days = play.side.status.counts.device_hours as f64 / 24.0;
    let rate = |side: &Side, judged: &Option<truth::Detection>| {
        let episodes = side.results.ledger.episodes.values();
        let all = episodes.filter(|one| one.medium_at.is_some()).count() as u64;
        let cried = judged
            .as_ref()
            .map_or(all, |found| found.false_positives.count);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more")]
        let cried = cried as f64;
        if days > 0.0 { cried / days } else { 0.0 }
    };
    let lost = before.as_ref().zip(after.as_ref()).map(|(before, after)| {
        let both = before.attacks.iter().zip(&after.attacks);
        let lost = both.filter(|(was, is)| was.as_expected && !is.as_expected);
        lost.map(|(was, _)| format!("{} on {}", was.attack, was.device))
            .collect()
    });
    let side = |side, name: &str, judged: &Option<truth::Detection>| {
        compared(side, name.to_owned(), judged.as_ref().map(detected))
    };
    let episodes = other.results.ledger.episodes.values();
    Ok(Forecast {
        traffic: traffic.name,
        records: play.intake.tally().records,
        device_days: days,
        alarms_per_device_day: [rate(&play.side, &before), rate(other, &after)],
        attacks_lost: lost,
        raised: play.side.results.ledger.episodes.keys().cloned().collect(),
        still: episodes.map(|one| one.last.clone()).collect(),
        comparison: compare::compare(
            &side(&play.side, "as it is", &before),
            &side(other, "as proposed", &after),
        ),
    })
}

/// A backtest that writes nothing, of a plant that is known already.
fn args(captures: Vec<PathBuf>) -> BacktestArgs {
    BacktestArgs {
        captures,
        mapping: None,
        plant: PlantArgs::default(),
        out: None,
        compare: None,
        labels: None,
        shards: 1,
        cluster: None,
        batch_size: 8192,
        as_of: None,
        fail_on: None,
        restart_every: None,
    }
}
