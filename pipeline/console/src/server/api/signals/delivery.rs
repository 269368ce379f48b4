//! What receivers ask of their streams: devices, signs of life, tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_schemas::identity::DeviceId;
use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::{TEXT_BYTES_MAX, bad, kept, of, with};
use crate::access::Identity;
use crate::server::api::{Feed, InPath, answer, blocking, not_found};
use crate::server::body::Sent;
use crate::server::connection::{Lease, stopped};
use crate::server::problem::Problem;
use crate::server::routes::wall_clock;
use crate::signals::{POLL, Transmitter, VERIFIED_EVERY};

/// Most tokens of one poll.
const EVENTS_MAX: usize = 500;
/// Whoever waits for tokens is answered after this time at the latest.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// And they are looked for this often.
const LOOKED_EVERY: Duration = Duration::from_millis(100);

/// A device that somebody wants to hear of, or not.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::server::api) struct SubjectChange {
    stream_id: String,
    subject: Map<String, Value>,
}

/// A sign of life that somebody wants.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::server::api) struct VerificationRequest {
    stream_id: String,
    state: Option<String>,
}

/// What a receiver that polls says.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::server::api) struct Poll {
    max_events: Option<usize>,
    return_immediately: bool,
    ack: Vec<String>,
    set_errs: Map<String, Value>,
}

/// The device that a subject names: `opaque`, or `complex` with a `device`.
fn device_of(subject: &Map<String, Value>) -> Option<DeviceId> {
    let simple = subject
        .get("device")
        .and_then(Value::as_object)
        .unwrap_or(subject);
    if simple.get("format").and_then(Value::as_str) != Some("opaque") {
        return None;
    }
    DeviceId::new(simple.get("id")?.as_str()?).ok()
}

fn listed(transmitter: &Transmitter, about: &SubjectChange) -> Result<DeviceId, Problem> {
    let device = device_of(&about.subject);
    let device = device.ok_or_else(|| bad("the subject names no device, `opaque` or `complex`"))?;
    if transmitter.lists(device.as_str()) {
        Ok(device)
    } else {
        Err(not_found("device", device.as_str()))
    }
}

/// Somebody wants to hear of a device again.
pub(super) async fn add_subject(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(about): Sent<SubjectChange>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    let device = listed(&transmitter, &about)?;
    with(&transmitter, &who, &about.stream_id, |stream| {
        stream.removed.remove(&device);
    })?;
    kept(transmitter).await?;
    Ok(StatusCode::OK.into_response())
}

/// Somebody wants to hear of a device no more.
pub(super) async fn remove_subject(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(about): Sent<SubjectChange>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    let device = listed(&transmitter, &about)?;
    with(&transmitter, &who, &about.stream_id, |stream| {
        stream.remove(&device);
    })?;
    kept(transmitter).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Somebody wants a sign of life.
pub(super) async fn verify(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Sent(asked): Sent<VerificationRequest>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    let state = asked.state;
    if state
        .as_ref()
        .is_some_and(|state| state.len() > TEXT_BYTES_MAX)
    {
        return Err(bad(format!("state is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let is_taken = with(&transmitter, &who, &asked.stream_id, |stream| {
        stream.verify(state, Instant::now())
    })?;
    if is_taken {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let seconds = VERIFIED_EVERY.as_secs();
    let detail = format!("a stream is verified every {seconds} s at most");
    let refused = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
    Ok(([(header::RETRY_AFTER, seconds.to_string())], refused).into_response())
}

/// Hands tokens to a receiver that fetches them, and takes what it says of earlier ones.
pub(super) async fn poll(
    State(feed): State<Feed>,
    Extension(who): Extension<Identity>,
    Extension(lease): Extension<Lease>,
    InPath(id): InPath<String>,
    Sent(asked): Sent<Poll>,
) -> Result<Response, Problem> {
    let transmitter = of(&feed)?;
    let is_polled = with(&transmitter, &who, &id, |stream| {
        for jti in &asked.ack {
            stream.acknowledge(jti);
        }
        for (jti, why) in &asked.set_errs {
            tracing::warn!("ssf: `{}` refuses a token: {why}", who.name);
            stream.refused += 1;
            stream.acknowledge(jti);
        }
        stream.delivery.method == POLL
    })?;
    if !is_polled {
        return Err(bad("the tokens of this stream are pushed"));
    }
    if !asked.ack.is_empty() || !asked.set_errs.is_empty() {
        transmitter.changed();
    }
    let most = asked.max_events.unwrap_or(EVENTS_MAX).min(EVENTS_MAX);
    let until = Instant::now() + WAIT_MAX;
    loop {
        // To sign takes a while.
        let found = {
            let (transmitter, who, id) = (Arc::clone(&transmitter), who.clone(), id.clone());
            blocking(move || {
                with(&transmitter, &who, &id, |stream| {
                    let sets = transmitter.hand_out(&id, stream, most, wall_clock());
                    (sets, stream.waiting())
                })
            })
        };
        let (sets, waiting) = found.await??;
        let is_over = asked.return_immediately || Instant::now() >= until || lease.is_stopping();
        if !sets.is_empty() || most == 0 || is_over {
            let more = waiting > sets.len() && most > 0;
            let sets: Map<String, Value> = sets
                .into_iter()
                .map(|(jti, token)| (jti, token.into()))
                .collect();
            return Ok(answer(json!({ "sets": sets, "moreAvailable": more })));
        }
        let mut stopping = lease.stopping();
        tokio::select! {
            () = sleep(LOOKED_EVERY) => {}
            () = stopped(&mut stopping) => {}
        }
    }
}
