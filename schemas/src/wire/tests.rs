//! Round trips of the wire form, and everything it must refuse.

use proptest::prelude::*;

use super::*;
use crate::identity::DeviceId;
use crate::observation::{
    Attestation, Body, ByteKind, ConnState, FlowRecord, Header, Kind, Observation, Party, Reading,
    Record, RecordBody, Resolution, Role, Sender, Source, Transport,
};
use crate::ot_command::Commands;
use crate::reject::RejectReason;
use crate::time::EventTime;

fn at(text: &str) -> EventTime {
    EventTime::parse(text).unwrap()
}

fn record(body: RecordBody) -> Record {
    Record {
        device: Some(DeviceId::new("plc-07").unwrap()),
        address: None,
        event_time: at("2025-12-14T01:30:00.000250Z"),
        received_at: Some(at("2025-12-14T01:30:01Z")),
        sender: Some(Sender {
            name: DeviceId::new("zeek-1").unwrap(),
            proven: true,
        }),
        seq: Some(u64::MAX),
        body,
    }
}

fn flow() -> Record {
    record(RecordBody::Flow(FlowRecord {
        start: at("2025-12-14T01:29:00Z"),
        originator: Party {
            address: "10.1.2.3".parse().unwrap(),
            port: 40_123,
        },
        responder: Party {
            address: "fd00::1".parse().unwrap(),
            port: 502,
        },
        responder_name: Some("historian.plant.example".into()),
        transport: Transport::Tcp,
        service: Some("modbus".into()),
        originator_bytes: Some(1_440),
        responder_bytes: None,
        bytes: ByteKind::Ip,
        state: ConnState::Answered,
        interim: true,
        uid: Some("C\"1\\".into()),
        commands: Commands::parse("modbus.read_coils=2 resp:bacnet.i_am=1").unwrap(),
    }))
}

fn all_kinds() -> Vec<Record> {
    let mut resolution = record(RecordBody::Single(Body::Resolution(Resolution {
        server: "10.1.0.53".parse().unwrap(),
        name: "a.example".to_owned(),
        addresses: vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        ttl_s: 300,
    })));
    resolution.device = None;
    resolution.address = Some("10.1.2.3".parse().unwrap());
    vec![
        flow(),
        record(RecordBody::Single(Body::Reading(Reading {
            current_a: Some(4.2),
            spindle_rpm: None,
        }))),
        record(RecordBody::Single(Body::Attestation(Attestation {
            version: "4.2.1".to_owned(),
            digest: Some("ab".repeat(32)),
            tpm_ok: Some(false),
        }))),
        resolution,
    ]
}

const CAPTURE: DecodeOptions<'static> = DecodeOptions {
    kind_hint: None,
    device_hint: None,
    likely: None,
    capture: true,
};

fn reason(line: &str) -> (RejectReason, String) {
    let error = decode(line.as_bytes(), DecodeOptions::default()).unwrap_err();
    (error.reason, error.detail)
}

#[test]
fn every_kind_comes_back_as_it_went() {
    for record in all_kinds() {
        let line = encode(&record);
        assert_eq!(decode(line.as_bytes(), CAPTURE).unwrap(), record, "{line}");
    }
}

#[test]
fn a_recorded_position_comes_back() {
    let source = Source {
        topic: "andon/v1/in/s/plc-07/flow".into(),
        partition: 3,
        offset: u64::MAX,
    };
    let mut line = Vec::new();
    encode_into(&mut line, &flow(), Some(&source));
    assert_eq!(decode_capture(&line).unwrap(), (flow(), Some(source)));
}

#[test]
fn a_live_payload_cannot_say_who_sent_it_or_when_it_was_received() {
    let line = encode(&flow());
    let record = decode(line.as_bytes(), DecodeOptions::default()).unwrap();
    assert_eq!((record.received_at, record.sender), (None, None));
    let nonsense = line.replace("\"2025-12-14T01:30:01.000000Z\"", "[1,{}]");
    assert_ne!(line, nonsense);
    assert!(decode(nonsense.as_bytes(), DecodeOptions::default()).is_ok());
    assert!(decode(nonsense.as_bytes(), CAPTURE).is_err());
}

