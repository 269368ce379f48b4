//! The pure middle of Andon: observe, window, detect, judge; snapshot and restore.
//!
//! ```text
//! Input ──▶ look (count, flows, names) ──▶ detectors ──▶ sign ──▶ judge ──▶ Output
//!              close (windows, deadlines) ───────▲
//! ```
//!
//! Same observations in the same order, same verdicts: no clock, no I/O, no randomness, and no
//! failure. Only this file names all stages.
#![warn(clippy::disallowed_methods)]

mod batch;
mod close;
mod control;
mod count;
mod device;
mod engine;
mod feed;
mod flows;
mod group;
mod judge;
mod look;
mod names;
mod output;
mod plant;
mod protect;
mod refuse;
mod room;
#[cfg(test)]
mod scenes;
mod sign;
mod slots;
mod snapshot;
mod standing;
mod tick;
mod vnode;

pub use batch::{Batch, Tick};
pub use device::{FLOW_ALLOWANCE, allowance};
pub use engine::{Engine, FAR_FUTURE, Input};
pub use feed::{Feed, FeedState};
pub use group::routed_to;
pub use judge::{keeps_grade, settled_confidence, settled_grade, settled_sentence};
pub use output::{Cause, Counts, Item, Output, Refusal, Window};
pub use plant::Plant;
pub use protect::Guarded;
pub use sign::graded;
pub use snapshot::{SnapshotError, split_snapshot};
pub use standing::{OpenEpisode, Standing};
pub use tick::TICK_EVERY;
pub use vnode::{VNODES, vnode_of};
pub(crate) use vnode::{fingerprint, hex};
