//! Captures of our own.

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{
    Attestation, ByteKind, ConnState, FlowRecord, Party, Reading, Sender, Source, Transport,
};
use andon_schemas::ot_command::Commands;

use super::*;
use crate::files::{CaptureWriter, Order};

fn reading(second: i64) -> Record {
    Record {
        device: Some(DeviceId::new("cnc-1").unwrap()),
        address: None,
        event_time: EventTime::from_micros(second * 1_000_000),
        received_at: Some(EventTime::from_micros(second * 1_000_000 + 7)),
        sender: Some(Sender {
            name: DeviceId::new("gw-1").unwrap(),
            proven: true,
        }),
        seq: Some(3),
        body: RecordBody::Single(Body::Reading(Reading {
            current_a: Some(4.5),
            spindle_rpm: None,
        })),
    }
}

/// A flow that tells what was commanded in it.
fn commanded(commands: Option<&str>) -> Record {
    let party = |last, port| Party {
        address: [10, 0, 0, last].into(),
        port,
    };
    Record {
        body: RecordBody::Flow(FlowRecord {
            start: EventTime::from_micros(0),
            originator: party(5, 40_000),
            responder: party(9, 102),
            responder_name: None,
            transport: Transport::Tcp,
            service: Some("s7comm".into()),
            originator_bytes: Some(61),
            responder_bytes: None,
            bytes: ByteKind::Payload,
            state: ConnState::Answered,
            interim: false,
            uid: None,
            commands: commands.and_then(|text| Commands::parse(text).unwrap()),
        }),
        ..reading(9)
    }
}

#[test]
fn commands_come_back_from_either_form() {
    let told = [
        commanded(Some("s7comm.plc_stop=1 s7comm.read_var=12")),
        commanded(None),
    ];
    for name in ["told.ndjson", "told.parquet"] {
        let read = written(name, |writer| {
            for record in &told {
                writer.record(record, None).unwrap();
            }
        });
        assert_eq!(read.records, told, "{name}");
    }
    let wrong = r#"{"v":1,"kind":"flow","time":"2025-12-14T01:30:00Z","orig":"10.0.0.5","resp":"10.0.0.9","transport":"tcp","commands":"plc_stop"}"#;
    let folder = Folder::new();
    let path = folder.put("wrong.ndjson", wrong);
    let read = drain(&mut captures(&[path]));
    assert!(
        read.rejects[0].detail.contains("`commands`: \"plc_stop\""),
        "{:?}",
        read.rejects
    );
}

fn written(name: &str, write: impl Fn(&mut CaptureWriter)) -> Read {
    let folder = Folder::new();
    let path = folder.path().join(name);
    let mut writer = CaptureWriter::create(&path).unwrap();
    write(&mut writer);
    writer.finish().unwrap();
    let mut captures = captures(&[path]);
    assert_eq!(captures.order(), Order::Recorded);
    drain(&mut captures)
}

/// A live run as it is recorded: everything the engine was given, in the order it was given.
fn record_a_run(writer: &mut CaptureWriter, path: &Path) -> Vec<Item> {
    let source = Source {
        topic: "andon/v1/in/s/cnc-1/reading".into(),
        partition: 0,
        offset: 41,
    };
    let reject = Reject {
        reason: RejectReason::WrongSender,
        detail: "`cnc-2` may not speak for `cnc-1`".to_owned(),
        source: source.clone(),
        device: Some("cnc-1".to_owned()),
        received_at: EventTime::from_micros(5),
        excerpt: "{}".to_owned(),
    };
    let control = r#"{"add":["x",1.50]}"#.to_owned();
    writer.record(&reading(9), Some(&source)).unwrap();
    writer.tick(EventTime::from_micros(9)).unwrap();
    writer.reject(&reject).unwrap();
    writer.control(&control).unwrap();
    writer.record(&reading(2), Some(&source)).unwrap();
    vec![
        Item::Record {
            record: reading(9),
            source: source.clone(),
        },
        Item::Tick(EventTime::from_micros(9)),
        Item::Reject(reject),
        Item::Control {
            control,
            source: Source {
                topic: path.to_string_lossy().into(),
                partition: 0,
                offset: 4,
            },
        },
        Item::Record {
            record: reading(2),
            source,
        },
    ]
}

#[test]
fn a_recorded_run_is_replayed_in_its_order_with_everything_it_was_given() {
    for name in ["run.ndjson", "run.parquet", "run.arrow"] {
        let folder = Folder::new();
        let path = folder.path().join(name);
        let mut writer = CaptureWriter::create(&path).unwrap();
        let given = record_a_run(&mut writer, &path);
        writer.finish().unwrap();
        assert_eq!(read_paths(&[path]).items, given, "{name}");
    }
}

#[test]
fn records_without_a_position_get_their_place_in_the_file() {
    for name in ["sim.ndjson", "sim.PARQUET", "sim.feather"] {
        let read = written(name, |writer| {
            for second in [5, 3, 4] {
                writer.record(&reading(second), None).unwrap();
            }
        });
        assert_eq!(read.numbers, [1, 2, 3]);
        assert_eq!(read.records, [reading(5), reading(3), reading(4)]);
    }
}

