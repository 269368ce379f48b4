//! Records and observations to their wire form.

use serde::Serialize;

use super::WIRE_VERSION;
use super::form::{EndpointForm, WireRecord};
use crate::observation::{
    Body, Flow, FlowRecord, Kind, Observation, Party, Record, RecordBody, Role, Source,
};
use crate::ot_command::Commands;
use crate::time::EventTime;

/// One record as a line of a capture, without the line end.
pub fn encode(record: &Record) -> String {
    let mut line = Vec::with_capacity(256);
    encode_into(&mut line, record, None);
    String::from_utf8(line).unwrap_or_default()
}

/// Appends one record, with the position it was recorded at, without a line end.
pub fn encode_into(line: &mut Vec<u8>, record: &Record, source: Option<&Source>) {
    let mut form = common(record.body_kind(), record.event_time);
    form.device = record.device.as_ref();
    form.received_at = record.received_at;
    form.sender = record.sender.as_ref().map(|s| &s.name);
    form.sender_proven = record.sender.as_ref().map(|s| s.proven);
    form.seq = record.seq;
    form.source = source;
    match &record.body {
        RecordBody::Flow(flow) => fill_flow(&mut form, flow),
        RecordBody::Single(body) => {
            form.client = record.address;
            fill_single(&mut form, body);
        }
    }
    append(line, &form);
}

/// One observation as JSON, for people and tools that look at what the engine was given. It says
/// `role`, `peer`, `port`, `up` and `down` as the device sees them, and is not read back: the
/// record it came from is.
pub fn encode_observation(observation: &Observation) -> String {
    let header = &observation.header;
    let mut form = common(observation.body.kind(), header.event_time);
    form.device = Some(&header.device);
    form.received_at = Some(header.received_at);
    form.sender = header.sender.as_ref().map(|s| &s.name);
    form.sender_proven = header.sender.as_ref().map(|s| s.proven);
    form.seq = header.seq;
    form.source = Some(&header.source);
    let mut line = Vec::with_capacity(256);
    if let Body::Flow(flow) = &observation.body {
        fill_common_flow(&mut form, flow);
        append(&mut line, &SeenFlow::of(form, flow));
    } else {
        fill_single(&mut form, &observation.body);
        append(&mut line, &form);
    }
    String::from_utf8(line).unwrap_or_default()
}

/// A flow as its device sees it.
#[derive(Serialize)]
struct SeenFlow<'a> {
    #[serde(flatten)]
    form: WireRecord<'a>,
    role: Role,
    peer: std::net::IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_name: Option<&'a str>,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    up: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down: Option<u64>,
}

impl<'a> SeenFlow<'a> {
    fn of(form: WireRecord<'a>, flow: &'a Flow) -> Self {
        Self {
            form,
            role: flow.role,
            peer: flow.peer,
            peer_name: flow.peer_name.as_deref(),
            port: flow.port,
            up: flow.up,
            down: flow.down,
        }
    }
}

impl Record {
    /// The kind of what it says.
    pub const fn body_kind(&self) -> Kind {
        match &self.body {
            RecordBody::Flow(_) => Kind::Flow,
            RecordBody::Single(body) => body.kind(),
        }
    }
}

/// Writing into memory cannot fail, and every part of the form is JSON.
fn append(line: &mut Vec<u8>, form: &impl Serialize) {
    let written = serde_json::to_writer(&mut *line, form);
    debug_assert!(written.is_ok(), "the wire form is plain JSON");
}

fn endpoint(party: Party) -> EndpointForm {
    EndpointForm::Text(std::net::SocketAddr::new(party.address, party.port).to_string())
}

fn fill_flow<'a>(form: &mut WireRecord<'a>, flow: &'a FlowRecord) {
    form.start = Some(flow.start);
    form.orig = Some(endpoint(flow.originator));
    form.resp = Some(endpoint(flow.responder));
    form.resp_name = flow.responder_name.as_deref();
    form.transport = Some(flow.transport);
    form.service = flow.service.as_deref();
    form.orig_bytes = flow.originator_bytes;
    form.resp_bytes = flow.responder_bytes;
    form.bytes = Some(flow.bytes);
    form.state = Some(flow.state);
    form.interim = flow.interim.then_some(true);
    form.uid = flow.uid.as_deref();
    form.commands = flow.commands.as_ref().map(Commands::as_str);
}

fn fill_common_flow<'a>(form: &mut WireRecord<'a>, flow: &'a Flow) {
    form.start = Some(flow.start);
    form.transport = Some(flow.transport);
    form.service = flow.service.as_deref();
    form.bytes = Some(flow.bytes);
    form.state = Some(flow.state);
    form.interim = flow.interim.then_some(true);
    form.uid = flow.uid.as_deref();
    form.commands = flow.commands.as_ref().map(Commands::as_str);
}

fn fill_single<'a>(form: &mut WireRecord<'a>, body: &'a Body) {
    match body {
        Body::Flow(flow) => fill_common_flow(form, flow),
        Body::Reading(reading) => {
            form.current_a = reading.current_a;
            form.spindle_rpm = reading.spindle_rpm;
        }
        Body::Attestation(attestation) => {
            form.firmware = Some(&attestation.version);
            form.sha256 = attestation.digest.as_deref();
            form.tpm_ok = attestation.tpm_ok;
        }
        Body::Resolution(resolution) => {
            form.server = Some(resolution.server);
            form.name = Some(&resolution.name);
            form.addresses = Some(&resolution.addresses);
            form.ttl_s = Some(resolution.ttl_s);
        }
    }
}

fn common<'a>(kind: Kind, time: EventTime) -> WireRecord<'a> {
    WireRecord {
        v: WIRE_VERSION,
        kind,
        device: None,
        time,
        received_at: None,
        sender: None,
        sender_proven: None,
        seq: None,
        source: None,
        start: None,
        orig: None,
        resp: None,
        resp_name: None,
        transport: None,
        service: None,
        orig_bytes: None,
        resp_bytes: None,
        bytes: None,
        state: None,
        interim: None,
        uid: None,
        commands: None,
        current_a: None,
        spindle_rpm: None,
        firmware: None,
        sha256: None,
        tpm_ok: None,
        server: None,
        name: None,
        addresses: None,
        ttl_s: None,
        client: None,
    }
}
