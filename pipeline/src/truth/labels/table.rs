//! Labels as a table that people write: CSV whose first row names the columns.
//!
//! `attack` (any name), `device` (its id, or its address), `start` and `end` (RFC 3339) must be
//! there; `peer` (an address), `expected_grade` (the least it must reach, LOW without one),
//! `detectors` (with blanks or semicolons between them) and `note` may be.

use std::net::IpAddr;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::problems::suggestion;
use andon_schemas::time::EventTime;
use andon_simulator::Label;
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::setting::detector_names;

const NEEDED: [&str; 4] = ["attack", "device", "start", "end"];
const KNOWN: [&str; 8] = [
    "attack",
    "device",
    "start",
    "end",
    "peer",
    "expected_grade",
    "detectors",
    "note",
];

/// Whether a file begins like such a table: with a header and not with JSON.
pub(super) fn looks_like(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or(start);
    let first = first.trim_ascii();
    !first.starts_with(b"{") && first.contains(&b',')
}

/// Every row with its line, as a label or with all that is wrong with it.
pub(super) fn read(text: &str) -> Vec<(usize, Result<Label, String>)> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = ReaderBuilder::new()
        .trim(Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(header) => match columns(header) {
            Ok(columns) => columns,
            Err(problem) => return vec![(1, Err(problem))],
        },
        Err(error) => return vec![(1, Err(error.to_string()))],
    };
    let line = |position: Option<&csv::Position>| {
        position.map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX))
    };
    let rows = reader.records().map(|row| match row {
        Ok(row) => (line(row.position()), label(&row, &columns)),
        Err(error) => {
            let cells = match error.kind() {
                csv::ErrorKind::UnequalLengths {
                    expected_len, len, ..
                } => format!("row has {len} cells where the header names {expected_len}"),
                _ => error.to_string(),
            };
            (line(error.position()), Err(cells))
        }
    });
    rows.collect()
}

/// Where each known column stands.
type Columns = [Option<usize>; KNOWN.len()];

fn columns(header: &StringRecord) -> Result<Columns, String> {
    let at = |name: &str| header.iter().position(|other| other == name);
    let mut wrong: Vec<String> = NEEDED
        .iter()
        .filter(|name| at(name).is_none())
        .map(|name| format!("column `{name}` is missing"))
        .collect();
    let unknown = header.iter().filter(|name| !KNOWN.contains(name));
    wrong.extend(unknown.map(|name| {
        let hint = suggestion(name, KNOWN).unwrap_or_default();
        format!("column `{name}` is not known ({hint})")
    }));
    if wrong.is_empty() {
        Ok(KNOWN.map(at))
    } else {
        Err(wrong.join("; "))
    }
}

fn label(row: &StringRecord, columns: &Columns) -> Result<Label, String> {
    let cell = |name: &str| {
        let at = KNOWN.iter().position(|known| *known == name)?;
        row.get(columns[at]?).filter(|cell| !cell.is_empty())
    };
    let mut wrong = Vec::new();
    let mut need = |name: &str| {
        cell(name).unwrap_or_else(|| {
            wrong.push(format!("`{name}` is empty"));
            ""
        })
    };
    let (attack, device) = (need("attack"), need("device"));
    let (start, end) = (need("start"), need("end"));
    let mut time = |name: &str, text: &str| match EventTime::parse(text) {
        Ok(time) => Some(time),
        Err(cause) => {
            if !text.is_empty() {
                wrong.push(format!("`{name}`: {cause}"));
            }
            None
        }
    };
    let (start, end) = (time("start", start), time("end", end));
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        wrong.push("attack ends before it starts".to_owned());
    }
    let device = device.parse::<IpAddr>().map_or_else(
        |_| DeviceId::new(device).map_err(|cause| format!("`device`: {cause}")),
        |address| Ok(DeviceId::of_address(address)),
    );
    let peer = cell("peer").map(|text| {
        let read = text.parse::<IpAddr>();
        read.map_err(|_| format!("`peer` is {text:?}, expected an IP address"))
    });
    let grade = cell("expected_grade").map_or(Ok(Grade::Low), |text| {
        let read = text.parse::<Grade>();
        read.map_err(|_| format!("`expected_grade` is {text:?}, expected LOW to CRITICAL"))
    });
    let detectors: Vec<String> = cell("detectors")
        .unwrap_or_default()
        .split([' ', ';'])
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let known = detector_names();
    let strange = detectors
        .iter()
        .filter(|name| !known.contains(&name.as_str()));
    wrong.extend(strange.map(|name| format!("detector {name:?} is not known")));
    let peer = peer.transpose().map_err(|problem| wrong.push(problem));
    let grade = grade.map_err(|problem| wrong.push(problem));
    let device = device.map_err(|problem| wrong.push(problem));
    if let (true, Some(start), Some(end), Ok(device), Ok(peer), Ok(expected_grade)) =
        (wrong.is_empty(), start, end, device, peer, grade)
    {
        return Ok(Label {
            attack: attack.to_owned(),
            device,
            peer,
            start,
            end,
            expected_grade,
            at_least: true,
            detectors,
            later: false,
            note: cell("note").unwrap_or_default().to_owned(),
        });
    }
    Err(wrong.join("; "))
}
