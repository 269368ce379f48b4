//! Whitening: what is left of a window's score once the device's own level and the window before
//! it are known.
//!
//! Evidence multiplies, so the steps must not repeat each other. A device that always runs 15 %
//! above its type, or whose busy hours follow busy hours, would otherwise prove the same thing
//! hour after hour: by simulation a pooled profile alarms 95 times, and one without memory 13
//! times as often as promised.
//!
//! The model: score = level of the device + AR(1) residual, the level drawn from a normal law of
//! spread `tau` over the devices of a type. [`Whitener`] keeps the posterior of the level (the
//! empirical-Bayes shrinkage `tau² / (tau² + v)`, `v = σ²/n (1+φ)/(1-φ)`, in recursive form) and
//! returns the *innovation*: the new score minus its prediction from the device's past, over the
//! standard deviation of that prediction, uncertainty of the level included.
//!
//! What holds. If device levels, spread and memory are as the plan says, innovations are exactly
//! independent standard normal from the first window on, so likelihood-ratio bets on them have
//! mean 1 given the device's past and the budget theorem applies. That "if" is an average over
//! devices, and for hand-written ranges `phi`, `tau` and the width are assumptions. Alarms at 100
//! device-days, as multiples of the level (the bound is 1.11), by simulation of 400 devices over
//! a year with the tilts for written ranges:
//!
//! | honest devices | multiple |
//! |---|---|
//! | as assumed; memory 0.2; half the spread within a device | 0.06; 0.00; 0.00 |
//! | memory 0.5; 0.6; 0.8 | 0.28; 1.0; 6.9 |
//! | heavy-tailed noise (t, 5 degrees); levels spread twice as far | 0.14; 0.09 |
//! | spread within a device 1.2 times; 1.5 times the written one | 0.99; 8.3 |
//!
//! Too strong a memory or too narrow a range breaks the promise, too weak or too wide only costs
//! speed. This is why findings on written ranges are capped at LOW. A calibrated table
//! ([`steps`](super::steps)) built from the same innovations does not need the model to be right.
//!
//! Slow drift is followed, but only so far from the signed level ([`WhitenPlan::drift_max`]): an
//! attacker who moves the baseline patiently gets about 16 % and no more.

use serde::{Deserialize, Serialize};

/// Assumed lag-1 correlation of hourly scores until a profile is calibrated.
pub const WRITTEN_PHI: f64 = 0.4;
/// Assumed spread of device levels around their type, on the log scale, until then.
pub const WRITTEN_TAU: f64 = 0.15;
/// How far a level may drift from the signed one, on the log scale (about 16 %).
pub const DRIFT_MAX: f64 = 0.15;
/// Half-life of a level that follows drift: 14 days of hourly windows.
const HALF_LIFE_WINDOWS: f64 = 14.0 * 24.0;
/// Windows after which a level counts as signed unless an operator signs it: one week, so that
/// every hour of the week has been seen.
const SIGNED_AFTER: u16 = 7 * 24;
/// The level learns from at most this many standard deviations of surprise.
const LEARN_CLIP: f64 = 2.0;
/// The memory keeps at most this many standard deviations, so that one spike does not make the
/// honest window after it look like a drop. Rare enough (6e-5) not to matter to the guarantee.
const MEMORY_CLIP: f64 = 4.0;

/// How one signal of a device type is whitened; shared by all its devices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhitenPlan {
    /// Lag-1 correlation of scores within a device, in [0, 0.95].
    phi: f64,
    /// Standard deviation of device levels.
    tau: f64,
    /// Standard deviation of scores within a device.
    sigma: f64,
    /// Furthest a level may be from the signed one, in the unit of the scores.
    drift_max: f64,
}

impl WhitenPlan {
    /// A plan with estimated parameters, all in the unit of the scores (log units for residuals
    /// on the log scale, of which `drift_max` is then [`DRIFT_MAX`]).
    ///
    /// Values out of their range are moved to its nearest end: `phi` to [0, 0.95], `tau` and
    /// `drift_max` to 0 or more, a `sigma` that is not positive to 1.
    pub fn new(phi: f64, tau: f64, sigma: f64, drift_max: f64) -> Self {
        Self {
            phi: if phi > 0.0 { phi.min(0.95) } else { 0.0 },
            tau: if tau > 0.0 { tau.min(1e6) } else { 0.0 },
            sigma: if sigma > 0.0 {
                sigma.clamp(1e-6, 1e6)
            } else {
                1.0
            },
            drift_max: if drift_max > 0.0 { drift_max } else { 0.0 },
        }
    }

