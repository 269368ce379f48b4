//! Arrow IPC streams: a schema, then batches with a row per record. The columns are those of a
//! Parquet capture.
//!
//! A stream says how long its parts are, and who believes it gives away the memory that a liar
//! names. So the frames are walked before anything is decoded, and what was decoded is counted
//! before it is read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use andon_schemas::reject::RejectReason;
use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::{MessageHeader, root_as_message};
use arrow_schema::{DataType, Schema};

use super::countable;
use crate::files::message::Columns;
use crate::refused::Refused;

/// Most frames of one stream: its schema, dictionaries and batches.
const FRAMES_MAX: usize = 1_024;

/// Most cells in all batches, dictionaries included, each time a batch uses one.
const CELLS_MAX: usize = 1 << 20;

/// The batches of a stream, each with its number of rows.
///
/// # Errors
/// Says what is wrong with the stream as a whole.
pub(super) fn read(stream: &[u8]) -> Result<Vec<(Columns, usize)>, Refused> {
    walk(stream)?;
    // The library checks some damage with assertions.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode(stream)));
    decoded.unwrap_or_else(|_| Err(damaged("its structure contradicts itself")))
}

fn decode(stream: &[u8]) -> Result<Vec<(Columns, usize)>, Refused> {
    let reader = StreamReader::try_new(stream, None).map_err(damaged)?;
    check_schema(&reader.schema())?;
    let mut batches = Vec::new();
    let (mut rows, mut cells) = (0, 0);
    for batch in reader {
        let batch = batch.map_err(damaged)?;
        rows += batch.num_rows();
        cells += cells_of(&batch);
        if cells > CELLS_MAX {
            return Err(Refused::new(
                RejectReason::Oversized,
                format!("stream holds more than {CELLS_MAX} cells; send smaller batches"),
            ));
        }
        batches.push(batch);
    }
    countable(rows)?;
    batches
        .iter()
        .map(|batch| Ok((Columns::of(batch).map_err(mistyped)?, batch.num_rows())))
        .collect()
}

/// How many cells are read where a batch is: a dictionary is read anew for every column.
fn cells_of(batch: &RecordBatch) -> usize {
    let cells = |column: &dyn Array| {
        let inner = match column.data_type() {
            DataType::Dictionary(..) => column
                .as_any_dictionary_opt()
                .map_or(0, |dictionary| dictionary.values().len()),
            DataType::List(_) => column
                .as_list_opt::<i32>()
                .map_or(0, |list| list.values().len()),
            _ => 0,
        };
        column.len() + inner
    };
    batch.columns().iter().map(|column| cells(column)).sum()
}

/// Refuses columns that can be larger than the bytes they came in, and what is no record.
fn check_schema(schema: &Schema) -> Result<(), Refused> {
    if schema.column_with_name("kind").is_none() {
        let hint = if schema.column_with_name("peer").is_some() {
            ": these are columns of observations, which name one end of a flow; send those of \
             records"
        } else {
            ""
        };
        return Err(Refused::new(
            RejectReason::MissingField,
            format!("stream has no column `kind`{hint}"),
        ));
    }
    for field in schema.fields() {
        if !is_flat(field.data_type()) {
            return Err(Refused::new(
                RejectReason::Unsupported,
                format!(
                    "column `{}` is {}, which is not read: send texts as Utf8, and nothing nested",
                    field.name(),
                    field.data_type()
                ),
            ));
        }
    }
    Ok(())
}

fn is_flat(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_plain(values),
        DataType::List(item) => is_plain(item.data_type()),
        other => is_plain(other),
    }
}

fn is_plain(data_type: &DataType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Utf8 | DataType::Binary
        )
}

/// Follows the frames from one to the next without decoding them.
fn walk(stream: &[u8]) -> Result<(), Refused> {
    let mut rest = stream;
    for _ in 0..FRAMES_MAX {
        // A stream may end with a mark, or just end.
        if rest.is_empty() {
            return Ok(());
        }
        let Some((length, after)) = frame(rest) else {
            return Err(broken_off(stream, rest));
        };
        if length == 0 {
            return if after.is_empty() {
                Ok(())
            } else {
                Err(damaged(format!("{} bytes follow its end", after.len())))
            };
        }
        let Some((head, after)) = after.split_at_checked(length) else {
            return Err(broken_off(stream, rest));
        };
        let body = check_head(head)?;
        let Some(after) = body.and_then(|length| after.get(length..)) else {
            return Err(broken_off(stream, rest));
        };
        rest = after;
    }
    Err(Refused::new(
        RejectReason::Oversized,
        format!("stream has more than {FRAMES_MAX} frames; send larger batches"),
    ))
}

/// The length of a frame's head, and what follows that length.
fn frame(rest: &[u8]) -> Option<(usize, &[u8])> {
    let rest = rest.strip_prefix(&[0xff; 4])?;
    let (length, after) = rest.split_first_chunk()?;
    let length = usize::try_from(i32::from_le_bytes(*length)).ok()?;
    Some((length, after))
}

/// The length of a frame's body; `None` if it cannot be one. The columns must lie inside.
fn check_head(head: &[u8]) -> Result<Option<usize>, Refused> {
    let message = root_as_message(head).map_err(damaged)?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => {
            let dictionary = message.header_as_dictionary_batch();
            // Each would be a copy of all before it.
            if dictionary.is_some_and(|dictionary| dictionary.isDelta()) {
                return Err(Refused::new(
                    RejectReason::Unsupported,
                    "stream adds to its dictionaries (delta): send them whole",
                ));
            }
            dictionary.and_then(|dictionary| dictionary.data())
        }
        _ => None,
    };
    if batch.is_some_and(|batch| batch.compression().is_some()) {
        return Err(Refused::new(
            RejectReason::Unsupported,
            "stream is compressed inside: let the producer compress its batches \
             (`compression.type`) instead",
        ));
    }
    let length = message.bodyLength();
    let buffers = batch.and_then(|batch| batch.buffers());
    let outside = |buffer: &arrow_ipc::Buffer| {
        let end = buffer.offset().checked_add(buffer.length());
        buffer.offset() < 0 || buffer.length() < 0 || end.is_none_or(|end| end > length)
    };
    if buffers.is_some_and(|buffers| buffers.iter().any(outside)) {
        return Err(damaged("a column lies outside of its batch"));
    }
    Ok(usize::try_from(length).ok())
}

fn broken_off(stream: &[u8], rest: &[u8]) -> Refused {
    Refused::new(
        RejectReason::Truncated,
        format!(
            "arrow stream breaks off in the frame at byte {}",
            stream.len() - rest.len()
        ),
    )
}

fn damaged(error: impl std::fmt::Display) -> Refused {
    Refused::new(
        RejectReason::Malformed,
        format!("arrow stream cannot be read: {error}"),
    )
}

fn mistyped(error: String) -> Refused {
    Refused::new(RejectReason::WrongType, error)
}
