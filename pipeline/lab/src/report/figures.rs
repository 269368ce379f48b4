//! The numbers of a report that have to be worked out: rates with their exact intervals, what an
//! operator would have seen in a day, precision and recall grade by grade.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 do not occur, and rates are for people"
)]

use std::collections::{BTreeMap, BTreeSet};

use andon_detectors::stats::bounds::{proportion_lower, proportion_upper, rate_interval};
use andon_schemas::grade::Grade;
use andon_schemas::verdict::ProfileRef;

use super::data::{Cause, Report, Truth};

/// Chance that an interval misses the true value; half of it on each side.
const DELTA: f64 = 0.05;

/// So many of so many, with the exact interval of the share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) hits: u64,
    pub(super) of: u64,
    /// Clopper and Pearson, 95 %.
    pub(super) interval: (f64, f64),
}

impl Share {
    pub(super) fn new(hits: u64, of: u64) -> Self {
        Self {
            hits,
            of,
            interval: (
                proportion_lower(hits, of, DELTA / 2.0),
                proportion_upper(hits, of, DELTA / 2.0),
            ),
        }
    }

    /// The share itself; `None` of nothing.
    pub(super) fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }
}

/// So many in so much time, with the exact interval of the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) events: u64,
    pub(super) exposure: f64,
    /// Garwood, 95 %.
    pub(super) interval: (f64, f64),
}

impl Rate {
    pub(super) fn new(events: u64, exposure: f64) -> Self {
        Self {
            events,
            exposure,
            interval: rate_interval(events, exposure, DELTA),
        }
    }

    /// Events per unit; `None` over no time.
    pub(super) fn value(self) -> Option<f64> {
        (self.exposure > 0.0).then(|| self.events as f64 / self.exposure)
    }
}

/// What was right and what was found, of one grade.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GradeFigures {
    /// `None` for the row of MEDIUM or worse.
    pub(super) grade: Option<Grade>,
    /// Verdicts of this grade that an attack caused.
    pub(super) precision: Share,
    /// Attacks that should reach this grade, and did or went beyond.
    pub(super) recall: Share,
}

/// Precision and recall of every grade, the worst first, then of MEDIUM or worse. The ladder has a
/// table of its own and is left out, and so are attacks that are not due yet.
pub(super) fn by_grade(report: &Report, truth: &Truth) -> Vec<GradeFigures> {
    let figures = |grade: Option<Grade>| {
        let counts = |of: Grade| match grade {
            Some(grade) => of == grade,
            None => of >= Grade::Medium,
        };
        let (mut right, mut raised, mut found, mut due) = (0, 0, 0, 0);
        for episode in report.episodes.iter().filter(|e| counts(e.worst)) {
            raised += u64::from(episode.cause != Cause::Ladder);
            right += u64::from(matches!(episode.cause, Cause::Attack(_)));
        }
        let attacks = truth.attacks.iter().filter(|attack| !attack.later);
        for attack in attacks.filter(|attack| counts(attack.expected_grade)) {
            due += 1;
            found += u64::from(attack.grade.is_some_and(|got| got >= attack.expected_grade));
        }
        GradeFigures {
            grade,
            precision: Share::new(right, raised),
            recall: Share::new(found, due),
        }
    };
    Grade::ALL
        .iter()
        .rev()
        .map(|grade| Some(*grade))
        .chain([None])
        .map(figures)
        .collect()
}

/// The delay within which this share of the attacks that were due was found, seconds; `None` if it
/// was not found at all. An attack that was missed counts as found after any delay.
pub(super) fn delay_quantile(truth: &Truth, share: f64) -> Option<f64> {
    let due = truth.attacks.iter().filter(|attack| !attack.later);
    let mut delays: Vec<f64> = due
        .map(|attack| attack.delay_s.unwrap_or(f64::INFINITY))
        .collect();
    delays.sort_by(f64::total_cmp);
    let rank = (1..=delays.len()).find(|rank| *rank as f64 >= share * delays.len() as f64)?;
    delays
        .get(rank - 1)
        .copied()
        .filter(|delay| delay.is_finite())
}

