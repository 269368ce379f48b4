//! The commit thread: takes what was appended, writes it with one sync, tells everyone.
//!
//! One thread writes the log, so at most one commit is unfinished at any time, and whatever was
//! written before it is durable. Recovery relies on that.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Options;
use super::error::LogError;
use super::frame;
use super::recovery::Segment;
use super::segment::{self, HEADER_BYTES};
use crate::delivery::Receipt;

/// What one commit made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The highest durable record; everything up to it is durable too.
    pub through: u64,
    /// Receipts of the messages that this commit made durable, in the order of arrival.
    pub receipts: Vec<Receipt>,
}

/// What was appended and is not yet being written.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    receipts: Vec<Receipt>,
    /// First and last record; meaningless while `bytes` is empty.
    first: u64,
    last: u64,
    /// When the first of them was appended.
    since: Option<Instant>,
}

/// What the log, its commit thread and its watchers share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something was appended, or the thread is to hurry or to end.
    work: Condvar,
    /// The thread has taken what was pending.
    room: Condvar,
    /// Something has become durable, or never will.
    done: Condvar,
}

/// See [`Shared`].
#[derive(Debug)]
pub(super) struct State {
    pending: Pending,
    pub(super) last: u64,
    pub(super) durable: u64,
    /// Bytes of all segments and of what is not yet in them.
    pub(super) used: u64,
    /// Oldest first, the one being written last.
    pub(super) segments: VecDeque<Segment>,
    given_up: Option<Arc<str>>,
    /// Commit at once: somebody waits.
    hurry: bool,
    closing: bool,
    closed: bool,
}

