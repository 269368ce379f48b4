//! One connection: its requests, and how it is made to end.

use std::pin::pin;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Limits;

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
    /// before it has to make place.
    async fn until_end(mut self, limits: Limits) {
        let make_place = async {
            // An error means that nobody takes connections any more, so the server stops.
            if self.crowded.changed().await.is_ok() {
                sleep(limits.patience).await;
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

/// Answers requests until the other side leaves, is silent for too long, or is asked to end and
/// the current answer is out.
pub(super) async fn serve(stream: TcpStream, router: Router, limits: Limits, asked: Asked) {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        // Counts from the end of the last answer, so idle connections end by it as well.
        .header_read_timeout(limits.request_within)
        .max_buf_size(limits.request_bytes);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked.until_end(limits) => {
            connection.as_mut().graceful_shutdown();
            // Whoever does not take its answer is cut off.
            timeout(limits.end_within, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection ended: {error}");
    }
}
