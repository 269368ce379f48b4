//! An archive in the form of POSIX, compressed piece by piece: what does not change is compressed
//! once, since several streams of gzip one after another are one.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

const BLOCK: usize = 512;
/// Longest name that the header of a file has room for.
const NAME_MAX: usize = 100;

/// A file of an archive.
#[derive(Clone, Debug)]
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Some files of an archive, compressed.
pub(super) fn part(files: &[File<'_>]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for file in files {
        encoder.write_all(&header(file)?)?;
        encoder.write_all(file.bytes)?;
        let over = file.bytes.len() % BLOCK;
        if over > 0 {
            encoder.write_all(&[0; BLOCK][over..])?;
        }
    }
    encoder.finish()
}

/// What stands at the end of an archive, compressed.
pub(super) fn end() -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&[0; 2 * BLOCK])?;
    encoder.finish()
}

fn header(file: &File<'_>) -> io::Result<[u8; BLOCK]> {
    let name = file.name.as_bytes();
    if name.is_empty() || name.len() > NAME_MAX {
        let why = format!("`{}` is no name for a file of a bundle", file.name);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(field) = header.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    put(0, name);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", file.bytes.len()).as_bytes());
    // The same files are the same archive, whenever it is made.
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\0");
    put(263, b"00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    if let Some(field) = header.get_mut(148..156) {
        field.copy_from_slice(sum.as_bytes());
    }
    Ok(header)
}
