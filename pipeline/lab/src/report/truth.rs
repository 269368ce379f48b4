//! Against the ground truth: what was found and how fast, what was missed, what was cried for
//! nothing, each rate with its unit and its interval.
#![expect(clippy::cast_precision_loss, reason = "rates are for people")]

use std::collections::BTreeMap;

use andon_detectors::words::{bytes_text, multiple_text, span_text, three_digits};
use andon_schemas::time::Span;

use super::data::{Cause, Report, Truth};
use super::escape::html;
use super::figures::{self, Rate, Share};
use super::table::{Cell, Table, number, words};
use super::{count, curves, plant_minute, promise};

/// The section.
pub(super) fn section(report: &Report, truth: &Truth) -> String {
    let mut section = String::new();
    section.push_str(&attacks(report, truth));
    section.push_str(&curves::delays(truth));
    section.push_str(&leaks(truth));
    section.push_str(&grades(report, truth));
    section.push_str(&curves::section(report, truth));
    section.push_str(&alarms(report, truth));
    section.push_str(&types(report));
    section.push_str(&promise::table(report, truth));
    section.push_str(&ladder(truth));
    section
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large for a span is cut to the longest"
)]
fn seconds(seconds: f64) -> String {
    if seconds < 0.001 {
        return "at once".to_owned();
    }
    span_text(Span::from_micros((seconds * 1e6) as i64))
}

