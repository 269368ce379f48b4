//! One connection from accept to close: the CONNECT and its answer, then reading and writing side
//! by side until one of them ends.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::result_code::ConnectReasonCode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::authority::Identity;
use super::hub::Hub;
use super::input::{Input, Stop};
use super::link::{Link, Work};
use super::reply::{self, Terms};
use super::session::{Ending, Session};
use super::wire::{Fault, Header, Hello, Unreadable, Version, kind};
use crate::delivery::Delivery;

/// A writer's batch above this size is given back once it is written.
const BATCH_KEPT: usize = 64 << 10;
/// How much, and for how long, a peer may still send after it has been told good-bye.
const LINGER_BYTES: usize = 1 << 20;
const LINGER: Duration = Duration::from_secs(1);

/// A place among the connections; given back on drop.
#[derive(Debug)]
pub(super) struct Place {
    hub: Arc<Hub>,
    address: IpAddr,
}

impl Place {
    /// `None` if the limits on connections are reached.
    pub(super) fn take(hub: &Arc<Hub>, address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        let limits = &hub.limits;
        let (open, each) = (limits.connections, limits.connections_per_address);
        if !hub.roster().arrive(address, open, each) {
            hub.counters.refused_full.increment();
            return None;
        }
        hub.counters.connections.increment();
        Some(Self {
            hub: Arc::clone(hub),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hub.roster().depart(self.address);
        self.hub.counters.connections.decrement();
    }
}

/// Serves one connection until it ends, or until `stop` says that the endpoint does.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    place: Place,
    deliveries: mpsc::Sender<Delivery>,
    mut stop: watch::Receiver<bool>,
) {
    // Acknowledgements are small and waited for.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%peer, "no-delay was not set: {error}");
    }
    let hub = Arc::clone(&place.hub);
    let (reader, mut writer) = socket.into_split();
    let mut input = Input::new(reader, Arc::clone(&hub.budget), hub.limits.packet_within);
    let greeted = tokio::select! {
        greeted = greet(&hub, &mut input, peer) => greeted,
        () = stopped(&mut stop) => return,
    };
    let (hello, identity) = match greeted {
        Ok(greeted) => greeted,
        Err(answer) => return say(&mut writer, &answer, hub.limits.write_within).await,
    };
    let session = enter(&hub, hello, identity, peer, deliveries);
    let link = Arc::clone(&session.link);
    let mut writing = pin!(write(&hub, &link, writer));
    let ending = tokio::select! {
        ending = read(session, &mut input, stop) => ending,
        // The peer takes nothing any more.
        () = &mut writing => return,
    };
    let fault = match ending {
        Ending::Left => None,
        Ending::Because(fault) => Some(fault),
    };
    tracing::debug!(%peer, "connection ended: {ending:?}");
    link.close(fault);
    let written = timeout(hub.limits.drain_within, writing).await.is_ok();
    if written && fault.is_some() {
        // A close with unread input resets the connection, and the reason may be lost with it.
        input.discard(LINGER_BYTES, LINGER).await;
    }
}

/// Waits for the endpoint's end; one that was dropped has ended too.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which says the same.
    let _gone = stop.wait_for(|stop| *stop).await.is_err();
}

/// The reading side, until the client, its link or the endpoint ends.
async fn read(
    mut session: Session,
    input: &mut Input<OwnedReadHalf>,
    mut stop: watch::Receiver<bool>,
) -> Ending {
    let link = Arc::clone(&session.link);
    let ending = tokio::select! {
        ending = session.read(input) => ending,
        () = link.ended() => Ending::Left,
        () = stopped(&mut stop) => Ending::Because(Fault::ServerShuttingDown),
    };
    if ending == Ending::Because(Fault::ServerShuttingDown) {
        // What has been handed over is to be acknowledged before the end, so that nobody sends it
        // again. Whoever should settle it may be gone, so the wait has an end.
        session.close_intake();
        let within = session.hub.limits.drain_within;
        let _overdue = timeout(within, link.unsettled_below(1)).await.is_err();
    }
    ending
}

/// The writing side. Returns when everything is written after the end, or when the peer does not
/// take what it is sent.
async fn write(hub: &Hub, link: &Link, mut socket: OwnedWriteHalf) {
    let mut batch = Vec::new();
    loop {
        match link.next_work(&mut batch) {
            Work::Write => {}
            Work::Replay(replay) => {
                if let Some(rest) = hub.continue_replay(link, replay, &mut batch) {
                    link.resume_replay(rest);
                }
            }
            Work::Idle => {
                link.work.notified().await;
                continue;
            }
            Work::Stop => break,
        }
        let sent = tokio::select! {
            sent = timeout(hub.limits.write_within, socket.write_all(&batch)) => sent,
            () = link.is_cut() => break,
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => {
                hub.counters.slow_readers.increment();
                break;
            }
        }
        batch.clear();
        if batch.capacity() > BATCH_KEPT {
            batch = Vec::new();
        }
    }
    if let Err(error) = socket.shutdown().await {
        tracing::trace!(connection = link.number, "close: {error}");
    }
}

