//! Captures read on a thread of their own, a few batches ahead of whoever plays them: files are
//! unpacked and decoded while engines work.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::{CaptureError, Captures, FileReport, Item};

/// Batches that wait to be asked for. With one being read and one being played, memory is bounded by
/// this many and two.
const AHEAD: usize = 2;

/// Captures being read ahead.
#[derive(Debug)]
pub struct ReadAhead {
    // Dropped first: whoever reads ahead then has nobody to read for, and ends.
    batches: Option<Receiver<Result<Vec<Item>, CaptureError>>>,
    thread: Option<JoinHandle<Captures>>,
    files: Vec<FileReport>,
}

impl Captures {
    /// Reads on in a thread, in batches of up to `max` items.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn read_ahead(mut self, max: usize) -> Result<ReadAhead, CaptureError> {
        let (out, batches) = sync_channel(AHEAD);
        let work = move || {
            loop {
                let batch = self.next_batch(max);
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

impl ReadAhead {
    /// The next batch, as [`Captures::next_batch`] gives it; from the end on an empty one.
    ///
    /// # Errors
    /// A file that cannot be read on, or more records than can be sorted.
    pub fn next_batch(&mut self) -> Result<Vec<Item>, CaptureError> {
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
