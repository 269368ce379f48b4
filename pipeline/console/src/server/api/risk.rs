//! Risk: what policy decision points ask for.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Feed, InPath, answer, not_found, tagged};
use crate::board::Board;
use crate::board::wire::Risks;
use crate::server::body::Sent;
use crate::server::problem::Problem;

/// Most devices of one question.
const DEVICES_MAX: usize = 1_000;

/// The risk document of a device.
pub(super) async fn one(
    State(feed): State<Feed>,
    InPath(device): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let floor = feed.board.floor();
    let found = floor
        .station(&device)
        .or_else(|| floor.station(&device.to_lowercase()));
    let Some(station) = found else {
        return Err(not_found("device", &device));
    };
    let silent = feed.is_silent();
    let face = Board::face_of(station, silent);
    let boot = feed.board.ring().boot();
    // What is shown in silence is another document than what was shown before.
    let mark = if silent { "s" } else { "" };
    let tag = format!("\"{boot}-{:x}{mark}\"", face.version);
    Ok(tagged(&headers, &tag, || {
        Bytes::from(serde_json::to_vec(&floor.document(station, &face)).unwrap_or_default())
    }))
}

/// Devices that are asked for at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Many {
    devices: Vec<String>,
}

/// The risk of several devices at once.
pub(super) async fn many(
    State(feed): State<Feed>,
    Sent(asked): Sent<Many>,
) -> Result<Response, Problem> {
    if asked.devices.len() > DEVICES_MAX {
        let count = asked.devices.len();
        let detail = format!("{count} devices are more than {DEVICES_MAX} in one question");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let floor = feed.board.floor();
    let silent = feed.is_silent();
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    for id in asked.devices {
        match floor.station(&id.to_lowercase()) {
            Some(station) => found.push((station, Board::face_of(station, silent))),
            None => unknown.push(id),
        }
    }
    let risks = found
        .iter()
        .map(|(station, face)| floor.document(station, face))
        .collect();
    Ok(answer(Risks { risks, unknown }))
}

/// The risk of a segment.
pub(super) async fn segment(
    State(feed): State<Feed>,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    match feed.board.segment_risk(&id, feed.is_silent()) {
        Some(risk) => Ok(answer(risk)),
        None => Err(not_found("segment", &id)),
    }
}
