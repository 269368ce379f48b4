//! Two sets of profiles held against each other, for people.

use std::io::{self, Write};
use std::path::Path;

use andon_emit::terminal::{graded, printable};
use andon_lab::compare::{Comparison, Detected, Kind, SideFigures};
use andon_schemas::grade::Grade;
use andon_schemas::time::PlantClock;

use crate::live::shadow::{self, Compared};

use super::{LISTED_MAX, colour, count, plant_date};

/// What the shadow of a run would change, and why. `all` says where every change is told.
///
/// # Errors
/// If it cannot be printed.
pub fn shadow(found: &Compared, data: &Path, all: &str, out: &mut impl Write) -> io::Result<()> {
    let about = &found.shadow;
    let at = |at| plant_date(&found.clock, at);
    let since = at(about.began_at);
    let folder = data.join(shadow::FOLDER);
    writeln!(
        out,
        "{:<14} {} since {since}; its verdicts are in {}",
        "in shadow",
        printable(&about.profiles),
        folder.display()
    )?;
    if let Some(ended) = &about.ended {
        let cause = printable(&ended.cause);
        writeln!(out, "{:<14} {}: {cause}", "ended", at(ended.at))?;
    }
    if let Some(opened) = found.opened_since {
        let opened = at(opened);
        writeln!(
            out,
            "{:<14} verdicts that opened since {opened}; earlier ones are too many",
            "compared are"
        )?;
    }
    comparison(&found.comparison, &found.clock, all, out)
}

/// What changes, and why. `all` says where every change is told.
///
/// # Errors
/// If it cannot be printed.
pub fn comparison(
    comparison: &Comparison,
    clock: &PlantClock,
    all: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let gist = &comparison.gist;
    writeln!(
        out,
        "\ncompared       {:<28} {}",
        printable(&gist.before.profiles),
        printable(&gist.after.profiles)
    )?;
    writeln!(
        out,
        "{:<14} {:<28} {}",
        "",
        verdicts(&gist.before),
        verdicts(&gist.after)
    )?;
    if let (Some(before), Some(after)) = (&gist.before.detection, &gist.after.detection) {
        writeln!(
            out,
            "{:<14} {:<28} {}",
            "attacks",
            attacks(before),
            attacks(after)
        )?;
        writeln!(
            out,
            "{:<14} {:<28} {}",
            "for nothing",
            cried(before),
            cried(after)
        )?;
    }
    let changed: Vec<String> = Kind::ALL
        .iter()
        .map(|kind| {
            let n = gist.counts.get(kind).copied().unwrap_or_default();
            format!("{} {}", count(n), kind.as_str())
        })
        .collect();
    writeln!(
        out,
        "{:<14} {}; {} unchanged",
        "verdicts",
        changed.join(", "),
        count(gist.unchanged)
    )?;
    for change in &comparison.profiles {
        for difference in &change.differences {
            let text = format!("{}: {difference}", change.profile);
            writeln!(out, "{:<14} {}", "profile", printable(&text))?;
        }
    }
    changes(comparison, clock, all, out)
}

fn verdicts(side: &SideFigures) -> String {
    let grades = side.verdicts.iter().rev();
    let counts: Vec<String> = grades
        .filter(|(_, n)| **n > 0)
        .map(|(grade, n)| format!("{} {grade}", count(*n)))
        .collect();
    if counts.is_empty() {
        return "no verdict".to_owned();
    }
    counts.join(", ")
}

fn attacks(detected: &Detected) -> String {
    format!(
        "{} of {} found",
        detected.attacks_found, detected.attacks_due
    )
}

fn cried(detected: &Detected) -> String {
    format!(
        "{} = {:.4} % of device-hours",
        count(detected.false_positives),
        detected.false_positive_rate * 100.0
    )
}

/// Each change in three lines: what, about whom, why.
fn changes(
    comparison: &Comparison,
    clock: &PlantClock,
    all: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    if !comparison.changes.is_empty() {
        writeln!(out)?;
    }
    for change in comparison.changes.iter().take(LISTED_MAX) {
        let grade = |told: &Option<andon_lab::compare::Told>| {
            let grade: Option<Grade> = told.as_ref().map(|told| told.grade);
            grade.map_or_else(|| "–       ".to_owned(), |grade| graded(grade, colour()))
        };
        let at = change.at().map(|at| plant_date(clock, at));
        writeln!(
            out,
            "{} → {}  {}  {:<28}  {}",
            grade(&change.before),
            grade(&change.after),
            at.unwrap_or_default(),
            change.device_id.as_str(),
            change.change.as_str()
        )?;
        for reason in &change.reasons {
            writeln!(out, "          {}", printable(&reason.sentence))?;
        }
    }
    if comparison.changes.len() > LISTED_MAX {
        writeln!(
            out,
            "… and {} more {all}",
            count((comparison.changes.len() - LISTED_MAX) as u64)
        )?;
    }
    Ok(())
}
