//! Captures of our own as Parquet and as Arrow IPC: one wide table with a column for every field of
//! the wire form, null where a row has no such field. Small, quick, and open to any tool that reads
//! such files.
//!
//! Columns are named like the wire form's fields; the ends of a flow are `orig`, `orig_port`,
//! `resp` and `resp_port`, a recorded position is `topic`, `partition` and `offset`. Rows that
//! are no records (ticks, rejects, control inputs) carry their NDJSON line in `line`.

mod block;
mod cells;
mod container;
mod fit;
mod frames;
mod ipc;
mod read;
mod words;
mod write;

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub(crate) use block::Addresses;
pub use block::FlowBlock;
pub(super) use container::Container;
pub(super) use frames::looks_like as looks_like_arrow;
pub(super) use ipc::IpcRows;
pub(super) use read::{Batch, ColumnRows};
pub(super) use write::ColumnWriter;
pub use write::RecordColumns;

/// Rows that are turned at a time, in either direction.
const BATCH_ROWS: usize = 8_192;

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A text that repeats: most columns hold few different ones.
fn word() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let address_item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let columns = [
        ("kind", word()),
        ("device", word()),
        ("time", time()),
        ("received_at", time()),
        ("sender", word()),
        ("sender_proven", DataType::Boolean),
        ("seq", DataType::UInt64),
        ("topic", word()),
        ("partition", DataType::UInt32),
        ("offset", DataType::UInt64),
        ("start", time()),
        ("orig", word()),
        ("orig_port", DataType::UInt16),
        ("resp", word()),
        ("resp_port", DataType::UInt16),
        ("resp_name", word()),
        ("transport", word()),
        ("service", word()),
        ("orig_bytes", DataType::UInt64),
        ("resp_bytes", DataType::UInt64),
        ("bytes", word()),
        ("state", word()),
        ("interim", DataType::Boolean),
        ("uid", DataType::Utf8),
        ("commands", word()),
        ("current_a", DataType::Float32),
        ("spindle_rpm", DataType::Float32),
        ("firmware", word()),
        ("sha256", word()),
        ("tpm_ok", DataType::Boolean),
        ("server", word()),
        ("name", word()),
        ("addresses", DataType::List(address_item)),
        ("ttl_s", DataType::UInt32),
        ("client", word()),
        ("line", DataType::Utf8),
    ];
    let fields = columns.map(|(name, data_type)| Field::new(name, data_type, name != "kind"));
    Arc::new(Schema::new(fields.to_vec()))
});
