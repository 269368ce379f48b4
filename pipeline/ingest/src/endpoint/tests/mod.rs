//! The endpoint from outside, over real sockets: the protocol byte by byte, hostile input, limits
//! and pressure, and the clients that people use.
//!
//! This file holds the bench that the others share.

mod clients;
mod hostile;
mod pressure;
mod protocol;
mod readers;
mod throughput;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::delivery::Sender;

/// Long enough that only a hang reaches it. No test waits for it otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// An endpoint on a free port, with everything that comes out of it.
struct Bench {
    endpoint: Endpoint,
    deliveries: mpsc::Receiver<Delivery>,
    refusals: mpsc::Receiver<Refusal>,
}

impl Bench {
    async fn start(authority: Authority, limits: Limits) -> Self {
        let bound = Endpoint::bind("127.0.0.1:0", authority, limits).await;
        let (mut endpoint, deliveries) = bound.unwrap();
        let refusals = endpoint.refusals().unwrap();
        Self {
            endpoint,
            deliveries,
            refusals,
        }
    }

    /// Anonymous clients from this machine, as an `andon run` without configuration has it.
    async fn open() -> Self {
        Self::start(Authority::default(), Limits::default()).await
    }

    /// As [`Self::open`], with some principals whose password is their name.
    async fn with(principals: &[(&str, Role)], limits: Limits) -> Self {
        let principals = principals.iter().map(|(name, role)| Principal {
            name: (*name).to_owned(),
            role: role.clone(),
            secret: Secret::of_password(name.as_bytes()),
        });
        let authority = Authority::new(principals, Anonymous::default()).unwrap();
        Self::start(authority, limits).await
    }

    async fn next(&mut self) -> Delivery {
        timeout(PATIENCE, self.deliveries.recv())
            .await
            .expect("no delivery")
            .unwrap()
    }

    async fn refusal(&mut self) -> Refusal {
        timeout(PATIENCE, self.refusals.recv())
            .await
            .expect("no refusal")
            .unwrap()
    }

    fn settle(&self, delivery: &Delivery) {
        self.endpoint
            .settle_handle()
            .settle(&[delivery.receipt.unwrap()]);
    }

    /// Waits until the figures are as the test expects.
    async fn until(&self, what: impl Fn(Counts) -> bool) {
        let reached = async {
            while !what(self.endpoint.counts()) {
                tokio::task::yield_now().await;
            }
        };
        let reached = timeout(PATIENCE, reached).await;
        assert!(
            reached.is_ok(),
            "never reached: {:?}",
            self.endpoint.counts()
        );
    }

    /// The proof that the endpoint still works: a well-behaved client publishes and is answered.
    async fn serves(&mut self) {
        let mut client = Raw::hello(self, Proto::V3, "well-behaved").await;
        client
            .send(&publish(Proto::V3, "andon/v1/in/s/good/flow", b"{}", 1, 77))
            .await;
        let delivery = loop {
            let delivery = self.next().await;
            if delivery.sender.name == "good" {
                break delivery;
            }
        };
        self.settle(&delivery);
        client.expect(&[0x40, 2, 0, 77]).await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proto {
    V3,
    V5,
}

/// A client that says exactly what a test wants said.
struct Raw(TcpStream);

impl Raw {
    async fn open(bench: &Bench) -> Self {
        Self(
            TcpStream::connect(bench.endpoint.local_addr())
                .await
                .unwrap(),
        )
    }

    /// Connected as an anonymous client.
    async fn hello(bench: &Bench, proto: Proto, id: &str) -> Self {
        Self::greet(bench, &connect(proto, id, None, 60)).await
    }

    /// Connected as a principal whose password is its name.
    async fn login(bench: &Bench, proto: Proto, user: &str) -> Self {
        Self::greet(bench, &connect(proto, "id", Some((user, user)), 60)).await
    }

    async fn greet(bench: &Bench, connect: &[u8]) -> Self {
        let mut client = Self::open(bench).await;
        client.send(connect).await;
        let connack = client.packet().await;
        assert_eq!(
            (connack[0], connack[2], connack[3]),
            (0x20, 0, 0),
            "{connack:x?}"
        );
        client
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next packet. Lengths of one byte suffice here, two are read for good measure.
    async fn packet(&mut self) -> Vec<u8> {
        let read = async {
            let mut packet = vec![self.0.read_u8().await?];
            let mut body = 0;
            for shift in [0, 7, 14] {
                let byte = self.0.read_u8().await?;
                packet.push(byte);
                body |= usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let header = packet.len();
            packet.resize(header + body, 0);
            self.0.read_exact(&mut packet[header..]).await?;
            io::Result::Ok(packet)
        };
        timeout(PATIENCE, read)
            .await
            .expect("no packet")
            .expect("closed")
    }

    async fn expect(&mut self, packet: &[u8]) {
        assert_eq!(self.packet().await, packet);
    }

    /// Nothing but the end of the connection follows.
    async fn expect_close(&mut self) {
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, self.0.read_to_end(&mut rest))
            .await
            .expect("still open");
        assert!(end.is_err() || rest.is_empty(), "{rest:x?}");
    }

    /// A PINGREQ is answered, and nothing came before the answer: what was sent earlier has been
    /// read, and has not been answered.
    async fn expect_silence(&mut self) {
        self.send(&[0xc0, 0]).await;
        self.expect(&[0xd0, 0]).await;
    }
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend_from_slice(text);
}

/// A packet: first byte, remaining length, body.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut rest = body.len();
    loop {
        let byte = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        out.push(if rest > 0 { byte | 0x80 } else { byte });
        if rest == 0 {
            break;
        }
    }
    [out, body.to_vec()].concat()
}

/// A CONNECT with clean session; `login` is user name and password.
fn connect(proto: Proto, id: &str, login: Option<(&str, &str)>, keep_alive: u16) -> Vec<u8> {
    let mut body = b"\0\x04MQTT".to_vec();
    body.push(if proto == Proto::V3 { 4 } else { 5 });
    body.push(if login.is_some() { 0xc2 } else { 0x02 });
    body.extend_from_slice(&keep_alive.to_be_bytes());
    body.extend_from_slice(no_properties(proto));
    text(&mut body, id.as_bytes());
    if let Some((user, password)) = login {
        text(&mut body, user.as_bytes());
        text(&mut body, password.as_bytes());
    }
    packet(0x10, &body)
}

fn no_properties(proto: Proto) -> &'static [u8] {
    if proto == Proto::V5 { &[0] } else { &[] }
}

fn publish(proto: Proto, topic: &str, payload: &[u8], qos: u8, packet_id: u16) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic.as_bytes());
    if qos > 0 {
        body.extend_from_slice(&packet_id.to_be_bytes());
    }
    body.extend_from_slice(no_properties(proto));
    body.extend_from_slice(payload);
    packet(0x30 | qos << 1, &body)
}

/// A SUBSCRIBE with these filters and this options byte for each.
fn subscribe(proto: Proto, packet_id: u16, filters: &[&str], options: u8) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    body.extend_from_slice(no_properties(proto));
    for filter in filters {
        text(&mut body, filter.as_bytes());
        body.push(options);
    }
    packet(0x82, &body)
}

fn unsubscribe(proto: Proto, packet_id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = packet_id.to_be_bytes().to_vec();
    body.extend_from_slice(no_properties(proto));
    for filter in filters {
        text(&mut body, filter.as_bytes());
    }
    packet(0xa2, &body)
}
