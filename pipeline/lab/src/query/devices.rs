//! The inventory as a table: one row for each device, gateway, sensor and server.

use std::sync::Arc;

use andon_schemas::inventory::{Device, Inventory};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::error::ArrowError;
use serde_json::{Value, json};

use super::column::{Column, Filler, Holds, computed, schema};

/// The columns, in the order of [`cells`].
pub(super) const COLUMNS: &[Column] = &[
    computed("device_id", Holds::Text, "the device"),
    computed(
        "device_type",
        Holds::Text,
        "its type, the name of a profile",
    ),
    computed("function", Holds::Text, "device, gateway, sensor or server"),
    computed("segment", Holds::Text, "its segment"),
    computed("line", Holds::Text, "its production line"),
    computed("risk_class", Holds::Text, "the plant's weighting of it"),
    computed(
        "safety_critical",
        Holds::Flag,
        "true if people can be hurt when it is cut",
    ),
    computed(
        "gateway",
        Holds::Text,
        "who speaks for it, if it has no key of its own",
    ),
    computed("addresses", Holds::Texts, "its addresses"),
    computed("names", Holds::Texts, "names it is known by"),
    computed("roles", Holds::Texts, "of a server: what it is for"),
    computed("site", Holds::Text, "the site"),
];

fn cells(inventory: &Inventory, device: &Device) -> [Value; COLUMNS.len()] {
    let segment = inventory.segments.get(device.segment);
    let addresses: Vec<_> = device.addresses.iter().map(ToString::to_string).collect();
    [
        json!(device.id.as_str()),
        said(&device.device_type),
        json!(device.function.as_str()),
        json!(segment.map(|segment| &segment.name)),
        said(&device.line),
        json!(device.risk_class.as_str()),
        json!(device.safety_critical),
        json!(
            device
                .gateway
                .as_ref()
                .map(andon_schemas::identity::DeviceId::as_str)
        ),
        json!(addresses),
        json!(device.names),
        json!(device.roles),
        json!(inventory.site),
    ]
}

/// A text; nothing if it is empty.
fn said(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        json!(text)
    }
}

/// All of the inventory.
pub(super) fn rows(inventory: &Inventory) -> Result<RecordBatch, ArrowError> {
    let mut fillers: Vec<Filler> = COLUMNS.iter().map(|c| Filler::of(c.holds)).collect();
    for device in &inventory.devices {
        for (filler, cell) in fillers.iter_mut().zip(&cells(inventory, device)) {
            filler.push(Some(cell));
        }
    }
    let columns = fillers.iter_mut().map(Filler::finish).collect();
    RecordBatch::try_new(Arc::clone(&schema(COLUMNS)), columns)
}
