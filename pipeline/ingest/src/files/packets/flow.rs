//! One flow while it lasts, and the record it becomes.

use std::net::IpAddr;

use andon_schemas::observation::{
    ByteKind, ConnState, FlowRecord, Party, Record, RecordBody, Transport,
};
use andon_schemas::time::{EventTime, Span};
use sha2::{Digest, Sha256};

use super::commands::Listener;
use super::connection::Connection;
use super::network::Datagram;
use super::service::Naming;
use super::transport::{RST, Segment, Side, Tcp};

/// How long a flow may be silent; Zeek's defaults.
const TCP_SILENCE: Span = Span::from_micros(300_000_000);
const OTHER_SILENCE: Span = Span::from_micros(60_000_000);

/// How long an unanswered SYN is waited for, and how long after its close a connection may still
/// be heard of; Zeek's defaults.
const ATTEMPT: Span = Span::from_micros(5_000_000);
const CLOSING: Span = Span::from_micros(5_000_000);

/// How often a flow that lasts is told while it does.
const INTERIM: Span = Span::from_micros(1_800_000_000);

/// What packets of one flow have in common, whichever way they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    protocol: u8,
    /// The lower end and the higher one.
    ends: [(IpAddr, u16); 2],
}

impl Key {
    /// The key of a packet, and whether it goes from the higher end to the lower one.
    pub(super) fn of(
        protocol: u8,
        source: (IpAddr, u16),
        destination: (IpAddr, u16),
    ) -> (Self, bool) {
        let backwards = source > destination;
        let ends = if backwards {
            [destination, source]
        } else {
            [source, destination]
        };
        (Self { protocol, ends }, backwards)
    }
}

/// A packet, by the time and place it was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) time: EventTime,
    /// Its number in the file.
    pub(super) number: u64,
    /// Whether it goes from the higher end of its key to the lower one.
    pub(super) backwards: bool,
    pub(super) segment: Segment<'a>,
}

/// A flow that is being assembled.
#[derive(Debug)]
pub(super) struct Flow {
    key: Key,
    transport: Transport,
    /// Whether the higher end of the key opened it.
    backwards: bool,
    start: EventTime,
    end: EventTime,
    /// When it was last told.
    told: EventTime,
    /// Number of its first packet.
    pub(super) number: u64,
    /// Of its ends and its beginning: any capture of the same flow gives it the same.
    uid: [u8; 8],
    connection: Connection,
    /// Payload bytes and packets of each side, for all but TCP.
    bytes: [u64; 2],
    packets: [u64; 2],
    /// Whether its first packet asks for an answer.
    asks: bool,
    pub(super) naming: Naming,
    /// Present once its application is one whose commands are read.
    listener: Option<Box<Listener>>,
}

impl Flow {
    /// The flow that begins with a packet. Who opened it is the sender, unless the packet is an
    /// answer or comes from the port of a server; `before` is the flow it continues.
    pub(super) fn new(key: Key, packet: &Packet<'_>, before: Option<&Self>) -> Self {
        let segment = &packet.segment;
        let is_answer = match (segment.tcp, segment.icmp) {
            (Some(tcp), _) if tcp.opens() => false,
            (Some(tcp), _) if tcp.has(super::transport::SYN) => true,
            (_, Some(side)) => side == Side::Answers,
            _ => from_server(segment),
        };
        let inherited = before
            .filter(|_| {
                segment
                    .tcp
                    .is_some_and(|tcp| !tcp.has(super::transport::SYN))
            })
            .map(|before| before.backwards);
        Self {
            key,
            transport: segment.transport,
            backwards: inherited.unwrap_or(packet.backwards != is_answer),
            start: packet.time,
            end: packet.time,
            told: packet.time,
            number: packet.number,
            uid: uid(&key, packet),
            connection: Connection::default(),
            bytes: [0; 2],
            packets: [0; 2],
            asks: segment.icmp != Some(Side::Tells),
            naming: Naming::default(),
            listener: None,
        }
    }

    /// Whether a packet of the same ends belongs to another flow.
    pub(super) fn is_over(&self, packet: &Packet<'_>) -> bool {
        let silence = if self.transport == Transport::Tcp {
            TCP_SILENCE
        } else {
            OTHER_SILENCE
        };
        if self.idle(packet.time) > silence.micros() {
            return true;
        }
        let Some(tcp) = packet.segment.tcp else {
            return false;
        };
        if tcp.opens() {
            let side = self.side(packet.backwards);
            let waited = packet.time.micros().saturating_sub(self.start.micros());
            return if self.connection.is_attempt() && !self.connection.is_closed() {
                waited > ATTEMPT.micros()
            } else {
                self.connection.is_another(side, tcp)
            };
        }
        self.connection.is_closed()
            && packet.segment.length > 0
            && self.idle(packet.time) > CLOSING.micros()
    }

    /// Microseconds between its last packet and a time, in either direction: clocks are set back.
    pub(super) fn idle(&self, time: EventTime) -> i64 {
        let gap = time.micros().saturating_sub(self.end.micros());
        if gap < 0 {
            self.start.micros().saturating_sub(time.micros()).max(0)
        } else {
            gap
        }
    }

    /// Whether it has been silent for longer than any flow may be.
    pub(super) fn is_stale(&self, time: EventTime) -> bool {
        self.idle(time) > TCP_SILENCE.micros()
    }

    /// 0 for its originator's packets, 1 for its responder's.
    fn side(&self, backwards: bool) -> usize {
        usize::from(backwards != self.backwards)
    }

    /// Whether it has to be told before this packet is counted.
    pub(super) fn is_due(&self, time: EventTime) -> bool {
        time.micros().saturating_sub(self.told.micros()) >= INTERIM.micros()
    }

