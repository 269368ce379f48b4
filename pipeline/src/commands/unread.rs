//! Captures of which nothing could be read: whoever handed them in hears why, at once.

use std::io;

use andon_emit::terminal::printable;
use andon_ingest::files::FileReport;
use anyhow::anyhow;

use crate::exit::usage;

/// Most files that are told one by one.
const TOLD_MAX: usize = 20;

/// Why a file gave no record, if it should have given some.
fn cause(file: &FileReport) -> Option<&str> {
    file.first_refusal.as_deref().filter(|_| file.records == 0)
}

/// What was wrong with each file that gave no record, a line each.
fn causes(files: &[FileReport]) -> Vec<String> {
    let mut told: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let cause = cause(file)?;
            let told = format!("nothing could be read from `{}`: {cause}", file.path);
            Some(printable(&told).into_owned())
        })
        .collect();
    let more = told.len().saturating_sub(TOLD_MAX);
    if more > 0 {
        told.truncate(TOLD_MAX);
        told.push(format!("nor from {more} other files"));
    }
    told
}

/// Tells a person what gave no record: files that could not be read among others that could, or
/// captures that are empty.
///
/// # Errors
/// If it cannot be printed.
pub(super) fn tell(files: &[FileReport], out: &mut impl io::Write) -> io::Result<()> {
    if files
        .iter()
        .all(|file| file.records == 0 && file.rejects == 0)
    {
        return writeln!(out, "there is no record in what was given: it is empty");
    }
    for line in causes(files) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Insists that at least one record was read, or that there was none to read.
///
/// # Errors
/// Names what is wrong with every file.
pub(super) fn check(files: &[FileReport]) -> anyhow::Result<()> {
    let has_read = files.iter().any(|file| file.records > 0);
    if has_read || !files.iter().any(|file| cause(file).is_some()) {
        return Ok(());
    }
    Err(usage(anyhow!(causes(files).join("\n"))))
}
