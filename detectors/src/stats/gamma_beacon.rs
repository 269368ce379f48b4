//! Is something calling home? A test for regular intervals that needs to know neither the period
//! nor the past.
//!
//! Intervals of a beacon are Gamma with a large shape (10 % jitter is shape 100), those of honest
//! traffic are Poisson or burstier (shape at most `k0`). The unknown period is removed by looking
//! only at `r = x / (S + x)`, the newest interval against the sum of the earlier ones, whose law
//! is Beta(k, mk) whatever the period is. The likelihood ratio of the two shapes is then a
//! supermartingale for *every* Gamma renewal process of shape at most `k0` at any rate: exact at
//! any time, from the second interval on (the construction of Pérez-Ortiz, Lardy, de Heide and
//! Grünwald, "E-statistics, group invariance and anytime-valid testing", 2024).
//!
//! State: two sums, two counts, and one number per bet.

use serde::{Deserialize, Serialize};
use statrs::function::gamma::ln_gamma;

/// Shapes that are bet on: jitter of about 50, 25, 12 and 6 % of the period.
pub const SHAPES: [f64; 4] = [4.0, 16.0, 64.0, 256.0];
/// Default shape of honest traffic: mildly regular is not yet a beacon.
pub const HONEST_SHAPE: f64 = 2.0;
/// Earlier intervals in one block; then a new block of intervals begins, with the evidence kept.
const BLOCK: usize = 256;
/// Evidence below which a key is better begun afresh: `e^-3`.
const STALE: f64 = 0.049_787_068_367_863_944;
/// Ratios are kept this far from 0 and 1. It can only matter for events rarer than that, for
/// which every bet is lost anyway.
const RATIO_MIN: f64 = 1e-6;
/// A longer interval, in any unit, is no interval: squares of shorter ones stay finite.
const INTERVAL_MAX: f64 = 1e15;
const LN_MAX: f64 = 69.0;
const LN_MIN: f64 = -1e4;

/// The constants of the test, one row per number of earlier intervals; built once.
#[derive(Clone, Debug)]
pub struct BeaconTable {
    honest_shape: f64,
    rows: Vec<[f64; SHAPES.len()]>,
}

impl BeaconTable {
    /// Constants against honest traffic of shape at most `honest_shape`, which must be positive
    /// and below the smallest shape bet on (4); else it is [`HONEST_SHAPE`].
    pub fn new(honest_shape: f64) -> Self {
        let usable = honest_shape > 0.0 && honest_shape < SHAPES[0];
        let k0 = if usable { honest_shape } else { HONEST_SHAPE };
        let constant = |m: f64, k: f64| ln_gamma((m + 1.0) * k) - ln_gamma(k) - ln_gamma(m * k);
        let rows = (1..=BLOCK)
            .map(|m| {
                #[expect(clippy::cast_precision_loss, reason = "m is at most 256")]
                let m = m as f64;
                SHAPES.map(|k1| constant(m, k1) - constant(m, k0))
            })
            .collect();
        Self {
            honest_shape: k0,
            rows,
        }
    }

    /// The logarithm of each bet's e-value when, after `m` intervals, the next has ratio `r`.
    fn increments(&self, m: usize, r: f64) -> [f64; SHAPES.len()] {
        let mut out = [0.0; SHAPES.len()];
        let Some(row) = m.checked_sub(1).and_then(|index| self.rows.get(index)) else {
            return out;
        };
        let (r, rest) = (r.max(RATIO_MIN), (1.0 - r).max(RATIO_MIN));
        #[expect(clippy::cast_precision_loss, reason = "m is at most 256")]
        let data = r.ln() + m as f64 * rest.ln();
        for ((out, constant), shape) in out.iter_mut().zip(row).zip(SHAPES) {
            *out = constant + (shape - self.honest_shape) * data;
        }
        out
    }
}

impl Default for BeaconTable {
    fn default() -> Self {
        Self::new(HONEST_SHAPE)
    }
}

/// Evidence that one destination is called at regular intervals: 28 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beacon {
    /// Sum of the intervals of this block, in whatever unit the caller keeps.
    sum: f32,
    /// Sum of their squares, for the words only: no bet rests on it.
    squares: f32,
    /// Intervals in this block.
    count: u16,
    /// Intervals in all blocks; held at the end of its range.
    seen: u16,
    ln_e: [f32; SHAPES.len()],
}

