//! How moments are written: which formats there are, and whether a pattern can be read back.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};

use super::TimeFormat;
use crate::problems::{Refusal, quoted};

/// Longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 128;

const ADVICE: &str = "Write iso, unix, unix_ms, unix_us, or a pattern such as `%d/%m/%Y %H:%M`.";

/// A format, and whether its times say how far they are from UTC.
///
/// # Errors
/// A pattern that says no time, or one that what it writes cannot be read back with.
pub(super) fn format(text: &str) -> Result<(TimeFormat, bool), Refusal> {
    let unix = |unit| Ok((TimeFormat::Unix(unit), true));
    match text {
        "iso" => return Ok((TimeFormat::Iso, false)),
        "unix" => return unix(1_000_000),
        "unix_ms" => return unix(1_000),
        "unix_us" => return unix(1),
        _ => {}
    }
    if !text.contains('%') {
        return Err(Refusal::new(format!("{} is no format", quoted(text))).hint(ADVICE));
    }
    if text.len() > PATTERN_BYTES_MAX {
        return Err(Refusal::new("the pattern is too long").hint(ADVICE));
    }
    pattern(text)
}

fn pattern(text: &str) -> Result<(TimeFormat, bool), Refusal> {
    let cannot = |cause: String| {
        Refusal::new(format!("pattern {} cannot be used: {cause}", quoted(text))).hint(ADVICE)
    };
    // Written and read back: what is lost on the way a row could not tell either.
    let zoned = SAMPLE
        .to_zoned_datetime(TimeZone::fixed(Offset::UTC))
        .map_err(|e| cannot(e.to_string()))?;
    let written = strtime::format(text, &zoned).map_err(|e| cannot(e.to_string()))?;
    let read = strtime::parse(text, written.trim()).map_err(|e| cannot(e.to_string()))?;
    let absolute = read.to_timestamp().is_ok();
    let dated = absolute || read.to_date().is_ok();
    // A day alone is its midnight; nothing at all is no moment.
    if !absolute && (read.to_time().is_err() || (!dated && read.hour().is_none())) {
        return Err(cannot("it has no time of day".to_owned()));
    }
    let some_date = read.year().is_some() || read.month().is_some() || read.day().is_some();
    if !dated && some_date {
        return Err(cannot(
            "it has a part of a date, not a whole one".to_owned(),
        ));
    }
    let format = TimeFormat::Pattern {
        text: text.to_owned(),
        dated,
    };
    Ok((format, absolute))
}

/// A time that every directive has something to say about.
const SAMPLE: DateTime = jiff::civil::datetime(2018, 12, 27, 21, 40, 52, 362_768_000);

/// A day as `2018-12-18`.
///
/// # Errors
/// Anything else.
pub(super) fn date(text: &str) -> Result<Date, Refusal> {
    text.parse().map_err(|_| {
        Refusal::new(format!("{} is not a day", quoted(text))).hint("Write it as `2018-12-18`.")
    })
}

/// A zone of the IANA database.
///
/// # Errors
/// One that is not in it.
pub(super) fn zone(text: &str) -> Result<TimeZone, Refusal> {
    TimeZone::get(text).map_err(|_| {
        Refusal::new(format!(
            "time zone {} is not in the IANA database",
            quoted(text)
        ))
        .hint("Write an IANA name such as `Europe/Berlin`, or `UTC`.")
    })
}
