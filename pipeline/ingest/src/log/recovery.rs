//! Opening a directory: what is in it, is all of it sound, and where does writing go on.
//!
//! Every record is read and checked. A crash can leave one commit half written at the very end;
//! that was never reported as durable, so it is cut off and reported. Any other damage is an
//! error, and nothing is changed then. (Damage done later to the very last commit looks the same
//! as a crash; it is cut off and reported too.)

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::{Damage, LogError};
use super::frame;
use super::segment::{self, HEADER_BYTES, ReadError, SegmentReader};

/// Name of the file that marks the directory as owned.
const LOCK_FILE: &str = "lock";

/// What opening a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The oldest record kept; if there is none, the number that the next one will get.
    pub first: u64,
    /// The newest record; 0 in a new log.
    pub last: u64,
    /// Size of all segments, bytes.
    pub bytes: u64,
    /// What a crash had left behind at the end, now cut off.
    pub torn: Option<Torn>,
}

/// A commit that never became durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment that was shortened.
    pub path: PathBuf,
    /// Its length now, bytes.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
    /// What was wrong with the first of them.
    pub damage: Damage,
}

/// One segment on disk.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    /// Its length, bytes.
    pub(super) bytes: u64,
}

/// A directory, ready for writing.
#[derive(Debug)]
pub(super) struct Recovered {
    /// Held for as long as the directory is owned.
    pub(super) lock: File,
    /// Oldest first; the last one is being written. Never empty.
    pub(super) segments: VecDeque<Segment>,
    /// The last segment.
    pub(super) file: File,
    pub(super) salt: u32,
    pub(super) recovery: Recovery,
}

/// Takes the directory, creating it if need be, and checks what is in it.
pub(super) fn recover(directory: &Path) -> Result<Recovered, LogError> {
    create(directory)?;
    let lock = own(directory)?;
    let mut walk = Walk::default();
    let paths = segments_in(directory)?;
    for (at, path) in paths.iter().enumerate() {
        walk.visit(path, at + 1 == paths.len())?;
    }
    let salt = walk.salt.unwrap_or_else(random);
    let file = if let Some(last) = walk.segments.back() {
        OpenOptions::new()
            .append(true)
            .open(&last.path)
            .map_err(LogError::disk("open log segment", &last.path))?
    } else {
        let path = segment::path_of(directory, 1);
        let file = segment::create(&path, 1, salt)?;
        walk.begun(path, 1);
        file
    };
    let recovery = Recovery {
        first: walk.segments.front().map_or(1, |segment| segment.first),
        last: walk.next.unwrap_or(1) - 1,
        bytes: walk.segments.iter().map(|segment| segment.bytes).sum(),
        torn: walk.torn,
    };
    Ok(Recovered {
        lock,
        segments: walk.segments,
        file,
        salt,
        recovery,
    })
}

/// Creates the directory and those above it, each of them durable.
fn create(directory: &Path) -> Result<(), LogError> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = match directory.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    create(above)?;
    match fs::create_dir(directory) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => result.map_err(LogError::disk("create log directory", directory))?,
    }
    segment::sync_directory(above)
}

fn own(directory: &Path) -> Result<File, LogError> {
    let path = directory.join(LOCK_FILE);
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(LogError::disk("open lock file", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LogError::Owned(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(LogError::disk("lock", &path)(error)),
    }
}

/// Paths of the segments, oldest first. Other files are left alone.
fn segments_in(directory: &Path) -> Result<Vec<PathBuf>, LogError> {
    let failed = |error| LogError::disk("read log directory", directory)(error);
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if segment::first_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn random() -> u32 {
    // The standard library's hash keys are its only source of randomness; the state of a hasher
    // that has seen nothing still depends on them.
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 32) as u32
}

/// The walk over the segments, oldest first.
#[derive(Debug, Default)]
struct Walk {
    segments: VecDeque<Segment>,
    /// Number of the record that follows those seen; `None` before the first segment.
    next: Option<u64>,
    salt: Option<u32>,
    torn: Option<Torn>,
}

impl Walk {
    fn visit(&mut self, path: &Path, is_last: bool) -> Result<(), LogError> {
        let first = segment::first_of(path).unwrap_or_default();
        if let Some(expected) = self.next.filter(|expected| *expected != first) {
            return Err(LogError::Gap {
                path: path.to_owned(),
                found: first,
                expected,
            });
        }
        let length = fs::metadata(path)
            .map_err(LogError::disk("read log segment", path))?
            .len();
        let mut reader = match SegmentReader::open(path) {
            Ok(reader) => reader,
            Err(ReadError::Damaged { damage, .. }) if is_last && length <= HEADER_BYTES as u64 => {
                // A header is synced before the first record is written, so there was none.
                return self.begin_again(path, first, length, damage);
            }
            Err(error) => return Err(error.into_log_error(path)),
        };
        self.salt = Some(reader.salt());
        let mut body = Vec::new();
        loop {
            match reader.read(&mut body) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(ReadError::Damaged { offset, damage })
                    if is_last && is_torn(path, &reader, damage)? =>
                {
                    self.cut(path, offset, length, damage)?;
                    break;
                }
                Err(error) => return Err(error.into_log_error(path)),
            }
        }
        self.next = Some(reader.next_sequence());
        self.segments.push_back(Segment {
            first,
            path: path.to_owned(),
            bytes: reader.offset(),
        });
        Ok(())
    }

    /// Takes note of a last segment without records.
    fn begun(&mut self, path: PathBuf, first: u64) {
        self.next = Some(first);
        self.segments.push_back(Segment {
            first,
            path,
            bytes: HEADER_BYTES as u64,
        });
    }

    fn begin_again(
        &mut self,
        path: &Path,
        first: u64,
        length: u64,
        damage: Damage,
    ) -> Result<(), LogError> {
        let salt = *self.salt.get_or_insert_with(random);
        segment::recreate(path, first, salt)?;
        self.torn = Some(Torn {
            path: path.to_owned(),
            offset: 0,
            bytes: length,
            damage,
        });
        self.begun(path.to_owned(), first);
        Ok(())
    }

    fn cut(
        &mut self,
        path: &Path,
        offset: u64,
        length: u64,
        damage: Damage,
    ) -> Result<(), LogError> {
        OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| {
                file.set_len(offset)?;
                file.sync_all()
            })
            .map_err(LogError::disk("truncate log segment", path))?;
        self.torn = Some(Torn {
            path: path.to_owned(),
            offset,
            bytes: length - offset,
            damage,
        });
        Ok(())
    }
}

/// Whether the damage at the reader's place is what a crash leaves: nothing behind it proves that
/// the damaged record had been durable.
fn is_torn(path: &Path, reader: &SegmentReader, damage: Damage) -> Result<bool, LogError> {
    if matches!(damage, Damage::Sequence | Damage::Unknown) {
        return Ok(false);
    }
    let mut rest = Vec::new();
    let mut file = File::open(path).map_err(LogError::disk("open log segment", path))?;
    file.seek(SeekFrom::Start(reader.offset()))
        .and_then(|_| file.read_to_end(&mut rest))
        .map_err(LogError::disk("read log segment", path))?;
    let behind = rest.get(1..).unwrap_or_default();
    Ok(!frame::proves_durable(
        behind,
        reader.salt(),
        reader.next_sequence(),
    ))
}
