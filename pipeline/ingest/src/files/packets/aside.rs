//! Frames that no flow is made of: counted by kind, and told once at the end of the file with all
//! that is known by then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use andon_schemas::reject::RejectReason;
use etherparse::{ArpOperation, ArpPacketSlice, EtherType};
use hashbrown::{HashMap, HashSet};

use super::link::{ARP, kind_name, link_name};
use crate::refused::Refused;

/// Most kinds of frames that are counted each for itself; further ones are counted together.
const KINDS_MAX: usize = 64;

/// Most pairs of who asked for whom that are remembered.
const ASKED_MAX: usize = 1 << 16;

/// How many addresses a host has to ask for before it is told.
const TOLD_FROM: usize = 16;

/// Why no flow is made of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// It carries something else than IP.
    Carried(u16),
    /// Its header is of a link that is not read.
    Link(u16),
    /// Any other kind, after too many.
    Further,
}

impl Kind {
    fn name(self) -> String {
        match self {
            Self::Carried(kind) => kind_name(kind),
            Self::Link(link) => link_name(link),
            Self::Further => "further kinds of frames".to_owned(),
        }
    }
}

/// How many frames of one kind there were.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Number of the first one.
    first: u64,
    frames: u64,
}

/// Frames put aside.
#[derive(Debug, Default)]
pub(super) struct Aside {
    seen: BTreeMap<Kind, Seen>,
    /// Whose addresses a host asked for by ARP.
    asked: HashSet<(Ipv4Addr, Ipv4Addr)>,
}

impl Aside {
    /// Puts a frame aside for what it carries.
    pub(super) fn carried(&mut self, number: u64, kind: u16, payload: &[u8]) {
        // Every length is a kind of its own otherwise.
        let kind = if kind < 0x0600 { 0 } else { kind };
        if kind == ARP {
            self.arp(payload);
        }
        self.count(number, Kind::Carried(kind));
    }

    /// Puts a frame aside for its link type.
    pub(super) fn link(&mut self, number: u64, link: u16) {
        self.count(number, Kind::Link(link));
    }

    fn count(&mut self, number: u64, kind: Kind) {
        let kind = if self.seen.len() < KINDS_MAX || self.seen.contains_key(&kind) {
            kind
        } else {
            Kind::Further
        };
        let seen = self.seen.entry(kind).or_insert(Seen {
            first: number,
            frames: 0,
        });
        seen.frames += 1;
    }

    fn arp(&mut self, packet: &[u8]) {
        let Ok(arp) = ArpPacketSlice::from_slice(packet) else {
            return;
        };
        if arp.operation() != ArpOperation::REQUEST || arp.proto_addr_type() != EtherType::IPV4 {
            return;
        }
        let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
        if let (Some(asker), Some(asked)) = (
            address(arp.sender_protocol_addr()),
            address(arp.target_protocol_addr()),
        ) && asker != asked
            && !asker.is_unspecified()
            && self.asked.len() < ASKED_MAX
        {
            self.asked.insert((asker, asked));
        }
    }

    /// The host that asked for the most addresses, if that is many, and how many.
    fn busiest(&self) -> Option<(Ipv4Addr, usize)> {
        let mut counts: HashMap<Ipv4Addr, usize> = HashMap::new();
        // Counting and the largest of a pair do not depend on the order.
        let mut askers: Vec<Ipv4Addr> = self.asked.iter().map(|(asker, _)| *asker).collect();
        askers.sort_unstable();
        for asker in askers {
            *counts.entry(asker).or_default() += 1;
        }
        counts
            .into_iter()
            .filter(|(_, asked)| *asked >= TOLD_FROM)
            .max_by_key(|(asker, asked)| (*asked, std::cmp::Reverse(*asker)))
    }

    /// Frames of each kind.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        self.seen
            .iter()
            .map(|(kind, seen)| (kind.name(), seen.frames))
            .collect()
    }

    /// One refusal for each kind, with the number of its first frame and how many more there were.
    pub(super) fn tell(&self) -> Vec<(u64, Refused, u64)> {
        self.seen
            .iter()
            .map(|(kind, seen)| {
                let mut detail = match kind {
                    Kind::Link(_) => format!(
                        "frames of {} are not read; there are {}",
                        kind.name(),
                        seen.frames
                    ),
                    _ => format!(
                        "{} is not observed, no flow is made of it; frames: {}",
                        kind.name(),
                        seen.frames
                    ),
                };
                if *kind == Kind::Carried(ARP)
                    && let Some((asker, asked)) = self.busiest()
                {
                    // A `String` takes all that is written to it.
                    let _infallible = write!(detail, "; {asker} asked for {asked} addresses");
                }
                let refused = Refused::new(RejectReason::Unsupported, detail);
                (seen.first, refused, seen.frames - 1)
            })
            .collect()
    }
}
