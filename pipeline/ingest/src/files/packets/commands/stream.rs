//! One side of a connection as a stream of messages.

use super::{Frame, HEAD_BYTES_MAX};

/// How far behind a gap a segment may be: windows beyond this are not in use.
const GAP_MAX: u32 = 16 << 20;

/// Where one side has got to.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Number of the next byte; `None` before the first.
    next: Option<u32>,
    /// Bytes of the present message that need not be looked at.
    skip: usize,
    /// The beginning of a message whose rest is to come.
    head: Vec<u8>,
    /// The last gap: from its first byte to the one behind it.
    gap: Option<(u32, u32)>,
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
        let mut bytes = captured;
        let mut missing = length.saturating_sub(captured.len());
        if ahead != 0 && ahead <= GAP_MAX {
            self.gap = Some((next, from));
            self.forget();
        } else if behind >= wire && behind <= GAP_MAX {
            // It was sent again, unless it is what was missed.
            self.fill(from, wire, captured, frame, read);
            return;
        } else if behind > GAP_MAX {
            // Numbers from nowhere: forged, or a new beginning.
            self.forget();
        } else {
            let behind = behind as usize;
            bytes = captured.get(behind..).unwrap_or_default();
            missing = length - behind - bytes.len();
        }
        self.next = Some(from.wrapping_add(wire));
        self.feed(bytes, frame, read);
        self.pass(missing, read);
    }

    fn forget(&mut self) {
        self.skip = 0;
        self.head = Vec::new();
    }

    /// Reads a segment that fills the last gap by itself.
    fn fill(
        &mut self,
        from: u32,
        wire: u32,
        captured: &[u8],
        frame: Measure<'_>,
        read: &mut impl FnMut(&[u8]),
    ) {
        let Some((begin, end)) = self.gap else {
            return;
        };
        let inside =
            from.wrapping_sub(begin) < end.wrapping_sub(begin) && end.wrapping_sub(from) >= wire;
        if inside {
            self.gap = Some((from.wrapping_add(wire), end));
            let mut alone = Self::default();
            alone.feed(captured, frame, read);
            alone.pass(1, read);
        }
    }

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
                    self.forget();
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Messages of the test: a length that counts itself, then a letter.
    fn frame(bytes: &[u8]) -> Frame {
        match bytes {
            [] => Frame::Short,
            [0 | 1, ..] => Frame::Strange,
            [length, ..] => Frame::Whole(usize::from(*length)),
        }
    }

    fn heard(segments: &[(u32, &[u8])]) -> String {
        let (mut stream, mut heard) = (Stream::default(), String::new());
        for (from, bytes) in segments {
            stream.take((*from, bytes.len()), bytes, &frame, &mut |message| {
                heard.push(char::from(message.get(1).copied().unwrap_or(b'?')));
            });
        }
        heard
    }

    #[test]
    fn messages_are_found_wherever_segments_begin_and_what_is_sent_again_counts_once() {
        assert_eq!(heard(&[(7, b"\x02a\x03b.\x02c")]), "abc");
        assert_eq!(
            heard(&[(7, b"\x02a\x03"), (10, b"b."), (12, b"\x02c")]),
            "abc"
        );
        assert_eq!(heard(&[(7, b"\x02a"), (7, b"\x02a"), (9, b"\x02b")]), "ab");
        assert_eq!(
            heard(&[(7, b"\x02a"), (8, b"a\x02b")]),
            "ab",
            "half of it again"
        );
        assert_eq!(
            heard(&[(u32::MAX, b"\x02a\x02b"), (3, b"\x02c")]),
            "abc",
            "the wrap"
        );
        assert_eq!(
            heard(&[(9, b"\x02a"), (10, b"."), (11, b"\x02b")]),
            "ab",
            "keep-alive"
        );
    }

    #[test]
    fn behind_a_gap_a_message_begins_and_what_fills_the_gap_is_read() {
        assert_eq!(heard(&[(0, b"\x02a"), (4, b"\x02c"), (2, b"\x02b")]), "acb");
        assert_eq!(
            heard(&[(0, b"\x02a"), (4, b"\x02c"), (2, b"\x02b"), (2, b"\x02b")]),
            "acb"
        );
        assert_eq!(
            heard(&[(0, b"\x04a"), (4, b"\x02c")]),
            "c",
            "it lay across the gap"
        );
        assert_eq!(
            heard(&[(0, b"\x02a\x01..."), (6, b"\x02b")]),
            "ab",
            "no message there"
        );
    }

    #[test]
    fn of_a_message_that_was_cut_by_the_capture_its_beginning_is_read() {
        let (mut stream, mut heard) = (Stream::default(), Vec::new());
        let mut take = |from, length, bytes: &[u8]| {
            stream.take((from, length), bytes, &frame, &mut |message| {
                heard.push(message.to_vec());
            });
        };
        take(0, 9, b"\x09a..");
        take(9, 2, b"\x02b");
        assert_eq!(heard, [b"\x09a..".to_vec(), b"\x02b".to_vec()]);
    }

    proptest! {
        #[test]
        fn however_a_stream_is_cut_the_same_messages_are_heard(
            letters in prop::collection::vec((2_u8..40, b'a'..=b'z'), 1..40),
            cuts in prop::collection::vec(1_usize..60, 1..40),
        ) {
            let mut bytes = Vec::new();
            let mut expected = String::new();
            for (length, letter) in letters {
                bytes.extend([length, letter]);
                bytes.resize(bytes.len() + usize::from(length) - 2, b'.');
                expected.push(char::from(letter));
            }
            let mut segments = Vec::new();
            let mut at = 0;
            let mut cut = cuts.iter().cycle();
            while at < bytes.len() {
                let end = (at + cut.next().unwrap()).min(bytes.len());
                segments.push((u32::try_from(at).unwrap(), &bytes[at..end]));
                at = end;
            }
            prop_assert_eq!(heard(&segments), expected);
        }

        #[test]
        fn no_bytes_are_too_strange_and_little_is_kept(
            segments in prop::collection::vec(
                (any::<u32>(), 0_usize..2_000, prop::collection::vec(any::<u8>(), 0..700)), 0..40),
        ) {
            let mut stream = Stream::default();
            for (from, more, bytes) in segments {
                stream.take((from % 4_000, bytes.len() + more), &bytes, &frame, &mut |_| ());
                prop_assert!(stream.head.len() <= HEAD_BYTES_MAX);
            }
        }
    }
}
