//! From a hand-written range to a null: positive continuous signals (volume, current, size).
//!
//! `50-150 MB` with a coverage of 95 % says that five hours in a hundred lie outside. Read as a
//! log-normal it gives a median (86.6 MB, the geometric middle) and a spread. Since nobody writes
//! a range from infinite experience, scores are taken from the heavier-tailed prior predictive:
//! Student's t on the log scale with [`PRIOR_FREEDOM`] degrees of freedom, rescaled so that the
//! range keeps its coverage (Gelman and others, *Bayesian Data Analysis*, on the normal-inverse-
//! gamma model with no data yet).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::normal::{Z_LIMIT, phi_inv, sf, z_of};
use super::special::{Tails, beta_tails, bisect};

/// Degrees of freedom of a written range: how many observations its spread is worth.
pub const PRIOR_FREEDOM: f64 = 8.0;

/// Why a written range is no null.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum RangeError {
    /// The ends are not positive numbers, the lower one first.
    #[error("range `{low}-{high}` does not run from a positive number to a larger one")]
    Ends {
        /// Lower end as written.
        low: f64,
        /// Upper end as written.
        high: f64,
    },
    /// The coverage is not between 0 and 1.
    #[error("coverage `{0}` is not between 0 and 1")]
    Coverage(f64),
    /// The mean or the size of a count distribution is not a positive number.
    #[error("mean `{mean}` and size `{size}` of a count must be positive numbers")]
    Count {
        /// Mean count per window.
        mean: f64,
        /// Size parameter.
        size: f64,
    },
}

pub(super) fn check(low: f64, high: f64, coverage: f64) -> Result<(), RangeError> {
    if !(low > 0.0 && high > low && high.is_finite()) {
        return Err(RangeError::Ends { low, high });
    }
    if !(coverage > 0.0 && coverage < 1.0) {
        return Err(RangeError::Coverage(coverage));
    }
    Ok(())
}

/// What a written range says about a positive signal while all is well.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogNormalNull {
    /// Mean of the logarithm: the geometric middle of the range.
    pub mu: f64,
    /// Standard deviation of the logarithm, were the range exactly log-normal.
    pub sigma: f64,
    /// Scale of the prior predictive t on the logarithm.
    pub scale: f64,
}

impl LogNormalNull {
    /// The null of a range `low..high` that holds `coverage` of the windows, half of the rest on
    /// either side.
    ///
    /// A range that begins at 0 has no geometric middle and is an error: it needs a baseline.
    pub fn from_range(low: f64, high: f64, coverage: f64) -> Result<Self, RangeError> {
        check(low, high, coverage)?;
        let (width, outside) = (high.ln() - low.ln(), 0.5 * (1.0 - coverage));
        Ok(Self {
            mu: 0.5 * (low.ln() + high.ln()),
            sigma: width / (-2.0 * phi_inv(outside)),
            scale: width / (2.0 * student_upper_quantile(outside, PRIOR_FREEDOM)),
        })
    }

    /// The middle of the range, in the signal's unit.
    pub fn median(&self) -> f64 {
        self.mu.exp()
    }

    /// Both tails of a value under the prior predictive t. A value of 0 or less is below all.
    pub fn tails(&self, x: f64) -> Tails {
        if x <= 0.0 {
            return Tails {
                lower: 0.0,
                upper: 1.0,
            };
        }
        prior_tails((x.ln() - self.mu) / self.scale)
    }

    /// The standard normal score of a window's value: `PhiInv(T(x))` through the smaller tail,
    /// exactly normal if the range is right. Monotone, within ±[`Z_LIMIT`].
    ///
    /// A window without traffic scores `-Z_LIMIT`; such windows belong to a detector of their
    /// own. A value that is not a number says nothing and scores 0.
    pub fn z_score(&self, x: f64) -> f64 {
        if x.is_nan() {
            return 0.0;
        }
        z_of(self.tails(x)).clamp(-Z_LIMIT, Z_LIMIT)
    }

