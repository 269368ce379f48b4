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

use super::native::{ControlLine, RejectLine, TickLine};

/// Why a capture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The extension says no format.
    #[error("capture `{path}` ends neither in .ndjson nor in .parquet")]
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
    out: BufWriter<File>,
    line: Vec<u8>,
}

impl CaptureWriter {
    /// Creates a capture; its format follows from the extension.
    ///
    /// # Errors
    /// An unknown extension, or a file that cannot be created.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        if !matches!(extension.as_deref(), Some("ndjson" | "jsonl")) {
            return Err(WriteError::Extension {
                path: path.to_string_lossy().into_owned(),
            });
        }
        let file = File::create(path).map_err(|source| WriteError::Write {
            path: path.to_string_lossy().into_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(1 << 18, file),
            line: Vec::with_capacity(512),
        })
    }

    /// Writes a record, with the position it came from if that is to be kept.
    ///
    /// # Errors
    /// What writing said.
    pub fn record(&mut self, record: &Record, source: Option<&Source>) -> Result<(), WriteError> {
        self.line.clear();
        encode_into(&mut self.line, record, source);
        self.end_line()
    }

    /// Writes a tick: the engine was told that time is at least `at`.
    ///
    /// # Errors
    /// What writing said.
    pub fn tick(&mut self, at: EventTime) -> Result<(), WriteError> {
        self.other(&TickLine {
            v: WIRE_VERSION,
            kind: "tick".into(),
            at,
        })
    }

    /// Writes a reject.
    ///
    /// # Errors
    /// What writing said.
    pub fn reject(&mut self, reject: &Reject) -> Result<(), WriteError> {
        self.other(&RejectLine {
            v: WIRE_VERSION,
            kind: "reject".into(),
            reject: reject.clone(),
        })
    }

    /// Writes a control input, which is JSON.
    ///
    /// # Errors
    /// A control input that is not JSON, and what writing said.
    pub fn control(&mut self, control: &str) -> Result<(), WriteError> {
        let control: &RawValue = serde_json::from_str(control)?;
        self.other(&ControlLine {
            v: WIRE_VERSION,
            kind: "control".into(),
            control,
        })
    }

    /// Writes out what is buffered and closes the file.
    ///
    /// # Errors
    /// What writing said.
    pub fn finish(mut self) -> Result<(), WriteError> {
        self.out.flush().map_err(|source| self.failed(source))
    }

    fn other(&mut self, line: &impl Serialize) -> Result<(), WriteError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.end_line()
    }

    fn end_line(&mut self) -> Result<(), WriteError> {
        self.line.push(b'\n');
        let written = self.out.write_all(&self.line);
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError::Write {
            path: self.path.to_string_lossy().into_owned(),
            source,
        }
    }
}
