//! Packed files: gzip and zstd, of one frame or many, told by their first bytes. What is wrong
//! with a file is told with the place at which it was met.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::origin::is_lost;

/// How many bytes tell how a file is packed.
pub(super) const MAGIC_BYTES: usize = 4;

/// The largest window that zstd may ask for, as a power of two: 128 MiB, what its own tool takes
/// unless told otherwise.
const WINDOW_LOG_MAX: u32 = 27;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

/// How a file that begins like this is packed, if it is.
pub(super) fn packing(magic: &[u8]) -> Option<Packing> {
    match magic {
        [0x1f, 0x8b, ..] => Some(Packing::Gzip),
        // Parallel packers begin with a frame to be skipped.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Packing::Zstd),
        _ => None,
    }
}

/// The bytes that were packed.
///
/// # Errors
/// An unpacker that cannot be made.
pub(super) fn unpack(
    packing: Packing,
    raw: Box<dyn Read + Send>,
) -> io::Result<Box<dyn Read + Send>> {
    let raw = BufReader::with_capacity(1 << 16, raw);
    Ok(match packing {
        Packing::Gzip => Box::new(Placed::new(MultiGzDecoder::new(raw))),
        Packing::Zstd => {
            let mut decoder = Decoder::with_buffer(raw)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            Box::new(Placed::new(decoder))
        }
    })
}

/// Whether an error is a property of a packed file and not of the operating system.
pub(super) fn is_of_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
    )
}

/// Unpacked bytes, counted: errors of the unpacker say after how many they came.
struct Placed<R> {
    inner: R,
    unpacked: u64,
}

impl<R> Placed<R> {
    const fn new(inner: R) -> Self {
        Self { inner, unpacked: 0 }
    }
}

impl<R: Read> Read for Placed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(read) => {
                self.unpacked += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) if error.raw_os_error().is_some() || is_lost(&error) => Err(error),
            Err(error) => {
                let place = format!("after {} unpacked bytes", self.unpacked);
                Err(if error.kind() == io::ErrorKind::UnexpectedEof {
                    io::Error::new(io::ErrorKind::UnexpectedEof, place)
                } else {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{error} {place}"))
                })
            }
        }
    }
}
