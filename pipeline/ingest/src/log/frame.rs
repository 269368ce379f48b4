//! How a record lies in a segment: a head of 21 bytes, then the body.
//!
//! The head is `sequence u64`, `length u32`, `flags u8`, CRC of the body, CRC of the head, all
//! little-endian. The head has a checksum of its own because a flipped bit in the length would
//! otherwise look like a record that the crash cut short, and everything behind it would be thrown
//! away as a torn tail.
//!
//! All checksums start from the log's *salt*, a random number in the header of its segments, so
//! that a payload which was made to look like a record cannot pass for one.

use crc32fast::Hasher;

use super::error::Damage;

/// Length of the head, bytes.
pub(super) const HEAD_BYTES: usize = 21;

/// The record is the first of a commit, so everything before it was durable when it was written.
const OPENS_COMMIT: u8 = 1;

/// The head of a record, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) sequence: u64,
    /// Length of the body, bytes.
    pub(super) length: usize,
    pub(super) opens_commit: bool,
    body_crc: u32,
}

impl Head {
    /// Reads a head.
    ///
    /// # Errors
    /// [`Damage::Head`] if it does not match its checksum.
    pub(super) fn parse(bytes: &[u8; HEAD_BYTES], salt: u32) -> Result<Self, Damage> {
        let (fields, crc) = bytes.split_at(HEAD_BYTES - 4);
        if checksum(salt, fields).to_le_bytes() != crc {
            return Err(Damage::Head);
        }
        let number = |from: usize, width: usize| {
            fields[from..from + width]
                .iter()
                .rev()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        Ok(Self {
            sequence: number(0, 8),
            length: usize::try_from(number(8, 4)).map_err(|_| Damage::Head)?,
            opens_commit: fields[12] & OPENS_COMMIT != 0,
            body_crc: u32::try_from(number(13, 4)).map_err(|_| Damage::Head)?,
        })
    }

    /// Whether this is the body that the head was written for.
    pub(super) fn matches(&self, body: &[u8], salt: u32) -> bool {
        body.len() == self.length && checksum(salt, body) == self.body_crc
    }
}

/// Appends a record to `out`; `body` appends its body, of at most `u32::MAX` bytes.
pub(super) fn write(
    out: &mut Vec<u8>,
    salt: u32,
    sequence: u64,
    opens_commit: bool,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.resize(start + HEAD_BYTES, 0);
    body(out);
    let bytes = &out[start + HEAD_BYTES..];
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let body_crc = checksum(salt, bytes);

    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(&sequence.to_le_bytes());
    head[8..12].copy_from_slice(&length.to_le_bytes());
    head[12] = if opens_commit { OPENS_COMMIT } else { 0 };
    head[13..17].copy_from_slice(&body_crc.to_le_bytes());
    let head_crc = checksum(salt, &head[..HEAD_BYTES - 4]);
    head[17..].copy_from_slice(&head_crc.to_le_bytes());
    out[start..start + HEAD_BYTES].copy_from_slice(&head);
}

/// Whether a sound record that opens a commit, with a number above `sequence`, begins anywhere in
/// `bytes`: the proof that record `sequence` was durable once.
pub(super) fn proves_durable(bytes: &[u8], salt: u32, sequence: u64) -> bool {
    bytes.windows(HEAD_BYTES).enumerate().any(|(at, window)| {
        let Some(head) = window
            .first_chunk()
            .and_then(|bytes| Head::parse(bytes, salt).ok())
        else {
            return false;
        };
        let body = &bytes[at + HEAD_BYTES..];
        head.opens_commit
            && head.sequence > sequence
            && body
                .get(..head.length)
                .is_some_and(|body| head.matches(body, salt))
    })
}

/// CRC-32 from the salt on.
pub(super) fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}
