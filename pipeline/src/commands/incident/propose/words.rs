//! A proposal, for people.

use std::io::Write;
use std::sync::Arc;

use andon_emit::terminal::printable;
use andon_engine::Plant;

use super::Proposal;
use super::amendment::Amendment;
use crate::args::ProposeArgs;
use crate::commands::backtest::forecast::Forecast;
use crate::incident::Story;
use crate::text;

/// Tells it: loudest first.
pub(super) fn tell(
    proposal: &Proposal,
    story: &Story,
    args: &ProposeArgs,
    plant: &Arc<Plant>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let amendment = &proposal.amendment;
    writeln!(
        out,
        "incident {}: {}",
        proposal.incident_id,
        printable(&story.incident.sentence)
    )?;
    for warning in &proposal.warnings {
        writeln!(out, "WARNING: {}", printable(warning))?;
    }
    if !amendment.edits.is_empty() {
        writeln!(out)?;
        for line in amendment.diff.lines() {
            writeln!(out, "{}", printable(line))?;
        }
        writeln!(out)?;
    }
    edits(amendment, out)?;
    if amendment.edits.is_empty() {
        return Ok(());
    }
    if proposal.forecast.is_empty() {
        writeln!(
            out,
            "\nno forecast: no records of the incident were kept in `{}` and no --capture is given",
            args.data.display()
        )?;
    }
    for forecast in &proposal.forecast {
        changes(forecast, story, plant, out)?;
    }
    if let Some(folder) = &args.out {
        let folder = folder.display();
        writeln!(
            out,
            "\nproposed: `{folder}/proposal.diff`, the profiles with it in `{folder}/profiles`; \
             nothing of yours is changed"
        )?;
    }
    Ok(())
}

/// What a stretch of traffic shows.
fn changes(
    forecast: &Forecast,
    story: &Story,
    plant: &Arc<Plant>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let [before, after] = forecast.alarms_per_device_day;
    writeln!(
        out,
        "\nforecast from {}: {} records, {:.1} device-days",
        printable(&forecast.traffic),
        text::count(forecast.records),
        forecast.device_days
    )?;
    let what = if forecast.attacks_lost.is_some() {
        "false alarms"
    } else {
        "alarms"
    };
    writeln!(
        out,
        "{what} (MEDIUM or worse) per device-day: {before:.4} before, {after:.4} after"
    )?;
    if let Some(lost) = &forecast.attacks_lost {
        let lost = if lost.is_empty() {
            "none".to_owned()
        } else {
            lost.join(", ")
        };
        writeln!(out, "attacks lost: {}", printable(&lost))?;
    }
    let own = |v: &&andon_schemas::verdict::Verdict| !forecast.raised.contains(&v.verdict_id);
    let missing = story.verdicts.iter().filter(own).count();
    if missing > 0 {
        writeln!(
            out,
            "{missing} verdicts of the incident are not raised by this traffic at all"
        )?;
    }
    let clock = &plant.inventory().clock;
    text::comparison(&forecast.comparison, clock, "with -o json", out)?;
    Ok(())
}

/// What is edited because of what, and what is not.
fn edits(amendment: &Amendment, out: &mut impl Write) -> anyhow::Result<()> {
    for edit in &amendment.edits {
        let key = edit.change.key();
        writeln!(
            out,
            "edit          {}, `{key}:` because of {} on {}: {}",
            printable(&edit.file),
            edit.detector,
            printable(&edit.device_id),
            printable(&edit.because)
        )?;
        writeln!(out, "newly allowed {}", printable(&edit.allows))?;
    }
    for left in &amendment.left {
        writeln!(
            out,
            "no edit proposed for {} on {}: {}",
            printable(&left.detector),
            printable(&left.device_id),
            printable(&left.why)
        )?;
    }
    Ok(())
}
