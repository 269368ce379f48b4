//! Bytes that nobody meant: none of them may panic, nor cost more than they are.

use std::fmt::Write as _;
use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::datum;
use super::super::shape::Shape;
use super::columns::whole;
use super::framed::{avro, framed};
use super::*;

/// A payload of every format.
fn seeds() -> &'static [Vec<u8>] {
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SEEDS.get_or_init(|| {
        let mut seeds = vec![whole(), format!("[{}]", LINES.join(",")).into_bytes()];
        seeds.extend(LINES.iter().map(|line| line.as_bytes().to_vec()));
        seeds.extend(LINES.iter().map(|line| framed(7, &avro(line))));
        seeds
    })
}

/// A schema with everything that Avro has.
const RICH: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"e","type":{"type":"array","items":{"type":"enum","name":"E","symbols":["aaaaaaaaaaaaaaaaaaaaaaaa","b"]}}},
    {"name":"n","type":{"type":"array","items":"null"}},
    {"name":"m","type":{"type":"map","values":["null","string",{"type":"array","items":"double"}]}},
    {"name":"x","type":{"type":"fixed","name":"F","size":3}},
    {"name":"b","type":"bytes"},
    {"name":"i","type":{"type":"array","items":{"type":"record","name":"I","fields":[]}}},
    {"name":"t","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"o","type":["null","float","boolean",{"type":"long","logicalType":"timestamp-nanos"}]}]}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_payload_panics(
        lead in prop::sample::select(vec![
            &b""[..], b"\x00", b"\xff\xff\xff\xff", b"{", b"[", b"\x00\x00\x00\x00\x07\x02", b"\x0a",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let all = read([lead, &bytes].concat());
        prop_assert_eq!(all.len(), 1);
    }

    #[test]
    fn no_damage_to_a_payload_panics(
        which: prop::sample::Index,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: prop::sample::Index,
    ) {
        let mut payload = which.get(seeds()).clone();
        for (at, byte) in damage {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let some = read(&payload).len();
        prop_assert!(some <= RECORDS_MAX);
        let cut = cut.index(payload.len());
        read(&payload[..cut]);
    }

    #[test]
    fn no_datum_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let shape = Shape::parse(RICH).unwrap();
        let mut json = Vec::new();
        if datum::read(&bytes, &shape, &mut json).is_ok() {
            let text: Result<serde_json::Value, _> = serde_json::from_slice(&json);
            prop_assert!(text.is_ok(), "{}", String::from_utf8_lossy(&json));
        }
    }

    #[test]
    fn no_schema_panics(
        at: prop::sample::Index,
        text in "[\\[\\]{}\",:a-z0-9]{0,12}",
        cut in 0_usize..8,
    ) {
        let mut schema = RICH.to_owned();
        let at = at.index(schema.len());
        let end = (at + cut).min(schema.len());
        schema.replace_range(at..end, &text);
        if let Err(why) = Shape::parse(&schema) {
            prop_assert!(!why.is_empty());
        }
    }
}

#[test]
fn a_few_bytes_cannot_become_a_flood() {
    let shape = |items: &str| {
        let array = format!(r#"{{"type":"array","items":{items}}}"#);
        Shape::parse(&format!(
            r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{array}}}]}}"#
        ))
        .unwrap()
    };
    // As many items as a number can say, each of no bytes.
    let datum = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for items in [
        r#""null""#,
        r#"{"type":"record","name":"N","fields":[]}"#,
        r#"{"type":"fixed","name":"F","size":0}"#,
    ] {
        let refused = datum::read(&datum, &shape(items), &mut Vec::new()).unwrap_err();
        assert_eq!(
            refused.reason,
            RejectReason::Oversized,
            "{items}: {refused}"
        );
    }
}

#[test]
fn a_schema_without_end_is_refused() {
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    assert!(Shape::parse(list).unwrap_err().contains("refers to itself"));
    // Each type holds the one before it ten times.
    let mut types = r#"{"type":"record","name":"T0","fields":[]}"#.to_owned();
    for level in 1..8 {
        let mut fields = format!(r#"{{"name":"f","type":{types}}}"#);
        for at in 1..10 {
            write!(fields, r#",{{"name":"f{at}","type":"T{}"}}"#, level - 1).unwrap();
        }
        types = format!(r#"{{"type":"record","name":"T{level}","fields":[{fields}]}}"#);
    }
    assert!(Shape::parse(&types).unwrap_err().contains("more than"));
}
