//! `andon siem`: verdicts of a file in the forms of SIEMs, and a test of the ways to them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use andon_emit::siem::Writer;
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};

use crate::args::{Format, SiemCommand, SiemConvertArgs};
use crate::exit::{Outcome, usage};
use crate::siem;

mod test;

/// Runs the command.
///
/// # Errors
/// If a file cannot be read or holds something else than verdicts, or the configuration cannot be
/// used.
pub fn run(command: &SiemCommand, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match command {
        SiemCommand::Convert(args) => convert(args, out),
        SiemCommand::Test(args) => test::run(args, format, out),
    }
}

/// A line that is no verdict is an error, after all that can be written have been.
fn convert(args: &SiemConvertArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut writer = siem::writer();
    writer.enterprise = args.enterprise.unwrap_or(Writer::ENTERPRISE);
    let path = &args.verdicts;
    let mut wrong = Vec::new();
    let mut number = 0_u64;
    let mut lines = open(path)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.read_until(b'\n', &mut line);
        if read.with_context(|| format!("cannot read `{}`", path.display()))? == 0 {
            break;
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice::<Verdict>(&line) {
            Ok(verdict) => writeln!(out, "{}", args.form.line(&verdict, &writer))?,
            Err(error) => wrong.push(format!("line {number}: no verdict: {error}")),
        }
    }
    if wrong.is_empty() {
        return Ok(Outcome::Done);
    }
    out.flush()?;
    let count = wrong.len();
    wrong.truncate(10);
    Err(usage(anyhow!(
        "{count} of {number} lines of `{}` were left out:\n{}",
        path.display(),
        wrong.join("\n")
    )))
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)
        .with_context(|| format!("cannot read verdicts `{}`", path.display()))
        .map_err(usage)?;
    Ok(Box::new(BufReader::new(file)))
}
