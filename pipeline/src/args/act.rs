//! `andon act`, as it is written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `andon act`.
#[derive(Debug, Subcommand)]
pub enum ActCommand {
    /// List commands and where they stand.
    List(ListArgs),
    /// Show a command with its life.
    Show(ShowArgs),
    /// Agree to a command that is proposed, or end the wait for maintenance.
    Approve(DecideArgs),
    /// Decide against a command that is proposed or waits.
    Reject(DecideArgs),
    /// Lift a command that is in force, or everything that is in force about a device.
    Release(ReleaseArgs),
    /// Take a device off the network but for its safety flows.
    Quarantine(QuarantineArgs),
    /// Hold back commands about a device, and disturb nobody: no alerts, nothing to SIEMs that are
    /// told `only_alerts`, and to those who run the plant only what blocks something. Verdicts, risk,
    /// incidents and the audit trail go on, and what answers a rule of CRITICAL comes all the same.
    /// What is still open afterwards is an alert again with its next revision.
    Suppress(SuppressArgs),
}

/// Whom to ask, and as whom.
#[derive(Debug, Args)]
pub struct AskedArgs {
    /// Where the run is served [default: what the run wrote into its data folder].
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// File that holds the token [default: operator.token in the data folder].
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// Certificates, PEM, that the run's must be signed by [default: those that browsers trust].
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Data folder of the run.
    #[arg(long, value_name = "DIR", default_value = "andon-data")]
    pub data: PathBuf,
}

/// Why somebody does something, and what makes it be done once.
#[derive(Debug, Args)]
pub struct SaidArgs {
    /// Why; it stands in the audit trail.
    #[arg(long)]
    pub reason: String,
    /// Idempotency-Key: asked again with the same one, it is still done once, and answered as it was
    /// before. Up to 63 letters, digits and other visible characters [default: a new one].
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// `andon act list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which: `proposed`, `issued`, `open`, or `all` that are kept.
    #[arg(long, default_value = "open", value_parser = ["proposed", "issued", "open", "all"])]
    pub state: String,
    /// Only those about this device.
    #[arg(long)]
    pub device: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `andon act show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The command, by its id.
    pub command: String,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `andon act approve`, `andon act reject`.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The command, by its id.
    pub command: String,
    /// Why.
    #[command(flatten)]
    pub said: SaidArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `andon act release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The command, by its id.
    #[arg(required_unless_present = "device", conflicts_with = "device")]
    pub command: Option<String>,
    /// Everything that is in force about this device.
    #[arg(long)]
    pub device: Option<String>,
    /// Why.
    #[command(flatten)]
    pub said: SaidArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `andon act quarantine`.
#[derive(Debug, Args)]
pub struct QuarantineArgs {
    /// The device.
    pub device: String,
    /// For so many hours.
    #[arg(long, default_value_t = 24)]
    pub hours: u32,
    /// Why.
    #[command(flatten)]
    pub said: SaidArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `andon act suppress`.
#[derive(Debug, Args)]
pub struct SuppressArgs {
    /// The device.
    pub device: String,
    /// For so many hours.
    #[arg(long, default_value_t = 1)]
    pub hours: u32,
    /// Why.
    #[command(flatten)]
    pub said: SaidArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}