fn attacks(report: &Report, truth: &Truth) -> String {
    let mut table = Table::new(
        "Attacks that the labels name",
        &[
            "Attack",
            "Device",
            "Began (plant time)",
            "Should reach",
            "Reached",
            "#Delay",
            "Result",
            "What was done",
        ],
    );
    for attack in &truth.attacks {
        let result = match (attack.later, attack.as_expected, attack.grade) {
            (true, ..) => words("not due yet"),
            (_, true, _) => words("found"),
            (_, _, None) => Cell::Alarm(match attack.unmatched {
                Some(why) => format!("matches nothing: {why}"),
                None => "missed".to_owned(),
            }),
            (_, _, Some(grade)) if grade < attack.expected_grade => {
                Cell::Alarm("graded too mildly".to_owned())
            }
            _ if !attack.missing.is_empty() => {
                Cell::Alarm(format!("without {}", attack.missing.join(", ")))
            }
            _ => Cell::Alarm("graded too severely".to_owned()),
        };
        table.row([
            words(&attack.name),
            words(attack.device.as_str()),
            words(plant_minute(report.clock, attack.start)),
            Cell::Grade(Some(attack.expected_grade)),
            Cell::Grade(attack.grade),
            number(attack.delay_s.map_or_else(|| "–".to_owned(), seconds)),
            result,
            words(&attack.note),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    let reached = |share| {
        let delay = figures::delay_quantile(truth, share);
        delay.map_or_else(|| "not reached".to_owned(), seconds)
    };
    table.done()
        + &format!(
            "<p class=\"note\">Delay until half of the attacks that were due were found: {}; until nine \
             in ten were: {}. Attacks that were missed count as the slowest. The delay runs from the \
             first moment of the attack to the finding that opened its verdict, in event time.</p>\n",
            reached(0.5),
            reached(0.9)
        )
}

/// What got out before anybody was told.
fn leaks(truth: &Truth) -> String {
    let mut table = Table::new(
        "Bytes that left during attacks",
        &[
            "Attack",
            "Device",
            "#Before it was found",
            "#In all",
            "#Kept in, had it been cut then",
        ],
    );
    let (mut before, mut total) = (0_u64, 0_u64);
    let bytes = |bytes: u64| number(bytes_text(bytes as f64));
    for attack in &truth.attacks {
        let Some(leak) = attack.leak else {
            continue;
        };
        before = before.saturating_add(leak.before_found);
        total = total.saturating_add(leak.total);
        table.row([
            words(&attack.name),
            words(attack.device.as_str()),
            bytes(leak.before_found),
            bytes(leak.total),
            bytes(leak.total.saturating_sub(leak.before_found)),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    table.row([
        words("all of them"),
        words(""),
        bytes(before),
        bytes(total),
        bytes(total.saturating_sub(before)),
    ]);
    table.done()
        + "<p class=\"note\">What the device sent to the other end that the label names; without one, \
           to addresses that are not the plant's. A flow counts when it is told, which is at its end: \
           of one that runs while the attack is found, all its bytes count as after. Moments are \
           compared by the minute, and what was told in that of the finding counts as before.</p>\n"
}

/// False alarms type by type, and what cried.
fn types(report: &Report) -> String {
    #[derive(Default)]
    struct Cried<'a> {
        medium: u64,
        low: u64,
        detectors: BTreeMap<&'a str, u64>,
    }
    let mut types: BTreeMap<&str, Cried> = BTreeMap::new();
    for episode in &report.episodes {
        if episode.cause != Cause::Nothing {
            continue;
        }
        let cried = types.entry(episode.last.device_type.as_str()).or_default();
        if episode.medium_at.is_some() {
            cried.medium += 1;
        } else {
            cried.low += 1;
        }
        for finding in &episode.last.findings {
            *cried
                .detectors
                .entry(finding.detector.as_str())
                .or_default() += 1;
        }
    }
    let mut table = Table::new(
        "False alarms by device type",
        &[
            "Device type",
            "#Devices seen",
            "#MEDIUM or worse",
            "#LOW",
            "What cried, how often",
        ],
    );
    for (name, cried) in types {
        let devices = report.devices.iter();
        let seen = devices.filter(|device| device.seen && device.device_type == name);
        let mut detectors: Vec<_> = cried.detectors.into_iter().collect();
        detectors.sort_by_key(|(detector, n)| (std::cmp::Reverse(*n), *detector));
        let detectors = detectors
            .iter()
            .map(|(detector, n)| format!("{} {}", detector.replace('_', " "), count(*n)));
        table.row([
            words(if name.is_empty() {
                "not in the inventory"
            } else {
                name
            }),
            number(count(seen.count() as u64)),
            number(count(cried.medium)),
            number(count(cried.low)),
            words(detectors.collect::<Vec<_>>().join(", ")),
        ]);
    }
    if table.is_empty() {
        return String::new();
    }
    table.done()
}

fn percent(share: f64) -> String {
    format!("{} %", three_digits(share * 100.0))
}

fn share_cells(share: Share) -> [Cell; 3] {
    let interval = if share.of == 0 {
        "–".to_owned()
    } else {
        format!(
            "{} – {}",
            percent(share.interval.0),
            percent(share.interval.1)
        )
    };
    [
        number(if share.of == 0 {
            "none".to_owned()
        } else {
            format!("{} of {}", count(share.hits), count(share.of))
        }),
        number(share.value().map_or_else(|| "–".to_owned(), percent)),
        number(interval),
    ]
}

fn grades(report: &Report, truth: &Truth) -> String {
    let mut table = Table::new(
        "Precision and recall, grade by grade",
        &[
            "Grade",
            "#Verdicts an attack caused",
            "#Precision",
            "#95 % interval",
            "#Attacks that reached it",
            "#Recall",
            "#95 % interval",
        ],
    );
    for row in figures::by_grade(report, truth) {
        let head = match row.grade {
            Some(grade) => Cell::Grade(Some(grade)),
            None => words("MEDIUM or worse"),
        };
        let cells = share_cells(row.precision)
            .into_iter()
            .chain(share_cells(row.recall));
        table.row([head].into_iter().chain(cells));
    }
    table.done()
        + "<p class=\"note\">Precision: of the verdicts whose worst grade this is, those that an \
           attack caused. Recall: of the attacks that should reach this grade, those that reached it \
           or a worse one. The volume ladder and attacks that are not due yet are left out. \
           Intervals are exact (Clopper–Pearson).</p>\n"
}

fn alarms(report: &Report, truth: &Truth) -> String {
    let mut table = Table::new(
        "What was cried for nothing",
        &[
            "Verdicts that nothing caused",
            "Per",
            "#Rate",
            "#95 % interval",
            "#Out of",
        ],
    );
    let kinds = [
        ("MEDIUM or worse", truth.false_positives),
        ("LOW", truth.low_for_nothing),
    ];
    for (name, events) in kinds {
        let share = Share::new(events, truth.device_hours);
        let head = format!("{name}: {}", count(events));
        let rate = share.value().map_or_else(|| "–".to_owned(), exact_percent);
        let (low, high) = share.interval;
        table.row([
            words(head),
            words("device-hour"),
            number(rate),
            number(format!("{} – {}", exact_percent(low), exact_percent(high))),
            number(format!("{} device-hours", count(truth.device_hours))),
        ]);
        let device_days = truth.device_hours as f64 / 24.0;
        table.row(rate_row(
            "device-day",
            "device-days",
            Rate::new(events, device_days),
        ));
        let days = figures::days_played(report);
        table.row(rate_row(
            "day of the fleet",
            "days",
            Rate::new(events, days),
        ));
    }
    table.done()
        + "<p class=\"note\">A false alarm is a device-hour in which a verdict first reaches MEDIUM \
           and no attack explains it. Intervals are exact: Clopper–Pearson for the share of \
           device-hours, Garwood for rates. They hold for alarms that do not depend on each other; \
           alarms of one device often do.</p>\n"
}

/// A share of a thousandth of a percent does not read as 0.
fn exact_percent(share: f64) -> String {
    format!("{:.4} %", share * 100.0)
}

fn rate_row(per: &str, unit: &str, rate: Rate) -> [Cell; 5] {
    let say = |value: f64| {
        if value.is_finite() {
            format!("{value:.4}")
        } else {
            "∞".to_owned()
        }
    };
    [
        words(""),
        words(per),
        number(rate.value().map_or_else(|| "–".to_owned(), say)),
        number(format!(
            "{} – {}",
            say(rate.interval.0),
            say(rate.interval.1)
        )),
        number(format!("{} {unit}", multiple_text(rate.exposure))),
    ]
}

fn ladder(truth: &Truth) -> String {
    if truth.ladder.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        "The volume ladder: what share of devices is found, by how much more they moved",
        &[
            "Times the usual volume",
            "#Found",
            "#Recall",
            "#95 % interval",
            "#At MEDIUM or worse",
            "#Recall",
            "#95 % interval",
            "#Median delay",
        ],
    );
    for rung in &truth.ladder {
        let any = share_cells(Share::new(rung.found_any, rung.devices));
        let medium = share_cells(Share::new(rung.found_medium, rung.devices));
        let delay = rung.median_delay_h;
        table.row(
            [words(format!("×{}", rung.factor))]
                .into_iter()
                .chain(any)
                .chain(medium)
                .chain([number(delay.map_or_else(
                    || "–".to_owned(),
                    |hours| format!("{} h", three_digits(hours)),
                ))]),
        );
    }
    table.done()
        + &format!(
            "<p class=\"note\">{}</p>\n",
            html(
                "Devices on the ladder, and their hours, count neither as attacks nor as false alarms above.",
            )
        )
}
