//! The containers of packets, pcap and pcapng, read block by block in bounded memory.
//!
//! Where a block begins and ends is settled here, because a damaged length must cost no more than
//! it has to; what a block holds is decoded by `pcap-parser`.

use std::io::{self, Read};

use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use pcap_parser::{PcapHeader, parse_pcap_header};

use super::super::bytes::{Bytes, Short, cut};
use super::section::{INTERFACE, PACKETS, SECTION, Section};
use crate::refused::Refused;

/// Most bytes of one packet or block that are held; the largest snap length in use is 256 KiB.
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// What a file may end in front of.
const HEADER: &str = "header";

/// A packet as it was captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Captured<'a> {
    /// When.
    pub(super) time: EventTime,
    /// What its first header is, by the registry of link types.
    pub(super) link: u16,
    /// How long it was on the wire, at least as long as `data`.
    pub(super) length: usize,
    /// As much of it as the snap length left.
    pub(super) data: &'a [u8],
}

/// What a step through the file found.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A packet, or why it cannot be read. Either counts as one.
    Packet(Result<Captured<'a>, (Refused, &'a [u8])>),
    /// Damage after which nothing more can be read, or a block that is not.
    Damage(Refused),
    /// The end.
    End,
}

/// One file of packets.
pub(super) struct Container {
    bytes: Bytes,
    kind: Kind,
    block: Vec<u8>,
    ended: bool,
}

enum Kind {
    Unknown,
    Pcap(PcapHeader),
    PcapNg(Section),
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container").finish_non_exhaustive()
    }
}

impl Container {
    /// Reads what `detect` found to be pcap or pcapng. `packed` says that errors of the reader are
    /// properties of the file.
    pub(super) fn new(reader: Box<dyn Read + Send>, packed: bool) -> Self {
        Self {
            bytes: Bytes::new(reader, packed),
            kind: Kind::Unknown,
            block: Vec::new(),
            ended: false,
        }
    }

