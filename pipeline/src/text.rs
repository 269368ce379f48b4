//! Results for people: aligned, with units, in plain sentences.

use std::io::{self, Write};

use andon_schemas::grade::Grade;
use andon_schemas::time::{EventTime, PlantClock};

use crate::results::Ledger;
use crate::summary::Summary;
use crate::truth::Detection;

/// Most verdicts listed one by one; the rest is in `verdicts.jsonl`.
const LISTED_MAX: usize = 20;

/// A count with separators: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What the plant's wall clock shows: `Sun 02:30`.
pub fn plant_time(clock: &PlantClock, at: EventTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let local = clock.local(at);
    format!(
        "{} {:02}:{:02}",
        DAYS[usize::from(local.weekday) % 7],
        local.minute / 60,
        local.minute % 60
    )
}

/// Whether standard output takes colour.
pub fn colour() -> bool {
    use std::io::IsTerminal as _;
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The summary of a run.
///
/// # Errors
/// If it cannot be printed.
pub fn summary(summary: &Summary, ledger: &Ledger, out: &mut impl Write) -> io::Result<()> {
    let mut row = |name: &str, value: String| writeln!(out, "{name:<14} {value}");
    row(
        "records",
        format!(
            "{} = {} observed + {} rejected",
            count(summary.records),
            count(summary.records_observed),
            count(summary.rejects.values().sum())
        ),
    )?;
    for (reason, n) in &summary.rejects {
        row("", format!("{} {reason}", count(*n)))?;
    }
    row(
        "observations",
        format!(
            "{} ({} late, {} duplicate), {} devices, {} device-hours",
            count(summary.observations),
            count(summary.late),
            count(summary.duplicates),
            count(summary.devices as u64),
            count(summary.device_hours)
        ),
    )?;
    let grades: Vec<String> = summary
        .verdicts
        .iter()
        .rev()
        .map(|(g, n)| format!("{} {g}", count(*n)))
        .collect();
    row(
        "verdicts",
        format!(
            "{} in {} revisions",
            grades.join(", "),
            count(summary.revisions)
        ),
    )?;
    row(
        "time",
        format!(
            "{:.2} s, {:.0} observations/s",
            summary.elapsed_s, summary.observations_per_s
        ),
    )?;
    list(ledger, out)?;
    match &summary.detection {
        Some(found) => detection(found, out),
        None => Ok(()),
    }
}

fn list(ledger: &Ledger, out: &mut impl Write) -> io::Result<()> {
    let mut episodes: Vec<_> = ledger.episodes.values().collect();
    episodes.sort_by_key(|e| (std::cmp::Reverse(e.worst), e.last.event_time));
    if !episodes.is_empty() {
        writeln!(out)?;
    }
    for episode in episodes.iter().take(LISTED_MAX) {
        let last = &episode.last;
        let names: Vec<&str> = last.findings.iter().map(|f| f.detector.as_str()).collect();
        writeln!(
            out,
            "{:<8}  {}  {}  {}\n          {}",
            episode.worst,
            last.event_time,
            last.device_id,
            names.join(" + "),
            last.sentence
        )?;
    }
    if episodes.len() > LISTED_MAX {
        writeln!(
            out,
            "… and {} more in verdicts.jsonl",
            episodes.len() - LISTED_MAX
        )?;
    }
    Ok(())
}

fn detection(found: &Detection, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<22} {:<24} {:<9} {:<9} {:>9}",
        "attack", "device", "expected", "found", "delay"
    )?;
    for attack in &found.attacks {
        let delay = attack
            .delay_s
            .map_or("–".to_owned(), |s| format!("{s:.0} s"));
        writeln!(
            out,
            "{:<22} {:<24} {:<9} {:<9} {:>9}{}{}",
            attack.attack,
            attack.device.as_str(),
            attack.expected_grade,
            attack.grade.map_or("–", Grade::as_str),
            delay,
            match (attack.as_expected, attack.later) {
                (_, true) => "  (not due yet)",
                (true, false) => "",
                (false, false) => "  NOT AS EXPECTED",
            },
            if attack.missing.is_empty() {
                String::new()
            } else {
                format!("  missing: {}", attack.missing.join(", "))
            },
        )?;
    }
    let cried = &found.false_positives;
    writeln!(
        out,
        "\nfalse positives  {} in {} device-hours = {:.4} % (95 %: {:.4}–{:.4} %); LOW {} = {:.4} %",
        count(cried.count),
        count(cried.device_hours),
        cried.rate * 100.0,
        cried.interval_95[0] * 100.0,
        cried.interval_95[1] * 100.0,
        count(cried.low_episodes),
        cried.low_rate * 100.0,
    )
}
