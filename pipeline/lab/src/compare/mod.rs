//! The same capture measured against two sets of profiles: which verdicts appear, disappear or
//! change their grade, and what in the profiles makes them.
//!
//! Both sets see the same observations in the same order; only what they are measured against
//! differs. So every difference between the verdicts comes from a difference between the profiles,
//! directly, or because an episode opened, ended or took up another.

use std::collections::BTreeMap;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::profile::{Difference, Profile};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use serde::Serialize;

mod pair;
mod reason;
#[cfg(test)]
mod tests;

pub use reason::Reason;

/// What one set of profiles made of the capture.
#[derive(Debug)]
pub struct Side<'a> {
    /// What the profiles were called: a folder, or that they are built in or recorded.
    pub name: String,
    /// Over all of them.
    pub profile_hash: String,
    /// Every profile that anything was measured against.
    pub profiles: Vec<&'a Profile>,
    /// Every episode.
    pub episodes: Vec<Raised<'a>>,
    /// What it came to against the ground truth, where there is one.
    pub detection: Option<Detected>,
}

/// One episode: its last revision, and the worst grade of any.
#[derive(Clone, Copy, Debug)]
pub struct Raised<'a> {
    /// The last revision.
    pub last: &'a Verdict,
    /// The worst grade of any.
    pub worst: Grade,
}

/// What detection came to, in four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detected {
    /// Attacks that reached the grade they should.
    pub attacks_found: u64,
    /// Attacks that should have.
    pub attacks_due: u64,
    /// Device-hours in which an episode first reached MEDIUM for nothing.
    pub false_positives: u64,
    /// Of so many.
    pub device_hours: u64,
    /// That share.
    pub false_positive_rate: f64,
    /// Its exact 95 % interval.
    pub interval_95: [f64; 2],
}

/// One side in figures.
#[derive(Clone, Debug, Serialize)]
pub struct SideFigures {
    /// What the profiles were called.
    pub profiles: String,
    /// Over all of them.
    pub profile_hash: String,
    /// Verdict ids by worst grade.
    pub verdicts: BTreeMap<Grade, u64>,
    /// Against the ground truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Detected>,
}

/// What became of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is raised only by the profiles compared with.
    Appears,
    /// It is no longer raised.
    Disappears,
    /// Its grade is worse.
    Worse,
    /// Its grade is milder.
    Milder,
    /// Its grade is the same, and other detectors are among its findings.
    OtherFindings,
}

impl Kind {
    /// All kinds, in the order they are told.
    pub const ALL: [Self; 5] = [
        Self::Appears,
        Self::Worse,
        Self::Milder,
        Self::Disappears,
        Self::OtherFindings,
    ];

    /// As people say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Appears => "appears",
            Self::Disappears => "disappears",
            Self::Worse => "worse",
            Self::Milder => "milder",
            Self::OtherFindings => "other findings",
        }
    }
}

/// One side's word on a device.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The verdict.
    pub verdict_id: String,
    /// When it opened.
    pub event_time: EventTime,
    /// Its worst grade.
    pub grade: Grade,
    /// The detectors among its findings, each once.
    pub detectors: Vec<String>,
    /// Its last sentence.
    pub sentence: String,
}

/// A verdict that is not the same on both sides.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// What became of it.
    pub change: Kind,
    /// The device.
    pub device_id: DeviceId,
    /// Its type.
    pub device_type: String,
    /// With the profiles that the capture was measured against.
    pub before: Option<Told>,
    /// With those it is compared with.
    pub after: Option<Told>,
    /// Why, detector by detector.
    pub reasons: Vec<Reason>,
}

impl Change {
    /// When the earlier of the two opened.
    pub fn at(&self) -> Option<EventTime> {
        let told = [&self.before, &self.after];
        let times = told.into_iter().flatten().map(|told| told.event_time);
        times.min()
    }

    /// The worse of the two grades.
    pub fn worst(&self) -> Option<Grade> {
        let told = [&self.before, &self.after];
        told.into_iter().flatten().map(|told| told.grade).max()
    }
}

