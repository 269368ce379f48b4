//! Exports of flow meters, from messages that are built here.

use std::io::Cursor;

use andon_schemas::observation::{ByteKind, ConnState, Transport};
use proptest::prelude::*;

use super::*;
use crate::files::Format;
use crate::files::exports::ExportRows;

/// When messages are sent, seconds since 1970, and how long the exporter runs then.
const SENT: u32 = 1_700_000_000;
const UP_MS: u32 = 1_000;

const CLIENT: [u8; 4] = [10, 0, 0, 5];
const SERVER: [u8; 4] = [10, 0, 0, 9];

/// One direction: from whom to whom, from when to when, bytes, flags.
struct Half {
    ends: [([u8; 4], u16); 2],
    up_ms: [u32; 2],
    bytes: u32,
    flags: u8,
}

fn there(up_ms: [u32; 2], bytes: u32, flags: u8) -> Half {
    Half {
        ends: [(CLIENT, 40_000), (SERVER, 502)],
        up_ms,
        bytes,
        flags,
    }
}

fn back(up_ms: [u32; 2], bytes: u32, flags: u8) -> Half {
    Half {
        ends: [(SERVER, 502), (CLIENT, 40_000)],
        ..there(up_ms, bytes, flags)
    }
}

/// A message of v5; one packet of `one_in` was looked at.
fn v5(halves: &[Half], one_in: u16) -> Vec<u8> {
    let count = u16::try_from(halves.len()).unwrap();
    let mut message = [5_u16.to_be_bytes(), count.to_be_bytes()].concat();
    for word in [UP_MS, SENT, 0, 7] {
        message.extend(word.to_be_bytes());
    }
    message.extend([0, 0]);
    message.extend((0x4000 | one_in).to_be_bytes());
    for half in halves {
        let [(source, from), (destination, to)] = half.ends;
        message.extend([source, destination, [0; 4], [0, 1, 0, 2]].concat());
        for word in [3, half.bytes, half.up_ms[0], half.up_ms[1]] {
            message.extend(word.to_be_bytes());
        }
        message.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
        message.extend([0, half.flags, 6, 0, 0, 0, 0, 0, 24, 24, 0, 0]);
    }
    message
}

/// A set of v9 or IPFIX.
fn set(id: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 4).unwrap();
    [&id.to_be_bytes(), &length.to_be_bytes(), body].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn v9(sets: &[Vec<u8>]) -> Vec<u8> {
    let mut message = words(&[9, 1]);
    for word in [UP_MS, SENT, 1, 42] {
        message.extend(word.to_be_bytes());
    }
    message.extend(sets.concat());
    message
}

fn ipfix(sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let mut message = words(&[10, u16::try_from(16 + sets.len()).unwrap()]);
    for word in [SENT, 1, 42] {
        message.extend(word.to_be_bytes());
    }
    message.extend(sets);
    message
}

/// Addresses, ports, protocol, flags, bytes, start and end since the exporter's start.
const FIELDS: [u16; 20] = [
    256, 9, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 1, 4, 22, 4, 21, 4,
];

fn template(id: u16) -> Vec<u8> {
    set(id, &words(&FIELDS))
}

fn data(halves: &[Half]) -> Vec<u8> {
    let mut body = Vec::new();
    for half in halves {
        let [(source, from), (destination, to)] = half.ends;
        body.extend([source, destination].concat());
        body.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
        body.extend([6, half.flags]);
        for word in [half.bytes, half.up_ms[0], half.up_ms[1]] {
            body.extend(word.to_be_bytes());
        }
    }
    set(256, &body)
}

/// Milliseconds before the message was sent, of a record's start and end.
fn times(record: &Record) -> [i64; 2] {
    let flow = flow(record).unwrap();
    [flow.start, record.event_time].map(|time| time.micros() / 1_000 - i64::from(SENT) * 1_000)
}

fn bytes(flow: &FlowRecord) -> [Option<u64>; 2] {
    [flow.originator_bytes, flow.responder_bytes]
}

/// A connection in both directions, the answer first.
fn both() -> [Half; 2] {
    [back([600, 900], 300, 0x1b), there([500, 800], 1_000, 0x1b)]
}

fn check_both(read: &Read) {
    assert_eq!(read.rejects, []);
    assert_eq!(read.records.len(), 1);
    assert_eq!(times(&read.records[0]), [-500, -100]);
    let flow = read.flows()[0];
    assert_eq!(bytes(flow), [Some(1_000), Some(300)]);
    assert_eq!(flow.bytes, ByteKind::Ip);
    assert_eq!(flow.transport, Transport::Tcp);
    assert_eq!(flow.originator.address, std::net::IpAddr::from(CLIENT));
    assert_eq!((flow.originator.port, flow.responder.port), (40_000, 502));
    assert_eq!(flow.state, ConnState::Answered);
}

#[test]
fn two_directions_are_one_flow_in_every_version() {
    check_both(&read("x", v5(&both(), 0)));
    check_both(&read("x", v9(&[template(0), data(&both())])));
    let [answer, question] = both();
    let apart = [
        v9(&[template(0), data(&[answer])]),
        v9(&[data(&[question])]),
    ];
    check_both(&read("x", apart.concat()));
    let folder = Folder::new();
    let path = folder.put("x", v5(&both(), 0));
    let mut captures = captures(&[path]);
    drain(&mut captures);
    assert_eq!(captures.files()[0].format, Some(Format::Netflow));
}

