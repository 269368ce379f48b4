//! `andon query`: SQL over what a run left behind and over captures. Builds without the feature
//! `query` know the command and say how to get it.

#[cfg(feature = "query")]
mod answer;

use std::io::Write;

use crate::args::{Format, QueryArgs};
use crate::exit::Outcome;

/// Runs the command.
///
/// # Errors
/// If the statement is wrong, what it asks cannot be read, or the answer cannot be written.
#[cfg(feature = "query")]
pub fn run(args: &QueryArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    answer::run(args, format, out)
}

/// Says that this build has no SQL.
///
/// # Errors
/// Always.
#[cfg(not(feature = "query"))]
pub fn run(_: &QueryArgs, _: Format, _: &mut impl Write) -> anyhow::Result<Outcome> {
    Err(crate::exit::usage(anyhow::anyhow!(
        "this build of andon answers no SQL: it was built without the feature `query`. Build it \
         with `cargo build --release --features query`."
    )))
}
