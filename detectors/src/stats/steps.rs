//! Calibrated steps: e-values whose guarantee rests on clean windows and on no distribution.
//!
//! A score is sorted into bins by order statistics of the calibration scores, and each bin is
//! worth a fixed e-value. The bins' masses are not estimated but bounded from above (Clopper and
//! Pearson), so that with probability `1 - delta` over the calibration *every* e-value has mean at
//! most 1 from then on. The idea of calibration-conditional guarantees is that of Bates, Candès,
//! Lei, Romano and Sesia, "Testing for outliers with conformal p-values" (2023).
//!
//! Why it holds: the e-value `g` never falls from bin to bin, so its mean is at most
//! `g_0 + Σ (g_j - g_{j-1}) ubar_j`, which the normalisation makes 1, whenever the true chance of
//! exceeding each threshold `t_j` is at most `ubar_j`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bounds::beta_quantile_upper;
use super::normal::phi_inv;
use super::tilts::SHIFTS;

/// Tail levels at which thresholds are placed.
pub const TAIL_LEVELS: [f64; 13] = [
    0.9, 0.75, 0.5, 0.35, 0.25, 0.15, 0.10, 0.06, 0.03, 0.015, 0.007, 0.003, 0.001,
];
/// A level needs at least this many calibration scores above its threshold.
const SCORES_ABOVE_MIN: f64 = 3.0;
const BINS: usize = TAIL_LEVELS.len() + 1;

/// Why scores give no table.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StepError {
    /// Fewer scores than the first level needs.
    #[error("`{0}` calibration scores are too few for a single threshold")]
    TooFew(usize),
    /// A calibration score is not a finite number.
    #[error("calibration score `{value}` at position {position} is not a finite number")]
    Score {
        /// Index of the score, from 0.
        position: usize,
        /// The score.
        value: f32,
    },
    /// The error probability is not between 0 and 1.
    #[error("error probability `{0}` is not between 0 and 1")]
    Delta(f64),
    /// The parts of a stored table contradict each other.
    #[error("step table: {0}")]
    Parts(&'static str),
}

/// A step table as a profile carries it: thresholds and bounds, from which the e-values follow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepParts {
    /// Clean windows behind the table.
    pub n: u64,
    /// Probability, over calibrations, that some bound is too low.
    pub delta: f64,
    /// Nominal tail level of each threshold, falling.
    pub levels: Vec<f64>,
    /// Scores above which a bin begins, never falling.
    pub thresholds: Vec<f32>,
    /// Upper bound on the chance of exceeding each threshold, never rising.
    pub bounds: Vec<f64>,
}

/// A frozen table of e-values, one for each bin and each of [`SHIFTS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StepParts", into = "StepParts")]
pub struct StepTable {
    /// Unused places hold infinity, which no score exceeds.
    thresholds: [f32; TAIL_LEVELS.len()],
    e: [[f32; SHIFTS.len()]; BINS],
    parts: StepParts,
}

impl StepTable {
    /// Calibrates on the scores of clean windows, computed exactly as they will be at run time.
    ///
    /// `delta` is this table's share of the allowed error probability: divide the whole by the
    /// number of signals, sides and profiles that are calibrated together. `indifference` is
    /// subtracted at look-up ([`Self::e_values`]) and not here.
    pub fn calibrate(scores: &[f32], delta: f64) -> Result<Self, StepError> {
        if let Some(position) = scores.iter().position(|s| !s.is_finite()) {
            return Err(StepError::Score {
                position,
                value: scores[position],
            });
        }
        if !(delta > 0.0 && delta < 1.0) {
            return Err(StepError::Delta(delta));
        }
        let mut falling = scores.to_vec();
        falling.sort_by(|a, b| b.total_cmp(a));
        #[expect(
            clippy::cast_precision_loss,
            reason = "calibrations have far fewer than 2^53 scores"
        )]
        let n = scores.len() as f64;
        let levels: Vec<f64> = TAIL_LEVELS
            .iter()
            .copied()
            .filter(|u| n * u >= SCORES_ABOVE_MIN)
            .collect();
        if levels.is_empty() {
            return Err(StepError::TooFew(scores.len()));
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 13 levels")]
        let share = delta / levels.len() as f64;
        let (mut thresholds, mut bounds) = (Vec::new(), Vec::new());
        let mut lowest = 1.0_f64;
        for level in &levels {
            let above = (n * level).floor();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0 <= above < n"
            )]
            thresholds.push(falling[above as usize]);
            lowest = lowest.min(beta_quantile_upper(above + 1.0, n - above, share));
            bounds.push(lowest);
        }
        Self::try_from(StepParts {
            n: scores.len() as u64,
            delta,
            levels,
            thresholds,
            bounds,
        })
    }

    /// The e-values of a score, one for each of [`SHIFTS`], after the indifference zone (in
    /// standard deviations) has been taken off. A score that is not a number falls in the lowest
    /// bin.
    #[inline]
    pub fn e_values(&self, score: f32, indifference: f32) -> &[f32; SHIFTS.len()] {
        let score = score - indifference;
        let bin: usize = self
            .thresholds
            .iter()
            .map(|t| usize::from(score > *t))
            .sum();
        &self.e[bin]
    }

    /// The parts a profile stores.
    pub const fn parts(&self) -> &StepParts {
        &self.parts
    }

    /// What one window can prove at most, in natural logarithm of evidence.
    pub fn nats_max(&self) -> f32 {
        self.e[self.parts.levels.len()]
            .into_iter()
            .fold(0.0, f32::max)
            .ln()
    }
}