    /// The plan for standard normal scores against a hand-written range whose logarithm has
    /// standard deviation `sigma_log`.
    ///
    /// The written range describes all devices and hours together, so its unit variance is split
    /// into the spread of levels (`0.15 / sigma_log`, at most half of it for narrow ranges) and
    /// the rest within a device.
    pub fn written(sigma_log: f64) -> Self {
        let unit = if sigma_log > 0.0 { sigma_log } else { 1.0 };
        let tau = (WRITTEN_TAU / unit).min(std::f64::consts::FRAC_1_SQRT_2);
        Self::new(WRITTEN_PHI, tau, (1.0 - tau * tau).sqrt(), DRIFT_MAX / unit)
    }

    /// Furthest a level may be from the signed one, in the unit of the scores.
    pub const fn drift_max(&self) -> f64 {
        self.drift_max
    }

    /// Information about the level beyond which more would make it too stiff to follow drift.
    fn information_max(&self) -> f64 {
        if self.tau <= 0.0 {
            return 0.0;
        }
        let rate = 1.0 - (-std::f64::consts::LN_2 / HALF_LIFE_WINDOWS).exp();
        let gain = 1.0 - self.phi;
        let noise = self.sigma * self.sigma * (1.0 - self.phi * self.phi);
        (gain * gain * (1.0 - rate) / (rate * noise) - 1.0 / (self.tau * self.tau)).max(0.0)
    }
}

/// What one device remembers of one signal: 20 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Whitener {
    /// The last score, held near the level.
    last: f32,
    /// Estimated level of the device relative to its type.
    level: f32,
    /// The level as signed: what drift is measured from.
    signed: f32,
    /// Information about the level gathered so far (inverse variance).
    information: f32,
    windows: u16,
}

impl Whitener {
    /// Takes the score of the next window and returns its innovation, standard normal while the
    /// device behaves as planned.
    ///
    /// `gap` is the number of windows since the last one taken: 1 for consecutive windows; the
    /// memory fades by `phi` per window. With `hold` (an incident is open) the level is not
    /// touched. A score that is not a finite number says nothing: 0, and nothing is remembered.
    pub fn step(&mut self, plan: &WhitenPlan, score: f64, gap: u32, hold: bool) -> f64 {
        if !score.is_finite() {
            return 0.0;
        }
        let fading = i32::try_from(gap.max(1)).unwrap_or(i32::MAX);
        let phi = if self.windows == 0 {
            0.0
        } else {
            plan.phi.powi(fading)
        };
        let gain = 1.0 - phi;
        let noise = plan.sigma * plan.sigma * (1.0 - phi * phi);
        let spread = plan.tau * plan.tau;
        let doubt = spread / (1.0 + spread * f64::from(self.information));
        let variance = gain * gain * doubt + noise;
        let level = f64::from(self.level);
        let surprise = score - phi * f64::from(self.last) - gain * level;
        let deviation = variance.sqrt();
        if !hold {
            let limit = LEARN_CLIP * deviation;
            self.learn(
                plan,
                gain * doubt / variance * surprise.clamp(-limit, limit),
            );
            let information = f64::from(self.information) + gain * gain / noise;
            self.information = narrow(information.min(plan.information_max()));
        }
        let reach = MEMORY_CLIP * (plan.sigma + plan.tau);
        self.last = narrow(score.max(level - reach).min(level + reach));
        self.windows = self.windows.saturating_add(1);
        surprise / deviation
    }

    fn learn(&mut self, plan: &WhitenPlan, change: f64) {
        let (centre, reach) = if self.windows < SIGNED_AFTER {
            (0.0, 3.0 * plan.tau)
        } else {
            (f64::from(self.signed), plan.drift_max)
        };
        let level = f64::from(self.level) + change;
        self.level = narrow(level.max(centre - reach).min(centre + reach));
        if self.windows < SIGNED_AFTER {
            self.signed = self.level;
        }
    }

    /// Accepts the present level as the one drift is measured from: the operator's signature.
    pub fn sign(&mut self) {
        self.signed = self.level;
        self.windows = self.windows.max(SIGNED_AFTER);
    }

    /// Estimated level of the device relative to its type, in the unit of the scores.
    pub const fn level(&self) -> f32 {
        self.level
    }

    /// Whether the level has drifted as far as it may: "baseline moved, sign it or look into it".
    pub fn has_drifted(&self, plan: &WhitenPlan) -> bool {
        let drift = f64::from(self.level - self.signed).abs();
        self.windows >= SIGNED_AFTER && plan.tau > 0.0 && drift >= 0.999 * plan.drift_max
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "state is single precision by design"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests;
