//! What is answered on which path.

use std::time::{SystemTime, UNIX_EPOCH};

use andon_schemas::time::{EventTime, Span};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::problem::Problem;
use crate::health::{Health, Unmet};
use crate::metrics::Metrics;

/// What `/metrics` is written in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the answers are made from.
#[derive(Clone, Debug)]
struct Seen {
    health: Health,
    metrics: Metrics,
}

/// The one router of the console.
pub(super) fn router(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(scrape))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Seen { health, metrics })
}

/// The body of `/health/live`.
#[derive(Serialize)]
struct Progress {
    live: bool,
    last_progress_seconds: f64,
    limit_seconds: f64,
}

async fn live(State(seen): State<Seen>) -> Response {
    let liveness = seen.health.liveness();
    let body = Progress {
        live: liveness.live,
        last_progress_seconds: liveness.last_beat.as_secs_f64(),
        limit_seconds: liveness.limit.as_secs_f64(),
    };
    uncached(status(liveness.live), Json(body))
}

/// The body of `/health/ready`.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    unmet: Vec<Missing>,
}

/// A condition that does not hold, as it is written.
#[derive(Serialize)]
struct Missing {
    condition: &'static str,
    reason: String,
    /// By the wall clock, for people; counted back from now.
    since: EventTime,
    seconds: f64,
}

async fn ready(State(seen): State<Seen>) -> Response {
    let now = wall_clock();
    let missing = |unmet: Unmet| Missing {
        condition: unmet.condition,
        reason: unmet.reason,
        since: now - micros(unmet.lasting.as_micros()),
        seconds: unmet.lasting.as_secs_f64(),
    };
    let unmet: Vec<Missing> = seen.health.unmet().into_iter().map(missing).collect();
    let body = Readiness {
        ready: unmet.is_empty(),
        unmet,
    };
    uncached(status(body.ready), Json(body))
}

async fn scrape(State(seen): State<Seen>) -> Response {
    match seen.metrics.render(&seen.health) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            let detail = format!("metrics cannot be written: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
    }
}

async fn unknown_path(uri: Uri) -> Problem {
    let detail = format!("nothing is found at `{}`", uri.path());
    Problem::new(StatusCode::NOT_FOUND, detail)
}

pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{method}` is not possible at `{}`", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

fn status(holds: bool) -> StatusCode {
    if holds {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// A health that some proxy has kept is none.
fn uncached(status: StatusCode, body: impl IntoResponse) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

pub(super) fn wall_clock() -> EventTime {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    EventTime::default() + micros(since_epoch.as_micros())
}

fn micros(micros: u128) -> Span {
    Span::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
