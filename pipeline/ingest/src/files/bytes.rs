//! A file as bytes that are taken in portions, for the formats that say how long each portion is.

use std::io::{self, BufReader, Read};

use andon_schemas::reject::RejectReason;

use super::origin::is_lost;
use super::unpack;
use crate::refused::Refused;

/// Bytes of a file.
pub(super) struct Bytes {
    reader: BufReader<Box<dyn Read + Send>>,
    packed: bool,
}

/// Why a portion could not be taken.
#[derive(Debug)]
pub(super) enum Short {
    /// There is nothing more.
    End,
    /// The file breaks off, or the packed stream is damaged; what was before is good.
    Broken(Refused),
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bytes").finish_non_exhaustive()
    }
}

impl Bytes {
    /// The bytes of a reader. `packed` says that its errors are properties of the file.
    pub(super) fn new(reader: Box<dyn Read + Send>, packed: bool) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 18, reader),
            packed,
        }
    }

    /// Fills a buffer with the next bytes of what is called `of`; says what stopped it, if
    /// something did.
    ///
    /// # Errors
    /// Only what the operating system says.
    pub(super) fn fill(&mut self, buffer: &mut [u8], of: &str) -> io::Result<Option<Short>> {
        let mut at = 0;
        while at < buffer.len() {
            match self.reader.read(&mut buffer[at..]) {
                Ok(0) if at == 0 => return Ok(Some(Short::End)),
                Ok(0) => return Ok(Some(Short::Broken(cut(of)))),
                Ok(read) => at += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_lost(&error) => return Ok(Some(Short::Broken(lost(&error)))),
                Err(error) if self.packed && unpack::is_of_file(&error) => {
                    return Ok(Some(Short::Broken(damaged(&error))));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// The refusal of a file that ends too soon.
pub(super) fn cut(of: &str) -> Refused {
    Refused::new(
        RejectReason::Truncated,
        format!("file ends in the middle of a {of}; what is before it is kept"),
    )
}

fn lost(error: &io::Error) -> Refused {
    Refused::new(
        RejectReason::Truncated,
        format!("{error}; what is before is kept"),
    )
}

fn damaged(error: &io::Error) -> Refused {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        Refused::new(
            RejectReason::Truncated,
            format!("compressed file breaks off {error}; what is before is kept"),
        )
    } else {
        Refused::new(
            RejectReason::Malformed,
            format!("compressed file cannot be unpacked on: {error}; what is before is kept"),
        )
    }
}
