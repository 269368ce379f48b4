//! What payloads hold: JSON of ours, alone and in arrays, and what is none of any format.

mod columns;
mod datum;
mod foreign;
mod framed;
mod hostile;
mod registry;

use andon_schemas::observation::{Body, Record, RecordBody};
use andon_schemas::reject::RejectReason;
use andon_schemas::wire::{DecodeOptions, decode, decode_capture};

use super::*;

/// One record of every kind, with and without what may be left out.
const LINES: [&str; 7] = [
    r#"{"v":1,"kind":"flow","time":"2025-12-14T01:30:00.000001Z","start":"2025-12-14T01:29:00Z","orig":"10.0.0.1:40123","resp":"[fd00::1]:502","resp_name":"h.example","transport":"tcp","service":"modbus","orig_bytes":1440,"resp_bytes":0,"bytes":"frame","state":"rejected","interim":true,"uid":"C1","seq":7}"#,
    r#"{"v":1,"kind":"flow","device":"plc-1","time":"2025-12-14T01:30:00Z","orig":"10.0.0.1","resp":"10.0.0.2","transport":"icmp"}"#,
    r#"{"v":1,"kind":"reading","device":"d","time":"1970-01-01T00:00:00Z","current_a":4.2,"spindle_rpm":8000,"sender":"gw","sender_proven":true}"#,
    r#"{"v":1,"kind":"attestation","device":"d","time":"2100-01-01T00:00:00Z","firmware":"4.2"}"#,
    r#"{"v":1,"kind":"attestation","device":"d","time":"2025-12-14T01:30:00Z","firmware":"4.2","tpm_ok":true,"sha256":"abababababababababababababababababababababababababababababababab"}"#,
    r#"{"v":1,"kind":"resolution","client":"10.0.0.1","time":"2025-12-14T01:30:00Z","server":"10.0.0.53","name":"a","addresses":["::1","10.0.0.9"],"ttl_s":60}"#,
    r#"{"v":1,"kind":"resolution","device":"d","time":"2025-12-14T01:30:00Z","server":"10.0.0.53","name":"a","addresses":[],"ttl_s":0}"#,
];

/// The records of [`LINES`], as an untrusted producer sends them.
fn records() -> Vec<Record> {
    LINES
        .iter()
        .map(|line| decode(line.as_bytes(), DecodeOptions::default()).unwrap())
        .collect()
}

/// The records of [`LINES`], as a trusted producer sends them.
fn trusted_records() -> Vec<Record> {
    LINES
        .iter()
        .map(|line| decode_capture(line.as_bytes()).unwrap().0)
        .collect()
}

fn trusting() -> Options {
    Options {
        trusted: true,
        ..Options::default()
    }
}

fn payloads(options: &Options) -> Payloads {
    Payloads::new(options).unwrap()
}

fn read_by(payloads: &mut Payloads, payload: &[u8]) -> Vec<Result<Record, Refused>> {
    let mut all = Vec::new();
    payloads.read(payload, None, &mut |record| all.push(record));
    all
}

/// What an untrusting reader without a registry makes of a payload.
fn read(payload: impl AsRef<[u8]>) -> Vec<Result<Record, Refused>> {
    read_by(&mut payloads(&Options::default()), payload.as_ref())
}

/// The one refusal that a payload comes to.
fn refusal(payload: impl AsRef<[u8]>) -> Refused {
    the_refusal(read(payload))
}

fn the_refusal(mut all: Vec<Result<Record, Refused>>) -> Refused {
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).unwrap_err()
}

#[test]
fn a_record_of_ours_is_read_like_the_wire_form() {
    for (line, record) in LINES.iter().zip(records()) {
        for payload in [line.to_string(), format!("\u{feff} \n{line}\r\n")] {
            assert_eq!(read(payload), [Ok(record.clone())]);
        }
    }
}

#[test]
fn who_sent_a_record_counts_only_from_a_trusted_producer() {
    for (line, record) in LINES.iter().zip(trusted_records()) {
        let read = read_by(&mut payloads(&trusting()), line.as_bytes());
        assert_eq!(read, [Ok(record)]);
    }
    assert!(trusted_records().iter().any(|r| r.sender.is_some()));
    assert!(records().iter().all(|r| r.sender.is_none()));
}

