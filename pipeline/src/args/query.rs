//! `andon query`.

use std::path::PathBuf;

use clap::Args;

use super::PlantArgs;
use super::values::parse_some;

/// `andon query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The statement; `andon query --tables` says what can be asked.
    #[arg(value_name = "SQL", required_unless_present_any = ["named", "list", "tables"])]
    pub sql: Option<String>,
    /// Ask one of the questions that `--list` lists.
    #[arg(long, value_name = "NAME", conflicts_with = "sql")]
    pub named: Option<String>,
    /// List the questions that have a name.
    #[arg(long, conflicts_with_all = ["sql", "named"])]
    pub list: bool,
    /// Describe the tables and their columns.
    #[arg(long, conflicts_with_all = ["sql", "named", "list"])]
    pub tables: bool,
    /// Folder that a run, demo or backtest wrote [default: andon-data, if it is there].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A capture of any format, a folder of captures, or `s3://BUCKET/KEY`. May be repeated [default: our own
    /// captures in the data folder].
    #[arg(long, value_name = "PATH")]
    pub capture: Vec<PathBuf>,
    /// What the columns of CSV captures mean [default: FILE.map.yaml beside each].
    #[arg(long = "map", value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// What to measure windows against [default: what the data folder keeps].
    #[command(flatten)]
    pub plant: PlantArgs,
    /// The receive time of captures that have none, RFC 3339, for windows [default: now].
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Print comma-separated values.
    #[arg(long)]
    pub csv: bool,
    /// Write the answer there instead: `.parquet`, `.csv`, `.json` or `.ndjson`.
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    pub out: Option<PathBuf>,
    /// Most memory that sorting, grouping and joining take, MiB; what does not fit goes to a temporary
    /// folder. Captures take theirs besides while they are read.
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = parse_some::<usize>)]
    pub memory_mib: usize,
}
