//! The JSON Schemas of the file formats name exactly the keys that the readers know.

use andon_schemas::inventory;
use andon_schemas::mapping;
use andon_schemas::profile::{self, SourceFile};
use serde_json::Value;

/// Every mapping with fixed keys in a schema: its keys, and the path of keys that leads to it.
fn mappings(schema: &Value, path: &[String], found: &mut Vec<(Vec<String>, Vec<String>)>) {
    if let Some(properties) = schema["properties"].as_object() {
        assert_eq!(schema["additionalProperties"], false, "{path:?} is open");
        found.push((path.to_vec(), properties.keys().cloned().collect()));
        for (key, inner) in properties {
            let says = inner["description"].as_str().unwrap_or_default();
            assert!(
                !says.is_empty() && !says.ends_with('.'),
                "{path:?} {key}: {says}"
            );
            let path: Vec<_> = path.iter().cloned().chain([key.clone()]).collect();
            mappings(inner, &path, found);
        }
    }
    for any in schema["anyOf"].as_array().into_iter().flatten() {
        mappings(any, path, found);
    }
    for (form, step) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[form].is_object() {
            let path: Vec<_> = path.iter().cloned().chain([step.to_owned()]).collect();
            mappings(&schema[form], &path, found);
        }
    }
}

/// A file that holds only the mapping at this path, with the given keys in it.
fn file_with(path: &[String], keys: &[String]) -> String {
    let inner: Vec<_> = keys.iter().map(|key| format!("{key}: \"\"")).collect();
    let mut text = format!("{{ {} }}", inner.join(", "));
    for step in path.iter().rev() {
        text = match step.as_str() {
            "[]" => format!("[ {text} ]"),
            "{}" => format!("{{ traffic_volume: {text} }}"),
            key => format!("{{ {key}: {text} }}"),
        };
    }
    text
}

/// The problems of a file, one a line; it always has some.
fn told_by(file: &str, text: &str) -> String {
    let source = SourceFile { path: file, text };
    let problems = match file {
        "inventory" => inventory::parse(source).err(),
        "mapping" => mapping::parse(source).err(),
        _ => profile::parse(&[source], &["traffic_volume"]).err(),
    };
    let problems = problems.expect("empty values are refused");
    let lines = problems
        .as_slice()
        .iter()
        .map(|p| format!("{}: {}", p.path, p.cause));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn schema_and_reader_know_the_same_keys() {
    for (file, schema) in [
        ("profile", profile::json_schema()),
        ("inventory", inventory::json_schema()),
        ("mapping", mapping::json_schema()),
    ] {
        let mut found = Vec::new();
        mappings(&schema, &[], &mut found);
        assert!(found.len() >= 9, "{file} has {} mappings", found.len());
        for (path, keys) in found {
            let told = told_by(file, &file_with(&path, &keys));
            assert!(!told.contains("unknown key"), "{file} {path:?}\n{told}");
            let told = told_by(file, &file_with(&path, &["zzz".to_owned()]));
            assert!(
                told.contains("unknown key `zzz`"),
                "{file} {path:?} is not checked\n{told}"
            );
        }
    }
}

/// The other direction: a key that the reader asks for is in the schema. Each is written with a
/// value that nothing accepts; if it is read, its name is among the problems.
#[test]
fn every_key_of_the_schema_is_read() {
    let unread = ["detectors", "everywhere"];
    for (file, schema) in [
        ("profile", profile::json_schema()),
        ("inventory", inventory::json_schema()),
        ("mapping", mapping::json_schema()),
    ] {
        for key in schema["properties"].as_object().unwrap().keys() {
            let told = told_by(file, &format!("{key}: \"\""));
            let read = told.contains(&format!("{key}: ")) || told.contains(&format!("{key}[0]: "));
            assert!(
                read || unread.contains(&key.as_str()),
                "{file} {key}\n{told}"
            );
        }
    }
}
