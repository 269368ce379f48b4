//! What ships with the product: the demo plant's profiles and inventory, embedded, so that
//! `andon demo` and `andon run` need no files.

use crate::inventory::{self, Inventory};
use crate::problems::Problems;
use crate::profile::{self, ProfileSet, SourceFile};

macro_rules! shipped {
    ($($path:literal),+ $(,)?) => {
        &[$(SourceFile {
            path: concat!("profiles/", $path),
            text: include_str!(concat!("../../profiles/", $path)),
        }),+]
    };
}

/// The shipped profile files, as they are written.
pub const PROFILES: &[SourceFile<'static>] = shipped![
    "agv.yaml",
    "barcode_scanner.yaml",
    "cmm.yaml",
    "cnc_controller.yaml",
    "cnc_controller_fanuc.yaml",
    "cnc_controller_siemens.yaml",
    "conveyor.yaml",
    "coolant_system.yaml",
    "hmi_station.yaml",
    "plc_assembly.yaml",
    "rfid_reader.yaml",
    "robotic_arm.yaml",
    "safety_interlock.yaml",
    "temperature_sensor.yaml",
    "test_station.yaml",
    "tool_monitor.yaml",
    "vision_system.yaml",
];

/// The inventory file of the demo plant, as it is written.
pub const INVENTORY: SourceFile<'static> = SourceFile {
    path: "profiles/inventory/precision-parts.yaml",
    text: include_str!("../../profiles/inventory/precision-parts.yaml"),
};

/// The shipped profiles.
///
/// # Errors
/// None, as long as every detector they name is known.
pub fn profiles(known_detectors: &[&str]) -> Result<ProfileSet, Problems> {
    profile::parse(PROFILES, known_detectors)
}

/// The inventory of the demo plant.
///
/// # Errors
/// None in a build whose tests pass.
pub fn inventory() -> Result<Inventory, Problems> {
    inventory::parse(INVENTORY)
}