#[test]
fn ipfix_counts_from_the_start_of_its_exporter_signed() {
    // The exporter started this long before it sent; an options record says so.
    let init = i64::from(SENT) * 1_000 - i64::from(UP_MS);
    let options = set(3, &words(&[257, 2, 1, 130, 4, 160, 8]));
    let told = set(257, &[&[0; 4], &init.to_be_bytes()[..]].concat());
    let message = ipfix(&[options, told, template(2), data(&both())]);
    check_both(&read("x", message.clone()));
    // One that plays back old packets counts from before its start.
    let before = 0_u32.wrapping_sub(2_000);
    let replayed = ipfix(&[data(&[there([before, before + 1], 9, 2)])]);
    let read = read("x", [message, replayed].concat());
    assert_eq!(times(&read.records[0]), [-3_000, -2_999]);
    assert_eq!(read.flows()[0].state, ConnState::Attempt);
}

#[test]
fn a_record_of_both_directions_is_a_flow_of_its_own() {
    let enterprise = [0x8001, 4, 0, 29_305];
    let fields = [&[256, 6, 8, 4, 12, 4, 4, 1, 1, 4, 153, 8][..], &enterprise].concat();
    let mut body = [CLIENT, SERVER].concat();
    body.push(17);
    body.extend(1_000_u32.to_be_bytes());
    body.extend((i64::from(SENT) * 1_000).to_be_bytes());
    body.extend(300_u32.to_be_bytes());
    let read = read("x", ipfix(&[set(2, &words(&fields)), set(256, &body)]));
    assert_eq!(read.rejects, []);
    assert_eq!(times(&read.records[0]), [0, 0]);
    let flow = read.flows()[0];
    assert_eq!(bytes(flow), [Some(1_000), Some(300)]);
    assert_eq!(
        (flow.transport, flow.state),
        (Transport::Udp, ConnState::Answered)
    );
}

#[test]
fn what_was_sampled_counts_for_what_was_not() {
    let read = read("x", v5(&[there([0, 1], 7, 0)], 100));
    assert_eq!(bytes(read.flows()[0]), [Some(700), None]);
    assert_eq!(read.flows()[0].state, ConnState::Unknown);
}

#[test]
fn pieces_of_a_long_flow_find_their_own_answers() {
    let halves = [
        there([0, 100_000], 1, 0x18),
        there([100_000, 200_000], 2, 0x18),
        back([102_000, 200_000], 20, 0x18),
        back([0, 98_000], 10, 0x18),
        there([300_000, 400_000], 3, 0x02),
        back([300_000, 300_001], 30, 0x14),
    ];
    let read = read("x", v5(&halves, 0));
    let told: Vec<_> = read.flows().into_iter().map(bytes).collect();
    assert_eq!(
        told,
        [
            [Some(1), Some(10)],
            [Some(2), Some(20)],
            [Some(3), Some(30)],
        ]
    );
    assert_eq!(read.flows()[2].state, ConnState::Rejected);
}

#[test]
fn records_before_their_template_are_refused_and_the_rest_is_kept() {
    let file = [
        v9(&[data(&both())]),
        v9(&[template(0), data(&both())]),
        v5(&both(), 0),
    ]
    .concat();
    let read = read("x", &file);
    assert_eq!(read.reasons(), [(RejectReason::MissingField, 1)]);
    assert!(read.rejects[0].detail.contains("template 256"));
    assert_eq!(read.records.len(), 2);
}

#[test]
fn a_record_of_no_flow_is_refused() {
    let only_ports = set(0, &words(&[256, 2, 7, 2, 11, 2]));
    let read = read("x", v9(&[only_ports, set(256, &[0, 80, 0, 81])]));
    assert_eq!(read.reasons(), [(RejectReason::Unsupported, 1)]);
    let no_bytes = set(0, &words(&[256, 3, 8, 4, 12, 4, 21, 4]));
    let record = [CLIENT, SERVER, [0; 4]].concat();
    let read = super::read("x", v9(&[no_bytes, set(256, &record)]));
    assert_eq!(read.reasons(), [(RejectReason::MissingField, 1)]);
}

#[test]
fn a_file_that_breaks_off_or_goes_wrong_keeps_what_was_before() {
    let file = [v5(&both(), 0), v5(&both(), 0)].concat();
    let read_cut = read("x", &file[..file.len() - 1]);
    assert_eq!(read_cut.reasons(), [(RejectReason::Truncated, 2)]);
    check_both(&Read {
        rejects: vec![],
        ..read_cut
    });
    let wrong = [v5(&both(), 0), b"no message".to_vec()].concat();
    let read_wrong = read("x", wrong);
    assert_eq!(read_wrong.reasons(), [(RejectReason::Malformed, 2)]);
    assert_eq!(read_wrong.records.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_messages_end(
        which in 0_usize..3,
        changes in proptest::collection::vec((0_usize..500, any::<u8>()), 1..12),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut file = match which {
            0 => v5(&both(), 0),
            1 => v9(&[template(0), data(&both())]),
            _ => ipfix(&[template(2), data(&both())]),
        };
        for (at, byte) in changes {
            let at = at % file.len();
            file[at] = byte;
        }
        file.extend(noise);
        let mut rows = ExportRows::new(Box::new(Cursor::new(file)), true);
        let mut count = 0;
        while rows.next().unwrap().is_some() {
            count += 1;
        }
        prop_assert!(count < 1_000);
    }
}
