//! A folder that can be handed over: reports, the whole of it as JSON, STIX, the records that were
//! kept, and the digests of all of it as `sha256sum --check` reads them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use andon_emit::stix;
use andon_lab::whole_file;
use andon_schemas::evidence::Manifest;
use andon_schemas::inventory::Inventory;
use anyhow::{Context as _, anyhow};

use super::markdown::markdown;
use super::page::page;
use super::story::Story;
use crate::evidence::{FOLDER, file_digest, is_plain, read_list};
use crate::exit::usage;
use crate::results::write_json;

/// Name of the file of digests.
pub const SUMS: &str = "SHA256SUMS";
const PAGE: &str = "report.html";
const TEXT: &str = "report.md";
const STORY: &str = "incident.json";

/// Writes the folder, which must not hold anything yet, as a whole or not at all; returns the names
/// of its files.
///
/// # Errors
/// If it holds something, a record is not what was kept, or a file cannot be read or written.
pub fn export(
    story: &Story,
    inventory: &Inventory,
    data: &Path,
    out: &Path,
) -> anyhow::Result<Vec<String>> {
    let is_taken = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || out.file_name().is_none() {
        return Err(usage(anyhow!(
            "`{}` is not empty: name another folder with --out",
            out.display()
        )));
    }
    let mut beside = out.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // What is left of an earlier try.
    if beside.is_dir() {
        fs::remove_dir_all(&beside)?;
    }
    fs::create_dir_all(&beside)
        .with_context(|| format!("cannot make folder `{}`", beside.display()))?;
    let written = fill(story, inventory, data, &beside).and_then(|names| {
        if out.is_dir() {
            fs::remove_dir(out)?;
        }
        fs::rename(&beside, out)?;
        Ok(names)
    });
    if written.is_err() {
        // What went wrong first is what has to be told.
        let _gone = fs::remove_dir_all(&beside).is_ok();
    }
    written
}

fn fill(
    story: &Story,
    inventory: &Inventory,
    data: &Path,
    out: &Path,
) -> anyhow::Result<Vec<String>> {
    let clock = &inventory.clock;
    let mut names = Vec::new();
    for (name, text) in [(PAGE, page(story, clock)), (TEXT, markdown(story, clock))] {
        whole_file::write(&out.join(name), |file| file.write_all(text.as_bytes()))?;
        names.push(name.to_owned());
    }
    write_json(&out.join(STORY), story)?;
    names.push(STORY.to_owned());
    if let Some(bundle) = stix::bundle(&story.incident, |name| is_inside(name, inventory)) {
        write_json(&out.join("stix.json"), &bundle)?;
        names.push("stix.json".to_owned());
    }
    if let Some(manifest) = &story.evidence {
        let from = data.join(FOLDER).join(&story.incident.incident_id);
        names.extend(records(manifest, &from, &out.join(FOLDER))?);
    }
    let mut sums = String::new();
    for name in &names {
        let (_, sum) = file_digest(&out.join(name))?;
        writeln!(sums, "{sum}  {name}")?;
    }
    whole_file::write(&out.join(SUMS), |file| file.write_all(sums.as_bytes()))?;
    names.push(SUMS.to_owned());
    Ok(names)
}

/// Copies the records that were kept; they must be what they were.
fn records(manifest: &Manifest, from: &Path, into: &Path) -> anyhow::Result<Vec<String>> {
    fs::create_dir_all(into)?;
    write_json(&into.join("manifest.json"), manifest)?;
    let mut names = vec![format!("{FOLDER}/manifest.json")];
    for file in &manifest.files {
        let name = &file.file;
        if !is_plain(name) {
            return Err(anyhow!(
                "the manifest names {name:?}, which is no file beside it"
            ));
        }
        let source = from.join(name);
        let cannot = || format!("cannot copy `{}`", source.display());
        let (_, sum) = file_digest(&source).with_context(cannot)?;
        if sum != file.sha256 {
            return Err(anyhow!(
                "`{}` was changed after it was kept: `andon incident verify` tells what else was",
                source.display()
            ));
        }
        fs::copy(&source, into.join(name)).with_context(cannot)?;
        names.push(format!("{FOLDER}/{name}"));
    }
    Ok(names)
}

/// Whether an address or a name is the plant's own.
fn is_inside(name: &str, inventory: &Inventory) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => inventory.networks.iter().any(|net| net.contains(&address)),
        Err(_) => inventory.zones.iter().any(|zone| {
            let head = name.to_lowercase();
            let head = head.strip_suffix(zone.as_str());
            head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
        }),
    }
}

/// Whether a folder is one that was exported, or what is left of one.
pub fn is_export(folder: &Path) -> bool {
    [SUMS, TEXT, STORY]
        .iter()
        .any(|name| fs::symlink_metadata(folder.join(name)).is_ok())
}

/// Whether the files of an exported folder are what they were; returns how many there are, and one
/// sentence about each that is not, that is missing, or that is none of them.
///
/// # Errors
/// If the digests or the folder cannot be read.
pub fn check_sums(folder: &Path) -> anyhow::Result<(u64, Vec<String>)> {
    let path = folder.join(SUMS);
    let cannot = || format!("cannot read `{}`", path.display());
    let sums = read_list(&path).with_context(cannot).map_err(usage)?;
    let sums = String::from_utf8_lossy(&sums);
    let (mut listed, mut problems) = (BTreeSet::from([SUMS.to_owned()]), Vec::new());
    for (line, number) in sums.lines().zip(1..) {
        let Some((sum, name)) = line.split_once("  ") else {
            problems.push(format!("{SUMS}, line {number} is none of ours"));
            continue;
        };
        let mut parts = Path::new(name).components();
        if !parts.all(|part| matches!(part, Component::Normal(_))) {
            problems.push(format!(
                "{SUMS}, line {number}: {name:?} is no file of the folder"
            ));
            continue;
        }
        listed.insert(name.to_owned());
        match file_digest(&folder.join(name)) {
            Ok((_, found)) if found == sum => {}
            Ok(_) => problems.push(format!("{name} was changed after it was exported")),
            Err(error) => problems.push(format!("{name} cannot be read: {error}")),
        }
    }
    for name in [PAGE, TEXT, STORY] {
        if !listed.contains(name) {
            problems.push(format!("{SUMS} does not list {name}"));
        }
    }
    let mut found = BTreeSet::new();
    names_below(folder, "", &mut found)?;
    for name in found.difference(&listed) {
        problems.push(format!("{name} is none of the files that were exported"));
    }
    Ok((listed.len() as u64 - 1, problems))
}

/// Everything in a folder that is none itself, whatever it is.
fn names_below(folder: &Path, before: &str, names: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            names_below(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.insert(name);
        }
    }
    Ok(())
}
