//! `andon cluster`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::parse_some;

/// `andon cluster`.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Deal the tasks of backtests out to executors.
    Scheduler(SchedulerArgs),
    /// Do the tasks of backtests.
    Executor(ExecutorArgs),
}

/// `andon cluster scheduler`.
#[derive(Debug, Args)]
pub struct SchedulerArgs {
    /// Where executors and backtests find it. Whoever reaches it can have files read: keep it on a
    /// network of its own.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50050")]
    pub listen: SocketAddr,
}

/// `andon cluster executor`.
#[derive(Debug, Args)]
pub struct ExecutorArgs {
    /// The scheduler.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50050")]
    pub scheduler: String,
    /// Where backtests and other executors fetch what it made.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,
    /// Tasks at a time. Each has an engine with its part of the devices, and reads ahead on a second
    /// thread.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = parse_some::<usize>)]
    pub tasks: usize,
    /// Folder for what its tasks make [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
