//! Reads a table of known vulnerabilities: CSV (RFC 4180) with a header, one product, its versions and
//! one vulnerability a row.

use std::sync::Arc;

use super::range::Range;
use super::{About, Advisory, Claim, Fix, Read, Severity, Status, Subject, cut, link};
use crate::problems::{Problem, Problems, quoted, suggestion};

/// The columns, which may stand in any order:
///
/// | column | what stands there |
/// |---|---|
/// | `vendor` | who makes the product; must be there |
/// | `product` | its name, as the vendor writes it; must be there |
/// | `versions` | the affected versions: `*`, `<V2.9.4`, `>= 2.0 \| < 2.2`, `vers:generic/…`; must be there |
/// | `cve` | the CVE id, or another one; must be there |
/// | `severity` | `critical`, `high`, `medium`, `low` or `none`; else that of the score |
/// | `cvss` | base score of CVSS v3, 0–10 |
/// | `title` | what it is |
/// | `url` | where to read on, `https://…` |
/// | `fixed_in` | the first version without it; else the end of the range |
pub const COLUMNS: [&str; 9] = [
    "vendor", "product", "versions", "cve", "severity", "cvss", "title", "url", "fixed_in",
];
/// The first of them, which must be there.
const NEEDED: usize = 4;
/// Longest text that is kept, in characters.
const TEXT_MAX: usize = 200;
/// Most rows of a table with something wrong that are told one by one.
const TOLD_MAX: usize = 100;

/// Reads a table.
pub(super) fn read(file: &str, text: &str) -> Read {
    let mut rows = Rows::of(text.trim_start_matches('\u{feff}'));
    let mut problems = Vec::new();
    let mut tell = |line: usize, path: &str, cause: String, hint: Option<String>| {
        if problems.len() < TOLD_MAX {
            problems.push(Problem {
                file: file.to_owned(),
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: 1,
                path: path.to_owned(),
                cause,
                hint,
            });
        }
    };
    let (_, header) = rows.next().unwrap_or_default();
    let places = match places(&header) {
        Ok(places) => places,
        Err((path, cause, hint)) => {
            tell(1, &path, cause, hint);
            let problems = Problems::of(problems);
            return Read {
                advisory: None,
                problems,
            };
        }
    };
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let mut claims = Vec::new();
    for (line, cells) in rows {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if cells.len() != header.len() {
            let cause = format!("{} cells, and the header has {}", cells.len(), header.len());
            let hint = "Put a text that has a comma in it between quotes.".to_owned();
            tell(line, "", cause, Some(hint));
            continue;
        }
        let cell = |column: usize| {
            let place = places.get(column).copied().flatten();
            place
                .and_then(|place| cells.get(place))
                .map_or("", |cell| cell.trim())
        };
        match claim(cell, name) {
            Ok(claim) => claims.push(claim),
            Err((column, cause)) => tell(line, COLUMNS[column], cause, None),
        }
    }
    let released = String::new();
    // Two tables of one name in two folders are two.
    let key = ("table".to_owned(), file.to_owned());
    Read {
        advisory: Some((key, Advisory { released, claims })),
        problems: Problems::of(problems),
    }
}

/// What is wrong with a header: the column, the cause, a hint.
type Misread = (String, String, Option<String>);

/// Where the columns stand.
fn places(header: &[String]) -> Result<[Option<usize>; 9], Misread> {
    let mut places = [None; 9];
    for (at, written) in header.iter().enumerate() {
        let written = written.trim().to_lowercase();
        let Some(column) = COLUMNS.iter().position(|name| **name == written) else {
            let cause = format!("unknown column {}", quoted(&written));
            return Err((written.clone(), cause, suggestion(&written, COLUMNS)));
        };
        if places[column].replace(at).is_some() {
            let cause = format!("column {} is there twice", quoted(&written));
            return Err((written, cause, None));
        }
    }
    for (column, place) in places.iter().enumerate().take(NEEDED) {
        if place.is_none() {
            let name = COLUMNS[column].to_owned();
            let cause = format!("column `{name}` is missing");
            let hint = format!("The first line names the columns: {}.", COLUMNS.join(","));
            return Err((name, cause, Some(hint)));
        }
    }
    Ok(places)
}

/// A row; or the column in which something is wrong, and what.
fn claim<'a>(cell: impl Fn(usize) -> &'a str, file: &str) -> Result<Claim, (usize, String)> {
    for (column, name) in COLUMNS.iter().enumerate().take(NEEDED) {
        if cell(column).is_empty() {
            return Err((column, format!("`{name}` is empty")));
        }
    }
    let cvss = match cell(5) {
        "" => None,
        text => {
            let score = text.parse::<f64>().ok();
            let score = score.filter(|score| (0.0..=10.0).contains(score));
            Some(score.ok_or_else(|| (5, format!("{} is no score from 0 to 10", quoted(text))))?)
        }
    };
    let severity = match cell(4) {
        "" => cvss.map(Severity::of_score).unwrap_or_default(),
        text => text.parse().map_err(|cause| (4, cause))?,
    };
    let url = match cell(7) {
        "" => None,
        text => {
            let followed = link(text);
            Some(followed.ok_or_else(|| (7, format!("{} is no web address", quoted(text))))?)
        }
    };
    let range = Range::read(cell(2));
    let fix = match cell(8) {
        "" => Fix::Unsaid,
        text => Fix::Of(cut(text, 60).into()),
    };
    let cve = cut(cell(3), 60);
    let title = if cell(6).is_empty() { cell(3) } else { cell(6) };
    Ok(Claim {
        about: Arc::new(About {
            title: cut(title, TEXT_MAX),
            cve,
            url,
            advisory: cut(file, 60),
        }),
        subject: Arc::new(Subject {
            vendor: cut(cell(0), TEXT_MAX),
            name: cut(cell(1), TEXT_MAX),
            others: Vec::new(),
            numbers: Vec::new(),
            range,
        }),
        status: Status::Affected,
        severity,
        cvss,
        fix,
        remedy: None,
    })
}

/// The rows of a table, each with the line at which it begins.
struct Rows<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl<'a> Rows<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            line: 1,
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = (usize, Vec<String>);

    fn next(&mut self) -> Option<Self::Item> {
        self.rest.peek()?;
        let begin = self.line;
        let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
        while let Some(c) = self.rest.next() {
            self.line += usize::from(c == '\n');
            match c {
                '"' if is_quoted && self.rest.peek() == Some(&'"') => {
                    self.rest.next();
                    cell.push('"');
                }
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
                '\n' if !is_quoted => break,
                '\r' if !is_quoted => {}
                _ => cell.push(c),
            }
        }
        cells.push(cell);
        Some((begin, cells))
    }
}
