//! The state a device is in: current draw, spindle speed and firmware.

use std::collections::BTreeSet;

use super::contract::{CURRENT, SPINDLE};
use super::read::{Layers, coverage, covered, positive};
use super::{COVERAGE_DEFAULT, Current, Firmware, Spindle};
use crate::problems::{Refusal, quoted};
use crate::quantity::{Dimension, day_number};
use crate::yaml::{Key, Node, Report, Section, Shape};

/// Current draw by state.
pub(crate) fn current(layers: &Layers<'_>, report: &mut Report) -> Option<Current> {
    let node = layers.get("current")?;
    if !report.mapping(node, "{ idle: 0.5-1.0 A, active: 2.0-8.0 A }") {
        return None;
    }
    let fields = layers.fields("current", &CURRENT, report);
    let coverage = coverage(fields.get("coverage"), report);
    let idle = fields.must("idle", "0.5-1.0 A", report);
    let idle = covered(idle, Dimension::Amperes, coverage, report);
    let active_node = fields.must("active", "2.0-8.0 A", report);
    let active = covered(active_node, Dimension::Amperes, coverage, report);
    let limit_node = fields.get("limit");
    let limit = report.read_if(limit_node, |text| positive(text, Dimension::Amperes));
    let (idle, active) = (idle?, active?);
    if idle.hi >= active.lo {
        let refusal = Refusal::new("idle and active currents overlap");
        let hint = "The states are told apart by the current: leave a gap between them.";
        report.value(active_node?, refusal.hint(hint));
    }
    if let (Some(limit), Some(node)) = (limit, limit_node)
        && limit < active.hi
    {
        let refusal = Refusal::new("the limit lies below the active current");
        report.value(
            node,
            refusal.hint("Write it above the upper end of `active:`."),
        );
    }
    Some(Current {
        idle,
        active,
        limit,
    })
}

/// Spindle speed.
pub(crate) fn spindle(layers: &Layers<'_>, report: &mut Report) -> Option<Spindle> {
    let node = layers.get("spindle")?;
    if !node.is_map() {
        let range = covered(Some(node), Dimension::Rpm, COVERAGE_DEFAULT, report)?;
        return Some(Spindle {
            range,
            limit: range.hi,
        });
    }
    let fields = layers.fields("spindle", &SPINDLE, report);
    let coverage = coverage(fields.get("coverage"), report);
    let range = fields.must("range", "0-12000 rpm", report);
    let range = covered(range, Dimension::Rpm, coverage, report)?;
    let limit_node = fields.get("limit");
    let limit = report.read_if(limit_node, |text| positive(text, Dimension::Rpm));
    if let (Some(limit), Some(node)) = (limit, limit_node)
        && limit < range.hi
    {
        let refusal = Refusal::new("the limit lies below the upper end of the range");
        report.value(
            node,
            refusal.hint("Write it at the upper end of `range:` or above."),
        );
    }
    Some(Spindle {
        range,
        limit: limit.unwrap_or(range.hi),
    })
}

pub(super) const FIRMWARE: Section = Section {
    keys: &[
        Key::must(
            "version",
            Shape::Text(&["31i-B5-Plus"]),
            "the version as the vendor writes it",
        ),
        Key::new(
            "sha256",
            Shape::Any(&[Shape::Text(&[]), Shape::List(&Shape::Text(&[]))]),
            "the SHA-256 digest of the image in hex, or several",
        ),
        Key::must(
            "released",
            Shape::Text(&["2025-09-15"]),
            "when it was released or installed",
        ),
    ],
};

/// Known good firmware, in order of release.
pub(crate) fn firmware(node: Option<Node<'_>>, report: &mut Report) -> Vec<Firmware> {
    let mut known: Vec<(i32, Firmware)> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in node.map(Node::items).unwrap_or_default() {
        if !report.fields(item, &FIRMWARE) {
            continue;
        }
        let version = report.read_if(item.get("version"), |text| Ok(text.to_owned()));
        let digests = report.read_each(item.get("sha256"), sha256);
        let released = report.read_if(item.get("released"), |text| {
            day_number(text).map(|day| (day, text.to_owned()))
        });
        let (Some(version), Some((day, released))) = (version, released) else {
            continue;
        };
        if !seen.insert(version.clone()) {
            let cause = format!("firmware {} is written twice", quoted(&version));
            let hint = "Put several digests of one version into one list.";
            report.value(item, Refusal::new(cause).hint(hint));
            continue;
        }
        let firmware = Firmware {
            version,
            digests,
            released,
        };
        known.push((day, firmware));
    }
    known.sort_by_key(|(day, _)| *day);
    known.into_iter().map(|(_, firmware)| firmware).collect()
}

fn sha256(text: &str) -> Result<String, Refusal> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_lowercase();
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(hex);
    }
    let cause = format!("{} is not a SHA-256 digest", quoted(text));
    Err(Refusal::new(cause).hint("It has 64 hexadecimal digits."))
}
