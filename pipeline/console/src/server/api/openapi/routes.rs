//! Every route that is described, with the types that it takes and answers.

use andon_schemas::incident::Incident;
use andon_schemas::order::{Order, OrderHistory};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::access::Role;
use crate::board::profiles::{ProfileList, ProfileView};
use crate::board::wire::{BoardView, FullStatus, PlantView, RiskDocument, Risks, SegmentRisk};
use crate::server::api::{commands, decision, devices, incidents, risk, signals, verdicts};
use crate::signals::Wanted;

/// A schema of a type, made where it is needed.
pub(super) type Schema = fn(&mut SchemaGenerator) -> schemars::Schema;

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) role: Role,
    /// What may stand after `?`.
    pub(super) query: &'static [&'static str],
    pub(super) body: Option<Schema>,
    pub(super) answer: Option<Schema>,
    /// What the answer is written in.
    pub(super) media: &'static str,
    /// What may go wrong besides what may on every route.
    pub(super) problems: &'static [u16],
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
            media: "application/json",
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

    const fn stream(method: &'static str, path: &'static str, summary: &'static str) -> Self {
        Self {
            method,
            ..Self::of_receiver(path, summary, schema_of::<Wanted>, Role::Respond)
        }
    }

    const fn of_receiver(
        path: &'static str,
        summary: &'static str,
        body: Schema,
        role: Role,
    ) -> Self {
        Self {
            method: "post",
            role,
            body: Some(body),
            problems: &[400, 403, 404, 409, 413, 415],
            ..Self::get(path, summary, schema_of::<Value>)
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
pub(super) const ROUTES: &[Route] = &[
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
        "/v1/profiles",
        "The profiles in force, how many devices each is about, and their lamps; with an ETag.",
        schema_of::<ProfileList>,
    ),
    Route::get(
        "/v1/profiles/{device_type}",
        "What devices of a type are measured against, as it is in force; with an ETag.",
        schema_of::<ProfileView>,
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
        media: "text/event-stream",
        problems: &[400, 503],
        ..Route::get(
            "/v1/events",
            "Changes as server-sent events: risk, verdict, command, suppression, incident, status, reset.",
            schema_of::<FullStatus>,
        )
        .by(&["after"])
    },
    Route {
        method: "post",
        body: Some(schema_of::<Map<String, Value>>),
        problems: &[400, 404, 413, 415, 503],
        ..Route::get(
            decision::OURS,
            "Decides about a request by the policies of this process: allow, constrain or deny.",
            schema_of::<Map<String, Value>>,
        )
    },
    Route {
        method: "post",
        body: Some(schema_of::<decision::Input>),
        problems: &[400, 404, 413, 415, 503],
        ..Route::get(
            decision::AS_OPA,
            "The same for clients of Open Policy Agent.",
            schema_of::<decision::Output>,
        )
    },
    Route {
        answer: None,
        media: "application/gzip",
        problems: &[404, 503],
        ..Route::get(
            "/v1/opa/bundle.tar.gz",
            "The plant and the risks as a bundle of Open Policy Agent; with an ETag and long polling.",
            schema_of::<Value>,
        )
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
    // --- shared signals
    Route::get(
        signals::METADATA,
        "What a receiver of shared signals reads first (OpenID SSF 1.0).",
        schema_of::<Map<String, Value>>,
    )
    .may_lack(),
    Route::get(
        signals::KEYS,
        "The keys by which security event tokens are checked.",
        schema_of::<Map<String, Value>>,
    )
    .may_lack(),
    Route::get(
        "/ssf/streams",
        "The stream of whoever asks; without an id, a list of it.",
        schema_of::<Value>,
    )
    .by(&["stream_id"]),
    Route::stream("post", "/ssf/streams", "Makes a stream."),
    Route::stream("patch", "/ssf/streams", "Changes a stream."),
    Route::stream("put", "/ssf/streams", "Says all of a stream anew."),
    Route {
        method: "delete",
        role: Role::Respond,
        ..Route::get("/ssf/streams", "Ends a stream.", schema_of::<Value>).by(&["stream_id"])
    },
    Route::get(
        "/ssf/status",
        "Whether a stream is paused.",
        schema_of::<signals::StreamStatus>,
    )
    .by(&["stream_id"]),
    Route::of_receiver(
        "/ssf/status",
        "Pauses a stream, lets it go on, or ends what it tells.",
        schema_of::<signals::StreamStatus>,
        Role::Respond,
    ),
    Route::of_receiver(
        "/ssf/subjects/add",
        "A device is told of again.",
        schema_of::<signals::SubjectChange>,
        Role::Respond,
    ),
    Route::of_receiver(
        "/ssf/subjects/remove",
        "A device is not told of any more.",
        schema_of::<signals::SubjectChange>,
        Role::Respond,
    ),
    Route::of_receiver(
        signals::VERIFY,
        "Asks for a verification event.",
        schema_of::<signals::VerificationRequest>,
        Role::Read,
    ),
    Route::of_receiver(
        "/ssf/poll/{stream}",
        "Fetches and acknowledges security event tokens (RFC 8936).",
        schema_of::<signals::Poll>,
        Role::Read,
    ),
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
