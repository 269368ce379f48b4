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
