//! The first thing that is read: what was played, what was raised, and whether that was right, in
//! plain sentences.

use andon_detectors::words::span_text;
use andon_schemas::grade::Grade;
use andon_schemas::time::Span;

use super::data::{Cause, Report, Truth};
use super::figures::{self, Share};
use super::{count, counted, plant_minute};

/// The sentences: what was played, what was raised, what it is worth.
pub(super) fn sentences(report: &Report) -> [String; 3] {
    [
        played(report),
        raised(report),
        report.truth.as_ref().map_or_else(
            || {
                "No ground truth was given, so nothing can be said here about what was missed or \
                 cried for nothing."
                    .to_owned()
            },
            |truth| worth(report, truth),
        ),
    ]
}

fn played(report: &Report) -> String {
    let played = &report.played;
    let what = format!(
        "{} of {}",
        counted(played.records, "record", "records"),
        counted(played.devices, "device", "devices")
    );
    match played.stretch {
        Some((first, last)) => format!(
            "{what} were played, from {} to {} plant time ({}): {}.",
            plant_minute(report.clock, first),
            plant_minute(report.clock, last),
            report.clock.name(),
            span_text(last.since(first)),
        ),
        None => format!("{what} were played; not one of them could be observed."),
    }
}

fn raised(report: &Report) -> String {
    let total = report.episodes.len() as u64;
    if total == 0 {
        return "Nothing was raised.".to_owned();
    }
    let worst = report.episodes.iter().map(|episode| &episode.worst);
    let parts: Vec<String> = figures::grades(worst)
        .into_iter()
        .filter(|(_, n)| *n > 0)
        .map(|(grade, n)| format!("{}\u{a0}{grade}", count(n)))
        .collect();
    let devices: std::collections::BTreeSet<&str> = report
        .episodes
        .iter()
        .map(|episode| episode.last.device_id.as_str())
        .collect();
    format!(
        "{} raised about {}: {}.",
        counted(total, "verdict was", "verdicts were"),
        counted(devices.len() as u64, "device", "devices"),
        parts.join(", ")
    )
}

fn worth(report: &Report, truth: &Truth) -> String {
    format!("{} {}", found(truth), cried(report, truth))
}

fn found(truth: &Truth) -> String {
    let due: Vec<_> = truth
        .attacks
        .iter()
        .filter(|attack| !attack.later)
        .collect();
    let short: Vec<String> = due
        .iter()
        .filter(|attack| !attack.as_expected)
        .map(|attack| format!("{} on {}", attack.name, attack.device.as_str()))
        .collect();
    let delays = due.iter().filter_map(|attack| attack.delay_s);
    let slowest = delays.fold(0.0_f64, f64::max);
    match (due.len(), short.len()) {
        (0, _) => "The labels name no attack that is due a verdict.".to_owned(),
        (1, 0) => format!(
            "The attack was found as it should be, {} after it began.",
            span(slowest)
        ),
        (n, 0) => format!(
            "All {n} attacks were found as they should be, each within {} of its beginning.",
            span(slowest)
        ),
        (n, missed) => format!(
            "{missed} of {n} attacks {} missed, or not found as {} should be: {}.",
            if missed == 1 { "was" } else { "were" },
            if missed == 1 { "it" } else { "they" },
            short.join(", ")
        ),
    }
}

fn cried(report: &Report, truth: &Truth) -> String {
    let low = report
        .episodes
        .iter()
        .filter(|episode| episode.cause == Cause::Nothing && episode.worst == Grade::Low)
        .count() as u64;
    let low = match low {
        0 => String::new(),
        n => format!(
            " {} LOW {} for nothing too.",
            count(n),
            if n == 1 { "was" } else { "were" }
        ),
    };
    if truth.false_positives == 0 {
        return format!("No alarm of MEDIUM or worse was for nothing.{low}");
    }
    let share = Share::new(truth.false_positives, truth.device_hours);
    let every = truth.device_hours / truth.false_positives;
    format!(
        "{} of MEDIUM or worse {} for nothing: one in {} device-hours, {}\u{a0}%.{low}",
        counted(truth.false_positives, "alarm", "alarms"),
        if truth.false_positives == 1 {
            "was"
        } else {
            "were"
        },
        count(every),
        share
            .value()
            .map_or_else(String::new, |value| format!("{:.3}", value * 100.0)),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float that is too large for a span is cut to the longest"
)]
fn span(seconds: f64) -> String {
    span_text(Span::from_micros((seconds * 1e6) as i64))
}
