//! Exact confidence bounds: what a number of alarms in a number of clean windows proves.
//!
//! Clopper and Pearson (1934) for a proportion, Garwood (1936) for a rate. Found by halving on
//! the distribution itself: the inverse beta function of `statrs` does not return for large
//! samples and is too low for others. Bounds are rounded outward. Good to 1e9 windows.
#![expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 windows do not occur"
)]

use super::special::{beta_tails, bisect, gamma_tails};

/// Whether a bound with error probability `delta` can say anything.
fn meaningful(delta: f64) -> bool {
    delta > 0.0 && delta < 1.0
}

/// Upper bound on a probability that showed up `k` times in `n` trials, wrong with probability
/// at most `delta`.
///
/// 1 where nothing can be said: no trials, `k >= n`, or a `delta` outside (0, 1).
pub fn proportion_upper(k: u64, n: u64, delta: f64) -> f64 {
    if k >= n || !meaningful(delta) {
        return 1.0;
    }
    if k == 0 {
        return -(delta.ln() / n as f64).exp_m1();
    }
    beta_quantile_upper(k as f64 + 1.0, (n - k) as f64, delta)
}

/// Lower bound on a probability that showed up `k` times in `n` trials, wrong with probability at
/// most `delta`; 0 where nothing can be said.
pub fn proportion_lower(k: u64, n: u64, delta: f64) -> f64 {
    if k == 0 || n == 0 || !meaningful(delta) {
        return 0.0;
    }
    let k = k.min(n);
    if k == n {
        return (delta.ln() / n as f64).exp();
    }
    let (a, b) = (k as f64, (n - k) as f64 + 1.0);
    bisect(0.0, a / n as f64, |p| {
        beta_tails(a, b, p, 1.0 - p).lower <= delta
    })
    .0
}

/// The point of Beta(a, b) with mass `delta` above it, rounded up; 1 for parameters that are no
/// beta distribution.
pub fn beta_quantile_upper(a: f64, b: f64, delta: f64) -> f64 {
    if !(a > 0.0 && b > 0.0 && meaningful(delta)) {
        return 1.0;
    }
    bisect(0.0, 1.0, |p| beta_tails(a, b, p, 1.0 - p).upper > delta).1
}

/// Chance of at most `k` hits in `n` trials of probability `p`.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta_tails(k as f64 + 1.0, (n - k) as f64, p, 1.0 - p).upper
}

/// Chance of at most `k` events when `mean` are expected.
pub fn poisson_cdf(k: u64, mean: f64) -> f64 {
    gamma_tails(k as f64 + 1.0, mean).upper
}

