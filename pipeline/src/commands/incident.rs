//! `andon incident`: what belongs together, told, judged, handed over and checked.

mod propose;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use andon_emit::terminal::printable;
use andon_engine::Plant;
use andon_schemas::command::Mode;
use andon_schemas::incident::Incident;
use andon_schemas::time::PlantClock;
use anyhow::anyhow;
use serde_json::json;

use crate::args::{
    ExportArgs, Format, IncidentArgs, IncidentCommand, JudgeArgs, PlantArgs, StateArgs, VerifyArgs,
};
use crate::asking::{Asker, key, plain};
use crate::blueprint::Blueprint;
use crate::evidence::{self, CHAIN, FOLDER};
use crate::exit::{Outcome, usage};
use crate::incident::{SUMS, Story, check_sums, check_trail, export, is_export, newest};
use crate::text::{self, plant_moment};

/// Runs the command.
///
/// # Errors
/// If a folder is not what it should be, or the run cannot be asked.
pub fn run(
    command: &IncidentCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        IncidentCommand::List(args) => list(args, format, out),
        IncidentCommand::Show(args) => show(args, format, out),
        IncidentCommand::Judge(args) => judge(args, format, out),
        IncidentCommand::Propose(args) => propose::run(args, format, out),
        IncidentCommand::Export(args) => hand_over(args, format, out),
        IncidentCommand::Verify(args) => verify(args, format, out),
    }
}

fn list(args: &StateArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let incidents = newest(&args.data)?;
    if format == Format::Json {
        for incident in &incidents {
            writeln!(out, "{}", serde_json::to_string(incident)?)?;
        }
        return Ok(Outcome::Done);
    }
    if incidents.is_empty() {
        writeln!(out, "none")?;
        return Ok(Outcome::Done);
    }
    writeln!(
        out,
        "{:<32}  {:<8}  {:<5}  {:>8}  {:>7}  {:<27}  what",
        "incident", "grade", "state", "verdicts", "devices", "began"
    )?;
    for incident in &incidents {
        let verdicts = incident.verdicts.len() as u64 + incident.more;
        writeln!(
            out,
            "{:<32}  {:<8}  {:<5}  {:>8}  {:>7}  {}  {}",
            incident.incident_id,
            incident.grade.as_str(),
            incident.state,
            text::count(verdicts),
            text::count(incident.devices().len() as u64),
            incident.began,
            printable(&incident.sentence)
        )?;
    }
    Ok(Outcome::Done)
}

fn plant(args: &PlantArgs) -> anyhow::Result<Arc<Plant>> {
    Blueprint::read(args, Mode::Monitor)?.compile()
}

fn show(args: &IncidentArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let story = Story::of(&args.data, &args.id)?;
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&story)?)?;
        return Ok(Outcome::Done);
    }
    tell(&story, &plant(&args.plant)?.inventory().clock, out)?;
    Ok(Outcome::Done)
}

fn tell(story: &Story, clock: &PlantClock, out: &mut impl Write) -> anyhow::Result<()> {
    let incident = &story.incident;
    writeln!(out, "{}  {}", incident.grade, printable(&incident.sentence))?;
    head(incident, clock, out)?;
    if let Some(manifest) = &story.evidence {
        let rows: u64 = manifest.files.iter().map(|file| file.rows).sum();
        let files = manifest.files.len();
        writeln!(
            out,
            "evidence      {} records in {files} files",
            text::count(rows)
        )?;
        if manifest.deleted > 0 {
            let deleted = text::count(manifest.deleted);
            writeln!(
                out,
                "              {deleted} records of the topic were deleted before they were read"
            )?;
        }
    }
    for (device, counted) in &story.advisories {
        let counted = counted.words();
        writeln!(
            out,
            "known of      {}, {}",
            printable(device.as_str()),
            printable(&counted)
        )?;
    }
    writeln!(out)?;
    for moment in &story.timeline {
        let by = moment.by.as_deref();
        let by = by.map_or_else(String::new, |by| format!(" [{}]", printable(by)));
        writeln!(
            out,
            "{}  {:<28}{by} {}",
            plant_moment(clock, moment.at),
            printable(&moment.device),
            printable(&moment.what)
        )?;
    }
    if story.left_out > 0 {
        writeln!(out, "{} lines of the middle are left out", story.left_out)?;
    }
    Ok(())
}

