//! Why a query is not answered, in words for whoever wrote it: where in the text, and what was
//! perhaps meant.

use std::fmt;
use std::io;
use std::path::PathBuf;

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use strsim::damerau_levenshtein;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The statement cannot be carried out as it is written.
    #[error("{0}")]
    Statement(Statement),
    /// A table's files cannot be read, or the answer does not fit into the memory it may take.
    #[error("{0}")]
    Failed(String),
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
    /// The folder is none.
    #[error("cannot read folder `{}`", .0.display())]
    Folder(PathBuf, #[source] io::Error),
}

/// What is wrong with a statement.
#[derive(Debug)]
pub struct Statement {
    message: String,
    /// The line in question and the column in it, from 1.
    place: Option<(String, u64, u64)>,
    hint: Option<String>,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some((text, line, column)) = &self.place {
            let before = usize::try_from(*column).unwrap_or(1).saturating_sub(1);
            let pad = " ".repeat(before.min(text.chars().count()));
            write!(f, " (line {line}, column {column})\n  {text}\n  {pad}^")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

impl Statement {
    /// A statement that is wrong as a whole.
    pub(super) fn whole(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            hint: Some(hint.into()),
        }
    }
}

/// A table that a query may have meant.
pub(super) struct Known<'a> {
    pub(super) tables: &'a [String],
    /// Tables that are not there, and what would have to be.
    pub(super) missing: &'a [(String, String)],
}

/// Puts an error of DataFusion's into words.
pub(super) fn refusal(error: &DataFusionError, sql: &str, known: &Known) -> QueryError {
    let root = error.find_root();
    match root {
        DataFusionError::ResourcesExhausted(_) => QueryError::Failed(format!(
            "the answer needs more memory than it may take: {}. Give it more with --memory-mib, or \
             ask for less at a time.",
            first_line(root)
        )),
        DataFusionError::IoError(_)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::ParquetError(_)
        | DataFusionError::External(_)
        | DataFusionError::ArrowError(..)
        | DataFusionError::Execution(_) => QueryError::Failed(stripped(root)),
        _ => {
            let message = match unknown_field(root) {
                Some((field, _)) => format!("no column is named `{}`", field.name()),
                None => stripped(root).replace(['\n', '\r'], " "),
            };
            let (message, at) = place_of(message);
            let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
            let at = at.or(span.map(|span| (span.start.line, span.start.column)));
            QueryError::Statement(Statement {
                hint: hint(root, &message, known),
                place: at.and_then(|at| place(sql, at)),
                message,
            })
        }
    }
}

fn first_line(error: &DataFusionError) -> String {
    let text = stripped(error);
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_owned()
}

/// The message without the kinds of error in front of it, and beginning in lower case.
fn stripped(error: &DataFusionError) -> String {
    let text = match error {
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::SQL(error, _) => error.to_string(),
        other => other.strip_backtrace(),
    };
    let mut text = text.as_str();
    for kind in [
        "SQL error: ",
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "IO error: ",
        "External error: ",
        "Resources exhausted: ",
        "This feature is not implemented: ",
        "sql parser error: ",
    ] {
        text = text.strip_prefix(kind).unwrap_or(text);
    }
    let text = text.replace("andon.data.", "");
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    // An abbreviation stays one.
    match (letters.next(), text.chars().nth(1)) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

/// Takes ` at Line: 1, Column: 8` off the end of a message.
fn place_of(message: String) -> (String, Option<(u64, u64)>) {
    let Some(at) = message.rfind(" at Line: ") else {
        return (message, None);
    };
    let numbers: Vec<u64> = message[at..]
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    match numbers[..] {
        [line, column] => (message[..at].to_owned(), Some((line, column))),
        _ => (message, None),
    }
}

fn place(sql: &str, (line, column): (u64, u64)) -> Option<(String, u64, u64)> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let text = sql.lines().nth(index)?.replace('\t', " ");
    (column > 0).then_some((text, line, column))
}

fn hint(root: &DataFusionError, message: &str, known: &Known) -> Option<String> {
    if let Some((field, valid)) = unknown_field(root) {
        let names: Vec<&str> = valid.iter().map(Column::name).collect();
        return Some(match nearest(field.name(), names.iter().copied()) {
            Some(name) => format!("Perhaps `{name}` is meant. Texts stand in 'single quotes'."),
            None if names.is_empty() => return None,
            None => format!(
                "There are: {}. Texts stand in 'single quotes'.",
                names.join(", ")
            ),
        });
    }
    let table = message
        .strip_prefix("table '")
        .and_then(|rest| rest.split('\'').next());
    if let Some(table) = table {
        if let Some((_, lacks)) = known.missing.iter().find(|(name, _)| name == table) {
            return Some(lacks.clone());
        }
        let tables = known.tables.join(", ");
        return Some(
            match nearest(table, known.tables.iter().map(String::as_str)) {
                Some(name) => format!("Perhaps `{name}` is meant. There are: {tables}."),
                None => format!("There are: {tables}. `andon query --tables` describes them."),
            },
        );
    }
    let forbidden = ["DDL not", "DML not", "statement not"];
    forbidden
        .iter()
        .any(|words| message.starts_with(words))
        .then(|| "Queries only read. --out FILE writes the answer to a file.".to_owned())
}

/// The column that a statement names and that is not there, and those that are.
fn unknown_field(error: &DataFusionError) -> Option<(&Column, &[Column])> {
    let DataFusionError::SchemaError(error, _) = error else {
        return None;
    };
    match &**error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => Some((field, valid_fields)),
        _ => None,
    }
}

/// The name that is nearest, if it is near enough to have been meant.
fn nearest<'a>(meant: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let meant = meant.to_lowercase();
    // `device` and `devcie` for `device_id`, `time` for `event_time`.
    let far = |name: &str| {
        let parts = name
            .split('_')
            .map(|part| 1 + damerau_levenshtein(&meant, part));
        parts
            .chain([damerau_levenshtein(&meant, name)])
            .min()
            .unwrap_or(usize::MAX)
    };
    names
        .map(|name| (far(name), name))
        .min()
        .filter(|(far, _)| *far <= 1 + meant.len() / 4)
        .map(|(_, name)| name)
}
