//! Observations, row by row, into the columns of a bundle.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float32Builder, StringBuilder,
    StringDictionaryBuilder, TimestampMicrosecondBuilder, UInt8Builder, UInt16Builder,
    UInt32Builder, UInt64Builder,
};
use arrow_array::types::UInt16Type;
use arrow_array::{ArrayRef, RecordBatch};

use super::{Bundle, RowRef};
use crate::columns::schema;
use crate::identity::address_key;
use crate::observation::{Attestation, Body, Flow, Header, Kind, Observation, Reading, Resolution};

#[derive(Default)]
struct HeaderBuilder {
    device: StringBuilder,
    event_time: TimestampMicrosecondBuilder,
    received_at: TimestampMicrosecondBuilder,
    sender: StringBuilder,
    sender_proven: BooleanBuilder,
    seq: UInt64Builder,
    topic: StringDictionaryBuilder<UInt16Type>,
    partition: UInt32Builder,
    offset: UInt64Builder,
    rows: u32,
}

impl std::fmt::Debug for HeaderBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeaderBuilder")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl HeaderBuilder {
    fn push(&mut self, header: &Header) {
        self.device.append_value(header.device.as_str());
        self.event_time.append_value(header.event_time.micros());
        self.received_at.append_value(header.received_at.micros());
        self.sender
            .append_option(header.sender.as_ref().map(|s| s.name.as_str()));
        self.sender_proven
            .append_value(header.sender.as_ref().is_some_and(|s| s.proven));
        self.seq.append_option(header.seq);
        self.topic.append_value(&header.source.topic);
        self.partition.append_value(header.source.partition);
        self.offset.append_value(header.source.offset);
        self.rows += 1;
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        vec![
            Arc::new(self.device.finish()),
            Arc::new(self.event_time.finish().with_timezone("UTC")),
            Arc::new(self.received_at.finish().with_timezone("UTC")),
            Arc::new(self.sender.finish()),
            Arc::new(self.sender_proven.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
        ]
    }
}

#[derive(Debug)]
struct FlowBuilder {
    header: HeaderBuilder,
    start: TimestampMicrosecondBuilder,
    role: UInt8Builder,
    peer: FixedSizeBinaryBuilder,
    peer_name: StringBuilder,
    port: UInt16Builder,
    transport: UInt8Builder,
    service: StringBuilder,
    up: UInt64Builder,
    down: UInt64Builder,
    bytes: UInt8Builder,
    state: UInt8Builder,
    interim: BooleanBuilder,
    uid: StringBuilder,
}

impl Default for FlowBuilder {
    fn default() -> Self {
        Self {
            header: HeaderBuilder::default(),
            start: TimestampMicrosecondBuilder::default(),
            role: UInt8Builder::default(),
            peer: FixedSizeBinaryBuilder::new(16),
            peer_name: StringBuilder::default(),
            port: UInt16Builder::default(),
            transport: UInt8Builder::default(),
            service: StringBuilder::default(),
            up: UInt64Builder::default(),
            down: UInt64Builder::default(),
            bytes: UInt8Builder::default(),
            state: UInt8Builder::default(),
            interim: BooleanBuilder::default(),
            uid: StringBuilder::default(),
        }
    }
}

impl FlowBuilder {
    fn push(&mut self, header: &Header, flow: &Flow) {
        self.header.push(header);
        self.start.append_value(flow.start.micros());
        self.role.append_value(flow.role as u8);
        append_address(&mut self.peer, address_key(flow.peer));
        self.peer_name.append_option(flow.peer_name.as_deref());
        self.port.append_value(flow.port);
        self.transport.append_value(flow.transport as u8);
        self.service.append_option(flow.service.as_deref());
        self.up.append_option(flow.up);
        self.down.append_option(flow.down);
        self.bytes.append_value(flow.bytes as u8);
        self.state.append_value(flow.state as u8);
        self.interim.append_value(flow.interim);
        self.uid.append_option(flow.uid.as_deref());
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.header.finish();
        columns.extend([
            Arc::new(self.start.finish().with_timezone("UTC")) as ArrayRef,
            Arc::new(self.role.finish()),
            Arc::new(self.peer.finish()),
            Arc::new(self.peer_name.finish()),
            Arc::new(self.port.finish()),
            Arc::new(self.transport.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.up.finish()),
            Arc::new(self.down.finish()),
            Arc::new(self.bytes.finish()),
            Arc::new(self.state.finish()),
            Arc::new(self.interim.finish()),
            Arc::new(self.uid.finish()),
        ]);
        columns
    }
}

fn append_address(builder: &mut FixedSizeBinaryBuilder, key: u128) {
    let fits = builder.append_value(key.to_be_bytes()).is_ok();
    debug_assert!(fits, "an address key has 16 bytes, the width of the column");
}

