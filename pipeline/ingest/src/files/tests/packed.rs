//! Packed captures, zstd beside gzip: whole, in several frames, cut off, damaged, hostile.

use proptest::prelude::*;

use super::damage::gzip;
use super::*;
use crate::files::Format;

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn rows(count: usize) -> String {
    let row = |n: usize| {
        format!(
            "{{\"v\":1,\"kind\":\"reading\",\"device\":\"d\",\"time\":\
             \"2026-01-01T00:00:00Z\",\"current_a\":{n},\"spindle_rpm\":{}}}\n",
            n.wrapping_mul(2_654_435_761) % 9_999_991
        )
    };
    (0..count).map(row).collect()
}

#[test]
fn zstd_is_read_like_the_plain_file_whatever_its_name() {
    let plain = read("a.ndjson", rows(300));
    for name in ["a.ndjson.zst", "a.ndjson.zstd", "a"] {
        let packed = read(name, zstd(rows(300).as_bytes()));
        assert_eq!(packed.records, plain.records, "{name}");
        assert_eq!(packed.numbers, plain.numbers, "{name}");
    }
}

#[test]
fn several_frames_are_one_file_and_frames_to_skip_are_skipped() {
    let skipped = [&b"\x50\x2a\x4d\x18\x03\x00\x00\x00"[..], b"abc"].concat();
    let frames = [
        skipped.clone(),
        zstd(rows(2).as_bytes()),
        skipped,
        zstd(rows(3).as_bytes()),
    ]
    .concat();
    assert_eq!(read("a.zst", frames).numbers, [1, 2, 3, 4, 5]);
}

#[test]
fn packets_come_out_of_zstd_as_they_do_out_of_gzip() {
    let header = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\
                   \xff\xff\x00\x00\x01\x00\x00\x00";
    let mut pcap = header.to_vec();
    pcap.extend([0, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0]);
    let folder = Folder::new();
    let paths = [
        folder.put("a.pcap.zst", zstd(&pcap)),
        folder.put("a.pcap.gz", gzip(&pcap)),
    ];
    let read = paths.map(|path| {
        let mut captures = captures(&[path]);
        let read = drain(&mut captures);
        let report = captures.files()[0].clone();
        assert_eq!(report.format, Some(Format::Pcap));
        (read.reasons(), report.first_refusal)
    });
    assert_eq!(read[0], read[1]);
}

#[test]
fn of_a_truncated_file_the_rows_before_are_kept_and_the_place_is_told() {
    for pack in [zstd, gzip] {
        let mut packed = pack(rows(60_000).as_bytes());
        packed.truncate(packed.len() / 2);
        let read = read("a.ndjson", packed);
        assert!(read.records.len() > 1_000, "{}", read.records.len());
        let last = read.records.len() as u64 + 1;
        assert_eq!(read.reasons(), [(RejectReason::Truncated, last)]);
        let detail = &read.rejects[0].detail;
        let start = "compressed file breaks off after ";
        let place = detail.strip_prefix(start).expect(detail);
        let bytes: usize = place.split(' ').next().unwrap().parse().unwrap();
        // All that was unpacked lies behind the last whole row, and short of the next one.
        let before: usize = rows(read.records.len()).len();
        let after = rows(read.records.len() + 1).len();
        assert!(
            (before..=after).contains(&bytes),
            "{before} {bytes} {after}"
        );
    }
}

#[test]
fn of_a_damaged_file_the_rows_before_are_kept() {
    let mut packed = zstd(rows(2).as_bytes());
    packed.extend(b"trailing rubbish");
    let read = read("a.zst", packed);
    assert_eq!(read.numbers, [1, 2]);
    assert_eq!(read.reasons(), [(RejectReason::Malformed, 3)]);
    let detail = &read.rejects[0].detail;
    let place = format!("after {} unpacked bytes", rows(2).len());
    assert!(detail.contains(&place), "{detail}");
}

#[test]
fn a_window_beyond_the_limit_is_refused_and_not_allocated() {
    // A frame header that asks for a window of 2 GiB, and an empty raw block.
    let frame = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
    let read = read("a.zst", frame);
    assert_eq!(read.reasons(), [(RejectReason::Malformed, 0)]);
    let detail = &read.rejects[0].detail;
    assert!(detail.contains("requires too much memory"), "{detail}");
}

#[test]
fn what_is_packed_twice_is_told() {
    let read = read("a.zst", zstd(&gzip(rows(1).as_bytes())));
    assert!(read.rejects[0].detail.contains("packed twice"));
}

proptest! {
    #[test]
    fn no_damage_panics(at: usize, byte: u8, cut: usize) {
        let mut packed = zstd(rows(40).as_bytes());
        let at = at % packed.len();
        packed[at] = byte;
        packed.truncate(packed.len() - cut % 8);
        let read = read("a.zst", packed);
        prop_assert!(read.records.len() <= 40);
        prop_assert!(!read.items.is_empty());
    }
}
