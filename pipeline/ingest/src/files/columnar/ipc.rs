//! Arrow IPC captures back to records, files and streams alike, one batch in memory at a time.

use std::io;

use andon_schemas::reject::RejectReason;
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;

use super::fit::fit;
use super::frames::{Frames, Next, damaged};
use super::read::guarded;
use super::{BATCH_ROWS, Batch, SCHEMA};
use crate::files::bytes::Bytes;
use crate::files::rows::Numbered;
use crate::refused::Refused;

/// Rows that are turned at a time; a dictionary is read anew for each such part of a batch.
const PART_ROWS: usize = 8 * BATCH_ROWS;

/// The rows of one Arrow IPC capture.
pub(in crate::files) struct IpcRows {
    frames: Frames,
    decoder: StreamDecoder,
    /// What of the present batch is still to be turned.
    rest: Option<RecordBatch>,
    part: Option<Batch>,
    rows: usize,
    row: usize,
    number: u64,
    fits: bool,
    ended: bool,
}

impl std::fmt::Debug for IpcRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcRows")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl IpcRows {
    pub(in crate::files) fn new(bytes: Bytes) -> Self {
        Self {
            frames: Frames::new(bytes),
            decoder: StreamDecoder::new(),
            rest: None,
            part: None,
            rows: 0,
            row: 0,
            number: 0,
            fits: false,
            ended: false,
        }
    }

    /// The next row; `None` at the end. Damage ends the capture with one refusal.
    ///
    /// # Errors
    /// Only what the operating system says.
    pub(in crate::files) fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            if let Some(part) = &self.part
                && self.row < self.rows
            {
                let content = part.content(self.row);
                self.row += 1;
                self.number += 1;
                return Ok(Some(Numbered {
                    number: self.number,
                    content: content.map_err(|refused| (refused, String::new())),
                }));
            }
            self.part = None;
            if let Some(rest) = self.rest.take() {
                match self.turn(&rest) {
                    Ok(()) => continue,
                    Err(refused) => return Ok(Some(self.end(refused))),
                }
            }
            if self.ended {
                return Ok(None);
            }
            match self.frames.next()? {
                Next::Frame(frame) => {
                    if let Err(refused) = self.decode(frame) {
                        return Ok(Some(self.end(refused)));
                    }
                }
                Next::End => self.ended = true,
                Next::Broken(refused) => return Ok(Some(self.end(refused))),
            }
        }
    }

    fn decode(&mut self, frame: Vec<u8>) -> Result<(), Refused> {
        let mut buffer = Buffer::from_vec(frame);
        let decoder = &mut self.decoder;
        self.rest = guarded(|| decoder.decode(&mut buffer)).map_err(damaged)?;
        if !self.fits
            && let Some(schema) = self.decoder.schema()
        {
            fit(&schema).map_err(|cause| {
                let detail = format!("arrow file is no capture: {cause}");
                Refused::new(RejectReason::WrongType, detail)
            })?;
            self.fits = true;
        }
        Ok(())
    }

    /// Turns the next rows of a batch.
    fn turn(&mut self, batch: &RecordBatch) -> Result<(), Refused> {
        let rows = batch.num_rows().min(PART_ROWS);
        let ours: Vec<usize> = batch
            .schema_ref()
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| SCHEMA.column_with_name(field.name()).is_some())
            .map(|(at, _)| at)
            .collect();
        let part = guarded(|| {
            let part = batch.project(&ours).map_err(|e| e.to_string())?;
            Batch::of(&part.slice(0, rows))
        });
        self.part = Some(part.map_err(damaged)?);
        (self.rows, self.row) = (rows, 0);
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        Ok(())
    }

    fn end(&mut self, refused: Refused) -> Numbered {
        self.ended = true;
        self.rest = None;
        self.part = None;
        self.number += 1;
        Numbered {
            number: self.number,
            content: Err((refused, String::new())),
        }
    }
}
