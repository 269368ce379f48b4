//! Rows as a plant, its attackers and its faults send them: every kind, several devices, honest
//! and false senders, out of order, told twice, hours and decades apart.

use std::net::{IpAddr, Ipv4Addr};

use andon_schemas::identity::{DeviceId, address_of_key};
use andon_schemas::observation::{
    Attestation, Body, ByteKind, ConnState, Flow, Header, Observation, Reading, Resolution, Role,
    Sender, Source, Transport,
};
use andon_schemas::time::{EventTime, Span};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::stage::PLANT;

/// The rows of one record.
pub(crate) type Record = Vec<Observation>;

/// What one generated row is made of; times and devices are filled in by the walk through it.
#[derive(Clone, Debug)]
struct Draft {
    device: Index,
    sender: Claimed,
    body: Body,
    /// How long after the row before it is received, µs.
    gap: i64,
    /// How long before that it happened, µs; negative for a clock that runs ahead.
    lag: i64,
    /// How long a flow had lasted, µs.
    lasted: i64,
    seq: Option<u64>,
    /// Sent again instead of this one: an earlier row.
    repeat: Option<Index>,
    /// It belongs to the record before.
    joined: bool,
}

/// Who says so.
#[derive(Clone, Copy, Debug)]
enum Claimed {
    Nobody,
    Itself { proven: bool },
    Gateway,
    Sensor,
    Neighbour,
    Stranger(u8),
}

/// Devices of several types, two of them behind gateways, and one that no inventory lists.
fn devices() -> Vec<DeviceId> {
    let types = [
        "cnc_controller_fanuc",
        "cnc_controller_siemens",
        "tool_monitor",
        "plc_assembly",
        "robotic_arm",
        "agv",
        "conveyor",
        "temperature_sensor",
        "vision_system",
    ];
    let listed = &PLANT.inventory().devices;
    let of_type = |name: &&str| {
        let device = listed.iter().find(|d| d.device_type == *name);
        device.map(|d| d.id.clone())
    };
    let behind = listed.iter().filter(|d| d.gateway.is_some()).take(1);
    types
        .iter()
        .filter_map(of_type)
        .chain(behind.map(|d| d.id.clone()))
        .chain([DeviceId::of_address(IpAddr::V4(Ipv4Addr::new(
            10, 1, 20, 77,
        )))])
        .collect()
}

fn bytes() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        4 => (0_u64..5_000).prop_map(Some),
        3 => (0_u64..2_000_000_000).prop_map(Some),
        1 => Just(Some(0)),
        1 => Just(None),
        1 => any::<u64>().prop_map(Some),
    ]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        4 => (10_u8..24).prop_map(|last| IpAddr::V4(Ipv4Addr::new(10, 6, 0, last))),
        2 => (1_u8..4, any::<u8>()).prop_map(|(line, last)| {
            IpAddr::V4(Ipv4Addr::new(10, line, 10, last))
        }),
        2 => any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        1 => any::<u128>().prop_map(address_of_key),
    ]
}

fn flow() -> impl Strategy<Value = Body> {
    let sides = (
        select(Role::ALL),
        address(),
        prop_oneof![Just(502_u16), Just(443), Just(44_818), any::<u16>()],
        select(Transport::ALL),
        prop::option::of(select(&["modbus", "ssl", "ssh", "ssl,http"][..])),
    );
    let measures = (
        bytes(),
        bytes(),
        select(&[ByteKind::Payload, ByteKind::Payload, ByteKind::Frame][..]),
        select(ConnState::ALL),
        prop::bool::weighted(0.4),
        prop::option::of(0_u8..6),
    );
    (sides, measures).prop_map(|((role, peer, port, transport, service), measures)| {
        let (up, down, bytes, state, interim, uid) = measures;
        Body::Flow(Flow {
            start: EventTime::MIN,
            role,
            peer,
            peer_name: None,
            port,
            transport,
            service: service.map(Into::into),
            up,
            down,
            bytes,
            state,
            interim,
            uid: uid.map(|n| format!("C{n}").into()),
            commands: None,
        })
    })
}

fn body() -> impl Strategy<Value = Body> {
    let value = |most: f32| prop_oneof![8 => 0.0..most, 1 => Just(0.0_f32), 1 => Just(f32::MAX)];
    let reading = (
        prop::option::of(value(15.0)),
        prop::option::of(value(14_000.0)),
    );
    let attestation = (
        select(&["31i-B5-Plus", "PLC-AL-2.1", "", "no such version"][..]),
        prop::option::of("[0-9a-f]{64}"),
        any::<Option<bool>>(),
    );
    let resolution = (
        prop_oneof![Just(IpAddr::V4(Ipv4Addr::new(10, 6, 0, 21))), address()],
        select(
            &[
                "update.example.com",
                "cnc-historian.mfg.local",
                "pool.ntp.org",
            ][..],
        ),
        prop::collection::vec(address(), 0..4),
        prop_oneof![0_u32..600, any::<u32>()],
    );
    prop_oneof![
        8 => flow(),
        4 => reading.prop_map(|(current_a, spindle_rpm)| {
            Body::Reading(Reading { current_a, spindle_rpm })
        }),
        1 => attestation.prop_map(|(version, digest, tpm_ok)| {
            Body::Attestation(Attestation { version: version.to_owned(), digest, tpm_ok })
        }),
        1 => resolution.prop_map(|(server, name, addresses, ttl_s)| {
            Body::Resolution(Resolution { server, name: name.to_owned(), addresses, ttl_s })
        }),
    ]
}

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3_600 * SECOND;

