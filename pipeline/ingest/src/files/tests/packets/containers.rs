//! pcap and pcapng in their forms, whole and damaged.

use super::*;
use crate::files::tests::damage::gzip;

/// A block of a pcapng, in either order of bytes.
fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let word = |number: usize| {
        let number = u32::try_from(number).unwrap();
        if big {
            number.to_be_bytes()
        } else {
            number.to_le_bytes()
        }
    };
    let padded = body.len().next_multiple_of(4);
    let mut block = Vec::new();
    block.extend(word(usize::try_from(kind).unwrap()));
    block.extend(word(padded + 12));
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(word(padded + 12));
    block
}

fn words(big: bool, words: &[u32]) -> Vec<u8> {
    let bytes = |word: &u32| {
        if big {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        }
    };
    words.iter().flat_map(bytes).collect()
}

fn section(big: bool) -> Vec<u8> {
    let version = if big { 1 << 16 } else { 1 };
    block(
        big,
        0x0a0d_0d0a,
        &words(big, &[0x1a2b_3c4d, version, u32::MAX, u32::MAX]),
    )
}

/// An interface of a link type; `resolution` is the option that says how its clock counts.
fn interface(big: bool, link: u16, resolution: Option<u8>) -> Vec<u8> {
    let mut body = if big {
        [link.to_be_bytes(), [0; 2]].concat()
    } else {
        [link.to_le_bytes(), [0; 2]].concat()
    };
    body.extend(words(big, &[0]));
    if let Some(resolution) = resolution {
        body.extend(if big { [0, 9, 0, 1] } else { [9, 0, 1, 0] });
        body.extend([resolution, 0, 0, 0, 0, 0, 0, 0]);
    }
    block(big, 1, &body)
}

fn enhanced(big: bool, interface: u32, ticks: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|part| u32::try_from(part).unwrap());
    let mut body = words(big, &[interface, high, low, length, length]);
    body.extend(bytes);
    block(big, 6, &body)
}

const MICROS: u64 = START as u64 * 1_000_000;

fn one(payload: &[u8]) -> Vec<u8> {
    udp(Asks, 5_000, 7_000, payload)
}

#[test]
fn every_form_of_pcap_gives_the_same_times() {
    let frames = modbus(1);
    let little = pcap(&frames);
    let expected = read("a", &little);
    assert_eq!(expected.flows().len(), 1);
    let swap = |file: &[u8], nanoseconds: bool, big: bool| {
        let mut out = Vec::new();
        let mut word = |at: usize, bytes: &[u8]| {
            let number = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let number = if nanoseconds && number == 0xa1b2_c3d4 {
                0xa1b2_3c4d
            } else {
                number
            };
            out.extend(if big {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            });
        };
        word(0, file);
        // Version, zone, figures, snap length are not looked at.
        for at in (4..24).step_by(4) {
            word(at, file);
        }
        let mut at = 24;
        while at < file.len() {
            let length = u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap());
            let mut header = file[at..at + 16].to_vec();
            if nanoseconds {
                let micros = u32::from_le_bytes(header[4..8].try_into().unwrap());
                header[4..8].copy_from_slice(&(micros * 1_000 + 999).to_le_bytes());
            }
            for at in (0..16).step_by(4) {
                let number = u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
                out.extend(if big {
                    number.to_be_bytes()
                } else {
                    number.to_le_bytes()
                });
            }
            let end = at + 16 + usize::try_from(length).unwrap();
            out.extend(&file[at + 16..end]);
            at = end;
        }
        out
    };
    for (nanoseconds, big) in [(false, true), (true, false), (true, true)] {
        let (read, report) = report(swap(&little, nanoseconds, big));
        assert_eq!(read.records, expected.records, "{nanoseconds} {big}");
        assert_eq!(report.format, Some(Format::Pcap));
    }
    assert_eq!(read("x.pcap.gz", gzip(&little)).records, expected.records);
}

