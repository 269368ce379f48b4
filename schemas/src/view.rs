//! One end's view of a record, borrowed: what lies in a record is copied once, into the columns of
//! a bundle, and not into an [`Observation`] in between.

use crate::columns::FlowRow;
use crate::identity::{DeviceId, address_key};
use crate::observation::{
    Body, Flow, FlowRecord, Observation, Record, RecordBody, Role, Sender, Source,
};
use crate::ot_command::Commands;
use crate::time::EventTime;

/// What every observation carries, borrowed. See [`Header`](crate::observation::Header).
#[derive(Clone, Copy, Debug)]
pub struct ViewHeader<'a> {
    /// The device it is about.
    pub device: &'a DeviceId,
    /// Its position in the inventory that whoever takes this measures against, where that is known
    /// without a look-up.
    pub place: Option<u32>,
    /// When it happened; of a flow, when it ended.
    pub event_time: EventTime,
    /// When a reader first held it.
    pub received_at: EventTime,
    /// Who sent it.
    pub sender: Option<&'a Sender>,
    /// Number given by the sender.
    pub seq: Option<u64>,
    /// Where it came from.
    pub source: &'a Source,
}

/// What was measured, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum ViewBody<'a> {
    /// A flow as the device sees it.
    Flow(FlowRow<'a>),
    /// Anything else, which looks the same from everywhere.
    Single(&'a Body),
}

/// One typed measurement of one device at one event time, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Who, when, from where.
    pub header: ViewHeader<'a>,
    /// What.
    pub body: ViewBody<'a>,
}

impl<'a> View<'a> {
    /// What `record` says of a device, given with its place in the inventory if that is known, which
    /// stands at this end if it is a flow. A time of receipt that the record carries wins over
    /// `received_at`.
    pub fn of(
        record: &'a Record,
        (device, place): (&'a DeviceId, Option<u32>),
        role: Role,
        source: &'a Source,
        received_at: EventTime,
    ) -> Self {
        Self {
            header: ViewHeader {
                device,
                place,
                event_time: record.event_time,
                received_at: record.received_at.unwrap_or(received_at),
                sender: record.sender.as_ref(),
                seq: record.seq,
                source,
            },
            body: match &record.body {
                RecordBody::Flow(flow) => ViewBody::Flow(flow.row(role)),
                RecordBody::Single(body) => ViewBody::Single(body),
            },
        }
    }
}

impl Observation {
    /// The same, borrowed.
    pub fn view(&self) -> View<'_> {
        let header = &self.header;
        View {
            header: ViewHeader {
                device: &header.device,
                place: None,
                event_time: header.event_time,
                received_at: header.received_at,
                sender: header.sender.as_ref(),
                seq: header.seq,
                source: &header.source,
            },
            body: match &self.body {
                Body::Flow(flow) => ViewBody::Flow(flow.row()),
                body => ViewBody::Single(body),
            },
        }
    }
}

impl Flow {
    /// The same, borrowed.
    pub fn row(&self) -> FlowRow<'_> {
        FlowRow {
            start: self.start,
            role: self.role,
            peer: address_key(self.peer),
            peer_name: self.peer_name.as_deref(),
            port: self.port,
            transport: self.transport,
            service: self.service.as_deref(),
            up: self.up,
            down: self.down,
            bytes: self.bytes,
            state: self.state,
            interim: self.interim,
            uid: self.uid.as_deref(),
            commands: self.commands.as_ref().map(Commands::as_str),
        }
    }
}

impl FlowRecord {
    /// The flow as one of its ends sees it, borrowed: what [`seen_by`](Self::seen_by) makes.
    pub fn row(&self, role: Role) -> FlowRow<'_> {
        let (peer, up, down) = match role {
            Role::Originator => (self.responder, self.originator_bytes, self.responder_bytes),
            Role::Responder => (self.originator, self.responder_bytes, self.originator_bytes),
        };
        FlowRow {
            start: self.start,
            role,
            peer: address_key(peer.address),
            peer_name: self
                .responder_name
                .as_deref()
                .filter(|_| role == Role::Originator),
            port: self.responder.port,
            transport: self.transport,
            service: self.service.as_deref(),
            up,
            down,
            bytes: self.bytes,
            state: self.state,
            interim: self.interim,
            uid: self.uid.as_deref(),
            commands: self.commands.as_ref().map(Commands::as_str),
        }
    }
}
