//! Incidents: what belongs together, and what people found it to be.

use andon_schemas::act::ActKind;
use andon_schemas::incident::{Incident, Judgement};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Feed, InPath, answer, commands, limit, not_found};
use crate::access::Identity;
use crate::board::{IncidentBook, IncidentsAsked};
use crate::server::body::Sent;
use crate::server::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<Which>,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Which {
    Open,
    All,
}

/// A page of incidents.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IncidentPage")]
pub(super) struct Page {
    incidents: Vec<Incident>,
    next: Option<String>,
}

/// A page of incidents, the one in which something happened last first.
pub(super) async fn list(
    State(feed): State<Feed>,
    Asked(asked): Asked<Wanted>,
) -> Result<Response, Problem> {
    let limit = limit(asked.limit)?;
    let after = asked.after.map(|text| {
        IncidentBook::read_cursor(&text).ok_or_else(|| {
            let detail = "`after` is no page that was given".to_owned();
            Problem::new(StatusCode::BAD_REQUEST, detail)
        })
    });
    let asked = IncidentsAsked {
        all: asked.state == Some(Which::All),
        after: after.transpose()?,
        // One more tells whether there is another page.
        limit: limit + 1,
    };
    let mut found = feed.board.incidents().list(&asked);
    let is_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| is_more);
    let next = last.map(|incident| IncidentBook::cursor(incident));
    let incidents = found.iter().map(|found| Incident::clone(found)).collect();
    Ok(answer(Page { incidents, next }))
}

/// One incident.
pub(super) async fn one(
    State(feed): State<Feed>,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    let found = feed.board.incidents().one(&id);
    let found = found.ok_or_else(|| not_found("incident", &id))?;
    Ok(answer(Incident::clone(&found)))
}

/// What a person found.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    judgement: Judgement,
    reason: String,
}

/// A person says what an incident was.
pub(super) async fn judge(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    InPath(incident_id): InPath<String>,
    headers: HeaderMap,
    Sent(found): Sent<Found>,
) -> Result<Response, Problem> {
    let judgement = found.judgement;
    let kind = ActKind::Judge {
        incident_id,
        judgement,
    };
    commands::act(feed, &who, &headers, &found.reason, kind).await
}
