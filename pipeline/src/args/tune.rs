//! `andon tune`, as it is written.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::PlantArgs;
use super::values::parse_share;

/// `andon tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Clean captures: files, folders of rotated logs, or `s3://BUCKET/KEY` for an object or all below.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// What the columns of CSV captures mean [default: FILE.map.yaml beside each].
    #[arg(long = "map", value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// What to measure against.
    #[command(flatten)]
    pub plant: PlantArgs,
    /// False positives per device-hour, at most: device-hours in which a verdict first reaches
    /// MEDIUM.
    #[arg(long, value_name = "SHARE", default_value = "0.001", value_parser = parse_share)]
    pub target_fpr: f64,
    /// How sure that must be, between 0 and 1.
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = parse_share)]
    pub confidence: f64,
    /// What the claim is made for; by default all devices together.
    #[arg(long, value_name = "WHAT")]
    pub per: Option<Per>,
    /// Write `tune.json`, `tradeoff.svg`, `proposal.diff` and the proposed profiles there.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The receive time of captures that have none, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
}

/// What a claim is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Per {
    /// Each device type for itself.
    DeviceType,
    /// MEDIUM at the target, HIGH at a tenth and CRITICAL at a hundredth of it, together.
    Grade,
}
