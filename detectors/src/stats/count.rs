//! From a hand-written range to a null: counts per window (connections, state changes).
//!
//! Counts of real devices vary more than Poisson, so the null is negative binomial with
//! `Var = m + m²/r`; at 10–50 an hour and 95 % coverage a Poisson limit of one in a thousand
//! would fire in 6 % of hours. The score of a window is the normal quantile of its randomised
//! probability integral transform, which is exactly normal for a discrete law (Brockwell 2007;
//! Czado, Gneiting and Held 2009).
#![expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 are clamped to it"
)]

use serde::{Deserialize, Serialize};

use super::normal::z_of;
use super::range::{RangeError, check};
use super::special::{Tails, beta_tails, bisect};

/// Beyond this size a negative binomial is a Poisson law for every count we see.
const SIZE_MAX: f64 = 1e7;
const SIZE_MIN: f64 = 1e-3;

/// What a written range says about a count per window while all is well.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountNull {
    /// Mean count per window.
    pub mean: f64,
    /// Size `r`: the smaller, the more the count varies beyond Poisson.
    pub size: f64,
}

impl CountNull {
    /// A null of known mean and size, as `baseline:` or a calibrated profile gives them.
    pub fn new(mean: f64, size: f64) -> Result<Self, RangeError> {
        let known = mean > 0.0 && size > 0.0 && mean.is_finite() && size.is_finite();
        if known {
            Ok(Self { mean, size })
        } else {
            Err(RangeError::Count { mean, size })
        }
    }

    /// The null of a range `low..=high` with `P(X < low) = P(X > high) = (1 - coverage)/2`.
    ///
    /// Two nested halvings, since the start values of a secant can lie outside its reach for
    /// narrow ranges. A range narrower than Poisson cannot keep its coverage: it gets the Poisson
    /// law that balances its ends, which alarms less often than the range asks for. A range that
    /// begins at 0 has no lower tail and is an error: it needs a baseline.
    pub fn from_range(low: f64, high: f64, coverage: f64) -> Result<Self, RangeError> {
        check(low, high, coverage)?;
        let outside = 0.5 * (1.0 - coverage);
        let below = (low.ceil() - 1.0).max(0.0);
        let above = high.floor().max(below + 1.0);
        // With the size fixed, the mean that balances the two ends.
        let balanced = |size: f64| {
            let (start, end) = (1e-3 * low, 10.0 * high + 100.0);
            bisect(start, end, |mean| {
                let null = Self { mean, size };
                null.cumulative(below).lower > null.cumulative(above).upper
            })
            .0
        };
        let (ln_size, _) = bisect(SIZE_MIN.ln(), SIZE_MAX.ln(), |ln_size| {
            let size = ln_size.exp();
            Self {
                mean: balanced(size),
                size,
            }
            .cumulative(above)
            .upper
                > outside
        });
        let size = ln_size.exp();
        Self::new(balanced(size), size)
    }

    /// Variance of the count per window.
    pub fn variance(&self) -> f64 {
        self.mean + self.mean * self.mean / self.size
    }

    /// `P(X <= count)` and `P(X > count)`.
    pub fn tails(&self, count: u64) -> Tails {
        self.cumulative(count as f64)
    }

    fn cumulative(&self, count: f64) -> Tails {
        let total = self.size + self.mean;
        beta_tails(self.size, count + 1.0, self.size / total, self.mean / total)
    }

    /// `P(X >= count)`: the p-value that an operator is shown.
    pub fn p_at_least(&self, count: u64) -> f64 {
        count
            .checked_sub(1)
            .map_or(1.0, |below| self.tails(below).upper)
    }

    /// The standard normal score of a count: the randomised integral transform
    /// `F(x-1) + u f(x)` with a `u` in [0, 1) given by the caller
    /// ([`uniform_hash`](super::uniform::uniform_hash)), through the smaller tail.
    pub fn z_score(&self, count: u64, u: f64) -> f64 {
        let at = self.tails(count);
        let before = match count.checked_sub(1) {
            Some(below) => self.tails(below),
            None => Tails {
                lower: 0.0,
                upper: 1.0,
            },
        };
        z_of(randomised(before, at, u))
    }

    /// The smallest count that is exceeded with probability at most `p`.
    ///
    /// A `p` that is no probability above 0 gives the largest count, which nothing exceeds.
    pub fn threshold(&self, p: f64) -> u64 {
        const LARGEST: u64 = 1 << 53;
        let rare = |count: u64| self.tails(count).upper <= p;
        if p.is_nan() || p <= 0.0 {
            return LARGEST;
        }
        let mut high = 1;
        while !rare(high) {
            high *= 2;
            if high >= LARGEST {
                return LARGEST;
            }
        }
        let mut low = 0;
        if rare(low) {
            return low;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if rare(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }
}

/// A null with its tails looked up instead of computed, for windows by the million: built once per
/// signal of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct CountTable {
    null: CountNull,
    /// Tails of the counts from 0 on.
    tails: Vec<Tails>,
}

impl CountTable {
    /// Tabulates every count up to one in a million, at most 4,096 of them (64 KiB).
    pub fn new(null: CountNull) -> Self {
        let last = null.threshold(1e-6).min(4_095);
        Self {
            null,
            tails: (0..=last).map(|count| null.tails(count)).collect(),
        }
    }

