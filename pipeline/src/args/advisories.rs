//! `andon advisories`, as it is written.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `andon advisories`.
#[derive(Debug, Subcommand)]
pub enum AdvisoriesCommand {
    /// Say which devices have known vulnerabilities by the firmware they run, the worst first. Exits
    /// with 1 if something is wrong in a file; what is right is used.
    Check(CheckArgs),
}

/// `andon advisories check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Advisories: files, or folders of them; `.json` as CSAF 2.0, `.csv` as a table with the columns
    /// vendor, product, versions, cve, severity, cvss, title, url, `fixed_in`. May be repeated.
    #[arg(long, value_name = "PATH", required = true)]
    pub advisories: Vec<PathBuf>,
    /// Inventory file [default: that of the run, else the built-in demo plant].
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Data folder of a run with advisories, for the versions that devices attested.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Exit with 1 if a device is affected, or if of one it cannot be told.
    #[arg(long, value_name = "ANSWER", value_parser = ["affected", "cannot_tell"])]
    pub fail_on: Option<String>,
}
