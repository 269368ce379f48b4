//! Quantities back to text: the largest unit that says the value exactly, so that what is
//! written reads back as the same number.

use super::{Dimension, amount, range};

/// The text of a value given in the base unit of its dimension; reads back as the same value.
pub fn write_amount(value: f64, dimension: Dimension) -> String {
    let candidates = dimension
        .units()
        .iter()
        // `kB` and the binary units are read, but decimal units are what is written.
        .filter(|(name, _)| !name.contains('i') || dimension != Dimension::Bytes)
        .filter(|(name, _)| *name != "kB")
        .flat_map(|(name, worth)| {
            let number = if *worth < 1.0 {
                value * (1.0 / worth).round()
            } else {
                value / worth
            };
            // Shortest first: 0.07 * 100 is not 7, but 7 % reads back as 0.07.
            [6, 9].map(|digits| (*name, rounded(number, digits)))
        });
    let exact = |text: &String| amount(text, dimension) == Ok(value);
    let whole_units = dimension.units().iter().all(|(_, worth)| *worth <= 1.0);
    for (name, number) in candidates {
        let text = format!("{number} {name}");
        if (number >= 1.0 || value == 0.0 || whole_units) && exact(&text) {
            return text;
        }
    }
    match dimension {
        Dimension::Count | Dimension::Share => format!("{value}"),
        Dimension::Bytes => format!("{value} B"),
        Dimension::Seconds => format!("{value} s"),
        Dimension::Amperes => format!("{value} A"),
        Dimension::Rpm => format!("{value} rpm"),
    }
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

fn rounded(number: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    let rounded = (number * scale).round() / scale;
    if rounded.is_finite() { rounded } else { number }
}