    /// The null behind the table.
    pub const fn null(&self) -> &CountNull {
        &self.null
    }

    /// The score of [`CountNull::z_score`], bit for bit; counts beyond the table are computed.
    pub fn z_score(&self, count: u64, u: f64) -> f64 {
        let at = usize::try_from(count)
            .ok()
            .and_then(|index| self.tails.get(index));
        let Some(at) = at else {
            return self.null.z_score(count, u);
        };
        let before = match count.checked_sub(1) {
            Some(below) => self.tails[usize::try_from(below).unwrap_or(0)],
            None => Tails {
                lower: 0.0,
                upper: 1.0,
            },
        };
        z_of(randomised(before, *at, u))
    }
}

/// Tails at a point drawn uniformly inside the mass of one count: `before` is the law at the
/// count below it, `at` the law at the count.
///
/// The mass is taken from the side where it is a difference of small numbers.
pub(super) fn randomised(before: Tails, at: Tails, u: f64) -> Tails {
    let u = if u >= 0.0 { u.min(1.0) } else { 0.0 };
    Tails {
        lower: before.lower + u * (at.lower - before.lower).max(0.0),
        upper: at.upper + (1.0 - u) * (before.upper - at.upper).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_reads_as_the_published_table_says() {
        for (coverage, mean, size, threshold) in [
            (0.80, 28.0, 3.07, 108),
            (0.90, 26.9, 5.32, 82),
            (0.95, 26.5, 8.23, 70),
            (0.99, 26.4, 18.8, 57),
        ] {
            let null = CountNull::from_range(10.0, 50.0, coverage).unwrap();
            assert!((null.mean - mean).abs() < 0.06, "{null:?}");
            assert!((null.size / size - 1.0).abs() < 0.005, "{null:?}");
            assert_eq!(null.threshold(1e-3), threshold, "{null:?}");
            let outside = 0.5 * (1.0 - coverage);
            assert!((null.tails(9).lower - outside).abs() < 1e-6);
            assert!((null.tails(50).upper - outside).abs() < 1e-6);
        }
        let fano = CountNull::new(26.5, 8.23).unwrap().variance() / 26.5;
        assert!((fano - 4.2).abs() < 0.05);
    }

    #[test]
    fn a_range_narrower_than_chance_becomes_poisson() {
        let null = CountNull::from_range(95.0, 105.0, 0.99).unwrap();
        assert!(
            null.size > 1e6 && (null.mean - 100.0).abs() < 1.0,
            "{null:?}"
        );
        assert!(
            null.tails(105).upper > 0.2,
            "the law is wider than the range"
        );
    }

    #[test]
    fn honest_counts_score_standard_normal() {
        let null = CountNull::new(26.5, 8.23).unwrap();
        let mut dice = Dice(11);
        let scores: Vec<f64> = (0..20_000)
            .map(|_| {
                let rate = dice.gamma(null.size) * null.mean / null.size;
                let count = u64::from(dice.poisson(rate));
                null.z_score(count, dice.uniform())
            })
            .collect();
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let variance = scores.iter().map(|z| z * z).sum::<f64>() / n - mean * mean;
        let above = scores.iter().filter(|z| **z > 1.959_964).count() as f64 / n;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04,
            "{mean} {variance}"
        );
        assert!((above - 0.025).abs() < 0.004, "{above}");
    }

    #[test]
    fn the_table_scores_as_the_law_does() {
        let null = CountNull::from_range(10.0, 50.0, 0.95).unwrap();
        let table = CountTable::new(null);
        for count in 0..300 {
            let (fast, slow) = (table.z_score(count, 0.3), null.z_score(count, 0.3));
            assert_eq!(fast.to_bits(), slow.to_bits(), "{count}");
        }
        assert!(table.tails.len() < 200, "{}", table.tails.len());
    }

    #[test]
    fn deep_tails_keep_their_digits() {
        let null = CountNull::new(26.5, 8.23).unwrap();
        let (z_far, z_farther) = (null.z_score(400, 0.5), null.z_score(2_000, 0.5));
        assert!(
            z_far > 8.5 && z_farther > 2.0 * z_far,
            "{z_far} {z_farther}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_written_range_gives_a_law_and_any_count_a_score(
            low in 0.1..500.0_f64, factor in 1.01..100.0_f64, coverage in 0.5..0.999_f64,
            count in any::<u64>(), small in 0..200_u64, u in proptest::num::f64::ANY,
        ) {
            let null = CountNull::from_range(low, low * factor, coverage).unwrap();
            prop_assert!(null.mean.is_finite() && null.size.is_finite());
            prop_assert!(null.z_score(count, u).is_finite());
            prop_assert!(null.z_score(small, 0.3) <= null.z_score(small + 1, 0.3) + 1e-9);
        }
    }
}
