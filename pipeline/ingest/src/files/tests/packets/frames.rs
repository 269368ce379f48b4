//! What lies around and below a flow: links, tags, tunnels, parts, and frames that are no flow.

use andon_schemas::observation::{ConnState, Transport};

use super::flows::{SECOND, flows};
use super::*;

#[test]
fn links_tags_and_ipv6_lead_to_the_same_flow() {
    let mut v6 = Vec::new();
    PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64)
        .udp(40_000, 5_683)
        .write(&mut v6, b"\x40\x01\0\0")
        .unwrap();
    let ethernet = |kind: &[u8], packet: &[u8]| [&[2; 12], kind, packet].concat();
    let mut options = v6[..40].to_vec();
    options[5] += 8;
    options[6] = 0;
    options.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    options.extend(&v6[40..]);
    for (link, packet) in [
        (1, ethernet(&[0x86, 0xdd], &v6)),
        (1, ethernet(&[0x81, 0, 0, 7, 0x86, 0xdd], &v6)),
        (
            1,
            ethernet(&[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 0x86, 0xdd], &v6),
        ),
        (
            1,
            ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 54, 0, 0x57], &v6),
        ),
        (
            1,
            ethernet(&[0, 60, 0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd], &v6),
        ),
        (1, ethernet(&[0x86, 0xdd], &options)),
        (0, [&[30, 0, 0, 0], &v6[..]].concat()),
        (108, [&[0, 0, 0, 30], &v6[..]].concat()),
        (101, v6.clone()),
        (229, v6.clone()),
        (113, [&[0; 14][..], &[0x86, 0xdd], &v6].concat()),
        (276, [&[0x86, 0xdd][..], &[0; 18], &v6].concat()),
    ] {
        let read = read("x", pcap_of(link, &[frame(0, packet)]));
        assert_eq!(read.rejects, [], "{link}");
        let flow = read.flows()[0];
        assert_eq!(flow.responder.port, 5_683, "{link}");
        assert_eq!(flow.service.as_deref(), Some("coap"), "{link}");
        assert_eq!(bytes(flow), [4, 0], "{link}");
    }
}

#[test]
fn parts_of_a_datagram_belong_to_the_flow_of_the_first() {
    let part = |id: u8, offset: u16, more: bool, bytes: &[u8]| {
        let mut frame = udp(Asks, 40_000, 9_998, bytes);
        if offset > 0 {
            // Behind the first part there is no header of UDP.
            frame.drain(34..42);
            let length = u16::try_from(20 + bytes.len()).unwrap();
            frame[16..18].copy_from_slice(&length.to_be_bytes());
        }
        frame[19] = id;
        let flags = offset / 8 + if more { 0x2000 } else { 0 };
        frame[20..22].copy_from_slice(&flags.to_be_bytes());
        frame
    };
    let (read, _) = report(pcap(&[
        frame(0, part(1, 0, true, &[0; 992])),
        frame(1, part(1, 1_000, true, &[0; 1_000])),
        frame(2, part(1, 2_000, false, &[0; 500])),
        frame(3, part(2, 2_000, false, &[0; 500])),
        frame(40 * SECOND, part(1, 1_000, false, &[0; 500])),
    ]));
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::MissingField, 4),
            (RejectReason::MissingField, 5)
        ]
    );
    assert!(read.rejects[0].detail.contains("fragment"));
    assert_eq!(read.flows().len(), 1);
    assert_eq!(bytes(read.flows()[0]), [2_492, 0]);
}

#[test]
fn parts_of_ipv6_datagrams_do_too() {
    let part = |offset: u16, more: u16, payload: &[u8]| {
        let [high, low] = (offset | more).to_be_bytes();
        let mut packet = Vec::new();
        PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64)
            .write(
                &mut packet,
                44.into(),
                &[&[17, 0, high, low, 0, 0, 0, 9], payload].concat(),
            )
            .unwrap();
        packet
    };
    let mut first = [40_000_u16, 9_998, 24, 0].map(u16::to_be_bytes).concat();
    first.extend([0; 8]);
    let read = read(
        "x",
        pcap_of(
            101,
            &[frame(0, part(0, 1, &first)), frame(1, part(16, 0, &[0; 8]))],
        ),
    );
    assert_eq!(read.rejects, []);
    assert_eq!(read.flows().len(), 1);
    assert_eq!(read.flows()[0].responder.port, 9_998);
    assert_eq!(bytes(read.flows()[0]), [16, 0]);
}

#[test]
fn other_protocols_over_ip_are_flows_without_ports() {
    let mut tunnel = udp(Asks, 1, 2, b"12345678");
    tunnel[23] = 47;
    let flow = &flows(&[frame(0, tunnel)])[0];
    assert_eq!(flow.transport, Transport::Other);
    assert_eq!((flow.originator.port, flow.responder.port), (0, 0));
    assert_eq!(bytes(flow), [16, 0]);
    assert_eq!(flow.state, ConnState::Unknown);
}

