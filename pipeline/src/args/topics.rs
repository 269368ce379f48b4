//! `andon topics` as it is written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{parse_duration, parse_some};

/// `andon topics`.
#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Make the topics that are missing; those that exist stay as they are.
    Create {
        /// Where.
        #[command(flatten)]
        cluster: ClusterArgs,
        /// Partitions of a topic: so many processes can share the work [default: 12].
        #[arg(long, value_name = "N", value_parser = parse_some::<u32>)]
        partitions: Option<u32>,
        /// Copies of a topic [default: 3, or as many as there are brokers].
        #[arg(long, value_name = "N", value_parser = parse_some::<u32>)]
        replication_factor: Option<u32>,
        /// Say what would be made, and make nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare the topics with what they must be like; say what is wrong and what mends it.
    Check {
        /// Where.
        #[command(flatten)]
        cluster: ClusterArgs,
    },
}

/// How to reach a cluster.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Configuration file; its section `[kafka]` has the brokers, and how to authenticate.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Kafka brokers, `host:port`, with commas between several.
    #[arg(long, value_name = "ADDR")]
    pub kafka: Option<String>,
    /// Give up if the cluster does not answer within this time.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub connect_timeout: f64,
}