#[test]
fn what_only_a_recording_may_say_is_ignored() {
    let line = r#"{"kind":"reading","device":"d","time":"2026-01-01T00:00:00Z","current_a":1,"received_at":"2020-01-01T00:00:00Z","source":{"topic":"t","partition":0,"offset":1}}"#;
    for options in [Options::default(), trusting()] {
        let read = read_by(&mut payloads(&options), line.as_bytes());
        assert_eq!(read[0].as_ref().unwrap().received_at, None);
    }
}

#[test]
fn an_array_is_as_many_records_and_a_bad_one_is_refused_alone() {
    let payload = format!("[{},{{\"kind\":\"dream\"}},7,{}]", LINES[0], LINES[6]);
    let read = read(payload);
    let records = records();
    assert_eq!(read.len(), 4);
    assert_eq!(read[0].as_ref(), Ok(&records[0]));
    assert_eq!(read[3].as_ref(), Ok(&records[6]));
    let refused = read[1].as_ref().unwrap_err();
    assert_eq!(refused.reason, RejectReason::Unsupported);
    assert!(refused.detail.starts_with("item 2: `kind`"), "{refused}");
    let refused = read[2].as_ref().unwrap_err();
    assert_eq!(refused.reason, RejectReason::Malformed);
    assert!(refused.detail.starts_with("item 3: "), "{refused}");
}

#[test]
fn an_array_of_more_than_the_most_is_one_refusal() {
    let items = vec!["1"; RECORDS_MAX + 1].join(",");
    assert_eq!(
        refusal(format!("[{items}]")).reason,
        RejectReason::Oversized
    );
    let items = vec!["1"; RECORDS_MAX].join(",");
    assert_eq!(read(format!("[{items}]")).len(), RECORDS_MAX);
}

#[test]
fn the_largest_payload_is_read_and_one_byte_more_is_refused() {
    let mut line = LINES[0].to_owned();
    line.push_str(&" ".repeat(PAYLOAD_BYTES_MAX - line.len()));
    assert!(read(&line)[0].is_ok());
    line.push(' ');
    assert_eq!(refusal(&line).reason, RejectReason::Oversized);
}

#[test]
fn what_is_of_no_format_is_refused_with_what_it_seems_to_be() {
    for (payload, reason, said) in [
        (&b""[..], RejectReason::Malformed, "empty"),
        (b" \n", RejectReason::Malformed, "empty"),
        (b"[ ]", RejectReason::Malformed, "no record"),
        (b"4.2", RejectReason::Malformed, "begins with \"4.2\""),
        (b"[1,", RejectReason::Malformed, "array is not valid JSON"),
        (b"{\"kind\":", RejectReason::Malformed, "not valid JSON"),
        (b"{\"a\":1}", RejectReason::Unsupported, "no known kind"),
        (b"ARROW1\0\0", RejectReason::Unsupported, "stream format"),
        (b"PAR1\x15", RejectReason::Unsupported, "Parquet"),
        (b"Obj\x01\x04", RejectReason::Unsupported, "Avro file"),
        (
            b"\xc3\x01abcdefgh",
            RejectReason::Unsupported,
            "single-object",
        ),
        (
            b"\x1f\x8b\x08\0",
            RejectReason::Unsupported,
            "compression.type",
        ),
        (b"\x28\xb5\x2f\xfd", RejectReason::Unsupported, "compressed"),
        (
            b"\x03\x000123456789abcdef",
            RejectReason::Unsupported,
            "Glue",
        ),
        (
            b"\x0a\x03abc\x10\x96\x01",
            RejectReason::Unsupported,
            "protobuf",
        ),
        (b"\x0a\xff\xff\xff", RejectReason::Malformed, "0a ff ff ff"),
        (b"<34>1 2026-01-01", RejectReason::Malformed, "<34>1"),
    ] {
        let refused = refusal(payload);
        assert_eq!(refused.reason, reason, "{refused}");
        assert!(refused.detail.contains(said), "{refused}");
    }
}
