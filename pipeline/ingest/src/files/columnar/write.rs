//! Records, row by row, into the columns of a Parquet or an Arrow IPC capture.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{Body, FlowRecord, Record, RecordBody, Source};
use andon_schemas::ot_command::Commands;
use andon_schemas::time::EventTime;
use arrow_array::builder::{
    BooleanBuilder, Float32Builder, ListBuilder, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder, UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};

use super::container::{Container, Out};
use super::{BATCH_ROWS, SCHEMA};

type WordBuilder = StringDictionaryBuilder<Int32Type>;

#[derive(Default)]
struct Columns {
    rows: usize,
    kind: WordBuilder,
    device: WordBuilder,
    time: TimestampMicrosecondBuilder,
    received_at: TimestampMicrosecondBuilder,
    sender: WordBuilder,
    sender_proven: BooleanBuilder,
    seq: UInt64Builder,
    topic: WordBuilder,
    partition: UInt32Builder,
    offset: UInt64Builder,
    start: TimestampMicrosecondBuilder,
    orig: WordBuilder,
    orig_port: UInt16Builder,
    resp: WordBuilder,
    resp_port: UInt16Builder,
    resp_name: WordBuilder,
    transport: WordBuilder,
    service: WordBuilder,
    orig_bytes: UInt64Builder,
    resp_bytes: UInt64Builder,
    bytes: WordBuilder,
    state: WordBuilder,
    interim: BooleanBuilder,
    uid: StringBuilder,
    commands: WordBuilder,
    current_a: Float32Builder,
    spindle_rpm: Float32Builder,
    firmware: WordBuilder,
    sha256: WordBuilder,
    tpm_ok: BooleanBuilder,
    server: WordBuilder,
    name: WordBuilder,
    addresses: ListBuilder<StringBuilder>,
    ttl_s: UInt32Builder,
    client: WordBuilder,
    line: StringBuilder,
    /// The text of an address, kept for its memory.
    address: String,
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Columns {
    fn push(&mut self, record: &Record, source: Option<&Source>) {
        self.common(record, source);
        let (flow, single) = match &record.body {
            RecordBody::Flow(flow) => (Some(flow), None),
            RecordBody::Single(body) => (None, Some(body)),
        };
        self.flow(flow);
        self.single(single);
        self.word(record.address, |columns| &mut columns.client);
        self.line.append_null();
        self.rows += 1;
    }

    /// A row that is no record.
    fn push_line(&mut self, kind: &str, at: Option<EventTime>, line: &str) {
        self.kind.append_value(kind);
        self.device.append_null();
        self.time.append_option(at.map(EventTime::micros));
        self.received_at.append_null();
        self.origin(None, None, None);
        self.flow(None);
        self.single(None);
        self.client.append_null();
        self.line.append_value(line);
        self.rows += 1;
    }

    fn common(&mut self, record: &Record, source: Option<&Source>) {
        self.kind.append_value(record.body_kind().as_str());
        self.device
            .append_option(record.device.as_ref().map(DeviceId::as_str));
        self.time.append_value(record.event_time.micros());
        self.received_at
            .append_option(record.received_at.map(EventTime::micros));
        let sender = record.sender.as_ref();
        let named = sender.map(|sender| (sender.name.as_str(), sender.proven));
        self.origin(named, record.seq, source);
    }

    fn origin(&mut self, sender: Option<(&str, bool)>, seq: Option<u64>, source: Option<&Source>) {
        self.sender.append_option(sender.map(|(name, _)| name));
        self.sender_proven
            .append_option(sender.map(|(_, proven)| proven));
        self.seq.append_option(seq);
        self.topic
            .append_option(source.map(|source| &*source.topic));
        self.partition
            .append_option(source.map(|source| source.partition));
        self.offset
            .append_option(source.map(|source| source.offset));
    }

    fn flow(&mut self, flow: Option<&FlowRecord>) {
        self.start
            .append_option(flow.map(|flow| flow.start.micros()));
        self.word(flow.map(|f| f.originator.address), |c| &mut c.orig);
        self.orig_port
            .append_option(flow.map(|flow| flow.originator.port));
        self.word(flow.map(|f| f.responder.address), |c| &mut c.resp);
        self.resp_port
            .append_option(flow.map(|flow| flow.responder.port));
        self.resp_name
            .append_option(flow.and_then(|flow| flow.responder_name.as_deref()));
        self.transport
            .append_option(flow.map(|flow| flow.transport.as_str()));
        self.service
            .append_option(flow.and_then(|flow| flow.service.as_deref()));
        self.orig_bytes
            .append_option(flow.and_then(|flow| flow.originator_bytes));
        self.resp_bytes
            .append_option(flow.and_then(|flow| flow.responder_bytes));
        self.bytes
            .append_option(flow.map(|flow| flow.bytes.as_str()));
        self.state
            .append_option(flow.map(|flow| flow.state.as_str()));
        self.interim.append_option(flow.map(|flow| flow.interim));
        self.uid
            .append_option(flow.and_then(|flow| flow.uid.as_deref()));
        let commands = flow.and_then(|flow| flow.commands.as_ref());
        self.commands.append_option(commands.map(Commands::as_str));
    }

    fn single(&mut self, body: Option<&Body>) {
        let (mut reading, mut attestation, mut resolution) = (None, None, None);
        match body {
            Some(Body::Reading(body)) => reading = Some(body),
            Some(Body::Attestation(body)) => attestation = Some(body),
            Some(Body::Resolution(body)) => resolution = Some(body),
            Some(Body::Flow(_)) | None => {}
        }
        self.current_a
            .append_option(reading.and_then(|reading| reading.current_a));
        self.spindle_rpm
            .append_option(reading.and_then(|reading| reading.spindle_rpm));
        self.firmware
            .append_option(attestation.map(|attestation| &attestation.version));
        self.sha256
            .append_option(attestation.and_then(|attestation| attestation.digest.as_ref()));
        self.tpm_ok
            .append_option(attestation.and_then(|attestation| attestation.tpm_ok));
        self.word(resolution.map(|r| r.server), |c| &mut c.server);
        self.name.append_option(resolution.map(|r| &r.name));
        for address in resolution.iter().flat_map(|r| &r.addresses) {
            self.addresses.values().append_value(address.to_string());
        }
        self.addresses.append(resolution.is_some());
        self.ttl_s.append_option(resolution.map(|r| r.ttl_s));
    }

    fn word(&mut self, address: Option<IpAddr>, column: impl Fn(&mut Self) -> &mut WordBuilder) {
        let mut text = std::mem::take(&mut self.address);
        text.clear();
        if let Some(address) = address {
            text.push_str(&address.to_string());
        }
        column(self).append_option(address.map(|_| text.as_str()));
        self.address = text;
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        self.rows = 0;
        vec![
            Arc::new(self.kind.finish()),
            Arc::new(self.device.finish()),
            Arc::new(self.time.finish().with_timezone("UTC")),
            Arc::new(self.received_at.finish().with_timezone("UTC")),
            Arc::new(self.sender.finish()),
            Arc::new(self.sender_proven.finish()),
            Arc::new(self.seq.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.start.finish().with_timezone("UTC")),
            Arc::new(self.orig.finish()),
            Arc::new(self.orig_port.finish()),
            Arc::new(self.resp.finish()),
            Arc::new(self.resp_port.finish()),
            Arc::new(self.resp_name.finish()),
            Arc::new(self.transport.finish()),
            Arc::new(self.service.finish()),
            Arc::new(self.orig_bytes.finish()),
            Arc::new(self.resp_bytes.finish()),
            Arc::new(self.bytes.finish()),
            Arc::new(self.state.finish()),
            Arc::new(self.interim.finish()),
            Arc::new(self.uid.finish()),
            Arc::new(self.commands.finish()),
            Arc::new(self.current_a.finish()),
            Arc::new(self.spindle_rpm.finish()),
            Arc::new(self.firmware.finish()),
            Arc::new(self.sha256.finish()),
            Arc::new(self.tpm_ok.finish()),
            Arc::new(self.server.finish()),
            Arc::new(self.name.finish()),
            Arc::new(self.addresses.finish()),
            Arc::new(self.ttl_s.finish()),
            Arc::new(self.client.finish()),
            Arc::new(self.line.finish()),
        ]
    }
}

/// Records as columns, in the form that Parquet captures have, for whoever wants them in memory.
#[derive(Debug, Default)]
pub struct RecordColumns(Columns);

impl RecordColumns {
    /// Names and types of the columns.
    pub fn schema() -> SchemaRef {
        SCHEMA.clone()
    }

