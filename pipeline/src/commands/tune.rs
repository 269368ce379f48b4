//! `andon tune`: thresholds with a guarantee, from clean traffic.

mod proposal;
mod words;

use std::io::Write;
use std::path::Path;

use andon_ingest::files::{self, Captures, Item, OpenOptions};
use andon_lab::tune::certificate::Claim;
use andon_lab::tune::outcome::Outcome as Tuned;
use andon_lab::tune::{Per, TuneError, Tuning, plot, tune};
use andon_schemas::command::Mode;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};

use self::proposal::Proposal;
use crate::args::{self, Format, TuneArgs};
use crate::blueprint::{Blueprint, Named};
use crate::exit::{Outcome, usage};
use crate::intake::Recorded;
use crate::progress::Progress;
use crate::results::write_json;

/// Items looked at to find out what a recorded run was measured against.
const PEEKED: usize = 64;

/// Runs the command.
///
/// # Errors
/// If a capture, inventory or profile cannot be read, there is nothing to tune on, or a result
/// cannot be written.
pub fn run(args: &TuneArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    if args.captures.iter().any(|path| path == Path::new("-")) {
        let advice = "traffic is read several times, which standard input is not: name a file";
        return Err(usage(anyhow!(advice)));
    }
    let as_of = match &args.as_of {
        Some(text) => EventTime::parse(text).map_err(|e| usage(anyhow!(e)))?,
        None => crate::wall::now(),
    };
    if let Some(folder) = &args.out {
        prepare(folder)?;
    }
    let mapping = super::mapping(args.mapping.as_deref())?;
    let options = OpenOptions::as_of(as_of).with_mapping(mapping);
    let open = || files::open(&args.captures, options.clone());
    let blueprint = blueprint(args, open().map_err(usage)?)?;
    let (plant, profiles) = (blueprint.compile()?, blueprint.profiles()?);
    let mut shown = ("", Progress::new("records"));
    let mut told = |stage: &'static str, records| {
        if stage != shown.0 {
            shown.1.done();
            shown = (stage, Progress::new(&format!("records, {stage}")));
        }
        shown.1.set(records);
    };
    let tuning = Tuning {
        plant: &plant,
        profiles: &profiles,
        open: &open,
        as_of,
        claim: Claim {
            target: args.target_fpr,
            confidence: args.confidence,
        },
        per: match args.per {
            None => Per::Fleet,
            Some(args::Per::DeviceType) => Per::DeviceType,
            Some(args::Per::Grade) => Per::Grade,
        },
    };
    let (tuned, proposed) = tune(&tuning, &mut told).map_err(|error| match error {
        TuneError::Capture(_)
        | TuneError::Empty
        | TuneError::NoProfile
        | TuneError::TooShort
        | TuneError::Backwards => usage(error),
    })?;
    shown.1.done();
    let proposal = Proposal::of(&blueprint, &profiles, &proposed)?;
    if let Some(folder) = &args.out {
        keep(folder, &tuned, &proposal)?;
    }
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&tuned)?)?,
        Format::Text => {
            let clock = &plant.inventory().clock;
            words::outcome(&tuned, clock, out)?;
            words::proposal(&proposal, args.out.as_deref(), out)?;
        }
    }
    let refused = tuned
        .verdicts
        .iter()
        .any(|verdict| verdict.refused.is_some());
    Ok(if refused {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// What is measured against: what is named, else what a recorded run brings, else what is built in.
fn blueprint(args: &TuneArgs, mut captures: Captures) -> anyhow::Result<Blueprint> {
    let read = Blueprint::read(&args.plant, Mode::Monitor)?;
    for item in captures.next_batch(PEEKED).map_err(usage)? {
        let Item::Control { control, .. } = item else {
            continue;
        };
        if let Ok(Recorded::Start { plant: Some(plant) }) = serde_json::from_str(&control) {
            return Ok(Named::of(&args.plant, &read).over(&plant));
        }
    }
    Ok(read)
}

/// Makes the folder before the work is done, and clears away the proposal of an earlier tuning: what
/// is refused now must not stand beside what was certified then. Profiles that no tuning wrote are
/// not touched.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make folder `{}`", folder.display()))
        .map_err(usage)?;
    let (profiles, outcome) = (folder.join("profiles"), folder.join("tune.json"));
    if !profiles.exists() {
        return Ok(());
    }
    if !outcome.exists() {
        return Err(usage(anyhow!(
            "`{}` holds profiles that no tuning wrote; name another folder",
            folder.display()
        )));
    }
    std::fs::remove_dir_all(&profiles)
        .with_context(|| format!("cannot clear `{}`", profiles.display()))
}

fn keep(folder: &Path, tuned: &Tuned, proposal: &Proposal) -> anyhow::Result<()> {
    write_json(&folder.join("tune.json"), tuned)?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    };
    write("tradeoff.svg", &plot::trade_off(tuned))?;
    write("proposal.diff", &proposal.diff)?;
    if proposal.is_empty() {
        return Ok(());
    }
    let profiles = folder.join("profiles");
    std::fs::create_dir_all(&profiles)
        .with_context(|| format!("cannot make folder `{}`", profiles.display()))?;
    for (name, text) in &proposal.files {
        let path = profiles.join(name);
        std::fs::write(&path, text)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}
