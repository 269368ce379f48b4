//! `andon learn`: profiles from clean traffic.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use andon_emit::terminal::printable;
use andon_engine::Plant;
use andon_ingest::files::{self, Captures, OpenOptions, Order};
use andon_lab::learn::{Learned, LeftOut, guess, learn};
use andon_lab::play::Player;
use andon_schemas::command::Mode;
use andon_schemas::inventory;
use andon_schemas::profile::{ProfileSet, SourceFile, parse};
use andon_schemas::time::{EventTime, PlantClock};
use anyhow::{Context as _, anyhow};

use crate::args::{Format, LearnArgs};
use crate::blueprint::Blueprint;
use crate::exit::{Outcome, usage};
use crate::progress::Progress;
use crate::setting::detector_names;
use crate::text::{count, plant_date};

/// Most things that were left out are listed one by one, for each type.
const LISTED_MAX: usize = 10;

/// Runs the command.
///
/// # Errors
/// If a capture, inventory or profile cannot be read, there is nothing to learn from, or a result
/// cannot be written.
pub fn run(args: &LearnArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let as_of = match &args.as_of {
        Some(text) => EventTime::parse(text).map_err(|e| usage(anyhow!(e)))?,
        None => crate::wall::now(),
    };
    let mapping = super::mapping(args.mapping.as_deref())?;
    let options = OpenOptions::as_of(as_of).with_mapping(mapping);
    let open = || files::open(&args.captures, options.clone()).map_err(usage);
    let captures = open()?;
    let guessed = (args.plant.inventory.is_none() && captures.order() == Order::Sorted)
        .then(|| guessed(args, captures))
        .transpose()?;
    let captures = open()?;
    let (plant, present) = measured(args, guessed.as_deref())?;
    let progress = Progress::new("records");
    let player = Player::new(captures, &plant, as_of).map_err(usage)?;
    let mut told = |records| progress.set(records);
    let wanted = args.device_type.as_deref();
    let learned = learn(player, &plant, &present, wanted, &mut told).map_err(usage)?;
    progress.done();
    for one in &learned {
        check(one)?;
    }
    if let Some(path) = &args.out {
        keep(path, &learned, wanted.is_some(), guessed.as_deref())?;
    }
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&learned)?)?,
        Format::Text => {
            if guessed.is_some() {
                writeln!(
                    out,
                    "no inventory was named: devices are private addresses, and their types guesses"
                )?;
            }
            for one in &learned {
                tell(one, args.out.is_some(), &plant.inventory().clock, out)?;
            }
            if let Some(path) = &args.out {
                writeln!(out, "written to `{}`", path.display())?;
            }
        }
    }
    Ok(Outcome::Done)
}

/// What was learned must be a profile.
fn check(learned: &Learned) -> anyhow::Result<()> {
    let file = SourceFile {
        path: &learned.device_type,
        text: &learned.yaml,
    };
    let read = parse(&[file], &detector_names());
    read.map(drop)
        .map_err(|problems| anyhow!("what was learned is no profile: {problems}"))
}

/// What tells the types of devices, and the profiles that hold by now.
fn measured(args: &LearnArgs, guessed: Option<&str>) -> anyhow::Result<(Arc<Plant>, ProfileSet)> {
    let Some(text) = guessed else {
        let blueprint = Blueprint::read(&args.plant, Mode::Monitor)?;
        return Ok((blueprint.compile()?, blueprint.profiles()?));
    };
    let file = SourceFile {
        path: "the guessed inventory",
        text,
    };
    let inventory = inventory::parse(file).map_err(usage)?;
    let present = crate::setting::profiles(args.plant.profiles.as_slice())?;
    let plant = Plant::compile(inventory, &present, Mode::Monitor);
    Ok((Arc::new(plant), present))
}

/// An inventory guessed from captures that nobody described.
fn guessed(args: &LearnArgs, captures: Captures) -> anyhow::Result<String> {
    if args.captures.iter().any(|path| path == Path::new("-")) {
        let advice = "without an inventory traffic is read twice, which standard input is not: \
                      name a file, or an inventory";
        return Err(usage(anyhow!(advice)));
    }
    guess::inventory(captures).map_err(usage)
}

/// Writes profiles, and beside them, in a folder of its own, the inventory that was guessed.
fn keep(
    path: &Path,
    learned: &[Learned],
    is_one: bool,
    guessed: Option<&str>,
) -> anyhow::Result<()> {
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
    };
    if is_one {
        return learned.iter().try_for_each(|one| write(path, &one.yaml));
    }
    std::fs::create_dir_all(path)
        .with_context(|| format!("cannot make folder `{}`", path.display()))
        .map_err(usage)?;
    if let Some(text) = guessed {
        let folder = path.join("inventory");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
        write(&folder.join("guessed.yaml"), text)?;
    }
    learned
        .iter()
        .try_for_each(|one| write(&path.join(format!("{}.yaml", one.device_type)), &one.yaml))
}

fn tell(
    learned: &Learned,
    is_kept: bool,
    clock: &PlantClock,
    out: &mut impl Write,
) -> std::io::Result<()> {
    writeln!(
        out,
        "{}: {} devices, {} device-hours",
        printable(&learned.device_type),
        count(learned.devices as u64),
        count(learned.device_hours as u64)
    )?;
    if !is_kept {
        for line in learned.yaml.lines() {
            writeln!(out, "    {}", printable(line))?;
        }
    }
    for one in &learned.cold_start {
        writeln!(out, "  cold start: {}", printable(one))?;
    }
    if !learned.left_out.is_empty() {
        writeln!(out, "  left out, for you to decide:")?;
    }
    for one in learned.left_out.iter().take(LISTED_MAX) {
        writeln!(out, "    {}", left_out(one, clock))?;
    }
    if learned.left_out.len() > LISTED_MAX {
        let more = learned.left_out.len() - LISTED_MAX;
        writeln!(out, "    and {more} more (`-o json` lists all)")?;
    }
    match &learned.differences {
        None => writeln!(out, "  there is no profile of this type yet"),
        Some(differences) => {
            writeln!(out, "  against the present profile:")?;
            differences
                .iter()
                .try_for_each(|one| writeln!(out, "    {}", printable(&one.to_string())))
        }
    }
}

fn left_out(one: &LeftOut, clock: &PlantClock) -> String {
    let mut text = String::new();
    if let Some(device) = &one.device {
        text.push_str(&printable(device.as_str()));
        text.push_str(": ");
    }
    if let Some(at) = one.at {
        text.push_str(&plant_date(clock, at));
        text.push_str(", ");
    }
    text.push_str(&printable(&one.why));
    text
}
