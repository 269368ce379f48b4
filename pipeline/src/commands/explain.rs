//! `andon explain`: a recorded verdict, computed again from the values stored with it.
//!
//! The same detector code assesses the stored inputs with the profile that was in force, and the
//! same judge's code settles the findings: what these determine of a finding, and grade, confidence
//! and sentence of the verdict, must come out as they were written. Ids, risk, response, windows,
//! counts and sources are taken as they stand: they follow from more than is stored with one
//! revision. A run keeps what it measured against beside its verdicts. Files that are named instead
//! are taken, and if they are not what a finding was measured against, it says so instead of
//! comparing.

mod compare;

use std::io::Write;
use std::sync::Arc;

use andon_detectors::catalog::CATALOG;
use andon_emit::terminal::printable;
use andon_engine::Plant;
use andon_schemas::command::Mode;
use andon_schemas::finding::Finding;
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;
use serde_json::json;

use self::compare::Again;
use crate::args::{ExplainArgs, Format, PlantArgs};
use crate::blueprint::Blueprint;
use crate::commands::devices::verdicts;
use crate::exit::{Outcome, usage};

/// Runs the command.
///
/// # Errors
/// If there is no such verdict, or the run's files cannot be read.
pub fn run(args: &ExplainArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let plants = plants(args)?;
    let wanted = args.id.to_lowercase();
    if wanted.is_empty() {
        return Err(usage(anyhow!("an id, its beginning, or `all` is expected")));
    }
    let found = verdicts(&args.data, |v| {
        wanted == "all" || v.verdict_id.starts_with(&wanted)
    })?;
    if found.is_empty() && wanted == "all" {
        if format == Format::Text {
            writeln!(out, "there are no verdicts in `{}`", args.data.display())?;
        }
        return Ok(Outcome::Done);
    }
    if found.is_empty() {
        let folder = args.data.display();
        return Err(usage(anyhow!(
            "no verdict in `{folder}` has an id beginning with `{wanted}`"
        )));
    }
    let mut all_equal = true;
    for verdict in &found {
        let results: Vec<Again> = verdict
            .findings
            .iter()
            .map(|f| assess(&plants, verdict, f))
            .collect();
        let settled = compare::settled(verdict);
        let equal = settled == Again::Equal && results.iter().all(|one| *one == Again::Equal);
        all_equal &= equal;
        match format {
            Format::Json => print_json(verdict, equal, &settled, &results, out)?,
            Format::Text => print_text(verdict, &settled, &results, out)?,
        }
    }
    Ok(if all_equal {
        Outcome::Done
    } else {
        Outcome::Failed
    })
}

/// What was in force when the verdicts were written, or what is named instead.
fn plants(args: &ExplainArgs) -> anyhow::Result<Vec<Arc<Plant>>> {
    let PlantArgs {
        inventory,
        profiles,
        indicators,
    } = &args.plant;
    if inventory.is_none() && profiles.is_none() && indicators.is_empty() {
        let kept = Blueprint::kept(&args.data)?;
        if !kept.is_empty() {
            return Ok(kept);
        }
    }
    Ok(vec![
        Blueprint::read(&args.plant, Mode::Monitor)?.compile()?,
    ])
}

/// A finding, assessed again from its inputs by the detector that wrote it.
fn assess(plants: &[Arc<Plant>], verdict: &Verdict, finding: &Finding) -> Again {
    let Some(entry) = CATALOG.iter().find(|entry| entry.name == finding.detector) else {
        return Again::CannotSay(format!("this build has no detector `{}`", finding.detector));
    };
    let measured = finding.profile.as_ref().unwrap_or(&verdict.profile);
    let in_force = |plant: &&Arc<Plant>| {
        let profile = plant.profile(&measured.name);
        profile.is_some_and(|profile| profile.hash == measured.hash)
    };
    // Inventories may differ under the same profile: their time zone, their names.
    let mut again = Again::CannotSay(format!(
        "there is no profile `{}` with the hash {}, which it was measured against",
        measured.name, measured.hash
    ));
    for plant in plants.iter().filter(in_force) {
        let Some(compiled) = plant.plans(&measured.name) else {
            continue;
        };
        again = match (entry.assess)(compiled, &finding.inputs) {
            Ok(evidence) => compare::finding(verdict, finding, entry.plane, &evidence),
            Err(cause) => Again::CannotSay(cause),
        };
        if again == Again::Equal {
            break;
        }
    }
    again
}

fn print_json(
    verdict: &Verdict,
    equal: bool,
    settled: &Again,
    results: &[Again],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let findings: Vec<_> = verdict
        .findings
        .iter()
        .zip(results)
        .map(|(f, again)| json!({ "detector": f.detector, "recomputed": again.word() }))
        .collect();
    writeln!(
        out,
        "{}",
        json!({
            "verdict_id": verdict.verdict_id, "revision": verdict.revision, "equal": equal,
            "settled": settled.word(), "findings": findings,
        })
    )?;
    Ok(())
}

fn print_text(
    verdict: &Verdict,
    settled: &Again,
    results: &[Again],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    writeln!(
        out,
        "{} revision {} ({}): {} on {}, {}",
        verdict.verdict_id,
        verdict.revision,
        verdict.state,
        verdict.grade,
        verdict.device_id,
        verdict.event_time
    )?;
    writeln!(out, "  {}", printable(&verdict.sentence))?;
    writeln!(out, "  its findings settled again: {}", settled.word())?;
    for (finding, again) in verdict.findings.iter().zip(results) {
        writeln!(
            out,
            "  {:<20} {:<8} {}",
            finding.detector,
            finding.grade,
            again.word()
        )?;
        writeln!(out, "    saw       {}", printable(&finding.sentence))?;
        writeln!(
            out,
            "    observed  {}",
            printable(&finding.observed.to_string())
        )?;
        writeln!(
            out,
            "    expected  {}",
            printable(&finding.expected.to_string())
        )?;
        let profile = finding.profile.as_ref().unwrap_or(&verdict.profile);
        writeln!(
            out,
            "    rests on  {} ({} clean windows), profile {} version {} {:.12}",
            finding.confidence.basis,
            finding.confidence.n,
            profile.name,
            profile.version,
            profile.hash
        )?;
        for source in &finding.source {
            writeln!(
                out,
                "    source    {}, {}, {}",
                printable(&source.topic),
                source.partition,
                source.offset
            )?;
        }
        writeln!(out, "    ATT&CK    {}", finding.techniques.join(", "))?;
        writeln!(out, "    clears    {}", printable(&finding.clears))?;
    }
    writeln!(
        out,
        "  response  {} ({})",
        verdict.response.action, verdict.response.mode
    )?;
    Ok(())
}
