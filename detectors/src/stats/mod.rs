//! The statistics that detectors share: pure functions and compact states.
//!
//! How a measurement becomes evidence, and where each step lives:
//!
//! ```text
//! written range, clean capture        a window closes                     evidence
//! ─────────────────────────────       ─────────────────────────────       ─────────────────
//! range, count, share      null ───▶  score (standard normal)
//!                                     whiten: minus level and memory
//! bounds, steps           table ───▶  tilts, steps, bernoulli: e-value ─▶ evidence: M = (M+c)e
//!                                     gamma_beacon: e-process          ─▶ score: 0..100, grade
//! ```
//!
//! | file | what it holds | source |
//! |---|---|---|
//! | [`evidence`] | budgeted e-detectors, stakes, arming | Shin, Ramdas, Rinaldo 2024 |
//! | [`score`] | evidence to score, grade and caps | 25 points per power of ten |
//! | [`range`] | written range of a positive signal | log-normal, prior predictive t |
//! | [`count`] | written range of a count | negative binomial, randomised PIT |
//! | [`share`], [`beta_binomial`] | shares of destinations and protocols | Dirichlet, KT 1981 |
//! | [`whiten`] | device level and memory removed | empirical Bayes, AR(1) innovations |
//! | [`tilts`] | e-values for uncalibrated scores | normal likelihood ratio |
//! | [`steps`] | e-values with a calibration guarantee | Bates et al. 2023, Clopper–Pearson |
//! | [`bernoulli`] | e-values for rare events | likelihood ratio on a bounded null |
//! | [`gamma_beacon`] | regular intervals of unknown period | Pérez-Ortiz et al. 2024 |
//! | [`bounds`] | what counts prove | Clopper–Pearson 1934, Garwood 1936 |
//! | [`uniform`] | reproducible tie-breaking | FNV-1a, `SplitMix64` |
//! | [`normal`], [`special`] | distributions with exact tails | statrs, Loader 2000 |
//!
//! Three promises hold throughout. No input panics or yields a number that is none. Per-row work
//! is look-ups, multiplications and additions; logarithms and exponentials are for windows (and
//! for the rare contact with a destination outside the baseline). State is `Copy`, starts as
//! `Default`, is single precision, and survives a snapshot bit for bit.
//!
//! How much a guarantee is worth depends on the null. Likelihood ratios against a counted bound
//! and calibrated steps hold whatever the distribution is; written ranges hold as far as the
//! range, its coverage and the assumed memory do, which is why their findings are capped at LOW.

pub mod bernoulli;
pub mod beta_binomial;
pub mod bounds;
pub mod count;
#[cfg(test)]
pub(crate) mod dice;
pub mod evidence;
pub mod gamma_beacon;
pub mod normal;
pub mod range;
pub mod score;
pub mod share;
pub mod special;
pub mod steps;
pub mod tilts;
pub mod uniform;
pub mod whiten;
