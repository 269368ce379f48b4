//! Avro in Confluent's framing, read without a registry.

use std::path::Path;

use apache_avro::types::Value;
use apache_avro::{Schema, to_avro_datum};

use super::super::framed::OURS;
use super::*;

/// A payload in the framing.
pub(super) fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}

/// JSON as the Avro value that a schema makes of it.
fn value(json: &serde_json::Value, schema: &Schema, endpoint: &Schema) -> Value {
    match (schema, json) {
        (Schema::Union(union), serde_json::Value::Null) => {
            assert_eq!(union.variants()[0], Schema::Null);
            Value::Union(0, Box::new(Value::Null))
        }
        (Schema::Union(union), json) => {
            Value::Union(1, Box::new(value(json, &union.variants()[1], endpoint)))
        }
        (Schema::Ref { .. }, json) => value(json, endpoint, endpoint),
        (Schema::Record(record), json) => {
            let json = match json.as_str().map(str::parse::<std::net::SocketAddr>) {
                Some(Ok(socket)) => {
                    serde_json::json!({"address": socket.ip(), "port": socket.port()})
                }
                Some(Err(_)) => serde_json::json!({"address": json, "port": 0}),
                None => json.clone(),
            };
            let field = |field: &apache_avro::schema::RecordField| {
                let json = &json[&field.name];
                (field.name.clone(), value(json, &field.schema, endpoint))
            };
            Value::Record(record.fields.iter().map(field).collect())
        }
        (Schema::Enum(symbols), json) => {
            let word = json.as_str().unwrap();
            let at = symbols.symbols.iter().position(|symbol| symbol == word);
            Value::Enum(u32::try_from(at.unwrap()).unwrap(), word.to_owned())
        }
        (Schema::TimestampMicros, json) => {
            let time = andon_schemas::wire::parse_time(json.as_str().unwrap());
            Value::TimestampMicros(time.unwrap().micros())
        }
        (Schema::Array(list), json) => {
            let items = json.as_array().unwrap().iter();
            Value::Array(
                items
                    .map(|item| value(item, &list.items, endpoint))
                    .collect(),
            )
        }
        (Schema::Int, json) => Value::Int(i32::try_from(json.as_i64().unwrap()).unwrap()),
        (Schema::Long, json) => Value::Long(json.as_i64().unwrap()),
        #[expect(clippy::cast_possible_truncation, reason = "as the record holds it")]
        (Schema::Float, json) => Value::Float(json.as_f64().unwrap() as f32),
        (Schema::Boolean, json) => Value::Boolean(json.as_bool().unwrap()),
        (Schema::String, json) => Value::String(json.as_str().unwrap().to_owned()),
        (schema, json) => panic!("{json} is no {schema:?}"),
    }
}

/// A line in Avro, by the schema of our own record, as the Avro library writes it.
pub(super) fn avro(line: &str) -> Vec<u8> {
    let schema = Schema::parse_str(OURS).unwrap();
    let Schema::Record(record) = &schema else {
        panic!("no record");
    };
    let orig = record.fields.iter().find(|field| field.name == "orig");
    let Schema::Union(endpoint) = &orig.unwrap().schema else {
        panic!("no union");
    };
    let json = serde_json::from_str(line).unwrap();
    let value = value(&json, &schema, &endpoint.variants()[1]);
    to_avro_datum(&schema, value).unwrap()
}

#[test]
fn our_own_record_in_avro_needs_no_registry() {
    for ((line, record), trusted) in LINES.iter().zip(records()).zip(trusted_records()) {
        let payload = framed(7, &avro(line));
        assert_eq!(read(&payload), [Ok(record)]);
        let read = read_by(&mut payloads(&trusting()), &payload);
        assert_eq!(read, [Ok(trusted)]);
    }
}

#[test]
fn json_in_the_framing_needs_no_registry() {
    let record = records().swap_remove(0);
    let payload = framed(7, LINES[0].as_bytes());
    assert_eq!(read(payload), [Ok(record.clone())]);
    let payload = framed(7, format!("[{},{}]", LINES[0], LINES[0]).as_bytes());
    assert_eq!(read(payload), [Ok(record.clone()), Ok(record)]);
}

#[test]
fn the_checks_are_those_of_the_wire_form() {
    for (line, reason) in [
        (LINES[2].replace("4.2", "-4.2"), RejectReason::OutOfRange),
        (LINES[2].replace("\"d\"", "\"\""), RejectReason::WrongType),
        (
            LINES[1].replace("\"v\":1", "\"v\":2"),
            RejectReason::UnknownVersion,
        ),
        (
            LINES[1].replace("10.0.0.2", "10.0.0.256"),
            RejectReason::WrongType,
        ),
        (LINES[4].replace("abab", "xyxy"), RejectReason::WrongType),
    ] {
        let refused = refusal(framed(7, &avro(&line)));
        assert_eq!(refused.reason, reason, "{line}: {refused}");
    }
}

#[test]
fn what_does_not_fit_our_own_record_says_which_schema_is_needed() {
    let datum = avro(LINES[0]);
    for cut in 0..datum.len() {
        let refused = refusal(framed(70_000, &datum[..cut]));
        assert_eq!(
            refused.reason,
            RejectReason::Unsupported,
            "{cut}: {refused}"
        );
        assert!(refused.detail.contains("schema 70000"), "{refused}");
        assert!(refused.detail.contains("no schema registry"), "{refused}");
    }
    let mut longer = datum.clone();
    longer.push(0);
    let refused = refusal(framed(7, &longer));
    assert!(refused.detail.contains("1 bytes before"), "{refused}");
}

#[test]
fn a_frame_without_a_body_is_refused() {
    for length in 1..5 {
        let refused = refusal(&[0, 0, 0, 0, 7][..length]);
        assert_eq!(refused.reason, RejectReason::Truncated, "{refused}");
    }
}

/// The names in a JSON Schema's object.
fn names(object: &serde_json::Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn the_embedded_schema_knows_what_the_wire_form_knows() {
    let contract =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/contracts/record.schema.json");
    let contract: serde_json::Value =
        serde_json::from_slice(&std::fs::read(contract).unwrap()).unwrap();
    // What only a recording may say is not sent.
    let wire: Vec<_> = names(&contract["properties"])
        .into_iter()
        .filter(|name| !["received_at", "source"].contains(name))
        .collect();
    let Schema::Record(record) = Schema::parse_str(OURS).unwrap() else {
        panic!("no record");
    };
    let ours: Vec<_> = record.fields.iter().map(|field| &field.name).collect();
    assert_eq!(ours, wire);
}
