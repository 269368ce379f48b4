//! Whether what was kept is what was written.

use std::fs;
use std::io;
use std::path::Path;

use andon_schemas::chain::{Chain, Linked as _};
use andon_schemas::evidence::{EvidenceFile, Manifest};
use anyhow::anyhow;
use serde::Serialize;

use super::shelf::{CHAIN, MANIFEST, digest, is_plain, read_chain, read_manifest};
use crate::exit::usage;

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Files of records.
    pub files: u64,
    /// Records in them.
    pub rows: u64,
    /// Their length, bytes.
    pub bytes: u64,
    /// Hash of the last entry of the chain; empty where only one incident was looked at.
    pub head: String,
    /// What does not hold, one sentence each.
    pub problems: Vec<String>,
}

/// Checks a folder: all that a run kept, with its chain, or what was kept or exported of one
/// incident, with its manifest.
///
/// # Errors
/// If it is neither, or cannot be read.
pub fn check(folder: &Path) -> anyhow::Result<Checked> {
    let mut checked = Checked::default();
    if folder.join(CHAIN).is_file() {
        all(folder, &mut checked)?;
        return Ok(checked);
    }
    let manifest = manifest(folder)?.ok_or_else(|| {
        usage(anyhow!(
            "`{}` holds neither {CHAIN} nor {MANIFEST}: it is no evidence",
            folder.display()
        ))
    })?;
    for file in &manifest.files {
        if file.link.hash != file.digest() {
            let name = &file.file;
            checked.wrong(format!("what the manifest says of {name} was changed"));
        }
        one(folder, file, &mut checked);
    }
    Ok(checked)
}

/// What is said to be kept of an incident, in its folder.
///
/// # Errors
/// If it cannot be read.
pub fn manifest(folder: &Path) -> anyhow::Result<Option<Manifest>> {
    read_manifest(folder)
}

impl Checked {
    fn wrong(&mut self, problem: String) {
        self.problems.push(problem);
    }
}

fn all(folder: &Path, checked: &mut Checked) -> anyhow::Result<()> {
    let entries = read_chain(&folder.join(CHAIN))?;
    let mut chain = Chain::default();
    for entry in &entries {
        if let Err(why) = chain.follow(entry) {
            checked.wrong(format!("{CHAIN}: {why}"));
        }
        one(&folder.join(&entry.incident_id), entry, checked);
    }
    checked.head = chain.last;
    for found in fs::read_dir(folder)? {
        let found = found?;
        let (path, name) = (found.path(), found.file_name());
        if !path.is_dir() {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        let own = |entry: &&EvidenceFile| entry.incident_id == name;
        let kept: Vec<&EvidenceFile> = entries.iter().filter(own).collect();
        for name in strangers(&path, &kept)? {
            checked.wrong(format!("{name} lies there and was not kept by a run"));
        }
        let said = manifest(&path)?.map(|manifest| manifest.files);
        if said.unwrap_or_default().iter().collect::<Vec<_>>() != kept {
            checked.wrong(format!("{name}/{MANIFEST} is not what {CHAIN} says"));
        }
    }
    Ok(())
}

/// What lies in the folder of an incident beside what was kept.
fn strangers(folder: &Path, kept: &[&EvidenceFile]) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        // A run may be writing the next one.
        let is_ours = name == MANIFEST || name.contains(".new");
        if !is_ours && !kept.iter().any(|file| file.file == name) {
            let folder = folder.file_name().unwrap_or_default().to_string_lossy();
            found.push(format!("{folder}/{name}"));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file is what it was.
fn one(folder: &Path, file: &EvidenceFile, checked: &mut Checked) {
    let name = format!("{}/{}", file.incident_id, file.file);
    if !is_plain(&file.file) || !is_plain(&file.incident_id) {
        checked.wrong(format!("{name:?} is no name of a file that was kept"));
        return;
    }
    let path = folder.join(&file.file);
    let (bytes, sha256) = match digest(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            checked.wrong(format!("{name} is missing"));
            return;
        }
        Err(error) => {
            checked.wrong(format!("{name} cannot be read: {error}"));
            return;
        }
    };
    if (bytes, sha256.as_str()) != (file.bytes, file.sha256.as_str()) {
        checked.wrong(format!("{name} was changed after it was kept"));
    }
    checked.files += 1;
    checked.rows += file.rows;
    checked.bytes += bytes;
}
