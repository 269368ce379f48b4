//! One side of a connection as a stream of messages.
//!
//! Segments are read as they come. Where one is missing a gap is left, with what came before it and
//! the beginning of what came behind it, so that a message that lies across the gap is read once
//! the gap is filled: who sends the second half of a message first, or a byte of it ahead of the
//! rest, hides nothing. Of overlapping segments the first one counts.

use super::{Frame, HEAD_BYTES_MAX};

/// How far behind a gap a segment may be: windows beyond this are not in use.
const GAP_MAX: u32 = 16 << 20;
/// Gaps that are remembered. Of more the two oldest count as one: what lies between them may be
/// read twice, which hides nothing.
const GAPS_MAX: usize = 4;

/// Where one side has got to.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Number of the next byte; `None` before the first.
    next: Option<u32>,
    reader: Reader,
    /// What is missing before it, in the order of the numbers.
    gaps: Vec<Gap>,
    /// Where a segment ended whose number came from nowhere.
    elsewhere: Option<u32>,
}

/// Reads messages one behind the other.
#[derive(Debug, Default)]
struct Reader {
    /// Bytes of the present message that need not be looked at.
    skip: usize,
    /// The beginning of a message whose rest is to come.
    head: Vec<u8>,
}

/// Bytes that have not come.
#[derive(Debug, Default)]
struct Gap {
    begin: u32,
    /// The number behind its last byte.
    end: u32,
    /// Where reading stopped before it.
    reader: Reader,
    /// The first bytes behind it.
    behind: Vec<u8>,
}

/// Tells how long the message is that bytes begin with.
type Measure<'f> = &'f dyn Fn(&[u8]) -> Frame;

impl Stream {
    /// Takes a segment: number of its first byte, length on the wire, what was captured of it.
    pub(super) fn take(
        &mut self,
        (from, length): (u32, usize),
        captured: &[u8],
        frame: Measure<'_>,
        read: &mut impl FnMut(&[u8]),
    ) {
        // A segment is shorter than 2^16, give or take an offload.
        let wire = u32::try_from(length).unwrap_or(0);
        if wire == 0 {
            return;
        }
        let next = self.next.unwrap_or(from);
        let (ahead, behind) = (from.wrapping_sub(next), next.wrapping_sub(from));
        let passed = if ahead <= GAP_MAX {
            if ahead > 0 {
                self.leave(next, from);
            }
            0
        } else if behind <= GAP_MAX {
            self.fill((from, wire), next, captured, frame, read);
            behind
        } else if self.elsewhere == Some(from) {
            // The second in a row: numbers have begun anew.
            *self = Self::default();
            0
        } else {
            // Numbers from nowhere, forged as like as not: what they carry is read by itself, and
            // takes nothing from the stream.
            self.elsewhere = Some(from.wrapping_add(wire));
            let mut alone = Reader::default();
            alone.feed(captured, frame, read);
            alone.pass(1, read);
            return;
        };
        self.elsewhere = None;
        if passed >= wire {
            return;
        }
        self.next = Some(from.wrapping_add(wire));
        let bytes = captured.get(passed as usize..).unwrap_or_default();
        self.keep_behind(from.wrapping_add(passed), bytes);
        self.reader.feed(bytes, frame, read);
        let missing = length - passed as usize - bytes.len().min(length - passed as usize);
        self.reader.pass(missing, read);
    }

    /// Leaves a gap: reading goes on behind it as if a message began there.
    fn leave(&mut self, begin: u32, end: u32) {
        let gap = Gap {
            begin,
            end,
            reader: std::mem::take(&mut self.reader),
            behind: Vec::new(),
        };
        self.gaps.push(gap);
        self.bound();
    }

    fn bound(&mut self) {
        if self.gaps.len() > GAPS_MAX {
            let second = self.gaps.remove(1);
            let first = &mut self.gaps[0];
            (first.end, first.behind) = (second.end, second.behind);
        }
    }

