//! What the person at the terminal sees of a demo.

use std::io::{self, IsTerminal as _, Write};

use andon_emit::terminal::verdict_line;
use andon_engine::Plant;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{State, Verdict};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::DemoArgs;
use crate::live::core::Core;
use crate::text;

/// What the person at the terminal sees.
pub(super) struct Screen {
    quiet: bool,
    bar: ProgressBar,
}

impl Screen {
    pub(super) fn new(quiet: bool) -> Self {
        let visible = !quiet && io::stderr().is_terminal();
        let target = if visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner:.green} {msg}") {
            bar.set_style(style);
        }
        Self { quiet, bar }
    }

    pub(super) fn welcome(
        &self,
        args: &DemoArgs,
        address: &str,
        plant: &Plant,
        attacks: usize,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let site = &plant.inventory().site;
        writeln!(
            out,
            "A simulated plant of 500 devices, from Sunday 02:20, {:.0} times as fast as life; \
             {attacks} attacks will come.\nMonitor mode: responses are said, not carried out. \
             MQTT on {address}: publish to andon/v1/in/{site}/DEVICE/flow.\n",
            args.speed
        )?;
        out.flush()?;
        Ok(())
    }

    /// Prints what a person would want to be told: openings, escalations and ends above LOW.
    pub(super) fn verdict(
        &self,
        verdict: &Verdict,
        plant: &Plant,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        if self.quiet || verdict.state == State::Updated {
            return Ok(());
        }
        let at = text::plant_time(&plant.inventory().clock, verdict.window.end);
        let line = verdict_line(verdict, &at, text::colour());
        self.bar
            .suspend(|| writeln!(out, "{line}").and_then(|()| out.flush()))?;
        Ok(())
    }

    pub(super) fn status(&self, plant: &Plant, now: EventTime, records: u64, core: &Core) {
        if self.bar.is_hidden() {
            return;
        }
        let grades: Vec<String> = core
            .results
            .ledger
            .by_grade()
            .iter()
            .rev()
            .map(|(grade, n)| format!("{n} {grade}"))
            .collect();
        self.bar.set_message(format!(
            "{}   {} records   {}",
            text::plant_time(&plant.inventory().clock, now),
            text::count(records),
            grades.join("  ")
        ));
        self.bar.tick();
    }

    pub(super) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
