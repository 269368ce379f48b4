//! Observations as Arrow columns: one documented schema per kind, and typed views on them.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `device` | Utf8 | the device it is about |
//! | `event_time`, `received_at` | Timestamp(µs, UTC) | when it happened; when a reader first held it |
//! | `sender` | Utf8, nullable | who sent it; null for files the operator hands in |
//! | `sender_proven` | Boolean | whether the transport proved the sender |
//! | `seq` | UInt64, nullable | the sender's number |
//! | `topic` | Dictionary(UInt16, Utf8) | where it came from |
//! | `partition`, `offset` | UInt32, UInt64 | and at which position |
//!
//! Flows add `start`, `role` (0 originator, 1 responder), `peer` (FixedSizeBinary(16), IPv4
//! mapped), `peer_name`, `port`, `transport`, `service`, `up`, `down`, `bytes`, `state`,
//! `interim`, `uid`; readings `current_a` and `spindle_rpm` (Float32); attestations `version`,
//! `digest`, `tpm_ok`; resolutions `server`, `name`, `addresses` (Binary, 16 bytes each), `ttl_s`.
//! Enumerations are UInt8 in the order in which `observation` declares them.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Float32Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::observation::{ByteKind, ConnState, Kind, Role, Source, Transport};
use crate::time::EventTime;

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn header_fields() -> Vec<Field> {
    let topic = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8));
    vec![
        Field::new("device", DataType::Utf8, false),
        Field::new("event_time", timestamp(), false),
        Field::new("received_at", timestamp(), false),
        Field::new("sender", DataType::Utf8, true),
        Field::new("sender_proven", DataType::Boolean, false),
        Field::new("seq", DataType::UInt64, true),
        Field::new("topic", topic, false),
        Field::new("partition", DataType::UInt32, false),
        Field::new("offset", DataType::UInt64, false),
    ]
}

fn body_fields(kind: Kind) -> Vec<Field> {
    let address = || DataType::FixedSizeBinary(16);
    match kind {
        Kind::Flow => vec![
            Field::new("start", timestamp(), false),
            Field::new("role", DataType::UInt8, false),
            Field::new("peer", address(), false),
            Field::new("peer_name", DataType::Utf8, true),
            Field::new("port", DataType::UInt16, false),
            Field::new("transport", DataType::UInt8, false),
            Field::new("service", DataType::Utf8, true),
            Field::new("up", DataType::UInt64, true),
            Field::new("down", DataType::UInt64, true),
            Field::new("bytes", DataType::UInt8, false),
            Field::new("state", DataType::UInt8, false),
            Field::new("interim", DataType::Boolean, false),
            Field::new("uid", DataType::Utf8, true),
        ],
        Kind::Reading => vec![
            Field::new("current_a", DataType::Float32, true),
            Field::new("spindle_rpm", DataType::Float32, true),
        ],
        Kind::Attestation => vec![
            Field::new("version", DataType::Utf8, false),
            Field::new("digest", DataType::Utf8, true),
            Field::new("tpm_ok", DataType::Boolean, true),
        ],
        Kind::Resolution => vec![
            Field::new("server", address(), false),
            Field::new("name", DataType::Utf8, false),
            Field::new("addresses", DataType::Binary, false),
            Field::new("ttl_s", DataType::UInt32, false),
        ],
    }
}

static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| {
    [
        Kind::Flow,
        Kind::Reading,
        Kind::Attestation,
        Kind::Resolution,
    ]
    .map(|kind| {
        let mut fields = header_fields();
        fields.extend(body_fields(kind));
        Arc::new(Schema::new(fields))
    })
});

/// The Arrow schema of one kind of observation.
pub fn schema(kind: Kind) -> &'static SchemaRef {
    &SCHEMAS[kind as usize]
}

/// The columns every kind has, typed.
#[derive(Clone, Debug)]
pub struct HeaderColumns {
    device: StringArray,
    event_time: TimestampMicrosecondArray,
    received_at: TimestampMicrosecondArray,
    sender: StringArray,
    sender_proven: BooleanArray,
    seq: UInt64Array,
    topic: DictionaryArray<UInt16Type>,
    partition: UInt32Array,
    offset: UInt64Array,
}

/// What every row carries, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct HeaderRow<'a> {
    /// The device it is about.
    pub device: &'a str,
    /// When it happened.
    pub event_time: EventTime,
    /// When a reader first held it.
    pub received_at: EventTime,
    /// Who sent it.
    pub sender: Option<&'a str>,
    /// Whether that was proven; rows without a sender count as proven.
    pub proven: bool,
    /// The sender's number.
    pub seq: Option<u64>,
}

/// Reads one column of a batch whose schema has been checked.
macro_rules! column {
    ($batch:expr, $index:expr, $cast:ident $(::<$t:ty>)?) => {
        $batch.column($index).$cast$(::<$t>)?().clone()
    };
}

const HEADER: usize = 9;

