//! Streams cut, delayed, repeated and forged.

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
        "its rest never came"
    );
    assert_eq!(
        heard(&[(0, b"\x02a\x01..."), (6, b"\x02b")]),
        "ab",
        "no message there"
    );
}

#[test]
fn whoever_sends_bytes_ahead_of_others_hides_nothing() {
    assert_eq!(
        heard(&[(0, b"\x02a"), (3, b"b"), (2, b"\x06b...."), (8, b"\x02c")]),
        "abc",
        "one byte ahead of its message"
    );
    assert_eq!(
        heard(&[(0, b"\x02a"), (3, b"b"), (2, b"\x03b.\x02c"), (7, b"\x02d")]),
        "abcd",
        "and another message behind it in the segment"
    );
    assert_eq!(
        heard(&[(0, b"\x02a\x04"), (5, b".\x02c"), (3, b"b."), (8, b"\x02d")]),
        "abcd",
        "the second half first"
    );
    assert_eq!(
        heard(&[
            (0, b"\x02a"),
            (90, b"."),
            (180, b"."),
            (2, b"\x02b"),
            (4, b"\x02c")
        ]),
        "abc",
        "two gaps at once"
    );
    assert_eq!(
        heard(&[(0, b"\x02a\x03"), (900, b"??"), (3, b"b.\x02c")]),
        "abc",
        "a segment that the receiver throws away, within a message"
    );
    assert_eq!(
        heard(&[(0, b"\x02a\x03"), (1 << 30, b"\x01?"), (3, b"b.\x02c")]),
        "abc",
        "the same from nowhere"
    );
    assert_eq!(
        heard(&[
            (0, b"\x02a"),
            (1 << 30, b"\x02b"),
            (2 + (1 << 30), b"\x03c"),
            (4 + (1 << 30), b".\x02d")
        ]),
        "abcd",
        "numbers that begin anew"
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
    fn segments_that_overtake_and_overlap_others_hide_no_message(
        letters in prop::collection::vec((2_u8..40, b'a'..=b'z'), 1..40),
        cuts in prop::collection::vec((1_usize..60, 0_usize..3, any::<bool>()), 1..40),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (length, letter) in letters {
            bytes.extend([length, letter]);
            bytes.resize(bytes.len() + usize::from(length) - 2, b'.');
            expected.push(char::from(letter));
        }
        let mut segments = Vec::new();
        let (mut at, mut turned) = (0, Vec::new());
        let mut cut = cuts.iter().cycle();
        while at < bytes.len() {
            let (length, overlap, turn) = cut.next().unwrap();
            let end = (at + length).min(bytes.len());
            let from = at.saturating_sub(*overlap);
            segments.push((u32::try_from(from).unwrap(), &bytes[from..end]));
            turned.push(*turn);
            at = end;
        }
        // The first byte names the stream's beginning.
        for place in (2..segments.len()).step_by(2) {
            if turned[place] {
                segments.swap(place - 1, place);
            }
        }
        let mut heard: Vec<char> = heard(&segments).chars().collect();
        for letter in expected {
            let place = heard.iter().position(|one| *one == letter);
            prop_assert!(place.is_some(), "{letter} of {segments:?}");
            heard.remove(place.unwrap());
        }
    }

    #[test]
    fn no_bytes_are_too_strange_and_little_is_kept(
        segments in prop::collection::vec(
            (any::<u32>(), 0_usize..2_000, prop::collection::vec(any::<u8>(), 0..700)), 0..40),
    ) {
        let mut stream = Stream::default();
        for (from, more, bytes) in segments {
            stream.take((from % 4_000, bytes.len() + more), &bytes, &frame, &mut |_| ());
            prop_assert!(stream.gaps.len() <= GAPS_MAX);
            let kept = stream.gaps.iter().map(|gap| gap.reader.head.len() + gap.behind.len());
            let kept = kept.sum::<usize>() + stream.reader.head.len();
            prop_assert!(kept <= (2 * GAPS_MAX + 1) * HEAD_BYTES_MAX);
        }
    }
}
