//! Zeek logs as JSON lines. A line does not always say which log it belongs to: a tag
//! (`{"conn":{…}}`), `_path`, or failing both the fields that only one log has.

use std::borrow::Cow;
use std::collections::BTreeSet;

use andon_schemas::reject::RejectReason;

use super::json::{Members, scalar};
use super::rows::{Content, Parsed};
use super::zeek::{Field, Log, Row};
use crate::refused::Refused;

/// A reader of one file.
#[derive(Debug)]
pub(super) struct ZeekJson {
    open: bool,
    /// Logs that have been refused already.
    refused: BTreeSet<String>,
}

impl ZeekJson {
    pub(super) fn new(open: bool) -> Self {
        Self {
            open,
            refused: BTreeSet::new(),
        }
    }

    /// Reads one line.
    pub(super) fn line(&mut self, line: &[u8]) -> Parsed {
        match Members::of_line(line) {
            Ok(members) => self.object(&members),
            Err(refused) => Parsed::Content(Err(refused)),
        }
    }

    /// Reads one object, bare, tagged or in an envelope.
    pub(super) fn object(&mut self, members: &Members<'_>) -> Parsed {
        self.members(members, true)
    }

    fn members(&mut self, members: &Members<'_>, may_be_enveloped: bool) -> Parsed {
        if members.get("ts").is_none() {
            if let Some((tag, inner)) = members.only_object()
                && inner.get("ts").is_some()
            {
                return self.row(&inner, Log::named(tag));
            }
            if may_be_enveloped && let Some(inner) = members.enveloped() {
                return match Members::of(&inner) {
                    Ok(inner) => self.members(&inner, false),
                    Err(refused) => Parsed::Content(Err(refused)),
                };
            }
        }
        let log = match members.get("_path").and_then(scalar) {
            Some(path) => Log::named(&path),
            None => by_signature(members),
        };
        self.row(members, log)
    }

    fn row(&mut self, members: &Members<'_>, log: Log) -> Parsed {
        let log = log.in_file(self.open);
        if let Log::Other(name) = &log {
            if !self.refused.insert(name.clone()) {
                return Parsed::Unread;
            }
            return Parsed::Content(Err(Log::not_observed(name)));
        }
        let record = fields(members).and_then(|row| row.record(&log));
        Parsed::Content(record.map(|record| Content::Record(record, None)))
    }
}

fn by_signature(members: &Members<'_>) -> Log {
    let has = |name| members.get(name).is_some();
    if has("conn_state") {
        Log::Conn { interim: false }
    } else if has("trans_id") && (has("rejected") || has("qtype_name") || has("rcode_name")) {
        Log::Dns
    } else {
        Log::Other("unnamed".to_owned())
    }
}

fn fields<'a>(members: &Members<'a>) -> Result<Row<'a>, Refused> {
    let mut row = Row::default();
    for (name, value) in members.iter() {
        if value == "null" {
            continue;
        }
        if name == "id" && value.starts_with('{') {
            for (name, value) in Members::of(value)?.iter() {
                if let Some(field) = Field::named(&format!("id.{name}")) {
                    row.push(field, element(field, value)?);
                }
            }
        } else if let Some(field) = Field::named(name) {
            if field.is_list() && value.starts_with('[') {
                for value in list(value)? {
                    row.push(field, element(field, value.get())?);
                }
            } else if value != "\"\"" {
                row.push(field, element(field, value)?);
            }
        }
    }
    Ok(row)
}

fn list(value: &str) -> Result<Vec<&serde_json::value::RawValue>, Refused> {
    serde_json::from_str(value).map_err(|e| {
        Refused::new(
            RejectReason::Malformed,
            format!("row is not valid JSON: {e}"),
        )
    })
}

fn element(field: Field, value: &str) -> Result<Cow<'_, str>, Refused> {
    // An element of a vector may be unset.
    if field.is_list() && value == "null" {
        return Ok(Cow::Borrowed(""));
    }
    scalar(value).ok_or_else(|| {
        Refused::new(
            RejectReason::WrongType,
            format!(
                "`{}` is {}, expected a text or a number",
                field.name(),
                value.get(..40).unwrap_or(value)
            ),
        )
    })
}
