//! Has a number moved away from its level so slowly that no hour of it stands out? The twin of
//! [`shift`](crate::shift), which forgets where a level came from; this never does.
//!
//! `shift` follows a level that moves, within its cap, so that a busier season is no alarm. Whoever
//! moves the level patiently stays within that cap. Here a device's level is set once, by its first
//! [`REFERENCE_DAYS`] days, and whole days are compared with it from then on, until a new version
//! of its profile, which a person signs, sets it anew (stats.md §4.2, §4.5).
//!
//! A day's mean is scored against the level, after the drift that is let pass
//! ([`DRIFT_ALLOWED`]) has been taken off, and each side is bet on with a likelihood ratio of
//! mean at most 1: a budgeted e-detector, valid whenever it is looked at. What a day may honestly
//! vary by is the part that its hours average out and the part they share ([`DAY_SHARE`]).
//!
//! Alarms at 10 device-days, as multiples of the level (the bound is 1.11), by simulation of 400
//! devices over a year: 0.05 as planned, 0.21 with a memory of 0.6, 0.28 with twice the variance
//! shared, 0.26 with a written range a fifth too narrow.

use serde::{Deserialize, Serialize};

use crate::packed::Bet;
use crate::stats::tilts::Side;
use crate::stats::whiten::{WRITTEN_PHI, WRITTEN_TAU};

/// Days that set the level of a device: each day of the week twice.
pub(crate) const REFERENCE_DAYS: u8 = 14;
/// Drift that is let pass, on the log scale: 5 %, a third of what a level may follow.
pub(crate) const DRIFT_ALLOWED: f64 = 0.05;
/// Part of an hour's variance that all hours of a day share: the product, the shift, the weather.
const DAY_SHARE: f64 = 0.1;
/// The size of shift that is bet on, in standard deviations of a day. One, not four: a drift passes
/// through every size, and this one gains on all above a quarter of a deviation.
const LEAN: f64 = 0.5;
/// One day counts as so many standard deviations at most.
const CLIP: f64 = 3.4;
/// The logarithm of a level is kept in 4096ths.
const REFERENCE_UNIT: f64 = 1.0 / 4_096.0;
/// The level is doubted by so many standard errors: what its reference may be wrong by.
const DOUBTS: f64 = 2.0;
/// A level is drawn towards its type by so many standard errors at most (the limited translation
/// of Efron and Morris 1971): a device that has always been far from its type has not drifted, and
/// whether it may be there is what the other detectors ask, whose offsets have a cap.
const TRANSLATION: f64 = 1.0;

/// How a number of a device type is followed from day to day; shared by all its devices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DriftPlan {
    /// Variance of one step within a device, on the log scale.
    variance: f64,
    /// How many steps one independent step is worth: `(1 + phi) / (1 - phi)`.
    memory: f64,
    /// Variance of the levels of devices.
    spread: f64,
    /// Steps without which a day says nothing.
    steps_min: u16,
    /// Steps that a day counts for at most, however many samples there are.
    steps_max: u16,
    /// Steps are ratios, averaged before the logarithm is taken; otherwise they are logarithms.
    ratios: bool,
}

/// What a device remembers of one number: 12 bytes. Evidence and level are kept in
/// fixed point, since there are many numbers and their logarithms need no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drift {
    /// Sum of the steps of the running day.
    sum: f32,
    /// Mean of the days that set the level, in [`REFERENCE_UNIT`].
    reference: i16,
    up: Bet,
    down: Bet,
    steps: u16,
}

impl DriftPlan {
    /// For the logarithms of hours whose logarithm has standard deviation `sigma_log` over all
    /// devices of a type.
    pub(crate) fn hours(sigma_log: f64) -> Self {
        let sigma = if sigma_log > 0.0 {
            sigma_log.clamp(1e-3, 1e3)
        } else {
            1.0
        };
        let tau = WRITTEN_TAU.min(std::f64::consts::FRAC_1_SQRT_2 * sigma);
        Self {
            variance: sigma * sigma - tau * tau,
            memory: (1.0 + WRITTEN_PHI) / (1.0 - WRITTEN_PHI),
            spread: tau * tau,
            steps_min: 6,
            steps_max: 24,
            ratios: false,
        }
    }

