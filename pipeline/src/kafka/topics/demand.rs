//! What is insisted on before anything is read or written.

use std::time::Duration;

use anyhow::bail;

use super::check::{Condition, check};
use super::cluster::{Cluster, ROLE, partitions};
use super::{OBSERVATIONS, REJECTS, TOPICS, Weight};
use crate::kafka::settings::Settings;

/// What a run may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Of the observations, and so of the state.
    pub observations: usize,
}

/// Insists on what a run cannot do without.
///
/// # Errors
/// Names everything that is missing or would break a promise, and how to mend it; or says why the
/// cluster does not tell, as [`Unreachable`](crate::kafka::connect::Unreachable) if that may pass.
pub fn demand(settings: &Settings, within: Duration) -> anyhow::Result<Partitions> {
    let cluster = Cluster::ask(settings, within)?;
    insist(settings, &check(&cluster))?;
    Ok(Partitions {
        observations: cluster.partitions_of(OBSERVATIONS),
    })
}

/// Insists on what a bridge writes to.
///
/// # Errors
/// As [`demand`].
pub fn demand_by_bridge(settings: &Settings, within: Duration) -> anyhow::Result<()> {
    let cluster = Cluster::ask(settings, within)?;
    // They stand in the order of the table.
    let conditions: Vec<Condition> = TOPICS
        .iter()
        .zip(check(&cluster))
        .filter(|(topic, _)| [OBSERVATIONS, REJECTS].contains(&topic.holds))
        .map(|(_, condition)| condition)
        .collect();
    insist(settings, &conditions)
}

/// Insists on a topic that is not one of ours, to read from it.
///
/// # Errors
/// If there is none of this name, or the cluster does not tell, as [`demand`] says.
pub fn demand_source(settings: &Settings, topic: &str, within: Duration) -> anyhow::Result<()> {
    let metadata = settings.reach(ROLE, within)?;
    if partitions(&metadata, topic)?.is_none() {
        bail!(
            "Kafka at `{}` has no topic `{topic}` to read from",
            settings.brokers
        );
    }
    Ok(())
}

fn insist(settings: &Settings, conditions: &[Condition]) -> anyhow::Result<()> {
    let missing: Vec<&str> = conditions
        .iter()
        .filter(|one| one.found.is_none())
        .map(|one| one.topic.as_str())
        .collect();
    if !missing.is_empty() {
        bail!(
            "Kafka at `{}` has no topic `{}`. `andon topics create` makes what is missing.",
            settings.brokers,
            missing.join("`, `")
        );
    }
    let fatal: Vec<String> = conditions
        .iter()
        .flat_map(|one| &one.problems)
        .filter(|problem| problem.weight == Weight::Fatal)
        .map(ToString::to_string)
        .collect();
    if !fatal.is_empty() {
        bail!(
            "the topics of Kafka at `{}` do not do: {}. `andon topics check` tells how to mend it.",
            settings.brokers,
            fatal.join("; ")
        );
    }
    Ok(())
}
