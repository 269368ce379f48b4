//! What clean traffic proves about a rate of false positives, and what it does not.
//!
//! Configurations are ordered from strict to loose before the traffic is looked at, and tested in
//! that order; the first that cannot be certified ends it, and no price is paid for the number of
//! tests: learn-then-test with a fixed sequence (Angelopoulos, Bates, Candès, Jordan, Lei, "Learn
//! then Test", arXiv 2110.01052).
//!
//! Device-hours are no independent trials: devices of one type differ, and what is false of one is
//! false of it again and again. An exact binomial test that ignores this broke its promise in 19 to
//! 33 of 100 simulated tunings of 50 devices. The test here treats the devices as drawn from a
//! crowd whose rates spread like a gamma distribution (so that the count is negative binomial),
//! with one and a half times the largest spread that any configuration shows, and counts the worst
//! device once more, for its like among those that were not drawn. The simulation in `tests` holds
//! it to its promise; `mod.rs` says where it ends.

#![expect(
    clippy::cast_precision_loss,
    reason = "hours and counts stay far below 2^53"
)]

use andon_detectors::stats::bounds::binomial_cdf;
use andon_detectors::stats::special::beta_tails;
use serde::Serialize;

/// The measured spread is widened by this much: the rate that matters lies further out in the tail
/// than the counts it can be measured on, where devices differ more.
const SPREAD_MARGIN: f64 = 1.5;
/// Fewest false positives on which a spread can be measured, and at least one for each device.
const MEASURABLE: u64 = 20;
/// How much devices differ cannot be told from fewer, so nothing is certified on fewer: the
/// simulation holds the promise down to this many.
pub const DEVICES_MIN: u64 = 10;
/// A spread below this is none.
const SPREAD_MIN: f64 = 1e-9;
/// What the spread is taken for where there are too few false positives to measure it.
const SPREAD_UNMEASURED: f64 = 2.0;
/// Further than this no amount of traffic is asked for.
const SCALE_MAX: f64 = 1e9;

/// What was claimed, and how sure one wants to be of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// False positives per device-hour, at most.
    pub target: f64,
    /// Probability that the claim is right if it is made, 0–1.
    pub confidence: f64,
}

impl Claim {
    /// Probability of being wrong that one is prepared to bear.
    pub fn delta(&self) -> f64 {
        1.0 - self.confidence
    }

    /// The same claim, made together with others: each bears its part of the error.
    #[must_use]
    pub fn among(&self, claims: usize) -> Self {
        Self {
            confidence: 1.0 - self.delta() / claims.max(1) as f64,
            ..*self
        }
    }
}

/// One device, watched for a while under one configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Clean device-hours.
    pub hours: u64,
    /// Those in which it was falsely accused.
    pub false_positives: u64,
}

/// What a set of devices showed under one configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a>(pub &'a [Watched]);

impl Sample<'_> {
    /// Clean device-hours of all.
    pub fn hours(&self) -> u64 {
        self.0.iter().map(|device| device.hours).sum()
    }

    /// False positives of all.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|device| device.false_positives).sum()
    }

    /// Of the device with the most.
    fn worst(&self) -> u64 {
        let counts = self.0.iter().map(|device| device.false_positives);
        counts.max().unwrap_or(0)
    }

    /// Devices that were watched at all.
    pub fn devices(&self) -> u64 {
        self.0.iter().filter(|device| device.hours > 0).count() as u64
    }

    /// Whether they are enough devices to speak of others like them, watched about equally long.
    pub fn is_crowd(&self) -> bool {
        self.devices_effective() >= DEVICES_MIN as f64
    }

    /// How many equally watched devices they are worth.
    fn devices_effective(&self) -> f64 {
        let squares: f64 = self.0.iter().map(|d| (d.hours as f64).powi(2)).sum();
        (self.hours() as f64).powi(2) / squares.max(1.0)
    }

    /// Squared coefficient of variation of the devices' rates, by moments; 0 if they differ no more
    /// than chance makes them.
    fn spread(&self) -> f64 {
        let (hours, devices) = (self.hours() as f64, self.devices() as f64);
        let rate = self.count() as f64 / hours.max(1.0);
        if rate <= 0.0 || devices < 2.0 {
            return 0.0;
        }
        let (mut squares, mut expected_squares) = (0.0, 0.0);
        for device in self.0 {
            let expected = rate * device.hours as f64;
            squares += (device.false_positives as f64 - expected).powi(2);
            expected_squares += expected * expected;
        }
        let excess = squares * devices / (devices - 1.0) - self.count() as f64;
        (excess / expected_squares).max(0.0)
    }
}

