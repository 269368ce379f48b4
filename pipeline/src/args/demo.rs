//! `andon demo`, as it is written.

use std::path::PathBuf;

use clap::Args;

use super::values::{parse_duration, parse_shards, parse_speed};

/// `andon demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stop after this long, for example `30s`.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<f64>,
    /// Plant seconds per second.
    #[arg(long, default_value_t = 600.0, value_parser = parse_speed)]
    pub speed: f64,
    /// Print no live view; for machines.
    #[arg(long)]
    pub headless: bool,
    /// Write `verdicts.jsonl` and `summary.json` there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Address of the embedded MQTT endpoint; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub mqtt: String,
    /// Serve the board, risk and verdicts on this address; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// Keep an Open Policy Agent at this URL up to date with the plant and its risks.
    #[arg(long, value_name = "URL")]
    pub opa: Option<String>,
    /// Seed of the simulated plant.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads of the engine.
    #[arg(long, default_value_t = 1, value_parser = parse_shards)]
    pub shards: usize,
}