fn draft() -> impl Strategy<Value = Draft> {
    let gap = prop_oneof![
        40 => 0..5 * SECOND,
        20 => 0..600 * SECOND,
        6 => 0..12 * HOUR,
        2 => 0..20 * 24 * HOUR,
        1 => Just(40 * 365 * 24 * HOUR),
    ];
    let lag = prop_oneof![
        8 => 0..30 * SECOND,
        4 => 0..6 * 60 * SECOND,
        1 => 0..3 * HOUR,
        1 => -5 * 60 * SECOND..0,
        1 => -2 * HOUR..-5 * 60 * SECOND,
    ];
    let lasted = prop_oneof![6 => 0..60 * SECOND, 2 => 0..4 * HOUR, 1 => Just(i64::MAX)];
    let sender = prop_oneof![
        4 => Just(Claimed::Nobody),
        4 => any::<bool>().prop_map(|proven| Claimed::Itself { proven }),
        2 => Just(Claimed::Gateway),
        2 => Just(Claimed::Sensor),
        1 => Just(Claimed::Neighbour),
        1 => any::<u8>().prop_map(Claimed::Stranger),
    ];
    let seq = prop_oneof![3 => Just(None), 3 => (0_u64..300).prop_map(Some), 1 => any::<u64>().prop_map(Some)];
    let again = prop::option::weighted(0.1, any::<Index>());
    let what = (any::<Index>(), sender, body(), seq, again);
    let when = (gap, lag, lasted, prop::bool::weighted(0.2));
    (what, when).prop_map(|(what, when)| {
        let (device, sender, body, seq, repeat) = what;
        let (gap, lag, lasted, joined) = when;
        Draft {
            device,
            sender,
            body,
            gap,
            lag,
            lasted,
            seq,
            repeat,
            joined,
        }
    })
}

/// Records that begin in 1970, in 2025 or at the end of 2099.
pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
    let begin = select(
        &[
            "1970-01-01T00:00:30Z",
            "2025-12-12T18:00:00Z",
            "2099-12-31T23:30:00Z",
        ][..],
    );
    // Few devices at a time, so that each of them has a history.
    let crew = prop::collection::vec(any::<Index>(), 1..6);
    let drafts = prop::collection::vec(draft(), 1..150);
    (begin, crew, drafts).prop_map(|(begin, crew, drafts)| {
        let all = devices();
        let crew: Vec<DeviceId> = crew.iter().map(|at| at.get(&all).clone()).collect();
        walk(EventTime::parse(begin).unwrap(), &crew, drafts)
    })
}

fn walk(begin: EventTime, crew: &[DeviceId], drafts: Vec<Draft>) -> Vec<Record> {
    let mut now = begin;
    let mut sent: Vec<Observation> = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    for (number, draft) in drafts.into_iter().enumerate() {
        now = now + Span::from_micros(draft.gap);
        let joined = draft.joined;
        let mut row = match draft.repeat {
            Some(again) if !sent.is_empty() => again.get(&sent).clone(),
            _ => observation(now, crew, draft),
        };
        row.header.source.offset = number as u64;
        sent.push(row.clone());
        match records.last_mut().filter(|_| joined) {
            Some(record) => record.push(row),
            None => records.push(vec![row]),
        }
    }
    records
}

fn observation(now: EventTime, crew: &[DeviceId], draft: Draft) -> Observation {
    let device = draft.device.get(crew).clone();
    let event_time = now - Span::from_micros(draft.lag);
    let mut body = draft.body;
    if let Body::Flow(flow) = &mut body {
        flow.start = event_time - Span::from_micros(draft.lasted);
    }
    Observation {
        header: Header {
            sender: sender(&device, draft.sender, crew),
            device,
            event_time,
            received_at: now,
            seq: draft.seq,
            source: Source {
                topic: "rows".into(),
                partition: 0,
                offset: 0,
            },
        },
        body,
    }
}

fn sender(device: &DeviceId, claimed: Claimed, crew: &[DeviceId]) -> Option<Sender> {
    let by = |name: DeviceId, proven| Some(Sender { name, proven });
    let listed = PLANT.inventory().device(device.as_str());
    match claimed {
        Claimed::Nobody => None,
        Claimed::Itself { proven } => by(device.clone(), proven),
        Claimed::Gateway => {
            let gateway = listed.and_then(|d| d.gateway.clone());
            by(gateway.unwrap_or_else(|| device.clone()), true)
        }
        Claimed::Sensor => by(DeviceId::new("zeek-01").unwrap(), true),
        Claimed::Neighbour => by(crew[0].clone(), true),
        Claimed::Stranger(n) => by(DeviceId::new(&format!("stranger-{n}")).unwrap(), n % 2 == 0),
    }
}
