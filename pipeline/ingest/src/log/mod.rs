//! The write-ahead log of the MQTT path: a message is acknowledged once it is in here, and after a
//! crash the engine is fed from here.
//!
//! Stands between the sources (`endpoint`, `subscriber`) and the engine. Everything that is input
//! goes in, in the order in which the engine sees it: messages, ticks, control inputs.
//!
//! ```text
//!  append ──▶ buffer ──▶ commit thread: one write, one sync ──▶ Commit { through, receipts }
//!    │                                                                 └──▶ Settle::settle
//!    └─▶ sequence at once (low latency: feed the engine now, acknowledge later)
//! ```
//!
//! A directory holds segments of bounded size; [`Log::release`] deletes those that a snapshot has
//! made superfluous. Records carry checksums, all of which are verified when the log is opened.
//!
//! After a failed write or sync the log refuses everything: the system may have dropped the pages
//! it could not write and report success at the next sync, so trying again would lie.

mod commit;
mod entry;
mod error;
mod frame;
mod recovery;
mod replay;
mod segment;

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use self::commit::Commit;
pub use self::entry::{Body, Entry};
pub use self::error::{Damage, LogError};
pub use self::recovery::{Recovery, Torn};
pub use self::replay::Replay;

use self::commit::{Committer, Shared};
use self::frame::HEAD_BYTES;
use self::recovery::{Recovered, recover};
use crate::delivery::Receipt;

/// Longest record, bytes: topic, sender and payload together.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

/// How the log writes, and how large it may get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long the first record of a commit waits for others. Every acknowledgement is late by up
    /// to this and one sync.
    pub commit_every: Duration,
    /// A commit does not wait for more once it has this many bytes.
    pub commit_bytes: usize,
    /// How many bytes may wait for their commit; [`Log::append`] blocks beyond.
    pub buffer_bytes: usize,
    /// A commit that would make a segment longer than this begins the next one, bytes. Only a
    /// single larger commit makes a larger segment.
    pub segment_bytes: u64,
    /// Limit of all segments together, bytes. At least two segments: the one being written is
    /// never released.
    pub directory_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            commit_every: Duration::from_millis(10),
            commit_bytes: 256 << 10,
            buffer_bytes: 8 << 20,
            segment_bytes: 64 << 20,
            directory_bytes: 4 << 30,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), LogError> {
        let problem = if self.segment_bytes == 0 {
            "`segment_bytes` must not be 0".to_owned()
        } else if self.directory_bytes / 2 < self.segment_bytes {
            format!(
                "`directory_bytes` ({}) must be at least twice `segment_bytes` ({})",
                self.directory_bytes, self.segment_bytes
            )
        } else if self.buffer_bytes < self.commit_bytes {
            format!(
                "`buffer_bytes` ({}) must not be below `commit_bytes` ({})",
                self.buffer_bytes, self.commit_bytes
            )
        } else {
            return Ok(());
        };
        Err(LogError::Options(problem))
    }
}

/// What a [release](Log::release) deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Number of segments.
    pub segments: usize,
    /// Their size, bytes.
    pub bytes: u64,
}

/// An open log. It owns its directory; dropping it commits what was appended and ends the commit
/// thread.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    options: Options,
    salt: u32,
    directory: PathBuf,
    /// Held by whoever deletes segments.
    releasing: Mutex<()>,
    committing: Option<JoinHandle<()>>,
    /// Unlocks the directory when it is dropped.
    _lock: File,
}

