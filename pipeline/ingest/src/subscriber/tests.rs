//! The subscriber against a broker played by the test, byte by byte: what it does when the broker
//! refuses, forgets, floods, or is not there.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

const CONNECT: u8 = 0x10;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const PINGREQ: u8 = 0xC0;
const DISCONNECT: u8 = 0xE0;

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened")
}

struct Broker(TcpListener);

impl Broker {
    async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Takes a connection and answers it.
    async fn accept(&self, session_present: bool, code: u8) -> Peer {
        let (socket, _) = patiently(self.0.accept()).await.unwrap();
        let mut peer = Peer(socket);
        let connect = peer.expect(CONNECT).await;
        // Protocol name and level, then the flags: a persistent session.
        assert_eq!(connect[..7], [0, 4, b'M', b'Q', b'T', b'T', 4]);
        assert_eq!(connect[7] & 0b10, 0);
        peer.send(&[0x20, 2, u8::from(session_present), code]).await;
        peer
    }

    /// Takes a connection without a session and grants its subscription.
    async fn welcome(&self) -> Peer {
        let mut peer = self.accept(false, 0).await;
        peer.grant(1).await;
        peer
    }
}

struct Peer(TcpStream);

impl Peer {
    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next packet: its first byte and what follows the length.
    async fn packet(&mut self) -> (u8, Vec<u8>) {
        let first = patiently(self.0.read_u8()).await.unwrap();
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.0.read_u8().await.unwrap();
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        patiently(self.0.read_exact(&mut body)).await.unwrap();
        (first, body)
    }

    /// The body of the next packet that is no ping; it must be of this kind.
    async fn expect(&mut self, kind: u8) -> Vec<u8> {
        loop {
            match self.packet().await {
                (PINGREQ, _) if kind != PINGREQ => self.send(&[0xD0, 0]).await,
                (first, body) => {
                    assert_eq!(first, kind, "{body:?}");
                    return body;
                }
            }
        }
    }

    async fn grant(&mut self, code: u8) {
        let subscribe = self.expect(SUBSCRIBE).await;
        self.send(&[0x90, 3, subscribe[0], subscribe[1], code])
            .await;
    }

    async fn publish(&mut self, packet: u16, topic: &str, payload: &[u8]) {
        let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend_from_slice(topic.as_bytes());
        let qos = if packet == 0 { 0 } else { 0b10 };
        if packet > 0 {
            body.extend_from_slice(&packet.to_be_bytes());
        }
        body.extend_from_slice(payload);
        let mut bytes = vec![0x30 | qos];
        let mut length = body.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(&body);
        self.send(&bytes).await;
    }

    /// The packet id of the next acknowledgement.
    async fn acknowledged(&mut self) -> u16 {
        let body = self.expect(PUBACK).await;
        u16::from_be_bytes(body[..2].try_into().unwrap())
    }
}

fn options(address: SocketAddr) -> Options {
    let address = format!("mqtt://{address}").parse().unwrap();
    Options {
        shortest_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        ..Options::new(address, "test", vec!["andon/v1/in/plant/#".to_owned()])
    }
}

async fn until(
    health: &mut watch::Receiver<Health>,
    wanted: impl FnMut(&Health) -> bool,
) -> Health {
    patiently(health.wait_for(wanted)).await.unwrap().clone()
}

async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    patiently(deliveries.recv()).await.unwrap()
}

const TOPIC: &str = "andon/v1/in/plant/CNC-7/reading";

#[tokio::test]
async fn a_message_is_acknowledged_when_it_is_settled_in_order_of_arrival() {
    let broker = Broker::bind().await;
    let (subscriber, mut deliveries) = Subscriber::start(options(broker.address())).unwrap();
    let mut peer = broker.welcome().await;
    peer.publish(0, TOPIC, b"unconfirmed").await;
    peer.publish(5, TOPIC, b"a").await;
    peer.publish(2, TOPIC, b"b").await;

    let unconfirmed = next(&mut deliveries).await;
    assert_eq!(
        (unconfirmed.receipt, &*unconfirmed.payload),
        (None, &b"unconfirmed"[..])
    );
    assert_eq!(unconfirmed.topic, TOPIC);
    assert_eq!(unconfirmed.sender.name, "cnc-7");
    assert!(!unconfirmed.sender.proven);
    let (a, b) = (next(&mut deliveries).await, next(&mut deliveries).await);
    let settle = subscriber.settle_handle();
    settle.settle(&[b.receipt.unwrap()]);
    settle.settle(&[a.receipt.unwrap()]);
    assert_eq!(peer.acknowledged().await, 5);
    assert_eq!(peer.acknowledged().await, 2);
}

