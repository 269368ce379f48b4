//! `andon devices` and `andon risk`: what a run knows about its devices.

use std::io::Write;
use std::path::Path;

use andon_emit::terminal::printable;
use andon_schemas::grade::Band;
use andon_schemas::verdict::{State, Verdict};
use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::args::{Format, RiskArgs, StateArgs};
use crate::devices::{self, DeviceRow};
use crate::exit::{Outcome, usage};

/// Runs `andon devices`.
///
/// # Errors
/// If the folder is not one of a run.
pub fn list(args: &StateArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut rows = devices::read(&args.data)?;
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(Outcome::Done);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.risk.score));
    writeln!(
        out,
        "{:<30} {:<24} {:<20} {:<7} {:>5} {:>6}  band",
        "device", "type", "segment", "class", "risk", "trust"
    )?;
    for row in &rows {
        let number = |n: Option<u8>| n.map_or("–".to_owned(), |n| n.to_string());
        writeln!(
            out,
            "{:<30} {:<24} {:<20} {:<7} {:>5} {:>6}  {}",
            row.device_id.as_str(),
            row.device_type,
            row.segment,
            row.risk_class
                .map_or("–", andon_schemas::grade::RiskClass::as_str),
            number(row.risk.score),
            number(row.risk.trust),
            row.risk.band
        )?;
    }
    Ok(Outcome::Done)
}

/// Runs `andon risk`.
///
/// # Errors
/// If the folder is not one of a run, or the device is not known to it.
pub fn risk(args: &RiskArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let rows = devices::read(&args.data)?;
    let wanted = args.device.to_lowercase();
    let row = rows
        .iter()
        .find(|row| row.device_id.as_str() == wanted)
        .ok_or_else(|| unknown(&wanted, &rows))?;
    let verdicts = verdicts(&args.data, |v| v.device_id.as_str() == wanted)?;
    let open = verdicts.last().filter(|v| v.state != State::Cleared);
    match format {
        Format::Json => writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&json!({ "device": row, "open_verdict": open }))?
        )?,
        Format::Text => {
            let advice = match row.risk.band {
                Band::Unknown => "nothing can be said: it was not seen, or not lately",
                Band::Low => "allow with standard monitoring",
                Band::Medium => "allow, watch more closely",
                Band::High => "restrict to what is essential",
                Band::Critical => "deny all but safety flows",
            };
            match (row.risk.score, row.risk.trust) {
                (Some(score), Some(trust)) => writeln!(
                    out,
                    "{}: risk {score}/100, trust {trust}/100, band {}: {advice}",
                    row.device_id, row.risk.band
                )?,
                _ => writeln!(out, "{}: band {}: {advice}", row.device_id, row.risk.band)?,
            }
            match open {
                Some(verdict) => writeln!(
                    out,
                    "open verdict {} ({}): {}",
                    verdict.verdict_id,
                    verdict.grade,
                    printable(&verdict.sentence)
                )?,
                None => writeln!(out, "no open verdict")?,
            }
        }
    }
    Ok(Outcome::Done)
}

fn unknown(wanted: &str, rows: &[DeviceRow]) -> anyhow::Error {
    let near = rows
        .iter()
        .map(|row| row.device_id.as_str())
        .max_by(|a, b| strsim::jaro_winkler(a, wanted).total_cmp(&strsim::jaro_winkler(b, wanted)))
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    usage(anyhow!(
        "device `{wanted}` is not in the inventory and was not seen{near}"
    ))
}

/// Verdict lines of a run that a test accepts, in the order written.
///
/// # Errors
/// If the file cannot be read, or a line is no verdict.
pub fn verdicts(folder: &Path, test: impl Fn(&Verdict) -> bool) -> anyhow::Result<Vec<Verdict>> {
    let path = folder.join("verdicts.jsonl");
    let lines = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(usage)?;
    // A line without an end is one that a crash, or the moment of reading, cut in half.
    let whole = lines.rfind('\n').map_or("", |end| &lines[..end]);
    let mut found = Vec::new();
    for (at, line) in whole.lines().enumerate() {
        let verdict: Verdict = serde_json::from_str(line)
            .with_context(|| format!("`{}`, line {}", path.display(), at + 1))
            .map_err(usage)?;
        if test(&verdict) {
            found.push(verdict);
        }
    }
    Ok(found)
}
