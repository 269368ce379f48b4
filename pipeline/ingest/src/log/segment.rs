//! One file of the log: its name, its header, and reading its records in order.
//!
//! The file is named after its first record, `00000000000000000001.wal`. The header is
//! `ANDONWAL`, `version u16`, `first record u64`, `salt u32`, CRC of these, little-endian.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use super::RECORD_BYTES_MAX;
use super::error::{Damage, LogError};
use super::frame::{self, HEAD_BYTES, Head};

const MAGIC: &[u8; 8] = b"ANDONWAL";
const VERSION: u16 = 1;
/// Length of the header, bytes.
pub(super) const HEADER_BYTES: usize = 26;
const EXTENSION: &str = "wal";
const NAME_DIGITS: usize = 20;
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Path of the segment that begins with this record.
pub(super) fn path_of(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:0NAME_DIGITS$}.{EXTENSION}"))
}

/// The first record of the segment of this name; `None` if it is no segment.
pub(super) fn first_of(path: &Path) -> Option<u64> {
    if path.extension()? != EXTENSION {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    let digits = stem.len() == NAME_DIGITS && stem.bytes().all(|b| b.is_ascii_digit());
    stem.parse().ok().filter(|_| digits)
}

/// Creates a segment that is durable itself, and returns it ready for appending.
pub(super) fn create(path: &Path, first: u64, salt: u32) -> Result<File, LogError> {
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(path)
        .map_err(LogError::disk("create log segment", path))?;
    begin(file, path, first, salt)
}

/// As [`create`], in place of a segment that has no records and no sound header. It is not deleted
/// first: its name is all that may be left of the numbering.
pub(super) fn recreate(path: &Path, first: u64, salt: u32) -> Result<File, LogError> {
    let file = OpenOptions::new()
        .append(true)
        .open(path)
        .map_err(LogError::disk("open log segment", path))?;
    file.set_len(0)
        .map_err(LogError::disk("truncate log segment", path))?;
    begin(file, path, first, salt)
}

fn begin(mut file: File, path: &Path, first: u64, salt: u32) -> Result<File, LogError> {
    file.write_all(&header(first, salt))
        .and_then(|()| file.sync_all())
        .map_err(LogError::disk("write log segment", path))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

/// Makes the creation or deletion of files in the directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), LogError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(LogError::disk("sync log directory", directory))
}

fn header(first: u64, salt: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[10..18].copy_from_slice(&first.to_le_bytes());
    header[18..22].copy_from_slice(&salt.to_le_bytes());
    let crc = frame::checksum(0, &header[..22]);
    header[22..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Why a record could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The bytes are not what was written.
    Damaged {
        /// Where the damaged record or header begins.
        offset: u64,
        damage: Damage,
    },
    /// Everything else, complete.
    Other(LogError),
}

impl ReadError {
    /// As an error of the log, if damage is one here.
    pub(super) fn into_log_error(self, path: &Path) -> LogError {
        match self {
            Self::Damaged { offset, damage } => LogError::Damaged {
                path: path.to_owned(),
                offset,
                reason: damage,
            },
            Self::Other(error) => error,
        }
    }
}

/// Reads the records of one segment in order.
#[derive(Debug)]
pub(super) struct SegmentReader {
    path: PathBuf,
    input: BufReader<File>,
    salt: u32,
    /// Number that the next record must have.
    next: u64,
    /// Where the next record begins, bytes from the start of the file.
    offset: u64,
}

impl SegmentReader {
    /// Opens the segment and checks its header.
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let other = |action| move |error| ReadError::Other(LogError::disk(action, path)(error));
        let file = File::open(path).map_err(other("open log segment"))?;
        let mut input = BufReader::with_capacity(READ_BUFFER_BYTES, file);
        let mut bytes = [0; HEADER_BYTES];
        let got = read_up_to(&mut input, &mut bytes).map_err(other("read log segment"))?;
        let damaged = |damage| ReadError::Damaged { offset: 0, damage };
        if got < HEADER_BYTES {
            return Err(damaged(Damage::ShortHeader));
        }
        let (first, salt, version) = parse_header(&bytes).map_err(damaged)?;
        if version != VERSION {
            return Err(ReadError::Other(LogError::Version {
                path: path.to_owned(),
                found: version,
                supported: VERSION,
            }));
        }
        if Some(first) != first_of(path) {
            return Err(damaged(Damage::Misnamed));
        }
        Ok(Self {
            path: path.to_owned(),
            input,
            salt,
            next: first,
            offset: HEADER_BYTES as u64,
        })
    }

    pub(super) fn salt(&self) -> u32 {
        self.salt
    }

    /// Number of the next record.
    pub(super) fn next_sequence(&self) -> u64 {
        self.next
    }

    /// Where the next record begins, bytes from the start of the file.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next record into `body` and returns its number; `None` at the end of the file.
    pub(super) fn read(&mut self, body: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        let damaged = |damage| ReadError::Damaged {
            offset: self.offset,
            damage,
        };
        let other = |error| ReadError::Other(LogError::disk("read log segment", &self.path)(error));
        let mut bytes = [0; HEAD_BYTES];
        match read_up_to(&mut self.input, &mut bytes).map_err(other)? {
            0 => return Ok(None),
            HEAD_BYTES => {}
            _ => return Err(damaged(Damage::Short)),
        }
        let head = Head::parse(&bytes, self.salt).map_err(damaged)?;
        if head.sequence != self.next {
            return Err(damaged(Damage::Sequence));
        }
        if head.length > RECORD_BYTES_MAX {
            return Err(damaged(Damage::Unknown));
        }
        body.clear();
        let mut input = (&mut self.input).take(head.length as u64);
        if input.read_to_end(body).map_err(other)? < head.length {
            return Err(damaged(Damage::Short));
        }
        if !head.matches(body, self.salt) {
            return Err(damaged(Damage::Body));
        }
        self.next += 1;
        self.offset += (HEAD_BYTES + head.length) as u64;
        Ok(Some(head.sequence))
    }
}

/// First record, salt and version.
fn parse_header(bytes: &[u8; HEADER_BYTES]) -> Result<(u64, u32, u16), Damage> {
    let (fields, crc) = bytes.split_at(HEADER_BYTES - 4);
    if frame::checksum(0, fields).to_le_bytes() != crc || !fields.starts_with(MAGIC) {
        return Err(Damage::Header);
    }
    let mut version = [0; 2];
    let mut first = [0; 8];
    let mut salt = [0; 4];
    version.copy_from_slice(&fields[8..10]);
    first.copy_from_slice(&fields[10..18]);
    salt.copy_from_slice(&fields[18..22]);
    Ok((
        u64::from_le_bytes(first),
        u32::from_le_bytes(salt),
        u16::from_le_bytes(version),
    ))
}

/// Fills the buffer as far as the input reaches and returns how far that is.
fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
