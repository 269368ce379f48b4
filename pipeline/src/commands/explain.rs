//! `andon explain`: a recorded verdict, computed again from the values stored with it.
//!
//! The same detector code assesses the stored inputs with the profile at hand, and the same judge's
//! code settles the findings: every field that they determine must come out as it was written. If
//! the profile is not the one the verdict was measured against, it says so instead of comparing.

mod compare;

use std::io::Write;

use andon_detectors::catalog::CATALOG;
use andon_engine::Plant;
use andon_schemas::command::Mode;
use andon_schemas::finding::Finding;
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;
use serde_json::json;

use self::compare::Again;
use crate::args::{ExplainArgs, Format};
use crate::commands::devices::verdicts;
use crate::exit::{Outcome, usage};
use crate::setting;

/// Runs the command.
///
/// # Errors
/// If there is no such verdict, or the run's files cannot be read.
pub fn run(args: &ExplainArgs, format: Format, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let plant = setting::plant(&args.plant, Mode::Monitor)?;
    let wanted = args.id.to_lowercase();
    let found = verdicts(&args.data, |v| {
        wanted == "all" || v.verdict_id.starts_with(&wanted)
    })?;
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
            .map(|f| assess(&plant, verdict, f))
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

/// A finding, assessed again from its inputs by the detector that wrote it.
fn assess(plant: &Plant, verdict: &Verdict, finding: &Finding) -> Again {
    let Some(entry) = CATALOG.iter().find(|entry| entry.name == finding.detector) else {
        return Again::CannotSay(format!("this build has no detector `{}`", finding.detector));
    };
    let name = &verdict.profile.name;
    let (Some(compiled), Some(profile)) = (plant.plans(name), plant.profile(name)) else {
        return Again::CannotSay(format!("there is no profile `{name}`"));
    };
    if profile.hash != verdict.profile.hash {
        return Again::CannotSay(format!(
            "profile `{name}` is not the one it was measured against ({} then, {} now)",
            verdict.profile.hash, profile.hash
        ));
    }
    let evidence = match (entry.assess)(compiled, &finding.inputs) {
        Ok(evidence) => evidence,
        Err(cause) => return Again::CannotSay(cause),
    };
    compare::finding(verdict, finding, entry.plane, &evidence)
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
    writeln!(out, "  {}", verdict.sentence)?;
    writeln!(out, "  its findings settled again: {}", settled.word())?;
    for (finding, again) in verdict.findings.iter().zip(results) {
        writeln!(
            out,
            "  {:<20} {:<8} {}",
            finding.detector,
            finding.grade,
            again.word()
        )?;
        writeln!(out, "    saw       {}", finding.sentence)?;
        writeln!(out, "    observed  {}", finding.observed)?;
        writeln!(out, "    expected  {}", finding.expected)?;
        writeln!(
            out,
            "    rests on  {} ({} clean windows), profile {} version {} {:.12}",
            finding.confidence.basis,
            finding.confidence.n,
            verdict.profile.name,
            verdict.profile.version,
            verdict.profile.hash
        )?;
        for source in &finding.source {
            writeln!(
                out,
                "    source    {}, {}, {}",
                source.topic, source.partition, source.offset
            )?;
        }
        writeln!(out, "    ATT&CK    {}", finding.techniques.join(", "))?;
        writeln!(out, "    clears    {}", finding.clears)?;
    }
    writeln!(
        out,
        "  response  {} ({})",
        verdict.response.action, verdict.response.mode
    )?;
    Ok(())
}
