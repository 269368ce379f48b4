//! The dice of the plant: one counter-based generator, and the distributions drawn from it.
//!
//! Every draw is a function of (seed, purpose, device, index), so any hour of any device can be
//! made by itself, in any order, without state that grows with devices or hours. The generator is
//! `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014): a counter and a 64-bit finaliser. The key is
//! mixed once per component, which makes neighbouring devices and hours independent streams.

use std::f64::consts::PI;
use std::sync::LazyLock;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// Intervals of the Student table; beyond its outermost knots the quantile is solved exactly.
const KNOTS: u32 = 2048;

/// What a stream of draws decides. Two purposes never share a draw.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Which of several servers, partners, images a device has.
    Choice = 1,
    /// How a device differs from its type, volume.
    VolumeOffset,
    /// The same, connections.
    RateOffset,
    /// The same, current draw.
    CurrentOffset,
    /// Hourly noise of the volume.
    VolumeNoise,
    /// Hourly noise of the connection rate.
    RateNoise,
    /// Noise of the working current, cycle by cycle.
    ActiveNoise,
    /// Noise of the idle current, hour by hour.
    IdleNoise,
    /// Hours in which much happens at once.
    Burst,
    /// The connections of an hour.
    Connections,
    /// The messages of a cadence.
    Message,
    /// When a device is switched on and off.
    Switch,
    /// Tool cycles.
    Cycle,
    /// Samples of the sensors.
    Sample,
    /// Firmware reports.
    Report,
    /// DNS answers.
    Lookup,
    /// The fixed sample that ranges are fitted on.
    Fit,
    /// What attackers do.
    Attack,
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Stream(u64);

impl Stream {
    /// The stream of one purpose, device and index (an hour, a cycle, a sample).
    pub(crate) fn new(seed: u64, purpose: Purpose, device: u64, index: i64) -> Self {
        let mut key = mix(seed ^ GOLDEN.wrapping_mul(purpose as u64));
        key = mix(key.wrapping_add(GOLDEN).wrapping_add(device));
        key = mix(key.wrapping_add(GOLDEN).wrapping_add(index.cast_unsigned()));
        Self(key)
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// 128 random bits.
    pub(crate) fn wide(&mut self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits())
    }

    /// Uniform, 0 included, 1 not.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform between two ends.
    pub(crate) fn between(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A whole number below `n`; 0 if `n` is 0. The bias is below 2^-32 for any list in memory.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the result is below n, a usize"
    )]
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (2.0 * PI * self.unit()).cos()
    }

    /// Student's t with five degrees of freedom.
    pub(crate) fn student(&mut self) -> f64 {
        student_quantile(self.unit())
    }

    /// A Poisson count (Knuth's product up to a mean of 50, the rounded normal law beyond it).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is clamped to what u32 holds"
    )]
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 50.0 {
            let count = (mean + mean.sqrt() * self.normal()).round();
            return count.clamp(0.0, f64::from(u32::MAX)) as u32;
        }
        let floor = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// Distribution function of Student's t5 at √5·tan θ, in closed form (Abramowitz and Stegun
/// 26.7.3).
fn student_share(theta: f64) -> f64 {
    let cos = theta.cos();
    0.5 + (theta + theta.sin() * cos * (1.0 + 2.0 / 3.0 * cos * cos)) / PI
}

fn solve_student(share: f64) -> f64 {
    let (mut lo, mut hi) = (-PI / 2.0, PI / 2.0);
    for _ in 0..50 {
        let middle = f64::midpoint(lo, hi);
        if student_share(middle) < share {
            lo = middle;
        } else {
            hi = middle;
        }
    }
    5f64.sqrt() * f64::midpoint(lo, hi).tan()
}

static STUDENT: LazyLock<Vec<f64>> = LazyLock::new(|| {
    (0..=KNOTS)
        .map(|knot| {
            solve_student(f64::from(knot).clamp(0.5, f64::from(KNOTS) - 0.5) / f64::from(KNOTS))
        })
        .collect()
});

/// Quantile of Student's t5, interpolated between the knots and exact in the two tails.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the place lies between 1 and KNOTS - 1"
)]
pub(crate) fn student_quantile(share: f64) -> f64 {
    let place = share * f64::from(KNOTS);
    if place <= 1.0 || place >= f64::from(KNOTS - 1) {
        return solve_student(share.clamp(1e-12, 1.0 - 1e-12));
    }
    let knot = place as usize;
    let table = &*STUDENT;
    table[knot] + (table[knot + 1] - table[knot]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_different_keys_differ_and_the_same_key_repeats() {
        let first = |p, d, i| Stream::new(7, p, d, i).bits();
        assert_eq!(first(Purpose::Cycle, 3, 9), first(Purpose::Cycle, 3, 9));
        let all = [
            first(Purpose::Cycle, 3, 9),
            first(Purpose::Cycle, 9, 3),
            first(Purpose::Sample, 3, 9),
            first(Purpose::Cycle, 3, -9),
            Stream::new(8, Purpose::Cycle, 3, 9).bits(),
        ];
        for (at, a) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn student_quantiles_are_those_of_the_tables() {
        for (share, t) in [
            (0.5, 0.0),
            (0.975, 2.5706),
            (0.025, -2.5706),
            (0.995, 4.0321),
        ] {
            assert!((student_quantile(share) - t).abs() < 2e-3, "{share}");
        }
        assert!((student_quantile(0.9999) - 9.6776).abs() < 1e-2);
    }

    #[test]
    fn means_and_variances_are_right() {
        let mut stream = Stream::new(1, Purpose::Fit, 0, 0);
        let n = 40_000;
        let moments = |values: Vec<f64>| {
            let mean = values.iter().sum::<f64>() / f64::from(n);
            let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n);
            (mean, var)
        };
        let (mean, var) = moments((0..n).map(|_| stream.normal()).collect());
        assert!(
            mean.abs() < 0.03 && (var - 1.0).abs() < 0.05,
            "{mean} {var}"
        );
        let (mean, var) = moments((0..n).map(|_| stream.student()).collect());
        assert!(
            mean.abs() < 0.04 && (var - 5.0 / 3.0).abs() < 0.15,
            "{mean} {var}"
        );
        for wanted in [4.0, 120.0] {
            let (mean, var) = moments((0..n).map(|_| f64::from(stream.poisson(wanted))).collect());
            assert!((mean / wanted - 1.0).abs() < 0.03 && (var / wanted - 1.0).abs() < 0.05);
        }
    }
}
