//! How many of a window's events fall into one cell when traffic comes in bursts.
//!
//! Independent events would be binomial; bursts to one destination make the share itself vary
//! from window to window. A beta-binomial says so with one number, the concentration: the share
//! of a window is as uncertain as if it came from that many events (Skellam 1948).
#![expect(
    clippy::many_single_char_names,
    reason = "the letters are those of the formulas"
)]

use statrs::function::gamma::ln_gamma;

use super::count::randomised;
use super::normal::z_of;
use super::special::{Tails, beta_tails};

/// Up to this many events the law is summed exactly, which bounds the work of a window.
const EXACT_MAX: u32 = 4_096;

/// The standard normal score of `k` of `n` events in a cell with mean share `share` and the given
/// concentration: the randomised integral transform with a `u` in [0, 1), through the smaller
/// tail.
///
/// Beyond 4,096 events the share of the window is scored by a beta law of the same mean and
/// variance: within 0.05 standard deviations, except for a cell that is all but empty, which it
/// makes look emptier. No events, or a
/// share or concentration that is none, say nothing and score 0.
pub fn beta_binomial_z(k: u32, n: u32, share: f64, concentration: f64, u: f64) -> f64 {
    let known = share > 0.0 && share < 1.0 && concentration > 0.0 && concentration.is_finite();
    if n == 0 || !known {
        return 0.0;
    }
    let (k, events) = (k.min(n), f64::from(n));
    let (a, b) = (share * concentration, (1.0 - share) * concentration);
    if n <= EXACT_MAX {
        let (before, at) = exact_tails(k, n, a, b);
        return z_of(randomised(before, at, u));
    }
    let matched = (events * (concentration + 1.0) / (concentration + events) - 1.0).max(1e-6);
    let u = if u >= 0.0 { u.min(1.0) } else { 0.0 };
    let x = (f64::from(k) + u) / (events + 1.0);
    z_of(beta_tails(
        share * matched,
        (1.0 - share) * matched,
        x,
        1.0 - x,
    ))
}

/// The law below `k` and at `k`: the mass at `k` from gamma functions, then the masses on the side
/// away from the mean by the ratio of neighbours, until they no longer count.
fn exact_tails(k: u32, n: u32, a: f64, b: f64) -> (Tails, Tails) {
    let (kf, nf) = (f64::from(k), f64::from(n));
    let ln_choose = ln_gamma(nf + 1.0) - ln_gamma(kf + 1.0) - ln_gamma(nf - kf + 1.0);
    let ln_beta = |x: f64, y: f64| ln_gamma(x) + ln_gamma(y) - ln_gamma(x + y);
    let mass = (ln_choose + ln_beta(a + kf, b + nf - kf) - ln_beta(a, b))
        .exp()
        .min(1.0);
    // P(j + 1) / P(j)
    let ratio = |j: f64| (nf - j) * (a + j) / ((j + 1.0) * (b + nf - j - 1.0));
    let (mut sum, mut term) = (0.0, mass);
    let mut add = |factor: f64| {
        term *= factor;
        sum += term;
        term > sum * 1e-17
    };
    let is_low = kf * (a + b) < nf * a;
    if is_low {
        (0..k).rev().map(f64::from).all(|j| add(ratio(j).recip()));
    } else {
        (k..n).map(f64::from).all(|j| add(ratio(j)));
    }
    let side = f64::min(sum, 1.0 - mass);
    let rest = 1.0 - mass - side;
    let (below, above) = if is_low { (side, rest) } else { (rest, side) };
    (
        Tails {
            lower: below,
            upper: 1.0 - below,
        },
        Tails {
            lower: 1.0 - above,
            upper: above,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_masses_sum_to_one() {
        for (k, n, share, concentration) in [
            (1, 26, 0.04, 100.0),
            (400, 500, 0.8, 20.0),
            (40, 4_000, 0.01, 1e6),
        ] {
            let (a, b) = (share * concentration, (1.0 - share) * concentration);
            let (before, at) = exact_tails(k, n, a, b);
            assert!((at.lower + at.upper - 1.0).abs() < 1e-9);
            assert!((before.lower + before.upper - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_flat_prior_makes_every_count_equally_likely() {
        // Beta(1, 1) mixed binomials are uniform on 0..=n.
        let (before, at) = exact_tails(3, 9, 1.0, 1.0);
        assert!((before.lower - 0.3).abs() < 1e-12 && (at.lower - 0.4).abs() < 1e-12);
    }

    #[test]
    fn bursty_windows_score_standard_normal() {
        let (share, concentration, n) = (0.15, 30.0, 60);
        let mut dice = Dice(5);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..20_000 {
            let (x, y) = (
                dice.gamma(share * concentration),
                dice.gamma((1.0 - share) * concentration),
            );
            let p = x / (x + y);
            let k = dice.hits(n, p);
            let z = beta_binomial_z(k, n, share, concentration, dice.uniform());
            sum += z;
            squares += z * z;
        }
        assert!((sum / 20_000.0).abs() < 0.03, "{sum}");
        assert!((squares / 20_000.0 - 1.0).abs() < 0.04, "{squares}");
    }

    #[test]
    fn the_law_is_seamless_where_the_sum_ends() {
        // From one deviation below the mean to three above it.
        for (share, counts) in [(0.02, [30, 82, 253]), (0.3, [1_042, 1_229, 1_789])] {
            for k in counts {
                let exact = beta_binomial_z(k, 4_096, share, 100.0, 0.5);
                let matched = beta_binomial_z(k, 4_097, share, 100.0, 0.5);
                assert!(
                    (exact - matched).abs() < 0.05,
                    "{share} {k}: {exact} {matched}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn no_input_gives_nan(
            k in any::<u32>(), n in prop_oneof![0..5_000_u32, any::<u32>()],
            share in proptest::num::f64::ANY, concentration in proptest::num::f64::ANY,
            u in proptest::num::f64::ANY, good_share in 1e-6..0.999_f64, good in 1e-3..1e9_f64,
        ) {
            prop_assert!(beta_binomial_z(k, n, share, concentration, u).is_finite());
            prop_assert!(beta_binomial_z(k, n, good_share, good, u).is_finite());
        }
    }
}
