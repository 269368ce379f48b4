//! The frames of an Arrow IPC stream. A file is the same stream behind a mark, with a table of
//! contents after it that nobody needs who reads from front to back.
//!
//! A frame says how long its parts are, and who believes it gives away the memory that a liar
//! names: lengths are checked against limits, and memory grows with what is there.

use std::collections::HashMap;
use std::io;

use andon_schemas::reject::RejectReason;
use arrow_ipc::{RecordBatch, root_as_message};

use crate::files::bytes::{Bytes, Short};
use crate::refused::Refused;

/// How a file begins; a stream begins with its first frame.
const FILE_MARK: &[u8; 8] = b"ARROW1\0\0";

/// Where the first frame of a file begins at the latest.
const FILL_BYTES_MAX: u64 = 64;

/// Begins every frame.
const FRAME_MARK: [u8; 4] = [0xff; 4];

/// Longest head of a frame: a schema of some ten thousand columns.
const HEAD_BYTES_MAX: usize = 16 << 20;

/// Longest body of a frame, as it lies in the file and unpacked.
const BODY_BYTES_MAX: i64 = 1 << 30;

/// Most rows of one batch. Writers take some ten thousand, or a million.
const ROWS_MAX: i64 = 1 << 24;

/// How far memory grows at a time.
const PORTION: usize = 1 << 20;

/// Whether a file begins like Arrow IPC, file or stream.
pub(in crate::files) fn looks_like(head: &[u8]) -> bool {
    let frame = || {
        let (mark, rest) = head.split_first_chunk::<4>()?;
        let (length, _) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
        Some(*mark == FRAME_MARK && (1..=HEAD_BYTES_MAX).contains(&length))
    };
    head.starts_with(b"ARROW1") || frame().unwrap_or(false)
}

/// Frames, one after another.
#[derive(Debug)]
pub(super) struct Frames {
    bytes: Bytes,
    /// Bytes before the present frame.
    at: u64,
    began: bool,
    /// It is a file, which has an end that can be missing.
    is_file: bool,
    kept: Kept,
}

/// Dictionaries stay while batches come and go: bytes of each, unpacked, and the most of all.
#[derive(Debug)]
struct Kept {
    bytes: HashMap<i64, i64>,
    most: i64,
}

/// One dictionary, or what is added to it.
#[derive(Debug)]
struct Dictionary {
    id: i64,
    is_added: bool,
    bytes: i64,
}

impl Kept {
    fn take(&mut self, dictionary: &Dictionary) -> Result<(), Refused> {
        let bytes = self.bytes.entry(dictionary.id).or_default();
        let before = if dictionary.is_added { *bytes } else { 0 };
        *bytes = before.saturating_add(dictionary.bytes);
        let all = self
            .bytes
            .values()
            .fold(0_i64, |all, n| all.saturating_add(*n));
        if all > self.most {
            return Err(oversized(&format!("dictionaries of {all} bytes together")));
        }
        Ok(())
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A whole frame with its marks.
    Frame(Vec<u8>),
    /// Nothing: the stream has ended.
    End,
    /// Something that cannot be read; what came before is good.
    Broken(Refused),
}

impl Frames {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            at: 0,
            began: false,
            is_file: false,
            kept: Kept {
                bytes: HashMap::new(),
                most: BODY_BYTES_MAX,
            },
        }
    }

    /// The next frame.
    ///
    /// # Errors
    /// Only what the operating system says.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        let mut frame = Vec::new();
        if !self.began {
            self.began = true;
            if let Some(short) = self.take(&mut frame, FILE_MARK.len())? {
                return Ok(self.short(short));
            }
            if frame == FILE_MARK {
                self.is_file = true;
                self.at = frame.len() as u64;
                frame.clear();
            }
        }
        while frame.is_empty() {
            if let Some(short) = self.take(&mut frame, 8)? {
                return Ok(self.short(short));
            }
            // Some writers fill up after the mark of the file.
            if frame == [0; 8] && self.is_file && self.at < FILL_BYTES_MAX {
                self.at += 8;
                frame.clear();
            }
        }
        let length = match prefix(&frame) {
            Some(0) => return Ok(Next::End),
            Some(length) if length <= HEAD_BYTES_MAX => length,
            _ => {
                let detail = format!("no frame begins at byte {}", self.at);
                return Ok(Next::Broken(damaged(detail)));
            }
        };
        if let Some(short) = self.take(&mut frame, length)? {
            return Ok(self.short(cut_if_ended(short)));
        }
        let body = match check_head(&frame[8..]) {
            Ok(body) => body,
            Err(refused) => return Ok(Next::Broken(refused)),
        };
        let head = frame.len();
        if let Some(short) = self.take(&mut frame, body)? {
            return Ok(self.short(cut_if_ended(short)));
        }
        let kept = check_body(&frame[8..head], &frame[head..])
            .and_then(|kept| kept.map_or(Ok(()), |kept| self.kept.take(&kept)));
        if let Err(refused) = kept {
            return Ok(Next::Broken(refused));
        }
        self.at += frame.len() as u64;
        Ok(Next::Frame(frame))
    }

    /// So many bytes more.
    fn take(&mut self, frame: &mut Vec<u8>, mut length: usize) -> io::Result<Option<Short>> {
        while length > 0 {
            let portion = length.min(PORTION);
            let start = frame.len();
            frame.resize(start + portion, 0);
            if let Some(short) = self.bytes.fill(&mut frame[start..], "frame")? {
                // Of several portions only the first may find nothing and be at an end.
                return Ok(Some(if start > 0 {
                    cut_if_ended(short)
                } else {
                    short
                }));
            }
            length -= portion;
        }
        Ok(None)
    }

    fn short(&self, short: Short) -> Next {
        match short {
            Short::End if !self.is_file => Next::End,
            Short::End => Next::Broken(Refused::new(
                RejectReason::Truncated,
                "arrow file ends without its table of contents: it was not finished; what is in \
                 it is kept",
            )),
            Short::Broken(refused) => Next::Broken(Refused {
                detail: format!("{} (frame at byte {})", refused.detail, self.at),
                ..refused
            }),
        }
    }
}

