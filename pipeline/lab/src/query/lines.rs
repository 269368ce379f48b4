//! Files of JSON lines as tables. They are read anew by every query, a batch at a time; what cannot
//! be read is passed over and counted.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use serde_json::{Value, json};

use super::column::{Column, Filler, schema};
use super::feed::Rows;

/// Rows of a batch, about: a line is not cut.
const BATCH_ROWS: usize = 4_096;

/// Longest line that is read, bytes.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Deepest that evidence is taken apart; below that it stays JSON.
const DEPTH_MAX: usize = 8;

/// Which rows a line makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Makes {
    /// One.
    One,
    /// One for each finding.
    Findings,
    /// One for each value that a finding saw, expected or was computed from.
    Evidence,
}

/// A file of JSON lines and what is made of it.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) path: PathBuf,
    pub(super) columns: &'static [Column],
    pub(super) makes: Makes,
    schema: SchemaRef,
    unread: Arc<AtomicU64>,
}

impl Lines {
    pub(super) fn new(
        path: PathBuf,
        columns: &'static [Column],
        makes: Makes,
        unread: Arc<AtomicU64>,
    ) -> Self {
        Self {
            path,
            columns,
            makes,
            schema: schema(columns),
            unread,
        }
    }
}

impl Rows for Lines {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn read(&self, give: &mut dyn FnMut(RecordBatch) -> bool) -> io::Result<()> {
        let mut file = BufReader::with_capacity(1 << 16, File::open(&self.path)?);
        let mut batch = Batch::new(self.columns);
        let mut unread = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = file
                .by_ref()
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line)?;
            if length == 0 {
                break;
            }
            // A run that goes on may be writing its last line just now.
            if line.last() != Some(&b'\n') && (length as u64) < LINE_BYTES_MAX {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(value @ Value::Object(_)) => batch.line(&value, self.makes),
                _ => unread += 1,
            }
            if batch.rows >= BATCH_ROWS && !give(batch.finish(&self.schema)?) {
                break;
            }
        }
        if batch.rows > 0 {
            give(batch.finish(&self.schema)?);
        }
        self.unread.fetch_max(unread, Ordering::Relaxed);
        Ok(())
    }
}

/// Rows being gathered.
struct Batch {
    columns: &'static [Column],
    fillers: Vec<Filler>,
    rows: usize,
}

impl Batch {
    fn new(columns: &'static [Column]) -> Self {
        Self {
            columns,
            fillers: columns.iter().map(|c| Filler::of(c.holds)).collect(),
            rows: 0,
        }
    }

    fn line(&mut self, line: &Value, makes: Makes) {
        let findings = line.get("findings").and_then(Value::as_array);
        let findings = findings.into_iter().flatten().zip(1_u64..);
        match makes {
            Makes::One => self.row(line, &Value::Null),
            Makes::Findings => {
                for (finding, number) in findings {
                    let mut finding = finding.clone();
                    if let Value::Object(fields) = &mut finding {
                        fields.insert("number".to_owned(), number.into());
                    }
                    self.row(line, &finding);
                }
            }
            Makes::Evidence => {
                for (finding, number) in findings {
                    self.evidence(line, finding, number);
                }
            }
        }
    }

    fn evidence(&mut self, line: &Value, finding: &Value, number: u64) {
        for part in ["observed", "expected", "inputs"] {
            let Some(value) = finding.get(part) else {
                continue;
            };
            let mut leaves = Vec::new();
            leaves_of(value, &mut String::new(), 0, &mut leaves);
            for (field, leaf) in leaves {
                let text = match leaf {
                    Value::String(text) => Value::String(text.clone()),
                    other => Value::String(other.to_string()),
                };
                let row = json!({
                    "number": number,
                    "detector": finding.get("detector"),
                    "part": part,
                    "field": field,
                    "value": leaf.as_f64(),
                    "text": text,
                });
                self.row(line, &row);
            }
        }
    }

    fn row(&mut self, line: &Value, element: &Value) {
        for (column, filler) in self.columns.iter().zip(&mut self.fillers) {
            let value = match column.at.strip_prefix('.') {
                Some(at) => element.pointer(at),
                None => line.pointer(column.at),
            };
            filler.push(value);
        }
        self.rows += 1;
    }

    fn finish(&mut self, schema: &SchemaRef) -> io::Result<RecordBatch> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = self.fillers.iter_mut().map(Filler::finish).collect();
        RecordBatch::try_new(schema.clone(), columns).map_err(io::Error::other)
    }
}

/// The values of a document that hold no others, with their paths: `band.low`, `destinations.0`.
/// Those that are null say nothing.
fn leaves_of<'a>(
    value: &'a Value,
    path: &mut String,
    depth: usize,
    out: &mut Vec<(String, &'a Value)>,
) {
    let mut below = |name: &str, value: &'a Value| {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        leaves_of(value, path, depth + 1, out);
        path.truncate(length);
    };
    match value {
        Value::Null => {}
        Value::Object(fields) if depth < DEPTH_MAX => {
            fields.iter().for_each(|(name, value)| below(name, value));
        }
        Value::Array(items) if depth < DEPTH_MAX => {
            let numbered = items.iter().enumerate();
            numbered.for_each(|(at, value)| below(&at.to_string(), value));
        }
        leaf => out.push((path.clone(), leaf)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_taken_apart_to_its_values() {
        let document = json!({"bytes": 5, "band": {"low": 1.5, "high": null}, "peers": ["a", "b"]});
        let mut leaves = Vec::new();
        leaves_of(&document, &mut String::new(), 0, &mut leaves);
        let leaves: Vec<_> = leaves
            .iter()
            .map(|(path, value)| format!("{path}={value}"))
            .collect();
        assert_eq!(
            leaves,
            ["bytes=5", "band.low=1.5", "peers.0=\"a\"", "peers.1=\"b\""]
        );
    }
}
