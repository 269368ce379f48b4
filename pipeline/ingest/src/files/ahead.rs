//! Captures read on a thread of their own, a few batches ahead of whoever plays them: files are
//! unpacked and decoded while engines work.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::{CaptureError, Captures, FileReport, Item, Piece};

/// Batches that wait to be asked for. With one being read and one being played, memory is bounded by
/// this many and two.
const AHEAD: usize = 2;

/// Captures being read ahead, in items or in pieces.
#[derive(Debug)]
pub struct ReadAhead<T = Item> {
    // Dropped first: whoever reads ahead then has nobody to read for, and ends.
    batches: Option<Receiver<Result<Vec<T>, CaptureError>>>,
    thread: Option<JoinHandle<Captures>>,
    files: Vec<FileReport>,
}

impl Captures {
    /// Reads on in a thread, in batches of up to `max` items.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn read_ahead(self, max: usize) -> Result<ReadAhead, CaptureError> {
        self.ahead(max, Self::next_batch)
    }

    /// The same, with flows in blocks where the captures have them.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn pieces_ahead(self, max: usize) -> Result<ReadAhead<Piece>, CaptureError> {
        self.ahead(max, Self::next_pieces)
    }

    fn ahead<T: Send + 'static>(
        mut self,
        max: usize,
        next: fn(&mut Self, usize) -> Result<Vec<T>, CaptureError>,
    ) -> Result<ReadAhead<T>, CaptureError> {
        let (out, batches) = sync_channel(AHEAD);
        let work = move || {
            loop {
                let batch = next(&mut self, max);
                let ended = batch.as_ref().map_or(true, Vec::is_empty);
                if out.send(batch).is_err() || ended {
                    return self;
                }
            }
        };
        let thread = Builder::new().name("captures".to_owned()).spawn(work);
        let thread = thread.map_err(|error| CaptureError::Ahead(error.to_string()))?;
        Ok(ReadAhead {
            batches: Some(batches),
            thread: Some(thread),
            files: Vec::new(),
        })
    }
}

impl<T> ReadAhead<T> {
    /// The next batch, as [`Captures::next_batch`] or [`Captures::next_pieces`] gives it; from the end on an empty one.
    ///
    /// # Errors
    /// A file that cannot be read on, or more records than can be sorted.
    pub fn next_batch(&mut self) -> Result<Vec<T>, CaptureError> {
        let Some(batches) = &self.batches else {
            return Ok(Vec::new());
        };
        let batch = batches.recv().unwrap_or_else(|_| {
            Err(CaptureError::Ahead(
                "the thread ended by a panic".to_owned(),
            ))
        });
        if batch.as_ref().map_or(true, Vec::is_empty) {
            self.batches = None;
            if let Some(captures) = self.thread.take().and_then(|thread| thread.join().ok()) {
                self.files = captures.reports;
            }
        }
        batch
    }

    /// What became of each file, in the order read; known once a batch came empty.
    pub fn files(&self) -> &[FileReport] {
        &self.files
    }
}
