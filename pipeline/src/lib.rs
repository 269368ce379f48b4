//! The wiring of Andon: command line, configuration, start and stop. Everything that decides
//! anything lies in the crates below.

pub mod access;
pub mod alerts;
pub mod args;
pub mod aside;
pub mod asking;
pub mod blueprint;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod commands;
pub mod config;
pub mod descriptors;
pub mod devices;
pub mod engines;
pub mod evidence;
pub mod exit;
pub mod incident;
pub mod intake;
pub mod kafka;
pub mod ledger;
pub mod live;
pub mod pdp;
pub mod policy;
pub mod progress;
pub mod readme;
pub mod results;
pub mod sealed;
pub mod setting;
pub mod shards;
pub mod siem;
pub mod signals;
pub mod summary;
pub mod telling;
pub mod text;
pub mod truth;
pub mod wall;