fn head(incident: &Incident, clock: &PlantClock, out: &mut impl Write) -> anyhow::Result<()> {
    let line = |out: &mut dyn Write, name: &str, what: &str| match what {
        "" => Ok(()),
        what => writeln!(out, "{name:<12}  {}", printable(what)),
    };
    line(out, "incident", &incident.incident_id)?;
    let over = incident
        .over
        .map(|over| format!(", over since {}", plant_moment(clock, over)));
    let began = plant_moment(clock, incident.began);
    line(
        out,
        "began",
        &format!("{began} plant time{}", over.unwrap_or_default()),
    )?;
    line(out, "segments", &incident.segments.join(", "))?;
    line(out, "destinations", &incident.destinations.join(", "))?;
    line(out, "techniques", &incident.techniques.join(", "))?;
    if let Some(judged) = &incident.judged {
        let judgement = judged.judgement.as_str().replace('_', " ");
        let (by, note) = (&judged.by, &judged.note);
        line(out, "judged", &format!("{judgement} by {by}: {note}"))?;
    }
    Ok(())
}

fn judge(args: &JudgeArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let said = json!({ "reason": args.reason, "judgement": args.judgement });
    let path = format!("/v1/incidents/{}/judge", plain(&args.id)?);
    let came = Asker::of(&args.asked)?.post(&path, &key()?, &said)?;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&came)?)?,
        Format::Text => {
            let judgement = args.judgement.as_str().replace('_', " ");
            writeln!(
                out,
                "incident {} is judged {judgement}",
                printable(&args.id)
            )?;
        }
    }
    Ok(Outcome::Done)
}

fn hand_over(args: &ExportArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let IncidentArgs { id, data, .. } = &args.incident;
    let story = Story::of(data, id)?;
    let plant = plant(&args.incident.plant)?;
    let names = export(&story, plant.inventory(), data, &args.out)?;
    match format {
        Format::Json => writeln!(out, "{}", json!({ "folder": args.out, "files": names }))?,
        Format::Text => {
            for name in names {
                writeln!(out, "{}", args.out.join(name).display())?;
            }
            let folder = args.out.display();
            writeln!(out, "\nnext: andon incident verify {folder}")?;
        }
    }
    Ok(Outcome::Done)
}

fn verify(args: &VerifyArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let folder = args.folder.as_path();
    let (files, head, problems) = verified(folder)?;
    match format {
        Format::Json => writeln!(
            out,
            "{}",
            json!({
                "holds": problems.is_empty(), "files": files, "head": head, "problems": problems,
            })
        )?,
        Format::Text if problems.is_empty() => {
            let all = text::count(files);
            writeln!(out, "all {all} files are what they were")?;
            if let Some(head) = head {
                writeln!(
                    out,
                    "the chain ends with {head}: kept elsewhere, it shows if an end was cut off"
                )?;
            }
        }
        Format::Text => {
            for problem in &problems {
                writeln!(out, "{}", printable(problem))?;
            }
        }
    }
    Ok(if problems.is_empty() {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

/// The number of files, the end of the chain if there is one, and what does not hold.
fn verified(folder: &Path) -> anyhow::Result<(u64, Option<String>, Vec<String>)> {
    let records = folder.join(FOLDER);
    if is_export(folder) {
        let (files, mut problems) = check_sums(folder)?;
        if records.is_dir() {
            problems.extend(evidence::check(&records)?.problems);
        }
        return Ok((files, None, problems));
    }
    if !records.join(CHAIN).is_file() {
        return Err(usage(anyhow!(
            "`{}` holds neither {SUMS} nor {FOLDER}/{CHAIN}: nothing was exported or kept there",
            folder.display()
        )));
    }
    let checked = evidence::check(&records)?;
    let (entries, trail) = check_trail(folder)?;
    let head = Some(checked.head).filter(|head| !head.is_empty());
    let files = checked.files + u64::from(entries > 0);
    Ok((files, head, [checked.problems, trail].concat()))
}
