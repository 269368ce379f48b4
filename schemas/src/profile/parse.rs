//! Profiles from YAML: a set of files at once, because `extends:` points from one to another.
//!
//! Here files become layers (a profile, then what it extends); `read` turns layers into the
//! checked form.

use std::collections::BTreeMap;

use super::contract::PROFILE;
use super::{Profile, read};
use crate::canonical;
use crate::problems::{Problems, Refusal, quoted, suggestion};
use crate::yaml::{Limits, Node, Report, Tree, load};

/// No honest profile comes near these.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    nodes: 50_000,
    depth: 16,
};

/// Longest chain of `extends:`.
const EXTENDS_MAX: usize = 16;

/// One file, as the caller read it.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Its path, for messages.
    pub path: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// Checked profiles by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileSet {
    profiles: BTreeMap<String, Profile>,
    hash: String,
}

impl ProfileSet {
    /// A set of profiles that are checked already; of two with one name the later stays.
    pub fn new(profiles: impl IntoIterator<Item = Profile>) -> Self {
        let profiles: BTreeMap<_, _> = profiles
            .into_iter()
            .map(|profile| (profile.name.clone(), profile))
            .collect();
        let hashes: BTreeMap<_, _> = profiles
            .iter()
            .map(|(name, profile)| (name, &profile.hash))
            .collect();
        let hash = canonical::digest(&hashes);
        Self { profiles, hash }
    }

    /// The profile of this device type.
    pub fn get(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// SHA-256 over the names and hashes of all, lower-case hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Reads a set of profile files. `known_detectors` are the names that `detectors:` may use.
///
/// # Errors
/// Every problem of every file at once.
pub fn parse(files: &[SourceFile<'_>], known_detectors: &[&str]) -> Result<ProfileSet, Problems> {
    let mut report = Report::default();
    let trees: Vec<Tree> = files
        .iter()
        .filter_map(|file| load(file.path, file.text, LIMITS, &mut report))
        .collect();
    let named = by_name(&trees, &mut report);
    let mut profiles = Vec::new();
    for (name, top) in &named {
        let chain = chain(name, *top, &named, &mut report);
        let layers = read::Layers::new(chain.iter().map(|(_, node)| *node).collect());
        let mut profile = read::profile(name, &layers, known_detectors, &mut report);
        profile.extends = chain.iter().skip(1).map(|(name, _)| name.clone()).collect();
        profile.hash = profile.content_hash();
        profiles.push(profile);
    }
    report.finish(()).map(|()| ProfileSet::new(profiles))
}

/// The top of every file under the name of its profile. A file whose name cannot be read goes
/// under a stand-in that no `extends:` can spell, so that the rest of it is checked as well.
fn by_name<'t>(trees: &'t [Tree], report: &mut Report) -> BTreeMap<String, Node<'t>> {
    let mut named: BTreeMap<String, Node<'t>> = BTreeMap::new();
    for (at, tree) in trees.iter().enumerate() {
        let top = tree.top();
        if !report.fields(top, &PROFILE) {
            continue;
        }
        let key = top.get("profile");
        let name = report
            .read_if(key, type_name)
            .unwrap_or_else(|| format!("\n{at}"));
        if let (Some(first), Some(key)) = (named.get(&name), key) {
            let cause = format!("profile `{name}` is also in {}", first.file());
            report.value(
                key,
                Refusal::new(cause).hint("Rename or remove one of them."),
            );
            continue;
        }
        named.insert(name, top);
    }
    named
}

/// The profile and everything it extends, nearest first.
fn chain<'t>(
    name: &str,
    top: Node<'t>,
    named: &BTreeMap<String, Node<'t>>,
    report: &mut Report,
) -> Vec<(String, Node<'t>)> {
    let mut chain = vec![(name.to_owned(), top)];
    let mut last = top;
    while let Some(key) = last.get("extends") {
        let Some(base) = report.text(key) else {
            break;
        };
        if chain.iter().any(|(name, _)| name == base) || chain.len() > EXTENDS_MAX {
            // Reported where the chain begins, so that every profile that runs into the circle
            // has one problem.
            if let Some(key) = top.get("extends") {
                report.value(key, endless(&chain, base));
            }
            break;
        }
        let Some(node) = named.get(base) else {
            let mut refusal = Refusal::new(format!("no profile has the name {}", quoted(base)));
            let known = named.keys().map(String::as_str);
            refusal.hint = suggestion(base, known.filter(|name| !name.starts_with('\n')));
            report.value(key, refusal);
            break;
        };
        chain.push((base.to_owned(), *node));
        last = *node;
    }
    chain
}

fn endless(chain: &[(String, Node<'_>)], base: &str) -> Refusal {
    if chain.len() > EXTENDS_MAX {
        let refusal = Refusal::new(format!("extends more than {EXTENDS_MAX} profiles in a row"));
        return refusal.hint("Flatten some of them.");
    }
    let path: Vec<_> = chain.iter().map(|(name, _)| name.as_str()).collect();
    let cause = format!("`extends:` runs in a circle: {}, {base}", path.join(", "));
    Refusal::new(cause).hint("Remove one `extends:`.")
}

/// The name of a device type.
pub(crate) fn type_name(text: &str) -> Result<String, Refusal> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(fits)
    {
        return Ok(text.to_owned());
    }
    let refusal = Refusal::new(format!("{} is not the name of a device type", quoted(text)));
    Err(refusal.hint("Use lower-case letters, digits and underscores, such as `cnc_controller`."))
}
