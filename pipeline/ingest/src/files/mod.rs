//! Captured traffic from files: Zeek, Suricata, packets (pcap, pcapng), exports of flow meters
//! (`NetFlow`, IPFIX), CSV with a mapping, and our own captures, plain, gzip or zstd, single files,
//! folders of rotated logs, standard input (`-`), or the objects of an object store
//! (`s3://BUCKET/KEY`).
//!
//! Everything a file holds comes out as an [`Item`]: a record or a reject with its position, and,
//! from captures of live runs, the ticks and control inputs between them. Captures of ours keep
//! their order. As soon as there is one foreign file, all records are sorted by event time (Zeek
//! writes a connection when it ends, Suricata when it is flushed); the sort is stable and in
//! memory, up to a stated number of records.

mod ahead;
mod bytes;
mod captures;
mod collect;
mod columnar;
mod csv;
mod detect;
mod eve;
mod exports;
mod json;
mod lines;
mod mappings;
pub(crate) mod message;
mod native;
mod number;
mod origin;
mod packets;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod told;
mod unpack;
mod writer;
mod zeek;
mod zeek_json;
mod zeek_tsv;

use std::io;
use std::sync::Arc;

use andon_schemas::mapping::Mapping;
use andon_schemas::observation::{Record, Source};
use andon_schemas::problems::Problems;
use andon_schemas::reject::Reject;
use andon_schemas::time::EventTime;

pub use ahead::ReadAhead;
pub use captures::{Captures, open};
pub(crate) use columnar::Addresses;
pub use columnar::{FlowBlock, RecordColumns};
pub use detect::Format;
pub use mappings::read_mapping;
pub use packets::PacketCounts;
pub use store::names_objects;
pub use told::FileReport;
pub use writer::{CaptureWriter, WriteError};

/// How many records are sorted in memory, by default. One takes about half a kilobyte.
pub const SORTED_RECORDS_MAX: usize = 8_000_000;

/// How captures are read.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// What `received_at` is for records that do not carry it, and for rejects.
    pub as_of: EventTime,
    /// Most records that are sorted in memory.
    pub sorted_records_max: usize,
    /// What the columns of CSV mean; without it, what is written beside each file.
    pub mapping: Option<Arc<Mapping>>,
    /// That a mapping was not needed is no news.
    pub is_mapping_spare: bool,
}

impl OpenOptions {
    /// The defaults, with the moment the run stands for.
    pub const fn as_of(as_of: EventTime) -> Self {
        Self {
            as_of,
            sorted_records_max: SORTED_RECORDS_MAX,
            mapping: None,
            is_mapping_spare: false,
        }
    }

    /// The same, with a mapping for all CSV.
    #[must_use]
    pub fn with_mapping(self, mapping: Option<Arc<Mapping>>) -> Self {
        Self { mapping, ..self }
    }
}

/// In which order records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they were recorded.
    Recorded,
    /// By event time.
    Sorted,
}

/// What a capture holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A record and where it came from: the file as given, 0, and its number in the file from 1;
    /// or the position it was recorded at. `received_at` is always set.
    Record {
        /// The record.
        record: Record,
        /// Where it came from.
        source: Source,
    },
    /// A record that was not taken, now or when the capture was recorded.
    Reject(Reject),
    /// A tick of the recorded run: time is at least this.
    Tick(EventTime),
    /// A control input of the recorded run.
    Control {
        /// It, as JSON.
        control: String,
        /// Where it came from.
        source: Source,
    },
}

/// What a capture holds, for whoever takes flows in blocks where that is faster.
#[derive(Debug)]
pub enum Piece {
    /// Anything, one by one.
    Items(Vec<Item>),
    /// Records of flows, in their place among the items.
    Flows(FlowBlock),
}

/// Why captures cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No path was given.
    #[error("no capture given")]
    Nothing,
    /// A path cannot be opened or read.
    #[error("cannot read capture `{path}`: {source}")]
    Read {
        /// The path.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A mapping cannot be used.
    #[error(transparent)]
    Mapping(Problems),
    /// Too many records to sort in memory.
    #[error(
        "foreign captures hold more than {max} records, the most that are sorted in memory; \
         read them in parts, for example day by day"
    )]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The system gives no thread to read on, or the thread is gone.
    #[error("cannot read captures ahead: {0}")]
    Ahead(String),
}
