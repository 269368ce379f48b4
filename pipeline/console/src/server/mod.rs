//! The HTTP server: one listener, one router, bounded connections.
//!
//! `axum::serve` knows neither a limit on connections nor one on silent ones, so connections are
//! taken here and given to hyper one by one. There are [`Limits::places`]; whoever comes when all
//! are taken waits in the listener's queue, and the others are asked to leave after their current
//! answer. A client that is silent, slow, or does not read what it asked for keeps a place only
//! until somebody else wants it. Streams of events have places of their own, so that however many
//! listen, requests are answered.

mod api;
mod body;
mod connection;
mod problem;
mod routes;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use self::api::{Feed, Streams};
use self::connection::{Asked, Lease};
use crate::board::Board;
use crate::health::Health;
use crate::metrics::Metrics;

/// Pause after a failure to take a connection, such as being out of file descriptors.
const PAUSE: Duration = Duration::from_millis(500);

/// What a client may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at a time.
    places: usize,
    /// How long a request may take to come, from the end of the last answer.
    request_within: Duration,
    /// How long a request and its headers may be.
    request_bytes: usize,
    /// How long a connection is left alone after somebody began to wait for its place.
    patience: Duration,
    /// How long it may then take to end.
    end_within: Duration,
    /// How long a listener may leave what it is sent.
    deaf_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            places: 64,
            request_within: Duration::from_secs(10),
            request_bytes: 16 << 10,
            patience: Duration::from_millis(250),
            end_within: Duration::from_secs(1),
            deaf_after: Duration::from_secs(30),
        }
    }
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {source}")]
pub struct BindError {
    /// The address as it was given.
    pub address: String,
    /// Why not.
    pub source: io::Error,
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    feed: Option<Feed>,
    health: Health,
    limits: Limits,
}

impl Server {
    /// Listens on an address such as `127.0.0.1:9184`; port 0 takes a free one. Whoever reaches
    /// the address may read everything.
    ///
    /// # Errors
    /// If the address is none, or cannot be listened on.
    pub fn bind(address: &str, health: Health, metrics: Metrics) -> Result<Self, BindError> {
        let refused = |source| BindError {
            address: address.to_owned(),
            source,
        };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        if !local.ip().is_loopback() {
            tracing::warn!(
                "health and metrics on {local} can be read by everybody who reaches that address"
            );
        }
        Ok(Self {
            listener,
            address: local,
            router: routes::router(health.clone(), metrics),
            feed: None,
            health,
            limits: Limits::default(),
        })
    }

    /// Tells of a plant as well, under `/v1`.
    #[must_use]
    pub fn telling(self, board: Board) -> Self {
        self.with_streams(board, api::STREAMS_MAX)
    }

    fn with_streams(mut self, board: Board, streams: usize) -> Self {
        let feed = Feed {
            board,
            health: self.health.clone(),
            streams: Streams::new(streams),
        };
        self.router = self.router.merge(api::router(feed.clone()));
        self.feed = Some(feed);
        self
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on, on the given runtime, whose drivers of I/O and time must be enabled.
    ///
    /// # Errors
    /// If the runtime cannot take the listener over.
    pub fn spawn(self, runtime: &Handle) -> io::Result<Running> {
        let (stop, stopping) = watch::channel(false);
        let listener = {
            let _within = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener)?
        };
        if let Some(feed) = self.feed.clone() {
            runtime.spawn(api::tick(feed, stopping.clone()));
        }
        let (router, board) = (self.router, self.feed.map(|feed| feed.board));
        let serving = runtime.spawn(serve(listener, router, board, self.limits, stopping));
        Ok(Running {
            address: self.address,
            stop,
            serving,
        })
    }
}

/// A server that answers. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Running {
    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, lets current answers out, and cuts what is left after the deadline.
    pub async fn shutdown(mut self, within: Duration) {
        self.stop.send_replace(true);
        match timeout(within, &mut self.serving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!("the HTTP server ended abnormally: {error}"),
            Err(_) => {
                tracing::warn!("HTTP connections are cut, {within:?} after being asked to end");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Takes connections until it is told to stop, then waits for those there are.
async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    board: Option<Board>,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let crowd = watch::Sender::new(());
    let places = Arc::new(Semaphore::new(limits.places));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let stream = take(&listener).await;
            let _immediate = stream.set_nodelay(true);
            if places.available_permits() == 0 {
                crowd.send_replace(());
            }
            (stream, Arc::clone(&places).acquire_owned().await)
        };
        let (stream, place) = tokio::select! {
            next = next => next,
            () = connection::stopped(&mut stopping) => break,
        };
        // Those that have ended; there are no more than there are places.
        while connections.try_join_next().is_some() {}
        let (router, board) = (router.clone(), board.clone());
        let Ok(place) = place else {
            break;
        };
        let lease = Lease::new(place, stopping.clone());
        let asked = Asked {
            stopping: stopping.clone(),
            crowded: crowd.subscribe(),
        };
        connections.spawn(async move {
            let heard = connection::serve(stream, router, limits, asked, lease).await;
            if let Some(board) = board.filter(|_| !heard) {
                board.client_was_slow();
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The next connection. A failure to take one is told once, and tried again.
async fn take(listener: &tokio::net::TcpListener) -> TcpStream {
    let mut is_news = true;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_client(&error) => continue,
            Err(error) if is_news => tracing::warn!("cannot take an HTTP connection: {error}"),
            Err(error) => tracing::debug!("still cannot take an HTTP connection: {error}"),
        }
        is_news = false;
        sleep(PAUSE).await;
    }
}

/// The client gave up before its connection was taken: nothing that a pause would help.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
