//! An inventory from YAML. Segments first, because everything stands in one; then who is there;
//! then the rules and the calendar, which speak of both.

use super::contract::INVENTORY;
use super::{Inventory, Lookup, calendar, enforcement, members, rules, segments};
use crate::problems::{Problems, Refusal, quoted};
use crate::profile::{SourceFile, host_name, network};
use crate::time::PlantClock;
use crate::yaml::{Limits, Node, Report, load};

/// Room for some hundred thousand devices that are written one by one.
const LIMITS: Limits = Limits {
    bytes: 64 << 20,
    nodes: 4_000_000,
    depth: 16,
};

/// Reads an inventory file.
///
/// # Errors
/// Every problem of the file at once.
pub fn parse(file: SourceFile<'_>) -> Result<Inventory, Problems> {
    let mut report = Report::default();
    let Some(tree) = load(file.path, file.text, LIMITS, &mut report) else {
        return Err(unreadable(file, report));
    };
    let inventory = inventory(tree.top(), &mut report);
    match report.finish(inventory)? {
        Some(inventory) => Ok(inventory),
        None => Err(Problems::with_file(
            file.path,
            "the file cannot be read",
            None,
        )),
    }
}

fn unreadable(file: SourceFile<'_>, report: Report) -> Problems {
    match report.finish(()) {
        Err(problems) => problems,
        Ok(()) => Problems::with_file(file.path, "the file cannot be read", None),
    }
}

fn inventory(top: Node<'_>, report: &mut Report) -> Option<Inventory> {
    if !report.fields(top, &INVENTORY) {
        return None;
    }
    let site = report.read_if(top.get("site"), site);
    let clock = report.read_if(top.get("time_zone"), |zone| {
        PlantClock::new(zone).map_err(|cause| {
            Refusal::new(cause).hint("Write an IANA name such as `Europe/Berlin`.")
        })
    });
    let zones = report.read_each(top.get("zones"), host_name);
    let written = report.read_each(top.get("networks"), network);
    let mut segments = segments::read(top.get("segments"), report);
    let networks = if written.is_empty() {
        let all = segments
            .iter()
            .flat_map(|segment| segment.networks.iter().copied());
        ipnet::IpNet::aggregate(&all.collect())
    } else {
        segments::must_lie_in(&written, top, report);
        written
    };
    let roll = members::read(top, &segments, report);
    rules::read(top, &mut segments, &roll, &networks, report);
    let holidays = calendar::holidays(top.get("holidays"), report);
    let alert_budget = report.read_if(top.get("alert_budget"), alert_budget);
    let enforcement = enforcement::read(top.get("enforcement"), &segments, report);
    // Without the plant's own clock the rest is still checked, on another.
    let clock = clock.or_else(|| PlantClock::new("UTC").ok())?;
    let known = calendar::Known {
        clock: &clock,
        segments: &segments,
        roll: &roll,
    };
    let maintenance = calendar::maintenance(top.get("maintenance"), &known, report);
    let mut inventory = Inventory {
        site: site?,
        clock,
        zones,
        networks,
        segments,
        devices: roll.into_devices(),
        holidays,
        maintenance,
        alert_budget,
        enforcement,
        hash: String::new(),
        lookup: Lookup::default(),
    };
    inventory.hash = inventory.content_hash();
    inventory.index();
    Some(inventory)
}

/// False alarms a day.
fn alert_budget(text: &str) -> Result<f64, Refusal> {
    let written: Option<f64> = text.parse().ok();
    written
        .filter(|per_day| per_day.is_finite() && *per_day > 0.0)
        .ok_or_else(|| {
            Refusal::new(format!("{} is no number above 0", quoted(text)))
                .hint("Write how many false alarms a day people bear, such as `0.5`.")
        })
}

/// A site is a level of a topic.
fn site(text: &str) -> Result<String, Refusal> {
    crate::identity::DeviceId::new(text)
        .map(|site| site.as_str().to_owned())
        .map_err(|cause| Refusal::new(cause.replace("device id", "site")))
}
