//! Bets on a numeric score: exponential tilts of the normal law, for nulls that were written by
//! hand and never calibrated. [`steps`](super::steps) is their calibrated sibling.
//!
//! A bet that the mean has risen by `λ` standard deviations multiplies the evidence by the
//! likelihood ratio `exp(λz - λ²/2)`, whose mean is exactly 1 when the score is standard normal.
//! Four sizes are bet on at once; the price of not knowing which is `ln 4` nats.

use serde::{Deserialize, Serialize};

/// The sizes of shift that are bet on, in standard deviations of the score.
pub const SHIFTS: [f64; 4] = [0.2, 0.4, 0.8, 1.6];

/// Which way a deviation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// More than usual.
    Up,
    /// Less than usual.
    Down,
}

impl Side {
    /// The score turned so that larger is more suspicious.
    #[inline]
    pub fn turned(self, z: f64) -> f64 {
        match self {
            Self::Up => z,
            Self::Down => -z,
        }
    }
}

/// How scores are turned into e-values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tilts {
    /// Indifference zone in standard deviations: shifts up to this size count as normal. It
    /// covers the error of an estimated baseline and harmless drift.
    pub indifference: f64,
    /// Scores above this are taken as this. Clipping from above only ever lowers an e-value, so
    /// it keeps the guarantee; it limits what one window can prove when a null was only written.
    pub clip: f64,
}

impl Default for Tilts {
    /// No indifference, no clipping.
    fn default() -> Self {
        Self {
            indifference: 0.0,
            clip: f64::INFINITY,
        }
    }
}

impl Tilts {
    /// The setting for hand-written ranges: indifferent to 0.1 standard deviations, and one
    /// window counts as 3.4 at most (4.0 nats with the largest tilt), about what a calibrated
    /// profile of 8,000 windows allows it.
    pub const WRITTEN: Self = Self {
        indifference: 0.1,
        clip: 3.4,
    };

    /// The e-values of one window's score on one side, one for each of [`SHIFTS`].
    ///
    /// Mean at most 1 for every score law that is normal with variance at most 1 and a mean of at
    /// most the indifference. A score that is not a number gives 1, no evidence either way.
    pub fn e_values(&self, z: f64, side: Side) -> [f32; 4] {
        if z.is_nan() {
            return [1.0; 4];
        }
        let z = side.turned(z).min(self.clip) - self.indifference;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "too large becomes infinite, which the evidence clamps"
        )]
        SHIFTS.map(|shift| (shift * z - 0.5 * shift * shift).exp() as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::super::normal::phi;
    use super::*;
    use proptest::prelude::*;

    /// Mean of the e-values by quadrature over a normal law.
    fn means(tilts: &Tilts, mean: f64, sd: f64) -> [f64; 4] {
        let mut sums = [0.0; 4];
        for i in -5_000..5_000 {
            let (a, b) = (f64::from(i) * 0.002, f64::from(i + 1) * 0.002);
            let e = tilts.e_values(mean + sd * 0.5 * (a + b), Side::Up);
            for (sum, e) in sums.iter_mut().zip(e) {
                *sum += f64::from(e) * (phi(b) - phi(a));
            }
        }
        sums
    }

    #[test]
    fn the_mean_is_one_under_the_null_and_less_under_milder_ones() {
        for mean in means(&Tilts::default(), 0.0, 1.0) {
            assert!((mean - 1.0).abs() < 1e-5, "{mean}");
        }
        for mean in means(&Tilts::WRITTEN, 0.1, 1.0) {
            assert!(mean <= 1.0 + 1e-5, "{mean}");
        }
        for mean in means(&Tilts::default(), -0.5, 0.8) {
            assert!(mean < 1.0, "{mean}");
        }
    }

    #[test]
    fn one_written_window_is_worth_four_nats_at_most() {
        let most = Tilts::WRITTEN
            .e_values(30.0, Side::Up)
            .into_iter()
            .fold(0.0, f32::max);
        assert!((3.9..4.1).contains(&most.ln()), "{most}");
        assert_eq!(
            Tilts::WRITTEN.e_values(-30.0, Side::Down)[3].to_bits(),
            most.to_bits()
        );
    }

    proptest! {
        #[test]
        fn no_score_gives_nan(z in proptest::num::f64::ANY) {
            for side in [Side::Up, Side::Down] {
                for e in Tilts::WRITTEN.e_values(z, side) {
                    prop_assert!(e >= 0.0);
                }
            }
        }
    }
}