#[tokio::test]
async fn a_receipt_of_the_last_connection_acknowledges_nothing_on_the_next() {
    let broker = Broker::bind().await;
    let options = Options {
        drain_within: Duration::from_millis(10),
        ..options(broker.address())
    };
    let (subscriber, mut deliveries) = Subscriber::start(options).unwrap();
    let mut peer = broker.welcome().await;
    peer.publish(1, TOPIC, b"old").await;
    let old = next(&mut deliveries).await.receipt.unwrap();
    drop(peer);

    // The broker has lost the session, so it numbers from the beginning.
    let mut peer = broker.welcome().await;
    peer.publish(1, TOPIC, b"new").await;
    assert_eq!(next(&mut deliveries).await.payload, b"new");
    subscriber.settle_handle().settle(&[old]);
    subscriber.shutdown().await;
    // Not a PUBACK.
    peer.expect(DISCONNECT).await;
}

#[tokio::test]
async fn what_was_read_and_not_handed_over_goes_with_its_connection() {
    let broker = Broker::bind().await;
    let (_subscriber, mut deliveries) = Subscriber::start(options(broker.address())).unwrap();
    let mut peer = broker.accept(false, 0).await;
    peer.expect(SUBSCRIBE).await;
    // Both are read at once, and the refusal ends the connection.
    let refused = [0x90, 3, 0, 1, 0x80];
    let stale = [0x32, 5, 0, 1, b't', 0, 1];
    peer.send(&[&refused[..], &stale].concat()).await;
    let mut next_peer = broker.welcome().await;
    next_peer.publish(1, TOPIC, b"fresh").await;
    assert_eq!(next(&mut deliveries).await.payload, b"fresh");
}

#[tokio::test]
async fn a_kept_session_is_not_subscribed_again() {
    let broker = Broker::bind().await;
    let (subscriber, mut deliveries) = Subscriber::start(options(broker.address())).unwrap();
    let mut health = subscriber.health();
    let peer = broker.welcome().await;
    until(&mut health, |health| {
        matches!(health, Health::Connected { .. })
    })
    .await;
    drop(peer);
    let mut peer = broker.accept(true, 0).await;
    peer.publish(1, TOPIC, b"x").await;
    let receipt = next(&mut deliveries).await.receipt.unwrap();
    subscriber.settle_handle().settle(&[receipt]);
    assert_eq!(peer.acknowledged().await, 1);
}

#[tokio::test]
async fn a_refused_subscription_is_reported_and_asked_for_again() {
    let broker = Broker::bind().await;
    let (subscriber, _deliveries) = Subscriber::start(options(broker.address())).unwrap();
    let mut health = subscriber.health();
    let reasons = [
        (
            0x80,
            "subscription to \"andon/v1/in/plant/#\" is not allowed",
        ),
        (
            0,
            "subscription to \"andon/v1/in/plant/#\" was granted without acknowledgements (QoS 0)",
        ),
    ];
    for (code, reason) in reasons {
        let mut peer = broker.accept(false, 0).await;
        peer.grant(code).await;
        let refused = Health::Refused {
            reason: reason.to_owned(),
        };
        until(&mut health, |health| *health == refused).await;
    }
    let _peer = broker.welcome().await;
    until(&mut health, |health| {
        matches!(health, Health::Connected { .. })
    })
    .await;
}

#[tokio::test]
async fn a_refused_connection_is_reported() {
    let broker = Broker::bind().await;
    let (subscriber, _deliveries) = Subscriber::start(options(broker.address())).unwrap();
    let mut health = subscriber.health();
    broker.accept(false, 5).await;
    let refused = until(&mut health, |health| {
        matches!(health, Health::Refused { .. })
    })
    .await;
    let reason = "client is not authorised".to_owned();
    assert_eq!(refused, Health::Refused { reason });
}

#[tokio::test]
async fn a_broker_that_is_absent_at_the_start_is_tried_until_it_is_there() {
    let broker = Broker::bind().await;
    let address = broker.address();
    drop(broker);
    let (subscriber, _deliveries) = Subscriber::start(options(address)).unwrap();
    let mut health = subscriber.health();
    let seen = until(
        &mut health,
        |health| matches!(health, Health::Connecting { attempt, .. } if *attempt >= 3),
    );
    let Health::Connecting { last_error, .. } = seen.await else {
        unreachable!("waited for it");
    };
    assert!(last_error.unwrap().contains("refused"));
    let broker = Broker(TcpListener::bind(address).await.unwrap());
    let _peer = broker.welcome().await;
    until(&mut health, |health| {
        matches!(health, Health::Connected { .. })
    })
    .await;
}

