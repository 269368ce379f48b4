//! What asks a run that is recorded, as it is written.

use std::path::PathBuf;

use clap::Args;

use super::PlantArgs;

/// `andon explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Verdict id, or the beginning of one; `all` for every verdict.
    pub id: String,
    /// Folder that a run, demo or backtest wrote.
    #[arg(long, value_name = "DIR", default_value = "andon-data")]
    pub data: PathBuf,
    /// What to measure against.
    #[command(flatten)]
    pub plant: PlantArgs,
}

/// `andon devices`, `andon shadow`.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// Folder that a run, demo or backtest wrote.
    #[arg(long, value_name = "DIR", default_value = "andon-data")]
    pub data: PathBuf,
}

/// `andon risk`.
#[derive(Debug, Args)]
pub struct RiskArgs {
    /// The device.
    pub device: String,
    /// Folder that a run, demo or backtest wrote.
    #[arg(long, value_name = "DIR", default_value = "andon-data")]
    pub data: PathBuf,
}
