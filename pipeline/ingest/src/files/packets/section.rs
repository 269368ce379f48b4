//! A section of a pcapng: what its blocks say of the interfaces, and the packets they hold.

use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock, parse_block_be, parse_block_le};

use super::super::number::within;
use super::container::Captured;
use crate::refused::Refused;

/// Most interfaces of one section.
const INTERFACES_MAX: usize = 4_096;

/// Block types. That of a section header is the same in either order of bytes.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE: u32 = 1;
pub(super) const PACKETS: [u32; 2] = [3, 6];

/// A section that is being read.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Its order of bytes.
    pub(super) big_endian: bool,
    interfaces: Vec<Interface>,
    /// Simple packets carry no time; they get that of the packet before.
    last: Option<EventTime>,
}

impl Section {
    /// Takes note of a block that holds no packet.
    pub(super) fn describe(&mut self, kind: u32, block: &[u8]) -> Option<Refused> {
        if kind == SECTION {
            self.interfaces.clear();
            return None;
        }
        if kind != INTERFACE {
            return None;
        }
        if self.interfaces.len() == INTERFACES_MAX {
            return Some(Refused::new(
                RejectReason::Shed,
                format!("section describes more than {INTERFACES_MAX} interfaces"),
            ));
        }
        let interface = match self.parse(block) {
            Ok(Block::InterfaceDescription(block)) => Interface::of(&block),
            _ => Interface::unreadable(),
        };
        self.interfaces.push(interface);
        None
    }

    /// Decodes one whole block.
    fn parse<'a>(&self, block: &'a [u8]) -> Result<Block<'a>, Refused> {
        let parsed = if self.big_endian {
            parse_block_be(block)
        } else {
            parse_block_le(block)
        };
        parsed.map(|(_, block)| block).map_err(|_| {
            Refused::new(
                RejectReason::Malformed,
                "block does not hold together: its lengths contradict each other",
            )
        })
    }

    /// The packet that a block holds.
    ///
    /// # Errors
    /// A block that does not hold together, or a packet of no interface or time.
    pub(super) fn packet<'a>(&mut self, block: &'a [u8]) -> Result<Captured<'a>, Refused> {
        let (interface, ticks, length, data) = match self.parse(block)? {
            Block::EnhancedPacket(packet) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let captured = (packet.caplen as usize).min(packet.data.len());
                (
                    packet.if_id,
                    Some(ticks),
                    packet.origlen,
                    &packet.data[..captured],
                )
            }
            Block::SimplePacket(packet) => (0, None, packet.origlen, packet.data),
            _ => return Err(Refused::new(RejectReason::Malformed, "block is no packet")),
        };
        let described = self.interfaces.get(interface as usize).ok_or_else(|| {
            Refused::new(
                RejectReason::MissingField,
                format!("interface {interface} of the packet is not described"),
            )
        })?;
        let time = match ticks {
            Some(ticks) => described.micros(ticks).and_then(within).ok_or_else(|| {
                Refused::new(
                    RejectReason::OutOfRange,
                    "time of the packet is not between the years 1 and 9999",
                )
            })?,
            None => self.last.ok_or_else(|| {
                Refused::new(
                    RejectReason::MissingField,
                    "packet has no time, and neither has one before it",
                )
            })?,
        };
        self.last = Some(time);
        let length = length as usize;
        // A simple packet does not say how much of it was captured: padding may follow it.
        let data = match ticks {
            Some(_) => data,
            None => &data[..data.len().min(length).min(described.snap_length())],
        };
        Ok(Captured {
            time,
            link: described.link,
            length: length.max(data.len()),
            data,
        })
    }
}

/// An interface that packets were captured on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    /// Its link type.
    pub(super) link: u16,
    /// Most bytes of a packet that were kept; 0 for all.
    snap_length: u32,
    /// Ticks of its clock per second; none if they cannot be counted.
    per_second: Option<u128>,
    /// Seconds to add.
    offset_s: i64,
}

impl Interface {
    /// The interface that a block describes.
    pub(super) fn of(block: &InterfaceDescriptionBlock<'_>) -> Self {
        let exponent = u32::from(block.if_tsresol & 0x7f);
        let base: u128 = if block.if_tsresol & 0x80 == 0 { 10 } else { 2 };
        let [_, _, high, low] = block.linktype.0.to_be_bytes();
        Self {
            link: u16::from_be_bytes([high, low]),
            snap_length: block.snaplen,
            per_second: base.checked_pow(exponent),
            offset_s: block.if_tsoffset,
        }
    }

    /// Stands for an interface whose description cannot be read: the others keep their numbers,
    /// and each of its packets is refused.
    pub(super) const fn unreadable() -> Self {
        Self {
            link: u16::MAX,
            snap_length: 0,
            per_second: None,
            offset_s: 0,
        }
    }

    pub(super) const fn snap_length(&self) -> usize {
        match self.snap_length {
            0 => usize::MAX,
            bytes => bytes as usize,
        }
    }

    /// A time of its clock in microseconds since 1970.
    pub(super) fn micros(&self, ticks: u64) -> Option<i64> {
        let micros = u128::from(ticks) * 1_000_000 / self.per_second?;
        i64::try_from(micros)
            .ok()?
            .checked_add(self.offset_s.checked_mul(1_000_000)?)
    }
}