#[tokio::test]
async fn while_nobody_takes_deliveries_the_connection_stays_alive_and_nothing_is_lost() {
    let broker = Broker::bind().await;
    let options = Options {
        deliveries: 1,
        keep_alive: Duration::from_secs(1),
        ..options(broker.address())
    };
    let (subscriber, mut deliveries) = Subscriber::start(options).unwrap();
    let mut peer = broker.welcome().await;
    for packet in 1..=100 {
        peer.publish(packet, TOPIC, &packet.to_be_bytes()).await;
    }
    // Pings go on, twice per keep-alive, although their answers cannot be read yet.
    for _ in 0..5 {
        peer.expect(PINGREQ).await;
        peer.send(&[0xD0, 0]).await;
    }
    // Acknowledgements go out although the next message does not fit.
    let first = next(&mut deliveries).await;
    let settle = subscriber.settle_handle();
    settle.settle(&[first.receipt.unwrap()]);
    assert_eq!(peer.acknowledged().await, 1);
    for packet in 2..=100_u16 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.payload, packet.to_be_bytes());
        settle.settle(&[delivery.receipt.unwrap()]);
        assert_eq!(peer.acknowledged().await, packet);
    }
}

#[tokio::test]
async fn a_large_message_arrives() {
    let broker = Broker::bind().await;
    let (_subscriber, mut deliveries) = Subscriber::start(options(broker.address())).unwrap();
    let mut peer = broker.welcome().await;
    let payload = vec![7; 3 << 20];
    peer.publish(1, TOPIC, &payload).await;
    assert_eq!(next(&mut deliveries).await.payload, payload);
}

#[tokio::test]
async fn a_shutdown_waits_for_what_was_handed_over() {
    let broker = Broker::bind().await;
    let options = Options {
        trusted_topics: true,
        device_level: 1,
        ..options(broker.address())
    };
    let (subscriber, mut deliveries) = Subscriber::start(options).unwrap();
    let mut peer = broker.welcome().await;
    peer.publish(1, "plant/PLC-1", b"x").await;
    peer.publish(2, "plant", b"no device").await;
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.sender.name, "plc-1");
    assert!(delivery.sender.proven);
    let nameless = next(&mut deliveries).await;
    assert_eq!(nameless.sender.name, "");
    assert!(!nameless.sender.proven);

    let settle = subscriber.settle_handle();
    let shutdown = tokio::spawn(subscriber.shutdown());
    assert!(patiently(deliveries.recv()).await.is_none());
    assert!(!shutdown.is_finished());
    settle.settle(&[delivery.receipt.unwrap(), nameless.receipt.unwrap()]);
    assert_eq!(peer.acknowledged().await, 1);
    assert_eq!(peer.acknowledged().await, 2);
    peer.expect(DISCONNECT).await;
    patiently(shutdown).await.unwrap();
}

#[test]
fn options_that_cannot_work_are_refused() {
    let good = options(([127, 0, 0, 1], 1883).into());
    let refused = |options: Options| options.check().unwrap_err();
    let with_filters = |filters: &[&str]| Options {
        filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        ..good.clone()
    };
    assert_eq!(good.check(), Ok(()));
    assert_eq!(refused(with_filters(&[])), OptionsError::NoFilter);
    for bad in ["", "a#", "a/#/b", "a+/b", "a\0"] {
        let error = OptionsError::Filter(bad.to_owned());
        assert_eq!(refused(with_filters(&["a/+/#", bad])), error);
    }
    let changed = |change: fn(&mut Options)| {
        let mut options = good.clone();
        change(&mut options);
        refused(options)
    };
    let nameless = changed(|options| options.client_id.clear());
    assert_eq!(nameless, OptionsError::NoClientId);
    let roomless = changed(|options| options.deliveries = 0);
    assert_eq!(roomless, OptionsError::Deliveries(0));
    let keep_alive = Duration::from_millis(999);
    let hectic = Options { keep_alive, ..good };
    assert_eq!(refused(hectic), OptionsError::KeepAlive(keep_alive));
}

#[test]
fn a_password_is_not_shown() {
    let credentials = Credentials {
        user: "andon".to_owned(),
        password: "secret".to_owned(),
    };
    assert!(!format!("{credentials:?}").contains("secret"));
}
