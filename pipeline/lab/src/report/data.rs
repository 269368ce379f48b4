//! What a report is made from: plain values, put together by whoever ran the captures.

use std::collections::BTreeMap;

use andon_ingest::files::FileReport;
use andon_schemas::command::Response;
use andon_schemas::grade::{Grade, RiskClass};
use andon_schemas::identity::DeviceId;
use andon_schemas::profile::Calibration;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::{EventTime, PlantClock};
use andon_schemas::verdict::{ProfileRef, Risk, Verdict};

use super::history::Step;
use crate::compare::Comparison;

/// Everything that a report tells of one backtest.
#[derive(Debug)]
pub struct Report<'a> {
    /// The plant's name.
    pub site: &'a str,
    /// The plant's clock: every time in the report is shown on it.
    pub clock: &'a PlantClock,
    /// The folder of the results, as it was named: commands to copy name it too.
    pub folder: &'a str,
    /// What went in and how much was watched.
    pub played: Played,
    /// What became of each file.
    pub files: &'a [FileReport],
    /// The profiles that were measured against, by device type where they have one.
    pub profiles: Vec<ProfileRef>,
    /// What calibrated profiles promise, each promise once.
    pub promises: Vec<Promise>,
    /// Every device of the inventory, and every other that was seen.
    pub devices: Vec<Device>,
    /// Every episode.
    pub episodes: Vec<Episode<'a>>,
    /// The ground truth, where there is one.
    pub truth: Option<Truth>,
    /// What another set of profiles would have made of it.
    pub comparison: Option<&'a Comparison>,
}

/// Alerts against what people bear in a day.
#[derive(Clone, Copy, Debug)]
pub struct AlertLoad {
    /// False alarms by statistics that are borne, of all devices together, a day.
    pub per_day: f64,
    /// What evidence has to reach for it, device-days per false alarm.
    pub level: f64,
    /// Alerts by rules.
    pub rule: u64,
    /// Alerts by evidence.
    pub evidence: u64,
    /// The same on a day of the whole fleet; `None` if no device-hour has passed.
    pub evidence_per_day: Option<f64>,
    /// Verdicts of MEDIUM or worse whose evidence stayed below.
    pub held: u64,
}

/// What went in. No wall time: the same input gives the same report.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Records read.
    pub records: u64,
    /// Records that yielded an observation.
    pub records_observed: u64,
    /// Observations accepted by the engine.
    pub observations: u64,
    /// Records that yielded none, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
    /// Observations after their windows may have closed.
    pub late: u64,
    /// Observations told twice.
    pub duplicates: u64,
    /// Parts of flows that fell into closed windows.
    pub spread_late: u64,
    /// Unproven observations of devices that prove themselves.
    pub unproven_apart: u64,
    /// Findings held back by declared maintenance.
    pub in_maintenance: u64,
    /// Devices seen.
    pub devices: u64,
    /// Hours of devices that were watched.
    pub device_hours: u64,
    /// Lines of verdicts.
    pub revisions: u64,
    /// Alerts against what the plant's people bear; `None` if the inventory does not say.
    pub alerts: Option<AlertLoad>,
    /// The first and the last event time of a record that was observed.
    pub stretch: Option<(EventTime, EventTime)>,
    /// Hours of event time in which anything was observed.
    pub hours: u64,
    /// What stood for the receive time of records that had none; `None` where they had one.
    pub as_of: Option<EventTime>,
    /// Over all profiles.
    pub profile_hash: String,
    /// Over the inventory.
    pub inventory_hash: String,
    /// Of the program.
    pub version: String,
}

/// What `tune` certified, and the profiles that say so.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The calibration they share.
    pub calibration: Calibration,
    /// Their names.
    pub profiles: Vec<String>,
}

/// What left the device for the other end of an attack, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leak {
    /// Before the attack was found; all of it if it was not.
    pub before_found: u64,
    /// While the attack went on.
    pub total: u64,
}

/// One device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its identity.
    pub id: DeviceId,
    /// Its type; empty if the inventory does not list it.
    pub device_type: String,
    /// Its segment; empty if unknown.
    pub segment: String,
    /// The plant's weighting of it.
    pub risk_class: Option<RiskClass>,
    /// People can be hurt if it is cut.
    pub safety_critical: bool,
    /// Its risk at the end.
    pub risk: Risk,
    /// Whether any row of it was accepted.
    pub seen: bool,
}

/// One verdict id, through all its revisions.
#[derive(Debug)]
pub struct Episode<'a> {
    /// The last revision.
    pub last: &'a Verdict,
    /// The worst grade of any revision.
    pub worst: Grade,
    /// When it first reached MEDIUM.
    pub medium_at: Option<EventTime>,
    /// Its revisions, the first of them first.
    pub steps: &'a [Step],
    /// The strongest response of any revision.
    pub response: &'a Response,
    /// What caused it.
    pub cause: Cause,
}

/// What caused an episode, as far as labels tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There are no labels.
    Unknown,
    /// An attack: its number in [`Truth::attacks`].
    Attack(usize),
    /// A rung of the volume ladder.
    Ladder,
    /// Nothing: it is a false alarm.
    Nothing,
}

/// The ground truth and what was made of it.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Every attack but the rungs of the volume ladder.
    pub attacks: Vec<Attack>,
    /// The volume ladder, the lowest rung first.
    pub ladder: Vec<Rung>,
    /// Device-hours in which an episode first reached MEDIUM for nothing.
    pub false_positives: u64,
    /// Episodes for nothing that never rose above LOW.
    pub low_for_nothing: u64,
    /// Device-hours that could have had a false alarm.
    pub device_hours: u64,
}

/// One attack and what was made of it.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Name of the attack.
    pub name: String,
    /// One plain sentence about it.
    pub note: String,
    /// The device it was carried out on.
    pub device: DeviceId,
    /// First moment of it.
    pub start: EventTime,
    /// First moment after it.
    pub end: EventTime,
    /// The grade it should reach.
    pub expected_grade: Grade,
    /// The worst grade its episode reached.
    pub grade: Option<Grade>,
    /// From its first moment to the opening finding, seconds of event time.
    pub delay_s: Option<f64>,
    /// Detectors that should be among the findings and are not.
    pub missing: Vec<String>,
    /// It reached the expected grade with all its detectors.
    pub as_expected: bool,
    /// Labelled, but not due yet.
    pub later: bool,
    /// What left the device during it; `None` if no flow of it was seen.
    pub leak: Option<Leak>,
    /// Why nothing in the captures can have been this attack, if so.
    pub unmatched: Option<&'static str>,
}

/// One rung of the volume ladder.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// How many times its own usual bytes each device moved.
    pub factor: f64,
    /// Devices on it.
    pub devices: u64,
    /// Those found.
    pub found_any: u64,
    /// Those found at MEDIUM or worse.
    pub found_medium: u64,
    /// Hours to the finding, the median of those found.
    pub median_delay_h: Option<f64>,
}
