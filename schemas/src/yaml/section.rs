//! Which keys a mapping may have, what they mean and what may stand there: one table for the
//! reader (unknown keys, missing keys) and for the JSON Schema that editors complete from.

use serde_json::{Map, Value, json};

/// The keys of one kind of mapping.
#[derive(Debug)]
pub(crate) struct Section {
    /// In the order in which they are usually written.
    pub(crate) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// As written.
    pub(crate) name: &'static str,
    /// What it is: completes the sentence "It is …", without a full stop.
    pub(crate) says: &'static str,
    /// What may stand there.
    pub(crate) shape: Shape,
    /// Whether it must stand there.
    pub(crate) required: bool,
}

impl Key {
    /// A key that may be left out.
    pub(crate) const fn new(name: &'static str, shape: Shape, says: &'static str) -> Self {
        Self {
            name,
            says,
            shape,
            required: false,
        }
    }

    /// A key that must be written.
    pub(crate) const fn must(name: &'static str, shape: Shape, says: &'static str) -> Self {
        Self {
            name,
            says,
            shape,
            required: true,
        }
    }
}

/// What may stand under a key.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Text or a number, with examples.
    Text(&'static [&'static str]),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A mapping with known keys.
    Fields(&'static Section),
    /// A list of these.
    List(&'static Shape),
    /// A mapping from free names to these.
    Named(&'static Shape),
    /// Any one of these.
    Any(&'static [Shape]),
}

/// The JSON Schema (2020-12) of a file whose top is this section.
pub(crate) fn schema(id: &str, title: &str, section: &Section) -> Value {
    let mut schema = fields(section);
    let mut whole = Map::new();
    whole.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    whole.insert("$id".to_owned(), json!(id));
    whole.insert("title".to_owned(), json!(title));
    whole.append(&mut schema);
    Value::Object(whole)
}

fn fields(section: &Section) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in section.keys {
        let mut shape = shape(&key.shape);
        shape.insert("description".to_owned(), json!(key.says));
        properties.insert(key.name.to_owned(), Value::Object(shape));
    }
    let required: Vec<_> = section
        .keys
        .iter()
        .filter(|k| k.required)
        .map(|k| k.name)
        .collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

fn shape(shape: &Shape) -> Map<String, Value> {
    let value = match shape {
        Shape::Text([]) => json!({ "type": ["string", "number"] }),
        Shape::Text(examples) => json!({ "type": ["string", "number"], "examples": examples }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Fields(section) => return fields(section),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item) }),
        Shape::Named(item) => {
            json!({ "type": "object", "additionalProperties": self::shape(item) })
        }
        Shape::Any(shapes) => {
            json!({ "anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>() })
        }
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
