//! Stretches of the week, `Mon-Fri 06:00-22:00`, and calendar days.

use crate::problems::{Refusal, quoted};
use crate::profile::HoursSpan;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const EVERY_DAY: u8 = 0b111_1111;
const DAY_MINUTES: u16 = 1440;

/// Reads a stretch of the week: `06:00-22:00`, `Mon-Fri 06:00-22:00`, `Mon,Wed 22:00-06:00`
/// (until the next morning), `Sat 00:00-24:00`, `always`.
///
/// # Errors
/// Says which day or time cannot be read.
pub fn hours_span(text: &str) -> Result<HoursSpan, Refusal> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("always") {
        return Ok(HoursSpan {
            days: EVERY_DAY,
            from: 0,
            to: DAY_MINUTES,
        });
    }
    if text.is_empty() {
        return Err(Refusal::new("no hours are written").hint("Write `06:00-22:00` or `always`."));
    }
    let (days, times) = match text.find(|c: char| c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let days = match days.trim() {
        "" => EVERY_DAY,
        days => read_days(days, text)?,
    };
    let times = times.trim();
    if times.is_empty() {
        // `[Mon,Wed 06:00-22:00]` is a list of two in YAML; taking `Mon` for a whole day would
        // widen the hours without a word.
        let hint = "Write `00:00-24:00` for a whole day; quote days parted by commas.";
        return Err(Refusal::new(format!("{} has no hours", quoted(text))).hint(hint));
    }
    let (from, to) = read_times(times, text)?;
    Ok(HoursSpan { days, from, to })
}

/// The text of a stretch of the week.
pub fn write_hours_span(span: &HoursSpan) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let times = format!("{}-{}", clock(span.from), clock(span.to));
    match (span.days, span.from, span.to) {
        (EVERY_DAY, 0, DAY_MINUTES) => "always".to_owned(),
        (EVERY_DAY, ..) => times,
        (days, ..) => format!("{} {times}", write_days(days)),
    }
}

/// Reads `2025-12-25` as days since 1970-01-01.
///
/// # Errors
/// Says that the text is no calendar day.
pub fn day_number(text: &str) -> Result<i32, Refusal> {
    let refusal = || {
        let refusal = Refusal::new(format!("{} is not a calendar day", quoted(text)));
        refusal.hint("Write it as `2025-12-25`.")
    };
    if text.len() != 10 {
        return Err(refusal());
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| refusal())?;
    let epoch = jiff::civil::date(1970, 1, 1);
    let days = day.duration_since(epoch).as_hours() / 24;
    i32::try_from(days).map_err(|_| refusal())
}

/// The text of a day, as [`day_number`] reads it.
pub fn write_day(days: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    let day = epoch.saturating_add(jiff::Span::new().days(days.clamp(-700_000, 2_900_000)));
    day.to_string()
}

fn read_days(days: &str, whole: &str) -> Result<u8, Refusal> {
    let mut mask = 0;
    for part in days.split(',') {
        let (first, last) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (first, last) = (read_day(first, whole)?, read_day(last, whole)?);
        // `Fri-Mon` runs over the end of the week.
        let length = (last + 7 - first) % 7;
        for step in 0..=length {
            mask |= 1 << ((first + step) % 7);
        }
    }
    Ok(mask)
}

fn read_day(day: &str, whole: &str) -> Result<usize, Refusal> {
    let day = day.trim();
    DAYS.iter()
        .position(|name| name.eq_ignore_ascii_case(day))
        .ok_or_else(|| {
            let cause = format!("{} in {} is not a day", quoted(day), quoted(whole));
            let long = DAYS
                .iter()
                .find(|name| day.to_lowercase().starts_with(&name.to_lowercase()));
            Refusal::new(cause).hint(match long {
                Some(name) => format!("Did you mean `{name}`?"),
                None => "Days are Mon, Tue, Wed, Thu, Fri, Sat and Sun.".to_owned(),
            })
        })
}

fn read_times(times: &str, whole: &str) -> Result<(u16, u16), Refusal> {
    let bad = |what: String| Refusal::new(what).hint("Write the hours as `06:00-22:00`.");
    let Some((from, to)) = times.split_once(['-', '–']) else {
        return Err(bad(format!("{} has no end", quoted(whole))));
    };
    let read = |text: &str| {
        clock(text.trim()).ok_or_else(|| {
            let cause = format!("{} in {} is not a time", quoted(text.trim()), quoted(whole));
            bad(cause)
        })
    };
    let (from, to) = (read(from)?, read(to)?);
    // Midnight as an end is the end of the day.
    let to = if to == 0 { DAY_MINUTES } else { to };
    if from == DAY_MINUTES || from == to {
        let refusal = Refusal::new(format!("{} has no length", quoted(whole)));
        return Err(refusal.hint("Write `always`, or `00:00-24:00` for whole days."));
    }
    Ok((from, to))
}

fn clock(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
}

/// `Mon-Fri`, `Mon,Wed`, `Mon-Wed,Sat`.
fn write_days(mask: u8) -> String {
    let mut runs = Vec::new();
    let mut day = 0;
    while day < 7 {
        if mask >> day & 1 == 0 {
            day += 1;
            continue;
        }
        let first = day;
        while day < 7 && mask >> day & 1 == 1 {
            day += 1;
        }
        runs.push(match day - first {
            1 => DAYS[first].to_owned(),
            2 => format!("{},{}", DAYS[first], DAYS[day - 1]),
            _ => format!("{}-{}", DAYS[first], DAYS[day - 1]),
        });
    }
    runs.join(",")
}