    /// Keeps the first bytes behind the last gap, for a message that lies across it.
    fn keep_behind(&mut self, from: u32, bytes: &[u8]) {
        let Some(gap) = self.gaps.last_mut() else {
            return;
        };
        let kept = gap.behind.len();
        let follows = from.wrapping_sub(gap.end) as usize == kept;
        if follows && kept < HEAD_BYTES_MAX {
            let more = bytes.len().min(HEAD_BYTES_MAX - kept);
            gap.behind.extend_from_slice(&bytes[..more]);
        }
    }

    /// Reads what a segment of so many bytes brings of what was missing before `next`.
    fn fill(
        &mut self,
        (from, wire): (u32, u32),
        next: u32,
        captured: &[u8],
        frame: Measure<'_>,
        read: &mut impl FnMut(&[u8]),
    ) {
        // Numbers as distances from the segment's first byte: it is shorter than half of them.
        let place = |number: u32| i64::from(number.wrapping_sub(from).cast_signed());
        let at = |place: i64| usize::try_from(place).unwrap_or(0).min(captured.len());
        for mut gap in std::mem::take(&mut self.gaps) {
            let begin = place(gap.begin).max(0);
            let end = place(gap.end).min(i64::from(wire));
            if begin >= end {
                self.gaps.push(gap);
                continue;
            }
            let bytes = &captured[at(begin)..at(end)];
            if place(gap.begin) < 0 {
                self.gaps.push(Gap {
                    begin: gap.begin,
                    end: from,
                    reader: std::mem::take(&mut gap.reader),
                    behind: bytes[..bytes.len().min(HEAD_BYTES_MAX)].to_vec(),
                });
            }
            gap.reader.feed(bytes, frame, read);
            let missing = usize::try_from(end - begin).unwrap_or(0) - bytes.len();
            gap.reader.pass(missing, read);
            if end < place(gap.end) {
                gap.begin = from.wrapping_add(wire);
                self.gaps.push(gap);
                continue;
            }
            if captured.len() >= at(place(next)) && place(next) <= i64::from(wire) {
                gap.behind = captured[at(end)..at(place(next))].to_vec();
            }
            self.close(gap, next, frame, read);
        }
        self.bound();
    }

    /// Goes on behind a gap that is filled. If a message ended where the gap did, what lies behind
    /// it has been read as it should; if one lies across, it is read anew as far as it was kept.
    fn close(&mut self, gap: Gap, next: u32, frame: Measure<'_>, read: &mut impl FnMut(&[u8])) {
        let mut reader = gap.reader;
        if reader.head.is_empty() && reader.skip == 0 {
            return;
        }
        reader.feed(&gap.behind, frame, read);
        let left = next.wrapping_sub(gap.end) as usize;
        let left = left.saturating_sub(gap.behind.len());
        if left == 0 || reader.skip >= left {
            reader.skip -= left.min(reader.skip);
            self.reader = reader;
        } else {
            reader.pass(left, read);
        }
    }
}

impl Reader {
    fn feed(&mut self, mut bytes: &[u8], frame: Measure<'_>, read: &mut impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let before = self.head.len();
            let taken = bytes.len().min(HEAD_BYTES_MAX - before);
            let kept = if before == 0 {
                &bytes[..taken]
            } else {
                self.head.extend_from_slice(&bytes[..taken]);
                &self.head
            };
            match frame(kept) {
                Frame::Whole(total) if kept.len() >= total.min(HEAD_BYTES_MAX) => {
                    read(&kept[..total.min(kept.len())]);
                    self.head.clear();
                    // A message that was awaited was longer than what there was of it.
                    self.skip = total.max(before + 1) - before;
                }
                Frame::Whole(_) | Frame::Short if before + taken < HEAD_BYTES_MAX => {
                    if before == 0 {
                        self.head.extend_from_slice(bytes);
                    }
                    return;
                }
                _ => {
                    *self = Self::default();
                    return;
                }
            }
        }
    }

    /// Bytes that were not captured, or will never come: what there is of a message is read.
    fn pass(&mut self, missing: usize, read: &mut impl FnMut(&[u8])) {
        if missing == 0 {
            return;
        }
        if !self.head.is_empty() {
            read(&self.head);
        }
        self.head = Vec::new();
        self.skip = self.skip.saturating_sub(missing);
    }
}

#[cfg(test)]
mod tests;
