//! Flows: what their packets add up to.

use andon_schemas::observation::{ByteKind, ConnState, Transport};
use andon_schemas::time::EventTime;

use andon_schemas::ot_command::Commands;

use super::*;

pub(super) const SECOND: i64 = 1_000_000;

fn at(micros: i64) -> EventTime {
    EventTime::from_micros(i64::from(START) * SECOND + micros)
}

/// The flows of a capture.
pub(super) fn flows(frames: &[Frame]) -> Vec<FlowRecord> {
    let read = read("x", pcap(frames));
    assert_eq!(read.rejects, []);
    read.flows().into_iter().cloned().collect()
}

#[test]
fn a_connection_is_one_record_like_zeeks() {
    let read = read("x", pcap(&modbus(0)));
    let [record] = &read.records[..] else {
        panic!("{:?}", read.records);
    };
    assert_eq!(record.event_time, at(7_000));
    let flow = flow(record).unwrap();
    let party = |address: [u8; 4], port| andon_schemas::observation::Party {
        address: address.into(),
        port,
    };
    let expected = FlowRecord {
        start: at(0),
        originator: party(CLIENT, 40_000),
        responder: party(SERVER, 502),
        responder_name: None,
        transport: Transport::Tcp,
        service: Some("modbus".into()),
        originator_bytes: Some(12),
        responder_bytes: Some(11),
        bytes: ByteKind::Payload,
        state: ConnState::Answered,
        interim: false,
        uid: flow.uid.clone(),
        commands: Commands::parse("modbus.read_holding_registers=1").unwrap(),
    };
    assert_eq!(*flow, expected);
    assert_eq!(read.numbers, [1]);
}

#[test]
fn what_a_snap_length_cut_off_counts_all_the_same() {
    let mut frames = modbus(0);
    for frame in &mut frames {
        frame.bytes.truncate(54);
    }
    let flow = &flows(&frames)[0];
    assert_eq!(bytes(flow), [12, 11]);
    assert_eq!(flow.service, None, "its payload was not captured");
}

#[test]
fn a_packet_that_is_to_be_cut_up_later_is_as_long_as_its_frame() {
    let mut large = frame(0, tcp(Asks, "A", 1, &[7; 1_000]));
    large.bytes[16..18].copy_from_slice(&[0, 0]);
    assert_eq!(bytes(&flows(&[large.clone()])[0]), [1_000, 0]);
    // A length of four gigabytes is nobody's.
    large.length = 0xffff_ffff;
    let [there, _] = bytes(&flows(&[large])[0]);
    assert!(there < 1 << 20, "{there}");
}

#[test]
fn ports_that_are_used_again_are_another_connection() {
    let mut frames = modbus(0);
    let mut again = modbus(10_000);
    for frame in &mut again {
        // A connection of its own begins with a number of its own.
        frame.bytes[38] = 7;
    }
    frames.extend(again);
    let found = flows(&frames);
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].uid, found[1].uid);
    assert_eq!(bytes(&found[1]), [12, 11]);
}

#[test]
fn a_syn_that_nobody_answers_is_asked_again_within_five_seconds() {
    let syn = |at| frame(at, tcp(Asks, "S", 7, b""));
    let found = flows(&[syn(0), syn(SECOND), syn(3 * SECOND), syn(7 * SECOND)]);
    let starts: Vec<EventTime> = found.iter().map(|flow| flow.start).collect();
    assert_eq!(starts, [at(0), at(7 * SECOND)]);
    assert!(found.iter().all(|flow| flow.state == ConnState::Attempt));
}

#[test]
fn a_reset_refuses_a_connection() {
    let found = flows(&[
        frame(0, tcp(Asks, "S", 7, b"")),
        frame(1, tcp(Answers, "RA", 0, b"")),
        frame(SECOND / 2, tcp(Asks, "S", 8, b"")),
        frame(SECOND / 2 + 1, tcp(Answers, "RA", 0, b"")),
    ]);
    let states: Vec<ConnState> = found.iter().map(|flow| flow.state).collect();
    assert_eq!(states, [ConnState::Rejected, ConnState::Rejected]);
}

#[test]
fn silence_ends_a_flow() {
    let udp = |at| frame(at, udp(Asks, 9_999, 9_998, b"x"));
    assert_eq!(flows(&[udp(0), udp(60 * SECOND)]).len(), 1);
    assert_eq!(flows(&[udp(0), udp(60 * SECOND + 1)]).len(), 2);
    let ack = |at, sequence| frame(at, tcp(Answers, "A", sequence, b"x"));
    assert_eq!(flows(&[ack(0, 1), ack(300 * SECOND, 2)]).len(), 1);
    assert_eq!(flows(&[ack(0, 1), ack(300 * SECOND + 1, 2)]).len(), 2);
}

