//! What an engine settled, on its way from an executor.

use andon_engine::{Cause, Item, Refusal};
use andon_lab::cluster::Row;
use andon_schemas::identity::DeviceId;
use andon_schemas::reject::SetAside;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{RiskUpdate, Verdict};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::shards::Status;

/// Ordinal of the last row of every task, after everything that its engine settled.
pub(super) const LAST: u64 = u64::MAX;

/// One thing that came out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Verdict(Box<Verdict>),
    Risk(RiskUpdate),
    Refusal(Refusal),
    Late(SetAside),
    Duplicate(SetAside),
}

/// Puts an item into a row; nobody asks for windows here.
pub(super) fn row(cause: &Cause, item: Item) -> anyhow::Result<Option<Row>> {
    let told = match item {
        Item::Verdict(verdict) => Told::Verdict(Box::new(verdict)),
        Item::Risk(update) => Told::Risk(update),
        Item::Refusal(refusal) => Told::Refusal(refusal),
        Item::Late(row) => Told::Late(row),
        Item::Duplicate(row) => Told::Duplicate(row),
        Item::Heartbeat(_) | Item::Window(_) => return Ok(None),
    };
    Ok(Some(Row {
        ordinal: cause.ordinal,
        deadline: cause.deadline.micros(),
        device: cause.device.as_str().to_owned(),
        text: serde_json::to_string(&told)?,
    }))
}

/// The same item, and what caused it.
pub(super) fn item(row: &Row) -> anyhow::Result<(Cause, Item)> {
    let told = serde_json::from_str(&row.text).context("an executor told something else")?;
    let cause = Cause {
        ordinal: row.ordinal,
        deadline: EventTime::from_micros(row.deadline),
        device: DeviceId::new(&row.device).map_err(anyhow::Error::msg)?,
    };
    let item = match told {
        Told::Verdict(verdict) => Item::Verdict(*verdict),
        Told::Risk(update) => Item::Risk(update),
        Told::Refusal(refusal) => Item::Refusal(refusal),
        Told::Late(row) => Item::Late(row),
        Told::Duplicate(row) => Item::Duplicate(row),
    };
    Ok((cause, item))
}

/// The last row of a task.
pub(super) fn last(status: &Status) -> anyhow::Result<Row> {
    Ok(Row {
        ordinal: LAST,
        deadline: 0,
        device: String::new(),
        text: serde_json::to_string(status)?,
    })
}
