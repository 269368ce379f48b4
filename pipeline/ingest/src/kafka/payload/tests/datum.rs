//! Avro datums, written by the Avro library, to JSON.

use std::collections::HashMap;

use apache_avro::types::Value;
use apache_avro::{Schema, to_avro_datum};
use serde_json::json;

use super::super::datum;
use super::super::shape::Shape;

/// The JSON that a value of one field becomes.
fn json_of(field: &str, value: Value) -> serde_json::Value {
    let schema =
        format!(r#"{{"type":"record","name":"a.R","fields":[{{"name":"f","type":{field}}}]}}"#);
    let record = Value::Record(vec![("f".to_owned(), value)]);
    let datum = to_avro_datum(&Schema::parse_str(&schema).unwrap(), record).unwrap();
    let mut json = Vec::new();
    datum::read(&datum, &Shape::parse(&schema).unwrap(), &mut json).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    json["f"].take()
}

#[test]
fn every_type_becomes_what_the_wire_form_has_in_its_place() {
    let logical = |base: &str, mark: &str| format!(r#"{{"type":"{base}","logicalType":"{mark}"}}"#);
    let moment = |unit: &str| logical("long", &format!("timestamp-{unit}"));
    let before = "1969-12-31T23:59:59.999000Z";
    let texts = Value::Array(vec![
        Value::String("a\"\u{e9}\u{1}".into()),
        Value::String(String::new()),
    ]);
    for (schema, value, expected) in [
        ("\"boolean\"", Value::Boolean(true), json!(true)),
        ("\"int\"", Value::Int(i32::MIN), json!(i32::MIN)),
        ("\"long\"", Value::Long(i64::MAX), json!(i64::MAX)),
        ("\"long\"", Value::Long(i64::MIN), json!(i64::MIN)),
        ("\"float\"", Value::Float(4.2), json!(4.2)),
        ("\"double\"", Value::Double(-0.1), json!(-0.1)),
        ("\"bytes\"", Value::Bytes(vec![0, 0xab]), json!("00ab")),
        (
            r#"{"type":"fixed","name":"F","size":2}"#,
            Value::Fixed(2, vec![0xff, 1]),
            json!("ff01"),
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["a","b"]}"#,
            Value::Enum(1, "b".into()),
            json!("b"),
        ),
        (
            r#"{"type":"array","items":"string"}"#,
            texts,
            json!(["a\"\u{e9}\u{1}", ""]),
        ),
        (
            r#"{"type":"map","values":"long"}"#,
            Value::Map(HashMap::from([("k".to_owned(), Value::Long(-3))])),
            json!({"k": -3}),
        ),
        (
            r#"["null","string"]"#,
            Value::Union(1, Box::new(Value::String("s".into()))),
            json!("s"),
        ),
        (
            &*moment("millis"),
            Value::TimestampMillis(-1),
            json!(before),
        ),
        (
            &*moment("micros"),
            Value::TimestampMicros(-1_000),
            json!(before),
        ),
        (
            &*moment("nanos"),
            Value::TimestampNanos(-1_000_000),
            json!(before),
        ),
        (&*logical("int", "date"), Value::Date(7), json!(7)),
        (
            &*logical("long", "local-timestamp-micros"),
            Value::LocalTimestampMicros(7),
            json!(7),
        ),
    ] {
        assert_eq!(json_of(schema, value), expected, "{schema}");
    }
}

#[test]
fn what_is_null_is_left_out() {
    let schema = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":["null","string"]},
        {"name":"b","type":["null","string"]},
        {"name":"c","type":{"type":"array","items":"null"}},
        {"name":"d","type":"null"},
        {"name":"e","type":["null","string"]}]}"#;
    let mut json = Vec::new();
    let datum = b"\x00\x02\x0a:null\x02\x00\x02\x0a:null";
    datum::read(datum, &Shape::parse(schema).unwrap(), &mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    assert_eq!(json, r#"{"b":":null","c":[null],"e":":null"}"#);
}

#[test]
fn a_type_is_known_by_its_name_in_every_namespace() {
    let schema = r#"{"type":"record","name":"R","namespace":"x.y","fields":[
        {"name":"a","type":{"type":"record","name":"P","fields":[{"name":"n","type":"int"}]}},
        {"name":"b","type":"P"},
        {"name":"c","type":"x.y.P"}]}"#;
    let mut json = Vec::new();
    datum::read(b"\x02\x04\x06", &Shape::parse(schema).unwrap(), &mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    assert_eq!(json, r#"{"a":{"n":1},"b":{"n":2},"c":{"n":3}}"#);
}
