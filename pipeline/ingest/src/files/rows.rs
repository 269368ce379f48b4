//! One file, row by row: lines are fetched, numbered and given to the reader of their format.

use std::io;
use std::path::Path;
use std::sync::Arc;

use andon_schemas::mapping::Mapping;
use andon_schemas::observation::{Record, Source};
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;

use super::columnar::{ColumnRows, FlowBlock, IpcRows};
use super::csv::Csv;
use super::detect::Format;
use super::eve;
use super::exports::ExportRows;
use super::lines::{LINE_BYTES_MAX, LineEnd, Lines};
use super::native;
use super::packets::{PacketCounts, PacketRows};
use super::zeek_json::ZeekJson;
use super::zeek_tsv::ZeekTsv;
use crate::refused::{Refused, excerpt};

/// What a row of a file says.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one row, and nearly every row is a record"
)]
pub(super) enum Content {
    /// A record, and the position it was recorded at.
    Record(Record, Option<Source>),
    /// A tick of the live run.
    Tick(EventTime),
    /// A control input of the live run, as JSON.
    Control(String),
    /// A reject of the live run.
    Recorded(Box<Reject>),
}

/// What became of a line.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "lives on the stack for one row, and nearly every row is a record"
)]
pub(super) enum Parsed {
    /// It is a header or empty.
    Nothing,
    /// It belongs to a log that was refused as a whole.
    Unread,
    /// It is a row.
    Content(Result<Content, Refused>),
}

/// One row and its number, from 1.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) content: Result<Content, (Refused, String)>,
}

/// The reader of a format.
#[derive(Debug)]
enum Reader {
    ZeekTsv(ZeekTsv),
    ZeekJson(ZeekJson),
    Eve,
    Native,
    Csv(Box<Csv>),
}

/// The rows of one file.
#[derive(Debug)]
pub(super) enum Rows {
    /// Of a text file.
    Lines(Box<LineRows>),
    /// Of a Parquet capture.
    Columns(Box<ColumnRows>),
    /// Of an Arrow IPC capture.
    Arrow(Box<IpcRows>),
    /// Of a file of packets.
    Packets(Box<PacketRows>),
    /// Of a file of export messages.
    Exports(Box<ExportRows>),
}

impl Rows {
    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// What the operating system says.
    #[inline]
    pub(super) fn next(&mut self) -> io::Result<Option<Numbered>> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Columns(columns) => Ok(columns.next()),
            Self::Arrow(columns) => columns.next(),
            Self::Packets(packets) => packets.next(),
            Self::Exports(exports) => exports.next(),
        }
    }

    /// The next rows as a block, if the format has them and they are plain flows; what it leaves
    /// comes row by row.
    pub(super) fn block(&mut self, path: &Arc<str>) -> Option<FlowBlock> {
        match self {
            Self::Columns(columns) => columns.block(path),
            Self::Lines(_) | Self::Arrow(_) | Self::Packets(_) | Self::Exports(_) => None,
        }
    }

    /// Whether it is known that nothing follows in a format that has blocks.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Columns(columns) => columns.is_over(),
            Self::Lines(_) | Self::Arrow(_) | Self::Packets(_) | Self::Exports(_) => false,
        }
    }

    /// Rows of logs, or frames of kinds, that are not observed, beyond the one reject of each.
    pub(super) fn unread(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.unread,
            Self::Columns(_) | Self::Arrow(_) | Self::Exports(_) => 0,
            Self::Packets(packets) => packets.unread(),
        }
    }

    /// What was in a file of packets so far.
    pub(super) fn packets(&self) -> Option<PacketCounts> {
        match self {
            Self::Lines(_) | Self::Columns(_) | Self::Arrow(_) | Self::Exports(_) => None,
            Self::Packets(packets) => Some(packets.counts()),
        }
    }
}

/// The rows of one text file.
#[derive(Debug)]
pub(super) struct LineRows {
    lines: Lines,
    reader: Reader,
    line: Vec<u8>,
    number: u64,
    /// Lines so far.
    at: u64,
    unread: u64,
}

