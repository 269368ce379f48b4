//! Units of whole columns: what a number in them is multiplied by.

use super::Field;
use crate::problems::{Refusal, quoted, suggestion};

type Unit = (&'static str, f64);

const DURATION: &[Unit] = &[
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("min", 6e7),
    ("h", 3.6e9),
];
const BYTES: &[Unit] = &[
    ("B", 1.0),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1_024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
];
const CURRENT: &[Unit] = &[
    ("A", 1.0),
    ("mA", 1e-3),
    ("W", 1.0),
    ("kW", 1e3),
    ("VA", 1.0),
    ("kVA", 1e3),
];
const SPEED: &[Unit] = &[("rpm", 1.0), ("Hz", 60.0)];

/// Units of power, which need a voltage to become current.
const POWER: [&str; 4] = ["W", "kW", "VA", "kVA"];

/// The units that a field may have; the one it has unless written stands under `usual`.
const fn units(field: Field) -> Option<&'static [Unit]> {
    match field {
        Field::Duration => Some(DURATION),
        Field::OrigBytes | Field::RespBytes | Field::TotalBytes => Some(BYTES),
        Field::CurrentA => Some(CURRENT),
        Field::SpindleRpm => Some(SPEED),
        _ => None,
    }
}

/// The factor of a field whose unit is not written.
pub(super) const fn usual(field: Field) -> f64 {
    match field {
        Field::Duration => 1e6,
        _ => 1.0,
    }
}

/// Whether numbers in this unit are powers.
pub(super) fn is_power(unit: &str) -> bool {
    POWER.contains(&unit)
}

/// The factor of a unit.
///
/// # Errors
/// A unit that the field cannot have, with those that it can.
pub(super) fn factor(field: Field, unit: &str) -> Result<f64, Refusal> {
    let name = field.name();
    let Some(known) = units(field) else {
        return Err(Refusal::new(format!("`{name}` has no unit")).hint("Leave `unit:` out."));
    };
    if let Some((_, factor)) = known.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let mut refusal = Refusal::new(format!("unit {} of `{name}` is unknown", quoted(unit)));
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let spelled = names.iter().find(|name| name.eq_ignore_ascii_case(unit));
    refusal.hint = match spelled {
        Some(name) => Some(format!("Did you mean `{name}`?")),
        // One letter is close to every other one.
        None if unit.len() < 3 => Some(format!("Known: {}.", names.join(", "))),
        None => suggestion(unit, names.iter().copied()),
    };
    Err(refusal)
}
