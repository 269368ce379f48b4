//! Lists of rows: one indicator to a line, alone, with a remark, or as CSV.

use super::{Reading, Skip};
use crate::problems::Refusal;

/// Names that lists give the column of the indicator; the first that a header has counts.
const VALUES: [&str; 12] = [
    "indicator",
    "ioc",
    "ioc_value",
    "value",
    "dst_ip",
    "ip",
    "ip_address",
    "address",
    "network",
    "cidr",
    "domain",
    "url",
];
const NOTES: [&str; 6] = ["description", "name", "malware", "comment", "note", "tag"];
const FROM: [&str; 1] = ["valid_from"];
const UNTIL: [&str; 3] = ["valid_until", "expires", "expiration"];

/// Where in a row what stands.
#[derive(Clone, Copy, Debug)]
struct Columns {
    value: usize,
    /// `None`: whatever stands last.
    note: Option<usize>,
    from: Option<usize>,
    until: Option<usize>,
}

impl Columns {
    const PLAIN: Self = Self {
        value: 0,
        note: None,
        from: None,
        until: None,
    };

    /// The columns that a header names; `None` if the row is none.
    fn of_header(cells: &[String]) -> Option<Self> {
        let find = |names: &[&str]| {
            let at = |name: &&str| {
                cells
                    .iter()
                    .position(|cell| cell.eq_ignore_ascii_case(name))
            };
            names.iter().find_map(at)
        };
        Some(Self {
            value: find(&VALUES)?,
            note: find(&NOTES).or(Some(usize::MAX)),
            from: find(&FROM),
            until: find(&UNTIL),
        })
    }
}

pub(super) fn read(text: &str, reading: &mut Reading) {
    let mut columns = None;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("//") {
            continue;
        }
        if !line.contains(',') {
            columns = columns.or(Some(Columns::PLAIN));
            plain(line, number, reading);
            continue;
        }
        let cells = split(line);
        if columns.is_none() {
            columns = Columns::of_header(&cells);
            if columns.is_some() {
                continue;
            }
        }
        let columns = *columns.get_or_insert(Columns::PLAIN);
        row(&cells, columns, number, reading);
    }
}

/// `203.0.113.77`, `c2.example.net # why`, `0.0.0.0 c2.example.net` as in a file of hosts.
fn plain(line: &str, number: u32, reading: &mut Reading) {
    let line = line.split_once(" //").map_or(line, |(before, _)| before);
    let cut = line.find(['#', ';']).unwrap_or(line.len());
    let (entry, note) = line.split_at(cut);
    let mut words = entry.split_whitespace();
    let Some(first) = words.next() else {
        return;
    };
    let note = note.trim_start_matches(['#', ';', ' ']);
    let window = super::Window::ALWAYS;
    match words.next() {
        Some(name) if matches!(first, "0.0.0.0" | "127.0.0.1" | "::" | "::1") => {
            reading.take(name, window, note, (number, ""));
        }
        Some(rest) if note.is_empty() => {
            let at = entry.find(rest).unwrap_or(entry.len());
            reading.take(first, window, entry[at..].trim(), (number, ""));
        }
        _ => reading.take(first, window, note, (number, "")),
    }
}

fn row(cells: &[String], columns: Columns, number: u32, reading: &mut Reading) {
    let cell = |at: usize| cells.get(at).map(|cell| cell.trim());
    let Some(value) = cell(columns.value).filter(|value| !value.is_empty()) else {
        let refusal = Refusal::new("the row has no indicator");
        return reading.problem(number, "", &refusal);
    };
    let place = (number, "");
    let from = columns.from.and_then(cell);
    let until = columns.until.and_then(cell);
    let window = reading.window(from, until, place);
    let last = cells.len().saturating_sub(1);
    let note = match columns.note {
        Some(at) => cell(at).unwrap_or(""),
        None if last > 0 => cell(last).unwrap_or(""),
        None => "",
    };
    if value.eq_ignore_ascii_case("n/a") {
        return reading.skip(Skip::NotInFlows);
    }
    // Some feeds name the port as well; what is hostile is the host.
    let host = match value.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => value,
    };
    reading.take(host, window, note, place);
}

/// The cells of a row of CSV (RFC 4180, without line breaks in cells).
fn split(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                cell.push('"');
                chars.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            c => cell.push(c),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}
