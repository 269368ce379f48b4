//! The listener: takes connections, and gives each a place.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Limits;
use super::connection::{self, Asked, Lease};
use crate::access::Tls;
use crate::board::Board;

/// Pause after a failure to take a connection, such as being out of file descriptors.
const PAUSE: Duration = Duration::from_millis(500);

/// What every connection is served with.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
    pub(super) board: Option<Board>,
    pub(super) limits: Limits,
}

/// Takes connections until it is told to stop, then waits for those there are.
pub(super) async fn serve(
    listener: tokio::net::TcpListener,
    setting: Setting,
    mut stopping: watch::Receiver<bool>,
) {
    let crowd = watch::Sender::new(());
    let places = Arc::new(Semaphore::new(setting.limits.places));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let came = take(&listener).await;
            if places.available_permits() == 0 {
                crowd.send_replace(());
            }
            (came, Arc::clone(&places).acquire_owned().await)
        };
        let ((stream, peer), place) = tokio::select! {
            next = next => next,
            () = connection::stopped(&mut stopping) => break,
        };
        // Those that have ended; there are no more than there are places.
        while connections.try_join_next().is_some() {}
        let Ok(place) = place else {
            break;
        };
        let asked = Asked {
            stopping: stopping.clone(),
            crowded: crowd.subscribe(),
        };
        let setting = setting.clone();
        connections.spawn(async move {
            let board = setting.board.clone();
            let heard = welcome(setting, stream, peer, place, asked).await;
            if let Some(board) = board.filter(|_| !heard) {
                board.client_was_slow();
            }
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves a connection, encrypted if that is how it is done here. `false` if it did not read.
async fn welcome(
    setting: Setting,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    asked: Asked,
) -> bool {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("answers may be held back for a moment: {error}");
    }
    let peer = peer.ip().to_canonical();
    let limits = setting.limits;
    let Some(tls) = &setting.tls else {
        let lease = Lease::new(place, peer, None, asked.stopping.clone());
        return connection::serve(stream, setting.router, limits, asked, lease).await;
    };
    let shaken = timeout(limits.request_within, tls.acceptor().accept(stream)).await;
    let stream = match shaken {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!("no TLS with {peer}: {error}");
            return true;
        }
        Err(_) => return true,
    };
    let shown = stream.get_ref().1.peer_certificates();
    let named = shown.and_then(|chain| tls.named(chain.first()?));
    let lease = Lease::new(place, peer, named, asked.stopping.clone());
    connection::serve(stream, setting.router, limits, asked, lease).await
}

/// The next connection. A failure to take one is told once, and tried again.
async fn take(listener: &tokio::net::TcpListener) -> (TcpStream, SocketAddr) {
    let mut is_news = true;
    loop {
        match listener.accept().await {
            Ok(came) => return came,
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
