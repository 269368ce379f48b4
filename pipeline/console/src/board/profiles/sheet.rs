//! One profile as it is in force, in base units: bytes, amperes, revolutions per minute, seconds,
//! and shares between 0 and 1.

use andon_schemas::grade::Grade;
use andon_schemas::observation::ByteKind;
use andon_schemas::profile::{
    Calibration, CommandRule, DetectorSetting, Hours, LearnedNull, PatienceSource, Profile, Range,
    Volume,
};
use andon_schemas::quantity::write_hours_span;
use andon_schemas::time::Span;
use schemars::JsonSchema;
use serde::Serialize;

use super::machine::{LoadAt, Release, Rhythm, SameFor, Speed, States};
use super::talk::{Commands, Peer, ProtocolShare};

/// What a profile says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Sheet {
    /// The profiles that it extends, nearest first; what they say is in here.
    extends: Vec<String>,
    /// A controller that talks to a destination outside its profile is CRITICAL.
    controller: bool,
    /// Whom a device may talk to.
    destinations: Vec<Peer>,
    /// Who may connect to it; its destinations may as well.
    clients: Vec<Peer>,
    /// How.
    protocols: Vec<ProtocolShare>,
    /// The commands it may give; null if nothing is written of them.
    sends: Option<Vec<Commands>>,
    /// The commands it may take; null if nothing is written of them.
    accepts: Option<Vec<Commands>>,
    /// Bytes per hour, both directions together.
    volume_per_hour: Option<HourlyBytes>,
    /// Share of an hour's bytes that it sends, 0–1.
    upload_share: Option<Between>,
    /// New connections per hour.
    connections_per_hour: Option<Between>,
    /// When it is expected to be active; null for no expectation.
    active_hours: Option<ActiveHours>,
    /// In what rhythm it sends.
    cadence: Option<Rhythm>,
    /// Current draw.
    current: Option<States>,
    /// Spindle speed.
    spindle: Option<Speed>,
    /// The current at speeds of the spindle, in their order.
    load: Vec<LoadAt>,
    /// How long a sensor may show exactly the same.
    frozen: Option<SameFor>,
    /// Known good firmware, in order of release; empty if none is written.
    firmware: Vec<Release>,
    /// Fan-out within an hour that is still no scan.
    scan: Fanout,
    /// Nothing of it for so long inside active hours is silence, seconds.
    silence_s: f64,
    /// Where that is from.
    silence_by: PatienceSource,
    /// What the profile says of detectors; all others are on, with their own grades.
    detectors: Vec<Setting>,
    /// What was measured on clean traffic; null for ranges that were only written: their statistics
    /// stay at LOW.
    calibration: Option<Measured>,
    /// The level that each detector learned.
    learned: Vec<Level>,
    /// All of it as a YAML file that reads back as the same profile.
    yaml: String,
}