/// One record of every kind, with and without what may be left out.
pub(super) fn every_kind() -> Vec<Record> {
    let lines = [
        r#"{"v":1,"kind":"flow","time":"2025-12-14T01:30:00Z","start":"2025-12-14T01:29:00Z","orig":"10.0.0.1:40123","resp":"[fd00::1]:502","resp_name":"h.example","transport":"tcp","service":"modbus","orig_bytes":1440,"resp_bytes":0,"bytes":"frame","state":"rejected","interim":true,"uid":"C1","seq":7}"#,
        r#"{"v":1,"kind":"flow","device":"plc-1","time":"2025-12-14T01:30:00Z","orig":"10.0.0.1","resp":"10.0.0.2","transport":"icmp"}"#,
        r#"{"v":1,"kind":"reading","device":"d","time":"1970-01-01T00:00:00Z","current_a":4.2,"spindle_rpm":8000,"sender":"gw","sender_proven":false}"#,
        r#"{"v":1,"kind":"attestation","device":"d","time":"2100-01-01T00:00:00Z","firmware":"4.2"}"#,
        r#"{"v":1,"kind":"attestation","device":"d","time":"2025-12-14T01:30:00Z","firmware":"4.2","tpm_ok":true,"sha256":"abababababababababababababababababababababababababababababababab"}"#,
        r#"{"v":1,"kind":"resolution","client":"10.0.0.1","time":"2025-12-14T01:30:00Z","server":"10.0.0.53","name":"a","addresses":["::1","10.0.0.9"],"ttl_s":60}"#,
        r#"{"v":1,"kind":"resolution","device":"d","time":"2025-12-14T01:30:00Z","server":"10.0.0.53","name":"a","addresses":[],"ttl_s":0}"#,
    ];
    read("all.ndjson", lines.join("\n")).records
}

#[test]
fn parquet_arrow_and_ndjson_hold_the_same_records() {
    let records = every_kind();
    assert_eq!(records.len(), 7);
    // Enough rows for several batches and row groups.
    for (name, rounds) in [("all.parquet", 30_000), ("all.arrow", 3_000)] {
        let read = written(name, |writer| {
            for record in (0..rounds).flat_map(|_| &records) {
                writer.record(record, None).unwrap();
            }
        });
        assert_eq!(read.records.len(), rounds * records.len());
        assert!(read.records.chunks(7).all(|chunk| chunk == records));
        assert_eq!(read.numbers.last(), Some(&(7 * rounds as u64)));
    }
}

#[test]
fn columns_are_checked_like_lines() {
    let flow = every_kind().swap_remove(0);
    let attestation = every_kind().swap_remove(4);
    let RecordBody::Flow(body) = &flow.body else {
        panic!("the first is a flow");
    };
    let with = |body: FlowRecord| Record {
        body: RecordBody::Flow(body),
        ..flow.clone()
    };
    let loud = with(FlowRecord {
        responder_name: Some("H.example.".into()),
        service: Some("MODBUS".into()),
        ..body.clone()
    });
    let lengthy = with(FlowRecord {
        uid: Some("u".repeat(513).into()),
        ..body.clone()
    });
    let timeless = Record {
        event_time: EventTime::from_micros(i64::MAX),
        ..flow.clone()
    };
    let undigested = Record {
        body: RecordBody::Single(Body::Attestation(Attestation {
            version: "4.2".to_owned(),
            digest: Some("abc".to_owned()),
            tpm_ok: None,
        })),
        ..attestation
    };
    for name in ["all.parquet", "all.arrow"] {
        let read = written(name, |writer| {
            for record in [&loud, &lengthy, &timeless, &undigested] {
                writer.record(record, None).unwrap();
            }
        });
        assert_eq!(read.records, std::slice::from_ref(&flow), "{name}");
        assert_eq!(
            read.reasons(),
            [
                (RejectReason::WrongType, 2),
                (RejectReason::OutOfRange, 3),
                (RejectReason::WrongType, 4),
            ],
            "{name}"
        );
    }
}

#[test]
fn a_parquet_file_that_was_not_finished_is_one_reject() {
    let folder = Folder::new();
    let path = folder.path().join("cut.parquet");
    let mut writer = CaptureWriter::create(&path).unwrap();
    writer.record(&reading(1), None).unwrap();
    writer.finish().unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [4, 12, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let read = read_paths(std::slice::from_ref(&path));
        assert_eq!(read.reasons(), [(RejectReason::Malformed, 0)], "{length}");
    }
}

#[test]
fn a_capture_without_receive_times_is_as_of_the_run() {
    let line =
        r#"{"v":1,"kind":"reading","device":"d","time":"2026-01-01T00:00:00Z","current_a":1}"#;
    let read = read("any.name", line);
    assert_eq!(read.records[0].received_at, Some(AS_OF));
}

#[test]
fn a_file_name_without_a_known_ending_cannot_be_written() {
    let folder = Folder::new();
    let error = CaptureWriter::create(&folder.path().join("run.csv")).unwrap_err();
    assert!(error.to_string().contains(".ndjson"), "{error}");
}

#[test]
fn unknown_kinds_and_versions_are_rejected_line_by_line() {
    let lines = [
        r#"{"v":1,"kind":"reading","device":"d","time":"2026-01-01T00:00:00Z","current_a":1}"#,
        r#"{"v":1,"kind":"dream"}"#,
        r#"{"v":2,"kind":"tick","at":"2026-01-01T00:00:00Z"}"#,
        r#"{"v":1,"kind":"tick","at":"soon"}"#,
        r#"{"v":1,"kind":"reading","time":"2026-01-01T00:00:00Z","current_a":1}"#,
    ];
    let read = read("capture.ndjson", lines.join("\n"));
    assert_eq!(
        read.reasons(),
        [
            (RejectReason::Unsupported, 2),
            (RejectReason::UnknownVersion, 3),
            (RejectReason::Malformed, 4),
            (RejectReason::MissingField, 5),
        ]
    );
}
