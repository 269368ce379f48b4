//! `andon incident propose`: what a false alarm asks of the profiles, and what that would change.

mod amendment;
mod words;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_engine::Plant;
use andon_schemas::grade::Grade;
use andon_schemas::incident::Judgement;
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};
use serde::Serialize;

use self::amendment::Amendment;
use crate::args::{Format, ProposeArgs};
use crate::blueprint::Blueprint;
use crate::commands::backtest::forecast::{Forecast, Traffic, forecast};
use crate::evidence::{self, FOLDER};
use crate::exit::{Outcome, usage};
use crate::incident::{Story, each_line};
use crate::results::VERDICTS;

/// The traffic is played so many times at most, until nothing of the incident that can be excused is
/// left of it.
const ROUNDS_MAX: usize = 6;

/// All that is proposed. `-o json` is this.
#[derive(Debug, Serialize)]
struct Proposal {
    incident_id: String,
    #[serde(flatten)]
    amendment: Amendment,
    /// What has to be read before anything is signed.
    warnings: Vec<String>,
    forecast: Vec<Forecast>,
}

/// Runs the command.
///
/// # Errors
/// If the incident is not there or is not judged to be for nothing, or something cannot be read or
/// written.
pub(super) fn run(
    args: &ProposeArgs,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let story = Story::of(&args.data, &args.id)?;
    judged(&story)?;
    let is_taken = |folder: &PathBuf| fs::read_dir(folder).is_ok_and(|mut d| d.next().is_some());
    if let Some(folder) = args.out.as_ref().filter(|folder| is_taken(folder)) {
        return Err(usage(anyhow!(
            "`{}` is not empty; name another folder",
            folder.display()
        )));
    }
    let newest = Blueprint::newest(&args.data)?;
    let newest = match newest {
        Some(newest) => newest.monitored(),
        None => Blueprint::read(&args.plant, andon_schemas::command::Mode::Monitor)?,
    };
    let blueprint = newest.with_named(&args.plant)?;
    let plant = blueprint.compile()?;
    let mut amendment = Amendment::of(&story, &blueprint, &plant)?;
    let mut found = Vec::new();
    for round in 0..=ROUNDS_MAX {
        if amendment.edits.is_empty() {
            break;
        }
        let proposed = blueprint.with_profiles(&amendment.files);
        found.clear();
        for traffic in traffic(args, &story)? {
            found.push(forecast(traffic, (&blueprint, &plant), &proposed)?);
        }
        let still = found.iter().flat_map(|one: &Forecast| one.still.clone());
        let still: Vec<Verdict> = still.collect();
        // What is forecast last is what is proposed.
        if round == ROUNDS_MAX || !amendment.go_on(&story, &still, &plant) {
            break;
        }
    }
    amendment.finish(&blueprint);
    let mut warnings = amendment.warnings(&plant);
    hidden(&args.data, &story, &amendment, &plant, &mut warnings)?;
    lost(&story, &found, &mut warnings);
    if let Some(folder) = args.out.as_deref().filter(|_| !amendment.edits.is_empty()) {
        keep(folder, &amendment)?;
    }
    let proposal = Proposal {
        incident_id: story.incident.incident_id.clone(),
        amendment,
        warnings,
        forecast: found,
    };
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&proposal)?)?,
        Format::Text => words::tell(&proposal, &story, args, &plant, out)?,
    }
    Ok(Outcome::Done)
}

/// Only what a person judged to be for nothing, or meant, is to be excused.
fn judged(story: &Story) -> anyhow::Result<()> {
    let id = &story.incident.incident_id;
    let refuse = |why: String| Err(usage(anyhow!(why)));
    match story
        .incident
        .judged
        .as_ref()
        .map(|judged| judged.judgement)
    {
        Some(Judgement::Benign | Judgement::FalsePositive) => Ok(()),
        Some(Judgement::TruePositive) => refuse(format!(
            "incident {id} is judged a true positive: no profile should excuse it"
        )),
        None => refuse(format!(
            "nobody has judged incident {id} yet; whoever knows what it was says so with \
             `andon incident judge {id} --as false_positive --reason WHY` (or `benign`) while the \
             pipeline runs"
        )),
    }
}

