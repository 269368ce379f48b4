//! Captures of our own as NDJSON: records in the wire form, and between them what else the engine
//! was given while they were recorded, so that a replay is the live run again.

use std::borrow::Cow;

use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use andon_schemas::wire::{WIRE_VERSION, decode_capture};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::rows::{Content, Parsed};
use crate::refused::Refused;

/// "Time is at least this": what the reader of the live run told the engine.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct TickLine<'a> {
    pub(super) v: u64,
    pub(super) kind: Cow<'a, str>,
    pub(super) at: EventTime,
}

/// A record that was rejected when it was recorded.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RejectLine<'a> {
    pub(super) v: u64,
    pub(super) kind: Cow<'a, str>,
    #[serde(flatten)]
    pub(super) reject: Reject,
}

/// A control input, as it came.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct ControlLine<'a> {
    pub(super) v: u64,
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) control: &'a RawValue,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    v: Option<u64>,
    kind: String,
}

/// Reads one line.
pub(super) fn line(line: &[u8]) -> Parsed {
    match decode_capture(line) {
        Ok((record, source)) => Parsed::Content(Ok(Content::Record(record, source))),
        Err(error) if error.reason == RejectReason::Unsupported => {
            Parsed::Content(other(line).unwrap_or_else(|| Err(error.into())))
        }
        Err(error) => Parsed::Content(Err(error.into())),
    }
}

/// A line that is not a record; `None` if it is of no known kind.
fn other(line: &[u8]) -> Option<Result<Content, Refused>> {
    let head: Head = serde_json::from_slice(line).ok()?;
    if head.v.is_some_and(|v| v != WIRE_VERSION) {
        return None;
    }
    let content = match head.kind.as_str() {
        "tick" => serde_json::from_slice(line).map(|line: TickLine<'_>| Content::Tick(line.at)),
        "reject" => serde_json::from_slice(line)
            .map(|line: RejectLine<'_>| Content::Recorded(Box::new(line.reject))),
        "control" => serde_json::from_slice(line)
            .map(|line: ControlLine<'_>| Content::Control(line.control.get().to_owned())),
        _ => return None,
    };
    Some(content.map_err(|e| {
        Refused::new(
            RejectReason::Malformed,
            format!("`{}` line cannot be read: {e}", head.kind),
        )
    }))
}
