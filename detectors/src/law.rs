//! The law of an honest hour as it was learned: what `learn` measures on clean traffic, and what
//! the statistics then weigh hours with, in place of a written range.
//!
//! ```text
//! ln x = ln middle + season[hour of the week] + level of the device + AR(1) remainder
//! ```
//!
//! The clean traffic is cut in two by time, with a day between. The first part gives the season,
//! the memory, the spread of the levels and that within a device; on the second part scores are
//! computed exactly as they will be while watching, and sorted into a table of calibrated steps
//! (stats.md §2.1, §4.2–4.4). The table does not need the model to be right, only that hours go on
//! as they did: its bounds hold with probability `1 - error` over the traffic it was made of.

mod fit;
mod proof;
mod shares;

pub use shares::{CleanShares, learn_shares};
pub(crate) use shares::{Own, Part, ShareLaw};

use andon_schemas::profile::{
    HOURS_OF_WEEK, LearnedNull, LearnedSpike, LearnedStep, LearnedSteps, ProfileSet,
};
use andon_schemas::time::{EventTime, PlantClock, Span};
use thiserror::Error;

use self::proof::{Unproven, enough, proven};

use crate::baseline::share_cells;
use crate::stats::bounds::proportion_upper;
use crate::stats::steps::{StepParts, StepTable};
use crate::stats::tilts::Side;
use crate::stats::whiten::{DRIFT_MAX, WhitenPlan, Whitener};

/// Fewest windows that are worth a table.
pub const WINDOWS_MIN: usize = 500;
/// How likely it may be that any table of a profile is wrong.
const ERROR: f64 = 0.05;
/// Tables of a profile: two sides of three numbers, and one highest score.
const TABLES: f64 = 7.0;
/// Clean scores above the one that a spike has to exceed: a single odd hour among the clean ones
/// must not blind the lane.
pub(crate) const SPIKES_ABOVE: u64 = 2;
/// Shifts up to this many standard deviations count as normal: what a level may be wrong by.
const INDIFFERENCE: f32 = 0.1;

/// One clean hour of one device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CleanHour {
    /// Number of the device within its type.
    pub device: u32,
    /// Hours since the epoch.
    pub hour: i32,
    /// The number: bytes, bytes up for each byte down, connections and a half.
    pub value: f64,
}

/// What was learned, and how well.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// The law, as a profile carries it.
    pub null: LearnedNull,
    /// What is left of the correlation of scores one hour and one day apart: near 0, or evidence
    /// adds up faster than it may.
    pub left: [f64; 2],
}

/// Why nothing was learned.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum LawError {
    /// Too few hours in one half.
    #[error("{windows} clean windows to calibrate on; {WINDOWS_MIN} are needed")]
    TooFew {
        /// Windows of the second part.
        windows: usize,
    },
    /// All hours are alike, which no logarithm has a spread for.
    #[error("hours do not vary, so there is no spread to measure")]
    Constant,
}

/// Learns the law of an hourly number from clean hours, in any order.
///
/// # Errors
/// If there are too few of them, or they do not vary.
pub fn learn(hours: &[CleanHour], clock: &PlantClock) -> Result<Learned, LawError> {
    let mut hours: Vec<CleanHour> = hours
        .iter()
        .copied()
        .filter(|hour| hour.value > 0.0 && hour.value.is_finite())
        .collect();
    hours.sort_by_key(|hour| (hour.device, hour.hour));
    let first = hours.iter().map(|hour| hour.hour).min().unwrap_or(0);
    let last = hours.iter().map(|hour| hour.hour).max().unwrap_or(0);
    let middle = first + (last - first) / 2;
    let fitted = fit::fit(&hours, middle, clock).ok_or(LawError::Constant)?;
    let plan = whiten_plan(&fitted);
    let (scores, left) = scores(&hours, middle + 24, &fitted, &plan, clock);
    if scores.len() < WINDOWS_MIN {
        let windows = scores.len();
        return Err(LawError::TooFew { windows });
    }
    let table = |side: Side| {
        let turned = scores.iter().map(|z| narrow(side.turned(*z)));
        StepTable::calibrate(&turned.collect::<Vec<f32>>(), ERROR / TABLES)
            .map(|table| written(table.parts()))
            .map_err(|_| LawError::Constant)
    };
    let (up, down) = (table(Side::Up)?, table(Side::Down)?);
    let spike = LearnedSpike {
        windows: scores.len() as u64,
        error: ERROR / TABLES,
        highest: highest(scores.iter().map(|z| narrow(*z))),
    };
    let null = LearnedNull {
        up,
        down,
        spike: Some(spike),
        ..fitted
    };
    Ok(Learned { null, left })
}

