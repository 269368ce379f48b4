//! Bets on an event that should be rare: the likelihood ratio against an upper-bounded chance.
//!
//! If the event has probability at most `pbar` given the past, then
//! `(q/pbar)^x ((1-q)/(1-pbar))^(1-x)` with `q > pbar` has mean at most 1 whatever the true
//! probability below `pbar` is: exact, without a calibration of its own.
//!
//! A step must be an *episode* (a night, a visit to a state, a first sight of a destination) and
//! not a sample: what comes in bursts has a far larger probability given the past than alone.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::steps::rounded_down;

/// The chance bound of a bet is not a probability strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("chance `{0}` is not strictly between 0 and 1")]
pub struct ChanceError(pub f64);

/// E-values of one event, for K alternatives; shared by all devices of a type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BernoulliBets<const K: usize> {
    pbar: f64,
    hit: [f32; K],
    miss: [f32; K],
    ln_hit: [f64; K],
    ln_miss: [f64; K],
}

/// What [`BernoulliBets`] are made of, as a profile carries it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// Upper bound on the probability of the event given the past.
    pub pbar: f64,
}

impl<const K: usize> BernoulliBets<K> {
    /// Bets that the event is `factors` times as likely as `pbar` allows.
    ///
    /// Where that would be no probability, the chance of the *opposite* is divided instead, so
    /// every alternative lies between `pbar` and 1. A factor of 1 or less bets nothing.
    pub fn new(chance: Chance, factors: [f64; K]) -> Result<Self, ChanceError> {
        let pbar = chance.pbar;
        if !(pbar > 0.0 && pbar < 1.0) {
            return Err(ChanceError(pbar));
        }
        let ratios = factors.map(|factor| {
            let q = alternative(pbar, factor);
            ((q / pbar).ln(), (-q).ln_1p() - (-pbar).ln_1p())
        });
        Ok(Self {
            pbar,
            hit: ratios.map(|(hit, _)| rounded_down(hit.exp())),
            miss: ratios.map(|(_, miss)| rounded_down(miss.exp())),
            ln_hit: ratios.map(|(hit, _)| hit),
            ln_miss: ratios.map(|(_, miss)| miss),
        })
    }

    /// The e-values of one step: a table look-up.
    #[inline]
    pub const fn e_values(&self, happened: bool) -> &[f32; K] {
        if happened { &self.hit } else { &self.miss }
    }

    /// The e-values of a window in which the event happened in `k` of `n` steps; `k` beyond `n`
    /// counts as `n`.
    pub fn window(&self, k: u32, n: u32) -> [f32; K] {
        let (hits, misses) = (f64::from(k.min(n)), f64::from(n - k.min(n)));
        let mut e = [1.0; K];
        for ((e, ln_hit), ln_miss) in e.iter_mut().zip(&self.ln_hit).zip(&self.ln_miss) {
            *e = rounded_down((hits * ln_hit + misses * ln_miss).exp());
        }
        e
    }

    /// The bound the bets are made against.
    pub const fn pbar(&self) -> f64 {
        self.pbar
    }
}

fn alternative(pbar: f64, factor: f64) -> f64 {
    let factor = if factor > 1.0 { factor } else { 1.0 };
    (factor * pbar).min(1.0 - (1.0 - pbar) / factor)
}

#[cfg(test)]
mod tests {
    use super::super::bounds::proportion_upper;
    use super::*;
    use proptest::prelude::*;

    fn bets(pbar: f64, factor: f64) -> BernoulliBets<1> {
        BernoulliBets::new(Chance { pbar }, [factor]).unwrap()
    }

    #[test]
    fn one_event_is_worth_what_the_clean_history_allows() {
        // 0 of 336 clean blocks: one after-hours block is worth 112 at most, 56 with q = 0.5.
        let pbar = proportion_upper(0, 336, 0.05);
        assert!((pbar - 8.9e-3).abs() < 5e-5, "{pbar}");
        assert!((1.0 / pbar - 112.0).abs() < 1.0);
        assert!((bets(pbar, 0.5 / pbar).e_values(true)[0] - 56.0).abs() < 0.5);
        // 0 of 10,000 clean connections: a new destination is worth 3,340 at most.
        assert!((1.0 / proportion_upper(0, 10_000, 0.05) - 3_339.0).abs() < 2.0);
    }

    #[test]
    fn a_window_is_the_product_of_its_steps() {
        let bets = bets(0.05, 2.5);
        let mut product = 1.0;
        for step in 0..40 {
            product *= bets.e_values(step % 9 == 0)[0];
        }
        let window = bets.window(5, 40)[0];
        assert!((window / product - 1.0).abs() < 1e-4, "{window} {product}");
    }

    #[test]
    fn a_chance_that_is_none_is_refused() {
        for pbar in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(BernoulliBets::new(Chance { pbar }, [2.0]).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_mean_is_at_most_one_for_every_chance_below_the_bound(
            pbar in 1e-9..0.999_f64, factor in 0.1..1e6_f64, share in 0.0..=1.0_f64,
        ) {
            let bets = bets(pbar, factor);
            let p = pbar * share;
            let mean = p * f64::from(bets.e_values(true)[0])
                + (1.0 - p) * f64::from(bets.e_values(false)[0]);
            prop_assert!(mean <= 1.0 + 1e-12, "{}", mean);
            prop_assert!(bets.e_values(false)[0] <= 1.0 && bets.e_values(true)[0] >= 0.999_999);
        }

        #[test]
        fn no_counts_give_nan(pbar in 1e-9..0.999_f64, k in any::<u32>(), n in any::<u32>()) {
            prop_assert!(bets(pbar, 5.0).window(k, n)[0] >= 0.0);
        }
    }
}
