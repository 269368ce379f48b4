//! What a cluster has of our topics, asked once: partitions, copies, leaders, and every setting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use tokio::runtime::{Builder, Runtime};

use super::TOPICS;
use crate::kafka::connect::{Unreachable, may_pass};
use crate::kafka::names::Names;
use crate::kafka::settings::Settings;

/// Under which name these questions are asked.
pub(super) const ROLE: &str = "topics";

/// A cluster, as far as it concerns us.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Where it was asked.
    pub address: String,
    /// The names of our topics there.
    pub names: Names,
    /// How many brokers there are at the moment.
    pub brokers: usize,
    /// Our topics, by what they hold; those that do not exist are not here.
    pub topics: BTreeMap<&'static str, Found>,
}

/// A topic that exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Its partitions.
    pub partitions: Vec<Partition>,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
}

/// A partition of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// How many brokers are to have a copy.
    pub copies: usize,
    /// How many have one that is up to date.
    pub in_sync: usize,
    /// Whether anybody serves it.
    pub has_leader: bool,
}

impl Cluster {
    /// Asks.
    ///
    /// # Errors
    /// If nobody answers within this long, or we are not allowed to ask.
    pub fn ask(settings: &Settings, within: Duration) -> anyhow::Result<Self> {
        let deadline = Instant::now() + within;
        let metadata = settings.reach(ROLE, within)?;
        let mut cluster = Self {
            address: settings.brokers.clone(),
            names: Names::of(&settings.prefix),
            brokers: metadata.brokers().len(),
            topics: BTreeMap::new(),
        };
        for topic in TOPICS {
            if let Some(partitions) = partitions(&metadata, topic.name(&cluster.names))? {
                let found = Found {
                    partitions,
                    settings: BTreeMap::new(),
                };
                cluster.topics.insert(topic.holds, found);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // A cluster that answered gets some time for the rest too.
        cluster.describe(settings, left.max(Duration::from_secs(5)))?;
        Ok(cluster)
    }

    /// The number of partitions of a topic; none if there is no such topic.
    pub fn partitions_of(&self, holds: &str) -> usize {
        self.topics
            .get(holds)
            .map_or(0, |found| found.partitions.len())
    }

    fn describe(&mut self, settings: &Settings, within: Duration) -> anyhow::Result<()> {
        let names: Vec<(&'static str, String)> = TOPICS
            .iter()
            .filter(|topic| self.topics.contains_key(topic.holds))
            .map(|topic| (topic.holds, topic.name(&self.names).to_owned()))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let admin = admin(settings)?;
        let asked: Vec<_> = names
            .iter()
            .map(|(_, name)| ResourceSpecifier::Topic(name))
            .collect();
        let options = AdminOptions::new().request_timeout(Some(within));
        let told = runtime()?
            .block_on(admin.describe_configs(&asked, &options))
            .map_err(|error| untold(&self.address, error))?;
        for (told, (_, asked)) in told.into_iter().zip(&names) {
            let resource = told.map_err(|code| refused("settings of", asked, code))?;
            let OwnedResourceSpecifier::Topic(name) = &resource.specifier else {
                continue;
            };
            let holds = names
                .iter()
                .find(|(_, n)| n == name)
                .map(|(holds, _)| holds);
            let Some(found) = holds.and_then(|holds| self.topics.get_mut(holds)) else {
                continue;
            };
            found.settings = resource
                .entries
                .into_iter()
                .filter_map(|entry| Some((entry.name, entry.value?)))
                .collect();
        }
        Ok(())
    }
}

/// A client that asks for and makes topics.
pub(super) fn admin(settings: &Settings) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    settings
        .client(ROLE)
        .create()
        .map_err(|error| settings.misconfigured(&error))
}

/// What the client's futures are waited for with.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread()
        .build()
        .context("cannot start the runtime")
}

/// The partitions of a topic, as the cluster lists them.
pub(super) fn partitions(
    metadata: &Metadata,
    name: &str,
) -> anyhow::Result<Option<Vec<Partition>>> {
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
        return Ok(None);
    };
    if let Some(code) = topic.error().map(RDKafkaErrorCode::from) {
        if code == RDKafkaErrorCode::UnknownTopicOrPartition {
            return Ok(None);
        }
        return Err(refused("topic", name, code));
    }
    if topic.partitions().is_empty() {
        bail!("Kafka names no partition of topic `{name}`");
    }
    Ok(Some(listed(topic)))
}

fn listed(topic: &MetadataTopic) -> Vec<Partition> {
    let partition = |partition: &rdkafka::metadata::MetadataPartition| Partition {
        copies: partition.replicas().len(),
        in_sync: partition.isr().len(),
        has_leader: partition.leader() >= 0,
    };
    topic.partitions().iter().map(partition).collect()
}

/// Copies of the partition that has the fewest.
pub(super) fn fewest_copies(partitions: &[Partition]) -> usize {
    let copies = partitions.iter().map(|partition| partition.copies);
    copies.min().unwrap_or(0)
}

/// Says why a cluster does not tell its settings, as [`Unreachable`] if that may pass: a broker that
/// has just gone is asked, and waited for, until the others miss it.
fn untold(address: &str, error: KafkaError) -> anyhow::Error {
    let words = format!("Kafka at `{address}` does not tell its settings");
    let code = match &error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    };
    match code.filter(|code| may_pass(*code)) {
        Some(code) => Unreachable::new(format!("{words}: {code}")).into(),
        None => anyhow::Error::new(error).context(words),
    }
}

/// Says what the cluster did not let us do, as [`Unreachable`] if that may pass.
pub(super) fn refused(what: &str, name: &str, code: RDKafkaErrorCode) -> anyhow::Error {
    let words = format!("{what} `{name}`: {code}");
    if may_pass(code) {
        Unreachable::new(words).into()
    } else {
        anyhow!(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_is_away_is_waited_for_and_a_refusal_is_not() {
        for (code, passes) in [
            (RDKafkaErrorCode::OperationTimedOut, true),
            (RDKafkaErrorCode::LeaderNotAvailable, true),
            (RDKafkaErrorCode::ClusterAuthorizationFailed, false),
        ] {
            let error = untold("127.0.0.1:1", KafkaError::AdminOp(code));
            assert_eq!(error.is::<Unreachable>(), passes, "{error:#}");
            let error = refused("topic", "andon.state.v1", code);
            assert_eq!(error.is::<Unreachable>(), passes, "{error:#}");
        }
    }
}
