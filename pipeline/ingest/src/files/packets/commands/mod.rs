//! Which commands a flow carries, in the protocols of the plant: function codes, services, type
//! identifications, under the names of `andon_schemas::ot_command`. Only what asks is counted;
//! answers repeat it.
//!
//! Over TCP each side is read as a stream of messages by the length each one states, wherever
//! segments, and fragments of them, begin and end. What arrives behind a gap is read as if a
//! message began there, which in these protocols it nearly always does; a message that lies across
//! the gap is read once that is filled, and missed if it never is. A side that shows no message
//! where one should begin is read on from its next segment. Over UDP a datagram in fragments is
//! read as far as its first one goes.

mod bacnet;
mod cip;
mod dnp3;
mod iec104;
mod modbus;
mod opcua;
mod s7;
mod stream;

use andon_schemas::observation::{Role, Transport};
use andon_schemas::ot_command::{Commands, Counted};

use self::stream::Stream;
use super::service::is_registered;

/// Most bytes of one message that are looked at, and kept while its rest is to come.
const HEAD_BYTES_MAX: usize = 512;

/// What stands at the beginning of bytes that should be a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// A message of so many bytes.
    Whole(usize),
    /// Too little to tell.
    Short,
    /// No message of this protocol.
    Strange,
}

/// A message as far as it is looked at.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    bytes: &'a [u8],
    /// The client sent it, as far as the ports tell.
    asks: bool,
}

impl Message<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Two bytes, the more significant first.
    fn big(&self, at: usize) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte(at)?, self.byte(at + 1)?]))
    }

    /// Two bytes, the less significant first.
    fn little(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte(at)?, self.byte(at + 1)?]))
    }
}

/// A command that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    name: &'static str,
    /// It belongs to what the other side has asked for: a controller fetches a program block by
    /// block once it is told to.
    for_peer: bool,
}

const fn found(name: &'static str) -> Found {
    Found {
        name,
        for_peer: false,
    }
}

/// A protocol whose commands are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Modbus,
    /// S7 and its successor, on ISO transport.
    S7,
    Cip,
    Dnp3,
    Iec104,
    Bacnet,
    OpcUa,
}

impl Protocol {
    /// The protocol that a service's name stands for.
    fn of(service: &str) -> Option<Self> {
        Some(match service {
            "modbus" => Self::Modbus,
            "cotp" | "s7comm" | "s7comm_plus" => Self::S7,
            "enip" => Self::Cip,
            "dnp3_tcp" | "dnp3_udp" => Self::Dnp3,
            "iec104" => Self::Iec104,
            "bacnet" => Self::Bacnet,
            "opcua-binary" => Self::OpcUa,
            _ => return None,
        })
    }

    fn frame(self, bytes: &[u8]) -> Frame {
        match self {
            Self::Modbus => modbus::frame(bytes),
            Self::S7 => s7::frame(bytes),
            Self::Cip => cip::frame(bytes),
            Self::Dnp3 => dnp3::frame(bytes),
            Self::Iec104 => iec104::frame(bytes),
            Self::Bacnet => bacnet::frame(bytes),
            Self::OpcUa => opcua::frame(bytes),
        }
    }

    fn read(self, message: &Message<'_>, tell: &mut dyn FnMut(Found)) {
        let one = match self {
            Self::Modbus => modbus::command(message),
            Self::S7 => s7::command(message),
            Self::Dnp3 => dnp3::command(message),
            Self::Iec104 => iec104::command(message),
            Self::Bacnet => bacnet::command(message),
            Self::OpcUa => opcua::command(message),
            Self::Cip => return cip::commands(message, tell),
        };
        one.into_iter().for_each(tell);
    }
}

/// The commands of one flow since it was last told. Bounded: a few messages' beginnings for each
/// side, and a count for each command of one protocol.
#[derive(Debug)]
pub(super) struct Listener {
    protocol: Protocol,
    /// The side that was connected to asks: who opened the flow was taken wrongly, or calls back.
    inverted: bool,
    streams: [Stream; 2],
    counts: Vec<(Role, &'static str, u64)>,
}

impl Listener {
    /// One for a flow of this service between these ports of originator and responder, if its
    /// commands are read.
    pub(super) fn of(service: &str, transport: Transport, ports: [u16; 2]) -> Option<Self> {
        let [originator, responder] = ports.map(|port| is_registered(transport, port));
        Some(Self {
            protocol: Protocol::of(service)?,
            inverted: originator && !responder,
            streams: Default::default(),
            counts: Vec::new(),
        })
    }

    /// Takes what the originator (side 0) or the responder (side 1) sent: bytes as captured, and
    /// how many they were on the wire. `tcp` is the number of the first one; without it they are a
    /// datagram.
    pub(super) fn hear(&mut self, side: usize, tcp: Option<u32>, bytes: &[u8], length: usize) {
        let Self {
            protocol,
            inverted,
            streams,
            counts,
        } = self;
        let asks = (side == 0) != *inverted;
        let mut read = |bytes: &[u8]| {
            let message = Message { bytes, asks };
            protocol.read(&message, &mut |found| {
                let by = if (side == 0) == found.for_peer {
                    Role::Responder
                } else {
                    Role::Originator
                };
                count(counts, by, found.name);
            });
        };
        match tcp {
            Some(from) => streams[side].take(
                (from, length),
                bytes,
                &|bytes| protocol.frame(bytes),
                &mut read,
            ),
            None => read(&bytes[..bytes.len().min(HEAD_BYTES_MAX)]),
        }
    }

    /// What was counted, which is then forgotten.
    pub(super) fn tell(&mut self) -> Option<Commands> {
        let counts = std::mem::take(&mut self.counts).into_iter();
        Commands::of(counts.map(|(by, name, count)| Counted { by, name, count }))
    }
}

fn count(counts: &mut Vec<(Role, &'static str, u64)>, by: Role, name: &'static str) {
    let known = counts
        .iter_mut()
        .find(|(side, known, _)| *side == by && *known == name);
    match known {
        Some((_, _, count)) => *count += 1,
        None => counts.push((by, name, 1)),
    }
}
