//! What tuning came to, for people.

use std::io::{self, Write};
use std::path::Path;

use andon_emit::terminal::printable;
use andon_lab::tune::drill::Found;
use andon_lab::tune::outcome::{Grounds, Outcome, Rate, Step, Verdict};
use andon_schemas::time::PlantClock;

use super::proposal::Proposal;
use crate::text::{count, plant_date};

/// Most false positives listed one by one.
const LISTED_MAX: usize = 10;

/// All of it but the proposal.
pub(super) fn outcome(tuned: &Outcome, clock: &PlantClock, out: &mut impl Write) -> io::Result<()> {
    traffic(tuned, clock, out)?;
    path(tuned, out)?;
    for verdict in &tuned.verdicts {
        claim(verdict, tuned, out)?;
    }
    grounds(&tuned.grounds, out)?;
    alarms(tuned, clock, out)?;
    if let Some(report) = &tuned.report {
        writeln!(out, "\nkept for the end, counted once")?;
        writeln!(out, "  as written   {}", rate(&report.as_written))?;
        writeln!(out, "  as proposed  {}", rate(&report.proposed))?;
    }
    Ok(())
}

fn traffic(tuned: &Outcome, clock: &PlantClock, out: &mut impl Write) -> io::Result<()> {
    let refused = match tuned.refused_records {
        0 => String::new(),
        refused => format!(", {} of them rejected", count(refused)),
    };
    writeln!(
        out,
        "traffic        {} to {}, {} devices, {} records{refused}",
        plant_date(clock, tuned.whole.start),
        plant_date(clock, tuned.whole.end),
        count(tuned.devices),
        count(tuned.records),
    )?;
    for part in &tuned.parts {
        let name = format!("{:?}", part.part).to_lowercase();
        writeln!(
            out,
            "  {name:<12} {} to {}, {} devices, {} device-hours",
            plant_date(clock, part.span.start),
            plant_date(clock, part.span.end),
            count(part.devices),
            count(part.device_hours)
        )?;
    }
    if tuned.devices_without_profile > 0 {
        writeln!(
            out,
            "{} more have no profile, servers among them: nothing is claimed for those",
            count(tuned.devices_without_profile)
        )?;
    }
    writeln!(
        out,
        "devices differ with a squared variation of {:.2} in how often they are falsely accused",
        tuned.spread
    )
}

/// Configurations, a line each: what they cost and what they find.
fn path(tuned: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let attacks: Vec<&str> = tuned
        .path
        .first()
        .map(|step| step.found.iter().map(|found| found.attack).collect())
        .unwrap_or_default();
    writeln!(
        out,
        "\nconfigurations, strict to loose; false positives on the tuned part; attacks that \
         reached MEDIUM within 72 h of those tried out"
    )?;
    write!(
        out,
        "     {:>9}  {:>13}  {:>17}  {:>9}  {:>7}",
        "evidence", "volume rule", "false positives", "at most", "per day"
    )?;
    for attack in &attacks {
        write!(out, "  {attack:>width$}", width = attack.len().max(11))?;
    }
    writeln!(out)?;
    write!(out, "   - {:>9}  {:>13}", "LOW only", "as written")?;
    let written = &tuned.as_written;
    costs(&written.false_positives, &written.found, out)?;
    for (at, one) in tuned.path.iter().enumerate() {
        step(at, one, tuned, out)?;
    }
    Ok(())
}

/// What a configuration costs, and what it finds: the rest of its line.
fn costs(fp: &Rate, found: &[Found], out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "  {:>17}  {:>9}  {:>7}",
        format!("{} / {}", count(fp.count), count(fp.device_hours)),
        percent(fp.at_most),
        format!("{:.2}", fp.per_fleet_day)
    )?;
    for one in found {
        let delay = one
            .median_delay_h
            .map_or_else(String::new, |hours| format!(", {hours:.0} h"));
        let text = format!("{}/{}{delay}", one.found_medium, one.devices);
        write!(out, "  {text:>width$}", width = one.attack.len().max(11))?;
    }
    writeln!(out)
}

fn step(at: usize, step: &Step, tuned: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let multiples = step.multiples.map_or_else(
        || "-".to_owned(),
        |(low, high)| {
            if (low - high).abs() < 1e-9 {
                format!("x{low}")
            } else {
                format!("x{low} - {high}")
            }
        },
    );
    let chosen = tuned.verdicts.iter().any(|v| v.chosen == Some(at));
    write!(
        out,
        "{at:>3}{} {:>9}  {multiples:>13}",
        if chosen { '*' } else { ' ' },
        format!("/ {}", step.discount),
    )?;
    costs(&step.false_positives, &step.found, out)
}

