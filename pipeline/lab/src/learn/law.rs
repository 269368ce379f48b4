//! The laws of honest hours, for the statistics: measured on one half of the traffic, calibrated on
//! the other.

use std::collections::BTreeMap;

use andon_detectors::law::{CleanHour, learn};
use andon_schemas::profile::{LearnedNull, Profile};

use super::tally::Hour;
use super::write::{DAYS_MIN, DEVICES_MIN, Draft};

/// What is left of the correlation of scores, from which it is said that evidence may be worth
/// less than it says.
const LEFT_MAX: f64 = 0.05;

/// A byte each way, as the detector adds it.
const BYTE: f64 = 1.0;
/// Half a connection, likewise.
const HALF: f64 = 0.5;

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
        let devices = self.tally.devices.len();
        let days = days(&hours);
        if devices < DEVICES_MIN || days < DAYS_MIN {
            let why =
                format!("{detector}: {devices} devices and {days} days are too few for a law.");
            self.cold("learned", &why);
            return None;
        }
        match learn(&hours, &self.inventory.clock) {
            Ok(learned) => {
                let [hour, day] = learned.left;
                let warning = if hour.abs().max(day.abs()) > LEFT_MAX {
                    "; more is left than 0.05, so its evidence may be worth less than it says"
                } else {
                    ""
                };
                let line = format!(
                    "{detector}: calibrated on {} clean windows; correlation left after an hour \
                     {hour:.2}, after a day {day:.2}{warning}.",
                    learned.null.up.windows
                );
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

/// Days from the first hour to the last.
fn days(hours: &[CleanHour]) -> i64 {
    let numbers = hours.iter().map(|hour| hour.hour);
    let span = numbers.clone().max().zip(numbers.min());
    span.map_or(0, |(last, first)| i64::from(last - first) / 24 + 1)
}
