//! What the benches share: a stopwatch that repeats, a table that puts the goal beside the figure,
//! and the plant they all run on.
//!
//! Every bench is a plain program. None asserts on a time: a figure is printed, and people judge.

mod sheet;
mod stage;
mod watch;

pub use sheet::Sheet;
pub use stage::{HISTORY_START, Stage};
pub use watch::{Runs, busy, peak_bytes, resident_bytes};
