//! Packets from an enemy: nothing panics, everything ends, and every packet is accounted for.

use std::collections::BTreeMap;
use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::files::packets::PacketRows;
use crate::files::rows::Content;

/// Reads all rows; how many there were, and how many packets.
fn exhaust(file: Vec<u8>) -> (usize, u64) {
    let mut rows = PacketRows::new(Box::new(Cursor::new(file)), true);
    let mut count = 0;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    (count, rows.counts().packets)
}

/// A capture of many kinds of packets.
fn assorted() -> Vec<Frame> {
    let mut frames = modbus(0);
    frames.push(frame(
        9_000,
        udp(
            Asks,
            40_000,
            53,
            b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01",
        ),
    ));
    frames.push(frame(9_500, udp(Answers, 40_000, 53, b"\0\x07\x81\0\0\x01\0\x01\0\0\0\0\x01a\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\x0a\0\0\x01")));
    frames.push(frame(
        9_900,
        tcp_to(443, Asks, "A", 1, b"\x16\x03\x01\0\x40\x01\0\0\x3c\x03\x03"),
    ));
    let mut v6 = [2; 12].to_vec();
    v6.extend([0x86, 0xdd]);
    PacketBuilder::ipv6([1; 16], [2; 16], 3)
        .udp(5_683, 5_683)
        .write(&mut v6, b"\x40\x01\0\0")
        .unwrap();
    // A header of fragments before UDP.
    v6[20] = 44;
    v6[19] += 8;
    v6.splice(54..54, [17, 0, 0, 1, 0, 0, 0, 9]);
    frames.push(frame(9_950, v6));
    frames
}

fn mutate(file: &mut Vec<u8>, changes: &[(usize, u8, u8)]) {
    for (at, byte, how) in changes {
        if file.is_empty() {
            return;
        }
        let at = at % file.len();
        match how % 4 {
            0 => file[at] = *byte,
            1 => file[at] ^= 1 << (byte % 8),
            2 => {
                file.remove(at);
            }
            _ => file.insert(at, *byte),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn noise_behind_any_magic_ends(
        magic in 0_usize..3,
        noise in proptest::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let magics: [&[u8]; 3] = [
            &[0xd4, 0xc3, 0xb2, 0xa1],
            &[0xa1, 0xb2, 0x3c, 0x4d],
            &[0x0a, 0x0d, 0x0d, 0x0a],
        ];
        let _rows = exhaust([magics[magic], &noise].concat());
    }

    #[test]
    fn a_damaged_pcap_ends(
        changes in proptest::collection::vec((0_usize..5_000, any::<u8>(), any::<u8>()), 1..12),
    ) {
        let mut file = pcap(&assorted());
        mutate(&mut file, &changes);
        let _rows = exhaust(file);
    }

    #[test]
    fn a_damaged_pcapng_ends(
        changes in proptest::collection::vec((0_usize..5_000, any::<u8>(), any::<u8>()), 1..12),
    ) {
        let mut file = containers::pcapng(&assorted());
        mutate(&mut file, &changes);
        let _rows = exhaust(file);
    }

    /// Whatever the packets hold, each is counted, and each that is not refused or put aside is in
    /// a flow.
    #[test]
    fn every_packet_is_counted_whatever_it_holds(
        link in prop::sample::select(vec![0_u32, 1, 12, 101, 113, 276, 105, 65_535]),
        changes in proptest::collection::vec((0_usize..200, any::<u8>(), 0_u8..2), 1..6),
        times in proptest::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000_000, 12),
    ) {
        let mut frames = assorted();
        for (frame, at) in frames.iter_mut().zip(times) {
            frame.at = at;
            mutate(&mut frame.bytes, &changes);
        }
        let (rows, packets) = exhaust(pcap_of(link, &frames));
        prop_assert_eq!(packets, frames.len() as u64);
        // A packet through tunnels belongs to a flow for each, and may end as many.
        prop_assert!(rows > 0 && rows <= 12 * frames.len());
    }
}

#[test]
fn too_many_flows_cost_the_oldest_its_place_and_no_packet() {
    let mut frames = Vec::new();
    for at in 0..10 {
        let port = 50_000 + u16::try_from(at).unwrap();
        frames.push(frame(2 * at, udp(Asks, port, 9_998, b"x")));
        // One flow stays in use all the while.
        frames.push(frame(2 * at + 1, udp(Asks, 40_000, 9_998, b"y")));
    }
    let file = Box::new(Cursor::new(pcap(&frames)));
    let mut rows = PacketRows::with_flows(file, false, 4);
    let mut ports: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let Ok(Content::Record(record, _)) = row.content else {
            panic!("{row:?}");
        };
        let flow = flow(&record).unwrap();
        let told = ports.entry(flow.originator.port).or_default();
        told.push(bytes(flow)[0]);
    }
    assert_eq!(rows.counts().evicted, 7);
    assert_eq!(ports.len(), 11);
    let kept = ports.remove(&40_000);
    assert_eq!(kept, Some(vec![10]), "in use, so it kept its place");
    assert!(ports.values().all(|bytes| *bytes == [1]), "{ports:?}");
}
