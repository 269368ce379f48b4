//! A mapping from YAML, with everything that is wrong with it at once.

use super::contract::MAPPING;
use super::fields::Reader;
use super::{Header, Mapping, times};
use crate::observation::Kind;
use crate::problems::{Problems, Refusal, quoted};
use crate::profile::SourceFile;
use crate::yaml::{Limits, Node, Report, load};

/// A mapping fits on a screen; this is far more.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    nodes: 20_000,
    depth: 8,
};

/// Most lines before the header.
const SKIP_LINES_MAX: u64 = 10_000;

/// Reads a mapping file.
///
/// # Errors
/// Every problem of the file at once.
pub fn parse(file: SourceFile<'_>) -> Result<Mapping, Problems> {
    let mut report = Report::default();
    let read = load(file.path, file.text, LIMITS, &mut report)
        .and_then(|tree| mapping(file.path, tree.top(), &mut report));
    report
        .finish(read)?
        .ok_or_else(|| Problems::with_file(file.path, "the file cannot be read", None))
}

fn mapping(file: &str, top: Node<'_>, report: &mut Report) -> Option<Mapping> {
    if !report.fields(top, &MAPPING) {
        return None;
    }
    let kind = report.read_if(top.get("kind"), kind);
    let delimiter = report.read_if(top.get("delimiter"), delimiter);
    let comment = report.read_if(top.get("comment"), |text| one_byte(text, "comment sign"));
    let unset = report.read_each(top.get("unset"), |text| Ok(text.to_owned()));
    let decimal_comma = report.read_if(top.get("decimal"), |text| match text {
        "point" => Ok(false),
        "comma" => Ok(true),
        other => Err(
            Refusal::new(format!("{} is no decimal sign", quoted(other)))
                .hint("Write point or comma."),
        ),
    });
    let skip_lines = report.read_if(top.get("skip_lines"), skip_lines);
    let zone = report.read_if(top.get("zone"), times::zone);
    let date = report.read_if(top.get("date"), times::date);
    let header = header(top.get("header"), report);
    let mut reader = Reader {
        report,
        header,
        kind,
        has_zone: top.get("zone").is_some(),
        has_date: top.get("date").is_some(),
    };
    let fields = reader.fields(top.get("fields")?);
    Some(Mapping {
        file: file.to_owned(),
        header: reader.header,
        kind: kind?,
        delimiter: delimiter.unwrap_or(b','),
        skip_lines: skip_lines.unwrap_or(0),
        comment,
        unset,
        decimal_comma: decimal_comma.unwrap_or(false),
        zone,
        date,
        fields,
    })
}

fn kind(text: &str) -> Result<Kind, Refusal> {
    match text {
        "flow" => Ok(Kind::Flow),
        "reading" => Ok(Kind::Reading),
        other => Err(Refusal::new(format!(
            "{} is no kind that a CSV is read as",
            quoted(other)
        ))
        .hint("Write flow or reading.")),
    }
}

fn delimiter(text: &str) -> Result<u8, Refusal> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        "comma" => Ok(b','),
        "semicolon" => Ok(b';'),
        "space" => Ok(b' '),
        "\"" => Err(Refusal::new("a quotation mark cannot part cells")
            .hint("Write the character between two cells, such as `;` or tab.")),
        text => one_byte(text, "delimiter"),
    }
}

fn one_byte(text: &str, what: &str) -> Result<u8, Refusal> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() => Ok(*byte),
        _ => Err(
            Refusal::new(format!("{what} {} is not one ASCII sign", quoted(text)))
                .hint("Write one character that is neither a letter nor a digit, or tab."),
        ),
    }
}

fn skip_lines(text: &str) -> Result<u64, Refusal> {
    let lines = text.parse().ok().filter(|lines| *lines <= SKIP_LINES_MAX);
    lines.ok_or_else(|| {
        Refusal::new(format!("{} is no number of lines", quoted(text)))
            .hint(format!("Write a whole number up to {SKIP_LINES_MAX}."))
    })
}

fn header(node: Option<Node<'_>>, report: &mut Report) -> Header {
    let Some(node) = node else {
        return Header::FirstRow;
    };
    if !node.is_list() {
        return if report.flag(Some(node)) {
            Header::FirstRow
        } else {
            Header::None
        };
    }
    let mut names: Vec<String> = Vec::new();
    for item in node.items() {
        let Some(name) = report.text(item) else {
            continue;
        };
        if names.iter().any(|other| other == name) {
            let refusal = Refusal::new(format!("column {} is named twice", quoted(name)));
            report.value(item, refusal.hint("Give each column a name of its own."));
        }
        names.push(name.to_owned());
    }
    Header::Given(names)
}