/// Fewest trials in which `k` hits still prove a probability of at most `target` with error
/// `delta`; `None` for a target or an error that no number of trials proves.
pub fn trials_needed(k: u64, target: f64, delta: f64) -> Option<u64> {
    if !(target > 0.0 && target < 1.0 && meaningful(delta)) {
        return None;
    }
    let proven = |n: u64| binomial_cdf(k, n, target) <= delta;
    let (mut low, mut high) = (k, k.max(1));
    while !proven(high) {
        low = high;
        high = high.checked_mul(2).filter(|n| *n < 1 << 52)?;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if proven(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Upper bound on an expected number of events of which `k` were seen, wrong with probability at
/// most `delta`; infinite where nothing can be said. Divide by the exposure for a rate.
pub fn events_upper(k: u64, delta: f64) -> f64 {
    if !meaningful(delta) {
        return f64::INFINITY;
    }
    if k == 0 {
        return -delta.ln();
    }
    let shape = k as f64 + 1.0;
    let mut high = 2.0 * shape;
    while gamma_tails(shape, high).upper > delta && high < 1e300 {
        high *= 2.0;
    }
    bisect(0.0, high, |mean| gamma_tails(shape, mean).upper > delta).1
}

/// Lower bound on an expected number of events of which `k` were seen; 0 where nothing can be
/// said.
pub fn events_lower(k: u64, delta: f64) -> f64 {
    if k == 0 || !meaningful(delta) {
        return 0.0;
    }
    let shape = k as f64;
    bisect(0.0, 2.0 * shape + 2.0, |mean| {
        gamma_tails(shape, mean).lower <= delta
    })
    .0
}

/// Two-sided interval for the rate of `k` events in `exposure` (device-days, say), outside which
/// the true rate lies with probability at most `delta`.
pub fn rate_interval(k: u64, exposure: f64, delta: f64) -> (f64, f64) {
    if exposure.is_nan() || exposure <= 0.0 {
        return (0.0, f64::INFINITY);
    }
    (
        events_lower(k, delta / 2.0) / exposure,
        events_upper(k, delta / 2.0) / exposure,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sample_sizes_match_the_published_table() {
        for (target, delta, row) in [
            (0.01, 0.05, [299, 473, 628, 773, 1_049, 1_693, 2_902, 6_323]),
            (
                0.001,
                0.05,
                [2_995, 4_742, 6_294, 7_752, 10_511, 16_959, 29_058, 63_281],
            ),
            (
                0.001,
                0.01,
                [4_603, 6_636, 8_403, 10_042, 13_105, 20_140, 33_097, 69_058],
            ),
            (
                1e-4,
                0.05,
                [
                    29_956, 47_437, 62_956, 77_535, 105_128, 169_619, 290_616, 632_865,
                ],
            ),
        ] {
            for (k, n) in [0, 1, 2, 3, 5, 10, 20, 50].into_iter().zip(row) {
                assert_eq!(
                    trials_needed(k, target, delta),
                    Some(n),
                    "k = {k}, target {target}"
                );
                assert!(proportion_upper(k, n, delta) <= target);
                assert!(proportion_upper(k, n - 1, delta) > target);
            }
        }
    }

    #[test]
    fn bounds_solve_their_equation_up_to_a_thousand_million() {
        for n in [
            10_u64,
            5_000,
            1_000_000,
            10_000_000,
            100_000_000,
            1_000_000_000,
        ] {
            for k in [1, 3, 9, n / 1_000, n / 3, n / 10 * 9] {
                if k == 0 || k >= n {
                    continue;
                }
                let upper = proportion_upper(k, n, 0.05);
                let lower = proportion_lower(k, n, 0.05);
                assert!(lower < k as f64 / n as f64 && upper > k as f64 / n as f64);
                let at_upper = binomial_cdf(k, n, upper);
                assert!(
                    (at_upper / 0.05 - 1.0).abs() < 1e-6,
                    "k={k} n={n}: {at_upper}"
                );
            }
        }
    }

    #[test]
    fn no_hit_gives_the_closed_form() {
        let upper = proportion_upper(0, 1_000_000, 0.05);
        assert!((upper - 2.995_727_8e-6).abs() < 1e-12, "{upper:e}");
        // Known from the report on the library's own inverse: 2.99573e-6, not 2.99548e-6.
        assert!((beta_quantile_upper(1.0, 1e6, 0.05) / upper - 1.0).abs() < 1e-12);
        assert!((proportion_upper(12, 12_000, 0.05) - 0.001_62).abs() < 5e-6);
    }

    #[test]
    fn rates_match_garwoods_interval() {
        let (lower, upper) = rate_interval(3, 3_500.0, 0.1);
        assert!((upper - 2.2e-3).abs() < 5e-5, "{upper}");
        assert!((lower * 3_500.0 - 0.8177).abs() < 1e-4, "{lower}");
        assert!((events_upper(0, 0.05) / 3_500.0 - 8.6e-4).abs() < 5e-6);
        assert!((events_upper(1, 0.025) - 5.5716).abs() < 1e-4);
        assert!((events_lower(1, 0.025) - 0.025_317_8).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn no_input_gives_nonsense(
            k in any::<u32>(), n in any::<u32>(), delta in -0.1..0.5_f64,
        ) {
            let (k, n) = (u64::from(k), u64::from(n));
            let (lower, upper) = (proportion_lower(k, n, delta), proportion_upper(k, n, delta));
            prop_assert!(0.0 <= lower && lower <= upper && upper <= 1.0);
            prop_assert!(events_lower(k % 100_000, delta) <= events_upper(k % 100_000, delta));
        }
    }
}
