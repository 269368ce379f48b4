//! The findings of an incident, and the edits that would have kept them from occurring.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use andon_engine::Plant;
use andon_lab::amend::{Change, Remedy, remedy, unified, written};
use andon_schemas::profile::{Profile, ProfileSet, SourceFile};
use andon_schemas::time::PlantClock;
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;
use serde::Serialize;

use crate::blueprint::Blueprint;
use crate::incident::Story;
use crate::setting::read_profiles;

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
    pub(super) left: Vec<Left>,
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
            left: Vec::new(),
            diff: String::new(),
            files: files
                .map(|f| (f.path.to_owned(), f.text.to_owned()))
                .collect(),
            inherited_by: Vec::new(),
            before: before.clone(),
            profiles: before.clone(),
            safety_critical: Vec::new(),
        };
        let clock = &plant.inventory().clock;
        let mut left = BTreeSet::new();
        for verdict in &story.verdicts {
            for why in amendment.verdict(verdict, clock, &story.incident.incident_id) {
                left.insert(why);
            }
            let listed = plant.inventory().device(verdict.device_id.as_str());
            let id = verdict.device_id.to_string();
            if listed.is_some_and(|d| d.safety_critical) && !amendment.safety_critical.contains(&id)
            {
                amendment.safety_critical.push(id);
            }
        }
        amendment.left = left.into_iter().collect();
        let originals = blueprint.profile_files();
        for (original, (path, text)) in originals.zip(&amendment.files) {
            let name = Path::new(path).file_name().unwrap_or_default();
            let diff = unified(&name.to_string_lossy(), original.text, text);
            amendment.diff.push_str(&diff);
        }
        let edited: BTreeSet<&str> = amendment.edits.iter().map(|e| e.profile.as_str()).collect();
        let is_moved = |profile: &&Profile| {
            let was = before.get(&profile.name).map(|was| &was.hash);
            was != Some(&profile.hash) && !edited.contains(profile.name.as_str())
        };
        let moved = amendment.profiles.iter().filter(is_moved);
        amendment.inherited_by = moved.map(|profile| profile.name.clone()).collect();
        Ok(amendment)
    }

    /// Takes the findings of one verdict; returns what no edit is proposed for.
    fn verdict(&mut self, verdict: &Verdict, clock: &PlantClock, incident: &str) -> Vec<Left> {
        let mut left = Vec::new();
        let hostile: Vec<&serde_json::Value> = verdict
            .findings
            .iter()
            .filter(|f| f.detector == "known_bad_destination")
            .map(|f| &f.observed["peer"])
            .collect();
        for finding in &verdict.findings {
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
                let edit = Edit {
                    profile: verdict.profile.name.clone(),
                    file: String::new(),
                    allows: change.allows(&verdict.profile.name),
                    change,
                    detector: finding.detector.clone(),
                    device_id: verdict.device_id.to_string(),
                    because: finding.sentence.clone(),
                };
                if let Err(why) = self.write(edit, incident) {
                    leave(why.to_string());
                }
            }
        }
        left
    }

    /// Writes an edit into the text of its profile: the first way that reads as meant.
    fn write(&mut self, mut edit: Edit, incident: &str) -> anyhow::Result<()> {
        let before = self.profiles.get(&edit.profile);
        let mut after = before.ok_or_else(|| anyhow!("no such profile"))?.clone();
        edit.change.apply(&mut after);
        let wanted = after.content_hash();
        let at = self.file_of(&edit.profile)?;
        let note = format!("incident {incident:.8}, judged to be for nothing");
        for way in written(&self.files[at].1, &edit.change, &after, &note) {
            let mut files = self.files.clone();
            files[at].1 = way;
            let Ok(read) = read(&files) else {
                continue;
            };
            if read
                .get(&edit.profile)
                .is_some_and(|p| p.content_hash() == wanted)
            {
                edit.file = files[at].0.clone();
                (self.files, self.profiles) = (files, read);
                self.edits.push(edit);
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
        let mut told = BTreeMap::new();
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
                    told.insert(text, ());
                }
                Change::Firmware { version, .. } => {
                    let text = format!(
                        "version {version} is what a device said of itself: compare it with the \
                         vendor's release before you sign"
                    );
                    told.insert(text, ());
                }
                Change::VolumeLimit { .. } if limit.is_some() => {
                    told.insert(
                        "an absolute limit of bytes takes the place of the rule that stood"
                            .to_owned(),
                        (),
                    );
                }
                _ => {}
            }
        }
        warnings.extend(told.into_keys());
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

fn read(files: &[(String, String)]) -> anyhow::Result<ProfileSet> {
    let files: Vec<SourceFile> = files
        .iter()
        .map(|(path, text)| SourceFile { path, text })
        .collect();
    read_profiles(&files)
}
