//! Observations: one typed measurement of one device at one event time, and the records they
//! are split from.
//!
//! A [`Record`] is what came off the wire: a flow names two endpoints. An [`Observation`] is what
//! the engine counts: one endpoint's view of it. The readers split the one into the other.

use std::net::IpAddr;
use std::sync::Arc;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::grade::text_scale;
use crate::identity::DeviceId;
use crate::ot_command::Commands;
use crate::time::EventTime;

/// Which of the four kinds of observation.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A network flow.
    Flow,
    /// A sensor reading: current draw, spindle speed.
    Reading,
    /// A firmware report.
    Attestation,
    /// A DNS answer.
    Resolution,
}

text_scale!(Kind {
    Flow => "flow", Reading => "reading", Attestation => "attestation",
    Resolution => "resolution",
});

/// Which end of a flow the device is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It opened the flow.
    Originator,
    /// It was connected to.
    Responder,
}

text_scale!(Role { Originator => "originator", Responder => "responder" });

/// Transport protocol.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6; ports are not ports.
    Icmp,
    /// Anything else.
    Other,
}

text_scale!(Transport { Tcp => "tcp", Udp => "udp", Icmp => "icmp", Other => "other" });

/// What a byte count counts. Kinds are never mixed in one baseline.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ByteKind {
    /// Application payload (Zeek `orig_bytes`).
    #[default]
    Payload,
    /// IP packets with headers (Zeek's `orig_ip_bytes`).
    Ip,
    /// `Ethernet` frames (Suricata `bytes_toserver`).
    Frame,
}

text_scale!(ByteKind { Payload => "payload", Ip => "ip", Frame => "frame" });

/// How far a connection got.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ConnState {
    /// Nobody answered (Zeek S0).
    Attempt,
    /// It was refused (Zeek REJ).
    Rejected,
    /// The responder answered.
    Answered,
    /// Seen from the middle, or not said.
    #[default]
    Unknown,
}

text_scale!(ConnState {
    Attempt => "attempt", Rejected => "rejected", Answered => "answered", Unknown => "unknown",
});

/// Who sent a row: the authenticated identity, or else the topic's device, unproven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Identity, folded to lower case.
    pub name: DeviceId,
    /// Whether the transport proved it. What rests on an unproven sender is capped at MEDIUM.
    pub proven: bool,
}

/// Where a record sits upstream.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Source {
    /// Kafka or MQTT topic, or the path of a file as it was given.
    #[schemars(with = "String")]
    pub topic: Arc<str>,
    /// Kafka partition; 0 for MQTT and files.
    pub partition: u32,
    /// Kafka offset, sequence in the MQTT log, or the number of the record in its file, from 1.
    pub offset: u64,
}

/// What every observation carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The device it is about.
    pub device: DeviceId,
    /// When it happened; of a flow, when it ended.
    pub event_time: EventTime,
    /// When a reader first held it; stamped by the reader and kept.
    pub received_at: EventTime,
    /// Who sent it; `None` for files the operator hands in.
    pub sender: Option<Sender>,
    /// Number given by the sender, one stream per (device, kind).
    pub seq: Option<u64>,
    /// Where it came from.
    pub source: Source,
}

/// One endpoint's view of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// When it began; never after the event time.
    pub start: EventTime,
    /// Which end the device is.
    pub role: Role,
    /// Address of the other end.
    pub peer: IpAddr,
    /// Name of the other end, if the record gave one.
    pub peer_name: Option<CompactString>,
    /// The responder's port, whichever end the device is; 0 where there are none.
    pub port: u16,
    /// Transport protocol.
    pub transport: Transport,
    /// Application protocol as a sensor detected it, lower case.
    pub service: Option<CompactString>,
    /// Bytes the device sent so far; `None` if the record does not say.
    pub up: Option<u64>,
    /// Bytes the device received so far.
    pub down: Option<u64>,
    /// What the byte counts count.
    pub bytes: ByteKind,
    /// How far the connection got.
    pub state: ConnState,
    /// A running total of a flow that has not ended.
    pub interim: bool,
    /// The sensor's own id of the flow.
    pub uid: Option<CompactString>,
    /// Commands of a protocol of the plant that were given since the record before of the same
    /// flow, unlike the bytes; `None` if none were, or the record does not say.
    pub commands: Option<Commands>,
}

