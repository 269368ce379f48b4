//! What these files hold, come on its own in a message: one JSON object of another tool, or
//! columns of records. The readers are the same; only the file around them is missing.

use andon_schemas::observation::Record;
use andon_schemas::reject::RejectReason;
use arrow_array::RecordBatch;

use super::columnar::Batch;
use super::detect::{Format, json_object};
use super::eve;
use super::json::Members;
use super::rows::{Content, Parsed};
use super::zeek_json::ZeekJson;
use crate::refused::Refused;

/// The record in a JSON object of Zeek or Suricata; `None` if it is no object, or one of ours.
pub(crate) fn foreign(object: &[u8]) -> Option<Result<Record, Refused>> {
    let members = Members::of_line(object).ok()?;
    if members.get("kind").is_some() {
        return None;
    }
    let parsed = match json_object(&members, true) {
        Some(Format::ZeekJson) => ZeekJson::new(false).object(&members),
        Some(Format::Eve) => eve::object(&members),
        Some(_) | None => {
            return Some(Err(Refused::new(
                RejectReason::Unsupported,
                "JSON object of no known kind: neither `kind` (ours), `event_type` and \
                 `timestamp` (Suricata) nor `ts` (Zeek)",
            )));
        }
    };
    match parsed {
        Parsed::Content(content) => Some(content.and_then(record)),
        Parsed::Nothing | Parsed::Unread => None,
    }
}

/// Columns of records, named like those of a Parquet capture.
pub(crate) struct Columns(Batch);

impl Columns {
    /// The columns of a batch, typed; one that is not there is null throughout.
    ///
    /// # Errors
    /// Says which column is of another type than it should be.
    pub(crate) fn of(batch: &RecordBatch) -> Result<Self, String> {
        Batch::of(batch).map(Self)
    }

    /// One row.
    ///
    /// # Errors
    /// Says which column is wrong and what it holds.
    pub(crate) fn record(&self, row: usize) -> Result<Record, Refused> {
        self.0.content(row).and_then(record)
    }
}

/// Only a recording has anything but records.
fn record(content: Content) -> Result<Record, Refused> {
    match content {
        Content::Record(record, _) => Ok(record),
        Content::Tick(_) | Content::Control(_) | Content::Recorded(_) => Err(Refused::new(
            RejectReason::Unsupported,
            "tick, control input or reject of a recorded run, where only records are read",
        )),
    }
}
