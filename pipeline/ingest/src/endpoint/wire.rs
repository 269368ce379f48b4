//! Bytes to packets: the fixed header under our own limits, the rest by the codec crate.
//!
//! The crate's packet types are used without its connection state machine, for two reasons. That
//! machine answers a repeated QoS 2 message with PUBREC although the first copy may not be durable
//! yet; and it asks for the memory of a packet as soon as its length is announced. The parsers
//! themselves index only after checking lengths; what they leave unchecked (packet identifier 0,
//! reserved bits, flags of the fixed header) is checked here.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::{Property, Qos, RetainHandling, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{DisconnectReasonCode, MqttError};

/// Why a connection ends. The code that a v5 client is sent; also our own word for it with v3.1.1.
pub(super) type Fault = DisconnectReasonCode;

/// Protocol of a connection, fixed by its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V5,
}

/// The fixed header of a packet (v5 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Packet type in the upper half, flags in the lower.
    pub(super) first: u8,
    /// Bytes of the header itself, 2 to 5.
    pub(super) length: usize,
    /// Bytes that follow it: the remaining length.
    pub(super) body: usize,
}

/// Packet types, as the upper half of the first byte.
pub(super) mod kind {
    pub(in super::super) const CONNECT: u8 = 1;
    pub(in super::super) const PUBLISH: u8 = 3;
    pub(in super::super) const PUBREL: u8 = 6;
    pub(in super::super) const SUBSCRIBE: u8 = 8;
    pub(in super::super) const UNSUBSCRIBE: u8 = 10;
    pub(in super::super) const PINGREQ: u8 = 12;
    pub(in super::super) const DISCONNECT: u8 = 14;
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` if it is not complete yet.
    ///
    /// # Errors
    /// A remaining length of more than four bytes.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let mut body = 0;
        for (at, &byte) in rest.iter().take(4).enumerate() {
            body |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(Some(Self {
                    first,
                    length: at + 2,
                    body,
                }));
            }
        }
        if rest.len() >= 4 {
            Err(Fault::MalformedPacket)
        } else {
            Ok(None)
        }
    }

    pub(super) fn kind(self) -> u8 {
        self.first >> 4
    }
}

/// What a CONNECT says, as far as it matters here.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) version: Version,
    pub(super) client_id: String,
    /// The client wants its session kept after the connection (by default v3.1.1 clients do).
    pub(super) keeps_session: bool,
    /// Seconds; 0 means none.
    pub(super) keep_alive: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Vec<u8>>,
    pub(super) will: bool,
    /// v5: the client wants an exchange that we do not know.
    pub(super) enhanced_authentication: bool,
    /// v5: largest packet the client takes, bytes.
    pub(super) maximum_packet: usize,
}

/// Why there is no [`Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// MQTT, but neither v3.1.1 nor v5.
    Version,
    /// Not a CONNECT as the specification has it.
    Malformed,
}

impl From<MqttError> for Unreadable {
    fn from(_: MqttError) -> Self {
        Self::Malformed
    }
}

