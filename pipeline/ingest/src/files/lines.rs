//! A file as lines: unpacked if it is gzip or zstd, bounded in length, and honest about how it
//! ends.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::origin::is_lost;
use super::unpack;

/// Longest line that is read; longer ones are skipped and rejected as oversized.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// How much of a file is looked at to tell what it is.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// What some editors put before UTF-8 text; it is no part of the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A stream whose first bytes are known.
pub(super) struct Stream {
    /// The first [`HEAD_BYTES`], unpacked, or more if that is not one whole line; less if the
    /// stream is shorter or breaks off.
    pub(super) head: Vec<u8>,
    /// Whether the bytes are unpacked from gzip or zstd.
    pub(super) packed: bool,
    rest: Box<dyn Read + Send>,
    /// The error at which the head ended, if it did.
    pub(super) broken: Option<io::Error>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("head", &self.head.len())
            .field("packed", &self.packed)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// Looks at the beginning of `raw` and unpacks it if it is packed.
    ///
    /// # Errors
    /// What reading the first bytes said.
    pub(super) fn open(mut raw: Box<dyn Read + Send>) -> io::Result<Self> {
        let mut magic = Vec::with_capacity(unpack::MAGIC_BYTES);
        raw.by_ref()
            .take(unpack::MAGIC_BYTES as u64)
            .read_to_end(&mut magic)?;
        let packing = unpack::packing(&magic);
        let packed = packing.is_some();
        let raw = Box::new(Cursor::new(magic).chain(raw));
        let mut rest: Box<dyn Read + Send> = match packing {
            Some(packing) => unpack::unpack(packing, raw)?,
            None => raw,
        };
        let mut head = Vec::with_capacity(HEAD_BYTES);
        let mut read_on = |bytes: usize, head: &mut Vec<u8>| {
            rest.by_ref().take(bytes as u64).read_to_end(head).err()
        };
        let mut broken = read_on(HEAD_BYTES, &mut head);
        // One line that is too long must not hide the lines after it.
        if broken.is_none() && head.len() == HEAD_BYTES && !head.contains(&b'\n') {
            broken = read_on(LINE_BYTES_MAX, &mut head);
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Self {
            head,
            packed,
            rest,
            broken,
        })
    }

    /// The whole stream, its head included.
    pub(super) fn bytes(self) -> Box<dyn Read + Send> {
        let rest: Box<dyn Read + Send> = match self.broken {
            Some(error) => Box::new(Broken(Some(error))),
            None => self.rest,
        };
        Box::new(Cursor::new(self.head).chain(rest))
    }

    pub(super) fn lines(self) -> Lines {
        Lines {
            packed: self.packed,
            reader: BufReader::with_capacity(1 << 18, self.bytes()),
        }
    }
}

/// A stream that has broken off: reports why, once.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// How a line ended.
#[derive(Debug)]
pub(super) enum LineEnd {
    /// With a line feed.
    Complete,
    /// With the end of the file: it may be cut off.
    Open,
    /// It was too long; the buffer holds its beginning.
    Oversized,
    /// The packed stream breaks off in the middle; the buffer holds what came of the line.
    Cut(io::Error),
    /// The packed stream is damaged; the buffer holds what came of the line.
    Damaged(io::Error),
    /// The place of the file went away; the buffer holds what came of the line.
    Lost(io::Error),
}

/// The lines of a stream.
pub(super) struct Lines {
    packed: bool,
    reader: BufReader<Box<dyn Read + Send>>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl Lines {
    /// The lines of bytes in memory.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            packed: false,
            reader: BufReader::new(Box::new(Cursor::new(bytes.to_vec()))),
        }
    }

    /// Reads the next line into `line`, without its line end; `None` at the end of the stream.
    ///
    /// # Errors
    /// Only what the operating system says; damage to a packed stream is a [`LineEnd`], and so is the
    /// loss of the file.
    pub(super) fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Option<LineEnd>> {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        let read = self.reader.by_ref().take(limit).read_until(b'\n', line);
        match read {
            Err(error) => self.stopped(error).map(Some),
            Ok(0) => Ok(None),
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                Ok(Some(LineEnd::Complete))
            }
            Ok(_) if line.len() > LINE_BYTES_MAX => self.skip_line().map(Some),
            Ok(_) => Ok(Some(LineEnd::Open)),
        }
    }

    /// An error of the unpacker is a property of the file, and so is that the file went away; any
    /// other one stops the reading.
    fn stopped(&mut self, error: io::Error) -> io::Result<LineEnd> {
        let is_lost = is_lost(&error);
        if !is_lost && (!self.packed || !unpack::is_of_file(&error)) {
            return Err(error);
        }
        // Whatever follows the damage cannot be trusted to begin at a line.
        self.reader = BufReader::new(Box::new(io::empty()));
        Ok(if is_lost {
            LineEnd::Lost(error)
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            LineEnd::Cut(error)
        } else {
            LineEnd::Damaged(error)
        })
    }

    fn skip_line(&mut self) -> io::Result<LineEnd> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) => {
                    self.stopped(error)?;
                    return Ok(LineEnd::Oversized);
                }
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |at| at + 1);
            let done = end.is_some() || buffer.is_empty();
            self.reader.consume(length);
            if done {
                return Ok(LineEnd::Oversized);
            }
        }
    }
}
