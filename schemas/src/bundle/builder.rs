//! Observations, row by row, into the columns of a bundle.

use std::sync::{Arc, LazyLock};

use arrow_array::types::{
    Float32Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, RecordBatch};

use super::column::{Addresses, Devices, Flags, Optional, Runs, Topics, numbers};
use super::{Bundle, RowRef};
use crate::columns::{FlowRow, schema};
use crate::identity::address_key;
use crate::observation::{Attestation, Body, Kind, Observation, Reading, Resolution};
use crate::view::{View, ViewBody, ViewHeader};

#[derive(Debug, Default)]
struct HeaderBuilder {
    device: Devices,
    event_time: Vec<i64>,
    received_at: Vec<i64>,
    sender: Runs,
    sender_proven: Flags,
    seq: Optional<u64>,
    topic: Topics,
    partition: Vec<u32>,
    offset: Vec<u64>,
    rows: u32,
    /// The dictionary that places are in, and how many there are.
    shared: Option<ArrayRef>,
    places: u32,
}

impl HeaderBuilder {
    #[inline]
    fn push(&mut self, header: &ViewHeader) {
        let sender = header.sender;
        self.device
            .push(header.device.as_str(), header.place, self.places);
        self.event_time.push(header.event_time.micros());
        self.received_at.push(header.received_at.micros());
        self.sender.push(sender.map(|s| s.name.as_str().as_bytes()));
        self.sender_proven
            .push(Some(sender.is_some_and(|s| s.proven)));
        self.seq.push(header.seq);
        self.topic.push(header.source);
        self.partition.push(header.source.partition);
        self.offset.push(header.source.offset);
        self.rows += 1;
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, String> {
        self.rows = 0;
        Ok(vec![
            self.device.finish(self.shared.as_ref())?,
            times(&mut self.event_time),
            times(&mut self.received_at),
            self.sender.finish_text()?,
            self.sender_proven.finish(),
            self.seq.finish::<UInt64Type>()?,
            self.topic.finish()?,
            Arc::new(numbers::<UInt32Type>(&mut self.partition)),
            Arc::new(numbers::<UInt64Type>(&mut self.offset)),
        ])
    }
}

fn times(column: &mut Vec<i64>) -> ArrayRef {
    Arc::new(numbers::<TimestampMicrosecondType>(column).with_timezone("UTC"))
}

fn small(column: &mut Vec<u8>) -> ArrayRef {
    Arc::new(numbers::<UInt8Type>(column))
}

#[derive(Debug, Default)]
struct FlowBuilder {
    header: HeaderBuilder,
    start: Vec<i64>,
    role: Vec<u8>,
    peer: Addresses,
    peer_name: Runs,
    port: Vec<u16>,
    transport: Vec<u8>,
    service: Runs,
    up: Optional<u64>,
    down: Optional<u64>,
    bytes: Vec<u8>,
    state: Vec<u8>,
    interim: Flags,
    uid: Runs,
    commands: Runs,
}

impl FlowBuilder {
    #[inline]
    fn push(&mut self, header: &ViewHeader, flow: &FlowRow) {
        self.header.push(header);
        self.start.push(flow.start.micros());
        self.role.push(flow.role as u8);
        self.peer.push(flow.peer);
        self.peer_name.push(bytes_of(flow.peer_name));
        self.port.push(flow.port);
        self.transport.push(flow.transport as u8);
        self.service.push(bytes_of(flow.service));
        self.up.push(flow.up);
        self.down.push(flow.down);
        self.bytes.push(flow.bytes as u8);
        self.state.push(flow.state as u8);
        self.interim.push(Some(flow.interim));
        self.uid.push(bytes_of(flow.uid));
        self.commands.push(bytes_of(flow.commands));
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, String> {
        let mut columns = self.header.finish()?;
        columns.extend([
            times(&mut self.start),
            small(&mut self.role),
            self.peer.finish()?,
            self.peer_name.finish_text()?,
            Arc::new(numbers::<UInt16Type>(&mut self.port)),
            small(&mut self.transport),
            self.service.finish_text()?,
            self.up.finish::<UInt64Type>()?,
            self.down.finish::<UInt64Type>()?,
            small(&mut self.bytes),
            small(&mut self.state),
            self.interim.finish(),
            self.uid.finish_text()?,
            self.commands.finish_text()?,
        ]);
        Ok(columns)
    }
}

fn bytes_of(text: Option<&str>) -> Option<&[u8]> {
    text.map(str::as_bytes)
}

#[derive(Debug, Default)]
struct ReadingBuilder {
    header: HeaderBuilder,
    current_a: Optional<f32>,
    spindle_rpm: Optional<f32>,
}

impl ReadingBuilder {
    fn finish(&mut self) -> Result<Vec<ArrayRef>, String> {
        let mut columns = self.header.finish()?;
        columns.push(self.current_a.finish::<Float32Type>()?);
        columns.push(self.spindle_rpm.finish::<Float32Type>()?);
        Ok(columns)
    }
}

#[derive(Debug, Default)]
struct AttestationBuilder {
    header: HeaderBuilder,
    version: Runs,
    digest: Runs,
    tpm_ok: Flags,
}

impl AttestationBuilder {
    fn finish(&mut self) -> Result<Vec<ArrayRef>, String> {
        let mut columns = self.header.finish()?;
        columns.push(self.version.finish_text()?);
        columns.push(self.digest.finish_text()?);
        columns.push(self.tpm_ok.finish());
        Ok(columns)
    }
}

#[derive(Debug, Default)]
struct ResolutionBuilder {
    header: HeaderBuilder,
    server: Addresses,
    name: Runs,
    addresses: Runs,
    ttl_s: Vec<u32>,
}

impl ResolutionBuilder {
    fn finish(&mut self) -> Result<Vec<ArrayRef>, String> {
        let mut columns = self.header.finish()?;
        columns.push(self.server.finish()?);
        columns.push(self.name.finish_text()?);
        columns.push(self.addresses.finish_bytes()?);
        columns.push(Arc::new(numbers::<UInt32Type>(&mut self.ttl_s)));
        Ok(columns)
    }
}

/// No rows of a kind. A live bundle has few rows, mostly of one kind, and to make the columns of the
/// others each time would cost more than its rows.
fn none_of(kind: Kind) -> RecordBatch {
    static NONE: LazyLock<[RecordBatch; 4]> = LazyLock::new(|| {
        [
            Kind::Flow,
            Kind::Reading,
            Kind::Attestation,
            Kind::Resolution,
        ]
        .map(|kind| RecordBatch::new_empty(schema(kind).clone()))
    });
    NONE[kind as usize].clone()
}

/// So many rows of a kind.
fn batch(
    kind: Kind,
    rows: u32,
    columns: impl FnOnce() -> Result<Vec<ArrayRef>, String>,
) -> Result<RecordBatch, String> {
    if rows == 0 {
        return Ok(none_of(kind));
    }
    RecordBatch::try_new(schema(kind).clone(), columns()?).map_err(|e| e.to_string())
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

    /// From here on places of devices are places in this dictionary, of texts. Call it while
    /// nothing is gathered.
    pub fn share_names(&mut self, names: &ArrayRef) {
        for header in [
            &mut self.flows.header,
            &mut self.readings.header,
            &mut self.attestations.header,
            &mut self.resolutions.header,
        ] {
            header.shared = Some(names.clone());
            header.places = u32::try_from(names.len()).unwrap_or(0);
        }
    }

    /// The next row gets this ordinal.
    pub fn go_on_at(&mut self, ordinal: u64) {
        self.next = ordinal;
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

    /// Takes one observation.
    pub fn push(&mut self, observation: &Observation) {
        self.push_view(&observation.view());
    }

    /// The same, of what is borrowed.
    pub fn push_view(&mut self, view: &View) {
        let header = &view.header;
        let (kind, rows) = match &view.body {
            ViewBody::Flow(flow) => {
                self.flows.push(header, flow);
                (Kind::Flow, self.flows.header.rows)
            }
            ViewBody::Single(body) => (body.kind(), self.push_single(header, body)),
        };
        self.order.push(RowRef {
            kind,
            row: rows - 1,
            ordinal: self.next,
        });
        self.next += 1;
    }

    /// Takes what has no ends, or a flow that one end saw; returns how many rows of its kind there
    /// are now.
    fn push_single(&mut self, header: &ViewHeader, body: &Body) -> u32 {
        match body {
            Body::Flow(flow) => {
                self.flows.push(header, &flow.row());
                self.flows.header.rows
            }
            Body::Reading(Reading {
                current_a,
                spindle_rpm,
            }) => {
                self.readings.header.push(header);
                self.readings.current_a.push(*current_a);
                self.readings.spindle_rpm.push(*spindle_rpm);
                self.readings.header.rows
            }
            Body::Attestation(Attestation {
                version,
                digest,
                tpm_ok,
            }) => {
                self.attestations.header.push(header);
                self.attestations.version.push(Some(version.as_bytes()));
                self.attestations.digest.push(bytes_of(digest.as_deref()));
                self.attestations.tpm_ok.push(*tpm_ok);
                self.attestations.header.rows
            }
            Body::Resolution(Resolution {
                server,
                name,
                addresses,
                ttl_s,
            }) => {
                let keys = addresses.iter().map(|a| address_key(*a).to_be_bytes());
                self.resolutions.header.push(header);
                self.resolutions.server.push(address_key(*server));
                self.resolutions.name.push(Some(name.as_bytes()));
                self.resolutions.addresses.push_all(keys);
                self.resolutions.ttl_s.push(*ttl_s);
                self.resolutions.header.rows
            }
        }
    }

    /// Hands over what was gathered and starts anew; ordinals go on.
    ///
    /// # Errors
    /// Only if Arrow refuses the columns, which their construction rules out.
    pub fn finish(&mut self) -> Result<Bundle, String> {
        let Self {
            flows,
            readings,
            attestations,
            resolutions,
            ..
        } = self;
        let flows = batch(Kind::Flow, flows.header.rows, || flows.finish())?;
        let readings = batch(Kind::Reading, readings.header.rows, || readings.finish())?;
        let attestations = batch(Kind::Attestation, attestations.header.rows, || {
            attestations.finish()
        })?;
        let resolutions = batch(Kind::Resolution, resolutions.header.rows, || {
            resolutions.finish()
        })?;
        let order = std::mem::take(&mut self.order).into();
        Bundle::new(&flows, &readings, &attestations, &resolutions, order)
    }
}