    /// Counts a packet.
    pub(super) fn packet(&mut self, packet: &Packet<'_>) {
        let side = self.side(packet.backwards);
        let segment = &packet.segment;
        let length = segment.length as u64;
        let straggles = self.connection.is_closed() && self.idle(packet.time) > CLOSING.micros();
        self.packets[side] += 1;
        if let Some(tcp) = segment.tcp {
            self.connection.segment(side, tcp, length);
        } else {
            self.bytes[side] = self.bytes[side].saturating_add(length);
        }
        // An acknowledgement long after the close does not make the connection any longer.
        if !straggles {
            self.start = self.start.min(packet.time);
            self.end = self.end.max(packet.time);
        }
        let ports = [self.originator().port, self.responder().port];
        self.naming
            .look(segment.transport, ports, side == 0, segment.payload);
        if self.listener.is_none()
            && let Some(service) = self.naming.service()
        {
            let listener = Listener::of(service, segment.transport, ports);
            self.listener = listener.map(Box::new);
        }
        if let Some(listener) = &mut self.listener {
            let tcp = segment.tcp.map(Tcp::data_from);
            let is_reset = segment.tcp.is_some_and(|tcp| tcp.has(RST));
            if !is_reset {
                listener.hear(side, tcp, segment.payload, segment.length);
            }
        }
    }

    /// Counts a later fragment; `tcp` is the number of its first byte. Commands may lie in it.
    pub(super) fn fragment(
        &mut self,
        time: EventTime,
        backwards: bool,
        tcp: Option<u32>,
        datagram: &Datagram<'_>,
    ) {
        let side = self.side(backwards);
        let length = datagram.length as u64;
        match tcp {
            Some(from) => {
                self.connection.fragment(side, from, length);
                if let Some(listener) = &mut self.listener {
                    listener.hear(side, tcp, datagram.payload, datagram.length);
                }
            }
            None => self.bytes[side] = self.bytes[side].saturating_add(length),
        }
        self.end = self.end.max(time);
    }

    fn party(&self, higher: bool) -> Party {
        let (address, port) = self.key.ends[usize::from(higher)];
        Party {
            address,
            port: if self.transport == Transport::Icmp {
                0
            } else {
                port
            },
        }
    }

    fn originator(&self) -> Party {
        self.party(self.backwards)
    }

    fn responder(&self) -> Party {
        self.party(!self.backwards)
    }

    /// How far it got. Of UDP as Zeek has it: SF is answered, S0 an attempt, and if only the
    /// responder was seen it is unknown. Zeek says nothing of ICMP (OTH); that a question found no
    /// answer is told here, because it is how a host is searched for.
    fn state(&self) -> ConnState {
        match (self.transport, self.packets) {
            (Transport::Tcp, _) => self.connection.state(),
            (Transport::Icmp, _) if !self.asks => ConnState::Unknown,
            (Transport::Other, _) | (_, [0, _]) => ConnState::Unknown,
            (_, [_, 0]) => ConnState::Attempt,
            _ => ConnState::Answered,
        }
    }

    /// Marks it as told now.
    pub(super) fn tell(&mut self, time: EventTime) -> Record {
        self.told = time;
        self.record(true)
    }

    /// What is known of it; its commands are told once.
    pub(super) fn record(&mut self, interim: bool) -> Record {
        let bytes = |side| {
            Some(if self.transport == Transport::Tcp {
                self.connection.bytes(side)
            } else {
                self.bytes[side]
            })
        };
        let listener = self.listener.as_deref_mut();
        let commands = listener.and_then(Listener::tell);
        Record {
            device: None,
            address: None,
            event_time: self.end,
            received_at: None,
            sender: None,
            seq: None,
            body: RecordBody::Flow(FlowRecord {
                start: self.start,
                originator: self.originator(),
                responder: self.responder(),
                responder_name: self.naming.server().map(Into::into),
                transport: self.transport,
                service: self.naming.service().map(Into::into),
                originator_bytes: bytes(0),
                responder_bytes: bytes(1),
                bytes: ByteKind::Payload,
                state: self.state(),
                interim,
                uid: Some(format!("P{:016x}", u64::from_be_bytes(self.uid)).into()),
                commands,
            }),
        }
    }
}

fn uid(key: &Key, first: &Packet<'_>) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update([key.protocol]);
    for (address, port) in key.ends {
        match address {
            IpAddr::V4(v4) => hash.update(v4.octets()),
            IpAddr::V6(v6) => hash.update(v6.octets()),
        }
        hash.update(port.to_be_bytes());
    }
    hash.update(first.time.micros().to_be_bytes());
    let sequence = first.segment.tcp.map_or(0, |tcp| tcp.sequence);
    hash.update(sequence.to_be_bytes());
    let mut uid = [0; 8];
    uid.copy_from_slice(&hash.finalize()[..8]);
    uid
}

/// Whether a packet that is seen from the middle of a flow comes from a server: from a port that
/// is one, to a port that is none.
fn from_server(segment: &Segment<'_>) -> bool {
    let is_server =
        |port: u16| port < 1_024 || super::service::is_registered(segment.transport, port);
    let [source, destination] = segment.ports;
    is_server(source) && !is_server(destination)
}

/// Where the bytes of a fragment stand among those of its connection: the first byte of the
/// datagram's payload is that of the header.
pub(super) fn fragment_base(tcp: Tcp, header: usize) -> u32 {
    // A header has 60 bytes at most.
    tcp.data_from()
        .wrapping_sub(u32::try_from(header).unwrap_or_default())
}