impl HeaderColumns {
    fn of(batch: &RecordBatch) -> Self {
        Self {
            device: column!(batch, 0, as_string::<i32>),
            event_time: column!(batch, 1, as_primitive::<TimestampMicrosecondType>),
            received_at: column!(batch, 2, as_primitive::<TimestampMicrosecondType>),
            sender: column!(batch, 3, as_string::<i32>),
            sender_proven: column!(batch, 4, as_boolean),
            seq: column!(batch, 5, as_primitive::<UInt64Type>),
            topic: column!(batch, 6, as_dictionary::<UInt16Type>),
            partition: column!(batch, 7, as_primitive::<UInt32Type>),
            offset: column!(batch, 8, as_primitive::<UInt64Type>),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.device.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.device.is_empty()
    }

    /// The device of one row.
    pub fn device(&self, row: usize) -> &str {
        self.device.value(row)
    }

    /// One row.
    #[inline]
    pub fn row(&self, row: usize) -> HeaderRow<'_> {
        let sender = optional(&self.sender, row);
        HeaderRow {
            device: self.device.value(row),
            event_time: EventTime::from_micros(self.event_time.value(row)),
            received_at: EventTime::from_micros(self.received_at.value(row)),
            sender,
            proven: sender.is_none() || self.sender_proven.value(row),
            seq: self.seq.is_valid(row).then(|| self.seq.value(row)),
        }
    }

    /// Where one row came from. Not for the hot path: it copies the topic.
    pub fn source(&self, row: usize) -> Source {
        let topics = self.topic.values().as_string::<i32>();
        let key = usize::from(self.topic.keys().value(row));
        Source {
            topic: topics.value(key).into(),
            partition: self.partition.value(row),
            offset: self.offset.value(row),
        }
    }
}

#[inline]
fn optional(array: &StringArray, row: usize) -> Option<&str> {
    array.is_valid(row).then(|| array.value(row))
}

#[inline]
fn key_of(array: &FixedSizeBinaryArray, row: usize) -> u128 {
    array.value(row).try_into().map_or(0, u128::from_be_bytes)
}

/// A typed view of one batch of one kind.
macro_rules! view {
    (
        $(#[$doc:meta])* $Columns:ident of $kind:expr,
        { $($field:ident @ $index:literal : $Array:ty = $cast:ident $(::<$t:ty>)?),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Columns {
            /// The columns every kind has.
            pub header: HeaderColumns,
            $($field: $Array,)+
        }

        impl $Columns {
            /// Types the columns of a batch.
            ///
            /// # Errors
            /// Says how the schema of the batch differs from [`schema`] of this kind.
            pub fn of(batch: &RecordBatch) -> Result<Self, String> {
                check_schema(batch, $kind)?;
                Ok(Self {
                    header: HeaderColumns::of(batch),
                    $($field: column!(batch, HEADER + $index, $cast $(::<$t>)?),)+
                })
            }
        }
    };
}

fn check_schema(batch: &RecordBatch, kind: Kind) -> Result<(), String> {
    let wanted = schema(kind);
    let given = batch.schema();
    if given.fields().len() != wanted.fields().len() {
        return Err(format!(
            "{kind} batch has {} columns, expected {}",
            given.fields().len(),
            wanted.fields().len()
        ));
    }
    for (at, (given, wanted)) in given.fields().iter().zip(wanted.fields()).enumerate() {
        if given.name() != wanted.name() || given.data_type() != wanted.data_type() {
            return Err(format!(
                "{kind} batch: column {at} is `{}: {}`, expected `{}: {}`",
                given.name(),
                given.data_type(),
                wanted.name(),
                wanted.data_type()
            ));
        }
        if !wanted.is_nullable() && batch.column(at).null_count() > 0 {
            return Err(format!(
                "{kind} batch: column `{}` holds nulls",
                wanted.name()
            ));
        }
    }
    Ok(())
}

view! {
    /// Flows.
    FlowColumns of Kind::Flow,
    {
        start @ 0: TimestampMicrosecondArray = as_primitive::<TimestampMicrosecondType>,
        role @ 1: UInt8Array = as_primitive::<UInt8Type>,
        peer @ 2: FixedSizeBinaryArray = as_fixed_size_binary,
        peer_name @ 3: StringArray = as_string::<i32>,
        port @ 4: UInt16Array = as_primitive::<UInt16Type>,
        transport @ 5: UInt8Array = as_primitive::<UInt8Type>,
        service @ 6: StringArray = as_string::<i32>,
        up @ 7: UInt64Array = as_primitive::<UInt64Type>,
        down @ 8: UInt64Array = as_primitive::<UInt64Type>,
        bytes @ 9: UInt8Array = as_primitive::<UInt8Type>,
        state @ 10: UInt8Array = as_primitive::<UInt8Type>,
        interim @ 11: BooleanArray = as_boolean,
        uid @ 12: StringArray = as_string::<i32>,
    }
}

/// One flow as its device sees it, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct FlowRow<'a> {
    /// When it began.
    pub start: EventTime,
    /// Which end the device is.
    pub role: Role,
    /// Address of the other end, as a key.
    pub peer: u128,
    /// Name of the other end, if given.
    pub peer_name: Option<&'a str>,
    /// The responder's port.
    pub port: u16,
    /// Transport protocol.
    pub transport: Transport,
    /// Detected application protocol.
    pub service: Option<&'a str>,
    /// Bytes sent so far.
    pub up: Option<u64>,
    /// Bytes received so far.
    pub down: Option<u64>,
    /// What the byte counts count.
    pub bytes: ByteKind,
    /// How far the connection got.
    pub state: ConnState,
    /// A running total of a flow that has not ended.
    pub interim: bool,
    /// The sensor's own id of the flow.
    pub uid: Option<&'a str>,
}

impl FlowColumns {
    /// One row. A code outside an enumeration reads as its last value.
    #[inline]
    pub fn row(&self, row: usize) -> FlowRow<'_> {
        FlowRow {
            start: EventTime::from_micros(self.start.value(row)),
            role: coded(Role::ALL, self.role.value(row)),
            peer: key_of(&self.peer, row),
            peer_name: optional(&self.peer_name, row),
            port: self.port.value(row),
            transport: coded(Transport::ALL, self.transport.value(row)),
            service: optional(&self.service, row),
            up: self.up.is_valid(row).then(|| self.up.value(row)),
            down: self.down.is_valid(row).then(|| self.down.value(row)),
            bytes: coded(ByteKind::ALL, self.bytes.value(row)),
            state: coded(ConnState::ALL, self.state.value(row)),
            interim: self.interim.value(row),
            uid: optional(&self.uid, row),
        }
    }
}

