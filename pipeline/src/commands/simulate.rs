//! `andon simulate`: a labelled capture of the simulated plant.
//!
//! Writes the capture F, the ground truth `F.labels.ndjson`, and the inventory it was made with,
//! `F.inventory.yaml`.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use andon_ingest::files::CaptureWriter;
use andon_schemas::builtin;
use andon_schemas::time::EventTime;
use andon_simulator::{ATTACKS, Options, Plant};
use anyhow::{Context as _, anyhow};

use crate::args::{Format, SimulateArgs};
use crate::exit::{Outcome, usage};
use crate::progress::Progress;
use crate::setting;
use crate::text::count;

/// Name of the only plant that is built in.
const PLANT: &str = "precision-parts";

/// Runs the command.
///
/// # Errors
/// If the plant or an attack is unknown, the hours do not suffice, or a file cannot be written.
pub fn run(args: &SimulateArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if args.attack.iter().any(|name| name == "list") {
        return list(format, out);
    }
    let missing = |flag: &str| usage(anyhow!("`{flag}` is missing"));
    let hours = args.hours.ok_or_else(|| missing("--hours"))?;
    let path = args.out.as_ref().ok_or_else(|| missing("--out"))?;
    if args.plant != PLANT {
        let plant = &args.plant;
        return Err(usage(anyhow!(
            "plant `{plant}` is not known; the built-in one is `{PLANT}`"
        )));
    }
    let named = |at: usize| args.attack[..at].contains(&args.attack[at]);
    if let Some(at) = (0..args.attack.len()).find(|at| named(*at)) {
        let name = &args.attack[at];
        return Err(usage(anyhow!("attack `{name}` is named twice")));
    }
    let inventory = builtin::inventory().map_err(usage)?;
    let profiles = setting::profiles(&[])?;
    let start = args
        .start
        .as_deref()
        .map(EventTime::parse)
        .transpose()
        .map_err(|e| usage(anyhow!(e)))?;
    let options = Options {
        seed: args.seed,
        start,
        hours,
        devices: args.devices,
        attacks: args.attack.clone(),
        only: args.observations,
        limit: args.limit,
    };
    let mut plant = Plant::new(&inventory, &profiles, &options).map_err(|e| usage(anyhow!(e)))?;
    let inventory_text = match args.devices {
        None => builtin::INVENTORY.text.to_owned(),
        Some(_) => plant.inventory().to_yaml(),
    };
    write(&beside(path, ".inventory.yaml"), &inventory_text)?;
    let mut labels = String::new();
    for label in plant.labels() {
        labels.push_str(&serde_json::to_string(label)?);
        labels.push('\n');
    }
    write(&beside(path, ".labels.ndjson"), &labels)?;
    let mut writer = CaptureWriter::create(path).map_err(usage)?;
    let progress = Progress::new("records");
    let mut records = 0_u64;
    while let Some(slice) = plant.next_slice() {
        for record in &slice {
            writer.record(record, None)?;
        }
        records += slice.len() as u64;
        progress.set(records);
    }
    progress.done();
    writer.finish()?;
    report(path, &plant, records, format, out)?;
    Ok(Outcome::Done)
}

fn report(
    path: &Path,
    plant: &Plant,
    records: u64,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Json => writeln!(
            out,
            "{}",
            serde_json::json!({
                "capture": path, "records": records, "labels": plant.labels(),
            })
        )?,
        Format::Text => {
            writeln!(out, "{} records in {}", count(records), path.display())?;
            for label in plant.labels() {
                writeln!(
                    out,
                    "{:<24} {:<24} {}  {}",
                    label.attack,
                    label.device.as_str(),
                    label.start,
                    label.note
                )?;
            }
        }
    }
    Ok(())
}

fn list(format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    for attack in ATTACKS {
        match format {
            Format::Json => writeln!(
                out,
                "{}",
                serde_json::json!({
                    "name": attack.name, "question": attack.question,
                    "expected_grade": attack.expected, "when": attack.when,
                    "later": attack.later,
                })
            )?,
            Format::Text => writeln!(
                out,
                "{:<24} {:<9} {:<24} {}",
                attack.name, attack.expected, attack.when, attack.question
            )?,
        }
    }
    Ok(Outcome::Done)
}

/// `F` with something appended to its whole name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text)
        .with_context(|| format!("cannot write `{}`", path.display()))
        .map_err(usage)
}
