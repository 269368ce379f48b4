//! Shared signals: discovery, keys, and the streams of receivers.

mod delivery;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::delivery::{Poll, SubjectChange, VerificationRequest};
use super::{Asked, Feed, answer, blocking, not_found};
use crate::access::Identity;
use crate::server::body::Sent;
use crate::server::problem::Problem;
use crate::server::routes::wall_clock;
use crate::signals::{POLL, PUSH, STREAMS_MAX, Status, Stream, Transmitter, Wanted};

/// Longest state of a verification, description or address, bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// Where whoever wants to receive begins.
pub(in crate::server) const METADATA: &str = "/.well-known/ssf-configuration";
/// Where the keys are.
pub(in crate::server) const KEYS: &str = "/ssf/jwks.json";
/// Where signs of life are asked for.
pub(in crate::server) const VERIFY: &str = "/ssf/verify";
/// Where tokens are fetched, and behind it the stream.
pub(in crate::server) const POLLS: &str = "/ssf/poll/";

/// The routes of shared signals.
pub(super) fn router() -> Router<Feed> {
    let streams = get(read).post(create).patch(update).put(replace);
    Router::new()
        .route(METADATA, get(metadata))
        .route(KEYS, get(keys))
        .route("/ssf/streams", streams.delete(delete))
        .route("/ssf/status", get(status).post(set_status))
        .route("/ssf/subjects/add", post(delivery::add_subject))
        .route("/ssf/subjects/remove", post(delivery::remove_subject))
        .route(VERIFY, post(delivery::verify))
        .route("/ssf/poll/{stream}", post(delivery::poll))
}

/// Which stream.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    stream_id: Option<String>,
}

/// What somebody says of the state of a stream.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct StreamStatus {
    stream_id: String,
    status: Status,
    reason: Option<String>,
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail.into())
}

fn of(feed: &Feed) -> Result<Arc<Transmitter>, Problem> {
    feed.offered.signals.clone().ok_or_else(|| {
        let detail = "nobody is told of signals: the configuration has no section `[ssf]`";
        Problem::new(StatusCode::NOT_FOUND, detail.to_owned())
    })
}

/// What whoever wants to receive reads first.
pub(super) async fn metadata(State(feed): State<Feed>) -> Result<Response, Problem> {
    Ok(answer(of(&feed)?.metadata()))
}

/// The keys that tokens are checked by.
pub(super) async fn keys(State(feed): State<Feed>) -> Result<Response, Problem> {
    Ok(answer(of(&feed)?.keys()))
}

