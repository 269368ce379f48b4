//! Zeek logs as separated text: columns are bound by the names in `#fields`, which may come
//! again anywhere in a stream put together from several logs.

use std::borrow::Cow;

use andon_schemas::observation::Record;
use andon_schemas::reject::RejectReason;

use super::rows::{Content, Parsed};
use super::zeek::{Field, Log, Row};
use crate::refused::Refused;

/// What some labelling tools put between the last columns instead of the separator.
const GLUE: &str = "   ";

/// A reader of one file.
#[derive(Debug)]
pub(super) struct ZeekTsv {
    separator: String,
    set_separator: String,
    empty: String,
    unset: String,
    log: Log,
    columns: Vec<Option<Field>>,
    /// Whether the file's name says that its flows have not ended.
    open: bool,
}

impl ZeekTsv {
    pub(super) fn new(open: bool) -> Self {
        Self {
            separator: "\t".to_owned(),
            set_separator: ",".to_owned(),
            empty: "(empty)".to_owned(),
            unset: "-".to_owned(),
            log: Log::Conn { interim: open },
            columns: Vec::new(),
            open,
        }
    }

    /// Reads one line.
    pub(super) fn line(&mut self, line: &[u8]) -> Parsed {
        let text = String::from_utf8_lossy(line);
        if let Some(header) = text.trim_start().strip_prefix('#') {
            return self.header(header);
        }
        if self.columns.is_empty() && is_plain_header(&text) {
            let log = if text.contains("conn_state") {
                Log::Conn { interim: self.open }
            } else if text.contains("qtype") {
                Log::Dns
            } else {
                Log::Other("unnamed".to_owned())
            };
            self.log = log;
            return self.fields(&text);
        }
        if let Log::Other(_) = self.log {
            return Parsed::Unread;
        }
        Parsed::Content(self.row(&text).map(|record| Content::Record(record, None)))
    }

    fn header(&mut self, header: &str) -> Parsed {
        if let Some(escaped) = header.strip_prefix("separator ") {
            let separator = unescape(escaped);
            if !separator.is_empty() {
                self.separator = separator.into_owned();
            }
            return Parsed::Nothing;
        }
        let (name, value) = header
            .split_once(self.separator.as_str())
            .unwrap_or((header, ""));
        match name {
            "set_separator" => value.clone_into(&mut self.set_separator),
            "empty_field" => value.clone_into(&mut self.empty),
            "unset_field" => value.clone_into(&mut self.unset),
            "path" => self.log = Log::named(value).in_file(self.open),
            "fields" => return self.fields(value),
            _ => {}
        }
        Parsed::Nothing
    }

    /// Binds the columns; a log that is not observed is refused once, here.
    fn fields(&mut self, names: &str) -> Parsed {
        self.columns = names
            .split(self.separator.as_str())
            .flat_map(|name| name.split(GLUE))
            .map(|name| Field::named(name.trim()))
            .collect();
        match &self.log {
            Log::Other(name) => Parsed::Content(Err(Log::not_observed(name))),
            _ => Parsed::Nothing,
        }
    }

    fn row(&self, text: &str) -> Result<Record, Refused> {
        if self.columns.is_empty() {
            return Err(Refused::new(
                RejectReason::Malformed,
                "row stands before `#fields`, which names the columns",
            ));
        }
        let mut cells: Vec<&str> = text.split(self.separator.as_str()).collect();
        if cells.len() < self.columns.len() {
            let glued = cells.pop().unwrap_or_default();
            cells.extend(glued.split(GLUE));
        }
        if cells.len() != self.columns.len() {
            return Err(Refused::new(
                RejectReason::Malformed,
                format!(
                    "row has {} fields where `#fields` names {}",
                    cells.len(),
                    self.columns.len()
                ),
            ));
        }
        let mut row = Row::default();
        for (cell, field) in cells.iter().zip(&self.columns) {
            let Some(field) = field else { continue };
            if *cell == self.unset || *cell == self.empty || cell.is_empty() {
                continue;
            }
            if field.is_list() {
                for element in cell.split(self.set_separator.as_str()) {
                    row.push(*field, unescape(element));
                }
            } else {
                row.push(*field, unescape(cell));
            }
        }
        row.record(&self.log)
    }
}

/// Whether a line is the header that Zeek writes in its `tsv=T` mode: names without a `#`.
pub(super) fn is_plain_header(line: &str) -> bool {
    let mut names = line.split('\t');
    names.next() == Some("ts") && names.next() == Some("uid")
}

/// Turns `\xNN` into the byte it stands for, and `\\` into a backslash.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let code = escape
            .strip_prefix('x')
            .and_then(|hex| hex.get(..2))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if let Some(code) = code {
            bytes.push(code);
            &escape[3..]
        } else {
            bytes.push(b'\\');
            escape.strip_prefix('\\').unwrap_or(escape)
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(e) => Cow::Owned(String::from_utf8_lossy(e.as_bytes()).into_owned()),
    }
}
