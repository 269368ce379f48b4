//! What tuning came to, as it is printed and kept. Field names are stable.

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Interval};
use serde::Serialize;

use super::certificate::{Claim, Sample, upper};
use super::drill::Found;
use super::path::Setting;
use super::split::Part;

/// Version of `tune.json`.
pub const SCHEMA: &str = "andon.tune.v1";

/// A rate of false positives, in every unit that people ask for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// Device-hours in which an episode first reached the grade.
    pub count: u64,
    /// Clean device-hours.
    pub device_hours: u64,
    /// Per device-hour, as measured.
    pub per_device_hour: f64,
    /// Per device-hour, at most: one-sided bound at the confidence of the claim, the differences
    /// between devices taken into account.
    pub at_most: f64,
    /// Per device and day, as measured.
    pub per_device_day: f64,
    /// Per device and day, at most.
    pub per_device_day_at_most: f64,
    /// Per day in a fleet of `fleet` devices, as measured.
    pub per_fleet_day: f64,
    /// The same, at most.
    pub per_fleet_day_at_most: f64,
    /// Devices in the traffic.
    pub fleet: u64,
}

impl Rate {
    /// What a sample shows.
    #[expect(clippy::cast_precision_loss, reason = "rates are for people")]
    pub fn of(sample: &Sample, spread: f64, claim: &Claim, fleet: u64) -> Self {
        let (count, device_hours) = (sample.count(), sample.hours());
        let per_device_hour = if device_hours == 0 {
            0.0
        } else {
            count as f64 / device_hours as f64
        };
        let at_most = upper(sample, spread, claim.delta());
        let of_fleet = 24.0 * fleet as f64;
        Self {
            count,
            device_hours,
            per_device_hour,
            at_most,
            per_device_day: 24.0 * per_device_hour,
            per_device_day_at_most: 24.0 * at_most,
            per_fleet_day: of_fleet * per_device_hour,
            per_fleet_day_at_most: of_fleet * at_most,
            fleet,
        }
    }
}

/// A part of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PartOf {
    /// What it serves for.
    pub part: Part,
    /// Its time.
    pub span: Interval,
    /// Its devices.
    pub devices: u64,
    /// Clean device-hours.
    pub device_hours: u64,
}

/// One configuration of the path and what it comes to on the part that is tuned on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Its nominal rates.
    pub setting: Setting,
    /// Evidence is divided by this.
    pub discount: f64,
    /// The smallest and the largest multiple that a profile's volume rule gets; null if none has.
    pub multiples: Option<(f64, f64)>,
    /// False positives at MEDIUM or worse.
    pub false_positives: Rate,
    /// Chance of so few of them, were the target not met.
    pub p_value: f64,
    /// How the attacks fared that were tried out.
    pub found: Vec<Found>,
}

/// What the profiles come to as they were given, on the same part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AsWritten {
    /// False positives at MEDIUM or worse.
    pub false_positives: Rate,
    /// How the attacks fared that were tried out.
    pub found: Vec<Found>,
}

/// What was claimed for what, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The device type, the grade, or `all`.
    pub scope: String,
    /// The claim.
    pub claim: Claim,
    /// Position on the path of the loosest configuration that is certified; null if none is.
    pub chosen: Option<usize>,
    /// False positives under it, or under the strictest where none is certified.
    pub false_positives: Rate,
    /// Why none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// Why a claim is not made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusal {
    /// In words.
    pub reason: String,
    /// Clean device-hours that the tuned part has.
    pub device_hours: u64,
    /// Those it would need; null if no number would do.
    pub device_hours_needed: Option<u64>,
}

/// How often one detector had a part in false positives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Grounds {
    /// Its name.
    pub detector: String,
    /// Whether by a rule; else by evidence.
    pub rule: bool,
    /// Its own rate.
    pub false_positives: Rate,
}

/// A false positive on the tuned part, for a person to look at: clean traffic rarely is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alarm {
    /// Of whom.
    pub device: DeviceId,
    /// Event time.
    pub at: EventTime,
    /// The grade reached.
    pub grade: Grade,
    /// The detectors that carried it.
    pub detectors: Vec<String>,
    /// The verdict's sentence.
    pub sentence: String,
}

/// What the part that was kept for the end says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The profiles as they were given.
    pub as_written: Rate,
    /// As they are proposed.
    pub proposed: Rate,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Records read, and those of them that gave no row.
    pub records: u64,
    /// Records that gave no row.
    pub refused_records: u64,
    /// From the first to the last event.
    pub whole: Interval,
    /// Devices heard of that have a profile.
    pub devices: u64,
    /// Those that have none, servers among them: nothing is claimed for them.
    pub devices_without_profile: u64,
    /// What the traffic was divided into.
    pub parts: Vec<PartOf>,
    /// How much devices differ: squared coefficient of variation of their rates.
    pub spread: f64,
    /// Claim by claim.
    pub verdicts: Vec<Verdict>,
    /// The profiles as they were given.
    pub as_written: AsWritten,
    /// The path, from strict to loose.
    pub path: Vec<Step>,
    /// Detector by detector, under what is proposed.
    pub grounds: Vec<Grounds>,
    /// False positives one by one, under what is proposed; the first of them.
    pub alarms: Vec<Alarm>,
    /// On the part kept for the end; null if nothing is proposed.
    pub report: Option<Report>,
}
