//! `andon incident`, as it is written.

use std::path::PathBuf;

use andon_schemas::incident::Judgement;
use clap::{Args, Subcommand};

use super::{AskedArgs, PlantArgs, StateArgs};

/// `andon incident`.
#[derive(Debug, Subcommand)]
pub enum IncidentCommand {
    /// List incidents, open ones first.
    List(StateArgs),
    /// Tell the story of an incident: what was found, when, and what was done.
    Show(IncidentArgs),
    /// Tell a running pipeline what an incident was.
    Judge(JudgeArgs),
    /// Propose what would have to stand in the profile for a false alarm not to be raised, and
    /// forecast what else that changes. Nothing of yours is edited.
    Propose(ProposeArgs),
    /// Write a folder that can be handed over: reports, STIX, records, and digests of all of it.
    Export(ExportArgs),
    /// Check that records which were kept, or a folder that was exported, are what they were.
    Verify(VerifyArgs),
}

/// `andon incident show`.
#[derive(Debug, Args)]
pub struct IncidentArgs {
    /// Incident id, or the beginning of one.
    pub id: String,
    /// Folder that a run, demo or backtest wrote.
    #[arg(long, value_name = "DIR", default_value = "andon-data")]
    pub data: PathBuf,
    /// What it was measured against; the time zone of the plant is taken from it.
    #[command(flatten)]
    pub plant: PlantArgs,
}

/// `andon incident judge`.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// Incident id.
    pub id: String,
    /// What it was: `true_positive`, `benign` (it happened and was meant to), or `false_positive`.
    #[arg(long = "as", value_name = "JUDGEMENT")]
    pub judgement: Judgement,
    /// Why; it stands in the audit trail.
    #[arg(long)]
    pub reason: String,
    /// Whom to ask.
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `andon incident propose`.
#[derive(Debug, Args)]
pub struct ProposeArgs {
    /// Incident id, or the beginning of one. It has to be judged benign or a false positive.
    pub id: String,
    /// Folder that a run, demo or backtest wrote; records that it kept are forecast from.
    #[arg(long, value_name = "DIR", default_value = "andon-data")]
    pub data: PathBuf,
    /// What to amend, and to measure against [default: what the run was measured against].
    #[command(flatten)]
    pub plant: PlantArgs,
    /// Recent traffic to forecast from, played through the engine against both sets of profiles.
    /// May be repeated.
    #[arg(long, value_name = "CAPTURE")]
    pub capture: Vec<PathBuf>,
    /// Ground truth of the captures: says whether an attack would be lost.
    #[arg(long, value_name = "FILE", requires = "capture")]
    pub labels: Option<PathBuf>,
    /// Write `proposal.diff` and the proposed `profiles/` there; it must not hold anything yet.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `andon incident export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which.
    #[command(flatten)]
    pub incident: IncidentArgs,
    /// Folder to write; it must not hold anything yet.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `andon incident verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A folder that was exported, or the data folder of a run.
    #[arg(value_name = "DIR", default_value = "andon-data")]
    pub folder: PathBuf,
}
