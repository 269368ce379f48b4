//! One file per command.

pub mod backtest;
pub mod devices;
pub mod explain;
pub mod profile;
pub mod simulate;