impl TryFrom<StepParts> for StepTable {
    type Error = StepError;

    fn try_from(parts: StepParts) -> Result<Self, StepError> {
        check(&parts)?;
        let count = parts.levels.len();
        let mut thresholds = [f32::INFINITY; TAIL_LEVELS.len()];
        thresholds[..count].copy_from_slice(&parts.thresholds);
        let bound = |j: usize| match j {
            0 => 1.0,
            j if j > count => 0.0,
            j => parts.bounds[j - 1],
        };
        let level = |j: usize| match j {
            0 => 1.0,
            j if j > count => 0.0,
            j => parts.levels[j - 1],
        };
        let mut e = [[0.0; SHIFTS.len()]; BINS];
        for (tilt, shift) in SHIFTS.iter().enumerate() {
            let weight = |bin: usize| (-shift * phi_inv(0.5 * (level(bin) + level(bin + 1)))).exp();
            let mean: f64 = (0..=count)
                .map(|b| (bound(b) - bound(b + 1)) * weight(b))
                .sum();
            for (bin, row) in e.iter_mut().enumerate().take(count + 1) {
                row[tilt] = rounded_down(weight(bin) / mean);
            }
        }
        Ok(Self {
            thresholds,
            e,
            parts,
        })
    }
}

impl From<StepTable> for StepParts {
    fn from(table: StepTable) -> Self {
        table.parts
    }
}

fn check(parts: &StepParts) -> Result<(), StepError> {
    let count = parts.levels.len();
    let falls = |values: &[f64]| values.is_sorted_by(|a, b| a >= b);
    let problem = if count == 0 || count > TAIL_LEVELS.len() {
        "there must be 1 to 13 levels"
    } else if parts.thresholds.len() != count || parts.bounds.len() != count {
        "levels, thresholds and bounds must be equally many"
    } else if !parts
        .levels
        .iter()
        .chain(&parts.bounds)
        .all(|p| *p > 0.0 && *p <= 1.0)
    {
        "levels and bounds must be probabilities above 0"
    } else if !parts.thresholds.iter().all(|t| t.is_finite()) {
        "thresholds must be finite numbers"
    } else if !(falls(&parts.levels) && falls(&parts.bounds) && parts.thresholds.is_sorted()) {
        "levels and bounds must fall and thresholds must rise"
    } else {
        return Ok(());
    };
    Err(StepError::Parts(problem))
}

