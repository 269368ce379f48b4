//! Captures of which nothing could be read: whoever handed them in hears why, at once.

use std::fmt::Write as _;
use std::io;

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
fn causes(files: &[FileReport]) -> String {
    let mut told = String::new();
    let unread: Vec<_> = files
        .iter()
        .filter_map(|file| cause(file).map(|cause| (&file.path, cause)))
        .collect();
    for (path, cause) in unread.iter().take(TOLD_MAX) {
        let path = path.escape_debug();
        // Writing to a string cannot fail.
        let _ = writeln!(told, "nothing could be read from `{path}`: {cause}");
    }
    if unread.len() > TOLD_MAX {
        let _ = writeln!(told, "nor from {} other files", unread.len() - TOLD_MAX);
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
        .all(|file| file.records == 0 && cause(file).is_none())
    {
        return writeln!(out, "there is no record in what was given: it is empty");
    }
    write!(out, "{}", causes(files))
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
    Err(usage(anyhow!("{}", causes(files).trim_end().to_owned())))
}
