//! `andon token`, as it is written.

use andon_console::Role;
use clap::{Args, Subcommand};

/// `andon token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token: it is shown once, and the configuration holds its digest only.
    Create(TokenArgs),
}

/// `andon token create`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What it allows: `read`, `respond` to decide about commands and devices, or `admin`.
    #[arg(long, value_name = "ROLE")]
    pub role: Role,
    /// Whose it is: stands beside everything that is done with it.
    #[arg(long, default_value = "unnamed")]
    pub name: String,
}
