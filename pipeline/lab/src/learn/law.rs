//! The laws of honest hours, for the statistics: measured on one half of the traffic, calibrated on
//! the other.

use std::collections::BTreeMap;

use andon_detectors::facts::CELLS;
use andon_detectors::law::{CleanHour, CleanShares, learn, learn_shares};
use andon_schemas::profile::{LearnedNull, LearnedShares, Profile};

use super::tally::Hour;
use super::write::{DAYS_MIN, DEVICES_MIN, Draft};

/// What is left of the correlation of scores, from which it is said that evidence may be worth
/// less than it says.
const LEFT_MAX: f64 = 0.05;

/// A byte each way, as the detector adds it.
const BYTE: f64 = 1.0;
/// Half a connection, likewise.
const HALF: f64 = 0.5;

/// An entry of a profile, and the share that is written for it.
type Entry = (String, Option<f64>);

/// How an hour becomes the number that a detector weighs.
type Number = fn(&Hour) -> f64;

impl Draft<'_> {
    /// What is learned for each number that the profile speaks of; `active` are its clean hours
    /// that lie inside the active ones.
    pub(super) fn laws(
        &mut self,
        profile: &Profile,
        active: &[Hour],
    ) -> BTreeMap<String, LearnedNull> {
        let numbers: [(&str, bool, Number); 3] = [
            ("connection_rate", profile.connections.is_some(), |hour| {
                f64::from(hour.opened) + HALF
            }),
            ("traffic_volume", profile.volume.is_some(), |hour| {
                f64::from(hour.bytes)
            }),
            ("upload_ratio", profile.upload.is_some(), |hour| {
                let up = f64::from(hour.up);
                (up + BYTE) / (f64::from(hour.bytes) - up + BYTE)
            }),
        ];
        let mut laws = BTreeMap::new();
        for (detector, _, number) in numbers.into_iter().filter(|(_, spoken_of, _)| *spoken_of) {
            if let Some(null) = self.law(detector, active, number) {
                laws.insert(detector.to_owned(), null);
            }
        }
        laws
    }

    fn law(&mut self, detector: &str, active: &[Hour], number: Number) -> Option<LearnedNull> {
        let hours: Vec<CleanHour> = active
            .iter()
            .filter(|hour| hour.bytes > 0.0)
            .map(|hour| CleanHour {
                device: hour.device,
                hour: hour.number,
                value: number(hour),
            })
            .collect();
        if !self.is_enough("learned", detector, hours.iter().map(|hour| hour.hour)) {
            return None;
        }
        match learn(&hours, &self.inventory.clock) {
            Ok(learned) => {
                let line = calibrated(detector, learned.null.up.windows, learned.left);
                self.say("learned", line);
                Some(learned.null)
            }
            Err(error) => {
                self.cold("learned", &format!("{detector}: {error}."));
                None
            }
        }
    }
}

impl Draft<'_> {
    /// What is learned of the shares that the profile speaks of. Windows count connections by the
    /// entries of the present profile, so that it must have the same ones.
    pub(super) fn share_laws(
        &mut self,
        profile: &Profile,
        active: &[Hour],
    ) -> BTreeMap<String, LearnedShares> {
        let mut laws = BTreeMap::new();
        let shared = |entries: &[Entry]| entries.iter().take(CELLS - 1).any(|one| one.1.is_some());
        for (detector, entries) in mixes(profile) {
            if !shared(&entries) {
                continue;
            }
            let names = |entries: &[Entry]| {
                let first = entries.iter().take(CELLS - 1);
                first.map(|(name, _)| name.clone()).collect::<Vec<_>>()
            };
            let present = self.present.map(mixes).unwrap_or_default();
            let same = present
                .iter()
                .find(|(name, _)| *name == detector)
                .is_some_and(|(_, present)| names(present) == names(&entries));
            if !same {
                let why = format!(
                    "{detector}: the present profile has other entries, or another order; with \
                     this profile as the present one a second run learns the law."
                );
                self.cold("learned_shares", &why);
                continue;
            }
            if let Some(law) = self.share_law(detector, &entries, active) {
                laws.insert(detector.to_owned(), law);
            }
        }
        laws
    }

    fn share_law(
        &mut self,
        detector: &str,
        entries: &[Entry],
        active: &[Hour],
    ) -> Option<LearnedShares> {
        let named: Vec<usize> = (0..entries.len().min(CELLS - 1))
            .filter(|at| entries[*at].1.is_some())
            .collect();
        let hours: Vec<CleanShares> = active
            .iter()
            .map(|hour| {
                let counts = match detector {
                    "destination_mix" => &hour.destinations,
                    _ => &hour.protocols,
                };
                let mut cells: Vec<u32> = named.iter().map(|at| counts[*at].into()).collect();
                let all: u32 = counts.iter().copied().map(u32::from).sum();
                cells.push(all - cells.iter().sum::<u32>());
                CleanShares {
                    device: hour.device,
                    hour: hour.number,
                    cells,
                }
            })
            .collect();
        if !self.is_enough(
            "learned_shares",
            detector,
            hours.iter().map(|hour| hour.hour),
        ) {
            return None;
        }
        match learn_shares(&hours, named.len() + 1) {
            Ok((law, left)) => {
                let windows = law.cells.iter().map(|cell| cell.up.windows).min();
                let line = calibrated(detector, windows.unwrap_or(0), left);
                self.say("learned_shares", line);
                Some(law)
            }
            Err(error) => {
                self.cold("learned_shares", &format!("{detector}: {error}."));
                None
            }
        }
    }

    /// Whether there are devices and days enough for a law; says so if not.
    fn is_enough(
        &mut self,
        key: &'static str,
        detector: &str,
        hours: impl Iterator<Item = i32> + Clone,
    ) -> bool {
        let (devices, days) = (self.tally.devices.len(), days(hours));
        let is_enough = devices >= DEVICES_MIN && days >= DAYS_MIN;
        if !is_enough {
            let why =
                format!("{detector}: {devices} devices and {days} days are too few for a law.");
            self.cold(key, &why);
        }
        is_enough
    }
}

/// What is said of a law that was learned, with the correlations left in its scores.
fn calibrated(detector: &str, windows: u64, [hour, day]: [f64; 2]) -> String {
    let warning = if hour.abs().max(day.abs()) > LEFT_MAX {
        "; more is left than 0.05, so its evidence may be worth less than it says"
    } else {
        ""
    };
    format!(
        "{detector}: calibrated on {windows} clean windows; correlation left after an hour \
         {hour:.2}, after a day {day:.2}{warning}."
    )
}

/// The entries of a profile whose shares are weighed, by detector.
fn mixes(profile: &Profile) -> [(&'static str, Vec<Entry>); 2] {
    let destinations = profile.destinations.iter();
    let protocols = profile.protocols.iter();
    [
        (
            "destination_mix",
            destinations
                .map(|one| (one.target.to_string(), one.share))
                .collect(),
        ),
        (
            "protocol_mix",
            protocols.map(|one| (one.name.clone(), one.share)).collect(),
        ),
    ]
}

/// Days from the first hour to the last.
fn days(numbers: impl Iterator<Item = i32> + Clone) -> i64 {
    let span = numbers.clone().max().zip(numbers.min());
    span.map_or(0, |(last, first)| i64::from(last - first) / 24 + 1)
}
