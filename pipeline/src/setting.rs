//! Inventory and profiles, from files or built in; lists of indicators, from files.

use std::path::{Path, PathBuf};

use andon_detectors::catalog::CATALOG;
use andon_detectors::law;
use andon_schemas::builtin;
use andon_schemas::inventory::{self, Inventory};
use andon_schemas::profile::{self, ProfileSet, SourceFile};
use anyhow::{Context as _, anyhow};

use crate::alerts;
use crate::exit::usage;

/// Names of all detectors, for checking profiles.
pub fn detector_names() -> Vec<&'static str> {
    CATALOG.iter().map(|entry| entry.name).collect()
}

/// Reads profiles: every `.yaml` below the paths, or the built-in ones if there are no paths.
///
/// # Errors
/// Every problem of every file at once.
pub fn profiles(paths: &[PathBuf]) -> anyhow::Result<ProfileSet> {
    if paths.is_empty() {
        return builtin::profiles(&detector_names()).map_err(usage);
    }
    let mut texts = Vec::new();
    for path in paths {
        gather(path, &mut texts)?;
    }
    let files: Vec<SourceFile> = texts
        .iter()
        .map(|(path, text)| SourceFile { path, text })
        .collect();
    read_profiles(&files)
}

/// Reads profiles, and whether the laws in them prove what they say.
///
/// # Errors
/// Every problem of every file at once.
pub fn read_profiles(files: &[SourceFile<'_>]) -> anyhow::Result<ProfileSet> {
    let profiles = profile::parse(files, &detector_names()).map_err(usage)?;
    let refusals = law::refusals(&profiles);
    if refusals.is_empty() {
        return Ok(profiles);
    }
    Err(usage(anyhow!(refusals.join("\n"))))
}

/// Profile files lie in the folder itself; subfolders hold other things, such as inventories.
pub(crate) fn gather(path: &Path, texts: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    if path.is_dir() {
        let mut entries = std::fs::read_dir(path)
            .and_then(|entries| {
                entries
                    .map(|e| e.map(|e| e.path()))
                    .collect::<Result<Vec<_>, _>>()
            })
            .with_context(|| format!("cannot read folder of profiles `{}`", path.display()))
            .map_err(usage)?;
        let is_profile = |entry: &PathBuf| {
            entry.extension().is_some_and(|e| e == "yaml" || e == "yml") && entry.is_file()
        };
        entries.retain(is_profile);
        entries.sort();
        if entries.is_empty() {
            return Err(usage(anyhow!(
                "folder of profiles `{}` holds no `.yaml` file. Without a folder of profiles the \
                 built-in ones serve.",
                path.display()
            )));
        }
        return entries.iter().try_for_each(|entry| gather(entry, texts));
    }
    texts.push((path.display().to_string(), read(path, "profile")?));
    Ok(())
}

/// Bytes of all lists of indicators together, at most: they go into the log, the saved state and
/// every recorded run.
const LISTS_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Lists of indicators: files, and every file of folders that is not hidden, in order of their
/// names.
pub(crate) fn lists(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for path in paths {
        let mut files = vec![path.clone()];
        if path.is_dir() {
            files = std::fs::read_dir(path)
                .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
                .with_context(|| format!("cannot read folder of indicators `{}`", path.display()))
                .map_err(usage)?;
            let hidden = |file: &PathBuf| {
                let name = file.file_name().map(|name| name.to_string_lossy());
                name.is_some_and(|name| name.starts_with('.'))
            };
            files.retain(|file| file.is_file() && !hidden(file));
            files.sort();
        }
        for file in files {
            texts.push((file.display().to_string(), read(&file, "indicators")?));
        }
    }
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    if bytes > LISTS_BYTES_MAX {
        return Err(usage(anyhow!(
            "the lists of indicators are {} MB together, and {} MB are taken at most",
            bytes / 1_000_000,
            LISTS_BYTES_MAX / 1_000_000
        )));
    }
    Ok(texts)
}

pub(crate) fn read(path: &Path, what: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {what} `{}`", path.display()))
        .map_err(usage)
}

/// Reads an inventory, or takes the built-in one.
///
/// # Errors
/// Every problem of the file at once.
pub fn inventory(path: Option<&Path>) -> anyhow::Result<Inventory> {
    let inventory = match path {
        None => builtin::inventory().map_err(usage)?,
        Some(path) => {
            let text = read(path, "inventory")?;
            let path = path.display().to_string();
            inventory::parse(SourceFile {
                path: &path,
                text: &text,
            })
            .map_err(usage)?
        }
    };
    alerts::check(&inventory)?;
    Ok(inventory)
}