/// How much devices differ, from every configuration that shows enough to tell: the largest.
pub fn spread(samples: &[Sample]) -> f64 {
    let enough = |sample: &&Sample| sample.count() >= MEASURABLE.max(sample.devices());
    let measured = samples.iter().filter(enough).map(Sample::spread);
    let widest = measured.fold(None, |most: Option<f64>, one| {
        Some(most.map_or(one, |most| most.max(one)))
    });
    // Where nothing shows enough, the loosest shows most; but that little was false is no sign that
    // devices are alike.
    widest.unwrap_or_else(|| {
        let shown = samples.last().map_or(0.0, Sample::spread);
        shown.max(SPREAD_UNMEASURED)
    })
}

/// Chance of seeing so few false positives, were the rate of the crowd just above `rate`.
pub fn p_value(sample: &Sample, rate: f64, spread: f64) -> f64 {
    p_value_scaled(sample, rate, spread, 1.0)
}

/// The same, had each device been watched `scale` times as long with the same rate.
fn p_value_scaled(sample: &Sample, rate: f64, spread: f64, scale: f64) -> f64 {
    let hours = sample.hours() as f64 * scale;
    if hours < 1.0 {
        return 1.0;
    }
    let seen = (sample.count() + sample.worst()) as f64 * scale;
    let (seen, hours) = (whole(seen.ceil()), whole(hours.floor()));
    let widened = SPREAD_MARGIN * spread;
    if widened < SPREAD_MIN {
        return binomial_cdf(seen, hours, rate);
    }
    let (size, mean) = (sample.devices_effective() / widened, rate * hours as f64);
    let spared = size / (size + mean);
    // The negative binomial's lower tail is an incomplete beta function.
    beta_tails(size, seen as f64 + 1.0, spared, 1.0 - spared).lower
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and saturates"
)]
fn whole(x: f64) -> u64 {
    x as u64
}

/// The rate that the sample proves the crowd's to be below, wrong with probability at most `delta`.
pub fn upper(sample: &Sample, spread: f64, delta: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if p_value(sample, middle, spread) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// A claim and what it is to be certified on: what each configuration showed, from strict to loose.
#[derive(Clone, Debug)]
pub struct Tested<'a> {
    /// Configuration by configuration.
    pub samples: Vec<Sample<'a>>,
    /// How much devices differ.
    pub spread: f64,
    /// The claim.
    pub claim: Claim,
}

impl<'a> Tested<'a> {
    /// The claim, with the spread that the samples show themselves.
    pub fn new(samples: Vec<Sample<'a>>, claim: Claim) -> Self {
        let spread = spread(&samples);
        Self {
            samples,
            spread,
            claim,
        }
    }
}

/// The loosest configuration under which all claims are certified, there and under all stricter
/// ones, by position; none if not even the strictest is. What is worth fewer than [`DEVICES_MIN`]
/// devices certifies nothing. Several claims need no smaller errors: for a wrong one to be made, its
/// own test must pass.
pub fn choose(claims: &[Tested]) -> Option<usize> {
    let certified = |at: usize| {
        claims.iter().all(|one| {
            let sample = one.samples.get(at);
            sample.is_some_and(|sample| {
                sample.is_crowd()
                    && p_value(sample, one.claim.target, one.spread) <= one.claim.delta()
            })
        })
    };
    let steps = claims.iter().map(|one| one.samples.len()).max()?;
    (0..steps)
        .take_while(|at| certified(*at))
        .count()
        .checked_sub(1)
}

/// How many times as many clean device-hours would certify what was seen, if it went on like this;
/// none if no amount would.
pub fn scale_needed(sample: &Sample, claim: &Claim, spread: f64) -> Option<f64> {
    let certified =
        |scale: f64| p_value_scaled(sample, claim.target, spread, scale) <= claim.delta();
    if sample.hours() == 0 {
        return None;
    }
    let (mut low, mut high) = (1.0, 2.0);
    while !certified(high) {
        low = high;
        high *= 2.0;
        if high > SCALE_MAX {
            return None;
        }
    }
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if certified(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests;
