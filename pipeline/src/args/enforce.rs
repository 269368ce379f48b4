//! `andon enforce` as it is written.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{PlantArgs, parse_duration};

/// `andon enforce`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").required(true))]
#[command(group = ArgGroup::new("source").required(true))]
pub struct EnforceArgs {
    /// Carry commands out as one table of nftables, on this machine or in this network namespace.
    #[arg(long, group = "kind")]
    pub nftables: bool,
    /// Print the commands of a file in `OpenC2`, for packet filters that are not ours.
    #[arg(long, group = "kind", requires = "commands")]
    pub openc2: bool,
    /// The broker, or the endpoint of a run, that commands come from: `mqtt://host:port` or
    /// `host:port`.
    #[arg(long, value_name = "ADDR", group = "source")]
    pub mqtt: Option<String>,
    /// Commands of a file, one to a line: `commands.jsonl` of a run, or what a device reads, with a
    /// field `device` beside; `-` is standard input.
    #[arg(long, value_name = "FILE", group = "source")]
    pub commands: Option<PathBuf>,
    /// Print the ruleset, and touch, keep and answer nothing.
    #[arg(long, conflicts_with = "openc2")]
    pub dry_run: bool,
    /// As whom it answers, as the inventory lists it [default: the only one there].
    #[arg(long, value_name = "NAME")]
    pub enforcer: Option<String>,
    /// User to authenticate as.
    #[arg(long, requires = "mqtt")]
    pub user: Option<String>,
    /// File that holds the user's password.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// What to spare, as the run that commands has it.
    #[command(flatten)]
    pub plant: PlantArgs,
    /// Where what stands is kept.
    #[arg(long, value_name = "DIR", default_value = "andon-enforce")]
    pub data: PathBuf,
    /// The program [default: `nft`, wherever it is].
    #[arg(long, value_name = "PATH")]
    pub nft: Option<PathBuf>,
    /// What stands at this moment, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME", requires = "commands")]
    pub at: Option<String>,
    /// Stop after this long. What stands goes on standing until it lapses.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<f64>,
}