/// A file that ends where a frame goes on is cut.
fn cut_if_ended(short: Short) -> Short {
    match short {
        Short::End => Short::Broken(crate::files::bytes::cut("frame")),
        broken @ Short::Broken(_) => broken,
    }
}

/// The length of a frame's head.
fn prefix(frame: &[u8]) -> Option<usize> {
    let length = frame.strip_prefix(&FRAME_MARK)?.first_chunk()?;
    usize::try_from(i32::from_le_bytes(*length)).ok()
}

/// The length of a frame's body.
///
/// # Errors
/// A head that is none, and one that asks for too much.
fn check_head(head: &[u8]) -> Result<usize, Refused> {
    let message = root_as_message(head).map_err(damaged)?;
    let length = message.bodyLength();
    if length > BODY_BYTES_MAX {
        return Err(oversized(&format!("a batch of {length} bytes")));
    }
    usize::try_from(length).map_err(damaged)
}

/// Checks what a batch says of itself before anybody believes it; returns the dictionary that it is,
/// if it is one.
fn check_body(head: &[u8], body: &[u8]) -> Result<Option<Dictionary>, Refused> {
    let message = root_as_message(head).map_err(damaged)?;
    let dictionary = message.header_as_dictionary_batch();
    let batch = match &dictionary {
        Some(dictionary) => dictionary.data(),
        None => message.header_as_record_batch(),
    };
    let Some(batch) = batch else {
        return Ok(None);
    };
    if batch.length() < 0 || batch.length() > ROWS_MAX {
        return Err(oversized(&format!("a batch of {} rows", batch.length())));
    }
    let bytes = check_buffers(&batch, body)?;
    Ok(dictionary.map(|dictionary| Dictionary {
        id: dictionary.id(),
        is_added: dictionary.isDelta(),
        bytes,
    }))
}

/// Columns lie inside of their batch; of packed ones, each says how large it is unpacked. Returns
/// the bytes of all of them unpacked.
fn check_buffers(batch: &RecordBatch<'_>, body: &[u8]) -> Result<i64, Refused> {
    let is_packed = batch.compression().is_some();
    let mut unpacked: i64 = 0;
    for buffer in batch.buffers().iter().flatten() {
        let place = || {
            let start = usize::try_from(buffer.offset()).ok()?;
            let length = usize::try_from(buffer.length()).ok()?;
            body.get(start..start.checked_add(length)?)
        };
        let bytes = place().ok_or_else(|| damaged("a column lies outside of its batch"))?;
        let lies = i64::try_from(bytes.len()).map_err(damaged)?;
        let claim = bytes.first_chunk().filter(|_| is_packed);
        // -1 stands for a column that is not packed.
        let claim = claim.map_or(-1, |claim| i64::from_le_bytes(*claim));
        if claim < -1 {
            return Err(damaged("a packed column has a negative length"));
        }
        unpacked = unpacked.saturating_add(if claim < 0 { lies } else { claim });
    }
    if unpacked > BODY_BYTES_MAX {
        return Err(oversized(&format!("a batch of {unpacked} bytes unpacked")));
    }
    Ok(unpacked)
}

pub(super) fn damaged(error: impl std::fmt::Display) -> Refused {
    Refused::new(
        RejectReason::Malformed,
        format!("arrow capture cannot be read on: {error}"),
    )
}

fn oversized(what: &str) -> Refused {
    Refused::new(
        RejectReason::Oversized,
        format!("arrow capture has {what}, more than is held in memory: write smaller batches"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_bounded_together_and_one_that_is_replaced_counts_once() {
        let mut kept = Kept {
            bytes: HashMap::new(),
            most: 100,
        };
        let dictionary = |id, is_added, bytes| Dictionary {
            id,
            is_added,
            bytes,
        };
        for _ in 0..50 {
            kept.take(&dictionary(1, false, 60)).unwrap();
        }
        kept.take(&dictionary(2, false, 30)).unwrap();
        kept.take(&dictionary(2, true, 10)).unwrap();
        let refused = kept.take(&dictionary(2, true, 1)).unwrap_err();
        assert_eq!(refused.reason, RejectReason::Oversized);
        assert!(refused.detail.contains("101 bytes"), "{}", refused.detail);
    }
}