/// A profile that differs.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileChange {
    /// Its name.
    pub profile: String,
    /// Every field that differs.
    pub differences: Vec<Difference>,
}

/// Both sides in figures.
#[derive(Clone, Debug, Serialize)]
pub struct Gist {
    /// What the capture was measured against.
    pub before: SideFigures,
    /// What it is compared with.
    pub after: SideFigures,
    /// How many verdicts changed in which way, every way named.
    pub counts: BTreeMap<Kind, u64>,
    /// Verdicts that are the same on both sides.
    pub unchanged: u64,
}

/// Two sets of profiles held against each other. `compare.json` is this.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// It in figures.
    #[serde(flatten)]
    pub gist: Gist,
    /// The profiles that differ, by name.
    pub profiles: Vec<ProfileChange>,
    /// Every verdict that changed, the worst first.
    pub changes: Vec<Change>,
}

/// Compares.
pub fn compare(before: &Side, after: &Side) -> Comparison {
    let profiles = reason::Profiles::of(before, after);
    let pairs = pair::up(&before.episodes, &after.episodes);
    let mut of_device: BTreeMap<&str, Vec<pair::Pair>> = BTreeMap::new();
    for pair in &pairs {
        if let Some(either) = pair.either() {
            let device = either.last.device_id.as_str();
            of_device.entry(device).or_default().push(*pair);
        }
    }
    let mut unchanged = 0;
    let mut changes = Vec::new();
    for pair in &pairs {
        let device = pair.either().map(|either| either.last.device_id.as_str());
        let others = device.and_then(|device| of_device.get(device));
        match change(pair, others.map_or(&[], Vec::as_slice), &profiles) {
            Some(change) => changes.push(change),
            None => unchanged += 1,
        }
    }
    changes.sort_by_key(|change| {
        let at = change.at();
        (
            std::cmp::Reverse(change.worst()),
            at,
            change.device_id.clone(),
        )
    });
    let mut counts: BTreeMap<Kind, u64> = Kind::ALL.iter().map(|kind| (*kind, 0)).collect();
    for change in &changes {
        *counts.entry(change.change).or_default() += 1;
    }
    Comparison {
        gist: Gist {
            before: figures(before),
            after: figures(after),
            counts,
            unchanged,
        },
        profiles: profiles.changes(),
        changes,
    }
}

fn figures(side: &Side) -> SideFigures {
    let mut verdicts: BTreeMap<Grade, u64> = Grade::ALL.iter().map(|grade| (*grade, 0)).collect();
    for episode in &side.episodes {
        *verdicts.entry(episode.worst).or_default() += 1;
    }
    SideFigures {
        profiles: side.name.clone(),
        profile_hash: side.profile_hash.clone(),
        verdicts,
        detection: side.detection,
    }
}

/// What became of a pair, in the light of all pairs of its device; `None` if nothing did.
fn change(
    pair: &pair::Pair,
    of_device: &[pair::Pair],
    profiles: &reason::Profiles,
) -> Option<Change> {
    let kind = match (pair.before, pair.after) {
        (None, _) => Kind::Appears,
        (_, None) => Kind::Disappears,
        (Some(before), Some(after)) if after.worst > before.worst => Kind::Worse,
        (Some(before), Some(after)) if after.worst < before.worst => Kind::Milder,
        (Some(before), Some(after)) if detectors(before) != detectors(after) => Kind::OtherFindings,
        _ => return None,
    };
    let either = pair.either()?.last;
    Some(Change {
        change: kind,
        device_id: either.device_id.clone(),
        device_type: either.device_type.clone(),
        before: pair.before.map(told),
        after: pair.after.map(told),
        reasons: profiles.reasons(pair, of_device),
    })
}

/// The detectors among the findings, in alphabetical order.
fn detectors(episode: Raised) -> Vec<String> {
    let findings = episode.last.findings.iter();
    let mut names: Vec<String> = findings.map(|finding| finding.detector.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn told(episode: Raised) -> Told {
    let last = episode.last;
    Told {
        verdict_id: last.verdict_id.clone(),
        event_time: last.event_time,
        grade: episode.worst,
        detectors: detectors(episode),
        sentence: last.sentence.clone(),
    }
}
