//! `devices.json`: every device of a run with its place and its risk, for `andon devices` and
//! `andon risk`.

use std::path::Path;

use andon_engine::Plant;
use andon_schemas::grade::RiskClass;
use andon_schemas::identity::DeviceId;
use andon_schemas::verdict::Risk;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::exit::usage;
use crate::results::write_json;
use crate::shards::Status;

/// Name of the file.
pub const FILE: &str = "devices.json";

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Its identity.
    pub device_id: DeviceId,
    /// Its type; empty if the inventory does not list it.
    pub device_type: String,
    /// Its segment; empty if unknown.
    pub segment: String,
    /// The plant's weighting.
    pub risk_class: Option<RiskClass>,
    /// People can be hurt if it is cut.
    pub safety_critical: bool,
    /// Its risk.
    #[serde(flatten)]
    pub risk: Risk,
    /// Whether any row of it was accepted.
    pub seen: bool,
}

/// Every inventoried device, and every other that was seen, by id.
pub fn rows(plant: &Plant, status: &Status) -> Vec<DeviceRow> {
    let inventory = plant.inventory();
    let risk = |id: &str| {
        let at = status
            .risks
            .binary_search_by(|(known, _)| known.as_str().cmp(id));
        at.ok().map(|at| status.risks[at].1)
    };
    let mut rows: Vec<DeviceRow> = inventory
        .devices
        .iter()
        .map(|device| DeviceRow {
            device_id: device.id.clone(),
            device_type: device.device_type.clone(),
            segment: inventory
                .segments
                .get(device.segment)
                .map_or_else(String::new, |segment| segment.name.clone()),
            risk_class: Some(device.risk_class),
            safety_critical: device.safety_critical,
            risk: risk(device.id.as_str()).unwrap_or(Risk::UNKNOWN),
            seen: risk(device.id.as_str()).is_some(),
        })
        .collect();
    rows.extend(
        status
            .risks
            .iter()
            .filter(|(id, _)| inventory.device(id.as_str()).is_none())
            .map(|(id, risk)| DeviceRow {
                device_id: id.clone(),
                device_type: String::new(),
                segment: String::new(),
                risk_class: None,
                safety_critical: false,
                risk: *risk,
                seen: true,
            }),
    );
    rows.sort_by(|a, b| a.device_id.cmp(&b.device_id));
    rows
}

/// Writes the file into a run's folder.
///
/// # Errors
/// If it cannot be written.
pub fn write(folder: &Path, plant: &Plant, status: &Status) -> anyhow::Result<()> {
    write_json(&folder.join(FILE), &rows(plant, status))
}

/// Reads the file of a run.
///
/// # Errors
/// If the folder holds none, or it cannot be read.
pub fn read(folder: &Path) -> anyhow::Result<Vec<DeviceRow>> {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path)
        .with_context(|| {
            format!(
                "`{}` cannot be read; name the folder of a run, demo or backtest with --data",
                path.display()
            )
        })
        .map_err(usage)?;
    serde_json::from_str(&text)
        .with_context(|| format!("`{}`", path.display()))
        .map_err(usage)
}
