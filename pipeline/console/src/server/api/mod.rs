//! What is answered under `/v1`.

mod bundle;
mod commands;
pub(super) mod decision;
mod devices;
mod events;
mod incidents;
mod openapi;
mod plant;
mod profiles;
mod risk;
pub(super) mod signals;
#[cfg(test)]
mod tests;
mod verdicts;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

use super::offers::Offered;
use super::problem::Problem;
use super::routes::wrong_method;
use crate::board::Board;
use crate::health::Health;

pub(super) use self::events::{STREAMS_MAX, Streams, tick};

/// Most items of one page.
const LIMIT_MAX: usize = 500;
/// Items of a page for which nothing was asked.
const LIMIT: usize = 100;

/// What the answers are made from.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) board: Board,
    pub(super) health: Health,
    pub(super) streams: Streams,
    pub(super) offered: Offered,
}

impl Feed {
    /// Whether nothing that was said before can be taken for health now.
    fn is_silent(&self) -> bool {
        self.board.is_silent() || !self.health.liveness().live
    }
}

/// The routes under `/v1`.
pub(super) fn router(feed: Feed) -> Router {
    Router::new()
        .route("/v1/plant", get(plant::plant))
        .route("/v1/board", get(plant::board))
        .route("/v1/status", get(plant::status))
        .route("/v1/devices", get(devices::list))
        .route("/v1/devices/{id}", get(devices::one))
        .route("/v1/devices/{id}/signals", get(devices::signals))
        .route("/v1/profiles", get(profiles::list))
        .route("/v1/profiles/{device_type}", get(profiles::one))
        .route("/v1/verdicts", get(verdicts::list))
        .route("/v1/verdicts/{id}", get(verdicts::one))
        .route("/v1/risk", post(risk::many))
        .route("/v1/risk/{device}", get(risk::one))
        .route("/v1/segments/{id}/risk", get(risk::segment))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/asyncapi.json", get(openapi::topics))
        .route("/v1/events", get(events::events))
        .route("/v1/incidents", get(incidents::list))
        .route("/v1/incidents/{id}", get(incidents::one))
        .route("/v1/incidents/{id}/judge", post(incidents::judge))
        .route("/v1/commands", get(commands::list))
        .route("/v1/commands/{id}", get(commands::one))
        .route("/v1/commands/{id}/{decision}", post(commands::decide))
        .route("/v1/devices/{id}/{decision}", post(commands::decide_device))
        .route("/v1/opa/bundle.tar.gz", get(bundle::newest))
        .route(decision::OURS, post(decision::decide))
        .route(decision::AS_OPA, post(decision::decide_as_opa))
        .merge(signals::router())
        .method_not_allowed_fallback(wrong_method)
        .with_state(feed)
}

/// An answer that no proxy keeps.
fn answer(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The same of JSON that is written already.
fn written(body: impl Into<Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body.into()).into_response()
}

/// An object with one more member, which is written already; `None` for null.
fn with_part(
    object: &impl Serialize,
    name: &str,
    part: Option<&[u8]>,
) -> Result<Response, Problem> {
    let broken = |cause: &dyn std::fmt::Display| {
        let detail = format!("the answer cannot be written: {cause}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    };
    let mut all = serde_json::to_vec(object).map_err(|cause| broken(&cause))?;
    if all.pop() != Some(b'}') {
        return Err(broken(&"it is no object"));
    }
    if all.len() > 1 {
        all.push(b',');
    }
    all.extend_from_slice(format!("\"{name}\":").as_bytes());
    all.extend_from_slice(part.unwrap_or(b"null"));
    all.push(b'}');
    Ok(written(all))
}

/// An answer with a tag, or that it is what the client has.
fn tagged(headers: &HeaderMap, tag: &str, body: impl FnOnce() -> Bytes) -> Response {
    let mut answer = if has(headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        written(body())
    };
    let kept = answer.headers_mut();
    kept.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        kept.insert(header::ETAG, tag);
    }
    answer
}

/// Whether the client says that it has what this tag names.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

/// A number of items that may be asked for.
fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(other) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            format!("limit={other} is not between 1 and {LIMIT_MAX}"),
        )),
    }
}

/// Does where waiting is allowed what takes a while.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|error| {
        tracing::error!("the work for an answer ended abnormally: {error}");
        let detail = "the work for the answer ended abnormally".to_owned();
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}

fn not_found(what: &str, id: &str) -> Problem {
    let id: String = id.chars().take(128).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("there is no {what} `{id}`"))
}

/// What stands in the address in place of a name.
#[derive(Debug)]
struct InPath<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(named)| Self(named))
            .map_err(|refused: PathRejection| {
                Problem::new(StatusCode::BAD_REQUEST, refused.body_text())
            })
    }
}

/// The part of an address after `?`. What is not known in it is refused, as it would be without
/// effect.
#[derive(Debug)]
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(asked)| Self(asked))
            .map_err(|refused: QueryRejection| {
                Problem::new(StatusCode::BAD_REQUEST, refused.body_text())
            })
    }
}
