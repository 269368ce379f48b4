//! The parts of the page that are there for every backtest: what an operator would have seen, type
//! by type, what was read, and what all of it rests on.

use andon_detectors::words::three_digits;
use andon_schemas::grade::Grade;

use super::data::{AlertLoad, Cause, Episode, Report};
use super::escape::html;
use super::figures::{self, Load};
use super::table::{Cell, Table, mark, number, words};
use super::{count, plant_minute};

/// Verdicts that are listed for readers without the script.
const LISTED_MAX: usize = 50;

/// The four counts at the top.
pub(super) fn lamps(report: &Report) -> String {
    let worst = report.episodes.iter().map(|episode| &episode.worst);
    let lamps: Vec<String> = figures::grades(worst)
        .into_iter()
        .map(|(grade, n)| {
            format!(
                "<li class=\"{}{}\">{}<b>{}</b></li>",
                grade.as_str().to_lowercase(),
                if n == 0 { " dark" } else { "" },
                mark(grade),
                count(n)
            )
        })
        .collect();
    format!("<ul class=\"lamps\">{}</ul>\n", lamps.concat())
}

/// Alerts in a day.
pub(super) fn load(report: &Report) -> String {
    let mut table = Table::new(
        "Alerts per day, as an operator would have seen them",
        &[
            "",
            "#In all",
            "#Mean per day",
            "#Most in one day",
            "Day with the most",
        ],
    );
    let rows = [
        (
            "MEDIUM or worse: the operator is told",
            figures::load(report, false),
        ),
        (
            "All verdicts, LOW included: LOW is only logged",
            figures::load(report, true),
        ),
    ];
    for (name, Load { alerts, mean, most }) in rows {
        let (day, n) = most.unwrap_or_else(|| ("–".to_owned(), 0));
        table.row([
            words(name),
            number(count(alerts)),
            number(mean.map_or_else(|| "–".to_owned(), three_digits)),
            number(count(n)),
            words(day),
        ]);
    }
    table.done()
        + &format!(
            "<p class=\"note\">A day is one on the plant's calendar. {} days of event time were \
             played: hours in which anything was observed, over 24.</p>\n",
            three_digits(figures::days_played(report))
        )
        + &report.played.alerts.map_or_else(String::new, budget)
}

/// What of the load is an alert within the plant's budget.
fn budget(load: AlertLoad) -> String {
    let rate = load.evidence_per_day.map_or_else(String::new, |rate| {
        format!(
            ", {} on a day of the whole fleet, true ones included",
            three_digits(rate)
        )
    });
    format!(
        "<p class=\"note\">The plant bears {} false alarms by statistics a day, so evidence is an \
         alert from {} device-days on: {} alerts by evidence{rate}; {} verdicts of MEDIUM or worse \
         stayed below and wait for whoever has time; {} alerts by rules, which no budget holds \
         back. They are in <code>alerts.jsonl</code>.</p>\n",
        three_digits(load.per_day),
        three_digits(load.level),
        count(load.evidence),
        count(load.held),
        count(load.rule)
    )
}

/// Device types.
pub(super) fn types(report: &Report) -> String {
    let is_labelled = report.truth.is_some();
    let mut heads = vec![
        "Device type",
        "#Devices",
        "#Seen",
        "#With a verdict",
        "#CRITICAL",
        "#HIGH",
        "#MEDIUM",
        "#LOW",
    ];
    if is_labelled {
        heads.push("#For nothing (MEDIUM or worse)");
    }
    heads.push("Profile");
    let mut table = Table::new("Device types, and what was raised about them", &heads);
    for (name, row) in figures::by_type(report) {
        let name = if name.is_empty() {
            "not in the inventory".to_owned()
        } else {
            name
        };
        let mut cells = vec![
            words(name),
            number(count(row.devices)),
            number(count(row.seen)),
            number(count(row.told_of)),
        ];
        cells.extend(
            figures::grades(row.worst.iter())
                .into_iter()
                .map(|(_, n)| number(if n == 0 { "·".to_owned() } else { count(n) })),
        );
        if is_labelled {
            cells.push(number(count(row.for_nothing)));
        }
        let profiles: Vec<String> = row
            .profiles
            .iter()
            .map(|(profile, hash)| format!("{profile} ({hash:.8})"))
            .collect();
        cells.push(words(if profiles.is_empty() {
            "none".to_owned()
        } else {
            profiles.join(", ")
        }));
        table.row(cells);
    }
    table.done()
        + "<p class=\"note\">Profiles are named with their version and the beginning of their hash.</p>\n"
}

