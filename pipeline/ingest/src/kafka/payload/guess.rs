//! What a payload of no format that is read seems to be, so that its producer can be put right.

use andon_schemas::reject::RejectReason;

use crate::refused::Refused;

/// Beginnings of what people send to topics, and what to do about it.
const OTHERS: &[(&[u8], &str)] = &[
    (
        b"ARROW1",
        "an Arrow IPC file: send the stream format, which has no footer",
    ),
    (b"PAR1", "a Parquet file: send an Arrow IPC stream, or JSON"),
    (
        b"Obj\x01",
        "an Avro file: send single datums in Confluent's framing",
    ),
    (
        b"\xc3\x01",
        "Avro's single-object encoding: send Confluent's framing",
    ),
    (b"\x1f\x8b", GZIP),
    (b"\x28\xb5\x2f\xfd", COMPRESSED),
    (b"\x04\x22\x4d\x18", COMPRESSED),
    (b"\x82SNAPPY\x00", COMPRESSED),
    (b"PK\x03\x04", "a zip archive"),
    (b"\xff\xfe", "UTF-16 text: send UTF-8"),
    (b"\xfe\xff", "UTF-16 text: send UTF-8"),
    (b"CEF:", "a CEF event: send JSON"),
    (b"<?xml", "XML: send JSON"),
];

const GZIP: &str = "gzip: let the producer compress its batches (`compression.type`) instead";
const COMPRESSED: &str =
    "compressed: let the producer compress its batches (`compression.type`) instead";

/// Why such a payload is refused.
pub(super) fn refusal(payload: &[u8]) -> Refused {
    if payload.trim_ascii().is_empty() {
        return Refused::new(RejectReason::Malformed, "payload is empty");
    }
    let known = OTHERS.iter().find(|(magic, _)| payload.starts_with(magic));
    if let Some((_, what)) = known {
        return Refused::new(RejectReason::Unsupported, format!("payload is {what}"));
    }
    if is_glue(payload) {
        return Refused::new(
            RejectReason::Unsupported,
            "payload is in the framing of the AWS Glue registry: send Confluent's framing",
        );
    }
    let Ok(text) = std::str::from_utf8(payload) else {
        return binary(payload);
    };
    if text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        return binary(payload);
    }
    let start: String = text.trim_start().chars().take(24).collect();
    Refused::new(
        RejectReason::Malformed,
        format!("payload is of no known format: it begins with {start:?}"),
    )
}

/// Version 3, compression none or zlib, a schema's UUID.
fn is_glue(payload: &[u8]) -> bool {
    matches!(payload, [0x03, 0x00 | 0x05, ..]) && payload.len() >= 18
}

fn binary(payload: &[u8]) -> Refused {
    let start: Vec<String> = payload
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let start = start.join(" ");
    if is_protobuf(payload) {
        return Refused::new(
            RejectReason::Unsupported,
            format!("payload looks like protobuf, which is not read: it begins with {start}"),
        );
    }
    Refused::new(
        RejectReason::Malformed,
        format!("payload is binary of no known format: it begins with {start}"),
    )
}

/// Whether it is, from end to end, fields as protobuf writes them.
fn is_protobuf(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(tag) = varint(&mut rest) else {
            return false;
        };
        let length = match tag & 7 {
            0 => varint(&mut rest).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut rest),
            5 => Some(4),
            _ => None,
        };
        let field = tag >> 3;
        let skipped = length.and_then(|length| rest.get(usize::try_from(length).ok()?..));
        match skipped {
            Some(after) if (1..1 << 29).contains(&field) => rest = after,
            _ => return false,
        }
    }
    true
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
