//! Captures, of whatever format, as the table `captures`: a row for each record.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use andon_ingest::files::{self, Item, OpenOptions, RecordColumns};
use andon_schemas::mapping::Mapping;
use andon_schemas::time::EventTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};

use super::feed::Rows;

/// Items taken from a capture at a time.
const CHUNK: usize = 4_096;

/// What the readers' columns are called here, and what they mean; those without a name are no
/// part of a record.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("kind", "kind", "flow, reading, attestation or resolution"),
    ("device", "device_id", "the device, if the record names one"),
    ("time", "event_time", "event time; of a flow, its end"),
    (
        "received_at",
        "received_at",
        "when it was received; null if nobody recorded it",
    ),
    ("sender", "sender", "who sent it"),
    (
        "sender_proven",
        "sender_proven",
        "true if the sender had proven who it is",
    ),
    ("seq", "seq", "the sender's own count"),
    (
        "topic",
        "source_topic",
        "where it came from: a topic or a file",
    ),
    ("partition", "source_partition", "its partition"),
    (
        "offset",
        "source_offset",
        "its offset; in a file, its number from 1",
    ),
    ("start", "flow_start", "flow: its first packet"),
    ("orig", "originator", "flow: address that opened it"),
    ("orig_port", "originator_port", "flow: its port"),
    ("resp", "responder", "flow: address that was asked"),
    ("resp_port", "responder_port", "flow: its port"),
    (
        "resp_name",
        "responder_name",
        "flow: its name, if the record says one",
    ),
    ("transport", "transport", "flow: tcp, udp, icmp"),
    (
        "service",
        "service",
        "flow: the protocol that was recognised",
    ),
    (
        "orig_bytes",
        "originator_bytes",
        "flow: bytes that the originator sent",
    ),
    (
        "resp_bytes",
        "responder_bytes",
        "flow: bytes that the responder sent",
    ),
    (
        "bytes",
        "byte_kind",
        "flow: which bytes were counted: payload, ip or frame",
    ),
    ("state", "connection_state", "flow: how the connection went"),
    ("interim", "interim", "flow: true if it went on after this"),
    ("uid", "uid", "flow: its id"),
    (
        "commands",
        "commands",
        "flow: what was told, by name and how often",
    ),
    ("current_a", "current_a", "reading: current, ampere"),
    ("spindle_rpm", "spindle_rpm", "reading: turns per minute"),
    ("firmware", "firmware", "attestation: version"),
    ("sha256", "sha256", "attestation: digest of the image"),
    (
        "tpm_ok",
        "tpm_ok",
        "attestation: true if the TPM's signature holds",
    ),
    ("server", "dns_server", "resolution: who answered"),
    ("name", "dns_name", "resolution: what was asked"),
    ("addresses", "dns_addresses", "resolution: the answers"),
    (
        "ttl_s",
        "dns_ttl_s",
        "resolution: seconds for which they hold",
    ),
    (
        "client",
        "client",
        "address that a record without a device is about",
    ),
];

/// The schema, and for each of its columns the place among those of the readers.
static SHAPE: LazyLock<(SchemaRef, Vec<usize>)> = LazyLock::new(|| {
    let read = RecordColumns::schema();
    let mut fields = Vec::new();
    let mut places = Vec::new();
    for (place, field) in read.fields().iter().enumerate() {
        if let Some((_, name, _)) = COLUMNS.iter().find(|(read, ..)| read == field.name()) {
            fields.push(Field::new(*name, field.data_type().clone(), true));
            places.push(place);
        }
    }
    (Arc::new(Schema::new(fields)), places)
});

/// Names and types of the columns.
pub(super) fn schema() -> SchemaRef {
    SHAPE.0.clone()
}

/// What each column means.
pub(super) fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.iter().map(|(_, name, words)| (*name, *words))
}

/// One capture, or a folder of them.
#[derive(Debug)]
pub(super) struct Captured {
    path: PathBuf,
    mapping: Option<Arc<Mapping>>,
    unread: Arc<AtomicU64>,
}

impl Captured {
    /// Rejects are counted in `unread`.
    pub(super) fn new(
        path: PathBuf,
        mapping: Option<Arc<Mapping>>,
        unread: Arc<AtomicU64>,
    ) -> Self {
        Self {
            path,
            mapping,
            unread,
        }
    }
}

impl Rows for Captured {
    fn schema(&self) -> &SchemaRef {
        &SHAPE.0
    }

    fn read(&self, give: &mut dyn FnMut(RecordBatch) -> bool) -> io::Result<()> {
        // Stands for a receive time that nobody recorded.
        let options = OpenOptions {
            is_mapping_spare: true,
            ..OpenOptions::as_of(EventTime::MIN).with_mapping(self.mapping.clone())
        };
        let paths = std::slice::from_ref(&self.path);
        let captures = files::open(paths, options).map_err(io::Error::other)?;
        let mut captures = captures.as_they_lie();
        let mut columns = RecordColumns::default();
        let mut unread = 0;
        loop {
            let items = captures.next_batch(CHUNK).map_err(io::Error::other)?;
            if items.is_empty() {
                return Ok(());
            }
            for item in items {
                match item {
                    Item::Record { mut record, source } => {
                        record.received_at = record.received_at.filter(|at| *at > EventTime::MIN);
                        columns.push(&record, &source);
                    }
                    Item::Reject(_) => unread += 1,
                    Item::Tick(_) | Item::Control { .. } => {}
                }
            }
            self.unread.fetch_max(unread, Ordering::Relaxed);
            if columns.rows() == 0 {
                continue;
            }
            let batch = columns.finish().map_err(io::Error::other)?;
            let cells = SHAPE.1.iter().map(|place| batch.column(*place).clone());
            let batch = RecordBatch::try_new(SHAPE.0.clone(), cells.collect());
            if !give(batch.map_err(io::Error::other)?) {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_a_record_has_a_name_here() {
        let read = RecordColumns::schema();
        let named: Vec<_> = COLUMNS.iter().map(|(read, ..)| *read).collect();
        let columns: Vec<_> = read
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .filter(|name| *name != "line")
            .collect();
        assert_eq!(named, columns);
    }
}
