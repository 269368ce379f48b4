//! A conversation that should not be: the flow records of one connection.

use std::net::IpAddr;

use andon_schemas::observation::{
    ByteKind, ConnState, FlowRecord, Party, Record, RecordBody, Transport,
};
use andon_schemas::ot_command::Commands;
use andon_schemas::time::EventTime;

use crate::class::Pair;
use crate::day::{ephemeral_port, flow_id};
use crate::random::Stream;

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    originator: Party,
    responder: Party,
    transport: Transport,
    service: Option<String>,
    bytes: ByteKind,
    uid: String,
    start: EventTime,
    commands: Option<Commands>,
}

impl Talk {
    /// A connection over TCP.
    pub(super) fn tcp(
        from: IpAddr,
        to: (IpAddr, u16),
        service: &str,
        start: EventTime,
        dice: &mut Stream,
    ) -> Self {
        Self {
            originator: Party {
                address: from,
                port: ephemeral_port(dice),
            },
            responder: Party {
                address: to.0,
                port: to.1,
            },
            transport: Transport::Tcp,
            service: Some(service.to_owned()),
            bytes: ByteKind::Payload,
            uid: flow_id(dice),
            start,
            commands: None,
        }
    }

    /// A connection in the way of a habit, to `peer`.
    pub(super) fn like(
        pair: &Pair,
        bytes: ByteKind,
        from: IpAddr,
        peer: IpAddr,
        start: EventTime,
        dice: &mut Stream,
    ) -> Self {
        Self {
            originator: Party {
                address: from,
                port: ephemeral_port(dice),
            },
            responder: Party {
                address: peer,
                port: pair.port,
            },
            transport: pair.transport,
            service: pair.service.clone(),
            bytes,
            uid: flow_id(dice),
            start,
            commands: None,
        }
    }

    /// The same with commands, which its one record tells.
    pub(super) fn telling(self, commands: Option<Commands>) -> Self {
        Self { commands, ..self }
    }

    /// The totals of the connection when it has ended.
    pub(super) fn ended(&self, end: EventTime, up: u64, down: u64) -> Record {
        self.at(end, up, down, false)
    }

    /// The running totals while it goes on.
    pub(super) fn running(&self, time: EventTime, up: u64, down: u64) -> Record {
        self.at(time, up, down, true)
    }

    fn at(&self, time: EventTime, up: u64, down: u64, interim: bool) -> Record {
        Record {
            device: None,
            address: None,
            event_time: time,
            received_at: None,
            sender: None,
            seq: None,
            body: RecordBody::Flow(FlowRecord {
                start: self.start,
                originator: self.originator,
                responder: self.responder,
                responder_name: None,
                transport: self.transport,
                service: self.service.as_deref().map(Into::into),
                originator_bytes: Some(up),
                responder_bytes: Some(down),
                bytes: self.bytes,
                state: ConnState::Answered,
                interim,
                uid: Some(self.uid.as_str().into()),
                commands: self.commands.clone(),
            }),
        }
    }
}
