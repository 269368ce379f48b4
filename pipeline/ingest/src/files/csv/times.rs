//! Moments as a CSV writes them.

use andon_schemas::mapping::{Field, TimeFormat};
use andon_schemas::time::EventTime;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use crate::files::number::{decimal_micros, iso_time, within};

const HOUR: i64 = 3_600_000_000;

/// Which day it is in a file that bears times of day only: a time that goes back by more than an
/// hour is of the next day, and one that goes forward by more than 23 hours after that is of the
/// day before. Smaller steps are rows out of order.
#[derive(Debug)]
pub(super) struct Days {
    fields: [Option<Day>; 2],
    first: Option<Date>,
}

#[derive(Clone, Copy, Debug)]
struct Day {
    date: Date,
    /// Time of day of the last row, microseconds.
    last: i64,
    turned: bool,
}

impl Days {
    pub(super) const fn new(first: Option<Date>) -> Self {
        Self {
            fields: [None; 2],
            first,
        }
    }

    fn place(&mut self, field: Field, time: Time) -> Option<DateTime> {
        let at = time.duration_since(Time::midnight()).as_micros();
        let at = i64::try_from(at).ok()?;
        let day = &mut self.fields[usize::from(field == Field::Start)];
        let day = match day {
            Some(day) => day,
            None => day.insert(Day {
                date: self.first?,
                last: at,
                turned: false,
            }),
        };
        let step = at - day.last;
        if step > 23 * HOUR && day.turned {
            return Some(day.date.yesterday().ok()?.to_datetime(time));
        }
        if step < -HOUR {
            day.date = day.date.tomorrow().ok()?;
            day.turned = true;
        }
        day.last = at;
        Some(day.date.to_datetime(time))
    }
}

/// Why a text is no moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoTime {
    /// It is not written as the mapping says.
    Unlike,
    /// It says no offset, and the mapping no zone.
    Nowhere,
}

/// The moment that a text says.
pub(super) fn moment(
    text: &str,
    format: &TimeFormat,
    field: Field,
    zone: Option<&TimeZone>,
    days: &mut Days,
) -> Result<EventTime, NoTime> {
    match format {
        TimeFormat::Iso => match iso_time(text) {
            Some(time) => Ok(time),
            None => in_zone(text.parse().map_err(|_| NoTime::Unlike)?, zone),
        },
        // Whole as they stand: a million times as many would not fit, as the others do.
        TimeFormat::Unix(1) => {
            let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
            let micros = whole.parse().ok();
            micros.and_then(within).ok_or(NoTime::Unlike)
        }
        TimeFormat::Unix(unit) => decimal_micros(text)
            .map(|micros| micros / (1_000_000 / unit))
            .and_then(within)
            .ok_or(NoTime::Unlike),
        TimeFormat::Pattern {
            text: pattern,
            dated,
        } => {
            let read = strtime::parse(pattern, text).map_err(|_| NoTime::Unlike)?;
            if let Ok(time) = read.to_timestamp() {
                return within(time.as_microsecond()).ok_or(NoTime::Unlike);
            }
            let civil = if *dated {
                read.to_datetime().ok()
            } else {
                read.to_time().ok().and_then(|time| days.place(field, time))
            };
            in_zone(civil.ok_or(NoTime::Unlike)?, zone)
        }
    }
}

/// The moment at which a zone's clock shows this: where it shows it twice, the first; where it
/// skips it, so much after the jump.
fn in_zone(civil: DateTime, zone: Option<&TimeZone>) -> Result<EventTime, NoTime> {
    let zone = zone.ok_or(NoTime::Nowhere)?;
    let time = zone.to_timestamp(civil).map_err(|_| NoTime::Unlike)?;
    within(time.as_microsecond()).ok_or(NoTime::Unlike)
}