/// The largest `f32` not above `x`: rounding must not push a mean above 1.
pub(crate) fn rounded_down(x: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "corrected on the next line"
    )]
    let near = x as f32;
    if f64::from(near) > x {
        near.next_down()
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::super::evidence::{Arming, Bets, Purse, Stake};
    use super::*;
    use proptest::prelude::*;

    fn normal_scores(n: usize, seed: u64) -> Vec<f32> {
        let mut dice = Dice(seed);
        (0..n).map(|_| dice.score()).collect()
    }

    /// Mean of the e-values when threshold `j` is exceeded with probability `exceed[j]`.
    fn means(table: &StepTable, exceed: &[f64]) -> [f64; 4] {
        let mut sums = [0.0; 4];
        for bin in 0..=exceed.len() {
            let above = |j: usize| match j {
                0 => 1.0,
                j if j > exceed.len() => 0.0,
                j => exceed[j - 1],
            };
            for (sum, e) in sums.iter_mut().zip(table.e[bin]) {
                *sum += (above(bin) - above(bin + 1)) * f64::from(e);
            }
        }
        sums
    }

    #[test]
    fn levels_follow_the_size_of_the_calibration() {
        let table = StepTable::calibrate(&normal_scores(8_064, 1), 0.05).unwrap();
        assert_eq!(table.parts().levels.len(), 13);
        // One window may prove 1 / ubar at most, 424 or 6 nats for 8,064 windows.
        let last = table.parts().bounds[12];
        assert!((1.0 / last - 424.0).abs() < 60.0, "{last}");
        assert!(
            (3.5..6.05).contains(&table.nats_max()),
            "{}",
            table.nats_max()
        );
        let small = StepTable::calibrate(&normal_scores(100, 1), 0.05).unwrap();
        assert_eq!(small.parts().levels.last(), Some(&0.03));
        assert_eq!(
            StepTable::calibrate(&[0.0; 3], 0.05),
            Err(StepError::TooFew(3))
        );
    }

    #[test]
    fn larger_scores_are_worth_more() {
        let table = StepTable::calibrate(&normal_scores(2_000, 3), 0.05).unwrap();
        let mut before = [0.0; 4];
        for i in -40..60_i16 {
            let e = *table.e_values(f32::from(i) / 10.0, 0.0);
            assert!(e.iter().zip(before).all(|(now, before)| *now >= before));
            before = e;
        }
        let bits = |score, zone| table.e_values(score, zone).map(f32::to_bits);
        assert_eq!(bits(f32::NAN, 0.0), bits(-100.0, 0.0));
        assert_eq!(bits(1.0, 0.5), bits(0.5, 0.0));
    }

    #[test]
    fn a_profile_carries_the_table_unchanged() {
        let table = StepTable::calibrate(&normal_scores(500, 5), 0.01).unwrap();
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<StepTable>(&text).unwrap(), table);
        let mut parts = table.parts().clone();
        parts.bounds.reverse();
        assert!(StepTable::try_from(parts).is_err());
    }

    #[test]
    fn a_calibration_that_holds_keeps_the_promise() {
        let (days, level) = (40_000, [10.0]);
        let table = StepTable::calibrate(&normal_scores(2_000, 9), 0.05).unwrap();
        let stake = Stake::new(1.0, 24.0);
        let (mut bets, mut purse, mut arming) =
            (Bets::<4>::default(), Purse::default(), Arming::default());
        let (mut dice, mut alarms) = (Dice(10), 0_u32);
        for hour in 0..days * 24 {
            let e = table.e_values(dice.score(), 0.0);
            bets.step(stake.draw(&mut purse, hour / 24), e);
            alarms += u32::from(arming.update(bets.total(), &level).raised);
        }
        let per_level = f64::from(alarms) * 10.0 / f64::from(days);
        assert!(per_level <= 1.11, "{per_level}");
    }

    #[test]
    fn a_shift_of_one_deviation_is_found_within_days() {
        let table = StepTable::calibrate(&normal_scores(10_000, 21), 0.05).unwrap();
        let mut dice = Dice(22);
        let mut delays: Vec<u32> = (0..99)
            .map(|_| {
                let mut bets = Bets::<4>::default();
                let found = (1..2_000).find(|_| {
                    bets.step(1.0, table.e_values(dice.score() + 1.0, 0.0));
                    bets.total() >= 10_000.0
                });
                found.unwrap_or(2_000)
            })
            .collect();
        delays.sort_unstable();
        // The published median for 10,000 clean windows is 20.
        assert!((15..=25).contains(&delays[49]), "{}", delays[49]);
    }

    proptest! {
        #[test]
        fn no_law_within_the_bounds_has_a_mean_above_one(
            seed in any::<u64>(), n in 4..3_000_usize,
            shares in proptest::collection::vec(0.0..=1.0_f64, 13),
        ) {
            let table = StepTable::calibrate(&normal_scores(n, seed), 0.05).unwrap();
            let mut exceed = Vec::new();
            let mut most = 1.0_f64;
            for (bound, share) in table.parts().bounds.iter().zip(shares) {
                most = most.min(bound * share.max(0.2).sqrt());
                exceed.push(most);
            }
            for mean in means(&table, &exceed).into_iter().chain(means(&table, &table.parts().bounds)) {
                prop_assert!(mean <= 1.0 + 1e-12, "{}", mean);
            }
        }

        #[test]
        fn any_finite_scores_give_a_table(scores in proptest::collection::vec(-1e30..1e30_f32, 0..300)) {
            if let Ok(table) = StepTable::calibrate(&scores, 0.05) {
                prop_assert!(table.e.iter().flatten().all(|e| e.is_finite()));
            }
        }
    }
}
