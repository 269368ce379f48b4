//! Bundles for policy engines, with a tag and with long polling, as Open Policy Agent fetches them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::sleep;

use super::{Feed, blocking, has};
use crate::bundle::{BundleError, Moment};
use crate::server::connection::{Lease, stopped};
use crate::server::problem::Problem;
use crate::server::routes::wall_clock;

/// Whoever waits for another bundle is answered after this time at the latest.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// And it is looked for this often.
const LOOKED_EVERY: Duration = Duration::from_millis(200);
/// What tells a policy engine that one may wait.
const WAITED_FOR: &str = "application/vnd.openpolicyagent.bundles";

/// The newest bundle, or that it is what the client has.
pub(super) async fn newest(
    State(feed): State<Feed>,
    Extension(lease): Extension<Lease>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(bundles) = feed.offered.bundles.clone() else {
        let detail = "no bundles are served: the configuration has no section `[opa.bundle]`";
        return Err(Problem::new(StatusCode::NOT_FOUND, detail.to_owned()));
    };
    let wait = wait(&headers);
    let until = Instant::now() + wait.unwrap_or_default();
    loop {
        let moment = Moment {
            now: Instant::now(),
            wall: wall_clock(),
            silent: feed.is_silent(),
            live: feed.health.liveness().live,
        };
        let (board, bundles) = (feed.board.clone(), Arc::clone(&bundles));
        let found = blocking(move || bundles.current(&board, moment)).await?;
        let bundle = found.map_err(|error| {
            let status = match error {
                BundleError::NoPlant => StatusCode::SERVICE_UNAVAILABLE,
                BundleError::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            Problem::new(status, error.to_string())
        })?;
        let left = until.saturating_duration_since(Instant::now());
        let is_known = has(&headers, &bundle.tag);
        if is_known && !left.is_zero() && !lease.is_stopping() {
            let mut stopping = lease.stopping();
            tokio::select! {
                () = sleep(LOOKED_EVERY.min(left)) => {}
                () = stopped(&mut stopping) => {}
            }
            continue;
        }
        let mut answer = if is_known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            bundle.bytes.into_response()
        };
        let kind = wait.map_or("application/gzip", |_| WAITED_FOR);
        let kept = answer.headers_mut();
        kept.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        kept.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&bundle.tag) {
            kept.insert(header::ETAG, tag);
        }
        return Ok(answer);
    }
}

/// How long the client would wait for another bundle, if it says so: `Prefer: modes=snapshot;wait=30`.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferred = headers.get_all("prefer").iter();
    let seconds = preferred
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([';', ',']))
        .find_map(|one| one.trim().strip_prefix("wait=")?.trim().parse().ok())?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_how_long_it_waits() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(text));
            wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(of("modes=snapshot,delta;wait=30"), Some(30));
        assert_eq!(of("wait=9999999"), Some(60));
        assert_eq!(of("modes=snapshot,delta"), None);
        assert_eq!(of("wait=-1"), None);
    }
}
