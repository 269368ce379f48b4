//! `andon backtest`: captured traffic through the same engine as live traffic.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use andon_engine::Plant;
use andon_ingest::files::{self, Captures, FileReport, OpenOptions, Order};
use andon_schemas::command::Mode;
use andon_schemas::time::EventTime;

use super::unread;
use crate::args::{BacktestArgs, Format};
use crate::blueprint::{Blueprint, Named};
use crate::devices;
use crate::exit::{Outcome, usage};
use crate::intake::Intake;
use crate::progress::Progress;
use crate::results::{Results, write_json};
use crate::shards::Shards;
use crate::summary::{Parts, Summary};
use crate::text;
use crate::truth::{self, Labels};

/// Records taken from the captures at a time.
const CHUNK: usize = 16_384;

/// Runs the command.
///
/// # Errors
/// If a capture, inventory, profile or label file cannot be read, a result cannot be written, or
/// not one record of the captures can be read; the results stand then all the same.
pub fn run(args: &BacktestArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let as_of = match &args.as_of {
        Some(text) => EventTime::parse(text).map_err(|e| usage(anyhow::anyhow!(e)))?,
        None => crate::wall::now(),
    };
    let labels = args.labels.as_deref().map(Labels::read).transpose()?;
    // What was written wrong is told before the captures are looked at.
    let written = args.plant.inventory.is_some() || args.plant.profiles.is_some();
    let given = written.then(|| assumed(args, false)).transpose()?;
    let captures = files::open(&args.captures, OpenOptions::as_of(as_of)).map_err(usage)?;
    let by_address = args.plant.inventory.is_none() && captures.order() == Order::Sorted;
    let (blueprint, plant) = match given {
        Some(given) if !by_address => given,
        _ => assumed(args, by_address)?,
    };
    let check_labels = |plant: &Plant| {
        let check = |labels: &Labels| labels.check_devices(plant.inventory());
        labels.as_ref().map_or(Ok(()), check)
    };
    // A recorded run may bring a plant of its own.
    let may_change = captures.order() == Order::Recorded;
    if !may_change {
        check_labels(&plant)?;
    }
    let mut results = Results::create(args.out.as_deref()).map_err(usage)?;
    results.measured_against(&blueprint, &plant)?;
    let mut play = Play::new(args, &plant, &captures, by_address, as_of)?;
    play.intake.keep_to(Named::of(&args.plant, &blueprint));
    let files = play.all(captures, &mut results)?;
    let status = play.shards.status()?;
    let mut summary = Summary::of(Parts {
        tally: play.intake.tally(),
        ledger: &results.ledger,
        counts: status.counts,
        devices: status.devices,
        plant: play.intake.plant(),
        order: play.order.to_owned(),
        as_of,
        latency: None,
        elapsed_s: began.elapsed().as_secs_f64(),
    });
    summary.detection = labels
        .as_ref()
        .map(|labels| truth::judge(labels.all(), &results.ledger, status.counts.device_hours));
    if let Some(folder) = &args.out {
        write_json(&folder.join("summary.json"), &summary)?;
        devices::write(folder, play.intake.plant(), &status)?;
    }
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&summary)?)?,
        Format::Text => {
            let clock = &play.intake.plant().inventory().clock;
            text::summary(&summary, &results.ledger, clock, out)?;
            unread::tell(&files, out)?;
        }
    }
    unread::check(&files)?;
    if may_change {
        check_labels(play.intake.plant())?;
    }
    let reached = args
        .fail_on
        .is_some_and(|grade| results.ledger.episodes.values().any(|e| e.worst >= grade));
    Ok(if reached {
        Outcome::Failed
    } else {
        Outcome::Done
    })
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

/// A capture on its way through the engine.
struct Play<'a> {
    args: &'a BacktestArgs,
    shards: Shards,
    intake: Intake,
    order: &'static str,
    as_of: EventTime,
}

impl<'a> Play<'a> {
    fn new(
        args: &'a BacktestArgs,
        plant: &Arc<Plant>,
        captures: &Captures,
        by_address: bool,
        as_of: EventTime,
    ) -> anyhow::Result<Self> {
        let order = match captures.order() {
            Order::Recorded => "recorded",
            Order::Sorted => "sorted",
        };
        Ok(Self {
            args,
            shards: Shards::new(plant, args.shards)?,
            intake: Intake::new(plant, args.batch_size, by_address),
            order,
            as_of,
        })
    }

    /// Plays all of it; returns what became of each file.
    fn all(
        &mut self,
        mut captures: Captures,
        results: &mut Results,
    ) -> anyhow::Result<Vec<FileReport>> {
        let progress = Progress::new("records");
        let mut chunks = 0_u64;
        loop {
            let items = captures.next_batch(CHUNK).map_err(usage)?;
            let ended = items.is_empty();
            for item in items {
                self.intake.item(item, self.as_of).map_err(usage)?;
            }
            if ended {
                self.intake.end();
            }
            for (blueprint, plant) in self.intake.take_changes() {
                results.measured_against(&blueprint, &plant)?;
            }
            let output = self.shards.run(self.intake.take())?;
            let refused = results.take(output, |_| {})?;
            self.intake.settle(refused);
            // They are in `commands.jsonl`; a backtest orders nobody about.
            drop(results.take_commands());
            results.rejects(&self.intake.take_rejects())?;
            progress.set(self.intake.tally().records);
            if ended {
                break;
            }
            chunks += 1;
            if self
                .args
                .restart_every
                .is_some_and(|every| chunks.is_multiple_of(every))
            {
                let state = self.shards.snapshot()?;
                self.shards = Shards::restore(self.intake.plant(), self.args.shards, &state)?;
            }
        }
        progress.done();
        results.flush()?;
        Ok(captures.files().to_vec())
    }
}