#[test]
fn pcapng_has_sections_interfaces_and_clocks_of_its_own() {
    let at = |read: &Read, n: usize| read.records[n].event_time.micros();
    for big in [false, true] {
        let file = [
            section(big),
            interface(big, 1, None),
            interface(big, 101, Some(9)),
            block(big, 0x0bad, b"of somebody else"),
            block(big, 0x8000_1234, b"unknown"),
            enhanced(big, 0, MICROS + 1, &one(b"a")),
            enhanced(big, 1, MICROS * 1_000 + 2_999, &one(b"bb")[14..]),
            // In another order of bytes, with a clock that counts 1/1024 s.
            section(!big),
            interface(!big, 1, Some(0x8a)),
            enhanced(
                !big,
                0,
                u64::from(START) * 1_024 + 512,
                &tcp(Asks, "S", 1, b""),
            ),
            // A packet without a time has that of the one before.
            block(
                !big,
                3,
                &[words(!big, &[55]), udp(Asks, 1, 2, b"ccccccccccccc")].concat(),
            ),
        ]
        .concat();
        let (read, report) = report(&file);
        assert_eq!(read.rejects, [], "{big}");
        assert_eq!(report.format, Some(Format::PcapNg));
        assert_eq!(report.packets.unwrap().packets, 4);
        let start = i64::from(START) * 1_000_000;
        let times: Vec<i64> = (0..read.records.len())
            .map(|n| at(&read, n) - start)
            .collect();
        assert_eq!(times, [2, 500_000, 500_000]);
        assert_eq!(bytes(read.flows()[0]), [3, 0]);
        assert_eq!(bytes(read.flows()[2]), [13, 0]);
    }
}

#[test]
fn a_packet_of_no_interface_or_time_is_refused_and_nothing_else() {
    let file = [
        section(false),
        interface(false, 1, None),
        block(false, 3, &[words(false, &[55]), one(b"no time")].concat()),
        enhanced(false, 7, MICROS, &one(b"no interface")),
        interface(false, 1, Some(100)),
        enhanced(false, 1, MICROS, &one(b"a clock past counting")),
        enhanced(false, 0, u64::MAX, &one(b"the year 586,912")),
        enhanced(false, 0, MICROS, &one(b"good")),
    ]
    .concat();
    let read = read("x", &file);
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::MissingField, 1),
            (RejectReason::MissingField, 2),
            (RejectReason::OutOfRange, 3),
            (RejectReason::OutOfRange, 4),
        ]
    );
    assert_eq!(bytes(read.flows()[0]), [4, 0]);
}

#[test]
fn a_block_that_contradicts_itself_costs_only_itself() {
    let mut bad = enhanced(false, 0, MICROS, &one(b"bad"));
    bad[20] = 0xff;
    let large = block(false, 6, &vec![0; 2 << 20]);
    let file = [
        section(false),
        interface(false, 1, None),
        bad,
        large,
        block(false, 5, &vec![0; 2 << 20]),
        enhanced(false, 0, MICROS, &one(b"good")),
    ]
    .concat();
    let read = read("x", &file);
    assert_eq!(
        read.reasons(),
        [(RejectReason::Malformed, 1), (RejectReason::Oversized, 2)]
    );
    assert_eq!(read.flows().len(), 1);
}

#[test]
fn a_file_that_breaks_off_keeps_what_was_before() {
    let whole = pcap(&modbus(0));
    let ng = [
        section(false),
        interface(false, 1, None),
        enhanced(false, 0, MICROS, &one(b"first")),
        enhanced(false, 0, MICROS, &one(b"second")),
    ]
    .concat();
    for cut in [1, 54, 60] {
        let read = read("x", &whole[..whole.len() - cut]);
        assert_eq!(read.reasons(), [(RejectReason::Truncated, 8)], "{cut}");
        assert_eq!(bytes(read.flows()[0]), [12, 11], "{cut}");
    }
    for cut in [1, 5, 60] {
        let read = read("x", &ng[..ng.len() - cut]);
        assert_eq!(read.reasons(), [(RejectReason::Truncated, 2)], "{cut}");
        assert_eq!(bytes(read.flows()[0]), [5, 0], "{cut}");
    }
    for head in [4, 23] {
        let read = read("x", &whole[..head]);
        assert_eq!(read.reasons(), [(RejectReason::Truncated, 1)], "{head}");
    }
    assert_eq!(read("x", &whole[..24]).items, []);
    let packed = gzip(&whole);
    let read = read("x.gz", &packed[..packed.len() - 9]);
    assert_eq!(read.reasons(), [(RejectReason::Truncated, 9)]);
    assert_eq!(read.flows().len(), 1);
}

#[test]
fn a_length_that_cannot_be_ends_the_reading_and_says_so() {
    let mut file = pcap(&modbus(0));
    file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 9, 9, 9, 9]);
    file.extend(vec![0; 5_000]);
    let read = read("x", &file);
    assert_eq!(read.reasons(), [(RejectReason::Malformed, 9)]);
    assert!(read.rejects[0].detail.contains("claims to hold"));
    assert_eq!(read.flows().len(), 1);
}

/// A pcapng of one section and interface.
pub(super) fn pcapng(frames: &[Frame]) -> Vec<u8> {
    let mut file = [section(false), interface(false, 1, None)].concat();
    for frame in frames {
        let at = MICROS.checked_add_signed(frame.at).unwrap();
        file.extend(enhanced(false, 0, at, &frame.bytes));
    }
    file
}
