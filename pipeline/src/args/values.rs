//! Values on the command line: times, speeds, numbers of things.

use std::str::FromStr;

use andon_engine::VNODES;

/// Reads `30s`, `5m`, `2h`, `500ms` or a number of seconds.
pub(crate) fn parse_duration(text: &str) -> Result<f64, String> {
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unit `{unit}` is none of ms, s, m, h")),
    };
    match number.trim().parse::<f64>() {
        // Anything longer than a century is a slip.
        Ok(value) if value > 0.0 && value * factor < 3.2e9 => Ok(value * factor),
        _ => Err(format!("`{text}` is not a time such as `30s`")),
    }
}

/// Reads how many times as fast as life something is to run.
pub(super) fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err(format!("`{text}` is not a number above 0")),
    }
}

/// Reads how many there are to be of something; none is a slip.
pub(super) fn parse_some<N: FromStr + PartialEq + From<u8>>(text: &str) -> Result<N, String> {
    match text.parse() {
        Ok(number) if number != N::from(0) => Ok(number),
        _ => Err(format!("`{text}` is not a whole number above 0")),
    }
}

/// Reads a share strictly between 0 and 1: `0.001`, or `0.1%`.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim(), 0.01),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(share) if share * scale > 0.0 && share * scale < 1.0 => Ok(share * scale),
        _ => Err(format!(
            "`{text}` is not a share between 0 and 1, such as `0.001` or `0.1%`"
        )),
    }
}

/// Most devices that are simulated: each takes memory before the first record.
const DEVICES_MAX: usize = 1_000_000;

pub(super) fn parse_devices(text: &str) -> Result<usize, String> {
    match parse_some(text)? {
        devices if devices <= DEVICES_MAX => Ok(devices),
        _ => Err(format!("at most {DEVICES_MAX} devices are simulated")),
    }
}

/// Reads a number of threads.
pub(super) fn parse_shards(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(shards) => check_shards(shards),
        Err(_) => Err(format!("`{text}` is not a whole number")),
    }
}

/// A number of threads that the engine can use: there is at most one for every virtual node.
///
/// # Errors
/// If it is none or more than that.
pub fn check_shards(shards: usize) -> Result<usize, String> {
    if (1..=VNODES).contains(&shards) {
        return Ok(shards);
    }
    Err(format!("`{shards}` is not between 1 and {VNODES}"))
}
