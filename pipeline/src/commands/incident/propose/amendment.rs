//! The findings of an incident, and the edits that would have kept them from occurring.

use std::collections::BTreeSet;
use std::path::Path;

use andon_engine::Plant;
use andon_lab::amend::{Change, Remedy, remedy, unified, written};
use andon_schemas::ot_command::{Effect, by_name};
use andon_schemas::profile::{Profile, ProfileSet, SourceFile};
use andon_schemas::time::Span;
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;
use serde::Serialize;

use crate::blueprint::Blueprint;
use crate::incident::Story;
use crate::setting::read_profiles;

/// What is lost when a limit is written.
const LIMIT_WRITTEN: &str = "an absolute limit of bytes takes the place of the rule that stood";

/// One edit.
#[derive(Debug, Serialize)]
pub(super) struct Edit {
    /// Of this profile.
    pub(super) profile: String,
    /// In this file.
    pub(super) file: String,
    /// What.
    pub(super) change: Change,
    /// Because this detector found something.
    pub(super) detector: String,
    /// On this device.
    pub(super) device_id: String,
    /// Namely this.
    pub(super) because: String,
    /// What it newly allows.
    pub(super) allows: String,
}

/// A finding that no edit is proposed for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Left {
    pub(super) device_id: String,
    pub(super) detector: String,
    pub(super) why: String,
}

/// What is proposed.
#[derive(Debug, Serialize)]
pub(super) struct Amendment {
    pub(super) edits: Vec<Edit>,
    pub(super) left: BTreeSet<Left>,
    /// A unified diff of the files.
    pub(super) diff: String,
    /// Every file of the proposed profiles, changed or not.
    #[serde(skip)]
    pub(super) files: Vec<(String, String)>,
    /// Profiles that change because they extend one that is edited.
    pub(super) inherited_by: Vec<String>,
    /// As they are.
    #[serde(skip)]
    before: ProfileSet,
    /// With the edits.
    #[serde(skip)]
    profiles: ProfileSet,
    #[serde(skip)]
    safety_critical: Vec<String>,
    /// Edits, those counted too whose place another took.
    #[serde(skip)]
    edits_made: u64,
}

impl Amendment {
    /// Derives it.
    ///
    /// # Errors
    /// If the profiles cannot be read.
    pub(super) fn of(story: &Story, blueprint: &Blueprint, plant: &Plant) -> anyhow::Result<Self> {
        let before = blueprint.profiles()?;
        let files = blueprint.profile_files();
        let mut amendment = Self {
            edits: Vec::new(),
            left: BTreeSet::new(),
            diff: String::new(),
            files: files
                .map(|f| (f.path.to_owned(), f.text.to_owned()))
                .collect(),
            inherited_by: Vec::new(),
            before: before.clone(),
            profiles: before.clone(),
            safety_critical: Vec::new(),
            edits_made: 0,
        };
        for verdict in &story.verdicts {
            amendment.verdict(verdict, plant, &note_of(story), |_| true);
            let listed = plant.inventory().device(verdict.device_id.as_str());
            let id = verdict.device_id.to_string();
            if listed.is_some_and(|d| d.safety_critical) && !amendment.safety_critical.contains(&id)
            {
                amendment.safety_critical.push(id);
            }
        }
        Ok(amendment)
    }

    /// A verdict keeps one sighting of many: what still stands with the edits, of the same devices,
    /// by the same detectors, while the incident lasted, is excused as well. Returns whether that
    /// made more edits.
    pub(super) fn go_on(&mut self, story: &Story, still: &[Verdict], plant: &Plant) -> bool {
        let (before, incident) = (self.edits_made, &story.incident);
        // While it is open, repeats of what was found may not be told of yet.
        let until = incident.over.unwrap_or(incident.last + Span::DAY);
        for verdict in still {
            let is_then = verdict.event_time <= until && verdict.window.end >= incident.began;
            let same = story
                .verdicts
                .iter()
                .filter(|one| one.device_id == verdict.device_id);
            let names: Vec<&str> = same
                .flat_map(|one| &one.findings)
                .map(|finding| finding.detector.as_str())
                .collect();
            if is_then {
                let is_of_it = |detector: &str| names.contains(&detector);
                self.verdict(verdict, plant, &note_of(story), is_of_it);
            }
        }
        self.edits_made > before
    }

