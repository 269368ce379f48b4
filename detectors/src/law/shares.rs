//! The law of shares as it was learned: which part of its connections a device gives to each cell.
//!
//! ```text
//! shares of a device ~ Dirichlet(devices * shares of the type)
//! connections of an hour in a cell ~ beta-binomial(hours * share of the device)
//! ```
//!
//! A device's own shares are known from its first week, drawn towards the type as far as that leaves
//! them in doubt; then they are held, so that nobody moves them. The randomised integral transform
//! of an hour's count is sorted into calibrated steps, one table for each cell (stats.md §4.2, §5.3).

use andon_schemas::profile::{LearnedCell, LearnedShares};
use serde::{Deserialize, Serialize};

use super::fit::significant;
use super::proof::{Unproven, proven};
use super::{ERROR, INDIFFERENCE, LawError, WINDOWS_MIN, narrow, written};
use crate::facts::CELLS;
use crate::stats::beta_binomial::beta_binomial_z;
use crate::stats::steps::{StepError, StepTable};
use crate::stats::uniform::uniform_hash;

/// Tables of a profile: eight cells of destinations and of protocols.
const TABLES: f64 = 16.0;
/// Windows that set the shares of a device: one week.
const OWN_WINDOWS: u8 = 168;
/// Connections that a cell without any counts for, of Krichevsky and Trofimov (1981).
const UNSEEN: f64 = 0.5;
/// Concentrations are held between these.
const CONCENTRATIONS: (f64, f64) = (2.0, 1e6);

/// One clean hour of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanShares {
    /// Number of the device within its type.
    pub device: u32,
    /// Hours since the epoch.
    pub hour: i32,
    /// Connections in each cell, those without a share last.
    pub cells: Vec<u32>,
}

/// What a device has shown in its first week: 18 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    counts: [u16; CELLS],
    windows: u8,
}

impl Own {
    /// Takes an hour, unless its shares are set.
    pub(crate) fn learn(&mut self, counts: &[u16; CELLS]) {
        let fits = |(own, more): (&u16, &u16)| own.checked_add(*more).is_some();
        if self.windows >= OWN_WINDOWS || !self.counts.iter().zip(counts).all(fits) {
            self.windows = OWN_WINDOWS;
            return;
        }
        for (own, more) in self.counts.iter_mut().zip(counts) {
            *own += more;
        }
        self.windows += 1;
    }

    /// What it has seen, by counter.
    pub(crate) const fn counts(&self) -> &[u16; CELLS] {
        &self.counts
    }
}

/// Connections in one cell, of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) of_cell: u32,
    pub(crate) all: u32,
}

/// A learned law, made ready for looking up.
#[derive(Clone, Debug)]
pub(crate) struct ShareLaw {
    devices: f64,
    hours: f64,
    cells: Vec<(f64, StepTable)>,
}

impl ShareLaw {
    /// # Errors
    /// If it is for another number of cells, or its tables say more than their windows prove.
    pub(crate) fn of(law: &LearnedShares, cells: usize) -> Result<Self, Unproven> {
        if law.cells.len() != cells {
            return Err(Unproven::Cells(law.cells.len(), cells));
        }
        let cells = law.cells.iter();
        let cells: Result<Vec<_>, _> = cells
            .map(|cell| Ok::<_, Unproven>((cell.share, proven(&cell.up)?)))
            .collect();
        Ok(Self {
            devices: law.devices,
            hours: law.hours,
            cells: cells?,
        })
    }

    /// Which share a device with these connections gives to a cell.
    pub(crate) fn expected(&self, cell: usize, own: Part) -> f64 {
        let share = self.cells.get(cell).map_or(0.0, |(share, _)| *share);
        expected(self.devices, share, own)
    }

    /// The e-values of an hour.
    pub(crate) fn e_values(&self, cell: usize, now: Part, own: Part, tie: f64) -> [f32; 3] {
        let Some((share, table)) = self.cells.get(cell) else {
            return [1.0; 3];
        };
        let z = score((self.devices, self.hours), *share, now, own, tie);
        let [_, small, middle, large] = *table.e_values(narrow(z), INDIFFERENCE);
        [small, middle, large]
    }

