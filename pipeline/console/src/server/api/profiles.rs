//! Profiles: what devices are measured against.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::{Feed, InPath, not_found, tagged};
use crate::server::problem::Problem;

/// Every profile in force, and which types have none.
pub(super) async fn list(
    State(feed): State<Feed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    by_content(&headers, &feed.board.profiles(feed.is_silent()))
}

/// The profile of a device type, as it is in force.
pub(super) async fn one(
    State(feed): State<Feed>,
    InPath(device_type): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let device_type = device_type.to_lowercase();
    match feed.board.profile(&device_type, feed.is_silent()) {
        Some(profile) => by_content(&headers, &profile),
        None => Err(not_found("profile", &device_type)),
    }
}

/// An answer whose tag is another when it says something else.
fn by_content(headers: &HeaderMap, content: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(content).map_err(|cause| {
        let detail = format!("the answer cannot be written: {cause}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    Ok(tagged(headers, &tag, || body.into()))
}
