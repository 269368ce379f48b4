//! `andon pdp` as it is written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PlantArgs;

/// `andon pdp`.
#[derive(Debug, Subcommand)]
pub enum PdpCommand {
    /// Decide requests: each a JSON object on a line of its own.
    Ask(AskArgs),
    /// Write the plant as policies read it, for a decision point that keeps its own data:
    /// `data.andon.plant` of Open Policy Agent.
    Data {
        /// The plant.
        #[command(flatten)]
        plant: PlantArgs,
    },
}

/// `andon pdp ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// File of questions; `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub questions: PathBuf,
    /// The plant.
    #[command(flatten)]
    pub plant: PlantArgs,
    /// Folder of a run, demo or backtest that knows the risks [default: nothing is known of any].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder of policies, laid out as for Open Policy Agent [default: those that are built in].
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Decide as of this moment, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Append every question and its answer to this file.
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,
}