    /// Clean windows behind it.
    pub(crate) fn windows(&self) -> u64 {
        let windows = self.cells.iter().map(|(_, table)| table.parts().n);
        windows.min().unwrap_or(0)
    }
}

fn expected(devices: f64, share: f64, own: Part) -> f64 {
    (devices * share + f64::from(own.of_cell)) / (devices + f64::from(own.all))
}

/// The standard normal score of an hour, of what is known of the device: its share is in doubt, and
/// varies from hour to hour.
fn score((devices, hours): (f64, f64), share: f64, now: Part, own: Part, tie: f64) -> f64 {
    let doubt = 1.0 / (devices + f64::from(own.all) + 1.0) + 1.0 / (hours + 1.0);
    let concentration = (1.0 / doubt - 1.0).max(1e-3);
    let share = expected(devices, share, own);
    beta_binomial_z(now.of_cell, now.all, share, concentration, tie)
}

/// Learns the law of shares from clean hours, in any order, and what is left of the correlation of
/// scores one hour and one day apart.
///
/// # Errors
/// If there are too few hours, or no cell ever had another share.
pub fn learn_shares(
    hours: &[CleanShares],
    cells: usize,
) -> Result<(LearnedShares, [f64; 2]), LawError> {
    let is_one = |hour: &&CleanShares| hour.cells.len() == cells && total(&hour.cells) > 0;
    let mut hours: Vec<&CleanShares> = hours.iter().filter(is_one).collect();
    hours.sort_by_key(|hour| (hour.device, hour.hour));
    let first = hours.iter().map(|hour| hour.hour).min().unwrap_or(0);
    let last = hours.iter().map(|hour| hour.hour).max().unwrap_or(0);
    let until = first + (last - first) / 2;
    let early: Vec<&CleanShares> = hours.iter().filter(|h| h.hour < until).copied().collect();
    let (shares, concentrations) = fit(&early, cells).ok_or(LawError::TooFew { windows: 0 })?;
    let scores = scores(&hours, until + 24, &shares, concentrations);
    let windows = scores.first().map_or(0, Vec::len);
    if windows < WINDOWS_MIN {
        return Err(LawError::TooFew { windows });
    }
    let table = |(share, scores): (&f64, &Vec<(u32, i32, f64)>)| {
        let scores: Vec<f32> = scores.iter().map(|(_, _, z)| narrow(*z)).collect();
        let table = StepTable::calibrate(&scores, ERROR / TABLES)?;
        Ok::<_, StepError>(LearnedCell {
            share: *share,
            up: written(table.parts()),
        })
    };
    let tables: Result<Vec<LearnedCell>, StepError> =
        shares.iter().zip(&scores).map(table).collect();
    let law = LearnedShares {
        devices: concentrations.0,
        hours: concentrations.1,
        cells: tables.map_err(|_| LawError::Constant)?,
    };
    Ok((law, [1, 24].map(|lag| left(&scores, lag))))
}

