//! What a crash leaves behind is cut off and reported; any other damage is an error with a place.

use super::segment::HEADER_BYTES;
use super::*;

/// Some messages in several segments, and where the last commit begins in the last one.
fn several_segments(directory: &Path) -> (Vec<Entry>, u64) {
    fill(directory, 33, 3);
    let (log, _) = open(directory).unwrap();
    let entries = read(&log, 1);
    drop(log);
    let last = segments(directory).pop().unwrap();
    let mut reader = segment::SegmentReader::open(&last).unwrap();
    let mut body = Vec::new();
    while reader.next_sequence() <= 30 {
        reader.read(&mut body).unwrap();
    }
    assert!(
        reader.offset() > HEADER_BYTES as u64,
        "it must not be alone"
    );
    (entries, reader.offset())
}

/// A copy of the directory, in which one file can be spoilt.
fn copy(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for path in segments(directory) {
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn entries_in(recovered: &Recovered) -> Vec<Entry> {
    let paths = recovered.segments.iter().map(|s| s.path.clone()).collect();
    Replay::new(paths, 1, recovered.recovery.last)
        .map(Result::unwrap)
        .collect()
}

#[test]
fn cutting_the_last_segment_anywhere_loses_only_the_tail() {
    let original = tempfile::tempdir().unwrap();
    let (entries, _) = several_segments(original.path());
    let last = segments(original.path()).pop().unwrap();
    let first_of_last = segment::first_of(&last).unwrap();
    let bytes = fs::read(&last).unwrap();
    assert!(first_of_last > 1 && bytes.len() > 200);

    let directory = copy(original.path());
    let last = directory.path().join(last.file_name().unwrap());
    for length in 0..bytes.len() {
        fs::write(&last, &bytes[..length]).unwrap();
        let recovered = recover(directory.path()).unwrap();
        let kept = entries_in(&recovered);
        assert_eq!(kept, entries[..kept.len()], "cut at {length}");
        assert!(kept.len() as u64 >= first_of_last - 1, "cut at {length}");
        let torn = recovered.recovery.torn.map_or(0, |torn| torn.bytes);
        let left = length as u64 - torn;
        let header = HEADER_BYTES as u64;
        assert_eq!(fs::metadata(&last).unwrap().len(), left.max(header));
        // Only a record that was cut is lost.
        let whole = recovered.recovery.last + 1 - first_of_last;
        let lengths: Vec<u64> = frame_lengths(&bytes);
        assert_eq!(
            left,
            if (length as u64) < header {
                0
            } else {
                header
                    + lengths[..usize::try_from(whole).unwrap()]
                        .iter()
                        .sum::<u64>()
            }
        );
    }
}

/// Lengths of the records of a segment, heads included.
fn frame_lengths(segment: &[u8]) -> Vec<u64> {
    let mut lengths = Vec::new();
    let mut at = HEADER_BYTES;
    while at < segment.len() {
        let length = u32::from_le_bytes(segment[at + 8..at + 12].try_into().unwrap());
        let whole = HEAD_BYTES + length as usize;
        lengths.push(whole as u64);
        at += whole;
    }
    lengths
}

#[test]
fn flipping_any_byte_is_detected() {
    let original = tempfile::tempdir().unwrap();
    let (entries, last_commit) = several_segments(original.path());
    let directory = copy(original.path());
    let paths = segments(directory.path());
    for (number, path) in paths.iter().enumerate() {
        let sound = fs::read(path).unwrap();
        let is_last = number + 1 == paths.len();
        for at in 0..sound.len() {
            let mut spoilt = sound.clone();
            spoilt[at] ^= 1 << (at % 8);
            fs::write(path, &spoilt).unwrap();
            match recover(directory.path()) {
                Err(LogError::Damaged {
                    path: named,
                    offset,
                    ..
                }) => {
                    assert_eq!(&named, path);
                    assert!(offset <= at as u64, "byte {at}");
                }
                Err(other) => panic!("byte {at}: {other}"),
                Ok(recovered) => {
                    // The last commit cannot be told from one that never became durable.
                    assert!(
                        is_last && at as u64 >= last_commit,
                        "byte {at} of {}",
                        path.display()
                    );
                    let torn = recovered.recovery.torn.as_ref().unwrap();
                    assert!(torn.offset <= at as u64, "byte {at}");
                    let kept = entries_in(&recovered);
                    assert!(kept.len() >= 30 && kept.len() < 33, "byte {at}");
                    assert_eq!(kept, entries[..kept.len()], "byte {at}");
                }
            }
        }
        fs::write(path, &sound).unwrap();
    }
}

#[test]
fn a_torn_tail_is_truncated_and_its_numbers_are_used_again() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 5, 1);
    let last = segments(directory.path()).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() - 1]).unwrap();

    let (log, recovery) = open(directory.path()).unwrap();
    assert_eq!(recovery.last, 4);
    let torn = recovery.torn.unwrap();
    assert_eq!((torn.path, torn.damage), (last, Damage::Short));
    assert_eq!(log.append(2_000, &message(5), None).unwrap(), 5);
    drop(log);
    let (log, recovery) = open(directory.path()).unwrap();
    assert_eq!(recovery.torn, None);
    assert_eq!(read(&log, 1).len(), 5);
}

#[test]
fn a_tail_of_zeros_is_truncated() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 5, 1);
    let last = segments(directory.path()).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.resize(bytes.len() + 5_000, 0);
    fs::write(&last, &bytes).unwrap();
    let (_log, recovery) = open(directory.path()).unwrap();
    assert_eq!(recovery.last, 5);
    assert_eq!(recovery.torn.unwrap().bytes, 5_000);
}

#[test]
fn damage_is_named_with_file_and_offset_and_nothing_is_changed() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 30, 3);
    let first = segments(directory.path()).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    let second_record = HEADER_BYTES + usize::try_from(frame_lengths(&bytes)[0]).unwrap();
    bytes[second_record + HEAD_BYTES + 3] ^= 0x40;
    fs::write(&first, &bytes).unwrap();

    let error = open(directory.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "log segment {} is damaged at byte {second_record}: \
             record body does not match its checksum",
            first.display()
        )
    );
    assert_eq!(fs::read(&first).unwrap(), bytes);
}

#[test]
fn a_missing_segment_is_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path(), 30, 3);
    let paths = segments(directory.path());
    fs::remove_file(&paths[1]).unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, LogError::Gap { path, .. } if path == paths[2]));
}

#[test]
fn a_payload_that_looks_like_a_record_proves_nothing() {
    let mut forged = Vec::new();
    frame::write(&mut forged, 7, 9, true, |body| {
        body.extend_from_slice(b"forged");
    });
    assert!(frame::proves_durable(&forged, 7, 8));
    assert!(!frame::proves_durable(&forged, 7, 9));
    assert!(!frame::proves_durable(&forged, 8, 8));
    forged.pop();
    assert!(!frame::proves_durable(&forged, 7, 8));
}