    /// The value that is exceeded with probability `p` under the prior predictive t.
    ///
    /// A `p` outside (0, 1) gives infinity, which nothing exceeds.
    pub fn threshold(&self, p: f64) -> f64 {
        if !(p > 0.0 && p < 1.0) {
            return f64::INFINITY;
        }
        let t = if p <= 0.5 {
            student_upper_quantile(p, PRIOR_FREEDOM)
        } else {
            -student_upper_quantile(1.0 - p, PRIOR_FREEDOM)
        };
        (self.mu + self.scale * t).exp()
    }

    /// The value that would be exceeded with probability `p` were the range exactly log-normal:
    /// what a report prints beside [`Self::threshold`].
    pub fn plain_threshold(&self, p: f64) -> f64 {
        if !(p > 0.0 && p < 1.0) {
            return f64::INFINITY;
        }
        (self.mu - self.sigma * phi_inv(p)).exp()
    }

    /// Chance of more than `x` were the range exactly log-normal.
    pub fn plain_upper_tail(&self, x: f64) -> f64 {
        if x <= 0.0 {
            1.0
        } else {
            sf((x.ln() - self.mu) / self.sigma)
        }
    }
}

/// Both tails of Student's t with [`PRIOR_FREEDOM`] degrees of freedom, in closed form: this runs
/// for every signal of every window, and is twenty times as fast as the incomplete beta function.
///
/// With `c = ν/(ν+t²)`, both tails together are `1 - sqrt(1-c) Σ_{j<ν/2} a_j c^j`, where `a_j` are
/// the coefficients of `1/sqrt(1-c)`; far out, where that cancels, the rest of the same series.
fn prior_tails(t: f64) -> Tails {
    const HEAD: [f64; 4] = [1.0, 0.5, 0.375, 0.3125];
    let square = t * t;
    let (c, root) = if square.is_finite() {
        (
            PRIOR_FREEDOM / (PRIOR_FREEDOM + square),
            t.abs() / (PRIOR_FREEDOM + square).sqrt(),
        )
    } else {
        (0.0, 1.0)
    };
    let both = if c > 0.1 {
        1.0 - root * HEAD.iter().rev().fold(0.0, |sum, a| sum * c + a)
    } else {
        let (mut sum, mut j) = (0.0, 4.0);
        let mut term = HEAD[3] * c * c * c;
        while j < 24.0 {
            term *= c * (j - 0.5) / j;
            sum += term;
            j += 1.0;
        }
        root * sum
    };
    let outer = (0.5 * both).clamp(0.0, 0.5);
    if t > 0.0 {
        Tails {
            lower: 1.0 - outer,
            upper: outer,
        }
    } else {
        Tails {
            lower: outer,
            upper: 1.0 - outer,
        }
    }
}

/// Both tails of Student's t with `freedom` degrees of freedom.
pub fn student_tails(t: f64, freedom: f64) -> Tails {
    let square = t * t;
    let outer = if square.is_finite() {
        let (x, y) = (freedom / (freedom + square), square / (freedom + square));
        0.5 * beta_tails(0.5 * freedom, 0.5, x, y).lower
    } else {
        0.0
    };
    if t > 0.0 {
        Tails {
            lower: 1.0 - outer,
            upper: outer,
        }
    } else {
        Tails {
            lower: outer,
            upper: 1.0 - outer,
        }
    }
}