/// One sample of a device's sensors. At least one value is present, all are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Current draw, amperes.
    pub current_a: Option<f32>,
    /// Spindle speed, revolutions per minute.
    pub spindle_rpm: Option<f32>,
}

/// What a device, or its attestation service, says it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Firmware version as the vendor writes it.
    pub version: String,
    /// SHA-256 of the image, lower-case hex.
    pub digest: Option<String>,
    /// Result of the TPM quote.
    pub tpm_ok: Option<bool>,
}

/// A DNS answer seen by a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The server that answered.
    pub server: IpAddr,
    /// The name asked for, lower case, without a final dot.
    pub name: String,
    /// The addresses in the answer.
    pub addresses: Vec<IpAddr>,
    /// How long the answer may be kept, seconds.
    pub ttl_s: u32,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A network flow.
    Flow(Flow),
    /// A sensor reading.
    Reading(Reading),
    /// A firmware report.
    Attestation(Attestation),
    /// A DNS answer.
    Resolution(Resolution),
}

impl Body {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Flow(_) => Kind::Flow,
            Self::Reading(_) => Kind::Reading,
            Self::Attestation(_) => Kind::Attestation,
            Self::Resolution(_) => Kind::Resolution,
        }
    }
}

/// One typed measurement of one device at one event time.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Who, when, from where.
    pub header: Header,
    /// What.
    pub body: Body,
}

/// One end of a flow record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0 where there are none.
    pub port: u16,
}

/// A flow as the wire tells it, with both ends.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowRecord {
    /// When it began.
    pub start: EventTime,
    /// Who opened it.
    pub originator: Party,
    /// Who was connected to.
    pub responder: Party,
    /// Name of the responder, if the record gave one (TLS SNI, HTTP host).
    pub responder_name: Option<CompactString>,
    /// Transport protocol.
    pub transport: Transport,
    /// Application protocol, lower case.
    pub service: Option<CompactString>,
    /// Bytes from originator to responder so far.
    pub originator_bytes: Option<u64>,
    /// Bytes from responder to originator so far.
    pub responder_bytes: Option<u64>,
    /// What the byte counts count.
    pub bytes: ByteKind,
    /// How far it got.
    pub state: ConnState,
    /// A running total of a flow that has not ended.
    pub interim: bool,
    /// The sensor's own id of the flow.
    pub uid: Option<CompactString>,
    /// Commands of a protocol of the plant that were given since the record before of the same
    /// flow, unlike the bytes; `None` if none were, or the record does not say.
    pub commands: Option<Commands>,
}

impl FlowRecord {
    /// The flow as one of its ends sees it.
    #[must_use]
    pub fn seen_by(self, role: Role) -> Flow {
        let (peer, up, down) = match role {
            Role::Originator => (self.responder, self.originator_bytes, self.responder_bytes),
            Role::Responder => (self.originator, self.responder_bytes, self.originator_bytes),
        };
        Flow {
            start: self.start,
            role,
            peer: peer.address,
            peer_name: match role {
                Role::Originator => self.responder_name,
                Role::Responder => None,
            },
            port: self.responder.port,
            transport: self.transport,
            service: self.service,
            up,
            down,
            bytes: self.bytes,
            state: self.state,
            interim: self.interim,
            uid: self.uid,
            commands: self.commands,
        }
    }
}

/// What a record says, before it is split.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordBody {
    /// A flow with both ends.
    Flow(FlowRecord),
    /// Any other kind: it has one device already, or the client's address stands for it.
    Single(Body),
}

/// One record as a reader decoded it: not yet split, not yet stamped.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The device it is about, if the record or its topic names one. A flow that names one is
    /// about that device only; one that does not is split by its addresses.
    pub device: Option<DeviceId>,
    /// The address that stands for the device where no name is given (DNS client).
    pub address: Option<IpAddr>,
    /// When it happened; of a flow, when it ended.
    pub event_time: EventTime,
    /// When it was received, if a capture of ours recorded it.
    pub received_at: Option<EventTime>,
    /// Who sent it, if a capture of ours recorded it.
    pub sender: Option<Sender>,
    /// Number given by the sender.
    pub seq: Option<u64>,
    /// What it says.
    pub body: RecordBody,
}
