//! `andon topics`: makes the topics that a run needs, and says what is wrong with those there are.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use crate::args::{ClusterArgs, Format, TopicsCommand};
use crate::config;
use crate::exit::Outcome;
use crate::kafka::settings::Settings;
use crate::kafka::topics::{self, Action, Cluster, Condition, Planned, Sizes, Weight, check, plan};

/// How long the making of topics may take, once the cluster has answered.
const CREATE_WITHIN: Duration = Duration::from_secs(60);

/// Runs the command.
///
/// # Errors
/// If the cluster cannot be reached, or does not let us do what was asked.
pub fn run(
    command: &TopicsCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    match command {
        TopicsCommand::Create {
            cluster,
            partitions,
            replication_factor,
            dry_run,
        } => {
            let (settings, found) = ask(cluster)?;
            let sizes = Sizes {
                partitions: *partitions,
                replication: *replication_factor,
            };
            let mut plan = plan(&found, sizes)?;
            if !dry_run {
                topics::create(&settings, &mut plan, CREATE_WITHIN)?;
            }
            match format {
                Format::Json => writeln!(out, "{}", json!({ "dry_run": dry_run, "topics": plan }))?,
                Format::Text => made(&plan, *dry_run, out)?,
            }
            Ok(Outcome::Done)
        }
        TopicsCommand::Check { cluster } => {
            let (settings, found) = ask(cluster)?;
            let conditions = check(&found);
            let worst = conditions.iter().filter_map(Condition::weight).max();
            let ok = worst.is_none_or(|worst| worst == Weight::Note);
            match format {
                Format::Json => writeln!(
                    out,
                    "{}",
                    json!({
                        "ok": ok,
                        "brokers": found.brokers,
                        "partitioner": settings.partitioner.to_string(),
                        "topics": conditions,
                    })
                )?,
                Format::Text => {
                    told(&conditions, out)?;
                    writeln!(
                        out,
                        "a run expects {} (kafka.partitioner is {})",
                        settings.partitioner.expects(),
                        settings.partitioner
                    )?;
                }
            }
            Ok(if ok { Outcome::Done } else { Outcome::Failed })
        }
    }
}

fn ask(args: &ClusterArgs) -> anyhow::Result<(Settings, Cluster)> {
    let settings = config::kafka(args.config.as_deref(), args.kafka.as_deref())?;
    let within = Duration::from_secs_f64(args.connect_timeout);
    let found = Cluster::ask(&settings, within)?;
    Ok((settings, found))
}

fn made(plan: &[Planned], dry_run: bool, out: &mut impl Write) -> anyhow::Result<()> {
    for planned in plan {
        let done = match (planned.action, dry_run) {
            (Action::Keep, _) => "exists, left alone",
            (Action::Create, false) => "created",
            (Action::Create, true) => "would be created",
        };
        writeln!(
            out,
            "{:<26} {:<18} {}",
            planned.topic,
            done,
            size(planned.partitions, planned.replication)
        )?;
    }
    if plan.iter().any(|planned| planned.action == Action::Keep) {
        writeln!(
            out,
            "`andon topics check` says whether those that existed do"
        )?;
    }
    Ok(())
}

fn told(conditions: &[Condition], out: &mut impl Write) -> anyhow::Result<()> {
    for condition in conditions {
        let state = match condition.weight() {
            _ if condition.found.is_none() => "missing",
            None => "in order",
            Some(Weight::Note) => "usable",
            Some(_) => "WRONG",
        };
        let size = condition
            .found
            .map(|found| size(found.partitions, found.replication));
        let line = format!(
            "{:<26} {state:<18} {}",
            condition.topic,
            size.unwrap_or_default()
        );
        writeln!(out, "{}", line.trim_end())?;
        let of_existing = condition
            .problems
            .iter()
            .filter(|_| condition.found.is_some());
        for problem in of_existing {
            let word = match problem.weight {
                Weight::Note => "note",
                Weight::Wrong | Weight::Fatal => "wrong",
            };
            writeln!(
                out,
                "    {word}: {} is {}, not {}: {}\n    mend: {}",
                problem.what, problem.found, problem.expected, problem.follows, problem.mend
            )?;
        }
    }
    let mut missing = conditions.iter().filter(|one| one.found.is_none());
    if let Some(problem) = missing.find_map(|one| one.problems.first()) {
        writeln!(
            out,
            "without those that are missing {}: {}",
            problem.follows, problem.mend
        )?;
    }
    Ok(())
}

fn size(partitions: usize, replication: usize) -> String {
    let plural =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    format!(
        "{}, {}",
        plural(partitions, "partition", "partitions"),
        plural(replication, "copy", "copies")
    )
}
