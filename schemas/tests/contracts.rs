//! The published contracts are the ones the code has: `contracts/*.schema.json` is generated from
//! the types, `contracts/asyncapi.json` from the table of topics, and both are compared here.
//! `UPDATE_CONTRACTS=1` writes them anew.

use std::fs;
use std::path::PathBuf;

use andon_schemas::act::{Ack, Act};
use andon_schemas::alert::Alert;
use andon_schemas::asyncapi;
use andon_schemas::audit::AuditEntry;
use andon_schemas::command::{Command, DeviceCommand};
use andon_schemas::evidence::EvidenceFile;
use andon_schemas::incident::Incident;
use andon_schemas::notice::Notice;
use andon_schemas::order::Order;
use andon_schemas::reject::{Reject, SetAside};
use andon_schemas::verdict::{RiskUpdate, Verdict};
use andon_schemas::wire::{DecodeOptions, WireRecord, decode};
use schemars::{Schema, schema_for};

fn contracts() -> [(&'static str, &'static str, Schema); 15] {
    [
        (
            "record",
            "andon.record.v1",
            schema_for!(WireRecord<'static>),
        ),
        ("verdict", "andon.verdict.v1", schema_for!(Verdict)),
        ("risk", "andon.risk.v1", schema_for!(RiskUpdate)),
        ("command", "andon.command.v1", schema_for!(Command)),
        ("order", "andon.order.v1", schema_for!(Order)),
        ("act", "andon.act.v1", schema_for!(Act)),
        ("ack", "andon.ack.v1", schema_for!(Ack)),
        ("audit", "andon.audit.v1", schema_for!(AuditEntry)),
        ("alert", "andon.alert.v1", schema_for!(Alert)),
        ("incident", "andon.incident.v1", schema_for!(Incident)),
        ("evidence", "andon.evidence.v1", schema_for!(EvidenceFile)),
        ("notice", "andon.notice.v1", schema_for!(Notice)),
        ("reject", "andon.reject.v1", schema_for!(Reject)),
        ("set_aside", "andon.set_aside.v1", schema_for!(SetAside)),
        (
            "device_command",
            "andon.device_command.v1",
            schema_for!(DeviceCommand),
        ),
    ]
}

fn path(name: &str) -> PathBuf {
    let file = match name {
        "asyncapi" => "asyncapi.json".to_owned(),
        _ => format!("{name}.schema.json"),
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("contracts")
        .join(file)
}

#[test]
fn the_published_contracts_are_up_to_date() {
    let update = std::env::var_os("UPDATE_CONTRACTS").is_some();
    let mut stale = Vec::new();
    let wire_forms = contracts().map(|(name, title, mut schema)| {
        schema.insert("title".to_owned(), title.into());
        (name, serde_json::to_string_pretty(&schema).unwrap())
    });
    let files = [
        ("profile", andon_schemas::profile::json_schema()),
        ("inventory", andon_schemas::inventory::json_schema()),
        ("mapping", andon_schemas::mapping::json_schema()),
    ]
    .map(|(name, schema)| (name, serde_json::to_string_pretty(&schema).unwrap()));
    let topics = asyncapi::document(asyncapi::Schemas::Beside);
    let topics = ("asyncapi", serde_json::to_string_pretty(&topics).unwrap());
    for (name, text) in wire_forms.into_iter().chain(files).chain([topics]) {
        let generated = format!("{text}\n");
        if update {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), &generated).unwrap();
        }
        if fs::read_to_string(path(name)).ok() != Some(generated) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "contracts {stale:?} differ from the types; a change of a contract is a new version, or \
         run with UPDATE_CONTRACTS=1"
    );
}

#[test]
fn the_topics_refer_to_contracts_that_lie_beside_them() {
    let document = asyncapi::document(asyncapi::Schemas::Beside);
    let messages = document["components"]["messages"].as_object().unwrap();
    let mut found = 0;
    for message in messages.values() {
        let Some(reference) = message["payload"]["$ref"].as_str() else {
            continue;
        };
        found += 1;
        let name = reference.strip_prefix("./").unwrap();
        let text = fs::read_to_string(path("record").with_file_name(name));
        let schema: serde_json::Value = serde_json::from_str(&text.expect(reference)).unwrap();
        assert_eq!(schema["title"], message["title"], "{reference}");
    }
    assert!(found > 10, "{found}");
}

#[test]
fn every_published_property_is_described() {
    for (name, _, schema) in contracts() {
        let properties = schema.get("properties").unwrap().as_object().unwrap();
        for (property, described) in properties {
            let reference = described.get("$ref").is_some() || described.get("anyOf").is_some();
            assert!(
                described.get("description").is_some() || reference,
                "{name}.{property} has no description"
            );
        }
    }
}

/// Every property of the record contract is one that the decoder looks at: a wrong value in it is
/// noticed.
#[test]
fn every_property_of_the_record_contract_is_read() {
    let (_, _, schema) = &contracts()[0];
    let valid = |kind: &str, body: &str| {
        format!(
            r#"{{"v":1,"kind":"{kind}","device":"d","time":"2026-01-01T00:00:00Z","sender":"s",{body}}}"#
        )
    };
    let flow = valid(
        "flow",
        r#""orig":"10.0.0.1:1","resp":"10.0.0.2:2","transport":"tcp""#,
    );
    let reading = valid("reading", r#""current_a":1"#);
    let attestation = valid("attestation", r#""firmware":"1""#);
    let resolution = valid(
        "resolution",
        r#""server":"10.0.0.1","name":"a","addresses":[],"ttl_s":1"#,
    );
    let capture = DecodeOptions {
        capture: true,
        ..DecodeOptions::default()
    };
    for property in schema
        .get("properties")
        .unwrap()
        .as_object()
        .unwrap()
        .keys()
    {
        let noticed = [&flow, &reading, &attestation, &resolution]
            .into_iter()
            .any(|line| {
                let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(decode(line.as_bytes(), capture).is_ok(), "{line}");
                record[property] = serde_json::json!([[]]);
                let line = record.to_string();
                decode(line.as_bytes(), capture).is_err()
                    || andon_schemas::wire::decode_capture(line.as_bytes()).is_err()
            });
        assert!(noticed, "`{property}` is published but not read");
    }
}
