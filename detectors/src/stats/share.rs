//! Shares (destinations, protocols): is one cell getting more than its part of the events?
//!
//! Written shares become a Dirichlet law with the shares as mean and a concentration that says
//! how many events they are worth; a cell "other" is always added with the half event of
//! Krichevsky and Trofimov (1981), since a list that sums to 100 % does not mean that nothing
//! else can happen. Each cell is bet on separately: a loss elsewhere is always a gain somewhere.

use thiserror::Error;

use super::bernoulli::{BernoulliBets, Chance};
use super::beta_binomial::beta_binomial_z;
use super::bounds::beta_quantile_upper;

/// Concentration of hand-written shares: how many events they are worth.
pub const CONCENTRATION: f64 = 100.0;
/// How many times its bounded share a cell is bet to have.
pub const FACTORS: [f64; 3] = [1.5, 2.5, 5.0];
/// Most named cells; with "other" they fill the eight counters of a device.
pub const NAMED_MAX: usize = 7;
/// Events that "other", and a cell written with 0 %, count for.
const OTHER_EVENTS: f64 = 0.5;
/// A cell's share is taken at this upper tail of its posterior: 97.5 %.
const UPPER_TAIL: f64 = 0.025;
/// Written percentages may be rounded by this much in sum.
const SUM_SLACK: f64 = 0.005;

/// Why written shares are none.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum ShareError {
    /// No cell, or more than the counters of a device hold.
    #[error("`{0}` named cells where 1 to 7 are possible")]
    Cells(usize),
    /// A share is not a fraction.
    #[error("share `{0}` is not between 0 and 1")]
    Share(f64),
    /// Shares sum to more than the whole.
    #[error("shares sum to `{0}`, which is more than 1")]
    Sum(f64),
    /// The concentration is not a positive number.
    #[error("concentration `{0}` is not a positive number")]
    Concentration(f64),
    /// Observed counts do not fit the cells.
    #[error("`{found}` counts for `{cells}` cells")]
    Counts {
        /// Number of counts given.
        found: usize,
        /// Number of cells, "other" included.
        cells: usize,
    },
}

/// What is normal for the shares of a device type: the named cells in order, then "other".
#[derive(Clone, Debug, PartialEq)]
pub struct ShareNull {
    cells: Vec<Cell>,
    concentration: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    events: f64,
    bets: BernoulliBets<3>,
}

impl ShareNull {
    /// The null of written shares (fractions of 1, at most seven), worth `concentration` events.
    pub fn from_shares(shares: &[f64], concentration: f64) -> Result<Self, ShareError> {
        if shares.is_empty() || shares.len() > NAMED_MAX {
            return Err(ShareError::Cells(shares.len()));
        }
        if let Some(share) = shares.iter().find(|s| !(0.0..=1.0).contains(*s)) {
            return Err(ShareError::Share(*share));
        }
        if !(concentration > 0.0 && concentration.is_finite()) {
            return Err(ShareError::Concentration(concentration));
        }
        let sum: f64 = shares.iter().sum();
        if sum > 1.0 + SUM_SLACK {
            return Err(ShareError::Sum(sum));
        }
        let mut events: Vec<f64> = shares
            .iter()
            .map(|share| (share * concentration).max(OTHER_EVENTS))
            .collect();
        events.push((1.0 - sum).max(0.0) * concentration + OTHER_EVENTS);
        Self::from_events(&events)
    }