    /// Puts together what differs now.
    pub(super) fn finish(&mut self, blueprint: &Blueprint) {
        let originals = blueprint.profile_files();
        for (original, (path, text)) in originals.zip(&self.files) {
            let name = Path::new(path).file_name().unwrap_or_default();
            let diff = unified(&name.to_string_lossy(), original.text, text);
            self.diff.push_str(&diff);
        }
        let edited: BTreeSet<&str> = self.edits.iter().map(|e| e.profile.as_str()).collect();
        let is_moved = |profile: &&Profile| {
            let was = self.before.get(&profile.name).map(|was| &was.hash);
            was != Some(&profile.hash) && !edited.contains(profile.name.as_str())
        };
        let moved = self.profiles.iter().filter(is_moved);
        self.inherited_by = moved.map(|profile| profile.name.clone()).collect();
    }

    /// Takes those findings of one verdict that are of detectors that `is_asked`.
    fn verdict(
        &mut self,
        verdict: &Verdict,
        plant: &Plant,
        note: &str,
        is_asked: impl Fn(&str) -> bool,
    ) {
        let clock = &plant.inventory().clock;
        let mut left = Vec::new();
        let hostile: Vec<&serde_json::Value> = verdict
            .findings
            .iter()
            .filter(|f| f.detector == "known_bad_destination")
            .map(|f| &f.observed["peer"])
            .collect();
        let asked = verdict.findings.iter();
        for finding in asked.filter(|finding| is_asked(&finding.detector)) {
            let mut leave = |why: String| {
                left.push(Left {
                    device_id: verdict.device_id.to_string(),
                    detector: finding.detector.clone(),
                    why,
                });
            };
            let Some(profile) = self.profiles.get(&verdict.profile.name) else {
                leave(
                    "its device has no profile: write it into the inventory, with a type"
                        .to_owned(),
                );
                continue;
            };
            let peer = &finding.observed["peer"];
            if !peer.is_null()
                && hostile.contains(&peer)
                && finding.detector != "known_bad_destination"
            {
                leave("the other end is known to be hostile".to_owned());
                continue;
            }
            let changes = match remedy(finding, profile, clock) {
                Remedy::Edit(changes) => changes,
                Remedy::None(why) => {
                    leave(why);
                    continue;
                }
            };
            for change in changes {
                let own = |edit: &Edit| edit.profile == verdict.profile.name;
                let mut known = self.edits.iter().filter(|edit| own(edit));
                if known.any(|edit| edit.change.holds(&change)) {
                    continue;
                }
                let mut again = self.edits.iter().filter(|edit| own(edit));
                let is_again = again.any(|edit| change.takes_the_place_of(&edit.change));
                let change = if is_again {
                    change.with_a_tenth()
                } else {
                    change
                };
                let edit = Edit {
                    profile: verdict.profile.name.clone(),
                    file: String::new(),
                    allows: change.allows(&verdict.profile.name),
                    change,
                    detector: finding.detector.clone(),
                    device_id: verdict.device_id.to_string(),
                    because: finding.sentence.clone(),
                };
                if let Err(why) = self.write(edit, note) {
                    leave(why.to_string());
                }
            }
        }
        self.left.extend(left);
    }

    /// Writes an edit into the text of its profile: the first way that reads as meant.
    fn write(&mut self, mut edit: Edit, note: &str) -> anyhow::Result<()> {
        let before = self.profiles.get(&edit.profile);
        let mut after = before.ok_or_else(|| anyhow!("no such profile"))?.clone();
        edit.change.apply(&mut after);
        let wanted = after.content_hash();
        let at = self.file_of(&edit.profile)?;
        for way in written(&self.files[at].1, &edit.change, &after, note) {
            let mut files = self.files.clone();
            files[at].1 = way;
            let Ok(read) = read(&files) else {
                continue;
            };
            if read
                .get(&edit.profile)
                .is_some_and(|p| p.content_hash() == wanted)
            {
                edit.file.clone_from(&files[at].0);
                (self.files, self.profiles) = (files, read);
                self.edits.retain(|other| {
                    other.profile != edit.profile || !edit.change.takes_the_place_of(&other.change)
                });
                self.edits.push(edit);
                self.edits_made += 1;
                return Ok(());
            }
        }
        Err(anyhow!(
            "the profile cannot say it: {}, under `{}:`",
            edit.allows,
            edit.change.key()
        ))
    }

