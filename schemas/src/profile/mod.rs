//! A profile: what is normal for one *type* of device, as its engineers wrote it.
//!
//! This file holds the checked form, which cannot hold nonsense; `parse` reads the YAML and
//! reports everything that is wrong with it at once.

mod behaviour;
mod commands;
mod contract;
mod diff;
mod learned;
mod learned_shares;
mod parse;
mod read;
mod sensors;
mod silence;
mod state;
mod talk;
mod write;

pub use contract::json_schema;
pub use diff::{Difference, diff};
pub use learned::{HOURS_OF_WEEK, LEARNERS, LearnedNull, LearnedSpike, LearnedStep, LearnedSteps};
pub use learned_shares::{LearnedCell, LearnedShares, SHARE_LEARNERS};
pub(crate) use parse::type_name;
pub use parse::{ProfileSet, SourceFile, parse};
pub use sensors::{Frozen, Load};
pub use silence::{Patience, PatienceSource};
pub(crate) use talk::{host_name, network, role};

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use crate::canonical;
use crate::grade::Grade;
use crate::observation::{ByteKind, Transport};
use crate::time::Span;

/// How much of honest behaviour lies inside a range that says nothing about it.
pub const COVERAGE_DEFAULT: f64 = 0.95;

/// A range somebody wrote down, both ends included, `lo <= hi`.
///
/// `coverage` says how much of honest behaviour lies inside: at 0.95 five hours in a hundred lie
/// outside, so a range alone is never a one-row limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// Lower end, in the unit of the field that holds it.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// Share of honest values inside, strictly between 0 and 1.
    pub coverage: f64,
}

/// Where a device may talk to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// A name, lower case, resolved through the inventory and bounded DNS answers.
    Name(String),
    /// One address.
    Address(IpAddr),
    /// A network.
    Network(IpNet),
    /// Every server that the inventory gives this role (`ntp`, `dns`, `historian`, …).
    Role(String),
    /// Every inventoried device of this type.
    DeviceType(String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write!(f, "{address}"),
            Self::Network(network) => write!(f, "{network}"),
            Self::Role(role) => write!(f, "role {role}"),
            Self::DeviceType(name) => write!(f, "type {name}"),
        }
    }
}

/// One destination of a profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Destination {
    /// Whom.
    pub target: Target,
    /// Share of the device's connections, 0–1, if written.
    pub share: Option<f64>,
    /// A safety flow: automatic responses leave it alone.
    pub safety: bool,
    /// The exact flows, where they are written; empty means any protocol of the profile.
    pub over: Vec<ProtocolMatch>,
}

/// One protocol of a profile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ProtocolMatch {
    /// Transport it runs on.
    pub transport: Transport,
    /// The responder's port; `None` for any (ICMP).
    pub port: Option<u16>,
}

/// One protocol and its share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Protocol {
    /// Its name in the field, lower case: `modbus`, `ethernet-ip`, `ntp`.
    pub name: String,
    /// What a flow looks like that speaks it; any one matches.
    pub matches: Vec<ProtocolMatch>,
    /// Names under which sensors report it (Zeek `service`).
    pub services: Vec<String>,
    /// Share of the device's connections, 0–1, if written.
    pub share: Option<f64>,
}

/// Hourly volume, both directions together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Volume {
    /// Bytes per hour.
    pub range: Range,
    /// What counts as one byte.
    pub bytes: ByteKind,
    /// The one-row rule fires above this many bytes in an hour.
    pub rule_bytes: f64,
    /// Whether `rule_bytes` was written as an absolute limit rather than as a multiple.
    pub absolute: bool,
    /// What "the baseline" of an hour is, bytes: written, or derived (`size x 3600 / period` of a
    /// cadence, else the geometric middle of the range).
    pub baseline: f64,
}

/// A stretch of the week in plant time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HoursSpan {
    /// Bit 0 = Monday … bit 6 = Sunday: the days on which it starts.
    pub days: u8,
    /// First minute of the day inside, 0…1439.
    pub from: u16,
    /// First minute outside, 1…1440; if `to <= from` it runs past midnight.
    pub to: u16,
}

/// When the device is expected to be active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hours {
    /// Any one of them; never empty.
    pub spans: Vec<HoursSpan>,
    /// Tolerance at both ends, minutes.
    pub grace_min: u16,
}

impl Hours {
    /// Whether `minute` of `weekday` (0 = Monday) lies inside, grace included.
    pub fn hold(&self, weekday: u8, minute: u16) -> bool {
        const WEEK: i32 = 7 * 1440;
        let now = i32::from(weekday) * 1440 + i32::from(minute);
        let grace = i32::from(self.grace_min);
        self.spans.iter().any(|span| {
            let length = match i32::from(span.to) - i32::from(span.from) {
                l if l <= 0 => l + 1440,
                l => l,
            };
            (0..7).filter(|day| span.days >> day & 1 == 1).any(|day| {
                let start = day * 1440 + i32::from(span.from) - grace;
                (now - start).rem_euclid(WEEK) < length + 2 * grace
            })
        })
    }
}

/// A device that sends one message of a known size every period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cadence {
    /// Bytes of one message, payload.
    pub size: Range,
    /// Seconds between messages.
    pub period_s: f64,
    /// Standard deviation of the period, seconds.
    pub jitter_s: f64,
}

/// Current draw by state, amperes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Current {
    /// While idle.
    pub idle: Range,
    /// While working.
    pub active: Range,
    /// Above this for three samples something is wrong, whatever the state; if written.
    pub limit: Option<f64>,
}

/// Spindle speed, revolutions per minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spindle {
    /// Written range.
    pub range: Range,
    /// Absolute limit: the upper end, unless written.
    pub limit: f64,
}

