//! Captures from their first file to their last.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use andon_schemas::observation::{Record, Source};
use andon_schemas::reject::{Reject, RejectReason};

use super::collect::{Candidate, collect};
use super::rows::{Content, Numbered, Rows};
use super::{CaptureError, FileReport, FlowBlock, Item, OpenOptions, Order, Piece};
use crate::refused::Refused;

/// Captures being read.
#[derive(Debug)]
pub struct Captures {
    options: OpenOptions,
    order: Order,
    waiting: VecDeque<Candidate>,
    current: Option<Current>,
    pub(super) reports: Vec<FileReport>,
    /// Records gathered for sorting, with the order in which they were read.
    gathered: Vec<(Record, Source)>,
    sorted: Option<std::vec::IntoIter<(Record, Source)>>,
}

/// What comes before the next row of a file.
enum Next {
    Flows(FlowBlock),
    Item(Box<Item>),
}

/// The file that is being read.
#[derive(Debug)]
struct Current {
    path: Arc<str>,
    rows: Rows,
}

/// Opens captures: files, folders (all files below, in the order of their first event), `-` for
/// standard input, or objects by their names or by what their names begin with. Every file is looked
/// at now; what cannot be read as any format becomes one reject.
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

    /// The same, with flows in blocks wherever a capture is recorded in columns. A block counts as many
    /// items as it has rows and is not cut, so there may be up to a block more than `max`.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn next_pieces(&mut self, max: usize) -> Result<Vec<Piece>, CaptureError> {
        let mut pieces = Vec::new();
        let mut items = 0;
        while items < max {
            let item = match self.block()? {
                Some(Next::Flows(block)) => {
                    items += block.len();
                    pieces.push(Piece::Flows(block));
                    continue;
                }
                Some(Next::Item(item)) => *item,
                None => match self.next()? {
                    Some(item) => item,
                    None => break,
                },
            };
            items += 1;
            match pieces.last_mut() {
                Some(Piece::Items(before)) => before.push(item),
                _ => pieces.push(Piece::Items(vec![item])),
            }
        }
        Ok(pieces)
    }

    /// What comes next, if it is a block or tells of a file that is not read.
    fn block(&mut self) -> Result<Option<Next>, CaptureError> {
        if self.order == Order::Sorted {
            return Ok(None);
        }
        loop {
            let Some(current) = &mut self.current else {
                let Some(candidate) = self.waiting.pop_front() else {
                    return Ok(None);
                };
                if let Some(reject) = self.begin(candidate)? {
                    return Ok(Some(Next::Item(Box::new(Item::Reject(reject)))));
                }
                continue;
            };
            let block = current.rows.block(&current.path);
            if let (Some(block), Some(report)) = (&block, self.reports.last_mut()) {
                report.records += block.len() as u64;
            }
            // The first rows of the next file may be a block again.
            if block.is_some() || !current.rows.is_over() {
                return Ok(block.map(Next::Flows));
            }
            self.current = None;
        }
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