#[test]
fn what_goes_through_a_tunnel_is_a_flow_and_so_is_the_tunnel() {
    let inner = udp(Asks, 40_000, 123, b"12345678");
    let around = |protocol: u8, header: &[u8], inner: &[u8]| {
        let mut outer = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .write(&mut outer, protocol.into(), &[header, inner].concat())
            .unwrap();
        outer
    };
    let length = u16::try_from(16 + inner.len()).unwrap();
    let mut vxlan = [50_000, 4_789, length, 0].map(u16::to_be_bytes).concat();
    vxlan.extend([8, 0, 0, 0, 0, 0, 7, 0]);
    let twice = around(4, &[], &inner[14..]);
    for (outer, flows) in [
        (around(4, &[], &inner[14..]), 2),
        (around(47, &[0, 0, 8, 0], &inner[14..]), 2),
        (around(47, &[0x20, 0, 8, 0, 0, 0, 0, 9], &inner[14..]), 2),
        (around(47, &[0, 0, 0x65, 0x58], &inner), 2),
        // Ports mirrored, of all three kinds.
        (around(47, &[0, 0, 0x88, 0xbe], &inner), 2),
        (
            around(47, &[&[0x10, 0, 0x88, 0xbe], &[1; 12][..]].concat(), &inner),
            2,
        ),
        (
            around(47, &[&[0x10, 0, 0x22, 0xeb], &[2; 16][..]].concat(), &inner),
            2,
        ),
        (
            around(47, &[&[0x10, 0, 0x22, 0xeb], &[3; 24][..]].concat(), &inner),
            2,
        ),
        (around(17, &vxlan, &inner), 2),
        (around(47, &[0, 0, 0x65, 0x58], &twice), 3),
        // A tunnel of another version of GRE, and of something that is not read.
        (around(47, &[0x30, 1, 0x88, 0x0b], &inner), 1),
        (around(47, &[0, 0, 0x88, 0x47], &inner), 1),
    ] {
        let read = read("x", pcap(&[frame(0, outer.clone())]));
        assert_eq!(read.rejects, [], "{outer:?}");
        assert_eq!(read.flows().len(), flows, "{outer:?}");
        if flows > 1 {
            let innermost = read.flows()[flows - 1];
            assert_eq!(innermost.originator.address, std::net::IpAddr::from(CLIENT));
            assert_eq!(bytes(innermost), [8, 0], "{outer:?}");
        }
    }
    // As deep as tunnels are followed, and no deeper.
    let mut deep = inner[14..].to_vec();
    for _ in 0..9 {
        deep = around(4, &[], &deep)[14..].to_vec();
    }
    let read = read("x", pcap_of(101, &[frame(0, deep)]));
    assert_eq!(read.rejects, []);
    assert!(
        read.flows()
            .iter()
            .all(|flow| flow.transport == Transport::Other)
    );
}

#[test]
fn frames_that_are_not_ip_are_counted_and_told_once() {
    let arp = |target: u8| {
        let mut frame = [2; 12].to_vec();
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 2, 2, 2, 2, 2]);
        frame.extend(CLIENT);
        frame.extend([0, 0, 0, 0, 0, 0, 10, 0, 0, target]);
        frame
    };
    let mut frames: Vec<Frame> = (10..50).map(|n| frame(i64::from(n), arp(n))).collect();
    let realtime = [&[2; 12], &[0x88, 0x92][..], &[0; 46]].concat();
    frames.insert(1, frame(1, realtime.clone()));
    frames.push(frame(2, realtime));
    frames.push(frame(3, [&[2; 12], &[0, 38][..], &[0x42; 38]].concat()));
    let (read, report) = report(pcap(&frames));
    assert_eq!(read.records, []);
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::Unsupported, 43),
            (RejectReason::Unsupported, 1),
            (RejectReason::Unsupported, 2),
        ]
    );
    let detail = &read.rejects[1].detail;
    assert!(
        detail.contains("ARP") && detail.contains("frames: 40"),
        "{detail}"
    );
    assert!(
        detail.ends_with("10.0.0.5 asked for 40 addresses"),
        "{detail}"
    );
    assert!(read.rejects[2].detail.starts_with("PROFINET (0x8892)"));
    assert_eq!((report.rejects, report.unread), (3, 40));
    let counts = report.packets.unwrap();
    assert_eq!(counts.packets, 43);
    assert_eq!(counts.aside["PROFINET (0x8892)"], 2);
}

#[test]
fn a_link_type_that_is_not_read_is_named() {
    let (read, report) = report(pcap_of(105, &modbus(0)));
    assert_eq!(read.reasons(), [(RejectReason::Unsupported, 1)]);
    assert!(
        read.rejects[0]
            .detail
            .contains("IEEE 802.11 (link type 105)")
    );
    assert_eq!((report.records, report.unread), (0, 7));
}

#[test]
fn a_packet_that_cannot_be_read_is_refused_under_its_number() {
    let mut frames = modbus(0);
    let mut short = tcp(Asks, "A", 1, b"");
    short[46] = 0x20;
    let mut lengths = tcp(Asks, "A", 1, b"");
    lengths[16..18].copy_from_slice(&[0, 19]);
    let mut version = tcp(Asks, "A", 1, b"");
    version[14] = 0x75;
    for (place, bytes) in [vec![], vec![1; 13], short, lengths, version]
        .into_iter()
        .enumerate()
    {
        frames.insert(place, frame(0, bytes));
    }
    let read = read("x", pcap(&frames));
    let expected: Vec<_> = (1..=5).map(|n| (RejectReason::Malformed, n)).collect();
    assert_eq!(read.reasons(), expected);
    assert!(
        read.rejects[2].excerpt.starts_with("0404"),
        "{:?}",
        read.rejects[2]
    );
    assert_eq!(bytes(read.flows()[0]), [12, 11]);
}
