//! What a machine itself shows: its rhythm, its current, its spindle, its firmware.

use andon_schemas::profile::{Cadence, Current, Firmware, Frozen, Load, Spindle};
use schemars::JsonSchema;
use serde::Serialize;

use super::sheet::{Between, seconds};

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Rhythm {
    /// Bytes of one message.
    bytes: Between,
    /// Seconds from one message to the next.
    period_s: f64,
    /// Standard deviation of that, seconds.
    jitter_s: f64,
}

/// Amperes by what a machine does.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "CurrentStates")]
#[expect(clippy::struct_field_names, reason = "each bears its unit")]
pub(super) struct States {
    idle_a: Between,
    active_a: Between,
    /// More is wrong in any state; null if none is written.
    limit_a: Option<f64>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SpindleSpeed")]
pub(super) struct Speed {
    rpm: Between,
    /// More is found on the row that proves it.
    limit_rpm: f64,
}

/// The current that goes with some speeds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct LoadAt {
    from_rpm: f64,
    to_rpm: f64,
    /// Of a sample.
    current_a: Between,
    /// Of the mean of a quarter of an hour.
    mean_a: Option<Between>,
}

/// Seconds for which a value may stay exactly the same; null for ever.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "each bears its unit")]
pub(super) struct SameFor {
    idle_s: Option<f64>,
    active_s: Option<f64>,
    turning_s: Option<f64>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "FirmwareRelease")]
pub(super) struct Release {
    version: String,
    /// SHA-256 of the images, lower-case hex.
    sha256: Vec<String>,
    /// The day.
    released: String,
}

impl Rhythm {
    pub(super) fn of(cadence: &Cadence) -> Self {
        Self {
            bytes: Between::of(cadence.size),
            period_s: cadence.period_s,
            jitter_s: cadence.jitter_s,
        }
    }
}

impl States {
    pub(super) fn of(current: &Current) -> Self {
        Self {
            idle_a: Between::of(current.idle),
            active_a: Between::of(current.active),
            limit_a: current.limit,
        }
    }
}

impl Speed {
    pub(super) fn of(spindle: &Spindle) -> Self {
        Self {
            rpm: Between::of(spindle.range),
            limit_rpm: spindle.limit,
        }
    }
}

impl LoadAt {
    pub(super) fn of(load: &Load) -> Self {
        Self {
            from_rpm: load.from_rpm,
            to_rpm: load.to_rpm,
            current_a: Between::of(load.current),
            mean_a: load.mean.map(Between::of),
        }
    }
}

impl SameFor {
    pub(super) fn of(frozen: &Frozen) -> Self {
        Self {
            idle_s: frozen.idle.map(seconds),
            active_s: frozen.active.map(seconds),
            turning_s: frozen.turning.map(seconds),
        }
    }
}

impl Release {
    pub(super) fn of(firmware: &Firmware) -> Self {
        Self {
            version: firmware.version.clone(),
            sha256: firmware.digests.clone(),
            released: firmware.released.clone(),
        }
    }
}