/// Takes the highest scores of laws of the same number, of several types, together: scores are
/// standardised, so that the tail of all is deeper than that of any. What is promised of an hour
/// above them then holds on the average over the types, by the windows that each brought.
pub fn pool<'a>(laws: impl Iterator<Item = &'a mut LearnedNull>) {
    let mut laws: Vec<&mut LearnedSpike> = laws.filter_map(|law| law.spike.as_mut()).collect();
    let windows = laws.iter().map(|one| one.windows).sum();
    let highest = highest(laws.iter().flat_map(|one| one.highest));
    for one in &mut laws {
        (one.windows, one.highest) = (windows, highest);
    }
}

fn highest(scores: impl Iterator<Item = f32>) -> [f32; 3] {
    let mut scores: Vec<f32> = scores.collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.resize(3, f32::MIN);
    [scores[0], scores[1], scores[2]]
}

/// What is wrong with the laws of these profiles: tables that do not prove what they say, because
/// they were written or altered by hand. Such a law is not used.
pub fn refusals(profiles: &ProfileSet) -> Vec<String> {
    let laws = profiles.iter().flat_map(|profile| {
        let named = profile.learned.iter();
        named.map(|(detector, null)| (&profile.name, detector, Law::of(null)))
    });
    let shares = profiles.iter().flat_map(|profile| {
        let named = profile.learned_shares.iter();
        named.map(|(detector, law)| {
            let cells = share_cells(profile, detector);
            (&profile.name, detector, ShareLaw::of(law, cells).err())
        })
    });
    let laws = laws.map(|(profile, detector, law)| (profile, detector, law.err()));
    laws.chain(shares)
        .filter_map(|(profile, detector, error)| {
            let error = error?;
            Some(format!(
                "profile `{profile}`, learned, `{detector}`: {error}. Learn it again with `andon \
                 learn`, or take it out."
            ))
        })
        .collect()
}

/// The innovations of the hours from `from` on, each computed from all hours of its device before
/// it; and their correlations one and 24 hours apart.
fn scores(
    hours: &[CleanHour],
    from: i32,
    null: &LearnedNull,
    plan: &WhitenPlan,
    clock: &PlantClock,
) -> (Vec<f64>, [f64; 2]) {
    let mut all = Vec::new();
    let mut products = [(0.0, 0.0); 2];
    for device in hours.chunk_by(|a, b| a.device == b.device) {
        let mut whitener = Whitener::default();
        let mut last = device[0].hour;
        let mut own: Vec<(i32, f64)> = Vec::new();
        for hour in device {
            let gap = u32::try_from(hour.hour - last).unwrap_or(1);
            last = hour.hour;
            let remainder = remainder(null, hour.hour, hour.value.ln(), clock);
            let z = whitener.step(plan, remainder, gap, false);
            if hour.hour >= from {
                own.push((hour.hour, z));
            }
        }
        for (lag, (sum, count)) in [1, 24].into_iter().zip(&mut products) {
            for (hour, z) in &own {
                let before = own.binary_search_by_key(&(hour - lag), |(hour, _)| *hour);
                if let Ok(at) = before {
                    *sum += z * own[at].1;
                    *count += 1.0;
                }
            }
        }
        all.extend(own.into_iter().map(|(_, z)| z));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few million windows")]
    let variance = all.iter().map(|z| z * z).sum::<f64>() / all.len().max(1) as f64;
    let left = products.map(|(sum, count)| sum / f64::max(count, 1.0) / variance.max(1e-12));
    (all, left)
}

fn whiten_plan(null: &LearnedNull) -> WhitenPlan {
    WhitenPlan::new(null.memory, null.levels, null.within, DRIFT_MAX)
}

/// What the middle of the type and the season leave of the logarithm of an hour.
fn remainder(null: &LearnedNull, hour: i32, ln_value: f64, clock: &PlantClock) -> f64 {
    ln_value - null.middle.ln() - season(&null.season, hour, clock)
}

fn season(season: &[f64], hour: i32, clock: &PlantClock) -> f64 {
    if season.is_empty() {
        return 0.0;
    }
    season
        .get(hour_of_week(hour, clock))
        .copied()
        .unwrap_or(0.0)
}

/// Number of an hour in its week, from Monday 00:00 plant time.
fn hour_of_week(hour: i32, clock: &PlantClock) -> usize {
    let start = Span::HOUR.times(i64::from(hour));
    let local = clock.local(EventTime::from_micros(start.micros()));
    let within = usize::from(local.weekday) * 24 + usize::from(local.minute) / 60;
    within.min(HOURS_OF_WEEK - 1)
}

/// A learned law, made ready for looking up.
#[derive(Clone, Debug)]
pub(crate) struct Law {
    null: LearnedNull,
    up: StepTable,
    down: StepTable,
    spike: Option<Spike>,
}

/// The third highest of all clean scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spike {
    score: f64,
    /// Upper bound on the probability of exceeding it.
    pub(crate) bound: f64,
    /// Clean windows that it is one of the highest of.
    pub(crate) windows: u64,
}

