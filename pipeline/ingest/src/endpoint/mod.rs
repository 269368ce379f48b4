//! The embedded MQTT endpoint: how clients reach `andon demo` and an `andon run` without
//! configuration, with no broker beside it.
//!
//! It is not a general broker. Clients publish observations to *us*; what comes in is handed on as
//! [`Delivery`]s and to nobody else, and what goes out is what we [publish](Publisher::publish).
//! [`Authority`] decides who may say and read what.
//!
//! **Acknowledged means safe.** PUBACK (QoS 1) and PUBREC (QoS 2) are sent when the receipt of the
//! message comes back through [`Settle`], in the order of arrival. When nobody takes deliveries,
//! sockets are not read; nothing is dropped. A message that is refused is answered with a reason
//! (v5, QoS 1 and 2) or by closing the connection (otherwise), counted, and recorded as a
//! [`Refusal`].
//!
//! **What it speaks.** MQTT v3.1.1 and v5 over TCP, with these decisions:
//! - Sessions are clean only: `session present` is always 0, session expiry is granted as 0. A
//!   publisher is expected to send again after a reconnect what was not acknowledged (one on
//!   `rumqttc`, which forgets it when no session is present, needs an outbox of its own), so
//!   delivery is at least once. Within one connection a repeated QoS 2 message is recognised.
//! - Readers are granted QoS 0, whatever they ask for: without kept sessions a higher one would
//!   promise nothing more. What we publish as retained is there for readers that come later.
//! - A reader that falls behind by more than [`Limits::outbox_bytes`] is disconnected.
//! - Wills are set aside and counted: they would be published for others, and there are none. The
//!   retain flag of a client's message has no effect, for the same reason.
//! - The same client (identity and client id) connecting again replaces its older connection.
//! - No topic aliases, no shared subscriptions, no subscription identifiers, no enhanced
//!   authentication, and no TLS: use a broker where the network is not trusted.

mod authority;
mod connection;
mod counters;
mod flight;
mod hub;
mod input;
mod limits;
mod link;
mod refusal;
mod reply;
mod retained;
mod roster;
mod session;
mod topic;
mod wire;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

pub use self::authority::{Anonymous, Authority, AuthorityError, Origin, Principal, Role, Secret};
pub use self::counters::Counts;
pub use self::limits::Limits;
pub use self::refusal::{HEAD_BYTES_MAX, Reason, Refusal};
pub use self::topic::{IN_BRANCH, OUT_BRANCH};

use self::connection::Place;
use self::hub::Hub;
use crate::delivery::{Delivery, Receipt, Settle};

/// How long accepting pauses after it failed, so that a lack of file descriptors is not made worse
/// by a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listening endpoint. Dropping it begins a [shutdown](Self::shutdown) that nobody waits for.
#[derive(Debug)]
pub struct Endpoint {
    hub: Arc<Hub>,
    address: SocketAddr,
    refusals: Option<mpsc::Receiver<Refusal>>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Endpoint {
    /// Listens on `address` and hands over what comes in. Must be called within a tokio runtime.
    /// The receiver ends once the endpoint has been shut down and everything has been taken.
    ///
    /// # Errors
    /// The address cannot be bound, or the limits contradict themselves (`InvalidInput`).
    pub async fn bind(
        address: impl ToSocketAddrs,
        authority: Authority,
        limits: Limits,
    ) -> io::Result<(Self, mpsc::Receiver<Delivery>)> {
        let (hub, refusals) = Hub::new(authority, limits)?;
        let hub = Arc::new(hub);
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (deliveries, taken) = mpsc::channel(hub.limits.deliveries);
        let (stop, stopping) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&hub), deliveries, stopping));
        Ok((
            Self {
                hub,
                address,
                refusals: Some(refusals),
                stop,
                accepting,
            },
            taken,
        ))
    }

    /// Where it listens; tells the port if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The way back for receipts.
    pub fn settle_handle(&self) -> SettleHandle {
        SettleHandle(Arc::clone(&self.hub))
    }

    /// The way out for verdicts, risk and enforcement.
    pub fn publisher(&self) -> Publisher {
        Publisher(Arc::clone(&self.hub))
    }

    /// Where refused messages arrive; `None` after the first call. If nobody takes them they are
    /// only counted, once [`Limits::refusals`] of them wait.
    pub fn refusals(&mut self) -> Option<mpsc::Receiver<Refusal>> {
        self.refusals.take()
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.hub.counters.read()
    }

    /// Stops accepting and reading, waits for what was handed over to be settled (at most
    /// [`Limits::drain_within`]), says good-bye and closes. The caller goes on taking and settling
    /// meanwhile; the receiver of deliveries ends first.
    pub async fn shutdown(self) -> Counts {
        // An error means that the accepting task has ended already.
        let _ended = self.stop.send(true).is_err();
        if let Err(error) = self.accepting.await {
            tracing::error!("accepting connections ended early: {error}");
        }
        self.hub.counters.read()
    }
}

/// Acknowledges messages to their senders once they are safe.
#[derive(Clone, Debug)]
pub struct SettleHandle(Arc<Hub>);

impl Settle for SettleHandle {
    fn settle(&self, receipts: &[Receipt]) {
        self.0.settle(receipts);
    }
}

/// Sends messages to those who have subscribed.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<Hub>);

impl Publisher {
    /// Queues a message for every reader of its topic and returns how many there were. Never
    /// waits: a reader without room is cut and counted. With `retain` it is also kept for readers
    /// that come later, in place of the topic's last one (an empty payload only removes that).
    /// The device level of the topic is folded to lower case. Messages of one topic arrive in
    /// order if one caller at a time sends them.
    pub fn publish(&self, topic: &str, payload: &[u8], retain: bool) -> usize {
        self.0.publish(topic, payload, retain)
    }
}

/// Accepts connections until told to stop, then waits for them to end.
async fn accept(
    listener: TcpListener,
    hub: Arc<Hub>,
    deliveries: mpsc::Sender<Delivery>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let stopping = stop.clone();
    loop {
        tokio::select! {
            // Changed to true, or gone with the endpoint.
            _ = stop.changed() => break,
            Some(ended) = connections.join_next() => report(&hub, ended),
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    if let Some(place) = Place::take(&hub, peer.ip()) {
                        let (deliveries, stop) = (deliveries.clone(), stopping.clone());
                        connections.spawn(connection::serve(socket, peer, place, deliveries, stop));
                    }
                }
                Err(error) => {
                    hub.counters.accept_errors.increment();
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop((listener, deliveries));
    while let Some(ended) = connections.join_next().await {
        report(&hub, ended);
    }
}

/// A panic in a connection's task ends that connection only, but must not go unseen.
fn report(hub: &Hub, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        hub.counters.panics.increment();
        tracing::error!("a connection ended abnormally: {error}");
    }
}
