//! One file per command.

pub mod backtest;
pub mod bridge;
pub mod capture;
pub mod demo;
pub mod devices;
pub mod explain;
pub mod learn;
pub mod profile;
pub mod publish;
pub mod query;
pub mod run;
pub mod simulate;
pub mod topics;
pub mod tune;
mod unread;