/// The point with mass `p` above it, for `p` in (0, 0.5].
fn student_upper_quantile(p: f64, freedom: f64) -> f64 {
    let mut high = 1.0;
    while student_tails(high, freedom).upper > p && high < 1e150 {
        high *= 2.0;
    }
    bisect(0.0, high, |t| student_tails(t, freedom).upper > p).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_reads_as_the_published_table_says() {
        for (coverage, sigma, threshold, triple) in [
            (0.80, 0.429, 326.0, 5.2e-3),
            (0.90, 0.334, 243.0, 5.0e-4),
            (0.95, 0.280, 206.0, 4.4e-5),
            (0.99, 0.213, 167.0, 1.3e-7),
        ] {
            let null = LogNormalNull::from_range(50.0, 150.0, coverage).unwrap();
            assert!((null.median() - 86.6).abs() < 0.01);
            assert!((null.sigma - sigma).abs() < 5e-4, "{null:?}");
            assert!(
                (null.plain_threshold(1e-3) - threshold).abs() < 0.6,
                "{null:?}"
            );
            let tail = null.plain_upper_tail(3.0 * null.median());
            assert!(
                (tail / triple - 1.0).abs() < 0.02,
                "{tail:e} for {triple:e}"
            );
        }
    }

    #[test]
    fn the_prior_predictive_keeps_the_coverage_and_widens_the_tail() {
        let null = LogNormalNull::from_range(50.0, 150.0, 0.95).unwrap();
        assert!((null.tails(150.0).upper - 0.025).abs() < 1e-12);
        assert!((null.tails(50.0).lower - 0.025).abs() < 1e-12);
        assert!(
            (null.threshold(1e-3) - 253.0).abs() < 0.6,
            "{}",
            null.threshold(1e-3)
        );
        assert!((null.tails(3.0 * null.median()).upper - 8.6e-4).abs() < 1e-5);
        // Three times the upper end, the default rule of `traffic_volume`, where the log-normal
        // reading says 2e-9.
        assert!(null.tails(450.0).upper > 1e-5);
    }

    #[test]
    fn student_quantiles_match_the_printed_tables() {
        for (p, freedom, t) in [
            (0.025, 8.0, 2.306_004_135),
            (0.005, 4.0, 4.604_094_871),
            (0.05, 1.0, 6.313_751_515),
        ] {
            assert!((student_upper_quantile(p, freedom) - t).abs() < 1e-8);
        }
    }

    #[test]
    fn the_closed_form_is_the_distribution() {
        for t in [0.0, 1e-9, 0.3, 1.0, 2.306, 5.0, 8.4, 8.6, 30.0, 1e3, 1e9] {
            for t in [t, -t] {
                let (fast, slow) = (prior_tails(t), student_tails(t, PRIOR_FREEDOM));
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b;
                assert!(
                    close(fast.lower, slow.lower) && close(fast.upper, slow.upper),
                    "{t}"
                );
            }
        }
    }

    #[test]
    fn a_score_is_the_normal_quantile_of_the_same_tail() {
        let null = LogNormalNull::from_range(50.0, 150.0, 0.95).unwrap();
        assert!((null.z_score(150.0) - 1.959_964).abs() < 1e-6);
        assert!((null.z_score(null.threshold(1e-6)) - 4.753_424).abs() < 1e-5);
        assert!(null.z_score(1e12) > 6.0 && null.z_score(1e12) < Z_LIMIT);
        assert!(null.z_score(86.602_54).abs() < 1e-6);
    }

    #[test]
    fn a_range_that_is_none_is_refused() {
        assert!(LogNormalNull::from_range(0.0, 5.0, 0.95).is_err());
        assert!(LogNormalNull::from_range(5.0, 5.0, 0.95).is_err());
        assert!(LogNormalNull::from_range(f64::NAN, 5.0, 0.95).is_err());
        assert_eq!(
            LogNormalNull::from_range(1.0, 5.0, 1.0)
                .unwrap_err()
                .to_string(),
            "coverage `1` is not between 0 and 1"
        );
    }

    proptest! {
        #[test]
        fn every_value_has_a_finite_monotone_score(
            low in 1e-6..1e9_f64, factor in 1.001..1e4_f64, coverage in 0.01..0.9999_f64,
            x in proptest::num::f64::ANY, y in proptest::num::f64::ANY,
        ) {
            let null = LogNormalNull::from_range(low, low * factor, coverage).unwrap();
            prop_assert!(null.z_score(x).abs() <= Z_LIMIT);
            if x <= y {
                prop_assert!(null.z_score(x) <= null.z_score(y) + 1e-9);
            }
        }
    }
}
