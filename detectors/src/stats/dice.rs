//! Seeded randomness for the tests of the statistics: small, fixed, the same everywhere.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "random bits are cut to the width that is asked for"
)]

use super::normal::phi_inv;

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * 2.0_f64.powi(-53)
    }

    pub(crate) fn normal(&mut self) -> f64 {
        phi_inv(self.uniform() + 2.0_f64.powi(-54))
    }

    /// A standard normal score as detectors keep it.
    pub(crate) fn score(&mut self) -> f32 {
        self.normal() as f32
    }

    /// How many of `n` trials of probability `p` come true.
    pub(crate) fn hits(&mut self, n: u32, p: f64) -> u32 {
        (0..n).map(|_| u32::from(self.uniform() < p)).sum()
    }

    pub(crate) fn exponential(&mut self) -> f64 {
        -(-self.uniform()).ln_1p()
    }

    /// Gamma of any shape, scale 1 (Marsaglia and Tsang 2000).
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.uniform()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Poisson by counting exponential arrivals; for small means.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let (mut count, mut clock) = (0, self.exponential());
        while clock < mean {
            count += 1;
            clock += self.exponential();
        }
        count
    }
}
