//! Results for people: aligned, with units, in plain sentences.

use std::io::{self, Write};

use andon_emit::terminal::{detector_names, graded, printable};
use andon_schemas::grade::Grade;
use andon_schemas::time::{EventTime, PlantClock};

use crate::alerts::AlertSummary;
use crate::ledger::Ledger;
use crate::summary::Summary;
use crate::truth::{Detection, Found, Recall};

mod comparison;

pub use comparison::{comparison, shadow};

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

/// The same with the date: `2025-12-14 02:30`.
pub fn plant_date(clock: &PlantClock, at: EventTime) -> String {
    let local = clock.local(at);
    format!(
        "{} {:02}:{:02}",
        local.date(),
        local.minute / 60,
        local.minute % 60
    )
}

/// The same to the second: `2025-12-14 02:30:10`. An offset of a time zone is whole minutes.
pub fn plant_moment(clock: &PlantClock, at: EventTime) -> String {
    let second = at.micros().div_euclid(1_000_000).rem_euclid(60);
    format!("{}:{second:02}", plant_date(clock, at))
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
pub fn summary(
    summary: &Summary,
    ledger: &Ledger,
    clock: &PlantClock,
    out: &mut impl Write,
) -> io::Result<()> {
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
    if let Some(found) = &summary.alerts {
        row("alerts", alerts(found))?;
    }
    row(
        "time",
        format!(
            "{:.2} s, {} observations/s",
            summary.elapsed_s,
            count(whole(summary.observations_per_s))
        ),
    )?;
    list(ledger, clock, out)?;
    match &summary.detection {
        Some(found) => detection(found, out),
        None => Ok(()),
    }
}

/// Alerts against their budget.
fn alerts(found: &AlertSummary) -> String {
    let AlertSummary { budget, counts, .. } = found;
    let rate = found.evidence_per_day.map_or_else(String::new, |rate| {
        format!(
            " ({rate:.2} a day with the true ones, {} false ones are borne)",
            budget.per_day
        )
    });
    format!(
        "{} by rules, {} by evidence of {:.0} device-days or more{rate}; {} held back",
        count(counts.rule),
        count(counts.evidence),
        budget.level,
        count(counts.held)
    )
}

/// A rate as a whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative, and no machine reaches 2^64 per second"
)]
fn whole(rate: f64) -> u64 {
    rate.round() as u64
}

/// The episodes, worst first, each with its last sentence.
fn list(ledger: &Ledger, clock: &PlantClock, out: &mut impl Write) -> io::Result<()> {
    let mut episodes: Vec<_> = ledger.episodes.values().collect();
    episodes.sort_by_key(|e| (std::cmp::Reverse(e.worst), e.last.event_time));
    if !episodes.is_empty() {
        writeln!(out)?;
    }
    for episode in episodes.iter().take(LISTED_MAX) {
        let last = &episode.last;
        writeln!(
            out,
            "{}  {}  {:<28}  {}\n          {}",
            graded(episode.worst, colour()),
            plant_date(clock, last.event_time),
            last.device_id.as_str(),
            detector_names(last),
            printable(&last.sentence)
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
    if !found.attacks.is_empty() {
        attacks(&found.attacks, out)?;
    }
    if !found.ladder.is_empty() {
        ladder(&found.ladder, out)?;
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

fn attacks(found: &[Found], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<24} {:<24} {:<9} {:<9} {:>9}",
        "attack", "device", "expected", "found", "delay"
    )?;
    for attack in found {
        let delay = attack
            .delay_s
            .map_or("–".to_owned(), |s| format!("{s:.0} s"));
        writeln!(
            out,
            "{:<24} {:<24} {:<9} {:<9} {:>9}{}{}{}",
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
            attack
                .unmatched
                .map_or_else(String::new, |why| format!("  matches nothing: {why}")),
        )?;
    }
    Ok(())
}

/// What share of devices is found, by how much more they moved.
fn ladder(rungs: &[Recall], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<24} {:>7} {:>12} {:>12} {:>13}",
        "times usual volume", "devices", "found", "at MEDIUM", "median delay"
    )?;
    for rung in rungs {
        let share = |n: u64| match (100 * n).checked_div(rung.devices) {
            Some(percent) => format!("{n} = {percent} %"),
            None => "–".to_owned(),
        };
        let delay = rung
            .median_delay_h
            .map_or("–".to_owned(), |hours| format!("{hours:.1} h"));
        writeln!(
            out,
            "{:<24} {:>7} {:>12} {:>12} {:>13}",
            format!("×{}", rung.factor),
            rung.devices,
            share(rung.found_any),
            share(rung.found_medium),
            delay
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::FalsePositives;

    fn printed(ladder: Vec<Recall>) -> String {
        let found = Detection {
            attacks: Vec::new(),
            ladder,
            false_positives: FalsePositives {
                count: 1,
                device_hours: 2_000,
                rate: 0.0005,
                interval_95: [0.0, 0.002],
                low_episodes: 4,
                low_rate: 0.002,
            },
        };
        let mut out = Vec::new();
        detection(&found, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_ladder_is_a_table_whose_columns_align() {
        let rung = |factor, found_any, median_delay_h| Recall {
            factor,
            devices: 10,
            found_any,
            found_medium: 0,
            median_delay_h,
        };
        let text = printed(vec![rung(1.2, 0, None), rung(3.0, 10, Some(31.5))]);
        let table: Vec<&str> = text.lines().skip(1).take(3).collect();
        assert!(
            table[1].starts_with("×1.2 ") && table[1].ends_with(" –"),
            "{text}"
        );
        assert!(
            table[2].contains("10 = 100 %") && table[2].ends_with(" 31.5 h"),
            "{text}"
        );
        let widths: Vec<usize> = table.iter().map(|line| line.chars().count()).collect();
        assert!(
            widths.iter().all(|width| *width == widths[0]),
            "{widths:?}\n{text}"
        );
    }

    #[test]
    fn a_date_is_the_plant_s_and_no_time_is_too_far_for_it() {
        let clock = PlantClock::new("Europe/Berlin").unwrap();
        let night = EventTime::parse("2025-12-13T23:30:00Z").unwrap();
        assert_eq!(plant_date(&clock, night), "2025-12-14 00:30");
        assert!(plant_date(&clock, EventTime::MAX).starts_with("9999-12-31"));
        assert!(plant_date(&clock, EventTime::MIN).starts_with("-009999-01-01"));
    }

    #[test]
    fn without_attacks_only_the_false_positives_are_told() {
        let text = printed(Vec::new());
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("false positives  1 in 2,000 device-hours = 0.0500 %"));
    }
}