impl Hello {
    /// Reads the body of a CONNECT.
    ///
    /// # Errors
    /// An unknown version, or anything malformed.
    pub(super) fn read(header: Header, body: &[u8]) -> Result<Self, Unreadable> {
        if header.first & 0x0f != 0 {
            return Err(Unreadable::Malformed);
        }
        let (level, flags) = match body {
            [0, 4, b'M', b'Q', b'T', b'T', level, flags, ..] => (*level, *flags),
            // MQTT 3.1, still the default of some old libraries.
            [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => return Err(Unreadable::Version),
            _ => return Err(Unreadable::Malformed),
        };
        let will = flags & 0x04 != 0;
        let (will_qos, will_retain) = (flags >> 3 & 3, flags & 0x20 != 0);
        if flags & 1 != 0 || will_qos == 3 || (!will && (will_qos != 0 || will_retain)) {
            return Err(Unreadable::Malformed);
        }
        match level {
            4 => Self::read_v3(body),
            5 => Self::read_v5(body),
            _ => Err(Unreadable::Version),
        }
    }

    fn read_v3(body: &[u8]) -> Result<Self, Unreadable> {
        let connect = whole(body, v3_1_1::Connect::parse)?;
        Ok(Self {
            version: Version::V3,
            client_id: connect.client_id().to_owned(),
            keeps_session: !connect.clean_session(),
            keep_alive: connect.keep_alive(),
            user: connect.user_name().map(str::to_owned),
            password: connect.password().map(<[u8]>::to_vec),
            will: connect.will_flag(),
            enhanced_authentication: false,
            maximum_packet: usize::MAX,
        })
    }

    fn read_v5(body: &[u8]) -> Result<Self, Unreadable> {
        let connect = whole(body, v5_0::Connect::parse)?;
        let mut hello = Self {
            version: Version::V5,
            client_id: connect.client_id().to_owned(),
            keeps_session: false,
            keep_alive: connect.keep_alive(),
            user: connect.user_name().map(str::to_owned),
            password: connect.password().map(<[u8]>::to_vec),
            will: connect.will_flag(),
            enhanced_authentication: false,
            maximum_packet: usize::MAX,
        };
        for property in connect.props() {
            match property {
                Property::AuthenticationMethod(_) => hello.enhanced_authentication = true,
                Property::SessionExpiryInterval(wanted) => hello.keeps_session = wanted.val() > 0,
                Property::MaximumPacketSize(size) => hello.maximum_packet = size.val() as usize,
                _ => {}
            }
        }
        Ok(hello)
    }
}

/// A packet from a connected client.
#[derive(Debug)]
pub(super) enum Packet {
    Publish(Message),
    /// The client releases a QoS 2 message that it knows we have.
    Release(u16),
    Subscribe {
        packet_id: u16,
        wanted: Vec<Wanted>,
    },
    Unsubscribe {
        packet_id: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect,
}

/// A PUBLISH.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    /// `None` for QoS 0.
    pub(super) packet_id: Option<u16>,
    /// QoS 2.
    pub(super) exactly_once: bool,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) filter: String,
    pub(super) retained: RetainHandling,
}

impl Packet {
    /// Reads the body of any packet but CONNECT.
    ///
    /// # Errors
    /// The reason to end the connection with.
    pub(super) fn read(version: Version, header: Header, body: &[u8]) -> Result<Self, Fault> {
        let flags = header.first & 0x0f;
        let kind = header.kind();
        if kind == kind::PUBLISH {
            return Message::read(version, flags, body).map(Self::Publish);
        }
        let expected = match kind {
            kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => 2,
            kind::PINGREQ | kind::DISCONNECT => 0,
            // A second CONNECT, what only servers send, an AUTH that was not agreed on, and
            // acknowledgements of what is only ever sent with QoS 0.
            _ => return Err(Fault::ProtocolError),
        };
        if flags != expected {
            return Err(Fault::MalformedPacket);
        }
        match (kind, version) {
            (kind::PUBREL, Version::V3) => {
                let release = whole(body, v3_1_1::Pubrel::parse).map_err(fault)?;
                Ok(Self::Release(identifier(release.packet_id())?))
            }
            (kind::PUBREL, Version::V5) => {
                let release = whole(body, v5_0::Pubrel::parse).map_err(fault)?;
                Ok(Self::Release(identifier(release.packet_id())?))
            }
            (kind::SUBSCRIBE, _) => Self::read_subscribe(version, body),
            (kind::UNSUBSCRIBE, _) => Self::read_unsubscribe(version, body),
            (kind::PINGREQ, _) if body.is_empty() => Ok(Self::Ping),
            (kind::DISCONNECT, Version::V3) if body.is_empty() => Ok(Self::Disconnect),
            (kind::DISCONNECT, Version::V5) => {
                whole(body, v5_0::Disconnect::parse).map_err(fault)?;
                Ok(Self::Disconnect)
            }
            _ => Err(Fault::MalformedPacket),
        }
    }

