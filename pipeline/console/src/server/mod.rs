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
mod guard;
mod listening;
mod offers;
mod problem;
mod routes;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::api::{Feed, Streams};
use self::listening::Setting;
use self::offers::Offered;
pub use self::offers::Offers;
use crate::access::{Access, AccessError, Gate, Tls};
use crate::board::Board;
use crate::health::Health;
use crate::metrics::{DecisionMetrics, Metrics};

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
    tls: Option<Tls>,
    health: Health,
    limits: Limits,
    offers: Offers,
    metrics: DecisionMetrics,
}

impl Server {
    /// Listens on an address such as `127.0.0.1:9184`; port 0 takes a free one. Whoever reaches
    /// the address may read health and metrics.
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
        Ok(Self {
            listener,
            address: local,
            metrics: metrics.decisions().clone(),
            offers: Offers::default(),
            router: routes::router(health.clone(), metrics),
            feed: None,
            tls: None,
            health,
            limits: Limits::default(),
        })
    }

    /// Serves this as well, once it tells of a plant.
    #[must_use]
    pub fn offering(mut self, offers: Offers) -> Self {
        self.offers = offers;
        self
    }

    /// Tells of a plant as well, under `/v1`, to those who have access.
    ///
    /// # Errors
    /// If others reach the address and could read and do everything, or a certificate cannot be
    /// used.
    pub fn telling(self, board: Board, access: Access) -> Result<Self, AccessError> {
        self.with_streams(board, access, api::STREAMS_MAX)
    }

    fn with_streams(
        mut self,
        board: Board,
        access: Access,
        streams: usize,
    ) -> Result<Self, AccessError> {
        self.tls = match &access.certificates {
            None => None,
            Some(files) => Some(Tls::read(files, &access.clients)?),
        };
        let gate = Arc::new(Gate::of(access, self.address)?);
        let feed = Feed {
            board,
            health: self.health.clone(),
            streams: Streams::new(streams),
            offered: Offered::of(std::mem::take(&mut self.offers), &self.metrics),
        };
        let plant = api::router(feed.clone()).merge(crate::page::router());
        let routes = self.router.merge(plant);
        self.router = routes.layer(from_fn_with_state(gate, guard::guard));
        self.feed = Some(feed);
        Ok(self)
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
        if self.feed.is_none() && !self.address.ip().is_loopback() {
            let address = self.address;
            tracing::warn!(
                "health and metrics on {address} can be read by everybody who reaches that address"
            );
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let setting = Setting {
            router: self.router,
            tls: self.tls,
            board: self.feed.map(|feed| feed.board),
            limits: self.limits,
        };
        let serving = runtime.spawn(listening::serve(listener, setting, stopping));
        Ok(Running {
            scheme,
            address: self.address,
            stop,
            serving,
        })
    }
}

/// A server that answers. Dropping it cuts every connection.
#[derive(Debug)]
pub struct Running {
    /// How it is asked.
    scheme: &'static str,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Running {
    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The same with how it is asked.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
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