/// Keeps what was changed before anybody is told that it was.
async fn kept(transmitter: Arc<Transmitter>) -> Result<(), Problem> {
    transmitter.changed();
    let saved = blocking(move || {
        transmitter.update_all(wall_clock());
        transmitter.save()
    });
    saved.await?.map_err(|error| {
        tracing::error!("ssf: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    })
}

/// Does something with a stream of whoever asks; others have none for it.
fn with<T>(
    transmitter: &Transmitter,
    who: &Identity,
    id: &str,
    work: impl FnOnce(&mut Stream) -> T,
) -> Result<T, Problem> {
    let mut streams = transmitter.streams();
    let own = streams
        .get_mut(id)
        .filter(|stream| stream.owner == *who.name);
    own.map(work).ok_or_else(|| not_found("stream", id))
}

fn view(transmitter: &Transmitter, id: &str, stream: &Stream) -> Value {
    let issuer = &transmitter.options.issuer;
    stream.view(id, issuer, &format!("{issuer}/ssf/poll/{id}"))
}

/// Whether a stream can be as it is wanted.
fn check(transmitter: &Transmitter, wanted: &Wanted) -> Result<(), Problem> {
    let is_long = |text: &Option<String>| {
        let text = text.as_ref();
        text.is_some_and(|text| text.len() > TEXT_BYTES_MAX || text.contains(char::is_control))
    };
    let events = wanted.events_requested.iter().flatten();
    if is_long(&wanted.description) || events.count() > 64 {
        return Err(bad("the description, or the list of events, is too long"));
    }
    let Some(delivery) = &wanted.delivery else {
        return Ok(());
    };
    if is_long(&delivery.endpoint_url) || is_long(&delivery.authorization_header) {
        return Err(bad("delivery: a text is too long, or no text"));
    }
    match delivery.method.as_str() {
        POLL => Ok(()),
        PUSH => {
            let url = delivery.endpoint_url.as_deref().unwrap_or_default();
            let allowed = &transmitter.options.push_to;
            if allowed.iter().any(|begin| url.starts_with(begin.as_str())) {
                return Ok(());
            }
            Err(bad(
                "delivery.endpoint_url: nothing is pushed there: `push_to` in the section `[ssf]` \
                 lists what addresses of receivers begin with",
            ))
        }
        other => Err(bad(format!(
            "delivery.method: `{other}` is neither {PUSH} nor {POLL}"
        ))),
    }
}

/// Makes a stream for whoever asks.
pub(super) async fn create(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(wanted): Sent<Wanted>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    check(&transmitter, &wanted)?;
    let id = transmitter.stream_id();
    let made = {
        let mut streams = transmitter.streams();
        if streams.values().any(|stream| stream.owner == *who.name) {
            let detail = format!("`{}` has a stream already", who.name);
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        if streams.len() >= STREAMS_MAX {
            let detail = format!("there are {STREAMS_MAX} streams already");
            return Err(Problem::new(StatusCode::CONFLICT, detail));
        }
        let stream = Stream::new(&who.name, wanted);
        let made = view(&transmitter, &id, &stream);
        streams.insert(id, stream);
        made
    };
    kept(transmitter).await?;
    Ok((StatusCode::CREATED, answer(made)).into_response())
}

/// The stream of whoever asks, or all of them, which is one at most.
pub(super) async fn read(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    if let Some(id) = which.stream_id {
        let found = with(&transmitter, &who, &id, |stream| stream.clone())?;
        return Ok(answer(view(&transmitter, &id, &found)));
    }
    let streams = transmitter.streams();
    let own = streams
        .iter()
        .filter(|(_, stream)| stream.owner == *who.name);
    let own: Vec<Value> = own
        .map(|(id, stream)| view(&transmitter, id, stream))
        .collect();
    Ok(answer(own))
}

/// Changes what is said of a stream.
pub(super) async fn update(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(wanted): Sent<Wanted>,
) -> Result<Response, Problem> {
    change(feed, who, wanted, false).await
}

/// Says all of a stream anew.
pub(super) async fn replace(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(wanted): Sent<Wanted>,
) -> Result<Response, Problem> {
    change(feed, who, wanted, true).await
}

async fn change(
    feed: Feed,
    who: Identity,
    wanted: Wanted,
    is_whole: bool,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    check(&transmitter, &wanted)?;
    let id = wanted.stream_id.clone();
    let id = id.ok_or_else(|| bad("stream_id is missing"))?;
    with(&transmitter, &who, &id, |stream| {
        if is_whole || wanted.events_requested.is_some() {
            stream.events_requested = wanted.events_requested;
            stream.drop_pending();
        }
        if is_whole || wanted.delivery.is_some() {
            stream.delivery = wanted.delivery.unwrap_or_default();
        }
        if is_whole || wanted.description.is_some() {
            stream.description = wanted.description;
        }
    })?;
    kept(Arc::clone(&transmitter)).await?;
    let now = with(&transmitter, &who, &id, |stream| stream.clone())?;
    Ok(answer(view(&transmitter, &id, &now)))
}

/// Ends a stream.
pub(super) async fn delete(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    let id = which.stream_id;
    let id = id.ok_or_else(|| bad("stream_id is missing"))?;
    with(&transmitter, &who, &id, |_| ())?;
    transmitter.streams().remove(&id);
    kept(transmitter).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn standing(id: &str, stream: &Stream) -> Response {
    let mut standing = json!({ "stream_id": id, "status": stream.status });
    if let Some(reason) = &stream.reason {
        standing["reason"] = json!(reason);
    }
    answer(standing)
}

/// Whether a stream is paused.
pub(super) async fn status(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Asked(which): Asked<Which>,
) -> Result<Response, Problem> {
    let id = which.stream_id;
    let id = id.ok_or_else(|| bad("stream_id is missing"))?;
    with(&*of(&feed)?, &who, &id, |stream| standing(&id, stream))
}

/// Pauses a stream, lets it go on, or lets nothing be told any more.
pub(super) async fn set_status(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(said): Sent<StreamStatus>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    let id = said.stream_id;
    with(&transmitter, &who, &id, |stream| {
        stream.status = said.status;
        stream.reason = said.reason.map(|why| why.chars().take(256).collect());
        if said.status == Status::Disabled {
            stream.drop_pending();
        }
    })?;
    kept(Arc::clone(&transmitter)).await?;
    with(&transmitter, &who, &id, |stream| standing(&id, stream))
}
