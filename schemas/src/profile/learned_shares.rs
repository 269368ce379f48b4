//! What `andon learn` measured for the shares of destinations and protocols: how devices and hours
//! differ, and how often scores as high as these came in clean traffic.

use std::collections::BTreeMap;

use serde::Serialize;

use super::learned::{LearnedSteps, STEPS, steps, within};
use crate::problems::{Refusal, quoted, suggestion};
use crate::yaml::{Key, Node, Report, Section, Shape, flow};

/// The detectors that weigh shares by a learned law.
pub const SHARE_LEARNERS: [&str; 2] = ["destination_mix", "protocol_mix"];
/// Cells, at most: those with a share, and one for all others.
const CELLS_MAX: usize = 8;

/// What stands under `learned_shares:` for one detector.
pub(super) const LEARNED_SHARES: Section = Section {
    keys: &[
        Key::must(
            "devices",
            Shape::Text(&["97"]),
            "how many connections the shares of the type say as much of a device as",
        ),
        Key::must(
            "hours",
            Shape::Text(&["400"]),
            "how many connections the shares of a device say as much of an hour as",
        ),
        Key::must(
            "cells",
            Shape::List(&Shape::Fields(&CELL)),
            "each entry with a share, in the order written, and one for all others",
        ),
    ],
};

const CELL: Section = Section {
    keys: &[
        Key::must("share", Shape::Text(&["0.0398"]), "its share in the type"),
        Key::must("up", Shape::Fields(&STEPS), "how often scores were high"),
    ],
};

/// The law of the shares of one device type: Dirichlet over devices, beta-binomial over the hours
/// of one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearnedShares {
    /// Concentration of the law of devices, in connections.
    pub devices: f64,
    /// Concentration of the law of the hours of a device, in connections.
    pub hours: f64,
    /// Those with a share in the order written, then all others.
    pub cells: Vec<LearnedCell>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearnedCell {
    /// Its share in the type, 0–1.
    pub share: f64,
    /// How often scores were high.
    pub up: LearnedSteps,
}

/// What this very profile says was learned of shares, by detector.
pub(super) fn learned_shares(
    own: Option<Node<'_>>,
    report: &mut Report,
) -> BTreeMap<String, LearnedShares> {
    let Some(node) = own.and_then(|top| top.get("learned_shares")) else {
        return BTreeMap::new();
    };
    if node.scalar() == Some("none") || !report.mapping(node, "{ destination_mix: { … } }") {
        return BTreeMap::new();
    }
    let mut laws = BTreeMap::new();
    for entry in node.entries() {
        let name = entry.key();
        let law = shares(entry, report);
        if SHARE_LEARNERS.contains(&name) {
            laws.extend(law.map(|law| (name.to_owned(), law)));
        } else {
            let cause = format!("no shares are learned for a detector {}", quoted(name));
            let mut refusal = Refusal::new(cause);
            refusal.hint = suggestion(name, SHARE_LEARNERS);
            report.key(entry, refusal);
        }
    }
    laws
}

fn shares(node: Node<'_>, report: &mut Report) -> Option<LearnedShares> {
    if !report.fields(node, &LEARNED_SHARES) {
        return None;
    }
    let devices = report.read_if(node.get("devices"), |text| within(text, 1.0, 1e9));
    let hours = report.read_if(node.get("hours"), |text| within(text, 1.0, 1e9));
    let list = node.get("cells")?;
    let items = list.items();
    let cells: Vec<LearnedCell> = items
        .iter()
        .filter_map(|item| cell(*item, report))
        .collect();
    let sum: f64 = cells.iter().map(|cell| cell.share).sum();
    if cells.len() == items.len() && ((sum - 1.0).abs() > 0.01 || cells.len() > CELLS_MAX) {
        let cause = format!("{} shares that sum to {sum:.3}", cells.len());
        let hint = "Up to eight shares sum to 1; learn it again.";
        report.value(list, Refusal::new(cause).hint(hint));
        return None;
    }
    (cells.len() == items.len()).then_some(LearnedShares {
        devices: devices?,
        hours: hours?,
        cells,
    })
}

fn cell(node: Node<'_>, report: &mut Report) -> Option<LearnedCell> {
    if !report.mapping(node, "{ share: 0.04, up: { … } }") || !report.fields(node, &CELL) {
        return None;
    }
    let share = report.read_if(node.get("share"), |text| within(text, 1e-12, 1.0));
    let up = node.get("up").and_then(|node| steps(node, report));
    Some(LearnedCell {
        share: share?,
        up: up?,
    })
}

impl LearnedShares {
    /// It as a profile writes it, on one line.
    pub(super) fn to_text(&self) -> String {
        let cell = |cell: &LearnedCell| {
            flow(&[
                format!("share: {}", cell.share),
                format!("up: {}", cell.up.to_text()),
            ])
        };
        let cells: Vec<String> = self.cells.iter().map(cell).collect();
        flow(&[
            format!("devices: {}", self.devices),
            format!("hours: {}", self.hours),
            format!("cells: [{}]", cells.join(", ")),
        ])
    }
}