#[test]
fn a_clock_that_is_set_back_or_leaps_tears_only_what_it_must() {
    let udp = |at| frame(at, udp(Asks, 9_999, 9_998, b"x"));
    // A little back: the same flow, which began earlier.
    let found = flows(&[udp(SECOND), udp(0)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].start, at(0));
    // Years apart and back again: three flows, none of them years long.
    let year = 365 * 86_400 * SECOND;
    let read = read("x", pcap(&[udp(0), udp(3 * year), udp(1)]));
    assert_eq!(read.flows().len(), 3);
    for record in &read.records {
        assert_eq!(flow(record).unwrap().start, record.event_time);
    }
    // Another flow does not mind.
    let mut frames = modbus(0);
    frames.insert(4, udp(3 * year));
    assert_eq!(flows(&frames).len(), 2);
}

#[test]
fn a_flow_that_lasts_is_told_every_half_hour() {
    let minute = 60 * SECOND;
    let mut sequence = 1;
    let mut frames = Vec::new();
    for step in 0..=70 {
        frames.push(frame(
            step * minute,
            tcp(Asks, "A", sequence, b"0123456789"),
        ));
        sequence += 10;
    }
    let read = read("x", pcap(&frames));
    let told: Vec<(bool, u64, EventTime)> = read
        .records
        .iter()
        .map(|record| {
            let flow = flow(record).unwrap();
            (flow.interim, bytes(flow)[0], record.event_time)
        })
        .collect();
    assert_eq!(
        told,
        [
            (true, 300, at(29 * minute)),
            (true, 600, at(59 * minute)),
            (false, 710, at(70 * minute)),
        ]
    );
    let uids: Vec<_> = read.flows().iter().map(|flow| flow.uid.clone()).collect();
    assert!(uids.iter().all(|uid| *uid == uids[0]), "{uids:?}");
}

#[test]
fn whoever_opened_a_flow_is_told_from_who_answers() {
    // Seen from the middle, an answer first: the port of a server gives it away.
    let found = flows(&[
        frame(0, tcp(Answers, "A", 1, b"x")),
        frame(1, tcp(Asks, "A", 1, b"")),
    ]);
    assert_eq!(found[0].originator.address.to_string(), "10.0.0.5");
    assert_eq!(found[0].state, ConnState::Unknown);
    assert_eq!(bytes(&found[0]), [0, 1]);
    // A SYN counts for more than a port.
    let found = flows(&[frame(0, tcp(Answers, "S", 1, b""))]);
    assert_eq!(found[0].originator.port, 502);
    // After a silence it is still the same side.
    let from_high = |way, at, sequence| frame(at, tcp_to(50_000, way, "A", sequence, b"x"));
    let found = flows(&[
        frame(0, tcp_to(50_000, Asks, "S", 1, b"")),
        frame(1, tcp_to(50_000, Answers, "SA", 1, b"")),
        from_high(Answers, 400 * SECOND, 2),
    ]);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|flow| flow.responder.port == 50_000));
}

#[test]
fn udp_and_icmp_say_whether_somebody_answered() {
    let asked = frame(0, udp(Asks, 40_000, 123, b"x"));
    let answered = frame(1, udp(Answers, 40_000, 123, b"xyz"));
    let found = flows(&[asked.clone(), answered.clone()]);
    assert_eq!(found[0].state, ConnState::Answered);
    assert_eq!(bytes(&found[0]), [1, 3]);
    assert_eq!(flows(&[asked])[0].state, ConnState::Attempt);
    let found = flows(&[answered]);
    assert_eq!(found[0].state, ConnState::Unknown);
    assert_eq!(found[0].responder.port, 123);

    let echo = |way, reply: bool| {
        let [source, destination] = ends(way);
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, destination, 64);
        let mut bytes = Vec::new();
        let builder = if reply {
            builder.icmpv4_echo_reply(1, 1)
        } else {
            builder.icmpv4_echo_request(1, 1)
        };
        builder.write(&mut bytes, b"ping").unwrap();
        bytes
    };
    let found = flows(&[frame(0, echo(Asks, false)), frame(1, echo(Answers, true))]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].transport, Transport::Icmp);
    assert_eq!((found[0].originator.port, found[0].responder.port), (0, 0));
    assert_eq!(found[0].state, ConnState::Answered);
    assert_eq!(bytes(&found[0]), [4, 4]);
    assert_eq!(
        flows(&[frame(0, echo(Asks, false))])[0].state,
        ConnState::Attempt
    );
}
