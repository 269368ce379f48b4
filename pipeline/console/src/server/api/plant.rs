//! The plant, its board, and how the pipeline is doing.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Asked, Feed, answer, not_found};
use crate::server::problem::Problem;

/// The plant: what changes only with the inventory.
pub(super) async fn plant(State(feed): State<Feed>) -> Response {
    answer(feed.board.plant())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneSegment {
    segment: Option<String>,
}

/// Every lamp, or those of one segment.
pub(super) async fn board(
    State(feed): State<Feed>,
    Asked(asked): Asked<OneSegment>,
) -> Result<Response, Problem> {
    let segment = asked.segment.as_deref();
    match feed.board.view(segment, feed.is_silent()) {
        Some(view) => Ok(answer(view)),
        None => Err(not_found("segment", segment.unwrap_or_default())),
    }
}

/// How the pipeline is doing.
pub(super) async fn status(State(feed): State<Feed>) -> Response {
    answer(feed.board.full_status(&feed.health))
}
