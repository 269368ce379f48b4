//! The publisher against a broker played by the test, byte by byte: what it does when the broker
//! goes away, refuses, or does not acknowledge.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened")
}

struct Broker(TcpListener);

impl Broker {
    async fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn options(&self) -> Options {
        options(self.0.local_addr().unwrap())
    }

    /// Takes a connection and answers it with this code.
    async fn accept(&self, code: u8) -> Peer {
        let (socket, _) = patiently(self.0.accept()).await.unwrap();
        let mut peer = Peer(socket);
        let (first, connect) = peer.packet().await;
        assert_eq!(first, 0x10);
        // The flags ask for a clean session.
        assert_eq!(connect[7] & 0b10, 0b10);
        peer.0.write_all(&[0x20, 2, 0, code]).await.unwrap();
        peer
    }
}

struct Peer(TcpStream);

/// A message as the broker sees it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    packet: u16,
    topic: String,
    payload: Vec<u8>,
    retain: bool,
}

impl Peer {
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

    async fn message(&mut self) -> Seen {
        let (first, body) = self.packet().await;
        // A PUBLISH of QoS 1, whatever its other flags.
        assert_eq!(first & 0b1111_0110, 0b0011_0010);
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let (topic, rest) = body[2..].split_at(length);
        Seen {
            packet: u16::from_be_bytes([rest[0], rest[1]]),
            topic: String::from_utf8(topic.to_vec()).unwrap(),
            payload: rest[2..].to_vec(),
            retain: first & 1 == 1,
        }
    }

    async fn acknowledge(&mut self, seen: &Seen) {
        let [high, low] = seen.packet.to_be_bytes();
        self.0.write_all(&[0x40, 2, high, low]).await.unwrap();
    }
}

fn options(address: SocketAddr) -> Options {
    Options {
        shortest_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        ..Options::new(&address.ip().to_string(), address.port(), "test")
    }
}

async fn publish(publisher: &Publisher, payloads: &[&str]) {
    for payload in payloads {
        let bytes = payload.as_bytes().to_vec();
        let adding = publisher.publish("andon/v1/out/plant/cnc-7/risk", bytes, *payload == "b");
        patiently(adding).await.unwrap();
    }
}

/// Waits until the publisher has seen all acknowledgements but for so many messages.
async fn until_left(publisher: &Publisher, messages: usize) {
    patiently(async {
        while publisher.unacknowledged() > messages {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_on_the_next_connection_in_order() {
    let broker = Broker::bind().await;
    let publisher = Publisher::start(broker.options()).unwrap();
    publish(&publisher, &["a", "b", "c"]).await;
    let mut peer = broker.accept(0).await;
    let a = peer.message().await;
    assert_eq!((&*a.payload, a.retain), (&b"a"[..], false));
    let b = peer.message().await;
    assert_eq!((&*b.payload, b.retain), (&b"b"[..], true));
    assert_eq!(peer.message().await.payload, b"c");
    peer.acknowledge(&a).await;
    until_left(&publisher, 2).await;
    drop(peer);

    publish(&publisher, &["d"]).await;
    let mut peer = broker.accept(0).await;
    for payload in ["b", "c", "d"] {
        let seen = peer.message().await;
        assert_eq!(
            (&*seen.payload, seen.retain),
            (payload.as_bytes(), payload == "b")
        );
        assert_eq!(seen.topic, "andon/v1/out/plant/cnc-7/risk");
        peer.acknowledge(&seen).await;
    }
    patiently(publisher.flush()).await.unwrap();
    assert_eq!(publisher.unacknowledged(), 0);
}

#[tokio::test]
async fn no_more_than_the_window_is_on_its_way() {
    let broker = Broker::bind().await;
    let options = Options {
        window: 2,
        ..broker.options()
    };
    let publisher = Publisher::start(options).unwrap();
    publish(&publisher, &["1", "2", "3", "4"]).await;
    let mut peer = broker.accept(0).await;
    let first = peer.message().await;
    let second = peer.message().await;
    // The third can only be here because the second was acknowledged: it bears its packet id.
    peer.acknowledge(&second).await;
    let third = peer.message().await;
    assert_eq!((third.packet, &*third.payload), (second.packet, &b"3"[..]));
    peer.acknowledge(&first).await;
    let fourth = peer.message().await;
    assert_eq!((fourth.packet, &*fourth.payload), (first.packet, &b"4"[..]));
}

#[tokio::test]
async fn a_shutdown_says_good_bye_and_tells_what_is_abandoned() {
    let broker = Broker::bind().await;
    let publisher = Publisher::start(broker.options()).unwrap();
    publish(&publisher, &["a", "b"]).await;
    let mut peer = broker.accept(0).await;
    let a = peer.message().await;
    peer.message().await;
    peer.acknowledge(&a).await;
    until_left(&publisher, 1).await;
    let abandoned = patiently(publisher.shutdown(Duration::from_millis(10))).await;
    assert_eq!(abandoned, 1);
    assert_eq!(peer.packet().await.0, 0xE0);
}

#[tokio::test]
async fn a_refusal_is_reported_until_the_broker_accepts() {
    let broker = Broker::bind().await;
    let publisher = Publisher::start(broker.options()).unwrap();
    publish(&publisher, &["a"]).await;
    let mut health = publisher.health();
    drop(broker.accept(4).await);
    let refused = health.wait_for(|health| matches!(health, Health::Refused { .. }));
    let reason = "user or password is wrong".to_owned();
    assert_eq!(
        *patiently(refused).await.unwrap(),
        Health::Refused { reason }
    );
    let mut peer = broker.accept(0).await;
    let connected = health.wait_for(|health| matches!(health, Health::Connected { .. }));
    patiently(connected).await.unwrap();
    assert_eq!(peer.message().await.payload, b"a");
}

#[tokio::test]
async fn impossible_messages_are_refused_with_the_reason() {
    let broker = Broker::bind().await;
    let options = Options {
        outbox_bytes: 1_000,
        ..broker.options()
    };
    let publisher = Publisher::start(options).unwrap();
    for topic in ["", "a/#", "a/+/b", "a\0", &"x".repeat(65_536)] {
        let error = publisher
            .publish(topic, Vec::new(), false)
            .await
            .unwrap_err();
        assert_eq!(error, PublishError::Topic(topic.to_owned()));
    }
    let error = publisher
        .publish("a", vec![0; 1_000], false)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "message of 1000 bytes to \"a\" is too large"
    );
    assert_eq!(publisher.unacknowledged(), 0);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let good = options(([127, 0, 0, 1], 1883).into());
    assert_eq!(good.check(), Ok(()));
    let host = String::new();
    let bad = Options {
        host,
        ..good.clone()
    };
    assert_eq!(bad.check(), Err(OptionsError::NoHost));
    let client_id = String::new();
    let bad = Options {
        client_id,
        ..good.clone()
    };
    assert_eq!(bad.check(), Err(OptionsError::NoClientId));
    for outbox_bytes in [0, usize::MAX] {
        let bad = Options {
            outbox_bytes,
            ..good.clone()
        };
        assert_eq!(bad.check(), Err(OptionsError::Outbox(outbox_bytes)));
    }
    let bad = Options {
        window: 0,
        ..good.clone()
    };
    assert_eq!(bad.check(), Err(OptionsError::NoWindow));
    let keep_alive = Duration::from_millis(1);
    let bad = Options { keep_alive, ..good };
    assert_eq!(bad.check(), Err(OptionsError::KeepAlive(keep_alive)));
}