impl LineRows {
    /// The rows of `lines`. The file's name only tells flows that have not ended from those that
    /// have: `open_conn.log` says `conn` inside.
    pub(super) fn new(
        lines: Lines,
        format: Format,
        path: &Path,
        mapping: Option<Arc<Mapping>>,
    ) -> Self {
        let open = path
            .file_name()
            .map(|name| name.to_string_lossy())
            .is_some_and(|name| name.starts_with("open_conn") || name.starts_with("conn_long"));
        let reader = match (format, mapping) {
            (_, Some(mapping)) => Reader::Csv(Box::new(Csv::new(mapping))),
            (Format::ZeekTsv, None) => Reader::ZeekTsv(ZeekTsv::new(open)),
            (Format::ZeekJson, None) => Reader::ZeekJson(ZeekJson::new(open)),
            (Format::Eve, None) => Reader::Eve,
            // The others have no lines; `columnar`, `packets` and `exports` read them.
            (
                Format::Native
                | Format::Parquet
                | Format::Arrow
                | Format::Pcap
                | Format::PcapNg
                | Format::Netflow
                | Format::Csv,
                None,
            ) => Reader::Native,
        };
        Self {
            lines,
            reader,
            line: Vec::new(),
            number: 0,
            at: 0,
            unread: 0,
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// What the operating system says.
    fn next(&mut self) -> io::Result<Option<Numbered>> {
        loop {
            let Some(end) = self.lines.read(&mut self.line)? else {
                return Ok(None);
            };
            self.at += 1;
            let refused = match end {
                LineEnd::Complete | LineEnd::Open => {
                    let open = matches!(end, LineEnd::Open);
                    match self.parse(open) {
                        Parsed::Nothing => continue,
                        Parsed::Unread => {
                            self.unread += 1;
                            continue;
                        }
                        Parsed::Content(Ok(content)) => {
                            return Ok(Some(self.numbered(Ok(content))));
                        }
                        Parsed::Content(Err(refused)) => refused,
                    }
                }
                LineEnd::Oversized => Refused::new(
                    RejectReason::Oversized,
                    format!("line is longer than {LINE_BYTES_MAX} bytes"),
                ),
                LineEnd::Cut(error) => Refused::new(
                    RejectReason::Truncated,
                    format!("compressed file breaks off {error}; the rows before are kept"),
                ),
                LineEnd::Lost(error) => Refused::new(
                    RejectReason::Truncated,
                    format!("{error}; the rows before are kept"),
                ),
                LineEnd::Damaged(error) => Refused::new(
                    RejectReason::Malformed,
                    format!(
                        "compressed file cannot be unpacked on: {error}; the rows before are kept"
                    ),
                ),
            };
            return Ok(Some(self.numbered(Err(refused))));
        }
    }

    fn parse(&mut self, open: bool) -> Parsed {
        let line = self.line.trim_ascii_end();
        if line.trim_ascii_start().is_empty() {
            return Parsed::Nothing;
        }
        let parsed = match &mut self.reader {
            Reader::ZeekTsv(zeek) => zeek.line(&self.line),
            Reader::ZeekJson(zeek) => zeek.line(line),
            Reader::Eve => eve::line(line),
            Reader::Native => native::line(line),
            Reader::Csv(csv) => csv.line(&self.line, self.at),
        };
        match parsed {
            // A file that is still written, or was cut, ends in the middle of a row.
            Parsed::Content(Err(refused)) if open && refused.reason == RejectReason::Malformed => {
                Parsed::Content(Err(Refused {
                    reason: RejectReason::Truncated,
                    detail: format!("file ends in the middle of a row: {}", refused.detail),
                    ..refused
                }))
            }
            parsed => parsed,
        }
    }

    fn numbered(&mut self, content: Result<Content, Refused>) -> Numbered {
        self.number += 1;
        Numbered {
            number: self.number,
            content: content.map_err(|refused| (refused, excerpt(&self.line))),
        }
    }
}
