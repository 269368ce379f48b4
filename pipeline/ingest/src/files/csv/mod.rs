//! CSV, read as a mapping says: cells in, records out. One row to a line; a cell may be quoted,
//! but not broken over lines, so that a stray quotation mark costs one row and not the file.

mod cells;
mod number;
mod row;
mod times;

use std::borrow::Cow;
use std::sync::Arc;

use andon_schemas::mapping::{Column, Filled, Header, Mapping, Origin};
use andon_schemas::problems::suggestion;
use andon_schemas::reject::RejectReason;

use super::rows::{Content, Parsed};
use crate::refused::Refused;
use cells::Cells;
use row::Row;
use times::Days;

/// Columns named in the refusal of a header.
const NAMES_TOLD_MAX: usize = 24;

/// A field, and the places of the columns it stands in.
#[derive(Debug)]
pub(super) struct Bound {
    filled: Filled,
    at: Vec<usize>,
}

/// The reader of one CSV.
#[derive(Debug)]
pub(super) struct Csv {
    mapping: Arc<Mapping>,
    cells: Cells,
    /// Once the columns are known.
    bound: Option<Vec<Bound>>,
    /// Cells that a row should have; `None` if nothing says how many.
    width: Option<usize>,
    /// The header was refused: no row can be read.
    refused: bool,
    /// Rows so far, those that could not be read included.
    rows: u64,
    days: Days,
}

impl Csv {
    pub(super) fn new(mapping: Arc<Mapping>) -> Self {
        let mut csv = Self {
            cells: Cells::new(mapping.delimiter),
            bound: None,
            width: None,
            refused: false,
            rows: 0,
            days: Days::new(mapping.date),
            mapping,
        };
        match &csv.mapping.header {
            Header::FirstRow => {}
            Header::Given(names) => {
                csv.width = Some(names.len());
                csv.bind(&[]).ok();
            }
            Header::None => {
                csv.bind(&[]).ok();
            }
        }
        csv
    }

    /// Reads one line, the so-manyth of its file, from 1.
    pub(super) fn line(&mut self, line: &[u8], number: u64) -> Parsed {
        let begins_with = |sign: u8| line.trim_ascii_start().first() == Some(&sign);
        if number <= self.mapping.skip_lines || self.mapping.comment.is_some_and(begins_with) {
            return Parsed::Nothing;
        }
        if self.refused {
            return Parsed::Unread;
        }
        self.cells.part(line);
        if self.bound.is_none() {
            return self.header();
        }
        let row = self.rows;
        self.rows += 1;
        let record = self.sound().and_then(|()| {
            let row = Row {
                mapping: &self.mapping,
                bound: self.bound.as_deref().unwrap_or_default(),
                cells: &self.cells,
                number: row,
            };
            row.record(&mut self.days)
        });
        Parsed::Content(match record {
            Ok(record) => Ok(Content::Record(record, None)),
            Err(refused) => Err(Refused {
                detail: format!("line {number}: {}", refused.detail),
                ..refused
            }),
        })
    }

    fn header(&mut self) -> Parsed {
        let names: Vec<String> = self
            .cells
            .iter()
            .map(|cell| String::from_utf8_lossy(cell).trim().to_owned())
            .collect();
        self.width = Some(names.len());
        match self.bind(&names) {
            Ok(()) => Parsed::Nothing,
            Err(refused) => {
                self.refused = true;
                Parsed::Content(Err(refused))
            }
        }
    }

    /// Finds the columns of the fields.
    ///
    /// # Errors
    /// Every column that the header lacks, or has twice.
    fn bind(&mut self, names: &[String]) -> Result<(), Refused> {
        let mut wrong = Vec::new();
        let mut bound = Vec::new();
        for filled in &self.mapping.fields {
            let columns: &[Column] = match &filled.origin {
                Origin::Columns(columns) => columns,
                Origin::Value(_) | Origin::Rows { .. } => &[],
            };
            let at = columns
                .iter()
                .filter_map(|column| match place(column, names) {
                    Ok(at) => Some(at),
                    Err(cause) => {
                        wrong.push(format!("`{}`: {cause}", filled.field.name()));
                        None
                    }
                });
            bound.push(Bound {
                at: at.collect(),
                filled: filled.clone(),
            });
        }
        if !wrong.is_empty() {
            let told = names.len().min(NAMES_TOLD_MAX);
            let more = if names.len() > told { ", …" } else { "" };
            return Err(Refused::new(
                RejectReason::Malformed,
                format!(
                    "header does not fit the mapping `{}`: {}; it names {}{more}",
                    self.mapping.file,
                    wrong.join("; "),
                    names[..told].join(", ")
                ),
            ));
        }
        self.bound = Some(bound);
        Ok(())
    }

    /// Whether the row has as many cells as it should; more are right if they are empty, as some
    /// writers end a row with a delimiter.
    fn sound(&self) -> Result<(), Refused> {
        let Some(width) = self.width else {
            return Ok(());
        };
        let count = self.cells.len();
        let beyond = || {
            self.cells
                .iter()
                .skip(width)
                .any(|cell| !cell.trim_ascii().is_empty())
        };
        if count == width || (count > width && !beyond()) {
            return Ok(());
        }
        let quote = if self.cells.is_open() {
            "; a quotation mark opens a cell and does not close it"
        } else {
            ""
        };
        Err(Refused::new(
            RejectReason::Malformed,
            format!("row has {count} cells where the header names {width}{quote}"),
        ))
    }
}

/// The place of a column.
fn place(column: &Column, names: &[String]) -> Result<usize, Cow<'static, str>> {
    let name = match column {
        Column::At(at) => return Ok(*at),
        Column::Named(name) => name,
    };
    let mut found = names.iter().enumerate().filter(|(_, other)| *other == name);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some(_), Some(_)) => Err(format!("it has column `{name}` twice").into()),
        (None, _) => {
            // A long list stands at the end of the refusal already.
            let hint = suggestion(name, names.iter().map(String::as_str))
                .filter(|hint| hint.starts_with("Did"))
                .map(|hint| format!(" ({hint})"));
            Err(format!("it has no column `{name}`{}", hint.unwrap_or_default()).into())
        }
    }
}
