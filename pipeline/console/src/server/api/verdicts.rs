//! Verdicts.

use std::sync::Arc;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::order::OrderHistory;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Feed, InPath, answer, commands, limit, not_found, with_part};
use crate::board::signals::Signal;
use crate::board::wire::{RevisionRow, VerdictRow};
use crate::board::{Cursor, Wanted};
use crate::server::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asking {
    state: Option<Which>,
    grade: Option<Grade>,
    device: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Open,
    All,
}

/// A page of verdicts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VerdictPage")]
pub(super) struct Page {
    verdicts: Vec<Arc<VerdictRow>>,
    next: Option<String>,
}

/// A page of verdicts: open ones worst first, then, if asked for, those that are over.
pub(super) async fn list(
    State(feed): State<Feed>,
    Asked(asked): Asked<Asking>,
) -> Result<Response, Problem> {
    let bad = |detail| Problem::new(StatusCode::BAD_REQUEST, detail);
    let device = asked.device.map(|id| DeviceId::new(&id)).transpose();
    let after = asked.after.map(|text| {
        Cursor::read(&text).ok_or_else(|| bad("after is none of what `next` gave".to_owned()))
    });
    let wanted = Wanted {
        all: matches!(asked.state, Some(Which::All)),
        grade: asked.grade,
        device: device.map_err(bad)?,
        after: after.transpose()?,
        limit: limit(asked.limit)?,
    };
    let (verdicts, next) = feed.board.verdicts(&wanted);
    let next = next.map(|cursor| cursor.text());
    Ok(answer(Page { verdicts, next }))
}

/// A verdict with what is kept of its revisions.
#[derive(Serialize, JsonSchema)]
pub(super) struct About {
    revisions: Vec<RevisionRow>,
    /// What they measured, where it can be drawn.
    signals: Vec<Signal>,
    commands: Vec<OrderHistory>,
}

/// The newest revision of a verdict, whole.
pub(super) async fn one(
    State(feed): State<Feed>,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    let Some(entry) = feed.board.verdict_of(&id) else {
        return Err(not_found("verdict", &id));
    };
    let mut commands = commands::of(&feed, &entry.row.device_id);
    commands.retain(|kept| kept.order.command.verdict_id == id);
    let about = About {
        revisions: entry.revisions,
        signals: entry.signals,
        commands,
    };
    with_part(&about, "verdict", Some(&entry.whole))
}
