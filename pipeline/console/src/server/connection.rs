//! One connection: its requests, and how it is made to end.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep, timeout};

use super::Limits;
use crate::access::Named;

/// A listener's socket is looked at this often.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// The place that a connection takes, as its requests see it.
#[derive(Clone, Debug)]
pub(super) struct Lease(Arc<Leased>);

#[derive(Debug)]
struct Leased {
    /// Given back once the connection is a stream, which has a place of another kind.
    place: Mutex<Option<OwnedSemaphorePermit>>,
    is_stream: AtomicBool,
    began: Instant,
    /// Milliseconds after the beginning at which the other side last took something.
    reads_ms: AtomicU64,
    peer: IpAddr,
    /// Who proved itself by a certificate.
    named: Option<Named>,
    stopping: watch::Receiver<bool>,
}

impl Lease {
    pub(super) fn new(
        place: OwnedSemaphorePermit,
        peer: IpAddr,
        named: Option<Named>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Leased {
            peer,
            named,
            place: Mutex::new(Some(place)),
            is_stream: AtomicBool::new(false),
            began: Instant::now(),
            reads_ms: AtomicU64::new(0),
            stopping,
        }))
    }

    /// The connection is a stream of events from here to its end.
    pub(super) fn becomes_a_stream(&self) {
        self.reads();
        self.0.is_stream.store(true, Ordering::Relaxed);
        let mut place = self.0.place.lock().unwrap_or_else(PoisonError::into_inner);
        drop(place.take());
    }

    /// The other side has taken what it was sent before.
    pub(super) fn reads(&self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.reads_ms.fetch_max(now, Ordering::Relaxed);
    }

    /// Whether the server stops.
    pub(super) fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// True once the server stops.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.0.stopping.clone()
    }

    /// The address of the other side.
    pub(super) fn peer(&self) -> IpAddr {
        self.0.peer
    }

    /// Who proved itself by a certificate.
    pub(super) fn named(&self) -> Option<&Named> {
        self.0.named.as_ref()
    }

    fn is_stream(&self) -> bool {
        self.0.is_stream.load(Ordering::Relaxed)
    }

    /// Resolves once a listener has not taken anything for too long.
    async fn until_deaf(&self, deaf_after: Duration) {
        loop {
            sleep(LOOKED_EVERY.min(deaf_after)).await;
            let read = Duration::from_millis(self.0.reads_ms.load(Ordering::Relaxed));
            if self.is_stream() && self.0.began.elapsed().saturating_sub(read) > deaf_after {
                return;
            }
        }
    }
}

/// Who asks a connection to end.
#[derive(Debug)]
pub(super) struct Asked {
    /// True once the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// Changes whenever somebody waits for a place.
    pub(super) crowded: watch::Receiver<()>,
}

impl Asked {
    /// Resolves when the connection should end. A newcomer is given a moment for its first request
    /// before it has to make place; a stream has none of those places.
    async fn until_end(mut self, lease: &Lease, limits: Limits) {
        let make_place = async {
            // An error means that nobody takes connections any more, so the server stops.
            while self.crowded.changed().await.is_ok() {
                sleep(limits.patience).await;
                if !lease.is_stream() {
                    return;
                }
            }
        };
        tokio::select! {
            () = stopped(&mut self.stopping) => {}
            () = make_place => {}
        }
    }
}

/// Resolves once the server stops, or is gone.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    while !*stopping.borrow_and_update() && stopping.changed().await.is_ok() {}
}

/// Lets every request know on what it came.
struct Marked {
    inner: TowerToHyperService<Router>,
    lease: Lease,
}

impl Service<Request<Incoming>> for Marked {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.lease.clone());
        self.inner.call(request)
    }
}

/// Answers requests until the other side leaves, is silent for too long, or is asked to end and
/// the current answer is out. `false` if it was cut off because it did not read.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    limits: Limits,
    asked: Asked,
    lease: Lease,
) -> bool {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        // Counts from the end of the last answer, so idle connections end by it as well.
        .header_read_timeout(limits.request_within)
        .max_buf_size(limits.request_bytes);
    let service = Marked {
        inner: TowerToHyperService::new(router),
        lease: lease.clone(),
    };
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked.until_end(&lease, limits) => {
            connection.as_mut().graceful_shutdown();
            // Whoever does not take its answer is cut off.
            timeout(limits.end_within, connection).await.unwrap_or(Ok(()))
        }
        () = lease.until_deaf(limits.deaf_after) => return false,
    };
    if let Err(error) = ended {
        tracing::debug!("connection ended: {error}");
    }
    true
}
