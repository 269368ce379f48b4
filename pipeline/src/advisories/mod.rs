//! Advisories of known vulnerabilities, from files, and what they say of the devices of a run: see
//! [`andon_schemas::advisory`]. They are context for people. No verdict and no risk rests on them.
//!
//! ```toml
//! [advisories]
//! path = "advisories"       # a file, or a folder: .json as CSAF 2.0, .csv as a table
//! ```

mod advisor;
mod attested;
pub mod counted;
mod shelf;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use andon_schemas::advisory::{Advisories, Gathering};
use andon_schemas::inventory::Inventory;
use andon_schemas::problems::Problems;
use anyhow::{Context as _, anyhow};
use serde::Deserialize;

pub use self::advisor::Advisor;
pub(crate) use self::advisor::firmware;
pub use self::attested::{Attested, FILE};
use crate::exit::usage;

/// A file is read up to this size, in bytes.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// All files together are read up to this size, in bytes.
const ALL_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Folders in folders, at most.
const DEPTH_MAX: usize = 8;
/// Files, at most.
const FILES_MAX: usize = 100_000;
/// Files with something wrong in them that are told one by one.
const TOLD_MAX: usize = 100;
/// Lists of files that stand beside advisories and are no tables of vulnerabilities.
const BESIDE: &[&str] = &["changes.csv"];

/// The section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    /// A file or a folder.
    pub path: Option<PathBuf>,
}

/// What files hold.
#[derive(Debug)]
pub struct Gathered {
    /// The advisories.
    pub advisories: Advisories,
    /// What is wrong with files, of the first hundred. What is right in them is used.
    pub problems: Vec<Problems>,
}

/// Keeps what is known of the devices in the data folder of a run.
///
/// # Errors
/// If it cannot be written.
pub fn keep(advisor: Option<&Advisor>, folder: &Path, inventory: &Inventory) -> anyhow::Result<()> {
    match advisor {
        Some(advisor) => advisor.keep(folder, inventory),
        None => counted::forget(folder),
    }
}

/// The same, but what takes long goes on beside the run; [`keep`] waits for it.
///
/// # Errors
/// If it cannot be written, or could not be the last time.
pub fn keep_aside(
    advisor: Option<&Advisor>,
    folder: &Path,
    inventory: &Inventory,
) -> anyhow::Result<()> {
    match advisor {
        Some(advisor) => advisor.keep_aside(folder, inventory),
        None => counted::forget(folder),
    }
}

/// Reads files, and folders of them with those below, in order of their names: `.json` as CSAF 2.0,
/// `.csv` as a table. What is wrong with one changes nothing about the others.
///
/// # Errors
/// If a path that is named is not there, or there is too much.
pub fn gather(paths: &[PathBuf]) -> anyhow::Result<Gathered> {
    let mut files = Vec::new();
    for path in paths {
        let about = fs::metadata(path)
            .with_context(|| format!("cannot read advisories `{}`", path.display()))
            .map_err(usage)?;
        if about.is_dir() {
            descend(path, DEPTH_MAX, &mut BTreeSet::new(), &mut files)?;
        } else if about.is_file() {
            files.push(path.clone());
        } else {
            return Err(usage(anyhow!(
                "`{}` is neither a file nor a folder of advisories",
                path.display()
            )));
        }
    }
    let mut gathering = Gathering::default();
    let mut problems = Vec::new();
    let mut bytes = 0;
    for path in files {
        let file = path.display().to_string();
        let taken = match text(&path, &mut bytes)? {
            Ok(text) if is(&path, "csv") => gathering.table(&file, &text),
            Ok(text) => gathering.csaf(&file, &text),
            Err(cause) => {
                gathering.unreadable();
                Err(Problems::with_file(&file, &cause, None))
            }
        };
        if let Err(found) = taken
            && problems.len() < TOLD_MAX
        {
            problems.push(found);
        }
    }
    Ok(Gathered {
        advisories: gathering.finish(),
        problems,
    })
}

/// The advisories in a folder and below, in order.
fn descend(
    folder: &Path,
    depth: usize,
    seen: &mut BTreeSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    // Each once, whatever links lead there.
    let real = fs::canonicalize(folder)
        .with_context(|| format!("cannot read folder of advisories `{}`", folder.display()))
        .map_err(usage)?;
    if !seen.insert(real) {
        return Ok(());
    }
    let entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read folder of advisories `{}`", folder.display()))
        .map_err(usage)?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy());
        let name = name.unwrap_or_default();
        if name.starts_with('.') || BESIDE.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            if depth > 0 {
                descend(&path, depth - 1, seen, files)?;
            }
        } else if is(&path, "json") || is(&path, "csv") {
            if files.len() >= FILES_MAX {
                return Err(usage(anyhow!(
                    "`{}` and before: more than {FILES_MAX} files of advisories",
                    path.display()
                )));
            }
            files.push(path);
        }
    }
    Ok(())
}

fn is(path: &Path, kind: &str) -> bool {
    let extension = path.extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case(kind))
}

/// The text of a file; or why it cannot be read.
///
/// # Errors
/// If all files together are too large.
fn text(path: &Path, bytes: &mut u64) -> anyhow::Result<Result<String, String>> {
    let size = match fs::metadata(path) {
        // What never ends is not waited for.
        Ok(about) if !about.is_file() => return Ok(Err("it is no regular file".to_owned())),
        Ok(about) => about.len(),
        Err(error) => return Ok(Err(error.to_string())),
    };
    if size > FILE_BYTES_MAX {
        let most = FILE_BYTES_MAX / 1_000_000;
        let size = size / 1_000_000;
        return Ok(Err(format!(
            "it has {size} MB, and {most} MB are read at most"
        )));
    }
    *bytes += size;
    if *bytes > ALL_BYTES_MAX {
        return Err(usage(anyhow!(
            "`{}` and before: the advisories are more than {} MB together",
            path.display(),
            ALL_BYTES_MAX / 1_000_000
        )));
    }
    let mut text = String::new();
    let read = fs::File::open(path)
        // It may grow meanwhile.
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    Ok(read.map(|_| text).map_err(|error| error.to_string()))
}

#[cfg(test)]
mod tests;
