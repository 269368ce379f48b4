//! `andon learn`, as it is written.

use std::path::PathBuf;

use clap::Args;

use super::PlantArgs;

/// `andon learn`.
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// Clean captures: files, folders of rotated logs, `s3://BUCKET/KEY` for an object or all below, or `-`
    /// for standard input.
    #[arg(required = true, value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// What the columns of CSV captures mean [default: FILE.map.yaml beside each].
    #[arg(long = "map", value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// What holds by now: the inventory tells the types of devices, a profile of the same type what
    /// traffic cannot tell.
    #[command(flatten)]
    pub plant: PlantArgs,
    /// Learn this type only.
    #[arg(long, value_name = "TYPE")]
    pub device_type: Option<String>,
    /// A file for the profile of the one type, or a folder for those of all.
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// The receive time of captures that have none, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
}
