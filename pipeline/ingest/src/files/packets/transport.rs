//! What lies above IP: ports, TCP's flags and numbers, ICMP's types. Read field by field, because
//! a snap length may have cut the header itself.

use andon_schemas::observation::Transport;
use andon_schemas::reject::RejectReason;

use super::network::Datagram;
use crate::refused::Refused;

/// Protocol numbers.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// Flags of TCP.
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;

/// What TCP says of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tcp {
    /// Number of its first byte, or of its SYN.
    pub(super) sequence: u32,
    pub(super) flags: u8,
}

impl Tcp {
    pub(super) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it asks for a connection.
    pub(super) const fn opens(self) -> bool {
        self.has(SYN) && !self.has(ACK)
    }

    /// Number of the first byte of its payload.
    pub(super) const fn data_from(self) -> u32 {
        self.sequence.wrapping_add(self.has(SYN) as u32)
    }
}

/// Whether an ICMP message asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Asks,
    Answers,
    /// It tells: nobody answers.
    Tells,
}

/// A packet as its flow counts it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) transport: Transport,
    /// Ports of sender and receiver; of ICMP both are the type of the question, of other
    /// protocols 0.
    pub(super) ports: [u16; 2],
    pub(super) tcp: Option<Tcp>,
    pub(super) icmp: Option<Side>,
    /// As much of its payload as was captured.
    pub(super) payload: &'a [u8],
    /// Bytes of its payload on the wire.
    pub(super) length: usize,
}

/// Reads the transport header of a packet, or of a datagram's first fragment.
///
/// # Errors
/// Says which header is too short or damaged.
pub(super) fn segment<'a>(datagram: &Datagram<'a>) -> Result<Segment<'a>, Refused> {
    match datagram.protocol {
        TCP => tcp(datagram).ok_or_else(|| short("TCP", datagram)),
        UDP => udp(datagram).ok_or_else(|| short("UDP", datagram)),
        ICMP | ICMPV6 => icmp(datagram).ok_or_else(|| short("ICMP", datagram)),
        _ => Ok(Segment {
            transport: Transport::Other,
            ports: [0, 0],
            tcp: None,
            icmp: None,
            payload: datagram.payload,
            length: datagram.length,
        }),
    }
}

fn short(protocol: &str, datagram: &Datagram<'_>) -> Refused {
    Refused::new(
        RejectReason::Malformed,
        format!(
            "{protocol} header is damaged or cut: {} of {} bytes were captured",
            datagram.payload.len(),
            datagram.length
        ),
    )
}

fn tcp<'a>(datagram: &Datagram<'a>) -> Option<Segment<'a>> {
    let bytes = datagram.payload;
    let header = usize::from(bytes.get(12)? >> 4) * 4;
    if header < 20 || header > datagram.length {
        return None;
    }
    Some(Segment {
        transport: Transport::Tcp,
        ports: [word(bytes, 0)?, word(bytes, 2)?],
        tcp: Some(Tcp {
            sequence: u32::from(word(bytes, 4)?) << 16 | u32::from(word(bytes, 6)?),
            flags: *bytes.get(13)?,
        }),
        icmp: None,
        payload: bytes.get(header..).unwrap_or_default(),
        length: datagram.length - header,
    })
}

fn udp<'a>(datagram: &Datagram<'a>) -> Option<Segment<'a>> {
    let bytes = datagram.payload;
    let length = datagram.length.checked_sub(8)?;
    let payload = bytes.get(8..).unwrap_or_default();
    Some(Segment {
        transport: Transport::Udp,
        ports: [word(bytes, 0)?, word(bytes, 2)?],
        tcp: None,
        icmp: None,
        payload: &payload[..payload.len().min(length)],
        length,
    })
}

fn icmp<'a>(datagram: &Datagram<'a>) -> Option<Segment<'a>> {
    let bytes = datagram.payload;
    // The type of the question stands for an exchange, whichever half of it a message is.
    let (question, side) = match (datagram.protocol, *bytes.first()?) {
        (ICMP, 0) => (8, Side::Answers),
        (ICMP, 9) => (10, Side::Answers),
        (ICMP, kind @ (14 | 16 | 18)) | (ICMPV6, kind @ (129 | 134 | 136 | 140)) => {
            (kind - 1, Side::Answers)
        }
        (ICMP, kind @ (8 | 10 | 13 | 15 | 17)) | (ICMPV6, kind @ (128 | 133 | 135 | 139)) => {
            (kind, Side::Asks)
        }
        (_, kind) => (kind, Side::Tells),
    };
    Some(Segment {
        transport: Transport::Icmp,
        ports: [u16::from(question); 2],
        tcp: None,
        icmp: Some(side),
        payload: bytes.get(8..).unwrap_or_default(),
        length: datagram.length.saturating_sub(8),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}
