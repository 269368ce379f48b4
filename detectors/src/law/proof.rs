//! Whether a learned law says no more than its windows prove: profiles are files, and files are
//! edited.

use andon_schemas::profile::{LearnedStep, LearnedSteps};
use thiserror::Error;

use super::{ERROR, WINDOWS_MIN, parts};
use crate::stats::bounds::beta_quantile_upper;
use crate::stats::steps::{StepError, StepTable};

/// Bounds are compared as closely as they are written.
const BOUND_SLACK: f64 = 1e-6;

/// Why a law is not used.
#[derive(Clone, Debug, PartialEq, Error)]
pub(crate) enum Unproven {
    /// A table contradicts itself.
    #[error(transparent)]
    Steps(#[from] StepError),
    /// Too little is behind it.
    #[error("{0} clean windows; {WINDOWS_MIN} are needed")]
    TooFew(u64),
    /// It is too likely to be wrong.
    #[error("an error of {0}, where {ERROR} is the most")]
    Error(f64),
    /// It is for other cells than the profile has.
    #[error("{0} cells, where the profile has {1}")]
    Cells(usize, usize),
    /// A bound is lower than its windows prove.
    #[error("a bound of {said} on scores above {score}, where its windows prove {proven:.6}")]
    Bound {
        /// The score.
        score: f32,
        /// What the table says.
        said: f64,
        /// What follows from windows, error and share (Clopper and Pearson).
        proven: f64,
    },
}

/// A table, if it says no more than its windows prove.
pub(super) fn proven(steps: &LearnedSteps) -> Result<StepTable, Unproven> {
    enough(steps.windows, steps.error)?;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 windows")]
    let (n, count) = (steps.windows as f64, steps.steps.len() as f64);
    for LearnedStep {
        share,
        score,
        bound,
    } in steps.steps.iter().copied()
    {
        let above = (n * share).floor();
        let proven = beta_quantile_upper(above + 1.0, n - above, steps.error / count);
        if bound < proven * (1.0 - BOUND_SLACK) {
            let said = bound;
            return Err(Unproven::Bound {
                score,
                said,
                proven,
            });
        }
    }
    Ok(StepTable::try_from(parts(steps))?)
}

pub(super) fn enough(windows: u64, error: f64) -> Result<(), Unproven> {
    if windows < WINDOWS_MIN as u64 {
        return Err(Unproven::TooFew(windows));
    }
    if !(error > 0.0 && error <= ERROR) {
        return Err(Unproven::Error(error));
    }
    Ok(())
}