fn claim(verdict: &Verdict, tuned: &Outcome, out: &mut impl Write) -> io::Result<()> {
    let claim = &verdict.claim;
    let target = format!(
        "at most {} of device-hours, sure to {}",
        percent(claim.target),
        percent(claim.confidence)
    );
    let scope = match verdict.scope.as_str() {
        "all" => "all devices".to_owned(),
        other => other.to_owned(),
    };
    let Some(step) = verdict
        .chosen
        .and_then(|at| Some((at, tuned.path.get(at)?)))
    else {
        writeln!(out, "\n{scope}: REFUSED, {target}")?;
        let Some(refused) = &verdict.refused else {
            return Ok(());
        };
        writeln!(out, "  {}", printable(&refused.reason))?;
        return match refused.device_hours_needed {
            Some(needed) => writeln!(
                out,
                "  it takes {} device-hours on the tuned part, if none but so many are false again; \
                 there are {}. Half of the devices serve for it in four tenths of the time: about \
                 {} times as much traffic.",
                count(needed),
                count(refused.device_hours),
                times(needed, refused.device_hours)
            ),
            None => Ok(()),
        };
    };
    writeln!(
        out,
        "\n{scope}: CERTIFIED, {target}: configuration {}",
        step.0
    )?;
    writeln!(out, "  {}", rate(&verdict.false_positives))
}

#[expect(clippy::cast_precision_loss, reason = "a round number for people")]
fn times(needed: u64, have: u64) -> String {
    format!("{:.1}", needed as f64 / have.max(1) as f64)
}

/// A rate in every unit, with its bound.
fn rate(rate: &Rate) -> String {
    if rate.device_hours == 0 {
        return "no device-hour, so nothing can be said".to_owned();
    }
    format!(
        "{} in {} device-hours\n    {} of device-hours, at most {}\n    {:.4} a device-day, at most \
         {:.4}\n    {:.2} a day among {} devices, at most {:.2}",
        count(rate.count),
        count(rate.device_hours),
        percent(rate.per_device_hour),
        percent(rate.at_most),
        rate.per_device_day,
        rate.per_device_day_at_most,
        rate.per_fleet_day,
        count(rate.fleet),
        rate.per_fleet_day_at_most
    )
}

/// Detectors that said anything; the others in one line, with the bound they share.
fn grounds(grounds: &[Grounds], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\neach detector by itself, at any grade: device-hours of the tuned part in which it opened \
         or raised a verdict"
    )?;
    let mut silent = Vec::new();
    for one in grounds {
        let name = format!(
            "{} ({})",
            one.detector,
            if one.rule { "rule" } else { "evidence" }
        );
        let fp = &one.false_positives;
        if fp.count == 0 {
            silent.push(name);
            continue;
        }
        writeln!(
            out,
            "  {name:<32} {:>6}  {:>10}  at most {:>10}",
            count(fp.count),
            percent(fp.per_device_hour),
            percent(fp.at_most)
        )?;
    }
    if let Some(none) = grounds.iter().find(|one| one.false_positives.count == 0) {
        let most = percent(none.false_positives.at_most);
        writeln!(out, "  never, each at most {most}: {}", silent.join(", "))?;
    }
    Ok(())
}

fn alarms(tuned: &Outcome, clock: &PlantClock, out: &mut impl Write) -> io::Result<()> {
    if tuned.alarms.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nfalse positives of the tuned part, for you to look at: is it clean?"
    )?;
    for alarm in tuned.alarms.iter().take(LISTED_MAX) {
        writeln!(
            out,
            "  {}  {:<8} {:<24} {}",
            plant_date(clock, alarm.at),
            alarm.grade,
            printable(alarm.device.as_str()),
            printable(&alarm.sentence)
        )?;
    }
    if tuned.alarms.len() > LISTED_MAX {
        let more = tuned.alarms.len() - LISTED_MAX;
        writeln!(out, "  and {more} more in `tune.json`")?;
    }
    Ok(())
}

/// What is proposed, and where it lies.
pub(super) fn proposal(
    proposal: &Proposal,
    folder: Option<&Path>,
    out: &mut impl Write,
) -> io::Result<()> {
    if proposal.is_empty() {
        return writeln!(out, "\nnothing is proposed");
    }
    if let Some(folder) = folder {
        return writeln!(
            out,
            "\nproposed: `{0}/proposal.diff`, the profiles with it in `{0}/profiles`; nothing of \
             yours was changed",
            folder.display()
        );
    }
    writeln!(out, "\nproposed; nothing was changed:\n")?;
    write!(out, "{}", proposal.diff)
}

/// A share in per cent, to three digits that count.
fn percent(share: f64) -> String {
    if share <= 0.0 {
        return "0 %".to_owned();
    }
    let percent = 100.0 * share;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a handful of digits"
    )]
    let digits = (2.0 - percent.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text} %")
}