impl Shared {
    pub(super) fn new(last: u64, used: u64, segments: VecDeque<Segment>) -> Self {
        Self {
            state: Mutex::new(State {
                pending: Pending::default(),
                last,
                durable: last,
                used,
                segments,
                given_up: None,
                hurry: false,
                closing: false,
                closed: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            done: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Log::append`](super::Log::append); `bytes` is the length of the record on disk.
    pub(super) fn append(
        &self,
        options: &Options,
        salt: u32,
        bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
        receipt: Option<Receipt>,
    ) -> Result<u64, LogError> {
        let mut state = self.lock();
        loop {
            state.check()?;
            // A commit may begin a segment.
            let needed = bytes as u64 + HEADER_BYTES as u64;
            if state.used.saturating_add(needed) > options.directory_bytes {
                return Err(LogError::Full {
                    used: state.used,
                    limit: options.directory_bytes,
                });
            }
            let waiting = state.pending.bytes.len();
            if waiting == 0 || waiting + bytes <= options.buffer_bytes {
                break;
            }
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let sequence = state.last + 1;
        let pending = &mut state.pending;
        let opens_commit = pending.bytes.is_empty();
        if opens_commit {
            pending.first = sequence;
            pending.since = Some(Instant::now());
        }
        frame::write(&mut pending.bytes, salt, sequence, opens_commit, write);
        pending.last = sequence;
        pending.receipts.extend(receipt);
        let is_due = opens_commit || pending.bytes.len() >= options.commit_bytes;
        state.last = sequence;
        state.used += bytes as u64;
        drop(state);
        if is_due {
            self.work.notify_one();
        }
        Ok(sequence)
    }

    /// Has what is pending committed at once.
    pub(super) fn hurry(&self) {
        self.lock().hurry = true;
        self.work.notify_one();
    }

    /// Has the thread end once everything is committed.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// Waits until the record is durable and returns the highest one that is.
    pub(super) fn wait(&self, sequence: u64) -> Result<u64, LogError> {
        let mut state = self.lock();
        while state.durable < sequence {
            state.check()?;
            if state.closed {
                return Err(LogError::Closed);
            }
            state = self
                .done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state.durable)
    }

    /// Waits for something to commit; `None` once the log is closed. `spare` becomes the buffer
    /// for what is appended meanwhile.
    fn take(&self, options: &Options, spare: Vec<u8>) -> Option<Pending> {
        let mut state = self.lock();
        loop {
            let Some(since) = state.pending.since else {
                if state.closing {
                    return None;
                }
                state.hurry = false;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = since.elapsed();
            let is_due = state.hurry
                || state.closing
                || state.pending.bytes.len() >= options.commit_bytes
                || waited >= options.commit_every;
            if is_due {
                break;
            }
            let rest = options.commit_every.saturating_sub(waited);
            state = self
                .work
                .wait_timeout(state, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.hurry = false;
        let fresh = Pending {
            bytes: spare,
            ..Pending::default()
        };
        let taken = std::mem::replace(&mut state.pending, fresh);
        self.room.notify_all();
        Some(taken)
    }

    fn committed(&self, through: u64, bytes: u64) {
        let mut state = self.lock();
        state.durable = through;
        if let Some(segment) = state.segments.back_mut() {
            segment.bytes += bytes;
        }
        self.done.notify_all();
    }

    fn began(&self, segment: Segment) {
        let mut state = self.lock();
        state.used += segment.bytes;
        state.segments.push_back(segment);
    }

    fn end(&self, given_up: Option<&str>) {
        let mut state = self.lock();
        state.closed = true;
        state.given_up = given_up.map(Arc::from);
        self.done.notify_all();
        self.room.notify_all();
    }
}

impl State {
    /// # Errors
    /// An earlier commit failed.
    pub(super) fn check(&self) -> Result<(), LogError> {
        match &self.given_up {
            Some(reason) => Err(LogError::GivenUp(Arc::clone(reason))),
            None => Ok(()),
        }
    }
}

/// Writes the log. Lives on the commit thread.
pub(super) struct Committer<F> {
    pub(super) shared: Arc<Shared>,
    pub(super) options: Options,
    pub(super) directory: PathBuf,
    pub(super) salt: u32,
    /// The segment being written, and its length in bytes.
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) on_commit: F,
}

impl<F: FnMut(Commit)> Committer<F> {
    /// Commits until the log is closed or a commit fails.
    pub(super) fn run(mut self) {
        // A panic in the callback must not leave appenders waiting for ever.
        let mut ending = Ending {
            shared: Arc::clone(&self.shared),
            given_up: Some("the commit thread panicked".to_owned()),
        };
        let mut spare = Vec::new();
        while let Some(mut pending) = self.shared.take(&self.options, spare) {
            if let Err(error) = self.write(&pending) {
                tracing::error!("write-ahead log is given up: {error}");
                ending.given_up = Some(error.to_string());
                return;
            }
            let written = pending.bytes.len() as u64;
            self.shared.committed(pending.last, written);
            (self.on_commit)(Commit {
                through: pending.last,
                receipts: std::mem::take(&mut pending.receipts),
            });
            spare = pending.bytes;
            spare.clear();
        }
        ending.given_up = None;
    }

    fn write(&mut self, pending: &Pending) -> Result<(), LogError> {
        let length = pending.bytes.len() as u64;
        let is_begun = self.bytes > HEADER_BYTES as u64;
        if is_begun && self.bytes + length > self.options.segment_bytes {
            self.rotate(pending.first)?;
        }
        self.file
            .write_all(&pending.bytes)
            .map_err(LogError::disk("write log segment", &self.path))?;
        self.file
            .sync_data()
            .map_err(LogError::disk("sync log segment", &self.path))?;
        self.bytes += length;
        Ok(())
    }

    fn rotate(&mut self, first: u64) -> Result<(), LogError> {
        let path = segment::path_of(&self.directory, first);
        self.file = segment::create(&path, first, self.salt)?;
        self.path.clone_from(&path);
        self.bytes = HEADER_BYTES as u64;
        self.shared.began(Segment {
            first,
            path,
            bytes: self.bytes,
        });
        Ok(())
    }
}

/// Tells the others that the thread has ended, however it ended.
struct Ending {
    shared: Arc<Shared>,
    given_up: Option<String>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.end(self.given_up.as_deref());
    }
}