    /// Takes a record and its position.
    pub fn push(&mut self, record: &Record, source: &Source) {
        self.0.push(record, Some(source));
    }

    /// Records taken since the last batch.
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// The records so far as one batch.
    ///
    /// # Errors
    /// If the columns do not fit their schema: a defect of this crate.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_new(SCHEMA.clone(), self.0.finish())
    }
}

/// A capture in columns being written. Without its end it is not whole: see `finish`.
#[derive(Debug)]
pub(in crate::files) struct ColumnWriter {
    columns: Columns,
    out: Out,
}

impl ColumnWriter {
    pub(in crate::files) fn new(file: File, container: Container) -> io::Result<Self> {
        Ok(Self {
            columns: Columns::default(),
            out: Out::new(file, container)?,
        })
    }

    pub(in crate::files) fn record(
        &mut self,
        record: &Record,
        source: Option<&Source>,
    ) -> io::Result<()> {
        self.columns.push(record, source);
        self.flush_full()
    }

    pub(in crate::files) fn line(
        &mut self,
        kind: &str,
        at: Option<EventTime>,
        line: &str,
    ) -> io::Result<()> {
        self.columns.push_line(kind, at, line);
        self.flush_full()
    }

    pub(in crate::files) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.finish()
    }

    fn flush_full(&mut self) -> io::Result<()> {
        if self.columns.rows < BATCH_ROWS {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.columns.rows == 0 {
            return Ok(());
        }
        let columns = self.columns.finish();
        let batch = RecordBatch::try_new(SCHEMA.clone(), columns).map_err(io::Error::other)?;
        self.out.write(&batch)
    }
}
