//! Quantities back to text: the largest unit that says the value exactly, so that what is
//! written reads back as the same number.

use super::number::shift_of;
use super::{Dimension, amount, range};

/// The text of a value given in the base unit of its dimension; reads back as the same value.
pub fn write_amount(value: f64, dimension: Dimension) -> String {
    if dimension == Dimension::Count {
        return format!("{value}");
    }
    let exact = |text: &String| amount(text, dimension) == Ok(value);
    // `kB` and the binary units are read, but decimal units are what is written.
    let units = dimension.units().iter().filter(|(name, _)| {
        dimension != Dimension::Bytes || (!name.contains('i') && *name != "kB")
    });
    let mut smallest = String::new();
    for (name, worth) in units {
        let Some(places) = shift_of(*worth) else {
            let number = rounded(value / worth);
            smallest = format!("{number} {name}");
            if (number >= 1.0 || (value == 0.0 && *worth <= 1.0)) && exact(&smallest) {
                return smallest;
            }
            if *worth <= 1.0 {
                smallest = format!("{value} {name}");
            }
            continue;
        };
        let text = format!("{} {name}", shifted(value, places));
        if smallest.is_empty() || text.len() < smallest.len() {
            return text;
        }
    }
    smallest
}

/// The text of a range; a range without width is written as one value.
pub fn write_range(ends: (f64, f64), dimension: Dimension) -> String {
    let high = write_amount(ends.1, dimension);
    if ends.0.to_bits() == ends.1.to_bits() {
        return high;
    }
    let low = write_amount(ends.0, dimension);
    let bare = low.split(' ').next().unwrap_or(&low);
    let short = format!("{bare}-{high}");
    if range(&short, dimension) == Ok(ends) {
        return short;
    }
    // Another unit at the lower end, or zero written in the largest unit.
    format!("{low}-{high}")
}

/// To nine decimals: the text of `value / worth` is shorter than the quotient's, and the caller
/// checks that it still reads back.
fn rounded(number: f64) -> f64 {
    let rounded = (number * 1e9).round() / 1e9;
    if rounded.is_finite() { rounded } else { number }
}

/// The decimal text of a value with its point moved to the right; exact, unlike a product.
fn shifted(value: f64, places: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let places = isize::try_from(places).unwrap_or(0);
    let point = 1 + exponent.parse::<isize>().unwrap_or(0) + places;
    let length = digits.len();
    match usize::try_from(point) {
        Ok(0) | Err(_) => format!("0.{}{digits}", "0".repeat(point.unsigned_abs())),
        Ok(point) if point >= length => format!("{digits}{}", "0".repeat(point - length)),
        Ok(point) => format!("{}.{}", &digits[..point], &digits[point..]),
    }
}
