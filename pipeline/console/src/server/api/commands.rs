//! Commands: where they stand, and what people decide about them.

use andon_schemas::act::{Act, ActKind, ActRefused, Acted, NAME_BYTES_MAX, Refusal};
use andon_schemas::identity::DeviceId;
use andon_schemas::order::{Order, OrderHistory, OrderScope};
use andon_schemas::time::EventTime;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{Asked, Feed, InPath, answer, limit, not_found};
use crate::access::Identity;
use crate::board::{OrderCursor, Sought};
use crate::server::body::Sent;
use crate::server::problem::Problem;

/// A device may be suppressed for so long if nothing is said, hours.
const SUPPRESSED_HOURS: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<OrderScope>,
    device: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// A page of commands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CommandPage")]
pub(super) struct Page {
    commands: Vec<Order>,
    next: Option<String>,
}

/// A page of commands, newest first.
pub(super) async fn list(
    State(feed): State<Feed>,
    Asked(asked): Asked<Wanted>,
) -> Result<Response, Problem> {
    let bad = |detail| Problem::new(StatusCode::BAD_REQUEST, detail);
    let limit = limit(asked.limit)?;
    let device = asked.device.map(|id| DeviceId::new(&id)).transpose();
    let after = asked.after.map(|text| {
        OrderCursor::read(&text).ok_or_else(|| bad("`after` is no page that was given".to_owned()))
    });
    let sought = Sought {
        scope: asked.state.unwrap_or_default(),
        device: device.map_err(bad)?,
        // One more tells whether there is another page.
        limit: limit + 1,
        after: after.transpose()?,
    };
    let mut found = feed.board.orders().list(&sought);
    let is_more = found.len() > limit;
    found.truncate(limit);
    let commands: Vec<Order> = found.iter().map(|found| found.order.clone()).collect();
    let last = commands.last().filter(|_| is_more);
    let next = last.map(|order| OrderCursor::behind(order).text());
    Ok(answer(Page { commands, next }))
}

/// The commands of a device with their lives, newest first.
pub(super) fn of(feed: &Feed, device: &DeviceId) -> Vec<OrderHistory> {
    let sought = Sought {
        scope: OrderScope::All,
        device: Some(device.clone()),
        limit: super::LIMIT,
        after: None,
    };
    let found = feed.board.orders().list(&sought);
    found
        .iter()
        .map(|found| OrderHistory::clone(found))
        .collect()
}

/// One command with its life.
pub(super) async fn one(
    State(feed): State<Feed>,
    InPath(id): InPath<String>,
) -> Result<Response, Problem> {
    let found = feed.board.orders().one(&id);
    let found = found.ok_or_else(|| not_found("command", &id))?;
    Ok(answer(OrderHistory::clone(&found)))
}

/// What a person says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    reason: String,
    hours: Option<u32>,
}

/// Until when commands about a device are held back.
#[derive(Serialize, JsonSchema)]
pub(super) struct Suppressed {
    device: DeviceId,
    suppressed_until: EventTime,
}

/// A person decides about a command.
pub(super) async fn decide(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    InPath((id, what)): InPath<(String, String)>,
    headers: HeaderMap,
    Sent(said): Sent<Said>,
) -> Result<Response, Problem> {
    let command_id = id;
    let kind = match what.as_str() {
        "approve" => ActKind::Approve { command_id },
        "reject" => ActKind::Reject { command_id },
        "release" => ActKind::Release { command_id },
        other => return Err(not_found("decision", other)),
    };
    if said.hours.is_some() {
        let detail = "`hours` is of no use for a command".to_owned();
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    act(feed, &who, &headers, &said.reason, kind).await
}

/// A person decides about a device.
pub(super) async fn decide_device(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    InPath((id, what)): InPath<(String, String)>,
    headers: HeaderMap,
    Sent(said): Sent<Said>,
) -> Result<Response, Problem> {
    let floor = feed.board.floor();
    let device = floor
        .station(&id.to_lowercase())
        .map(|station| station.id.clone())
        .ok_or_else(|| not_found("device", &id))?;
    let kind = match what.as_str() {
        "quarantine" => ActKind::Quarantine {
            device,
            hours: said.hours,
        },
        "release" => ActKind::ReleaseDevice { device },
        "suppress" => ActKind::Suppress {
            device,
            hours: said.hours.unwrap_or(SUPPRESSED_HOURS),
        },
        other => return Err(not_found("decision", other)),
    };
    act(feed, &who, &headers, &said.reason, kind).await
}

/// Hands in what a person decides.
pub(super) async fn act(
    feed: Feed,
    who: &Identity,
    headers: &HeaderMap,
    reason: &str,
    kind: ActKind,
) -> Result<Response, Problem> {
    let Some(desk) = feed.board.desk() else {
        let detail = "nobody is there who carries out decisions".to_owned();
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let act_id = match headers.get("idempotency-key") {
        None => feed.board.act_id(),
        Some(key) => key_of(&who.name, key.to_str().unwrap_or_default())?,
    };
    let act = Act::new(&act_id, &who.name, reason, kind);
    // Another task of this one: who asked may leave, and what was begun is finished.
    let acted = waiting(move || desk.act(act)).await?;
    match acted {
        Ok(Acted::Order(order)) => Ok(answer(order)),
        Ok(Acted::Incident(incident)) => Ok(answer(incident)),
        Ok(Acted::Suppressed {
            device,
            suppressed_until,
        }) => Ok(answer(Suppressed {
            device,
            suppressed_until,
        })),
        Err(refused) => Err(problem_of(&refused)),
    }
}

/// What a client calls its request, apart from what others call theirs.
fn key_of(who: &str, key: &str) -> Result<String, Problem> {
    let id = format!("{who}:{key}");
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_empty() || !is_plain || id.len() > NAME_BYTES_MAX {
        let detail = "Idempotency-Key is empty, too long, or not of plain characters".to_owned();
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    Ok(id)
}

fn problem_of(refused: &ActRefused) -> Problem {
    let status = match refused.kind {
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::Conflict => StatusCode::CONFLICT,
        Refusal::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, refused.reason.clone())
}

/// Waits for the pipeline where waiting is allowed.
async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|error| {
        tracing::error!("a question to the pipeline ended abnormally: {error}");
        let detail = "the question ended abnormally".to_owned();
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}
