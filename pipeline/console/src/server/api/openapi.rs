//! The description of the routes in the words of `OpenAPI` 3.1, made of the types that they answer.

mod routes;

use std::sync::OnceLock;

use andon_schemas::asyncapi;
use andon_schemas::verdict::Verdict;
use axum::response::Response;
use bytes::Bytes;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use self::routes::{ROUTES, Route};
use super::written;
use crate::access::Role;
use crate::server::problem::Problem;

/// The description, made once.
pub(super) async fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| describe().to_string().into());
    written(document.clone())
}

/// What goes over topics instead, in the words of `AsyncAPI`.
pub(super) async fn topics() -> Response {
    static TOPICS: OnceLock<Bytes> = OnceLock::new();
    let topics = TOPICS.get_or_init(|| {
        let document = asyncapi::document(asyncapi::Schemas::Within);
        document.to_string().into()
    });
    written(topics.clone())
}

fn describe() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation;
    }
    // Written out as it is kept, so it is no member of the types that hold it.
    let verdict = generator.subschema_for::<Verdict>().to_value();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut schemas = Value::Object(generator.take_definitions(true));
    schemas["About"]["properties"]["verdict"] = verdict.clone();
    schemas["Device"]["properties"]["open"] = json!({ "anyOf": [verdict, { "type": "null" }] });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Andon",
            "description": "Risk, verdicts and commands of a plant, as they are now.",
            "version": "1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "bearer": [] }, {}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
            "responses": { "Problem": {
                "description": "What went wrong, after RFC 9457.",
                "content": { "application/problem+json": { "schema": problem } },
            } },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let place = |name: &str, within: &str| {
        json!({
            "name": name, "in": within, "required": within == "path",
            "schema": { "type": if name == "limit" { "integer" } else { "string" } },
        })
    };
    let in_path = route.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(place(name, "path"))
    });
    let in_query = route.query.iter().map(|name| place(name, "query"));
    let mut parameters: Vec<Value> = in_path.chain(in_query).collect();
    if route.role > Role::Read {
        parameters.push(place("Idempotency-Key", "header"));
    }
    let schema = match route.answer {
        Some(answer) => answer(generator).to_value(),
        None => json!({ "type": "string" }),
    };
    let content = json!({ route.media: { "schema": schema } });
    let mut responses = json!({ "200": { "description": route.summary, "content": content } });
    for status in [401, 421, 429].iter().chain(route.problems) {
        responses[status.to_string()] = json!({ "$ref": "#/components/responses/Problem" });
    }
    let mut operation = json!({
        "summary": route.summary,
        "description": format!("Needs the role `{}`.", route.role.as_str()),
        "parameters": parameters,
        "responses": responses,
    });
    if route.role > Role::Read {
        operation["security"] = json!([{ "bearer": [] }]);
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": body(generator) } },
        });
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference in a document.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match member.as_str().filter(|_| name == "$ref") {
                        Some(reference) => found.push(reference),
                        None => references(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = describe();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > ROUTES.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn no_two_types_go_by_one_name() {
        let document = describe();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let numbered: Vec<_> = schemas.keys().filter(|name| name.ends_with('2')).collect();
        assert!(numbered.is_empty(), "{numbered:?}");
        assert!(schemas["Device"]["properties"]["open"].is_object());
        assert!(schemas["About"]["properties"]["verdict"].is_object());
    }
}
