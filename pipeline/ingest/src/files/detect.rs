//! What a file is, from what it holds. Its name decides nothing: a Zeek log may be TSV or JSON
//! under the same name, and a file called `conn.log` may be anything. Nor does its first line
//! alone: one that got damaged must not take a day of traffic with it.

use andon_schemas::reject::RejectReason;

use super::columnar::looks_like_arrow;
use super::exports;
use super::json::Members;
use super::zeek_tsv::is_plain_header;
use crate::refused::Refused;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Zeek log as separated text.
    ZeekTsv,
    /// Zeek log as JSON lines.
    ZeekJson,
    /// Suricata EVE.
    Eve,
    /// Capture of ours, NDJSON.
    Native,
    /// Capture of ours, Parquet.
    Parquet,
    /// Capture of ours, Arrow IPC.
    Arrow,
    /// Packets, pcap.
    Pcap,
    /// Packets, pcapng.
    #[serde(rename = "pcapng")]
    PcapNg,
    /// Export messages of flow meters: `NetFlow` v5, v9, IPFIX.
    Netflow,
    /// Separated text, read with a mapping.
    Csv,
}

impl Format {
    /// Whether it is a capture of ours, whose order is kept.
    pub const fn is_native(self) -> bool {
        matches!(self, Self::Native | Self::Parquet | Self::Arrow)
    }

    /// Whether it holds packets, of which flows are made.
    pub(super) const fn is_packets(self) -> bool {
        matches!(self, Self::Pcap | Self::PcapNg)
    }

    /// The format as people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ZeekTsv => "zeek tsv",
            Self::ZeekJson => "zeek json",
            Self::Eve => "suricata eve",
            Self::Native => "andon ndjson",
            Self::Parquet => "andon parquet",
            Self::Arrow => "andon arrow",
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
            Self::Netflow => "netflow",
            Self::Csv => "csv",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Beginnings of files of packets: pcapng, and pcap with microseconds and nanoseconds in either
/// order of bytes.
const PACKETS: [(&[u8], Format); 5] = [
    (b"\x0a\x0d\x0d\x0a", Format::PcapNg),
    (b"\xa1\xb2\xc3\xd4", Format::Pcap),
    (b"\xd4\xc3\xb2\xa1", Format::Pcap),
    (b"\xa1\xb2\x3c\x4d", Format::Pcap),
    (b"\x4d\x3c\xb2\xa1", Format::Pcap),
];

/// Beginnings of files that people hand in and that are not read, with what to do.
const OTHERS: &[(&[u8], &str)] = &[
    (
        b"\xa1\xb2\xcd\x34",
        "a pcap capture with records of another shape: convert it with editcap -F pcap",
    ),
    (
        b"\x34\xcd\xb2\xa1",
        "a pcap capture with records of another shape: convert it with editcap -F pcap",
    ),
    (b"\xff\xfe", "UTF-16 text: convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16 text: convert it to UTF-8"),
    (
        b"\x28\xb5\x2f\xfd",
        "packed twice, last with zstd: unpack it once",
    ),
    (
        b"FEA1",
        "a Feather file of version 1: write it anew as version 2, which is Arrow IPC",
    ),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x1f\x8b", "packed twice, last with gzip: unpack it once"),
    (
        b"StartTime,",
        "an Argus flow file: say with a mapping what its columns mean (--map), or convert it to \
         Zeek or EVE",
    ),
];

/// Beginnings of what is no text, or JSON, whatever a mapping says.
const NO_ROWS: [&[u8]; 6] = [
    b"\xff\xfe",
    b"\xfe\xff",
    b"\x28\xb5\x2f\xfd",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"{",
];

/// Whether a file of no known format may be rows of separated text.
pub(super) fn may_be_rows(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    !head.contains(&0) && !NO_ROWS.iter().any(|magic| text.starts_with(magic))
}

/// How many lines are tried before a file is given up, blank ones apart.
const LINES_TRIED: usize = 64;

/// Lines that a Zeek log of separated text begins with, one of them at least.
const ZEEK_HEADERS: [&str; 4] = ["#separator", "#set_separator", "#path", "#fields"];

/// Tells the format from the first bytes, unpacked; `None` if there is nothing in the file.
///
/// # Errors
/// Says what the file seems to be instead.
pub(super) fn detect(head: &[u8]) -> Result<Option<Format>, Refused> {
    if head.starts_with(b"PAR1") {
        return Ok(Some(Format::Parquet));
    }
    if looks_like_arrow(head) {
        return Ok(Some(Format::Arrow));
    }
    if let Some((_, format)) = PACKETS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Ok(Some(*format));
    }
    if exports::looks_like(head) {
        return Ok(Some(Format::Netflow));
    }
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Refused::new(
            RejectReason::Unsupported,
            format!("file is {what}"),
        ));
    }
    let text = head.trim_ascii_start();
    if text.is_empty() {
        return Ok(None);
    }
    let lines = || {
        text.split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .take(LINES_TRIED)
    };
    let objects = || lines().filter_map(|line| Members::of_line(line).ok());
    match lines().find_map(line_format) {
        Some(format) => Ok(Some(format)),
        None if objects().next().is_some() => Err(Refused::new(
            RejectReason::Malformed,
            "file holds JSON objects of no known kind: neither `kind` (ours), `event_type` \
             (Suricata) nor `ts` (Zeek)",
        )),
        None if text.starts_with(b"{") => Err(Refused::new(
            RejectReason::Malformed,
            "file begins like JSON, but none of its first lines is an object",
        )),
        None => Err(unknown(text)),
    }
}

/// The format that a line gives away.
fn line_format(line: &[u8]) -> Option<Format> {
    let is_header = |header: &&str| line.starts_with(header.as_bytes());
    if ZEEK_HEADERS.iter().any(is_header) || is_plain_header(&beginning(line)) {
        return Some(Format::ZeekTsv);
    }
    json_object(&Members::of_line(line).ok()?, true)
}

fn beginning(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(4_096)]).into_owned()
}

/// The format of a JSON object, bare or in a log shipper's envelope.
pub(super) fn json_object(members: &Members<'_>, may_be_enveloped: bool) -> Option<Format> {
    let has = |name| members.get(name).is_some();
    if has("event_type") && has("timestamp") {
        return Some(Format::Eve);
    }
    if has("kind") && (has("v") || has("time") || has("at")) {
        return Some(Format::Native);
    }
    if has("ts") {
        return Some(Format::ZeekJson);
    }
    if members
        .only_object()
        .is_some_and(|(_, inner)| inner.get("ts").is_some())
    {
        return Some(Format::ZeekJson);
    }
    let inner = members.enveloped().filter(|_| may_be_enveloped)?;
    json_object(&Members::of(&inner).ok()?, false)
}

fn unknown(text: &[u8]) -> Refused {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
    let line = beginning(first);
    let mut cells = line.split('\t');
    let stamped = cells
        .next()
        .is_some_and(|cell| super::number::zeek_time(cell).is_some());
    let detail = if stamped && cells.count() > 8 {
        "file looks like a zeek log whose `#fields` line is missing: without it the columns \
         cannot be told"
            .to_owned()
    } else {
        let start: String = line.chars().take(24).collect();
        let hint = if line.contains([',', ';', '\t']) && may_be_rows(text) {
            "; if it is CSV, say with a mapping what its columns mean (--map)"
        } else {
            ""
        };
        format!("file is of no known format: it begins with {start:?}{hint}")
    };
    Refused::new(RejectReason::Malformed, detail)
}
