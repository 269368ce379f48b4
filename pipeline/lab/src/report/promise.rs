//! What calibrated profiles promise, and what this backtest saw of it.

use andon_detectors::words::three_digits;

use super::data::{Cause, Promise, Report, Truth};
use super::figures::Share;
use super::table::{Cell, Table, number, words};
use super::{count, counted};

/// The table; nothing where no profile promises anything.
pub(super) fn table(report: &Report, truth: &Truth) -> String {
    if report.promises.is_empty() {
        return String::new();
    }
    let mut table = Table::new(
        "As promised? False alarms that calibrated profiles allow, against those seen here",
        &[
            "Profiles",
            "#Promised, per device-hour",
            "#Sure to",
            "#Rests on",
            "#Seen here",
            "#Share",
            "#95 % interval",
            "Result",
        ],
    );
    for promise in &report.promises {
        table.row(row(report, truth, promise));
    }
    table.done()
        + "<p class=\"note\">A promise is one about all fleets like the one it was tuned on, and not \
           about this backtest alone. It is kept here if the whole interval lies below it, and broken \
           if the whole interval lies above. Intervals are exact (Clopper–Pearson) and hold for alarms \
           that do not depend on each other. Devices without a profile of this promise are left out, \
           each with as many hours as were played, which is the most it can have.</p>\n"
}

fn row(report: &Report, truth: &Truth, promise: &Promise) -> [Cell; 8] {
    let is_of = |name: &str| promise.profiles.iter().any(|profile| profile == name);
    let cried = report.episodes.iter().filter(|episode| {
        episode.cause == Cause::Nothing
            && episode.medium_at.is_some()
            && is_of(&episode.last.profile.name)
    });
    let cried = cried.count() as u64;
    let seen = || report.devices.iter().filter(|device| device.seen);
    let covered = seen().filter(|device| is_of(&device.device_type)).count();
    let apart = seen().count().saturating_sub(covered) as u64;
    let hours = apart.saturating_mul(report.played.hours);
    let least = truth.device_hours.saturating_sub(hours);
    let is_told = covered > 0 && least > 0;
    let target = promise.calibration.false_positives;
    let share = Share::new(cried, least);
    // Either end from the hours that make the interval wider.
    let (low, _) = Share::new(cried, truth.device_hours).interval;
    let (_, high) = share.interval;
    let result = if !is_told {
        words(format!(
            "cannot be told: {covered} of {} that were seen have such a profile",
            counted(seen().count() as u64, "device", "devices")
        ))
    } else if high <= target {
        words("kept")
    } else if low > target {
        Cell::Alarm("broken".to_owned())
    } else {
        words("not contradicted; too little was played to say more")
    };
    let percent = |share: f64| format!("{} %", three_digits(share * 100.0));
    let whole = |text: String| if is_told { text } else { "–".to_owned() };
    [
        words(promise.profiles.join(", ")),
        number(format!("at most {}", percent(target))),
        number(percent(promise.calibration.confidence)),
        number(counted(
            promise.calibration.device_hours,
            "device-hour",
            "device-hours",
        )),
        number(if is_told {
            let hours = counted(least, "device-hour", "device-hours");
            let at_least = if apart > 0 { "at least " } else { "" };
            format!("{} in {at_least}{hours}", count(cried))
        } else {
            count(cried)
        }),
        number(whole(share.value().map_or_else(|| "–".to_owned(), percent))),
        number(whole(format!("{} – {}", percent(low), percent(high)))),
        result,
    ]
}