/// Reads the CONNECT and decides on it.
///
/// # Errors
/// What to answer before closing; nothing for one who does not speak MQTT.
async fn greet(
    hub: &Hub,
    input: &mut Input<OwnedReadHalf>,
    peer: SocketAddr,
) -> Result<(Hello, Identity), Vec<u8>> {
    let wanted = |header: Header| match header.kind() {
        kind::CONNECT => Ok(hub.limits.connect_bytes),
        _ => Err(Fault::ProtocolError),
    };
    // The limit is on the whole CONNECT, however many pieces it comes in.
    let within = hub.limits.connect_within;
    let header = match timeout(within, input.packet(within, wanted)).await {
        Ok(Ok(header)) => header,
        Ok(Err(stop)) => {
            match stop {
                Stop::Gone => {}
                Stop::Overdue => hub.counters.connect_overdue.increment(),
                Stop::Oversized(_) => hub.counters.oversized.increment(),
                Stop::Fault(_) => hub.counters.malformed.increment(),
            }
            return Err(Vec::new());
        }
        Err(_) => {
            hub.counters.connect_overdue.increment();
            return Err(Vec::new());
        }
    };
    let hello = match Hello::read(header, input.body()) {
        Ok(hello) => hello,
        Err(Unreadable::Malformed) => {
            hub.counters.malformed.increment();
            return Err(Vec::new());
        }
        Err(Unreadable::Version) => {
            hub.counters.refused.increment();
            let reason = ConnectReasonCode::UnsupportedProtocolVersion;
            return Err(reply::refusal(Version::V3, reason).unwrap_or_default());
        }
    };
    decide(hub, &hello, peer)
        .map(|identity| (hello, identity))
        .map_err(|(version, reason)| {
            hub.counters.refused.increment();
            tracing::info!(%peer, "connection refused: {reason:?}");
            reply::refusal(version, reason).unwrap_or_default()
        })
}

/// Whether a CONNECT is granted, and to whom.
fn decide(
    hub: &Hub,
    hello: &Hello,
    peer: SocketAddr,
) -> Result<Identity, (Version, ConnectReasonCode)> {
    let refuse = |reason| Err((hello.version, reason));
    let id = &hello.client_id;
    let nameless = id.is_empty() && hello.keeps_session && hello.version == Version::V3;
    if nameless || id.len() > hub.limits.topic_bytes || id.contains(char::is_control) {
        return refuse(ConnectReasonCode::ClientIdentifierNotValid);
    }
    if hello.enhanced_authentication {
        return refuse(ConnectReasonCode::BadAuthenticationMethod);
    }
    let (user, password) = (hello.user.as_deref(), hello.password.as_deref());
    match hub.authority.identify(user, password, id, peer.ip()) {
        Some(identity) => Ok(identity),
        None if user.is_some() => refuse(ConnectReasonCode::BadUserNameOrPassword),
        None => refuse(ConnectReasonCode::NotAuthorized),
    }
}

/// Enters a client that was let in, and queues its CONNACK.
fn enter(
    hub: &Arc<Hub>,
    hello: Hello,
    identity: Identity,
    peer: SocketAddr,
    deliveries: mpsc::Sender<Delivery>,
) -> Session {
    let limits = &hub.limits;
    let link = Arc::new(Link::new(hub.next_number(), &hello, limits));
    let assigned = hello
        .client_id
        .is_empty()
        .then(|| format!("andon-{}", link.number));
    let longest = u16::try_from(limits.keep_alive_max.as_secs()).unwrap_or(u16::MAX);
    let keep_alive = match hello.keep_alive {
        0 => longest,
        asked => asked.min(longest),
    };
    let terms = Terms {
        receive_maximum: limits.in_flight,
        // Five bytes is the longest fixed header.
        maximum_packet: u32::try_from(limits.publish_bytes() + 5).unwrap_or(u32::MAX),
        keep_alive: (keep_alive != hello.keep_alive).then_some(keep_alive),
        assigned: assigned.as_deref(),
        decline_expiry: hello.keeps_session,
    };
    link.reply(&reply::welcome(hello.version, &terms).unwrap_or_default());
    hub.counters.accepted.increment();
    if hello.will {
        hub.counters.wills_ignored.increment();
    }
    let sender = identity.sender();
    let client = (
        sender.name,
        sender.proven,
        assigned.unwrap_or(hello.client_id),
    );
    let older = hub.roster().enter(client.clone(), Arc::clone(&link));
    if let Some(older) = older {
        hub.counters.taken_over.increment();
        older.close(Some(Fault::SessionTakenOver));
    }
    Session {
        hub: Arc::clone(hub),
        link,
        identity,
        client,
        peer,
        deliveries: Some(deliveries),
        idle: Duration::from_secs(u64::from(keep_alive)) * 3 / 2,
        filters: BTreeSet::new(),
    }
}

/// Writes a last answer, if there is one, and closes.
async fn say(socket: &mut OwnedWriteHalf, answer: &[u8], within: Duration) {
    let farewell = async {
        socket.write_all(answer).await?;
        socket.shutdown().await
    };
    if let Ok(Err(error)) = timeout(within, farewell).await {
        tracing::trace!("answer to a refused connection: {error}");
    }
}
