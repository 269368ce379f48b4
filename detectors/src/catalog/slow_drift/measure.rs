//! The numbers that are followed, each in the unit people know it in.

use andon_schemas::profile::{Cadence, Profile, Range};

use crate::drift::DriftPlan;
use crate::shift::ends;
use crate::stats::range::LogNormalNull;
use crate::stats::tilts::Side;
use crate::words::{bytes_text, three_digits};
use crate::written::hourly_volume;

/// Numbers of one device at most.
pub(super) const LANES: usize = 4;
/// Below this share of the limit a spindle stands.
const STANDING: f64 = 0.01;
/// Honest messages that are early, lost or sent again, at most: what their number varies by.
const UNRULY: f64 = 0.03;
/// An hour may hold one message more or less than the one before: a sixth of one, squared.
const GRAIN: f64 = 1.0 / 6.0;

/// A number of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Bytes an hour, both directions.
    Volume,
    /// Messages an hour of a device with a cadence.
    Rhythm,
    /// Bytes up for each byte down.
    Upload,
    /// Bytes of a message.
    Size,
    /// Amperes while it works.
    Current,
    /// Revolutions per minute while it turns.
    Spindle,
}

/// How one number is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub(super) measure: Measure,
    /// The middle of the type, in the unit of the number.
    middle: f64,
    /// Samples below this do not count.
    pub(super) from: f64,
    pub(super) plan: DriftPlan,
}

impl Lane {
    fn hours(measure: Measure, null: &LogNormalNull) -> Self {
        Self {
            measure,
            middle: null.median(),
            from: 0.0,
            plan: DriftPlan::hours(null.sigma),
        }
    }

    fn samples(measure: Measure, range: &Range, from: f64) -> Option<Self> {
        let (lo, hi) = ends(range.lo, range.hi, 0.5 * range.hi);
        let null = LogNormalNull::from_range(lo, hi, range.coverage).ok()?;
        Some(Self {
            measure,
            middle: null.median(),
            from,
            plan: DriftPlan::samples(null.sigma),
        })
    }

    /// A value as a step: a ratio to the middle, or the logarithm of one.
    pub(super) fn step(&self, value: f64) -> f64 {
        let ratio = value / self.middle;
        match self.measure {
            Measure::Current | Measure::Spindle => ratio.min(100.0),
            _ => ratio.max(1e-12).ln(),
        }
    }

    /// The value at the logarithm of a ratio to the middle.
    pub(super) fn value(&self, ln_ratio: f64) -> f64 {
        self.middle * ln_ratio.clamp(-60.0, 60.0).exp()
    }
}

/// The numbers that a profile speaks of.
pub(super) fn lanes(profile: &Profile) -> [Option<Lane>; LANES] {
    let [first, second] = match &profile.cadence {
        Some(cadence) => [
            rhythm(cadence).map(|null| Lane::hours(Measure::Rhythm, &null)),
            sizes(cadence).map(|null| Lane::hours(Measure::Size, &null)),
        ],
        None => [
            volume(profile).map(|null| Lane::hours(Measure::Volume, &null)),
            upload(profile).map(|null| Lane::hours(Measure::Upload, &null)),
        ],
    };
    [
        first,
        second,
        profile.current.and_then(|current| {
            let from = (current.idle.hi * current.active.lo).sqrt();
            Lane::samples(Measure::Current, &current.active, from)
        }),
        profile.spindle.and_then(|spindle| {
            Lane::samples(Measure::Spindle, &spindle.range, STANDING * spindle.limit)
        }),
    ]
}

fn volume(profile: &Profile) -> Option<LogNormalNull> {
    profile.volume.and_then(|volume| hourly_volume(&volume))
}

/// The odds of a byte to go up.
fn upload(profile: &Profile) -> Option<LogNormalNull> {
    let range = profile.upload?;
    let odds = |share: f64| share / (1.0 - share);
    let (lo, hi) = ends(odds(range.lo), odds(range.hi), odds(range.lo));
    LogNormalNull::from_range(lo, hi, range.coverage).ok()
}

/// Messages an hour; nothing for a rhythm slower than ten an hour, which says too little.
fn rhythm(cadence: &Cadence) -> Option<LogNormalNull> {
    let messages = 3_600.0 / cadence.period_s;
    if messages < 10.0 {
        return None;
    }
    let sigma = (UNRULY / messages + GRAIN / (messages * messages)).sqrt();
    Some(LogNormalNull {
        mu: messages.ln(),
        sigma,
        scale: sigma,
    })
}

fn sizes(cadence: &Cadence) -> Option<LogNormalNull> {
    let size = cadence.size;
    let (lo, hi) = ends(size.lo, size.hi, 0.5 * size.hi);
    LogNormalNull::from_range(lo, hi, size.coverage).ok()
}

impl Measure {
    /// Its place in the state, which two numbers share if only one of them is followed: where there
    /// is a cadence, rhythm and size take the places of volume and upload, which they make.
    pub(super) const fn lane(self) -> usize {
        match self {
            Self::Volume | Self::Rhythm => 0,
            Self::Upload | Self::Size => 1,
            Self::Current => 2,
            Self::Spindle => 3,
        }
    }

    /// What people call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Volume => "hourly volume",
            Self::Rhythm => "message rate",
            Self::Upload => "upload for each byte received",
            Self::Size => "message size",
            Self::Current => "working current",
            Self::Spindle => "spindle speed",
        }
    }

    /// Its key, with its unit.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Volume => "bytes_per_hour",
            Self::Rhythm => "messages_per_hour",
            Self::Upload => "up_per_down",
            Self::Size => "message_bytes",
            Self::Current => "active_current_a",
            Self::Spindle => "spindle_rpm",
        }
    }

    /// A value of it as people write it.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Volume => format!("{} an hour", bytes_text(value)),
            Self::Rhythm => format!("{} messages an hour", three_digits(value)),
            Self::Upload => format!("{} B", three_digits(value)),
            Self::Size => bytes_text(value),
            Self::Current => format!("{} A", three_digits(value)),
            Self::Spindle => format!("{value:.0} rpm"),
        }
    }

    /// ATT&CK for ICS: what leaves, what is injected or held back, what is changed in the process.
    pub(super) fn techniques(self, side: Side) -> Vec<String> {
        let ids: &[&str] = match (self, side) {
            (Self::Volume | Self::Upload, Side::Up) => &["T0882"],
            (Self::Volume | Self::Upload, Side::Down) => &["T0815"],
            (Self::Rhythm, Side::Down) => &["T0804"],
            (Self::Rhythm | Self::Size, _) => &["T0856", "T0882"],
            (Self::Current | Self::Spindle, _) => &["T0831", "T0836"],
        };
        ids.iter().map(|id| (*id).to_owned()).collect()
    }
}