    /// For samples by the minute or the second, as ratios to the middle of the type: however many,
    /// a day of them is worth eight hours, since the job decides and not the sample.
    pub(crate) fn samples(sigma_log: f64) -> Self {
        Self {
            steps_min: 30,
            steps_max: 8,
            ratios: true,
            ..Self::hours(sigma_log)
        }
    }

    /// Variance of the mean of a day of so many steps.
    fn day_variance(&self, steps: u16) -> f64 {
        let steps = f64::from(steps.clamp(1, self.steps_max));
        self.variance * (self.memory / steps + DAY_SHARE).min(1.0)
    }
}

impl Drift {
    /// Takes a step of the running day: the logarithm of a ratio to the middle of the type, or such
    /// a ratio. A day counts its first 65,535 steps.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        if self.steps < u16::MAX && value.is_finite() {
            self.sum += narrow(value.clamp(-1e3, 1e3));
            self.steps += 1;
        }
    }

    /// The mean of the running day, as the logarithm of its ratio to the middle of the type; `None`
    /// if it has too few steps.
    pub(crate) fn day_mean(&self, plan: &DriftPlan) -> Option<f64> {
        if self.steps < plan.steps_min {
            return None;
        }
        let mean = f64::from(self.sum) / f64::from(self.steps);
        match plan.ratios {
            true if mean > 0.0 => Some(mean.ln()),
            true => None,
            false => Some(mean),
        }
    }

    /// The level of the device, as a logarithm: its own days, drawn towards its type by as much as
    /// they leave in doubt (the empirical-Bayes weight `tau² / (tau² + v)`), but by no more than
    /// [`TRANSLATION`]. With it the standard error that is left.
    fn level(&self, plan: &DriftPlan, day_variance: f64) -> (f64, f64) {
        let own = day_variance / f64::from(REFERENCE_DAYS);
        let weight = plan.spread / (plan.spread + own);
        let mean = f64::from(self.reference) * REFERENCE_UNIT;
        let most = TRANSLATION * own.sqrt();
        let drawn = ((1.0 - weight) * mean).clamp(-most, most);
        (mean - drawn, (weight * own).sqrt())
    }

    /// What is expected of this device, as the logarithm of the ratio to the middle of its type;
    /// `None` until its level is set, which takes `days`.
    pub(crate) fn expected(&self, plan: &DriftPlan, days: u8) -> Option<f64> {
        let variance = plan.day_variance(plan.steps_max);
        (days >= REFERENCE_DAYS).then(|| self.level(plan, variance).0)
    }

    /// Closes the running day; `stake` is what may be put on it, half on each side. `days` counts
    /// those that have set the level.
    pub(crate) fn turn(&mut self, plan: &DriftPlan, days: &mut u8, stake: f32) {
        let mean = self.day_mean(plan);
        let steps = self.steps;
        (self.sum, self.steps) = (0.0, 0);
        let Some(mean) = mean else { return };
        if *days < REFERENCE_DAYS {
            *days += 1;
            let so_far = f64::from(self.reference) * REFERENCE_UNIT;
            let next = so_far + (mean - so_far) / f64::from(*days);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturating: eight is a factor of 3,000"
            )]
            let next = (next / REFERENCE_UNIT).round() as i16;
            self.reference = next;
            return;
        }
        let variance = plan.day_variance(steps);
        let (level, doubt) = self.level(plan, variance);
        let zone = DRIFT_ALLOWED.max(DOUBTS * doubt);
        for (side, bets) in [(Side::Up, &mut self.up), (Side::Down, &mut self.down)] {
            let z = (side.turned(mean - level) - zone) / variance.sqrt();
            let e = (LEAN * z.min(CLIP) - 0.5 * LEAN * LEAN).exp();
            bets.step(0.5 * stake, narrow(e));
        }
    }

    /// Evidence of both sides, in device-days per false alarm.
    pub(crate) fn evidence(&self) -> f32 {
        self.up.total() + self.down.total()
    }

    /// The side on which more evidence lies.
    pub(crate) fn side(&self) -> Side {
        if self.up.total() >= self.down.total() {
            Side::Up
        } else {
            Side::Down
        }
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
