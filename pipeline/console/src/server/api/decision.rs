//! Decisions about requests, in a form of our own and in the one of Open Policy Agent.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Feed, answer, blocking};
use crate::access::Identity;
use crate::decision::Decided;
use crate::server::body::Sent;
use crate::server::problem::Problem;

/// Where Open Policy Agent answers with the same policies.
pub(in crate::server) const AS_OPA: &str = "/v1/data/andon/authz/decision";
/// Where we do.
pub(in crate::server) const OURS: &str = "/v1/decision";

/// A question as Open Policy Agent takes it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Input {
    #[serde(default)]
    input: Map<String, Value>,
}

/// An answer as Open Policy Agent gives it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    decision_id: String,
    result: Value,
}

/// Decides about a request.
pub(super) async fn decide(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(question): Sent<Value>,
) -> Result<Response, Problem> {
    Ok(answer(decided(&feed, who, question).await?.answer))
}

/// The same for clients of Open Policy Agent.
pub(super) async fn decide_as_opa(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(asked): Sent<Input>,
) -> Result<Response, Problem> {
    let decided = decided(&feed, who, asked.input.into()).await?;
    Ok(answer(Output {
        decision_id: decided.id,
        result: decided.answer,
    }))
}

async fn decided(feed: &Feed, who: Identity, question: Value) -> Result<Decided, Problem> {
    let Some(point) = feed.offered.decisions.clone() else {
        let detail = "nothing is decided here: the configuration has no section `[pdp]`";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail.to_owned()));
    };
    let unavailable = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let turn = Arc::clone(&feed.offered.turns).acquire_owned().await;
    let turn = turn.map_err(|_| unavailable("the server stops".to_owned()))?;
    let decided = blocking(move || {
        let decided = point.decide(&who.name, question);
        drop(turn);
        decided
    });
    decided.await?.map_err(unavailable)
}
