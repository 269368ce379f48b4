//! Flows of a capture while they are still in columns: what most rows of most captures are, without
//! a record made of each.

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::columns::FlowRow;
use andon_schemas::identity::{DeviceId, address_key};
use andon_schemas::observation::{Kind, Role, Source, Transport};
use andon_schemas::time::EventTime;
use andon_schemas::view::{View, ViewBody, ViewHeader};

use super::read::Batch;
use super::words::Values;
use crate::files::Item;
use crate::files::number::within;
use crate::files::rows::Content;

/// Rows of a capture that are all flows, sound, told by nobody in particular and of no device by
/// name: each of their ends is found by its address.
pub struct FlowBlock {
    batch: Arc<Batch>,
    path: Arc<str>,
    /// The number of its first row in the file.
    first: u64,
}

impl std::fmt::Debug for FlowBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowBlock")
            .field("path", &self.path)
            .field("first", &self.first)
            .field("rows", &self.len())
            .finish_non_exhaustive()
    }
}

/// The different addresses at one end of the flows of a block.
#[derive(Clone)]
pub(crate) struct Addresses(Arc<Values<IpAddr>>);

impl Addresses {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Addresses").field(&self.len()).finish()
    }
}

impl FlowBlock {
    /// The rows of a batch, if none of them needs to be looked at by itself.
    pub(super) fn of(batch: &Arc<Batch>, path: &Arc<str>, first: u64) -> Option<Self> {
        is_plain(batch).then(|| Self {
            batch: batch.clone(),
            path: path.clone(),
            first,
        })
    }

    /// Number of flows.
    pub fn len(&self) -> usize {
        self.batch.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The flow that follows after so many, as a row of the file.
    pub fn source(&self, row: usize) -> Source {
        Source {
            topic: self.path.clone(),
            partition: 0,
            offset: self.first + row as u64,
        }
    }

    /// When a flow ended.
    #[inline]
    pub fn event_time(&self, row: usize) -> EventTime {
        EventTime::from_micros(self.batch.time.get(row).unwrap_or(0))
    }

    /// When a flow was received, if the capture tells.
    #[inline]
    pub fn received_at(&self, row: usize) -> Option<EventTime> {
        self.batch.received_at.get(row).map(EventTime::from_micros)
    }

    /// The addresses at one end of all flows.
    pub(crate) fn addresses(&self, role: Role) -> Addresses {
        Addresses(self.at(role).values().clone())
    }

    /// Whether these are the addresses at one end of its flows.
    #[inline]
    pub(crate) fn has_addresses(&self, role: Role, addresses: &Addresses) -> bool {
        Arc::ptr_eq(self.at(role).values(), &addresses.0)
    }

    /// Which of these stands at this end of a flow.
    #[inline]
    pub(crate) fn address_key(&self, role: Role, row: usize) -> usize {
        self.at(role).key(row).unwrap_or(usize::MAX)
    }

    #[inline]
    pub(crate) fn address(&self, role: Role, row: usize) -> IpAddr {
        let none = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        self.at(role).sound(row).copied().unwrap_or(none)
    }

    fn at(&self, role: Role) -> &super::words::Words<IpAddr> {
        match role {
            Role::Originator => &self.batch.orig,
            Role::Responder => &self.batch.resp,
        }
    }

    /// A flow as the device at one of its ends sees it, given with its place in the inventory, if it
    /// has one. `source` is [that of the row](Self::source).
    #[inline]
    pub fn view<'a>(
        &'a self,
        row: usize,
        role: Role,
        (device, place): (&'a DeviceId, Option<u32>),
        source: &'a Source,
        received_at: EventTime,
    ) -> View<'a> {
        let event_time = self.event_time(row);
        View {
            header: ViewHeader {
                device,
                place,
                event_time,
                received_at: self.received_at(row).unwrap_or(received_at),
                sender: None,
                seq: self.batch.seq.get(row),
                source,
            },
            body: ViewBody::Flow(self.flow(row, role, event_time)),
        }
    }

    #[inline]
    fn flow(&self, row: usize, role: Role, end: EventTime) -> FlowRow<'_> {
        let batch = &*self.batch;
        let (orig, resp) = (batch.orig_bytes.get(row), batch.resp_bytes.get(row));
        let (peer, up, down) = match role {
            Role::Originator => (Role::Responder, orig, resp),
            Role::Responder => (Role::Originator, resp, orig),
        };
        let names_peer = role == Role::Originator;
        let peer_name = batch.resp_name.sound(row).filter(|_| names_peer);
        let service = batch.service.sound(row).map(|service| service.0.as_str());
        let commands = batch.commands.sound(row).and_then(|told| told.0.as_ref());
        FlowRow {
            start: batch.start.get(row).map_or(end, EventTime::from_micros),
            role,
            peer: address_key(self.address(peer, row)),
            peer_name: peer_name.map(|name| name.0.as_str()),
            port: batch.resp_port.get(row).unwrap_or(0),
            transport: batch
                .transport
                .sound(row)
                .copied()
                .unwrap_or(Transport::Tcp),
            service: service.filter(|service| !service.is_empty()),
            up,
            down,
            bytes: batch.bytes.sound(row).copied().unwrap_or_default(),
            state: batch.state.sound(row).copied().unwrap_or_default(),
            interim: batch.interim.get(row).unwrap_or(false),
            uid: batch.uid.get(row).ok().flatten(),
            commands: commands.map(andon_schemas::ot_command::Commands::as_str),
        }
    }

    /// The flows one by one. `as_of` is when those were received that do not say so.
    pub fn items(&self, as_of: EventTime) -> impl Iterator<Item = Item> + '_ {
        (0..self.len()).filter_map(move |row| match self.batch.content(row) {
            Ok(Content::Record(mut record, _)) => {
                record.received_at.get_or_insert(as_of);
                let source = self.source(row);
                Some(Item::Record { record, source })
            }
            // What is refused, or is no record, is in no block.
            _ => None,
        })
    }
}

/// Whether every row is a sound flow, told by nobody in particular and of no device by name.
fn is_plain(batch: &Batch) -> bool {
    let nothing_else = batch.line.is_empty()
        && batch.device.is_empty()
        && batch.sender.is_empty()
        && batch.topic.is_empty();
    let all_there = batch.kind.is_full()
        && batch.time.is_full()
        && batch.orig.is_full()
        && batch.resp.is_full()
        && batch.transport.is_full();
    let sound = batch.kind.is_sound()
        && batch.client.is_sound()
        && batch.orig.is_sound()
        && batch.resp.is_sound()
        && batch.resp_name.is_sound()
        && batch.transport.is_sound()
        && batch.service.is_sound()
        && batch.bytes.is_sound()
        && batch.state.is_sound()
        && batch.uid.is_sound(batch.rows)
        && batch.commands.is_sound();
    let flow = Kind::Flow.to_string();
    nothing_else
        && all_there
        && sound
        && (0..batch.rows).all(|row| batch.kind.sound(row) == Some(&flow) && is_timed(batch, row))
}

fn is_timed(batch: &Batch, row: usize) -> bool {
    let inside = |micros: Option<i64>| micros.is_none_or(|micros| within(micros).is_some());
    let (start, end) = (batch.start.get(row), batch.time.get(row));
    inside(end)
        && inside(start)
        && inside(batch.received_at.get(row))
        && start.is_none_or(|start| end.is_some_and(|end| start <= end))
}