/// Shares of the type, and the concentrations of its devices and of their hours, by the moments of
/// the first half.
fn fit(early: &[&CleanShares], cells: usize) -> Option<(Vec<f64>, (f64, f64))> {
    let mut sums = vec![0.0; cells];
    for hour in early {
        add(&mut sums, &hour.cells);
    }
    let all: f64 = sums.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "eight cells at most")]
    let norm = all + UNSEEN * cells as f64;
    let shares: Vec<f64> = sums
        .iter()
        .map(|sum| significant((sum + UNSEEN) / norm))
        .collect();
    let spread = |shares: &[f64]| shares.iter().map(|p| p * (1.0 - p)).sum::<f64>();
    let (mut between, mut squares) = (0.0, 0.0);
    let (mut within, mut plain, mut pairs) = (0.0, 0.0, 0.0);
    let mut devices = 0.0;
    for device in early.chunk_by(|a, b| a.device == b.device) {
        let mut own = vec![0.0; cells];
        for hour in device {
            add(&mut own, &hour.cells);
        }
        let n: f64 = own.iter().sum();
        let mean: Vec<f64> = own.iter().map(|k| k / n).collect();
        let apart = mean.iter().zip(&shares).map(|(a, b)| (a - b).powi(2));
        between += n * apart.sum::<f64>();
        squares += n * n;
        devices += 1.0;
        #[expect(clippy::cast_precision_loss, reason = "hours of one device")]
        let many = device.len() as f64;
        for hour in device {
            let n = f64::from(total(&hour.cells));
            let apart = hour.cells.iter().zip(&mean);
            let apart = apart.map(|(k, p)| (f64::from(*k) - n * p).powi(2));
            // The mean is that of these very hours, which hides a part.
            within += apart.sum::<f64>() * many / (many - 1.0).max(1.0);
            plain += n * spread(&mean);
            pairs += n * (n - 1.0) * spread(&mean);
        }
    }
    let held = |x: f64| significant(x.clamp(CONCENTRATIONS.0, CONCENTRATIONS.1));
    let ratio = |over: f64, under: f64| if under > 0.0 { over / under } else { f64::MAX };
    let hours = ratio(pairs, within - plain) - 1.0;
    let over = (within / f64::max(plain, 1e-12)).max(1.0);
    let by_chance = (devices - 1.0) * spread(&shares) * over;
    let reach = spread(&shares) * (all - squares / f64::max(all, 1.0));
    let devices_differ = ratio(reach, between - by_chance) - 1.0;
    (devices > 1.0 && plain > 0.0).then(|| (shares, (held(devices_differ), held(hours))))
}

/// The scores of the hours from `from` on by cell, computed as they are while watching.
fn scores(
    hours: &[&CleanShares],
    from: i32,
    shares: &[f64],
    concentrations: (f64, f64),
) -> Vec<Vec<(u32, i32, f64)>> {
    let mut all = vec![Vec::new(); shares.len()];
    for device in hours.chunk_by(|a, b| a.device == b.device) {
        let mut own = Own::default();
        for hour in device {
            let mut counts = [0; CELLS];
            for (count, cell) in counts.iter_mut().zip(&hour.cells) {
                *count = u16::try_from(*cell).unwrap_or(u16::MAX);
            }
            let sum = |counts: &[u16]| counts.iter().copied().map(u32::from).sum();
            if hour.hour >= from {
                let tie = uniform_hash(&hour.device.to_string(), "shares", hour.hour.into());
                for (cell, scores) in all.iter_mut().enumerate() {
                    let part = |counts: &[u16; CELLS]| Part {
                        of_cell: u32::from(counts[cell]),
                        all: sum(counts),
                    };
                    let (now, own) = (part(&counts), part(own.counts()));
                    let z = score(concentrations, shares[cell], now, own, tie);
                    scores.push((hour.device, hour.hour, z));
                }
            }
            own.learn(&counts);
        }
    }
    all
}

/// What is left of the correlation of scores so many hours apart.
fn left(cells: &[Vec<(u32, i32, f64)>], lag: i32) -> f64 {
    let (mut products, mut pairs, mut squares, mut count) = (0.0, 0.0, 0.0, 0.0);
    for scores in cells {
        for (device, hour, z) in scores {
            squares += z * z;
            count += 1.0;
            let before = scores.binary_search_by_key(&(*device, hour - lag), |s| (s.0, s.1));
            if let Ok(at) = before {
                products += z * scores[at].2;
                pairs += 1.0;
            }
        }
    }
    products / f64::max(pairs, 1.0) / f64::max(squares / f64::max(count, 1.0), 1e-12)
}

fn total(cells: &[u32]) -> u32 {
    cells.iter().fold(0, |sum, cell| sum.saturating_add(*cell))
}

fn add(sums: &mut [f64], cells: &[u32]) {
    for (sum, cell) in sums.iter_mut().zip(cells) {
        *sum += f64::from(*cell);
    }
}

#[cfg(test)]
mod tests;
