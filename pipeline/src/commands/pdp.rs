//! `andon pdp`: requests decided, and what a decision point needs to know of the plant.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::time::Instant;

use andon_emit::terminal::printable;
use andon_schemas::command::Mode;
use andon_schemas::time::{EventTime, Span};
use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::args::{AskArgs, Format, PdpCommand, PlantArgs};
use crate::blueprint::Blueprint;
use crate::devices;
use crate::exit::{Outcome, usage};
use crate::pdp::{Answer, Decider, Entry, Known, Policies, Question, document};
use crate::wall;

/// How long a recorded risk counts: a run that is over says nothing new.
const RECORDED_FOR: Span = Span::from_secs(60);

/// Runs `andon pdp`.
///
/// # Errors
/// If a file cannot be read, or is not what it should be.
pub fn run(command: &PdpCommand, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    match command {
        PdpCommand::Ask(args) => ask(args, format, out),
        PdpCommand::Data { plant } => data(plant, out),
    }
}

fn data(args: &PlantArgs, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let blueprint = Blueprint::read(args, Mode::Monitor)?;
    let (plant, profiles) = (blueprint.compile()?, blueprint.profiles()?);
    let document = document(plant.inventory(), |name| profiles.get(name));
    writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    Ok(Outcome::Done)
}

fn ask(args: &AskArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let blueprint = Blueprint::read(&args.plant, Mode::Monitor)?;
    let (plant, profiles) = (blueprint.compile()?, blueprint.profiles()?);
    let policies = match &args.policy {
        Some(folder) => Policies::read(folder)?,
        None => Policies::builtin()?,
    };
    let decider = Decider::new(&policies, plant.inventory().clone(), &profiles)?;
    let at = args.at.as_deref().map(EventTime::parse).transpose();
    let at = at.map_err(|e| usage(anyhow!("--at: {e}")))?;
    let mut audit = args.audit.as_deref().map(open_audit).transpose()?;
    let now = || at.unwrap_or_else(wall::now);
    let risks = risks(args.data.as_deref(), now())?;
    for (number, line) in (1_u64..).zip(questions(&args.questions)?.split(b'\n')) {
        let line = line.with_context(|| format!("question {number} cannot be read"))?;
        // What is no UTF-8 is no JSON either, and is denied as such.
        let question = String::from_utf8_lossy(&line);
        let question = question.trim();
        if question.is_empty() {
            continue;
        }
        let began = Instant::now();
        let asked = Question::read(question);
        let device = asked.as_ref().ok().and_then(Question::device);
        let answer = match &asked {
            Ok(asked) => decider.answer(asked, device.and_then(|id| risks.get(id)), now()),
            Err(reason) => Answer::denial(reason.clone()),
        };
        let took = began.elapsed();
        if let Some(audit) = &mut audit {
            let asked = asked.as_ref().map(|asked| json!(asked.fields()));
            let entry = Entry {
                id: None,
                who: None,
                time: now(),
                question: asked.unwrap_or_else(|_| json!(question)),
                answer: &answer,
                policy: &decider.policy_hash,
                took,
            };
            writeln!(audit, "{}", entry.line()).context("the audit file cannot be written")?;
        }
        match format {
            Format::Json => writeln!(out, "{}", serde_json::to_string(&answer)?)?,
            Format::Text => writeln!(out, "{}", line_of(device, &answer))?,
        }
    }
    Ok(Outcome::Done)
}

fn line_of(device: Option<&str>, answer: &Answer) -> String {
    let reasons = answer.reasons.join("; ");
    format!(
        "{:<9}  {:<28}  {}",
        answer.decision.as_str(),
        printable(device.unwrap_or("–")),
        printable(&reasons)
    )
}

fn questions(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .map_err(usage)?;
    Ok(Box::new(BufReader::new(file)))
}

fn open_audit(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("cannot write `{}`", path.display()))
        .map_err(usage)
}

/// The risks that a run knew last, by device.
fn risks(folder: Option<&Path>, now: EventTime) -> anyhow::Result<HashMap<String, Known>> {
    let rows = folder.map(devices::read).transpose()?.unwrap_or_default();
    let known = rows.into_iter().map(|row| {
        let known = Known::until(row.risk, now + RECORDED_FOR);
        (row.device_id.to_string(), known)
    });
    Ok(known.collect())
}