    fn read_subscribe(version: Version, body: &[u8]) -> Result<Self, Fault> {
        let (packet_id, entries) = match version {
            Version::V3 => {
                let packet = whole(body, v3_1_1::Subscribe::parse).map_err(fault)?;
                (packet.packet_id(), packet.entries().clone())
            }
            Version::V5 => {
                let packet = whole(body, v5_0::Subscribe::parse).map_err(fault)?;
                if packet
                    .props()
                    .iter()
                    .any(|p| matches!(p, Property::SubscriptionIdentifier(_)))
                {
                    return Err(Fault::SubscriptionIdentifiersNotSupported);
                }
                (packet.packet_id(), packet.entries().clone())
            }
        };
        let wanted = entries.iter().map(|entry| Wanted {
            filter: entry.topic_filter().to_owned(),
            retained: match version {
                Version::V3 => RetainHandling::SendRetained,
                Version::V5 => entry.sub_opts().rh(),
            },
        });
        Ok(Self::Subscribe {
            packet_id: identifier(packet_id)?,
            wanted: wanted.collect(),
        })
    }

    fn read_unsubscribe(version: Version, body: &[u8]) -> Result<Self, Fault> {
        let (packet_id, entries) = match version {
            Version::V3 => {
                let packet = whole(body, v3_1_1::Unsubscribe::parse).map_err(fault)?;
                (packet.packet_id(), packet.entries().clone())
            }
            Version::V5 => {
                let packet = whole(body, v5_0::Unsubscribe::parse).map_err(fault)?;
                (packet.packet_id(), packet.entries().clone())
            }
        };
        let filters = entries
            .iter()
            .map(|filter| filter.as_str().to_owned())
            .collect();
        Ok(Self::Unsubscribe {
            packet_id: identifier(packet_id)?,
            filters,
        })
    }
}

impl Message {
    fn read(version: Version, flags: u8, body: &[u8]) -> Result<Self, Fault> {
        let body: Arc<[u8]> = body.into();
        let (topic, payload, packet_id, qos) = match version {
            Version::V3 => {
                let (packet, _) = v3_1_1::Publish::parse(flags, body).map_err(fault)?;
                let payload = packet.payload().as_slice().to_vec();
                (
                    packet.topic_name().to_owned(),
                    payload,
                    packet.packet_id(),
                    packet.qos(),
                )
            }
            Version::V5 => {
                let (packet, _) = v5_0::Publish::parse(flags, body).map_err(fault)?;
                // We announce no topic aliases; an empty topic is an alias without its name.
                if packet
                    .props()
                    .iter()
                    .any(|p| matches!(p, Property::TopicAlias(_)))
                {
                    return Err(Fault::TopicAliasInvalid);
                }
                let payload = packet.payload().as_slice().to_vec();
                (
                    packet.topic_name().to_owned(),
                    payload,
                    packet.packet_id(),
                    packet.qos(),
                )
            }
        };
        let packet_id = packet_id.map(identifier).transpose()?;
        Ok(Self {
            topic,
            payload,
            packet_id,
            exactly_once: qos == Qos::ExactlyOnce,
        })
    }
}

/// Parses a body and refuses what is left over.
fn whole<T>(
    body: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<(T, usize), MqttError>,
) -> Result<T, MqttError> {
    match parse(body)? {
        (packet, used) if used == body.len() => Ok(packet),
        _ => Err(MqttError::MalformedPacket),
    }
}

fn identifier(packet_id: u16) -> Result<u16, Fault> {
    if packet_id == 0 {
        Err(Fault::MalformedPacket)
    } else {
        Ok(packet_id)
    }
}

fn fault(error: MqttError) -> Fault {
    match error {
        MqttError::ProtocolError => Fault::ProtocolError,
        _ => Fault::MalformedPacket,
    }
}
