//! Why a verdict is another: which detector finds something else, and which field of the profile
//! that it reads differs.

use std::collections::{BTreeMap, BTreeSet};

use andon_detectors::catalog::CATALOG;
use andon_detectors::detector::Clock;
use andon_schemas::grade::Grade;
use andon_schemas::profile::{Difference, Profile, diff};
use serde::Serialize;

use super::pair::{Pair, overlap};
use super::{ProfileChange, Raised, Side, detectors};

/// What a detector reads beside what the catalogue names: a cadence is a volume too, and whether
/// something is a controller sets the grade.
const ALSO_READ: &[(&str, &str)] = &[
    ("traffic_volume", "cadence"),
    ("unknown_destination", "controller"),
];

/// Why, as far as one detector goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// The detector; empty if it is about the episode as a whole.
    pub detector: String,
    /// The worst grade of its findings before; null if it found nothing.
    pub before: Option<Grade>,
    /// The worst grade of its findings after.
    pub after: Option<Grade>,
    /// Fields of the profile that it reads, and that differ.
    pub fields: Vec<Difference>,
    /// All of it in one plain sentence.
    pub sentence: String,
}

/// The profiles of both sides: by their hash, as verdicts name them, and by their name.
pub(super) struct Profiles<'a> {
    by_hash: BTreeMap<String, &'a Profile>,
    before: BTreeMap<&'a str, &'a Profile>,
    after: BTreeMap<&'a str, &'a Profile>,
}

impl<'a> Profiles<'a> {
    pub(super) fn of(before: &Side<'a>, after: &Side<'a>) -> Self {
        let all = before.profiles.iter().chain(&after.profiles);
        // Of several with one name the last counts: a recorded run may have changed them.
        let by_name = |side: &Side<'a>| {
            let named = side.profiles.iter();
            named
                .map(|profile| (profile.name.as_str(), *profile))
                .collect()
        };
        Self {
            by_hash: all
                .map(|profile| (profile.content_hash(), *profile))
                .collect(),
            before: by_name(before),
            after: by_name(after),
        }
    }

    /// Every profile that differs, or is there on one side only, by name.
    pub(super) fn changes(&self) -> Vec<ProfileChange> {
        let names: BTreeSet<&str> = self
            .before
            .keys()
            .chain(self.after.keys())
            .copied()
            .collect();
        let change = |name: &str| {
            let differences = match (self.before.get(name), self.after.get(name)) {
                (Some(before), Some(after)) => diff(before, after),
                (before, after) => vec![Difference {
                    field: "profile".to_owned(),
                    before: before.map(|profile| profile.name.clone()),
                    after: after.map(|profile| profile.name.clone()),
                }],
            };
            ProfileChange {
                profile: name.to_owned(),
                differences,
            }
        };
        let changes = names.into_iter().map(change);
        changes
            .filter(|change| !change.differences.is_empty())
            .collect()
    }

    /// What one side's episode was measured against; else what that side has for the profile that
    /// the other's names.
    fn measured(
        &self,
        own: Option<Raised>,
        other: Option<Raised>,
        side: &BTreeMap<&str, &'a Profile>,
    ) -> Option<&'a Profile> {
        let by_hash = own.and_then(|episode| self.by_hash.get(&episode.last.profile.hash));
        let by_name = || side.get(own.or(other)?.last.profile.name.as_str());
        by_hash.or_else(by_name).copied()
    }

    /// Why the two of a pair are not the same.
    pub(super) fn reasons(&self, pair: &Pair, of_device: &[Pair]) -> Vec<Reason> {
        let before = self.measured(pair.before, pair.after, &self.before);
        let after = self.measured(pair.after, pair.before, &self.after);
        let differences = match (before, after) {
            (Some(before), Some(after)) => diff(before, after),
            _ => Vec::new(),
        };
        let names: BTreeSet<String> = [pair.before, pair.after]
            .into_iter()
            .flatten()
            .flat_map(detectors)
            .collect();
        let mut reasons: Vec<Reason> = names
            .into_iter()
            .filter_map(|detector| {
                let was = pair.before.and_then(|episode| grade_of(episode, &detector));
                let is = pair.after.and_then(|episode| grade_of(episode, &detector));
                (was != is).then(|| of_detector(detector, was, is, &differences))
            })
            .collect();
        reasons.extend(of_the_whole(
            pair,
            of_device,
            before.is_some(),
            after.is_some(),
        ));
        if reasons.is_empty() {
            reasons.push(whole(
                "The same detectors find it; their findings stood together in another order."
                    .to_owned(),
            ));
        }
        reasons
    }
}

/// The worst grade of what a detector found.
fn grade_of(episode: Raised, detector: &str) -> Option<Grade> {
    let findings = episode.last.findings.iter();
    let own = findings.filter(|finding| finding.detector == detector);
    own.map(|finding| finding.grade).max()
}

/// Whether a detector reads a field of a profile.
fn reads(detector: &str, field: &str) -> bool {
    let (key, label) = field.split_once(": ").unwrap_or((field, ""));
    let named = CATALOG.iter().find(|entry| entry.name == detector);
    named.is_some_and(|entry| {
        entry.reads.split(", ").any(|section| section == key)
            // What a statistic's evidence counts for.
            || key == "calibration" && entry.clock != Clock::None
    }) || ALSO_READ.contains(&(detector, key))
        || key == "detectors" && label == detector
}

fn of_detector(
    detector: String,
    before: Option<Grade>,
    after: Option<Grade>,
    differences: &[Difference],
) -> Reason {
    let own = differences.iter().filter(|d| reads(&detector, &d.field));
    let fields: Vec<Difference> = own.cloned().collect();
    let what = match (before, after) {
        (None, Some(grade)) => format!("`{detector}` now finds something, at {grade}"),
        (Some(grade), None) => format!("`{detector}` no longer finds anything, it was at {grade}"),
        (Some(was), Some(is)) => format!("`{detector}` now grades it {is} instead of {was}"),
        (None, None) => format!("`{detector}` finds nothing"),
    };
    let why = if fields.is_empty() {
        "nothing that it reads in the profile differs, so it follows from the other findings"
            .to_owned()
    } else {
        let texts: Vec<String> = fields.iter().map(ToString::to_string).collect();
        texts.join("; ")
    };
    Reason {
        sentence: format!("{what}: {why}."),
        detector,
        before,
        after,
        fields,
    }
}

/// What cannot be said of a detector: a profile that one side lacks, an episode that is part of
/// another now.
fn of_the_whole<'a>(
    pair: &Pair<'a>,
    of_device: &[Pair<'a>],
    had: bool,
    has: bool,
) -> Option<Reason> {
    if had != has {
        let side = if has { "before" } else { "compared with" };
        return Some(whole(format!(
            "No profile is named for this device on the side {side}."
        )));
    }
    let (one, is_before) = match (pair.before, pair.after) {
        (Some(one), None) => (one, true),
        (None, Some(one)) => (one, false),
        _ => return None,
    };
    let other_side = |other: &Pair<'a>| if is_before { other.after } else { other.before };
    let mut others = of_device.iter().filter_map(other_side);
    let taken_up = others.find(|other| overlap(&one, other))?;
    Some(whole(format!(
        "On the other side it is part of verdict {:.8}, which was open at the same time.",
        taken_up.last.verdict_id
    )))
}

fn whole(sentence: String) -> Reason {
    Reason {
        detector: String::new(),
        before: None,
        after: None,
        fields: Vec::new(),
        sentence,
    }
}
