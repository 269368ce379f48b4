//! The proposal as files: the profiles as they were written, with the lines that tuning changes.

use std::collections::BTreeSet;
use std::path::Path;

use andon_lab::tune::proposal::{Edit, edit};
use andon_schemas::profile::{ProfileSet, SourceFile, parse};
use anyhow::{anyhow, bail};

use crate::blueprint::Blueprint;
use crate::setting::detector_names;

/// Profiles that are proposed, as text.
#[derive(Debug)]
pub(super) struct Proposal {
    /// All profiles, changed or not, by the name of their file.
    pub(super) files: Vec<(String, String)>,
    /// What changed, as a unified diff.
    pub(super) diff: String,
}

impl Proposal {
    /// What is proposed, written into the files that `before` was read from; where that cannot be
    /// done line by line, the profiles written out in full.
    ///
    /// # Errors
    /// If even these would not read as what was certified.
    pub(super) fn of(
        blueprint: &Blueprint,
        before: &ProfileSet,
        proposed: &ProfileSet,
    ) -> anyhow::Result<Self> {
        Self::edited(blueprint, before, proposed).or_else(|cause| {
            let whole: Vec<(String, Edit)> = proposed
                .iter()
                .map(|profile| {
                    let edit = Edit {
                        text: profile.to_yaml(),
                        diff: String::new(),
                    };
                    (format!("{}.yaml", profile.name), edit)
                })
                .collect();
            if read(&whole)?.hash() != proposed.hash() {
                return Err(cause);
            }
            let files = whole.into_iter().map(|(name, edit)| (name, edit.text));
            Ok(Self {
                files: files.collect(),
                diff: format!("# {cause}\n# The profiles are written out in full instead.\n"),
            })
        })
    }

    /// The files, changed line by line.
    fn edited(
        blueprint: &Blueprint,
        before: &ProfileSet,
        proposed: &ProfileSet,
    ) -> anyhow::Result<Self> {
        if before.hash() == proposed.hash() {
            return Ok(Self {
                files: Vec::new(),
                diff: String::new(),
            });
        }
        // What a profile inherits may be changed where it is inherited from, though not for it: then
        // it writes its own.
        let mut own = BTreeSet::new();
        loop {
            let edits = edits(blueprint, before, proposed, &own);
            let read = read(&edits)?;
            let differs = |name: &&str| {
                let hash = |set: &ProfileSet| set.get(name).map(|profile| profile.hash.clone());
                hash(&read) != hash(proposed)
            };
            let names: Vec<&str> = proposed.iter().map(|p| p.name.as_str()).collect();
            let wrong: Vec<String> = names
                .into_iter()
                .filter(differs)
                .map(str::to_owned)
                .collect();
            if wrong.is_empty() {
                return Self::written(edits);
            }
            let known = own.len();
            own.extend(wrong);
            if own.len() == known {
                bail!(
                    "the files of profiles cannot be changed line by line (first `{}`)",
                    own.first().map_or("", String::as_str)
                );
            }
        }
    }

    fn written(edits: Vec<(String, Edit)>) -> anyhow::Result<Self> {
        let mut diff = Vec::new();
        let mut names = BTreeSet::new();
        let mut files = Vec::new();
        for (path, edit) in edits {
            if !edit.diff.is_empty() {
                diff.push(format!("--- {path}\n+++ {path}\n{}", edit.diff));
            }
            let name = Path::new(&path)
                .file_name()
                .map_or_else(|| path.clone(), |name| name.to_string_lossy().into_owned());
            if !names.insert(name.clone()) {
                return Err(anyhow!("two files of profiles are called `{name}`"));
            }
            files.push((name, edit.text));
        }
        Ok(Self {
            files,
            diff: diff.concat(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// Every file with its changes.
fn edits(
    blueprint: &Blueprint,
    before: &ProfileSet,
    proposed: &ProfileSet,
    own: &BTreeSet<String>,
) -> Vec<(String, Edit)> {
    let one = |file: SourceFile| {
        let name = profile_name(file.text);
        let profiles = before.get(name).zip(proposed.get(name));
        let edit = match profiles {
            Some((before, tuned)) => edit(file.text, before, tuned, own.contains(name)),
            None => Edit {
                text: file.text.to_owned(),
                diff: String::new(),
            },
        };
        (file.path.to_owned(), edit)
    };
    blueprint.profile_files().map(one).collect()
}

fn read(edits: &[(String, Edit)]) -> anyhow::Result<ProfileSet> {
    let files: Vec<SourceFile> = edits
        .iter()
        .map(|(path, edit)| SourceFile {
            path,
            text: &edit.text,
        })
        .collect();
    parse(&files, &detector_names()).map_err(|problems| {
        anyhow!("the files of profiles cannot be changed line by line: {problems}")
    })
}

/// The name that a file of a profile gives it.
fn profile_name(text: &str) -> &str {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("profile:"));
    let name = lines.next().unwrap_or("");
    let name = name.split(" #").next().unwrap_or("").trim();
    name.trim_matches(['"', '\''])
}