/// The worst verdicts, for readers without the script and for what prints without it.
pub(super) fn worst(report: &Report) -> String {
    let mut episodes: Vec<&Episode> = report.episodes.iter().collect();
    episodes.sort_by_key(|e| (std::cmp::Reverse(e.worst), e.last.event_time));
    let mut table = Table::new(
        "The worst verdicts",
        &["Grade", "Opened (plant time)", "Device", "What", "Cause"],
    );
    for episode in episodes.iter().take(LISTED_MAX) {
        table.row([
            Cell::Grade(Some(episode.worst)),
            words(plant_minute(report.clock, episode.last.event_time)),
            words(episode.last.device_id.as_str()),
            words(&episode.last.sentence),
            words(cause(report, episode)),
        ]);
    }
    if table.is_empty() {
        return "<p>Nothing was raised.</p>\n".to_owned();
    }
    let more = episodes.len().saturating_sub(LISTED_MAX);
    let more = if more > 0 {
        format!(
            "<p>{} more are in verdicts.jsonl.</p>\n",
            count(more as u64)
        )
    } else {
        String::new()
    };
    table.done() + &more
}

fn cause<'a>(report: &'a Report, episode: &Episode) -> &'a str {
    match episode.cause {
        Cause::Unknown => "–",
        Cause::Nothing => "for nothing",
        Cause::Ladder => "volume ladder",
        Cause::Attack(number) => report
            .truth
            .as_ref()
            .and_then(|truth| truth.attacks.get(number))
            .map_or("attack", |attack| attack.name.as_str()),
    }
}

/// What was read.
pub(super) fn input(report: &Report) -> String {
    let mut files = Table::new(
        "Files that were read",
        &[
            "File",
            "Format",
            "#Records",
            "#Rejects",
            "#Passed over",
            "What was wrong",
        ],
    );
    for file in report.files {
        let wrong = file.first_refusal.as_deref();
        files.row([
            words(&file.path),
            words(file.format.map_or("not known", |format| format.as_str())),
            number(count(file.records)),
            number(count(file.rejects)),
            number(count(file.unread)),
            match wrong {
                Some(wrong) if file.records == 0 => {
                    Cell::Alarm(format!("nothing could be read: {wrong}"))
                }
                Some(wrong) => words(format!("first: {wrong}")),
                None => words("nothing"),
            },
        ]);
    }
    files.done() + &went(report)
}

fn went(report: &Report) -> String {
    let played = &report.played;
    let mut table = Table::new("Where every record went", &["", "#Count", "Kept in"]);
    table.row([
        words("Records read"),
        number(count(played.records)),
        words(""),
    ]);
    table.row([
        words("… that were observed"),
        number(count(played.records_observed)),
        words(""),
    ]);
    for (reason, n) in &played.rejects {
        let reason = reason.as_str().replace('_', " ");
        table.row([
            words(format!("… rejected: {reason}")),
            number(count(*n)),
            words("rejects.jsonl"),
        ]);
    }
    let rest = [
        ("Observations accepted", played.observations, ""),
        (
            "Observations too late for their window",
            played.late,
            "late.jsonl",
        ),
        (
            "Observations told twice",
            played.duplicates,
            "duplicates.jsonl",
        ),
        (
            "Parts of flows in windows that were closed",
            played.spread_late,
            "",
        ),
        (
            "Unproven observations, looked at but not counted",
            played.unproven_apart,
            "",
        ),
        (
            "Findings held back by declared maintenance",
            played.in_maintenance,
            "",
        ),
    ];
    for (name, n, kept) in rest {
        table.row([words(name), number(count(n)), words(kept)]);
    }
    table.done()
}

/// What all of it rests on.
pub(super) fn basis(report: &Report, held: usize, bytes: usize) -> String {
    let played = &report.played;
    let mut facts = vec![
        ("Profiles", played.profile_hash.clone()),
        ("Inventory", played.inventory_hash.clone()),
        ("Andon", played.version.clone()),
        (
            "Watched",
            format!(
                "{} device-hours of {} devices",
                count(played.device_hours),
                count(played.devices)
            ),
        ),
        ("Verdicts in this file", held_text(report, held, bytes)),
    ];
    if let Some(as_of) = played.as_of {
        let text = format!("{as_of}, for records that do not say when they were received");
        facts.insert(3, ("As of", text));
    }
    let list: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", html(value)))
        .collect();
    format!("<dl class=\"basis\">{}</dl>\n", list.concat())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn held_text(report: &Report, held: usize, bytes: usize) -> String {
    let total = report.episodes.len();
    let size = format!("{} MB", three_digits(bytes as f64 / 1e6));
    if held == total {
        return format!("all {}, {size}", count(total as u64));
    }
    let least = report.episodes.iter().map(|episode| episode.worst).min();
    format!(
        "the worst {} of {}, {size}; every one of them, down to {}, is in verdicts.jsonl",
        count(held as u64),
        count(total as u64),
        least.map_or("LOW", Grade::as_str),
    )
}