impl Log {
    /// Opens the log in this directory, creating it if need be, and checks every record in it.
    /// `on_commit` is called on the commit thread after each sync and before the next commit, so
    /// it should be quick: hand the receipts to [`Settle`](crate::delivery::Settle).
    ///
    /// # Errors
    /// The directory is in use, cannot be read or written, or holds damage that no crash explains.
    pub fn open(
        directory: &Path,
        options: Options,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<(Self, Recovery), LogError> {
        options.check()?;
        let recovered = recover(directory)?;
        Self::start(directory, options, recovered, on_commit)
    }

    fn start(
        directory: &Path,
        options: Options,
        recovered: Recovered,
        on_commit: impl FnMut(Commit) + Send + 'static,
    ) -> Result<(Self, Recovery), LogError> {
        let Recovered {
            lock,
            segments,
            file,
            salt,
            recovery,
        } = recovered;
        let (path, bytes) = segments
            .back()
            .map(|last| (last.path.clone(), last.bytes))
            .unwrap_or_default();
        let shared = Arc::new(Shared::new(recovery.last, recovery.bytes, segments));
        let committer = Committer {
            shared: Arc::clone(&shared),
            options: options.clone(),
            directory: directory.to_owned(),
            salt,
            file,
            path,
            bytes,
            on_commit,
        };
        let committing = thread::Builder::new()
            .name("andon-wal".to_owned())
            .spawn(move || committer.run())
            .map_err(LogError::disk("start the commit thread of", directory))?;
        let log = Self {
            shared,
            options,
            salt,
            directory: directory.to_owned(),
            releasing: Mutex::new(()),
            committing: Some(committing),
            _lock: lock,
        };
        Ok((log, recovery))
    }

    /// Appends an entry and returns its number at once; it becomes durable with the next commit,
    /// which reports the receipt. `received_at` is in microseconds since 1970-01-01T00:00:00Z.
    ///
    /// Blocks only while [`Options::buffer_bytes`] wait for the disk, so do not call it on an
    /// asynchronous task that others share a thread with.
    ///
    /// # Errors
    /// The entry is not in the log then. After [`LogError::Full`] try it again, before any later
    /// one, once something is released. After [`LogError::TooLong`] it never will be: reject it.
    /// After [`LogError::GivenUp`] nothing will be appended any more.
    pub fn append(
        &self,
        received_at: i64,
        body: &Body,
        receipt: Option<Receipt>,
    ) -> Result<u64, LogError> {
        let length = body.encoded_len();
        if length > RECORD_BYTES_MAX {
            return Err(LogError::TooLong {
                bytes: length,
                limit: RECORD_BYTES_MAX,
            });
        }
        self.shared.append(
            &self.options,
            self.salt,
            HEAD_BYTES + length,
            |out| body.encode(received_at, out),
            receipt,
        )
    }

    /// A handle for waiting until records are durable.
    pub fn durable(&self) -> Durable {
        Durable(Arc::clone(&self.shared))
    }

    /// Commits what has been appended without waiting for more, and returns the highest durable
    /// record.
    ///
    /// # Errors
    /// The commit, or an earlier one, failed.
    pub fn sync(&self) -> Result<u64, LogError> {
        let last = self.last_sequence();
        self.shared.hurry();
        self.shared.wait(last)
    }

    /// Entries from this record on, in order, up to the newest one that is durable now. 0 means
    /// the same as 1.
    ///
    /// # Errors
    /// Some of them are released already. The iterator itself reports what cannot be read.
    pub fn replay(&self, from: u64) -> Result<Replay, LogError> {
        let from = from.max(1);
        let state = self.shared.lock();
        let oldest = state.segments.front().map_or(1, |segment| segment.first);
        if from < oldest {
            return Err(LogError::Released {
                asked: from,
                oldest,
            });
        }
        let needed = state.segments.partition_point(|s| s.first <= from);
        let segments = state
            .segments
            .range(needed.saturating_sub(1)..)
            .map(|segment| segment.path.clone())
            .collect();
        Ok(Replay::new(segments, from, state.durable))
    }

    /// Deletes the segments whose records are all numbered `through` or below, because a snapshot
    /// covers them. The segment being written stays.
    ///
    /// # Errors
    /// A segment cannot be deleted. Calling again goes on where it ended.
    pub fn release(&self, through: u64) -> Result<Released, LogError> {
        let _releasing = self
            .releasing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut released = Released::default();
        loop {
            let (path, bytes) = {
                let state = self.shared.lock();
                match (state.segments.front(), state.segments.get(1)) {
                    (Some(oldest), Some(next)) if next.first <= through.saturating_add(1) => {
                        (oldest.path.clone(), oldest.bytes)
                    }
                    _ => return Ok(released),
                }
            };
            match fs::remove_file(&path) {
                // Gone already: an earlier call failed after it, or somebody helped.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result.map_err(LogError::disk("delete log segment", &path))?,
            }
            // One by one, so that a crash never leaves a gap.
            segment::sync_directory(&self.directory)?;
            let mut state = self.shared.lock();
            state.segments.pop_front();
            state.used = state.used.saturating_sub(bytes);
            released.segments += 1;
            released.bytes += bytes;
        }
    }

    /// The oldest record kept; if there is none, the number that the next one will get.
    pub fn first_sequence(&self) -> u64 {
        let state = self.shared.lock();
        state.segments.front().map_or(1, |segment| segment.first)
    }

    /// The newest record, durable or not; 0 in a new log.
    pub fn last_sequence(&self) -> u64 {
        self.shared.lock().last
    }

    /// Size of all segments and of what waits for its commit, bytes.
    pub fn used_bytes(&self) -> u64 {
        self.shared.lock().used
    }

    /// Commits what was appended, ends the commit thread and returns the highest durable record.
    ///
    /// # Errors
    /// This commit, or an earlier one, failed.
    pub fn close(mut self) -> Result<u64, LogError> {
        self.end();
        let state = self.shared.lock();
        state.check()?;
        Ok(state.durable)
    }

    fn end(&mut self) {
        let Some(committing) = self.committing.take() else {
            return;
        };
        self.shared.close();
        // A panic there has been reported through the shared state.
        if committing.join().is_err() {
            tracing::error!("the commit thread of the write-ahead log panicked");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells what is durable. Outlives the log.
#[derive(Clone, Debug)]
pub struct Durable(Arc<Shared>);

impl Durable {
    /// The highest durable record; everything up to it is durable too. 0 in a new log.
    pub fn sequence(&self) -> u64 {
        self.0.lock().durable
    }

    /// Blocks until this record is durable and returns the highest one that is.
    ///
    /// # Errors
    /// It never will be: a commit failed, or the log was closed without such a record.
    pub fn wait(&self, sequence: u64) -> Result<u64, LogError> {
        self.0.wait(sequence)
    }
}