/// One firmware that is known to be good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// Version as the vendor writes it.
    pub version: String,
    /// SHA-256 of the image, lower-case hex; several, where the vendor ships several builds.
    pub digests: Vec<String>,
    /// When it was released or installed (`2025-09-15`), for telling a downgrade.
    pub released: String,
}

/// Commands that may be given, and between whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandRule {
    /// Names of `ot_command`, in alphabetical order, at least one.
    pub names: Vec<String>,
    /// Who gives or gets them; empty means anybody.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<Target>,
}

/// Which commands a device gives and takes. A side that is written holds all of them: an empty one
/// says that there are none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandLists {
    /// What it gives to others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sends: Option<Vec<CommandRule>>,
    /// What it takes from others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Vec<CommandRule>>,
}

/// How many distinct peers are still not a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ScanLimits {
    /// Distinct hosts tried within an hour.
    pub hosts: u32,
    /// Distinct (host, port) pairs tried within an hour.
    pub ports: u32,
    /// Unanswered or refused connections within an hour.
    pub failed: u32,
}

/// What a plant may say about one detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DetectorSetting {
    /// Switched off.
    pub off: bool,
    /// Another grade than the default.
    pub grade: Option<Grade>,
}

/// What `andon tune` measured on clean traffic of this device type, and what follows from it.
///
/// With it the statistics of a profile are graded as they are; without it they are capped at LOW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Evidence counts for one part in so many, at least 1: stakes are divided by it.
    pub discount: f64,
    /// Clean device-hours behind it.
    pub device_hours: u64,
    /// False positives per device-hour, at most: what was certified.
    pub false_positives: f64,
    /// How sure that is, 0–1.
    pub confidence: f64,
}

/// What is normal for one type of device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// The device type, `cnc_controller`, or a variant of one, `cnc_controller_fanuc`.
    pub name: String,
    /// Version as its authors count it.
    pub version: String,
    /// One line for people.
    pub description: String,
    /// The names it extends, nearest first.
    pub extends: Vec<String>,
    /// SHA-256 over the checked form, lower-case hex.
    #[serde(skip)]
    pub hash: String,
    /// A controller that talks to a destination outside its profile is CRITICAL.
    pub controller: bool,
    /// Whom it talks to.
    pub destinations: Vec<Destination>,
    /// Who may connect to it; its destinations may as well.
    pub clients: Vec<Destination>,
    /// How.
    pub protocols: Vec<Protocol>,
    /// Which commands it gives and takes. A profile without any has the hash it had before there
    /// were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<CommandLists>,
    /// Hourly volume.
    pub volume: Option<Volume>,
    /// Share of an hour's bytes that it sends, both ends strictly between 0 and 1. A profile
    /// without one has the hash it had before there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<Range>,
    /// New connections per hour, counted at the originator.
    pub connections: Option<Range>,
    /// When.
    pub hours: Option<Hours>,
    /// In what rhythm.
    pub cadence: Option<Cadence>,
    /// Current draw.
    pub current: Option<Current>,
    /// Spindle speed.
    pub spindle: Option<Spindle>,
    /// The current at speeds of the spindle, in their order; left out of the hash if there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load: Vec<Load>,
    /// How long a sensor may show the same value; left out of the hash if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
    /// Known good firmware, in order of release.
    pub firmware: Vec<Firmware>,
    /// Fan-out that is still normal.
    pub scan: ScanLimits,
    /// No accepted row for this long inside active hours means silence.
    pub silence: Option<Span>,
    /// Overrides by detector name.
    pub detectors: BTreeMap<String, DetectorSetting>,
    /// What was measured on clean traffic; never inherited. A profile without one has the hash it
    /// had before there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What was learned for the statistics, by detector; never inherited.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub learned: BTreeMap<String, LearnedNull>,
    /// What was learned of shares, by detector; never inherited.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub learned_shares: BTreeMap<String, LearnedShares>,
}

impl Profile {
    /// The kind of bytes that its figures are in: others are not added to them. `None` if it has
    /// no such figures.
    pub fn counted_bytes(&self) -> Option<ByteKind> {
        let volume = self.volume.map(|volume| volume.bytes);
        volume.or_else(|| self.upload.map(|_| ByteKind::default()))
    }

    /// SHA-256 over the canonical JSON of the checked form, lower-case hex. What it extends does
    /// not enter: two profiles that say the same have the same hash, however they were written.
    pub fn content_hash(&self) -> String {
        let content = Self {
            extends: Vec::new(),
            ..self.clone()
        };
        canonical::digest(&content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_run_past_midnight_and_past_the_week() {
        let late = Hours {
            spans: vec![HoursSpan {
                days: 0b100_0000,
                from: 22 * 60,
                to: 6 * 60,
            }],
            grace_min: 0,
        };
        assert!(late.hold(6, 23 * 60));
        assert!(late.hold(0, 5 * 60 + 59));
        assert!(!late.hold(0, 6 * 60));
        assert!(!late.hold(5, 23 * 60));
    }

    #[test]
    fn grace_widens_both_ends() {
        let day = Hours {
            spans: vec![HoursSpan {
                days: 0b001_1111,
                from: 6 * 60,
                to: 22 * 60,
            }],
            grace_min: 15,
        };
        assert!(day.hold(0, 5 * 60 + 45));
        assert!(!day.hold(0, 5 * 60 + 44));
        assert!(day.hold(4, 22 * 60 + 14));
        assert!(!day.hold(4, 22 * 60 + 15));
        assert!(!day.hold(6, 12 * 60));
    }
}
