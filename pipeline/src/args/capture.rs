//! `andon capture`, as it is written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `andon capture`.
#[derive(Debug, Subcommand)]
pub enum CaptureCommand {
    /// Write captures of any format that is read as one of ours, or a part of them.
    Convert(ConvertArgs),
}

/// `andon capture convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Captures: files, folders of rotated logs, `s3://BUCKET/KEY` for an object or all below, or `-`
    /// for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// What the columns of CSV captures mean [default: FILE.map.yaml beside each].
    #[arg(long = "map", value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// The capture to write: `.parquet`, `.arrow` or `.ndjson`.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Only what happened from this moment on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only what happened before this moment, RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The receive time of records that have none, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
}
