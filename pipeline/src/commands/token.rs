//! `andon token`: makes tokens for the console of a run.

use std::io::Write;

use andon_schemas::hex;
use serde_json::json;

use crate::access;
use crate::args::{Format, TokenCommand};
use crate::exit::{Outcome, usage};

/// Runs the command.
///
/// # Errors
/// If the name cannot be one, or the system gives no randomness.
pub fn run(
    command: &TokenCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let TokenCommand::Create(args) = command;
    let name = &args.name;
    access::check_name(name).map_err(usage)?;
    let (text, token) = access::make(name, args.role)?;
    let digest = hex(&token.digest);
    let role = args.role.as_str();
    match format {
        Format::Json => writeln!(
            out,
            "{}",
            json!({ "token": text, "name": name, "role": role, "sha256": digest })
        )?,
        Format::Text => writeln!(
            out,
            "{text}\n\nIt is not shown again. The configuration of the run takes:\n\n\
             [[access.tokens]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{digest}\""
        )?,
    }
    Ok(Outcome::Done)
}