#[inline]
fn coded<T: Copy>(all: &[T], code: u8) -> T {
    all[usize::from(code).min(all.len() - 1)]
}

view! {
    /// Sensor readings.
    ReadingColumns of Kind::Reading,
    {
        current_a @ 0: Float32Array = as_primitive::<Float32Type>,
        spindle_rpm @ 1: Float32Array = as_primitive::<Float32Type>,
    }
}

/// One sensor reading.
#[derive(Clone, Copy, Debug)]
pub struct ReadingRow {
    /// Current draw, amperes.
    pub current_a: Option<f32>,
    /// Spindle speed, revolutions per minute.
    pub spindle_rpm: Option<f32>,
}

impl ReadingColumns {
    /// One row; values that are not finite read as absent.
    #[inline]
    pub fn row(&self, row: usize) -> ReadingRow {
        let value = |array: &Float32Array| {
            Some(array.value(row)).filter(|v| array.is_valid(row) && v.is_finite())
        };
        ReadingRow {
            current_a: value(&self.current_a),
            spindle_rpm: value(&self.spindle_rpm),
        }
    }
}

view! {
    /// Firmware reports.
    AttestationColumns of Kind::Attestation,
    {
        version @ 0: StringArray = as_string::<i32>,
        digest @ 1: StringArray = as_string::<i32>,
        tpm_ok @ 2: BooleanArray = as_boolean,
    }
}

/// One firmware report, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct AttestationRow<'a> {
    /// Version as the vendor writes it.
    pub version: &'a str,
    /// SHA-256 of the image, lower-case hex.
    pub digest: Option<&'a str>,
    /// Result of the TPM quote.
    pub tpm_ok: Option<bool>,
}

impl AttestationColumns {
    /// One row.
    pub fn row(&self, row: usize) -> AttestationRow<'_> {
        AttestationRow {
            version: self.version.value(row),
            digest: optional(&self.digest, row),
            tpm_ok: self.tpm_ok.is_valid(row).then(|| self.tpm_ok.value(row)),
        }
    }
}

view! {
    /// DNS answers.
    ResolutionColumns of Kind::Resolution,
    {
        server @ 0: FixedSizeBinaryArray = as_fixed_size_binary,
        name @ 1: StringArray = as_string::<i32>,
        addresses @ 2: BinaryArray = as_binary::<i32>,
        ttl_s @ 3: UInt32Array = as_primitive::<UInt32Type>,
    }
}

/// One DNS answer, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct ResolutionRow<'a> {
    /// The server that answered, as a key.
    pub server: u128,
    /// The name asked for.
    pub name: &'a str,
    /// The answers, 16 bytes each.
    pub addresses: &'a [u8],
    /// How long it may be kept, seconds.
    pub ttl_s: u32,
}

impl ResolutionRow<'_> {
    /// The addresses in the answer, as keys.
    pub fn keys(&self) -> impl Iterator<Item = u128> {
        self.addresses
            .as_chunks()
            .0
            .iter()
            .map(|bytes| u128::from_be_bytes(*bytes))
    }
}

impl ResolutionColumns {
    /// One row.
    pub fn row(&self, row: usize) -> ResolutionRow<'_> {
        ResolutionRow {
            server: key_of(&self.server, row),
            name: self.name.value(row),
            addresses: self.addresses.value(row),
            ttl_s: self.ttl_s.value(row),
        }
    }
}
