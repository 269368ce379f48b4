//! Observations as Arrow columns: one documented schema per kind, and typed views on them.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `device` | Dictionary(UInt32, Utf8) | the device it is about; who lays out many batches lets them share one dictionary, so that a device is looked up once and not for every row |
//! | `event_time`, `received_at` | Timestamp(µs, UTC) | when it happened; when a reader first held it |
//! | `sender` | Utf8, nullable | who sent it; null for files the operator hands in |
//! | `sender_proven` | Boolean | whether the transport proved the sender |
//! | `seq` | UInt64, nullable | the sender's number |
//! | `topic` | Dictionary(UInt16, Utf8) | where it came from |
//! | `partition`, `offset` | UInt32, UInt64 | and at which position |
//!
//! Flows add `start`, `role` (0 originator, 1 responder), `peer` (FixedSizeBinary(16), IPv4
//! mapped), `peer_name`, `port`, `transport`, `service`, `up`, `down`, `bytes`, `state`,
//! `interim`, `uid`, `commands` (as `ot_command` spells them); readings `current_a` and `spindle_rpm` (Float32); attestations `version`,
//! `digest`, `tpm_ok`; resolutions `server`, `name`, `addresses` (Binary, 16 bytes each), `ttl_s`.
//! Enumerations are UInt8 in the order in which `observation` declares them.

mod views;

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use views::{
    AttestationColumns, AttestationRow, FlowColumns, FlowRow, ReadingColumns, ReadingRow,
    ResolutionColumns, ResolutionRow,
};

use crate::observation::{Kind, Source};
use crate::time::EventTime;

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn header_fields() -> Vec<Field> {
    let text = |key| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
    let (device, topic) = (text(DataType::UInt32), text(DataType::UInt16));
    vec![
        Field::new("device", device, false),
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
            Field::new("commands", DataType::Utf8, true),
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
    device: DictionaryArray<UInt32Type>,
    /// The dictionary of `device`, typed.
    names: StringArray,
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

use column;

const HEADER: usize = 9;

impl HeaderColumns {
    fn of(batch: &RecordBatch) -> Self {
        let device = column!(batch, 0, as_dictionary::<UInt32Type>);
        Self {
            names: device.values().as_string::<i32>().clone(),
            device,
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
    #[inline]
    pub fn device(&self, row: usize) -> &str {
        self.names.value(self.device_key(row) as usize)
    }

    /// Where the device of one row stands in [`device_names`](Self::device_names).
    #[inline]
    pub fn device_key(&self, row: usize) -> u32 {
        self.device.keys().value(row)
    }

    /// The dictionary of the devices. Batches that share it are about the same devices where their
    /// keys are the same.
    #[inline]
    pub fn device_names(&self) -> &ArrayRef {
        self.device.values()
    }

    /// Who sent one row.
    #[inline]
    pub fn sender(&self, row: usize) -> Option<&str> {
        optional(&self.sender, row)
    }

    /// One row.
    #[inline]
    pub fn row(&self, row: usize) -> HeaderRow<'_> {
        let sender = self.sender(row);
        HeaderRow {
            device: self.device(row),
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

fn check_schema(batch: &RecordBatch, kind: Kind) -> Result<(), String> {
    let wanted = schema(kind);
    let given = batch.schema();
    if Arc::ptr_eq(&given, wanted) {
        // Made of this very schema, to which Arrow has held its columns.
        return Ok(());
    }
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