    /// The null after clean events have been counted in each cell, "other" last: the posterior of
    /// a device or of its type.
    pub fn after(&self, counts: &[u64]) -> Result<Self, ShareError> {
        if counts.len() != self.cells.len() {
            return Err(ShareError::Counts {
                found: counts.len(),
                cells: self.cells.len(),
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let events: Vec<f64> = self
            .cells
            .iter()
            .zip(counts)
            .map(|(cell, n)| cell.events + *n as f64)
            .collect();
        Self::from_events(&events)
    }

    fn from_events(events: &[f64]) -> Result<Self, ShareError> {
        let concentration: f64 = events.iter().sum();
        let mut cells = Vec::with_capacity(events.len());
        for own in events {
            let pbar = beta_quantile_upper(*own, concentration - own, UPPER_TAIL);
            // Rounding may carry the bound of a cell that has everything to 1.
            let chance = Chance {
                pbar: pbar.min(1.0 - 1e-9),
            };
            let bets = BernoulliBets::new(chance, FACTORS)
                .map_err(|_| ShareError::Concentration(concentration))?;
            cells.push(Cell { events: *own, bets });
        }
        Ok(Self {
            cells,
            concentration,
        })
    }

    /// Number of cells, "other" included.
    pub const fn cells(&self) -> usize {
        self.cells.len()
    }

    /// Mean share of a cell, `None` beyond the last.
    pub fn expected(&self, cell: usize) -> Option<f64> {
        self.cells.get(cell).map(|c| c.events / self.concentration)
    }

    /// Upper 97.5 % bound of a cell's share: what the bets are made against.
    pub fn upper(&self, cell: usize) -> Option<f64> {
        self.cells.get(cell).map(|c| c.bets.pbar())
    }

    /// The e-values of a window with `k` of `n` events in a cell, one for each of [`FACTORS`].
    ///
    /// Valid while events fall into cells independently with at most the bounded share. A cell
    /// that does not exist says nothing.
    pub fn e_values(&self, cell: usize, k: u32, n: u32) -> [f32; 3] {
        self.cells
            .get(cell)
            .map_or([1.0; 3], |c| c.bets.window(k, n))
    }

    /// The standard normal score of a window with `k` of `n` events in a cell, safe for bursty
    /// traffic: beta-binomial with the concentration `per_window` that windows vary by, randomised
    /// by a `u` in [0, 1). Its e-values come from tilts or calibrated steps.
    ///
    /// A cell that does not exist scores 0.
    pub fn z_score(&self, cell: usize, k: u32, n: u32, per_window: f64, u: f64) -> f64 {
        self.expected(cell)
            .map_or(0.0, |share| beta_binomial_z(k, n, share, per_window, u))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::super::evidence::Bets;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_is_possible_even_when_the_list_is_complete() {
        let null = ShareNull::from_shares(&[0.80, 0.15, 0.05], CONCENTRATION).unwrap();
        assert_eq!(null.cells(), 4);
        assert!((null.expected(3).unwrap() - 0.5 / 100.5).abs() < 1e-12);
        assert!((null.expected(0).unwrap() - 80.0 / 100.5).abs() < 1e-12);
        for cell in 0..4 {
            assert!(null.upper(cell) > null.expected(cell));
        }
    }

    #[test]
    fn counted_events_narrow_the_bound() {
        let written = ShareNull::from_shares(&[0.95, 0.04, 0.01], CONCENTRATION).unwrap();
        let learned = written.after(&[9_500, 400, 100, 0]).unwrap();
        assert!(learned.upper(1).unwrap() < 0.045, "{:?}", learned.upper(1));
        assert!(written.upper(1).unwrap() > 0.08, "{:?}", written.upper(1));
        assert!(written.after(&[1, 2]).is_err());
    }

    #[test]
    fn a_cell_that_grows_from_four_to_nine_percent_is_found_in_a_day() {
        let null = ShareNull::from_shares(&[0.95, 0.04, 0.01], CONCENTRATION).unwrap();
        let null = null.after(&[95_000, 4_000, 1_000, 0]).unwrap();
        let mut dice = Dice(4);
        let mut delays: Vec<usize> = (0..51)
            .map(|_| {
                let mut bets = Bets::<3>::default();
                let mut hours = 0;
                while bets.total() < 10_000.0 && hours < 500 {
                    let n = dice.poisson(26.5);
                    let k = dice.hits(n, 0.09);
                    bets.step(1.0, &null.e_values(1, k, n));
                    hours += 1;
                }
                hours
            })
            .collect();
        delays.sort_unstable();
        // Published: 16 hours.
        assert!((10..=24).contains(&delays[25]), "{}", delays[25]);
    }

    #[test]
    fn shares_that_are_none_are_refused() {
        assert_eq!(
            ShareNull::from_shares(&[], 100.0),
            Err(ShareError::Cells(0))
        );
        assert_eq!(
            ShareNull::from_shares(&[0.9, 0.2], 100.0),
            Err(ShareError::Sum(1.1))
        );
        assert!(ShareNull::from_shares(&[-0.1], 100.0).is_err());
        assert!(ShareNull::from_shares(&[0.5], f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn any_shares_give_valid_bets(
            shares in proptest::collection::vec(0.0..=1.0_f64, 1..8),
            concentration in 1e-3..1e9_f64, cell in 0..10_usize, k in any::<u32>(), n in any::<u32>(),
        ) {
            let sum: f64 = shares.iter().sum::<f64>().max(1.0);
            let shares: Vec<f64> = shares.iter().map(|s| s / sum).collect();
            let null = ShareNull::from_shares(&shares, concentration).unwrap();
            for e in null.e_values(cell, k, n) {
                prop_assert!(e >= 0.0);
            }
            prop_assert!(null.z_score(cell, k, n % 5_000, concentration, 0.5).is_finite());
        }
    }
}
