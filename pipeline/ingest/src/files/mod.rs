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

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use andon_schemas::mapping::Mapping;
use andon_schemas::observation::{Record, Source};
use andon_schemas::problems::Problems;
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;

pub use ahead::ReadAhead;
pub use columnar::RecordColumns;
pub use detect::Format;
pub use mappings::read_mapping;
pub use packets::PacketCounts;
pub use store::names_objects;
pub use told::FileReport;
pub use writer::{CaptureWriter, WriteError};

use collect::{Candidate, collect};
use rows::{Content, Numbered, Rows};

use crate::refused::Refused;

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

/// Captures being read.
#[derive(Debug)]
pub struct Captures {
    options: OpenOptions,
    order: Order,
    waiting: VecDeque<Candidate>,
    current: Option<Current>,
    reports: Vec<FileReport>,
    /// Records gathered for sorting, with the order in which they were read.
    gathered: Vec<(Record, Source)>,
    sorted: Option<std::vec::IntoIter<(Record, Source)>>,
}

/// The file that is being read.
#[derive(Debug)]
struct Current {
    path: Arc<str>,
    rows: Rows,
}

/// Opens captures: files, folders (all files below, in the order of their first event), `-` for
/// standard input, or objects by their names or by what their names begin with. Every file is looked at now; what cannot be read as any format becomes one
/// reject.
///
/// # Errors
/// A path that does not exist or cannot be opened.
pub fn open(paths: &[PathBuf], options: OpenOptions) -> Result<Captures, CaptureError> {
    if paths.is_empty() {
        return Err(CaptureError::Nothing);
    }
    let waiting = collect(paths, &options)?;
    let foreign = |candidate: &Candidate| matches!(candidate.format, Ok(Some(f)) if !f.is_native());
    let order = if waiting.iter().any(foreign) {
        Order::Sorted
    } else {
        Order::Recorded
    };
    Ok(Captures {
        options,
        order,
        waiting,
        current: None,
        reports: Vec::new(),
        gathered: Vec::new(),
        sorted: None,
    })
}

impl Captures {
    /// In which order records come.
    pub fn order(&self) -> Order {
        self.order
    }

    /// Takes records as they lie in the files, for whoever does not need them in order of time and
    /// would not want to hold them for it. Call it before the first batch.
    #[must_use]
    pub fn as_they_lie(mut self) -> Self {
        self.order = Order::Recorded;
        self
    }

    /// What became of each file so far, in the order read; complete once a batch comes empty.
    pub fn files(&self) -> &[FileReport] {
        &self.reports
    }

    /// Up to `max` further items, fewer only at the end; an empty batch is the end. Of sorted
    /// captures, rejects come before all records.
    ///
    /// # Errors
    /// A file that cannot be read on, or more records than can be sorted.
    pub fn next_batch(&mut self, max: usize) -> Result<Vec<Item>, CaptureError> {
        let mut batch = Vec::with_capacity(max);
        while batch.len() < max {
            match self.next()? {
                Some(item) => batch.push(item),
                None => break,
            }
        }
        Ok(batch)
    }

    #[inline]
    fn next(&mut self) -> Result<Option<Item>, CaptureError> {
        loop {
            if let Some(sorted) = &mut self.sorted {
                return Ok(sorted
                    .next()
                    .map(|(record, source)| Item::Record { record, source }));
            }
            match self.read()? {
                Some(Item::Record { record, source }) if self.order == Order::Sorted => {
                    if self.gathered.len() == self.options.sorted_records_max {
                        return Err(CaptureError::TooMany {
                            max: self.options.sorted_records_max,
                        });
                    }
                    self.gathered.push((record, source));
                }
                None if self.order == Order::Sorted => {
                    let mut records = std::mem::take(&mut self.gathered);
                    records.sort_by_key(|(record, _)| record.event_time);
                    self.sorted = Some(records.into_iter());
                }
                item => return Ok(item),
            }
        }
    }

    /// The next item in the order of the files.
    #[inline]
    fn read(&mut self) -> Result<Option<Item>, CaptureError> {
        loop {
            let Some(current) = &mut self.current else {
                match self.waiting.pop_front() {
                    Some(candidate) => {
                        if let Some(reject) = self.begin(candidate)? {
                            return Ok(Some(Item::Reject(reject)));
                        }
                        continue;
                    }
                    None => return Ok(None),
                }
            };
            let path = Arc::clone(&current.path);
            let row = current.rows.next().map_err(|source| CaptureError::Read {
                path: path.to_string(),
                source,
            })?;
            if let Some(report) = self.reports.last_mut() {
                report.unread = current.rows.unread();
                if row.is_none() {
                    report.packets = current.rows.packets();
                    report.tell_evicted();
                }
            }
            match row {
                Some(row) => return Ok(Some(self.item(&path, row))),
                None => self.current = None,
            }
        }
    }

    fn begin(&mut self, candidate: Candidate) -> Result<Option<Reject>, CaptureError> {
        let path = Arc::clone(&candidate.path);
        self.reports.push(FileReport {
            path: path.to_string(),
            format: candidate.format.as_ref().ok().copied().flatten(),
            records: 0,
            rejects: 0,
            unread: 0,
            packets: None,
            first_refusal: None,
        });
        match candidate.rows()? {
            Ok(rows) => {
                self.current = rows.map(|rows| Current { path, rows });
                Ok(None)
            }
            Err((refused, excerpt)) => {
                self.count_refusal(&refused);
                let source = Source {
                    topic: path,
                    partition: 0,
                    offset: 0,
                };
                let reject = refused.at(source, self.options.as_of, excerpt.as_bytes());
                Ok(Some(reject))
            }
        }
    }

    fn count_reject(&mut self) {
        if let Some(report) = self.reports.last_mut() {
            report.rejects += 1;
        }
    }

    /// Counts a reject that was made here, and keeps the first cause.
    fn count_refusal(&mut self, refused: &Refused) {
        self.count_reject();
        if let Some(report) = self.reports.last_mut() {
            report
                .first_refusal
                .get_or_insert_with(|| refused.detail.clone());
        }
    }

    #[inline]
    fn item(&mut self, path: &Arc<str>, row: Numbered) -> Item {
        let source = Source {
            topic: Arc::clone(path),
            partition: 0,
            offset: row.number,
        };
        match row.content {
            Ok(Content::Record(mut record, recorded)) => {
                record.received_at.get_or_insert(self.options.as_of);
                if let Some(report) = self.reports.last_mut() {
                    report.records += 1;
                }
                Item::Record {
                    record,
                    source: recorded.unwrap_or(source),
                }
            }
            Ok(Content::Recorded(reject)) => {
                self.count_reject();
                Item::Reject(*reject)
            }
            // Their place is between two rows of their own run, which sorting tears apart.
            Ok(Content::Tick(_) | Content::Control(_)) if self.order == Order::Sorted => {
                self.count_reject();
                let refused = Refused::new(
                    RejectReason::Unsupported,
                    "tick or control input of a recorded run among foreign captures; replay the \
                     recording on its own",
                );
                Item::Reject(refused.at(source, self.options.as_of, b""))
            }
            Ok(Content::Tick(at)) => Item::Tick(at),
            Ok(Content::Control(control)) => Item::Control { control, source },
            Err((refused, excerpt)) => {
                self.count_refusal(&refused);
                Item::Reject(refused.at(source, self.options.as_of, excerpt.as_bytes()))
            }
        }
    }
}
