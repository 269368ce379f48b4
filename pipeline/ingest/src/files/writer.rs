//! Captures of our own, written: by `simulate`, and by a live run that records what it was given.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use andon_schemas::observation::{Record, Source};
use andon_schemas::reject::Reject;
use andon_schemas::time::EventTime;
use andon_schemas::wire::{WIRE_VERSION, encode_into};
use serde::Serialize;
use serde_json::value::RawValue;

use super::columnar::{ColumnWriter, Container};
use super::native::{ControlLine, RejectLine, TickLine};

/// Why a capture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The extension says no format.
    #[error("capture `{path}` ends neither in .ndjson, .parquet nor .arrow")]
    Extension {
        /// The path.
        path: String,
    },
    /// The file cannot be created or written.
    #[error("cannot write capture `{path}`: {source}")]
    Write {
        /// The path.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A control input that is not JSON.
    #[error("control input is not valid JSON: {0}")]
    Control(#[from] serde_json::Error),
}

/// A capture being written. Nothing is safe before [`CaptureWriter::finish`].
#[derive(Debug)]
pub struct CaptureWriter {
    path: PathBuf,
    out: Out,
    line: Vec<u8>,
}

#[derive(Debug)]
enum Out {
    Lines(BufWriter<File>),
    Columns(Box<ColumnWriter>),
}

impl CaptureWriter {
    /// Creates a capture; its format follows from the extension.
    ///
    /// # Errors
    /// An unknown extension, or a file that cannot be created.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let failed = |source| WriteError::Write {
            path: path.to_string_lossy().into_owned(),
            source,
        };
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let columns = match extension.as_deref() {
            Some("ndjson" | "jsonl") => None,
            Some("parquet") => Some(Container::Parquet),
            Some("arrow" | "feather") => Some(Container::Arrow),
            _ => {
                return Err(WriteError::Extension {
                    path: path.to_string_lossy().into_owned(),
                });
            }
        };
        let file = File::create(path).map_err(failed)?;
        let out = match columns {
            Some(container) => {
                let columns = ColumnWriter::new(file, container).map_err(failed)?;
                Out::Columns(Box::new(columns))
            }
            None => Out::Lines(BufWriter::with_capacity(1 << 18, file)),
        };
        Ok(Self {
            path: path.to_owned(),
            out,
            line: Vec::with_capacity(512),
        })
    }

    /// Writes a record, with the position it came from if that is to be kept.
    ///
    /// # Errors
    /// What writing said.
    pub fn record(&mut self, record: &Record, source: Option<&Source>) -> Result<(), WriteError> {
        let written = match &mut self.out {
            Out::Columns(columns) => columns.record(record, source),
            Out::Lines(out) => {
                self.line.clear();
                encode_into(&mut self.line, record, source);
                self.line.push(b'\n');
                out.write_all(&self.line)
            }
        };
        written.map_err(|source| self.failed(source))
    }

    /// Writes a tick: the engine was told that time is at least `at`.
    ///
    /// # Errors
    /// What writing said.
    pub fn tick(&mut self, at: EventTime) -> Result<(), WriteError> {
        let line = TickLine {
            v: WIRE_VERSION,
            kind: "tick".into(),
            at,
        };
        self.other("tick", Some(at), &line)
    }

    /// Writes a reject.
    ///
    /// # Errors
    /// What writing said.
    pub fn reject(&mut self, reject: &Reject) -> Result<(), WriteError> {
        let line = RejectLine {
            v: WIRE_VERSION,
            kind: "reject".into(),
            reject: reject.clone(),
        };
        self.other("reject", None, &line)
    }

    /// Writes a control input, which is JSON.
    ///
    /// # Errors
    /// A control input that is not JSON, and what writing said.
    pub fn control(&mut self, control: &str) -> Result<(), WriteError> {
        let control: &RawValue = serde_json::from_str(control)?;
        let line = ControlLine {
            v: WIRE_VERSION,
            kind: "control".into(),
            control,
        };
        self.other("control", None, &line)
    }

    /// Writes out what is buffered and closes the file.
    ///
    /// # Errors
    /// What writing said.
    pub fn finish(self) -> Result<(), WriteError> {
        let finished = match self.out {
            Out::Lines(mut out) => out.flush(),
            Out::Columns(columns) => columns.finish(),
        };
        finished.map_err(|source| WriteError::Write {
            path: self.path.to_string_lossy().into_owned(),
            source,
        })
    }

    fn other(
        &mut self,
        kind: &str,
        at: Option<EventTime>,
        line: &impl Serialize,
    ) -> Result<(), WriteError> {
        let mut line = serde_json::to_string(line)?;
        let written = match &mut self.out {
            Out::Columns(columns) => columns.line(kind, at, &line),
            Out::Lines(out) => {
                line.push('\n');
                out.write_all(line.as_bytes())
            }
        };
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError::Write {
            path: self.path.to_string_lossy().into_owned(),
            source,
        }
    }
}