impl Law {
    /// # Errors
    /// If its tables are none, or say more than their windows prove.
    pub(crate) fn of(null: &LearnedNull) -> Result<Self, Unproven> {
        let spike = match null.spike {
            Some(spike) => {
                enough(spike.windows, spike.error)?;
                Some(Spike {
                    score: f64::from(spike.highest[2]),
                    bound: proportion_upper(SPIKES_ABOVE, spike.windows, spike.error),
                    windows: spike.windows,
                })
            }
            None => None,
        };
        Ok(Self {
            up: proven(&null.up)?,
            down: proven(&null.down)?,
            null: null.clone(),
            spike,
        })
    }

    pub(crate) const fn spike(&self) -> Option<Spike> {
        self.spike
    }

    pub(crate) fn whiten(&self) -> WhitenPlan {
        whiten_plan(&self.null)
    }

    /// What the middle of the type and the season leave of the logarithm of an hour.
    pub(crate) fn remainder(&self, hour: i32, ln_value: f64, clock: &PlantClock) -> f64 {
        remainder(&self.null, hour, ln_value, clock)
    }

    /// What is expected in an hour of a device at this level.
    pub(crate) fn expected(&self, hour: i32, level: f64, clock: &PlantClock) -> f64 {
        self.null.middle * (season(&self.null.season, hour, clock) + level).exp()
    }

    pub(crate) fn e_values(&self, z: f64, side: Side) -> [f32; 4] {
        let table = match side {
            Side::Up => &self.up,
            Side::Down => &self.down,
        };
        *table.e_values(narrow(side.turned(z)), INDIFFERENCE)
    }

    /// Clean windows behind it.
    pub(crate) fn windows(&self) -> u64 {
        self.up.parts().n.min(self.down.parts().n)
    }
}

impl Spike {
    /// Whether a score is higher than the third highest clean one, by more than what a level may be wrong by.
    pub(crate) fn is_exceeded(&self, z: f64) -> bool {
        z - f64::from(INDIFFERENCE) > self.score
    }
}

fn parts(steps: &LearnedSteps) -> StepParts {
    StepParts {
        n: steps.windows,
        delta: steps.error,
        levels: steps.steps.iter().map(|step| step.share).collect(),
        thresholds: steps.steps.iter().map(|step| step.score).collect(),
        bounds: steps.steps.iter().map(|step| step.bound).collect(),
    }
}

fn written(parts: &StepParts) -> LearnedSteps {
    let columns = parts
        .levels
        .iter()
        .zip(&parts.thresholds)
        .zip(&parts.bounds);
    LearnedSteps {
        windows: parts.n,
        error: parts.delta,
        steps: columns
            .map(|((share, score), bound)| LearnedStep {
                share: *share,
                score: *score,
                bound: *bound,
            })
            .collect(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "scores are single precision by design"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests;
