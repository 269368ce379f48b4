//! What the endpoint holds at most. Nothing in it grows without one of these figures, and every
//! time one of them bites a counter of [`Counts`](super::Counts) says so.

use std::io;
use std::time::Duration;

/// Bounds of an [`Endpoint`](super::Endpoint). The worst case of the memory they admit is about
/// `buffered_bytes + deliveries × payload_bytes + retained_bytes + connections × 20 KiB`, plus
/// `outbox_bytes` for each reader that lags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest payload of one message, bytes. A larger packet is refused by its header, before
    /// anything of it is buffered. Default 1 MiB.
    pub payload_bytes: usize,
    /// Longest topic, filter or client id, bytes. Default 512.
    pub topic_bytes: usize,
    /// Largest CONNECT, bytes: what someone unknown may make us hold. Default 16 KiB.
    pub connect_bytes: usize,
    /// Largest packet of any other kind than PUBLISH, and the most that the properties of a v5
    /// PUBLISH may add to it, bytes. Default 64 KiB.
    pub control_bytes: usize,
    /// Open connections. One more is closed on arrival. Default 10,000.
    pub connections: usize,
    /// Open connections from one address. Default 1,000 (a site behind one NAT, or a simulation).
    pub connections_per_address: usize,
    /// From accept to a complete CONNECT. Default 10 s.
    pub connect_within: Duration,
    /// From the first byte of a packet to its last. Default 30 s.
    pub packet_within: Duration,
    /// For one batch of output to be taken by the peer; longer is a slow reader. Default 30 s.
    pub write_within: Duration,
    /// Longest keep-alive granted, whole seconds. v5 clients are told so in CONNACK; a v3.1.1
    /// client that asks for more, or for none, is closed after 1.5 × this without a packet.
    /// Default 1 h.
    pub keep_alive_max: Duration,
    /// Messages of one connection that are accepted and not yet settled. Announced as Receive
    /// Maximum to v5 clients; from v3.1.1 clients no more is read meanwhile (of settled QoS 2
    /// messages that such a client does not release, only the identifiers are kept, at most the
    /// 65,535 that exist). Default 1,024.
    pub in_flight: u16,
    /// Filters of one connection. Default 64.
    pub subscriptions: usize,
    /// Output that waits for one reader, bytes. A reader that falls further behind is cut.
    /// Default 4 MiB.
    pub outbox_bytes: usize,
    /// All retained messages together, topics included, bytes. What does not fit is still sent
    /// to the readers of the moment, but not kept. Default 64 MiB.
    pub retained_bytes: usize,
    /// All half-received packets over 8 KiB together, bytes; beyond it sockets wait their turn.
    /// Default 256 MiB.
    pub buffered_bytes: usize,
    /// Messages handed over and not yet taken. When full, sockets are not read. Default 1,024.
    pub deliveries: usize,
    /// Records of refused messages that wait to be taken; more are only counted. Default 1,024.
    pub refusals: usize,
    /// How long a shutdown waits for accepted messages to be settled, and any connection at its
    /// end for the peer to take what is still to be said. Default 5 s.
    pub drain_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload_bytes: 1 << 20,
            topic_bytes: 512,
            connect_bytes: 16 << 10,
            control_bytes: 64 << 10,
            connections: 10_000,
            connections_per_address: 1_000,
            connect_within: Duration::from_secs(10),
            packet_within: Duration::from_secs(30),
            write_within: Duration::from_secs(30),
            keep_alive_max: Duration::from_secs(3_600),
            in_flight: 1_024,
            subscriptions: 64,
            outbox_bytes: 4 << 20,
            retained_bytes: 64 << 20,
            buffered_bytes: 256 << 20,
            deliveries: 1_024,
            refusals: 1_024,
            drain_within: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Largest body (remaining length) of a PUBLISH.
    pub(super) fn publish_bytes(&self) -> usize {
        // Two length prefixes at most: topic and packet identifier.
        self.payload_bytes + self.topic_bytes + self.control_bytes + 4
    }

    /// Refuses figures under which nothing could ever pass.
    pub(super) fn check(&self) -> io::Result<()> {
        let positive = [
            ("in_flight", usize::from(self.in_flight)),
            ("deliveries", self.deliveries),
            ("refusals", self.refusals),
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err(invalid(format!("endpoint limit `{name}` is 0")));
        }
        // The largest remaining length that MQTT can express (four bytes of seven bits).
        if self.publish_bytes() > 268_435_455 {
            let total = self.publish_bytes();
            return Err(invalid(format!(
                "endpoint limits admit packets of {total} bytes, MQTT none over 268435455"
            )));
        }
        if self.buffered_bytes < self.publish_bytes() {
            return Err(invalid(format!(
                "endpoint limit `buffered_bytes` is {}, less than one packet of {}",
                self.buffered_bytes,
                self.publish_bytes()
            )));
        }
        let seconds = self.keep_alive_max.as_secs();
        if seconds == 0 || seconds > u64::from(u16::MAX) {
            return Err(invalid(format!(
                "endpoint limit `keep_alive_max` is {seconds} s, not 1 to 65535"
            )));
        }
        Ok(())
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}