#[derive(Debug, Default)]
struct ReadingBuilder {
    header: HeaderBuilder,
    current_a: Float32Builder,
    spindle_rpm: Float32Builder,
}

#[derive(Debug, Default)]
struct AttestationBuilder {
    header: HeaderBuilder,
    version: StringBuilder,
    digest: StringBuilder,
    tpm_ok: BooleanBuilder,
}

#[derive(Debug)]
struct ResolutionBuilder {
    header: HeaderBuilder,
    server: FixedSizeBinaryBuilder,
    name: StringBuilder,
    addresses: BinaryBuilder,
    ttl_s: UInt32Builder,
}

impl Default for ResolutionBuilder {
    fn default() -> Self {
        Self {
            header: HeaderBuilder::default(),
            server: FixedSizeBinaryBuilder::new(16),
            name: StringBuilder::default(),
            addresses: BinaryBuilder::default(),
            ttl_s: UInt32Builder::default(),
        }
    }
}

/// Gathers observations, in the order of arrival, into bundles.
#[derive(Debug, Default)]
pub struct BundleBuilder {
    flows: FlowBuilder,
    readings: ReadingBuilder,
    attestations: AttestationBuilder,
    resolutions: ResolutionBuilder,
    order: Vec<RowRef>,
    next: u64,
}

impl BundleBuilder {
    /// A builder whose first row gets this ordinal.
    pub fn starting_at(ordinal: u64) -> Self {
        Self {
            next: ordinal,
            ..Self::default()
        }
    }

    /// Rows gathered so far.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The ordinal that the next row will get.
    pub fn next_ordinal(&self) -> u64 {
        self.next
    }

    /// Uses up one ordinal for something that is not a row: a tick between bundles.
    pub fn skip(&mut self) -> u64 {
        let ordinal = self.next;
        self.next += 1;
        ordinal
    }

    /// Takes one observation.
    pub fn push(&mut self, observation: &Observation) {
        let header = &observation.header;
        let row = match &observation.body {
            Body::Flow(flow) => {
                self.flows.push(header, flow);
                self.flows.header.rows
            }
            Body::Reading(Reading {
                current_a,
                spindle_rpm,
            }) => {
                self.readings.header.push(header);
                self.readings.current_a.append_option(*current_a);
                self.readings.spindle_rpm.append_option(*spindle_rpm);
                self.readings.header.rows
            }
            Body::Attestation(Attestation {
                version,
                digest,
                tpm_ok,
            }) => {
                self.attestations.header.push(header);
                self.attestations.version.append_value(version);
                self.attestations.digest.append_option(digest.as_deref());
                self.attestations.tpm_ok.append_option(*tpm_ok);
                self.attestations.header.rows
            }
            Body::Resolution(Resolution {
                server,
                name,
                addresses,
                ttl_s,
            }) => {
                let keys: Vec<u8> = addresses
                    .iter()
                    .flat_map(|a| address_key(*a).to_be_bytes())
                    .collect();
                self.resolutions.header.push(header);
                append_address(&mut self.resolutions.server, address_key(*server));
                self.resolutions.name.append_value(name);
                self.resolutions.addresses.append_value(keys);
                self.resolutions.ttl_s.append_value(*ttl_s);
                self.resolutions.header.rows
            }
        } - 1;
        self.order.push(RowRef {
            kind: observation.body.kind(),
            row,
            ordinal: self.next,
        });
        self.next += 1;
    }

    /// Hands over what was gathered and starts anew; ordinals go on.
    ///
    /// # Errors
    /// Only if Arrow refuses the columns, which their construction rules out.
    pub fn finish(&mut self) -> Result<Bundle, String> {
        let batch = |kind: Kind, columns| {
            RecordBatch::try_new(schema(kind).clone(), columns).map_err(|e| e.to_string())
        };
        let flows = batch(Kind::Flow, self.flows.finish())?;
        let mut columns = self.readings.header.finish();
        columns.push(Arc::new(self.readings.current_a.finish()));
        columns.push(Arc::new(self.readings.spindle_rpm.finish()));
        let readings = batch(Kind::Reading, columns)?;
        let mut columns = self.attestations.header.finish();
        columns.push(Arc::new(self.attestations.version.finish()));
        columns.push(Arc::new(self.attestations.digest.finish()));
        columns.push(Arc::new(self.attestations.tpm_ok.finish()));
        let attestations = batch(Kind::Attestation, columns)?;
        let mut columns = self.resolutions.header.finish();
        columns.push(Arc::new(self.resolutions.server.finish()));
        columns.push(Arc::new(self.resolutions.name.finish()));
        columns.push(Arc::new(self.resolutions.addresses.finish()));
        columns.push(Arc::new(self.resolutions.ttl_s.finish()));
        let resolutions = batch(Kind::Resolution, columns)?;
        let order = std::mem::take(&mut self.order).into();
        Bundle::new(&flows, &readings, &attestations, &resolutions, order)
    }
}
