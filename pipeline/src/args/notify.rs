//! `andon notify`, as it is written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `andon notify`.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send one test notice to everybody whom a configuration names, and say what became of it.
    Test(NotifyTestArgs),
}

/// `andon notify test`.
#[derive(Debug, Args)]
pub struct NotifyTestArgs {
    /// Configuration file, the one of the run.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}
