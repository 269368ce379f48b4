//! What can go wrong with the write-ahead log, each with the file and the place it concerns.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the log could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused an operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Disk {
        /// What was tried, such as "create segment".
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process, or another log of this one, has the directory open.
    #[error("log directory {} is in use by another process", .0.display())]
    Owned(PathBuf),
    /// A record that had become durable does not read back as it was written. Nothing was changed.
    #[error("log segment {} is damaged at byte {offset}: {reason}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the damaged record, or header, begins.
        offset: u64,
        /// In which way it is damaged.
        reason: Damage,
    },
    /// Segments are missing between two others.
    #[error("log segment {} begins with record {found} where {expected} is due", path.display())]
    Gap {
        /// The segment after the gap.
        path: PathBuf,
        /// The first record that it has.
        found: u64,
        /// The first record that it should have.
        expected: u64,
    },
    /// A segment was written by another version of the program.
    #[error(
        "log segment {} has format version {found}, this program reads version {supported}",
        path.display()
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        found: u16,
        /// Ours.
        supported: u16,
    },
    /// The directory has reached its size limit. Nothing was appended: the source keeps the message
    /// unacknowledged and tries again after a [release](super::Log::release).
    #[error("log directory is full: {used} of {limit} bytes are in use")]
    Full {
        /// Bytes in use, those waiting for their commit included.
        used: u64,
        /// The limit, bytes.
        limit: u64,
    },
    /// The record is longer than [`RECORD_BYTES_MAX`](super::RECORD_BYTES_MAX).
    #[error("record of {bytes} bytes is longer than {limit}")]
    TooLong {
        /// Length of the record, bytes.
        bytes: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// An earlier write or sync failed. What the disk holds since is unknown, so nothing more is
    /// written; opening the log again finds out.
    #[error("log was given up after a failed commit: {0}")]
    GivenUp(Arc<str>),
    /// The log was closed before the record became durable.
    #[error("log is closed")]
    Closed,
    /// A replay asks for records that were released.
    #[error("record {asked} is released, the oldest one kept is {oldest}")]
    Released {
        /// Where the replay was to start.
        asked: u64,
        /// The oldest record that is left.
        oldest: u64,
    },
    /// The options contradict themselves.
    #[error("log option {0}")]
    Options(String),
}

impl LogError {
    /// For `map_err`: the failed action and the file it concerns.
    pub(super) fn disk<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Disk {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// In which way a record, or the header of a segment, is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file ends within the header of the segment.
    #[error("segment header is cut short")]
    ShortHeader,
    /// The header of the segment does not match its checksum.
    #[error("segment header does not match its checksum")]
    Header,
    /// The segment's header names another first record than the name of its file.
    #[error("segment header belongs to another file")]
    Misnamed,
    /// The file ends within a record.
    #[error("record is cut short")]
    Short,
    /// The head of the record (number, length) does not match its checksum.
    #[error("record head does not match its checksum")]
    Head,
    /// The body of the record does not match its checksum.
    #[error("record body does not match its checksum")]
    Body,
    /// The record is sound and has another number than the one that is due.
    #[error("record is out of sequence")]
    Sequence,
    /// The record is sound and does not hold an entry.
    #[error("record holds no known entry")]
    Unknown,
}