#[test]
fn endpoints_may_be_text_or_parts_and_unknown_fields_are_ignored() {
    let plain = r#"{"time":"2025-12-14T01:30:00Z","kind":"FLOW","transport":"icmp",
        "orig":"10.0.0.1","resp":{"address":"::1","port":7},"colour":{"deep":[1,null]}}"#;
    let Record {
        body: RecordBody::Flow(flow),
        device: None,
        event_time,
        ..
    } = decode(plain.as_bytes(), DecodeOptions::default()).unwrap()
    else {
        panic!("not a flow without a device");
    };
    assert_eq!((flow.originator.port, flow.responder.port), (0, 7));
    assert_eq!((flow.start, flow.state), (event_time, ConnState::Unknown));
}

#[test]
fn the_topic_fills_in_kind_and_device() {
    let device = DeviceId::new("cnc-1").unwrap();
    let options = DecodeOptions {
        kind_hint: Some(Kind::Reading),
        device_hint: Some(&device),
        likely: None,
        capture: false,
    };
    let line = br#"{"time":"2025-12-14T01:30:00Z","spindle_rpm":8000}"#;
    assert_eq!(decode(line, options).unwrap().device, Some(device.clone()));
    // Without a topic's device the caller has to know whom it is about; a capture must say it.
    let unhinted = DecodeOptions {
        device_hint: None,
        ..options
    };
    assert_eq!(decode(line, unhinted).unwrap().device, None);
    let capture = DecodeOptions {
        capture: true,
        ..unhinted
    };
    let missing = decode(line, capture).unwrap_err();
    assert_eq!(missing.reason, RejectReason::MissingField);
}

#[test]
fn another_device_than_the_topics_is_kept_and_another_kind_refused() {
    let device = DeviceId::new("cnc-1").unwrap();
    let options = DecodeOptions {
        kind_hint: Some(Kind::Reading),
        device_hint: Some(&device),
        likely: None,
        capture: false,
    };
    let line = br#"{"device":"CNC-2","time":"2025-12-14T01:30:00Z","spindle_rpm":1}"#;
    let named = decode(line, options).unwrap().device.unwrap();
    assert_eq!(named.as_str(), "cnc-2");
    let line = br#"{"kind":"flow","time":"2025-12-14T01:30:00Z"}"#;
    let error = decode(line, options).unwrap_err();
    assert_eq!(error.reason, RejectReason::WrongType, "{}", error.detail);
}

