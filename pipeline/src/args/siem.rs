//! `andon siem`, as it is written.

use std::path::PathBuf;

use andon_emit::siem::Form;
use clap::{Args, Subcommand};

/// `andon siem`.
#[derive(Debug, Subcommand)]
pub enum SiemCommand {
    /// Write the verdicts of a file in a form that a SIEM reads, one to a line.
    Convert(SiemConvertArgs),
    /// Send one test verdict through every outlet of a configuration, and say what became of it.
    Test(SiemTestArgs),
}

/// `andon siem convert`.
#[derive(Debug, Args)]
pub struct SiemConvertArgs {
    /// Verdicts, as a run, demo or backtest writes them: `verdicts.jsonl`, or `-` for standard input.
    #[arg(value_name = "VERDICTS")]
    pub verdicts: PathBuf,
    /// The form: ocsf, ecs, cef, syslog or ndjson.
    #[arg(long, value_parser = parse_form)]
    pub form: Form,
    /// Private enterprise number in syslog [default: 32473, the one of documentation].
    #[arg(long, value_name = "NUMBER")]
    pub enterprise: Option<u32>,
}

/// `andon siem test`.
#[derive(Debug, Args)]
pub struct SiemTestArgs {
    /// Configuration file, the one of the run.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}

fn parse_form(text: &str) -> Result<Form, String> {
    text.parse()
}
