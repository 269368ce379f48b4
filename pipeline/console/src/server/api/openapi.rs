//! The description of the routes in the words of `OpenAPI` 3.1, made of the types that they answer.

use std::sync::OnceLock;

use andon_schemas::incident::Incident;
use andon_schemas::order::{Order, OrderHistory};
use andon_schemas::verdict::Verdict;
use axum::response::Response;
use bytes::Bytes;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{commands, devices, incidents, risk, verdicts, written};
use crate::access::Role;
use crate::board::wire::{BoardView, FullStatus, PlantView, RiskDocument, Risks, SegmentRisk};
use crate::server::problem::Problem;

/// A schema of a type, made where it is needed.
type Schema = fn(&mut SchemaGenerator) -> schemars::Schema;

/// One route.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    role: Role,
    /// What may stand after `?`.
    query: &'static [&'static str],
    body: Option<Schema>,
    answer: Option<Schema>,
    /// What may go wrong besides what may on every route.
    problems: &'static [u16],
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}

impl Route {
    const fn get(path: &'static str, summary: &'static str, answer: Schema) -> Self {
        Self {
            method: "get",
            path,
            summary,
            role: Role::Read,
            query: &[],
            body: None,
            answer: Some(answer),
            problems: &[],
        }
    }

    const fn decide(path: &'static str, summary: &'static str) -> Self {
        Self {
            method: "post",
            role: Role::Respond,
            body: Some(schema_of::<commands::Said>),
            problems: &[403, 404, 409, 413, 415, 422, 503],
            ..Self::get(path, summary, schema_of::<Order>)
        }
    }

    const fn by(self, query: &'static [&'static str]) -> Self {
        Self {
            query,
            problems: &[400],
            ..self
        }
    }

    const fn may_lack(self) -> Self {
        Self {
            problems: &[404],
            ..self
        }
    }
}

/// Every route under `/v1`.
const ROUTES: &[Route] = &[
    Route::get(
        "/v1/plant",
        "The plant: its lines, segments and device types.",
        schema_of::<PlantView>,
    ),
    Route::get(
        "/v1/board",
        "Every lamp, or those of one segment.",
        schema_of::<BoardView>,
    )
    .by(&["segment"]),
    Route::get(
        "/v1/status",
        "How the pipeline is doing.",
        schema_of::<FullStatus>,
    ),
    Route::get(
        "/v1/devices",
        "Devices in order of id.",
        schema_of::<devices::Page>,
    )
    .by(&["segment", "type", "lamp", "q", "after", "limit"]),
    Route::get(
        "/v1/devices/{id}",
        "All about one device.",
        schema_of::<devices::Device>,
    )
    .may_lack(),
    Route::get(
        "/v1/devices/{id}/signals",
        "What the open verdict of a device measured, against what was expected.",
        schema_of::<devices::Measured>,
    )
    .may_lack(),
    Route::get(
        "/v1/verdicts",
        "Verdicts: open ones worst first, then those that are over.",
        schema_of::<verdicts::Page>,
    )
    .by(&["state", "grade", "device", "after", "limit"]),
    Route::get(
        "/v1/verdicts/{id}",
        "The newest revision of a verdict, whole.",
        schema_of::<verdicts::About>,
    )
    .may_lack(),
    Route::get(
        "/v1/risk/{device}",
        "The risk document of a device, with an ETag.",
        schema_of::<RiskDocument<'static>>,
    )
    .may_lack(),
    Route {
        method: "post",
        body: Some(schema_of::<risk::Many>),
        problems: &[400, 413, 415],
        ..Route::get(
            "/v1/risk",
            "The risk of up to 1,000 devices at once.",
            schema_of::<Risks<'static>>,
        )
    },
    Route::get(
        "/v1/segments/{id}/risk",
        "The risk of a segment: that of its worst device.",
        schema_of::<SegmentRisk>,
    )
    .may_lack(),
    Route {
        answer: None,
        problems: &[400, 503],
        ..Route::get(
            "/v1/events",
            "Changes as server-sent events: risk, verdict, command, incident, status, reset.",
            schema_of::<FullStatus>,
        )
        .by(&["after"])
    },
    Route::get(
        "/v1/incidents",
        "Incidents, the one in which something happened last first.",
        schema_of::<incidents::Page>,
    )
    .by(&["state", "after", "limit"]),
    Route::get("/v1/incidents/{id}", "One incident.", schema_of::<Incident>).may_lack(),
    Route {
        body: Some(schema_of::<incidents::Found>),
        answer: Some(schema_of::<Incident>),
        ..Route::decide("/v1/incidents/{id}/judge", "Says what an incident was.")
    },
    Route::get(
        "/v1/commands",
        "Commands, newest first.",
        schema_of::<commands::Page>,
    )
    .by(&["state", "device", "after", "limit"]),
    Route::get(
        "/v1/commands/{id}",
        "One command with its life.",
        schema_of::<OrderHistory>,
    )
    .may_lack(),
    Route::decide("/v1/commands/{id}/approve", "Agrees to a command."),
    Route::decide("/v1/commands/{id}/reject", "Decides against a command."),
    Route::decide("/v1/commands/{id}/release", "Lifts a command."),
    Route::decide(
        "/v1/devices/{id}/quarantine",
        "Quarantines a device; its safety flows stay open.",
    ),
    Route::decide(
        "/v1/devices/{id}/release",
        "Lifts everything that is in force about a device.",
    ),
    Route {
        answer: Some(schema_of::<commands::Suppressed>),
        ..Route::decide(
            "/v1/devices/{id}/suppress",
            "Holds back commands about a device.",
        )
    },
];

/// The description, made once.
pub(super) async fn document() -> Response {
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| describe().to_string().into());
    written(document.clone())
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
    let content = match route.answer {
        Some(answer) => json!({ "application/json": { "schema": answer(generator) } }),
        None => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
    };
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