/// A range, both ends included.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Between {
    low: f64,
    high: f64,
    /// Share of honest values inside, 0–1.
    coverage: f64,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct HourlyBytes {
    #[serde(flatten)]
    range: Between,
    /// What counts as one byte.
    bytes: ByteKind,
    /// More than so many bytes in an hour is found on the row that proves it.
    limit: f64,
    /// Whether that limit is written, and not a multiple of the upper end.
    limit_is_written: bool,
    /// What the bytes of an hour are compared with.
    baseline: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ActiveHours {
    /// Stretches of the week in plant time: `Mon-Fri 06:00-22:00`, `always`.
    spans: Vec<String>,
    /// Tolerance at both ends, minutes.
    grace_min: u16,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct Fanout {
    hosts: u32,
    ports: u32,
    failed: u32,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "DetectorSetting")]
struct Setting {
    detector: String,
    off: bool,
    /// Another grade than its own.
    grade: Option<Grade>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Calibration")]
struct Measured {
    /// Clean device-hours behind it.
    device_hours: u64,
    /// False positives per device-hour, at most.
    false_positives: f64,
    /// How sure that is, 0–1.
    confidence: f64,
    /// Evidence counts for one part in so many.
    discount: f64,
}

/// What is usual of a number per hour.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LearnedLevel")]
struct Level {
    detector: String,
    /// The middle of the type: bytes, bytes up for each byte down, or connections.
    middle: f64,
    /// Standard deviation of the levels of devices, on the scale of logarithms.
    levels: f64,
    /// The same of the hours of one device.
    within: f64,
    /// Whether hours of the week differ.
    by_hour: bool,
    /// Clean windows behind it.
    windows: u64,
}

impl Sheet {
    /// What this profile says.
    pub(super) fn of(profile: &Profile) -> Self {
        let commands = profile.commands.as_ref();
        let side = |rules: &Vec<CommandRule>| rules.iter().map(Commands::of).collect();
        let settings = profile.detectors.iter();
        let learned = profile.learned.iter();
        let patience = profile.patience();
        Self {
            extends: profile.extends.clone(),
            controller: profile.controller,
            destinations: profile.destinations.iter().map(Peer::of).collect(),
            clients: profile.clients.iter().map(Peer::of).collect(),
            protocols: profile.protocols.iter().map(ProtocolShare::of).collect(),
            sends: commands.and_then(|both| both.sends.as_ref()).map(side),
            accepts: commands.and_then(|both| both.accepts.as_ref()).map(side),
            volume_per_hour: profile.volume.as_ref().map(HourlyBytes::of),
            upload_share: profile.upload.map(Between::of),
            connections_per_hour: profile.connections.map(Between::of),
            active_hours: profile.hours.as_ref().map(ActiveHours::of),
            cadence: profile.cadence.as_ref().map(Rhythm::of),
            current: profile.current.as_ref().map(States::of),
            spindle: profile.spindle.as_ref().map(Speed::of),
            load: profile.load.iter().map(LoadAt::of).collect(),
            frozen: profile.frozen.as_ref().map(SameFor::of),
            firmware: profile.firmware.iter().map(Release::of).collect(),
            scan: Fanout {
                hosts: profile.scan.hosts,
                ports: profile.scan.ports,
                failed: profile.scan.failed,
            },
            silence_s: seconds(patience.span),
            silence_by: patience.source,
            detectors: settings
                .map(|(name, set)| Setting::of(name, *set))
                .collect(),
            calibration: profile.calibration.as_ref().map(Measured::of),
            learned: learned.map(|(name, law)| Level::of(name, law)).collect(),
            yaml: profile.to_yaml(),
        }
    }
}

pub(super) fn seconds(span: Span) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a millisecond more or less of a year"
    )]
    let micros = span.micros() as f64;
    micros / 1e6
}

impl Between {
    pub(super) fn of(range: Range) -> Self {
        Self {
            low: range.lo,
            high: range.hi,
            coverage: range.coverage,
        }
    }
}

impl HourlyBytes {
    fn of(volume: &Volume) -> Self {
        Self {
            range: Between::of(volume.range),
            bytes: volume.bytes,
            limit: volume.rule_bytes,
            limit_is_written: volume.absolute,
            baseline: volume.baseline,
        }
    }
}

impl ActiveHours {
    fn of(hours: &Hours) -> Self {
        Self {
            spans: hours.spans.iter().map(write_hours_span).collect(),
            grace_min: hours.grace_min,
        }
    }
}

impl Setting {
    fn of(detector: &str, setting: DetectorSetting) -> Self {
        Self {
            detector: detector.to_owned(),
            off: setting.off,
            grade: setting.grade,
        }
    }
}

impl Measured {
    fn of(calibration: &Calibration) -> Self {
        Self {
            device_hours: calibration.device_hours,
            false_positives: calibration.false_positives,
            confidence: calibration.confidence,
            discount: calibration.discount,
        }
    }
}

impl Level {
    fn of(detector: &str, law: &LearnedNull) -> Self {
        Self {
            detector: detector.to_owned(),
            middle: law.middle,
            levels: law.levels,
            within: law.within,
            by_hour: !law.season.is_empty(),
            windows: law.up.windows,
        }
    }
}