    /// The next packet; blocks that hold none are passed over.
    ///
    /// # Errors
    /// Only what the operating system says.
    pub(super) fn next(&mut self) -> io::Result<Step<'_>> {
        if self.ended {
            return Ok(Step::End);
        }
        if matches!(self.kind, Kind::Unknown)
            && let Some(step) = self.begin()?
        {
            return Ok(step);
        }
        match self.kind {
            Kind::Pcap(_) => self.record(),
            _ => self.ng_packet(),
        }
    }

    /// Reads the header of the file.
    fn begin(&mut self) -> io::Result<Option<Step<'static>>> {
        if let Some(stop) = self.take(0, 4, HEADER)? {
            return Ok(Some(stop));
        }
        if self.block == SECTION.to_be_bytes() {
            self.kind = Kind::PcapNg(Section::default());
            return Ok(None);
        }
        if let Some(stop) = self.take(4, 20, "file header")? {
            return Ok(Some(stop));
        }
        match parse_pcap_header(&self.block) {
            Ok((_, header)) => self.kind = Kind::Pcap(header),
            Err(_) => return Ok(Some(self.damaged("file header is not one of pcap"))),
        }
        self.block.clear();
        Ok(None)
    }

    /// Brings `more` bytes behind the first `at` of the block; says what stopped it, if something
    /// did. Only in front of a block may the file end.
    fn take(&mut self, at: usize, more: usize, of: &str) -> io::Result<Option<Step<'static>>> {
        self.block.resize(at + more, 0);
        let short = self.bytes.fill(&mut self.block[at..], of)?;
        self.ended |= short.is_some();
        Ok(short.map(|short| match short {
            Short::End if at == 0 && of == HEADER => Step::End,
            Short::End => Step::Damage(cut(of)),
            Short::Broken(refused) => Step::Damage(refused),
        }))
    }

    fn damaged(&mut self, what: &str) -> Step<'static> {
        self.ended = true;
        Step::Damage(Refused::new(
            RejectReason::Malformed,
            format!("{what}; what is before is kept, what follows cannot be read"),
        ))
    }

    /// The next record of a pcap.
    fn record(&mut self) -> io::Result<Step<'_>> {
        if let Some(stop) = self.take(0, 16, HEADER)? {
            return Ok(stop);
        }
        let Kind::Pcap(header) = &self.kind else {
            return Ok(Step::End);
        };
        let word = |at: usize| {
            let bytes = [
                self.block[at],
                self.block[at + 1],
                self.block[at + 2],
                self.block[at + 3],
            ];
            if header.is_bigendian() {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        let [seconds, fraction, captured, length] = [word(0), word(4), word(8), word(12)];
        let fraction = if header.is_nanosecond_precision() {
            fraction / 1_000
        } else {
            fraction
        };
        // The upper bits say whether frames end in a check sequence.
        let [_, _, high, low] = header.network.0.to_be_bytes();
        let link = u16::from_be_bytes([high, low]);
        let captured = captured as usize;
        if captured > BLOCK_BYTES_MAX {
            return Ok(self.damaged(&format!(
                "packet claims to hold {captured} bytes, at most {BLOCK_BYTES_MAX} are read"
            )));
        }
        if let Some(stop) = self.take(0, captured, "packet")? {
            return Ok(stop);
        }
        // Seconds of 32 bits end in 2106, long before a time can no longer be written.
        let micros = i64::from(seconds) * 1_000_000 + i64::from(fraction);
        Ok(Step::Packet(Ok(Captured {
            time: EventTime::from_micros(micros),
            link,
            length: (length as usize).max(captured),
            data: &self.block,
        })))
    }

    /// The next packet of a pcapng.
    fn ng_packet(&mut self) -> io::Result<Step<'_>> {
        loop {
            let (kind, read) = match self.ng_block()? {
                Ok(block) => block,
                Err(stop) => return Ok(stop),
            };
            let is_packet = PACKETS.contains(&kind);
            if !read {
                if is_packet || kind == INTERFACE || kind == SECTION {
                    return Ok(self.oversized(is_packet));
                }
                continue;
            }
            if is_packet {
                break;
            }
            if let Kind::PcapNg(section) = &mut self.kind
                && let Some(refused) = section.describe(kind, &self.block)
            {
                return Ok(Step::Damage(refused));
            }
        }
        let Kind::PcapNg(section) = &mut self.kind else {
            return Ok(Step::End);
        };
        Ok(Step::Packet(
            section
                .packet(&self.block)
                .map_err(|refused| (refused, &self.block[..])),
        ))
    }

    fn oversized(&self, is_packet: bool) -> Step<'_> {
        let refused = Refused::new(
            RejectReason::Oversized,
            format!("block is longer than {BLOCK_BYTES_MAX} bytes"),
        );
        if is_packet {
            Step::Packet(Err((refused, &self.block)))
        } else {
            Step::Damage(refused)
        }
    }

    /// Brings a whole block; its type, and whether it was short enough to be held.
    fn ng_block(&mut self) -> io::Result<Result<(u32, bool), Step<'static>>> {
        // Of the first block, four bytes have been looked at to tell the format.
        let at = if self.block == SECTION.to_be_bytes() {
            4
        } else {
            0
        };
        if let Some(stop) = self.take(at, 12 - at, HEADER)? {
            return Ok(Err(stop));
        }
        let Kind::PcapNg(section) = &mut self.kind else {
            return Ok(Err(Step::End));
        };
        let word = |at: usize| {
            [
                self.block[at],
                self.block[at + 1],
                self.block[at + 2],
                self.block[at + 3],
            ]
        };
        if word(0) == SECTION.to_be_bytes() {
            section.big_endian = word(8) == 0x1a2b_3c4d_u32.to_be_bytes();
        }
        let number = if section.big_endian {
            u32::from_be_bytes
        } else {
            u32::from_le_bytes
        };
        let (kind, length) = (number(word(0)), number(word(4)) as usize);
        if length < 12 || !length.is_multiple_of(4) {
            return Ok(Err(
                self.damaged(&format!("block claims to be {length} bytes long"))
            ));
        }
        if length > BLOCK_BYTES_MAX {
            return Ok(match self.skip(length - 12)? {
                Some(stop) => Err(stop),
                None => Ok((kind, false)),
            });
        }
        Ok(match self.take(12, length - 12, "block")? {
            Some(stop) => Err(stop),
            None => Ok((kind, true)),
        })
    }

    fn skip(&mut self, mut bytes: usize) -> io::Result<Option<Step<'static>>> {
        while bytes > 0 {
            let part = bytes.min(BLOCK_BYTES_MAX);
            if let Some(stop) = self.take(1, part, "block")? {
                return Ok(Some(stop));
            }
            bytes -= part;
        }
        self.block.clear();
        Ok(None)
    }
}
