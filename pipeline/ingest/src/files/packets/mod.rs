//! Captured packets: pcap and pcapng. Flows are assembled here, one record for each as Zeek's
//! `conn.log` has it, and DNS answers as in its `dns.log`.
//!
//! A flow ends with its close, after a silence (TCP 5 min, others 1 min), or with the file; one
//! that lasts is told every 30 minutes while it does. Time is that of the packets alone. A packet
//! that cannot be read is a reject under its number; frames that are not IP are counted by kind,
//! with one reject for each. What is in memory has limits: the flows that are open, the datagrams
//! whose parts are awaited, the bytes of one packet.

mod aside;
mod assembler;
mod commands;
mod connection;
mod container;
mod dns;
mod flow;
mod fragments;
mod link;
mod network;
mod section;
mod service;
mod table;
mod transport;
mod tunnel;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{self, Cursor, Read};

use andon_schemas::time::EventTime;

use self::assembler::{Assembler, Out};
use self::container::{Container, Step};
use self::table::FLOWS_MAX;
use super::rows::{Content, Numbered};
use crate::refused::Refused;

/// Most bytes of a refused packet that are shown.
const SHOWN_BYTES_MAX: usize = 64;

/// What was in a file of packets, beyond its records and rejects.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PacketCounts {
    /// Packets, those that could not be read included.
    pub packets: u64,
    /// Frames of which no flow is made, by what they carry: ARP, PROFINET, LLDP and others.
    pub aside: BTreeMap<String, u64>,
    /// Flows that were told before their end because too many were open at one time.
    pub evicted: u64,
}

/// The rows of one file of packets.
#[derive(Debug)]
pub(super) struct PacketRows {
    container: Container,
    assembler: Assembler,
    packets: u64,
    unread: u64,
    out: Out,
    refused: VecDeque<(u64, Refused, String)>,
    ended: bool,
}

impl PacketRows {
    /// Reads packets. `packed` says that errors of the reader are damage of the file.
    pub(super) fn new(reader: Box<dyn Read + Send>, packed: bool) -> Self {
        Self::with_flows(reader, packed, FLOWS_MAX)
    }

    /// The same, with at most `max` flows open at one time.
    pub(super) fn with_flows(reader: Box<dyn Read + Send>, packed: bool, max: usize) -> Self {
        Self {
            container: Container::new(reader, packed),
            assembler: Assembler::new(max),
            packets: 0,
            unread: 0,
            out: Out::new(),
            refused: VecDeque::new(),
            ended: false,
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            if let Some((number, refused, shown)) = self.refused.pop_front() {
                let content = Err((refused, shown));
                return Ok(Some(Numbered { number, content }));
            }
            if let Some((number, told)) = self.out.pop_front() {
                let content = told
                    .map(|record| Content::Record(record, None))
                    .map_err(|refused| (refused, String::new()));
                return Ok(Some(Numbered { number, content }));
            }
            if self.ended {
                return Ok(None);
            }
            self.step()?;
        }
    }

    fn step(&mut self) -> io::Result<()> {
        match self.container.next()? {
            Step::Packet(packet) => {
                self.packets += 1;
                let number = self.packets;
                let refused = match packet {
                    Ok(captured) => self
                        .assembler
                        .take(number, &captured, &mut self.out)
                        .map_err(|refused| (refused, captured.data)),
                    Err(refused) => Err(refused),
                };
                if let Err((refused, raw)) = refused {
                    self.refused.push_back((number, refused, shown(raw)));
                }
            }
            Step::Damage(refused) => {
                // It stands where the next packet would.
                let number = self.packets + 1;
                self.refused.push_back((number, refused, String::new()));
            }
            Step::End => {
                self.ended = true;
                self.assembler.end(&mut self.out);
                for (number, refused, more) in self.assembler.aside.tell() {
                    self.unread += more;
                    self.refused.push_back((number, refused, String::new()));
                }
            }
        }
        Ok(())
    }

    /// Frames of kinds that are not observed, after the one of each that is a reject.
    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    /// What was in the file so far.
    pub(super) fn counts(&self) -> PacketCounts {
        PacketCounts {
            packets: self.packets,
            aside: self.assembler.aside.counts(),
            evicted: self.assembler.evicted,
        }
    }
}

/// When the first packet was captured that can be read in the beginning of a file.
pub(super) fn first_time(head: &[u8]) -> Option<EventTime> {
    let mut container = Container::new(Box::new(Cursor::new(head.to_vec())), false);
    loop {
        match container.next().ok()? {
            Step::Packet(Ok(captured)) => return Some(captured.time),
            Step::Packet(Err(_)) | Step::Damage(_) => {}
            Step::End => return None,
        }
    }
}

/// The beginning of a packet as hexadecimal digits, as every tool shows it.
fn shown(raw: &[u8]) -> String {
    let mut text = String::with_capacity(2 * SHOWN_BYTES_MAX);
    for byte in raw.iter().take(SHOWN_BYTES_MAX) {
        // A `String` takes all that is written to it.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}
