//! The four kinds of batches as typed columns, and their rows, borrowed.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};

use super::{HEADER, HeaderColumns, check_schema, column, key_of, optional};
use crate::observation::{ByteKind, ConnState, Kind, Role, Transport};
use crate::time::EventTime;

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
            /// Says how the schema of the batch differs from [`schema`](crate::columns::schema) of this kind.
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
        commands @ 13: StringArray = as_string::<i32>,
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
    /// The text of the commands given since the record before, as `ot_command` spells them.
    pub commands: Option<&'a str>,
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
            commands: optional(&self.commands, row),
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