/// What is replaced in a valid flow, by what, and what must be said about it.
const WRONG: &[(&str, &str, RejectReason, &str)] = &[
    (
        r#""v":1"#,
        r#""v":2"#,
        RejectReason::UnknownVersion,
        "`v` is 2",
    ),
    (r#""v":1"#, r#""v":"1""#, RejectReason::WrongType, "`v`"),
    (
        r#""flow""#,
        r#""dream""#,
        RejectReason::Unsupported,
        "`dream`",
    ),
    (
        r#""kind":"flow","#,
        "",
        RejectReason::MissingField,
        "`kind`",
    ),
    (
        r#""time":"#,
        r#""tyme":"#,
        RejectReason::MissingField,
        "`time`",
    ),
    ("00Z", "00", RejectReason::WrongType, "RFC 3339"),
    (
        "10.0.0.1:1",
        "10.0.0.1:65536",
        RejectReason::WrongType,
        "65536",
    ),
    (
        "10.0.0.1:1",
        "10.0.0.256:1",
        RejectReason::WrongType,
        "`orig`",
    ),
    (r#""tcp""#, r#""tcpp""#, RejectReason::WrongType, "`tcpp`"),
    (":5", ":-5", RejectReason::OutOfRange, "`-5`"),
    (":5", ":5.5", RejectReason::WrongType, "`5.5`"),
    (":5", ":1e30", RejectReason::OutOfRange, "`orig_bytes`"),
    (
        ":5",
        ":18446744073709551616",
        RejectReason::OutOfRange,
        "`orig_bytes`",
    ),
    (":5", r#":"5""#, RejectReason::WrongType, "`orig_bytes`"),
    (":5", ":NaN", RejectReason::Malformed, "not valid JSON"),
    (":5", ":Infinity", RejectReason::Malformed, "not valid JSON"),
    (":5", ":1e999", RejectReason::Malformed, "out of range"),
    (
        ":5",
        ":5,\"orig_bytes\":6",
        RejectReason::Malformed,
        "duplicate",
    ),
    ("false", "0", RejectReason::WrongType, "`interim`"),
    (
        r#""v":1"#,
        r#""start":"2025-12-14T01:30:01Z""#,
        RejectReason::OutOfRange,
        "`start`",
    ),
];

#[test]
fn every_wrong_field_is_named_with_its_value() {
    let valid = r#"{"v":1,"kind":"flow","time":"2025-12-14T01:30:00Z","orig":"10.0.0.1:1","resp":"10.0.0.2:2","transport":"tcp","orig_bytes":5,"interim":false}"#;
    assert!(decode(valid.as_bytes(), DecodeOptions::default()).is_ok());
    for (from, to, expected, detail) in WRONG {
        let (reason, said) = reason(&valid.replacen(from, to, 1));
        assert_eq!(reason, *expected, "{to}: {said}");
        assert!(said.contains(detail), "{to}: {said}");
    }
}

#[test]
fn what_is_not_an_object_is_malformed_with_its_position() {
    for (line, at) in [
        ("", 0),
        ("[1]", 0),
        ("null", 0),
        ("{\"v\":1,,}", 7),
        ("{\"v\"", 4),
    ] {
        let error = decode(line.as_bytes(), DecodeOptions::default()).unwrap_err();
        assert_eq!(
            (error.reason, error.at),
            (RejectReason::Malformed, Some(at)),
            "{line}"
        );
    }
    let error = decode(b"{\"v\":\"\xff\"}", DecodeOptions::default()).unwrap_err();
    assert_eq!(error.at, Some(6));
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert_eq!(reason(&deep).0, RejectReason::Malformed);
}

#[test]
fn readings_are_finite_bounded_and_not_empty() {
    let line = |body: &str| {
        format!(r#"{{"kind":"reading","device":"d","time":"2025-12-14T01:30:00Z"{body}}}"#)
    };
    for (body, expected) in [
        ("", RejectReason::MissingField),
        (r#","current_a":null"#, RejectReason::MissingField),
        (r#","current_a":-0.5"#, RejectReason::OutOfRange),
        (r#","current_a":1e300"#, RejectReason::OutOfRange),
        (r#","spindle_rpm":-1"#, RejectReason::OutOfRange),
        (r#","spindle_rpm":"8000""#, RejectReason::WrongType),
        (r#","device":"e""#, RejectReason::Malformed),
    ] {
        assert_eq!(reason(&line(body)).0, expected, "{body}");
    }
    assert!(
        decode(
            line(r#","current_a":0"#).as_bytes(),
            DecodeOptions::default()
        )
        .is_ok()
    );
}

#[test]
fn an_observation_is_written_as_its_device_sees_it() {
    let RecordBody::Flow(flow) = flow().body else {
        panic!("a flow");
    };
    let observation = Observation {
        header: Header {
            device: DeviceId::new("h").unwrap(),
            event_time: at("2025-12-14T01:30:00Z"),
            received_at: at("2025-12-14T01:30:00Z"),
            sender: None,
            seq: None,
            source: Source {
                topic: "f".into(),
                partition: 0,
                offset: 9,
            },
        },
        body: Body::Flow(flow.seen_by(Role::Responder)),
    };
    let json: serde_json::Value = serde_json::from_str(&encode_observation(&observation)).unwrap();
    assert_eq!(json["role"], "responder");
    assert_eq!(json["peer"], "10.1.2.3");
    assert_eq!((&json["down"], &json["port"]), (&1_440.into(), &502.into()));
    assert_eq!(json["source"]["offset"], 9);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes, CAPTURE).is_err());
    }

    #[test]
    fn no_damage_panics(at in 0_usize..400, byte in any::<u8>(), kind in 0_usize..4) {
        let mut line = encode(&all_kinds()[kind]).into_bytes();
        let at = at % line.len();
        line[at] = byte;
        if let Ok(record) = decode(&line, CAPTURE) {
            prop_assert_eq!(decode(encode(&record).as_bytes(), CAPTURE), Ok(record));
        }
    }

    #[test]
    fn readings_come_back(current in 0_f32..1e6, speed in 0_f32..1e7) {
        let record = record(RecordBody::Single(Body::Reading(Reading {
            current_a: Some(current),
            spindle_rpm: Some(speed),
        })));
        prop_assert_eq!(decode(encode(&record).as_bytes(), CAPTURE), Ok(record));
    }
}