/// The records that were kept of it, if they are what they were, and the captures: each by itself,
/// because what stands in both would count twice.
fn traffic<'a>(args: &'a ProposeArgs, story: &Story) -> anyhow::Result<Vec<Traffic<'a>>> {
    let mut all = Vec::new();
    let folder = args.data.join(FOLDER).join(&story.incident.incident_id);
    if let Some(manifest) = story
        .evidence
        .as_ref()
        .filter(|kept| !kept.files.is_empty())
    {
        let problems = evidence::check(&folder)?.problems;
        if let Some(first) = problems.first() {
            return Err(anyhow!(
                "the records that were kept cannot be trusted: {first}"
            ));
        }
        all.push(Traffic {
            name: "the records kept of the incident".to_owned(),
            captures: manifest
                .files
                .iter()
                .map(|file| folder.join(&file.file))
                .collect(),
            labels: None,
        });
    }
    if !args.capture.is_empty() {
        let names: Vec<String> = args
            .capture
            .iter()
            .map(|p| p.display().to_string())
            .collect();
        all.push(Traffic {
            name: names.join(", "),
            captures: args.capture.clone(),
            labels: args.labels.as_ref(),
        });
    }
    Ok(all)
}

/// Stored verdicts of HIGH and worse, outside the incident, of which the edits would have hidden a
/// finding.
fn hidden(
    data: &Path,
    story: &Story,
    amendment: &Amendment,
    plant: &Arc<Plant>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<()> {
    let ids: Vec<&str> = story
        .verdicts
        .iter()
        .map(|v| v.verdict_id.as_str())
        .collect();
    let mut told = std::collections::BTreeSet::new();
    each_line(&data.join(VERDICTS), true, |verdict: Verdict| {
        let is_other = !ids.contains(&verdict.verdict_id.as_str());
        if verdict.grade < Grade::High || !is_other || told.contains(&verdict.verdict_id) {
            return;
        }
        for detector in amendment.excused(&verdict, plant) {
            told.insert(verdict.verdict_id.clone());
            warnings.push(format!(
                "it would also have hidden `{detector}` in verdict {:.8} ({}) of {}, which is not \
                 of this incident",
                verdict.verdict_id, verdict.grade, verdict.device_id
            ));
        }
    })
}

/// Graver things that the forecast loses.
fn lost(story: &Story, forecasts: &[Forecast], warnings: &mut Vec<String>) {
    let own: Vec<&str> = story
        .verdicts
        .iter()
        .map(|v| v.verdict_id.as_str())
        .collect();
    for one in forecasts {
        for attack in one.attacks_lost.iter().flatten() {
            warnings.push(format!(
                "the attack {attack} would no longer be found as it should"
            ));
        }
        for change in &one.comparison.changes {
            let Some(before) = &change.before else {
                continue;
            };
            let is_less = change
                .after
                .as_ref()
                .is_none_or(|after| after.grade < before.grade);
            if before.grade >= Grade::High && is_less && !own.contains(&before.verdict_id.as_str())
            {
                warnings.push(format!(
                    "in {}, verdict {:.8} ({}) of {} {}, which is not of this incident",
                    one.traffic,
                    before.verdict_id,
                    before.grade,
                    change.device_id,
                    change.change.as_str()
                ));
            }
        }
    }
}

fn keep(folder: &Path, amendment: &Amendment) -> anyhow::Result<()> {
    let profiles = folder.join("profiles");
    fs::create_dir_all(&profiles)
        .with_context(|| format!("cannot make folder `{}`", profiles.display()))
        .map_err(usage)?;
    let write = |path: PathBuf, text: &str| {
        fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    };
    for (path, text) in &amendment.files {
        let name = Path::new(path)
            .file_name()
            .context("a profile without a name")?;
        write(profiles.join(name), text)?;
    }
    write(folder.join("proposal.diff"), &amendment.diff)
}
