//! Changes as server-sent events, for many listeners at once.
//!
//! A listener holds no queue. It is woken about every 20 ms if there is something, and takes what is
//! new: most of them the same bytes, those that are behind what they still lack. One that does not
//! read is not asked for its next piece, so it holds nothing but what its socket holds.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Asked, Feed};
use crate::board::{Board, Read, Resume};
use crate::server::connection::{Lease, stopped};
use crate::server::problem::Problem;

/// Listeners are woken this often if there is something.
const WAKE_EVERY: Duration = Duration::from_millis(20);
/// And told this often how the pipeline is doing.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// A line without meaning keeps what lies in between from hanging up.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Most bytes that are sent at a time.
const PIECE_BYTES: usize = 128 << 10;
/// Most listeners, unless it is said otherwise.
pub(in crate::server) const STREAMS_MAX: usize = 1_024;
/// Whoever finds no place should come again after so many seconds.
const COME_AGAIN_S: &str = "5";
/// A browser that loses us comes back after so many milliseconds.
const GREETING: &str = "retry: 1000\n\n";

/// The places of listeners, and what wakes them.
#[derive(Clone, Debug)]
pub(in crate::server) struct Streams {
    places: Arc<Semaphore>,
    news: Arc<watch::Sender<News>>,
    /// Streams that were asked for in vain.
    turned_away: Arc<AtomicU64>,
}

/// What is new.
#[derive(Clone, Debug, Default)]
struct News {
    /// These events, from the one to before the other.
    from: u64,
    to: u64,
    events: Bytes,
    /// How the pipeline is doing, and how often that was told.
    status: Bytes,
    told: u64,
}

impl Streams {
    pub(in crate::server) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            news: Arc::new(watch::Sender::new(News::default())),
            turned_away: Arc::default(),
        }
    }
}

/// Wakes the listeners when there is something, until the server stops.
pub(in crate::server) async fn tick(feed: Feed, mut stopping: watch::Receiver<bool>) {
    let mut wake = interval(WAKE_EVERY);
    wake.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = feed.board.ring().next();
    let mut status_at = Instant::now();
    let mut was_silent = feed.is_silent();
    loop {
        tokio::select! {
            _ = wake.tick() => {}
            () = stopped(&mut stopping) => return,
        }
        // Nothing is health any more, or may be again: that turns lamps of which no event tells.
        let is_silent = feed.is_silent();
        if std::mem::replace(&mut was_silent, is_silent) != is_silent {
            feed.board.begin_anew();
        }
        let read = feed.board.ring().read(next, PIECE_BYTES);
        let status = (Instant::now() >= status_at).then(|| {
            status_at = Instant::now() + STATUS_EVERY;
            let status = feed.board.status(&feed.health);
            let json = serde_json::to_string(&status).unwrap_or_default();
            Bytes::from(format!("event: status\ndata: {json}\n\n"))
        });
        if read.is_none() && status.is_none() {
            continue;
        }
        feed.streams.news.send_modify(|news| {
            if let Some(status) = status {
                (news.status, news.told) = (status, news.told + 1);
            }
            match read {
                Some(Read::Events(events, to)) => {
                    (news.from, news.to, news.events) = (next, to, events);
                    next = to;
                }
                Some(Read::Gone) => next = feed.board.ring().next(),
                None => {}
            }
        });
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    after: Option<String>,
}

/// The stream of changes, from now on or from where a listener left it.
pub(super) async fn events(
    State(feed): State<Feed>,
    Extension(lease): Extension<Lease>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Response {
    let Ok(place) = Arc::clone(&feed.streams.places).try_acquire_owned() else {
        feed.streams.turned_away.fetch_add(1, Ordering::Relaxed);
        let detail = "every place for a stream of events is taken".to_owned();
        let mut refused = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response();
        let again = HeaderValue::from_static(COME_AGAIN_S);
        refused.headers_mut().insert(header::RETRY_AFTER, again);
        // It came for nothing else, and others wait for the connection's place.
        let close = HeaderValue::from_static("close");
        refused.headers_mut().insert(header::CONNECTION, close);
        return refused;
    };
    // A browser that comes back says what it has; that is newer than what it first asked for.
    let known = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .map(ToOwned::to_owned)
        .or(from.after);
    let ring = feed.board.ring();
    let (next, lost) = match known.as_deref().map(|id| ring.resume(id)) {
        None => (ring.next(), false),
        Some(Resume::At(next)) => (next, false),
        Some(Resume::Lost) => (ring.next(), true),
    };
    lease.becomes_a_stream();
    feed.board.client_came();
    let listener = Listener {
        news: feed.streams.news.subscribe(),
        counted: Counted(feed.board.clone()),
        board: feed.board,
        lease,
        next,
        lost,
        greeted: false,
        told: 0,
        _place: place,
    };
    let body = stream::unfold(listener, |mut listener| async move {
        let piece = listener.piece().await?;
        Some((Ok::<Bytes, Infallible>(piece), listener))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

/// Counts a listener for as long as there is one.
struct Counted(Board);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.client_left();
    }
}

/// One who listens.
struct Listener {
    board: Board,
    news: watch::Receiver<News>,
    lease: Lease,
    /// The next event.
    next: u64,
    /// It lacks some that are not kept.
    lost: bool,
    greeted: bool,
    /// How often it had been told how the pipeline is doing.
    told: u64,
    _place: OwnedSemaphorePermit,
    #[expect(dead_code, reason = "counts until it is dropped")]
    counted: Counted,
}

impl Listener {
    /// The next bytes for it, once there are any; `None` once the server stops.
    async fn piece(&mut self) -> Option<Bytes> {
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            self.lease.reads();
            if self.lease.is_stopping() {
                return None;
            }
            if let Some(piece) = self.at_hand() {
                return Some(piece);
            }
            let mut stopping = self.lease.stopping();
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = sleep_until(heartbeat) => return Some(Bytes::from_static(b":\n\n")),
                () = stopped(&mut stopping) => return None,
            }
        }
    }

    /// What there is for it now.
    fn at_hand(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(GREETING.as_bytes()));
        }
        if std::mem::take(&mut self.lost) {
            return Some(self.reset());
        }
        let news = self.news.borrow_and_update().clone();
        let events = if news.from == self.next && news.to > self.next {
            self.next = news.to;
            Some(news.events)
        } else {
            match self.board.ring().read(self.next, PIECE_BYTES) {
                Some(Read::Events(events, next)) => {
                    self.next = next;
                    Some(events)
                }
                Some(Read::Gone) => {
                    self.board.client_was_slow();
                    self.next = self.board.ring().next();
                    Some(self.reset())
                }
                None => None,
            }
        };
        if news.told == self.told {
            return events;
        }
        self.told = news.told;
        let Some(events) = events else {
            return Some(news.status);
        };
        let mut both = BytesMut::with_capacity(events.len() + news.status.len());
        both.extend_from_slice(&events);
        both.extend_from_slice(&news.status);
        Some(both.freeze())
    }

    /// Says that some events are lost, and from where it goes on.
    fn reset(&self) -> Bytes {
        let seq = self.board.ring().id(self.next - 1);
        format!("id: {seq}\nevent: reset\ndata: {{\"seq\":\"{seq}\"}}\n\n").into()
    }
}
