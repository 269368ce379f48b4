//! Avro schemas, compiled to what a datum is read by: names resolved, nothing that refers to
//! itself, bounded in depth and size.
//!
//! The schema comes from a registry, the datum from whoever may write to the topic: a schema that
//! nests without end would let one datum exhaust the stack.

use std::collections::HashMap;
use std::panic::catch_unwind;

use apache_avro::Schema;
use apache_avro::schema::{DecimalSchema, Name, Namespace, ResolvedSchema};
use serde_json::Value;

/// Deepest nesting of a schema.
const DEPTH_MAX: usize = 24;

/// Most types in a schema, each counted where it is used.
const TYPES_MAX: usize = 4_096;

/// What a datum, or a part of it, is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Null,
    Boolean,
    /// `int` and `long`.
    Whole,
    Float,
    Double,
    Text,
    Bytes,
    Fixed(usize),
    /// A moment, counted from 1970.
    Moment(Unit),
    Enum(Vec<String>),
    List(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    Record(Vec<(String, Shape)>),
}

/// What a moment is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Shape {
    /// Compiles a schema from its JSON text.
    ///
    /// # Errors
    /// Says why no datum can be read by it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let schema = parsed(text)?;
        let resolved = ResolvedSchema::try_from(&schema)
            .map_err(|e| format!("is no complete Avro schema: {e}"))?;
        let mut compiler = Compiler {
            names: resolved.get_names(),
            types: 0,
        };
        let shape = compiler.shape(&schema, &None, 0)?;
        match shape {
            Self::Record(_) => Ok(shape),
            _ => Err("is not the schema of a record".to_owned()),
        }
    }
}

/// Runs the parser of the Avro library, which panics at some names that are none.
fn parsed(text: &str) -> Result<Schema, String> {
    let mut json: Value =
        serde_json::from_str(text).map_err(|e| format!("is no Avro schema: {e}"))?;
    without_uuids(&mut json);
    match catch_unwind(|| Schema::parse(&json)) {
        Ok(schema) => schema.map_err(|e| format!("is no Avro schema: {e}")),
        Err(_) => Err("is no Avro schema: a name in it is none".to_owned()),
    }
}

/// Takes the mark of a UUID off texts and fixed bytes: with it, the library no longer tells which
/// of the two it is.
fn without_uuids(json: &mut Value) {
    match json {
        Value::Object(members) => {
            if members
                .get("logicalType")
                .is_some_and(|mark| mark == "uuid")
            {
                members.shift_remove("logicalType");
            }
            members.values_mut().for_each(without_uuids);
        }
        Value::Array(items) => items.iter_mut().for_each(without_uuids),
        _ => {}
    }
}

struct Compiler<'s> {
    names: &'s HashMap<Name, &'s Schema>,
    types: usize,
}

impl Compiler<'_> {
    fn shape(&mut self, schema: &Schema, space: &Namespace, depth: usize) -> Result<Shape, String> {
        self.types += 1;
        if depth > DEPTH_MAX {
            return Err(format!(
                "refers to itself, or nests deeper than {DEPTH_MAX}"
            ));
        }
        if self.types > TYPES_MAX {
            return Err(format!("has more than {TYPES_MAX} types"));
        }
        let boxed =
            |compiler: &mut Self, schema| compiler.shape(schema, space, depth + 1).map(Box::new);
        Ok(match schema {
            Schema::Null => Shape::Null,
            Schema::Boolean => Shape::Boolean,
            // A time of day or without a zone is no moment, and stays a number.
            Schema::Int
            | Schema::Long
            | Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Shape::Whole,
            Schema::TimestampMillis => Shape::Moment(Unit::Millis),
            Schema::TimestampMicros => Shape::Moment(Unit::Micros),
            Schema::TimestampNanos => Shape::Moment(Unit::Nanos),
            Schema::Float => Shape::Float,
            Schema::Double => Shape::Double,
            Schema::String | Schema::Uuid => Shape::Text,
            Schema::Bytes | Schema::BigDecimal => Shape::Bytes,
            Schema::Duration => Shape::Fixed(12),
            Schema::Fixed(fixed) => Shape::Fixed(fixed.size),
            Schema::Decimal(DecimalSchema { inner, .. }) => self.shape(inner, space, depth + 1)?,
            Schema::Enum(symbols) => Shape::Enum(symbols.symbols.clone()),
            Schema::Array(list) => Shape::List(boxed(self, &list.items)?),
            Schema::Map(map) => Shape::Map(boxed(self, &map.types)?),
            Schema::Union(union) => {
                let branch = |schema| self.shape(schema, space, depth + 1);
                Shape::Union(
                    union
                        .variants()
                        .iter()
                        .map(branch)
                        .collect::<Result<_, _>>()?,
                )
            }
            Schema::Record(record) => {
                let space = record.name.fully_qualified_name(space).namespace;
                let mut fields = Vec::with_capacity(record.fields.len());
                for field in &record.fields {
                    let shape = self.shape(&field.schema, &space, depth + 1)?;
                    fields.push((field.name.clone(), shape));
                }
                Shape::Record(fields)
            }
            Schema::Ref { name } => {
                let name = name.fully_qualified_name(space);
                let named = *self
                    .names
                    .get(&name)
                    .ok_or_else(|| format!("names the type `{name}`, which it does not hold"))?;
                self.shape(named, &name.namespace, depth + 1)?
            }
        })
    }
}
