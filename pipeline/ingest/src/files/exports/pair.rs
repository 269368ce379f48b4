//! Two directions make a flow. Meters tell each for itself, and both cut a long flow into pieces:
//! pieces match that overlap in time.

use std::collections::VecDeque;
use std::net::IpAddr;

use andon_schemas::observation::{
    ByteKind, ConnState, FlowRecord, Party, Record, RecordBody, Transport,
};
use andon_schemas::time::EventTime;
use hashbrown::HashMap;

/// Most directions that wait for the other one; the oldest goes on alone.
const WAITING_MAX: usize = 1 << 16;

/// Most of them that are pieces of one flow.
const PIECES_MAX: usize = 64;

/// How far apart two directions may be in time, microseconds.
const APART_MAX: i64 = 1_000_000;

const SYN: u16 = 0x02;
const RST: u16 = 0x04;
const ACK: u16 = 0x10;

/// One direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Half {
    pub(super) start: EventTime,
    pub(super) end: EventTime,
    /// Sender and receiver.
    pub(super) ends: [(IpAddr, u16); 2],
    pub(super) protocol: u8,
    /// Bytes of its IP packets.
    pub(super) bytes: u64,
    /// Every flag of TCP it has sent; 0 if they are not told.
    pub(super) flags: u16,
    /// Bytes and flags of the other direction, if the record tells both.
    pub(super) back: Option<(u64, u16)>,
}

impl Half {
    /// The same with its end not before its start: some meters round the two differently.
    pub(super) fn in_order(mut self) -> Self {
        self.end = self.end.max(self.start);
        self
    }

    fn overlaps(&self, other: &Self) -> bool {
        let gap = |from: EventTime, to: EventTime| to.micros().saturating_sub(from.micros());
        gap(self.end, other.start) <= APART_MAX && gap(other.end, self.start) <= APART_MAX
    }

    fn opens(&self) -> bool {
        self.flags & SYN != 0
    }

    /// Whether it rather than the other direction is that of whoever opened the flow: it began
    /// first, or it goes to the lower port.
    fn leads(&self, other: &Self) -> bool {
        self.start < other.start || self.start == other.start && self.ends[1].1 < other.ends[1].1
    }
}

/// Directions by what both have in common.
type Key = (u8, [(IpAddr, u16); 2]);

/// Directions that wait.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// By key, with a number that tells them apart.
    waiting: HashMap<Key, Vec<(u64, u64, Half)>>,
    order: VecDeque<(Key, u64)>,
    count: u64,
}

impl Pairs {
    /// Takes a direction; the flow that it completes, and one that waited too long.
    pub(super) fn take(&mut self, number: u64, half: Half) -> Vec<(u64, Record)> {
        let [source, destination] = half.ends;
        if half.back.is_some() {
            return vec![(number, record(&half, None))];
        }
        let ends = if source <= destination {
            [source, destination]
        } else {
            [destination, source]
        };
        let key = (half.protocol, ends);
        if let Some(waiting) = self.waiting.get_mut(&key)
            && let Some(at) = waiting
                .iter()
                .position(|(_, _, other)| other.ends != half.ends && other.overlaps(&half))
        {
            let (_, first, other) = waiting.remove(at);
            if waiting.is_empty() {
                self.waiting.remove(&key);
            }
            let flow = if other.leads(&half) {
                record(&other, Some(&half))
            } else {
                record(&half, Some(&other))
            };
            return vec![(first, flow)];
        }
        self.count += 1;
        let waiting = self.waiting.entry(key).or_default();
        waiting.push((self.count, number, half));
        self.order.push_back((key, self.count));
        let mut alone = Vec::new();
        if waiting.len() > PIECES_MAX {
            let (_, number, half) = waiting.remove(0);
            alone.push((number, record(&half, None)));
        }
        alone.extend(self.shed());
        alone
    }

    /// Lets go of the oldest, of those that have not found the other direction meanwhile.
    fn shed(&mut self) -> Vec<(u64, Record)> {
        let mut alone = Vec::new();
        while self.order.len() > WAITING_MAX {
            let Some((key, id)) = self.order.pop_front() else {
                break;
            };
            alone.extend(self.remove(key, id));
        }
        alone
    }

    fn remove(&mut self, key: Key, id: u64) -> Option<(u64, Record)> {
        let waiting = self.waiting.get_mut(&key)?;
        let at = waiting.iter().position(|(own, _, _)| *own == id)?;
        let (_, number, half) = waiting.remove(at);
        if waiting.is_empty() {
            self.waiting.remove(&key);
        }
        Some((number, record(&half, None)))
    }

    /// Everything that still waits, in the order in which it came.
    pub(super) fn end(&mut self) -> Vec<(u64, Record)> {
        let order = std::mem::take(&mut self.order);
        order
            .into_iter()
            .filter_map(|(key, id)| self.remove(key, id))
            .collect()
    }
}

/// The flow of a direction and the one that answers it.
fn record(half: &Half, answer: Option<&Half>) -> Record {
    let back = half.back.or(answer.map(|half| (half.bytes, half.flags)));
    let transport = match half.protocol {
        1 | 58 => Transport::Icmp,
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => Transport::Other,
    };
    let party = |(address, port)| Party {
        address,
        // Of ICMP, type and code stand where other protocols have ports.
        port: if transport == Transport::Icmp {
            0
        } else {
            port
        },
    };
    let [originator, responder] = half.ends.map(party);
    Record {
        device: None,
        address: None,
        event_time: answer.map_or(half.end, |answer| half.end.max(answer.end)),
        received_at: None,
        sender: None,
        seq: None,
        body: RecordBody::Flow(FlowRecord {
            start: answer.map_or(half.start, |answer| half.start.min(answer.start)),
            originator,
            responder,
            responder_name: None,
            transport,
            service: None,
            originator_bytes: Some(half.bytes),
            responder_bytes: back.map(|(bytes, _)| bytes),
            bytes: ByteKind::Ip,
            state: state(half, transport, back),
            interim: false,
            uid: None,
            commands: None,
        }),
    }
}

/// How far it got. A direction alone says little, for the other one may pass where nobody
/// measures; only a connection that was asked for and never spoken over is an attempt.
fn state(half: &Half, transport: Transport, back: Option<(u64, u16)>) -> ConnState {
    match back {
        Some((0, _)) | None => {
            if transport == Transport::Tcp && half.opens() && half.flags & ACK == 0 {
                ConnState::Attempt
            } else {
                ConnState::Unknown
            }
        }
        Some((_, flags))
            if transport == Transport::Tcp
                && flags & RST != 0
                && flags & SYN == 0
                && half.opens() =>
        {
            ConnState::Rejected
        }
        Some(_) => ConnState::Answered,
    }
}