    fn file_of(&self, profile: &str) -> anyhow::Result<usize> {
        let names = |text: &str| {
            let lines = text.lines();
            let mut own = lines.filter_map(|line| line.strip_prefix("profile:"));
            own.next().map(|name| {
                let name = name.split('#').next().unwrap_or_default();
                name.trim().trim_matches(['"', '\'']).to_owned()
            })
        };
        let at = self
            .files
            .iter()
            .position(|(_, text)| names(text).as_deref() == Some(profile));
        at.ok_or_else(|| anyhow!("no file says `profile: {profile}` on a line of its own"))
    }

    /// What has to be read before it is signed.
    pub(super) fn warnings(&self, plant: &Plant) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.edits.is_empty() {
            return warnings;
        }
        for device in &self.safety_critical {
            warnings.push(format!(
                "{device} is safety-critical: have its engineer sign this"
            ));
        }
        if !self.inherited_by.is_empty() {
            let names = self.inherited_by.join(", ");
            warnings.push(format!(
                "{names} inherit what is edited, and allow it as well"
            ));
        }
        let mut told = BTreeSet::new();
        for edit in &self.edits {
            let limit = self.profiles.get(&edit.profile).and_then(|p| p.volume);
            match &edit.change {
                Change::Peer { address, .. }
                    if !plant
                        .inventory()
                        .networks
                        .iter()
                        .any(|n| n.contains(address)) =>
                {
                    let text = format!("{address} lies outside the networks of the plant");
                    told.insert(text);
                }
                Change::Firmware { version, .. } => {
                    let text = format!(
                        "version {version} is what a device said of itself: compare it with the \
                         vendor's release before you sign"
                    );
                    told.insert(text);
                }
                Change::Command { name, .. } if is_grave(name) => {
                    let text = format!(
                        "{name} stops a machine or changes its program: {}",
                        edit.allows
                    );
                    told.insert(text);
                }
                Change::VolumeLimit { .. } if limit.is_some() => {
                    told.insert(LIMIT_WRITTEN.to_owned());
                }
                _ => {}
            }
        }
        warnings.extend(told);
        warnings
    }

    /// The detectors of a stored verdict whose findings the edits would have kept from occurring.
    pub(super) fn excused(&self, verdict: &Verdict, plant: &Plant) -> Vec<String> {
        let clock = &plant.inventory().clock;
        let own: Vec<&Edit> = self
            .edits
            .iter()
            .filter(|edit| {
                edit.profile == verdict.profile.name
                    || self.inherited_by.contains(&verdict.profile.name)
            })
            .collect();
        if own.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        for finding in &verdict.findings {
            let Some(profile) = self.before.get(&verdict.profile.name) else {
                continue;
            };
            let Remedy::Edit(changes) = remedy(finding, profile, clock) else {
                continue;
            };
            let mut asked = changes.iter();
            let is_excused = asked.all(|change| own.iter().any(|edit| edit.change.holds(change)));
            if is_excused && !found.contains(&finding.detector) {
                found.push(finding.detector.clone());
            }
        }
        found
    }
}

/// What stands behind a line that is proposed.
fn note_of(story: &Story) -> String {
    let judged = story.incident.judged.as_ref();
    let judged = judged.map_or("nothing", |judged| judged.judgement.as_str());
    let id = &story.incident.incident_id;
    format!("incident {id:.8}, judged {}", judged.replace('_', " "))
}

/// Whether a command stops a machine or changes what it does.
fn is_grave(command: &str) -> bool {
    let known = by_name(command);
    known.is_none_or(|known| matches!(known.effect, Effect::Control | Effect::Download))
}

fn read(files: &[(String, String)]) -> anyhow::Result<ProfileSet> {
    let files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile { path, text })
        .collect();
    read_profiles(&files)
}
