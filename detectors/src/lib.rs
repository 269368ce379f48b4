//! The opinions of Andon: one detector per file, a visible catalogue, the statistics they share,
//! and the laws they all obey.
//!
//! Pure: no clock, no I/O, no randomness.
#![warn(clippy::disallowed_methods)]

pub mod baseline;
pub mod catalog;
mod commands;
pub mod detector;
pub mod facts;
pub mod law;
pub mod policy;
pub mod stats;
pub mod words;
pub mod written;

mod distinct;
mod drift;
mod mix;
mod packed;
mod rare;
mod rule;
mod shift;
#[cfg(test)]
mod stage;
mod standing;
mod visits;