impl Beacon {
    /// Takes the next interval between two contacts, in any unit as long as it stays the same.
    ///
    /// An interval of 0 counts as the burst it is; a negative or infinite one, or one that is not
    /// a number, is passed over.
    pub fn observe(&mut self, table: &BeaconTable, interval: f64) {
        if !(0.0..INTERVAL_MAX).contains(&interval) {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        let m = usize::from(self.count);
        let total = f64::from(self.sum) + interval;
        if m > 0 && total > 0.0 {
            let increments = table.increments(m, interval / total);
            for (ln_e, increment) in self.ln_e.iter_mut().zip(increments) {
                *ln_e = narrow((f64::from(*ln_e) + increment).clamp(LN_MIN, LN_MAX));
            }
        }
        if m >= BLOCK {
            // A new block: its first interval sets the scale and is not bet on, so every ratio
            // stays independent of those before it.
            (self.sum, self.squares) = (0.0, 0.0);
            self.count = 0;
        } else {
            self.sum = narrow(total);
            self.squares = narrow(f64::from(self.squares) + interval * interval);
            self.count += 1;
        }
    }

    /// The evidence so far: the mean over the bets, 1 at the start, an e-process.
    ///
    /// It is multiplied by the stake put on the key when it was opened.
    pub fn evidence(&self) -> f32 {
        let mean = self.mean_e();
        if mean.is_nan() {
            0.0
        } else {
            narrow(mean.min(1e30))
        }
    }

    fn mean_e(&self) -> f64 {
        self.ln_e
            .iter()
            .map(|ln_e| f64::from(*ln_e).exp())
            .sum::<f64>()
            * 0.25
    }

    /// Whether evidence has fallen so far that the key is better opened anew (with a new stake),
    /// so that a beacon with an irregular start is still found.
    pub fn is_stale(&self) -> bool {
        self.mean_e() < STALE
    }

    /// Holds the evidence at `most`: what lowers it never breaks its promise, and a beacon that
    /// ends after a year is then over as soon as one that ends after a day.
    pub fn hold_at(&mut self, most: f32) {
        let mean = self.mean_e();
        let most = f64::from(most);
        if mean > most && most > 0.0 {
            let above = (mean / most).ln();
            for ln_e in &mut self.ln_e {
                *ln_e = narrow((f64::from(*ln_e) - above).max(LN_MIN));
            }
        }
    }

    /// Logarithm of the strongest bet: within ln 4 of that of the evidence, and cheaper to compare.
    pub fn ln_strongest(&self) -> f32 {
        self.ln_e.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    }

    /// Intervals taken so far, in all blocks.
    pub const fn intervals(&self) -> u16 {
        self.seen
    }

    /// Whether the current block has enough intervals to say how they vary.
    pub const fn is_measured(&self) -> bool {
        self.count >= 2
    }

    /// Mean interval of the current block in the caller's unit, `None` before the first.
    pub fn period(&self) -> Option<f32> {
        (self.count > 0).then(|| self.sum / f32::from(self.count))
    }

    /// Standard deviation of the intervals of this block over their mean; with fewer than two, the
    /// jitter of the bet that fits best.
    pub fn jitter(&self) -> f64 {
        if self.is_measured() && self.sum > 0.0 {
            let n = f64::from(self.count);
            let mean = f64::from(self.sum) / n;
            let variance = (f64::from(self.squares) / n - mean * mean).max(0.0) * n / (n - 1.0);
            return variance.sqrt() / mean;
        }
        let mut best = 0;
        for index in 1..SHAPES.len() {
            if self.ln_e[index] > self.ln_e[best] {
                best = index;
            }
        }
        SHAPES[best].sqrt().recip()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "state is single precision, values are in its range"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::super::special::beta_tails;
    use super::*;
    use proptest::prelude::*;

    /// Mean increment of the e-values under Beta(k, mk), by quadrature.
    fn means(table: &BeaconTable, m: u16, k: f64) -> [f64; 4] {
        let (b, steps) = (f64::from(m) * k, 40_000);
        let law = |i: i32| {
            let x = f64::from(i) / f64::from(steps);
            beta_tails(k, b, x, 1.0 - x).lower
        };
        let mut sums = [0.0; 4];
        let mut before = 0.0;
        for i in 0..steps {
            let after = law(i + 1);
            let r = (f64::from(i) + 0.5) / f64::from(steps);
            for (sum, ln_e) in sums.iter_mut().zip(table.increments(usize::from(m), r)) {
                *sum += ln_e.exp() * (after - before);
            }
            before = after;
        }
        sums
    }

    #[test]
    fn state_is_compact() {
        assert_eq!(size_of::<Beacon>(), 28);
    }

    #[test]
    fn the_mean_is_one_at_the_honest_shape_and_less_below() {
        for (k0, m) in [(1.0, 1), (1.0, 5), (2.0, 2), (2.0, 20)] {
            let table = BeaconTable::new(k0);
            for mean in means(&table, m, k0) {
                assert!((mean - 1.0).abs() < 2e-3, "k0 {k0}, m {m}: {mean}");
            }
            for mean in means(&table, m, 0.7 * k0) {
                assert!((0.75..0.95).contains(&mean), "k0 {k0}, m {m}: {mean}");
            }
        }
    }

    #[test]
    fn the_unit_of_time_does_not_matter() {
        let (table, mut dice) = (BeaconTable::default(), Dice(3));
        let (mut seconds, mut hours) = (Beacon::default(), Beacon::default());
        for _ in 0..30 {
            let x = dice.gamma(30.0);
            seconds.observe(&table, x);
            hours.observe(&table, x / 3_600.0);
        }
        let ratio = f64::from(seconds.evidence() / hours.evidence());
        assert!(
            seconds.evidence() > 1e4 && (ratio - 1.0).abs() < 1e-2,
            "{ratio}"
        );
    }

    #[test]
    fn jitter_is_measured_and_evidence_can_be_held() {
        let (table, mut dice) = (BeaconTable::default(), Dice(5));
        let mut beacon = Beacon::default();
        for _ in 0..200 {
            beacon.observe(&table, 60.0 * (1.0 + 0.1 * dice.normal()));
            beacon.hold_at(1e4);
            assert!(beacon.evidence() <= 1.001e4);
        }
        assert!(
            (0.08..0.12).contains(&beacon.jitter()),
            "{}",
            beacon.jitter()
        );
        assert!(beacon.evidence() > 9e3 && beacon.intervals() == 200);
        let mut pauses = 0;
        while !beacon.is_stale() {
            beacon.observe(&table, 60.0 * 20.0 * dice.uniform());
            pauses += 1;
        }
        assert!(pauses < 10, "{pauses} irregular intervals end it");
    }

    fn median_events(k0: f64, mut interval: impl FnMut(&mut Dice) -> f64) -> usize {
        let (table, mut dice) = (BeaconTable::new(k0), Dice(17));
        let mut delays: Vec<usize> = (0..201)
            .map(|_| {
                let mut beacon = Beacon::default();
                let mut events = 1;
                while beacon.evidence() < 1e4 && events < 300 {
                    beacon.observe(&table, interval(&mut dice));
                    events += 1;
                }
                events
            })
            .collect();
        delays.sort_unstable();
        delays[100]
    }

    #[test]
    fn a_beacon_is_found_within_the_published_number_of_events() {
        let ten = |dice: &mut Dice| 60.0 * (1.0 + 0.1 * dice.normal());
        assert!(
            (7..=10).contains(&median_events(1.0, ten)),
            "{}",
            median_events(1.0, ten)
        );
        assert!(
            (8..=11).contains(&median_events(2.0, ten)),
            "{}",
            median_events(2.0, ten)
        );
        let uniform = |dice: &mut Dice| 60.0 * (1.0 + 0.5 * (2.0 * dice.uniform() - 1.0));
        let events = median_events(2.0, uniform);
        assert!((20..=32).contains(&events), "{events}");
    }

    #[test]
    fn honest_traffic_seldom_looks_like_a_beacon() {
        let (table, mut dice) = (BeaconTable::default(), Dice(23));
        let mut fooled = 0;
        for _ in 0..2_000 {
            let mut beacon = Beacon::default();
            let mut largest = 0.0_f32;
            for _ in 0..600 {
                beacon.observe(&table, dice.gamma(HONEST_SHAPE));
                largest = largest.max(beacon.evidence());
            }
            fooled += u32::from(largest >= 20.0);
        }
        // Ville: at most 1 in 20.
        assert!(fooled <= 100, "{fooled} of 2000");
        assert!(fooled > 5, "{fooled} of 2000: the test bets on nothing");
    }

    proptest! {
        #[test]
        fn no_interval_breaks_the_evidence(
            xs in proptest::collection::vec(
                prop_oneof![proptest::num::f64::ANY, Just(0.0), 0.0..100.0_f64], 0..600),
        ) {
            let table = BeaconTable::default();
            let mut beacon = Beacon::default();
            for x in xs {
                beacon.observe(&table, x);
                prop_assert!(beacon.evidence() >= 0.0 && beacon.evidence() <= 1e30);
            }
            prop_assert!(beacon.jitter() >= 0.0 && beacon.jitter().is_finite());
        }
    }
}
