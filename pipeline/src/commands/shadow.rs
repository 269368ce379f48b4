//! `andon shadow`: what would change if the profiles that run in the shadow of a run were in force.
//! It reads what both have written, so it may be asked at any time.

use std::io::Write;

use crate::args::{Format, StateArgs};
use crate::exit::Outcome;
use crate::live::shadow::compared;
use crate::text;

/// Runs the command.
///
/// # Errors
/// If no shadow ran beside the run of the folder, or a file cannot be read.
pub fn run(args: &StateArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let found = compared(&args.data)?;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?,
        Format::Text => text::shadow(&found, &args.data, "with -o json", out)?,
    }
    Ok(Outcome::Done)
}