/// How many alerts a day brought.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Load {
    /// Alerts in all.
    pub(super) alerts: u64,
    /// Per day of event time that was played.
    pub(super) mean: Option<f64>,
    /// The day with the most, and how many; `None` if there was none.
    pub(super) most: Option<(String, u64)>,
}

/// Verdicts that reached MEDIUM, by the plant's date on which they did: the operator is told of
/// those. With `low`, all verdicts, by the date on which they opened.
pub(super) fn load(report: &Report, low: bool) -> Load {
    let mut days: BTreeMap<String, u64> = BTreeMap::new();
    for episode in &report.episodes {
        let opened = low.then_some(episode.last.event_time);
        if let Some(at) = opened.or(episode.medium_at) {
            *days
                .entry(report.clock.local(at).date().to_string())
                .or_default() += 1;
        }
    }
    let alerts = days.values().sum();
    let most = days
        .iter()
        .max_by_key(|(day, n)| (**n, std::cmp::Reverse(*day)));
    Load {
        alerts,
        mean: Rate::new(alerts, days_played(report)).value(),
        most: most.map(|(day, n)| (day.clone(), *n)),
    }
}

/// Days of event time in which anything was observed. Hours are counted, not the ends compared: one
/// record with a wrong date would make a year of it.
pub(super) fn days_played(report: &Report) -> f64 {
    report.played.hours as f64 / 24.0
}

/// Episodes by their worst grade, the worst first, all grades named.
pub(super) fn grades<'a>(episodes: impl Iterator<Item = &'a Grade>) -> [(Grade, u64); 4] {
    let mut counts = [Grade::Critical, Grade::High, Grade::Medium, Grade::Low].map(|g| (g, 0));
    for grade in episodes {
        for (of, n) in &mut counts {
            *n += u64::from(of == grade);
        }
    }
    counts
}

/// One device type and what was raised about it.
#[derive(Clone, Debug, Default)]
pub(super) struct TypeRow {
    pub(super) devices: u64,
    pub(super) seen: u64,
    /// Devices with a verdict.
    pub(super) told_of: u64,
    pub(super) worst: Vec<Grade>,
    /// Verdicts of MEDIUM or worse that nothing caused.
    pub(super) for_nothing: u64,
    /// Profiles they were measured against, by name and version.
    pub(super) profiles: BTreeMap<String, String>,
}

impl TypeRow {
    fn measured_against(&mut self, profile: &ProfileRef) {
        let named = format!("{} {}", profile.name, profile.version);
        self.profiles.insert(named, profile.hash.clone());
    }
}

/// Every type of the inventory, by name; devices that it does not list come last, without a name.
pub(super) fn by_type(report: &Report) -> Vec<(String, TypeRow)> {
    let mut rows: BTreeMap<(bool, &str), TypeRow> = BTreeMap::new();
    let key = |device_type| (str::is_empty(device_type), device_type);
    for device in &report.devices {
        let row = rows.entry(key(device.device_type.as_str())).or_default();
        row.devices += 1;
        row.seen += u64::from(device.seen);
    }
    for profile in &report.profiles {
        if let Some(row) = rows.get_mut(&key(profile.name.as_str())) {
            row.measured_against(profile);
        }
    }
    let mut told = BTreeSet::new();
    for episode in &report.episodes {
        let last = episode.last;
        let row = rows.entry(key(last.device_type.as_str())).or_default();
        row.worst.push(episode.worst);
        row.told_of += u64::from(told.insert(last.device_id.as_str()));
        row.for_nothing +=
            u64::from(episode.cause == Cause::Nothing && episode.medium_at.is_some());
        if !last.profile.name.is_empty() {
            row.measured_against(&last.profile);
        }
    }
    let named = rows.into_iter();
    named
        .map(|((_, name), row)| (name.to_owned(), row))
        .collect()
}
