//! Numbers with units, and ranges of them.

use super::Dimension;
use crate::problems::{Refusal, quoted};

/// Longest accepted text, in bytes; every honest quantity is far shorter.
const TEXT_BYTES_MAX: usize = 64;

/// Reads one quantity, `2 KB`, in the base unit of its dimension.
///
/// # Errors
/// Says what is wrong: no number, a missing or foreign unit, a sign.
pub fn amount(text: &str, dimension: Dimension) -> Result<f64, Refusal> {
    let written = Written::read(text, text, dimension)?;
    written.value(text, dimension, None)
}

/// Reads a range, `50-150 MB`, both ends included; a single value is both its ends. The unit of
/// the upper end holds for the lower one too, unless that has its own (`500 KB-2 MB`).
///
/// # Errors
/// As [`amount`]; also a range whose ends are reversed.
pub fn range(text: &str, dimension: Dimension) -> Result<(f64, f64), Refusal> {
    let Some((low, high)) = split(text) else {
        let both = amount(text, dimension)?;
        return Ok((both, both));
    };
    let high = Written::read(high, text, dimension)?;
    let low = Written::read(low, text, dimension)?;
    let ends = (
        low.value(text, dimension, high.unit)?,
        high.value(text, dimension, low.unit)?,
    );
    if ends.0 > ends.1 {
        let refusal = Refusal::new(format!("range {} is reversed", quoted(text)));
        return Err(refusal.hint("Write the smaller end first."));
    }
    Ok(ends)
}

/// The two ends of a range: separated by a hyphen, an en dash, or ` to `.
fn split(text: &str) -> Option<(&str, &str)> {
    let halves = text
        .split_once('–')
        .or_else(|| text.split_once(" to "))
        .or_else(|| text.split_once('-'))?;
    // A leading hyphen is a sign, which `Written` refuses with the right words.
    (!halves.0.trim().is_empty()).then_some(halves)
}

/// A number as written, with the worth of its unit if it bears one.
struct Written {
    /// Digits and decimal point, groups joined.
    digits: String,
    number: f64,
    unit: Option<f64>,
}

impl Written {
    /// Reads `part` of `whole`; the whole is what messages quote.
    fn read(part: &str, whole: &str, dimension: Dimension) -> Result<Self, Refusal> {
        if whole.len() > TEXT_BYTES_MAX {
            return Err(Refusal::new(format!("{} is too long", quoted(whole))));
        }
        let part = part.trim();
        if part.starts_with('-') {
            let refusal = Refusal::new(format!("{} is negative", quoted(whole)));
            return Err(refusal.hint("Nothing that is counted here can be below zero."));
        }
        let end = part
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '_')))
            .unwrap_or(part.len());
        let (digits, unit) = part.split_at(end);
        let (digits, number) = number(digits).ok_or_else(|| not_a_number(whole, dimension))?;
        let unit = unit.trim();
        let unit = match unit {
            "" => None,
            unit => Some(worth(unit, whole, dimension)?),
        };
        Ok(Self {
            digits,
            number,
            unit,
        })
    }

    fn value(&self, whole: &str, dimension: Dimension, other: Option<f64>) -> Result<f64, Refusal> {
        let factor = match (self.unit.or(other), dimension) {
            (Some(worth), _) => worth,
            (None, Dimension::Count) => 1.0,
            (None, Dimension::Share) if self.number < 1.0 => 1.0,
            (None, _) => {
                let refusal = Refusal::new(format!("{} has no unit", quoted(whole)));
                return Err(refusal.hint(dimension.advice()));
            }
        };
        // A unit below the base unit shifts the decimal point of the text, so that 7 % is the
        // number nearest to 0.07; multiplying by 0.01 is not.
        let value = match shift_of(factor) {
            Some(places) => format!("{}e-{places}", self.digits)
                .parse()
                .unwrap_or(self.number),
            None => self.number * factor,
        };
        if value > 1e18 {
            return Err(Refusal::new(format!("{} is too large", quoted(whole))));
        }
        if dimension == Dimension::Share && value > 1.0 {
            return Err(Refusal::new(format!(
                "{} is more than 100 %",
                quoted(whole)
            )));
        }
        Ok(value)
    }
}

fn not_a_number(whole: &str, dimension: Dimension) -> Refusal {
    let refusal = Refusal::new(format!("{} does not begin with a number", quoted(whole)));
    refusal.hint(match dimension {
        Dimension::Bytes => "Write for instance `2 KB` or `50-150 MB`.",
        Dimension::Seconds => "Write for instance `5 s` or `15 min`.",
        Dimension::Amperes => "Write for instance `8.0 A` or `2.0-8.0 A`.",
        Dimension::Rpm => "Write for instance `0-12000 rpm`.",
        Dimension::Share => "Write for instance `95 %`.",
        Dimension::Count => "Write for instance `10` or `10-50`.",
    })
}

/// Digits with an optional fraction; `,` and `_` may part groups of three digits.
fn number(digits: &str) -> Option<(String, f64)> {
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !fraction.is_none_or(plain) {
        return None;
    }
    let mut groups = whole.split([',', '_']);
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let grouped = rest.iter().all(|group| group.len() == 3 && plain(group));
    if !plain(first) || !grouped || (!rest.is_empty() && first.len() > 3) {
        return None;
    }
    let text: String = digits.chars().filter(|c| !matches!(c, ',' | '_')).collect();
    let number = text.parse::<f64>().ok()?;
    number.is_finite().then_some((text, number))
}

/// By how many decimal places a unit lies below its base unit; nothing for larger units.
pub(super) fn shift_of(worth: f64) -> Option<usize> {
    match worth {
        0.01 => Some(2),
        0.001 => Some(3),
        _ => None,
    }
}

fn worth(unit: &str, whole: &str, dimension: Dimension) -> Result<f64, Refusal> {
    if let Some((_, worth)) = dimension.units().iter().find(|(name, _)| *name == unit) {
        return Ok(*worth);
    }
    let refusal = Refusal::new(format!(
        "unit {} of {} is unknown here",
        quoted(unit),
        quoted(whole)
    ));
    let spelled = match unit.to_lowercase().as_str() {
        "bytes" | "byte" => Some("B"),
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "m" | "mins" | "minute" | "minutes" => Some("min"),
        "hour" | "hours" => Some("h"),
        "day" | "days" => Some("d"),
        "amp" | "amps" | "ampere" | "amperes" => Some("A"),
        "r/min" | "1/min" | "min-1" => Some("rpm"),
        "percent" | "pct" => Some("%"),
        _ => None,
    };
    let near = dimension
        .units()
        .iter()
        .map(|(name, _)| *name)
        .find(|name| spelled == Some(*name) || name.eq_ignore_ascii_case(unit));
    Err(match near {
        Some(name) => refusal.hint(format!("Did you mean `{name}`?")),
        None => refusal.hint(dimension.advice()),
    })
}
