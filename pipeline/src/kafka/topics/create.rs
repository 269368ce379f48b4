//! Makes the topics that are missing, as the table has them, and leaves the others alone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use serde::Serialize;

use super::check::IN_SYNC;
use super::cluster::{Cluster, admin, fewest_copies, partitions, refused, runtime};
use super::{OBSERVATIONS, PARTITIONS, STATE, Spread, TOPICS, Topic, copies, in_sync};
use crate::exit::usage;
use crate::kafka::settings::Settings;

/// What somebody asks for; otherwise what the cluster suggests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Partitions of every topic that may have any number.
    pub partitions: Option<u32>,
    /// Copies of every topic.
    pub replication: Option<u32>,
}

/// What is done about one topic.
#[derive(Clone, Debug, Serialize)]
pub struct Planned {
    /// Its name.
    pub topic: String,
    /// What.
    pub action: Action,
    /// Its partitions, then.
    pub partitions: usize,
    /// Its copies, then.
    pub replication: usize,
    /// What it is made with.
    #[serde(skip)]
    settings: Vec<(&'static str, String)>,
}

/// What is done about a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It exists and stays as it is.
    Keep,
}

/// What there is to do, in the order of the table.
///
/// # Errors
/// If there are to be more copies than brokers.
pub fn plan(cluster: &Cluster, sizes: Sizes) -> anyhow::Result<Vec<Planned>> {
    let replication = match sizes.replication {
        None => copies(cluster.brokers),
        Some(wanted) => wanted as usize,
    };
    if replication > cluster.brokers {
        return Err(usage(anyhow::anyhow!(
            "replication factor {replication}: Kafka at `{}` has only {} at the moment",
            cluster.address,
            match cluster.brokers {
                1 => "one broker".to_owned(),
                n => format!("{n} brokers"),
            }
        )));
    }
    let asked = sizes.partitions.unwrap_or(PARTITIONS) as usize;
    // Partition n of the one belongs to partition n of the other, whichever was there first.
    let pair = [OBSERVATIONS, STATE]
        .iter()
        .map(|holds| cluster.partitions_of(holds))
        .find(|count| *count > 0)
        .unwrap_or(asked);
    let planned = |topic: &Topic| {
        let name = topic.name(&cluster.names).to_owned();
        match cluster.topics.get(topic.holds) {
            Some(found) => Planned {
                topic: name,
                action: Action::Keep,
                partitions: found.partitions.len(),
                replication: fewest_copies(&found.partitions),
                settings: Vec::new(),
            },
            None => Planned {
                topic: name,
                action: Action::Create,
                partitions: match topic.spread {
                    Spread::Free => asked,
                    Spread::AsObservations => pair,
                    Spread::One => 1,
                },
                replication,
                settings: settings_of(topic, replication),
            },
        }
    };
    Ok(TOPICS.iter().map(planned).collect())
}

fn settings_of(topic: &Topic, replication: usize) -> Vec<(&'static str, String)> {
    let mut settings: Vec<_> = topic
        .settings
        .iter()
        .map(|wanted| (wanted.key, wanted.value.to_owned()))
        .collect();
    settings.push((IN_SYNC, in_sync(replication).to_string()));
    settings
}

/// Makes what the plan says, and returns once the cluster serves it. What somebody else made in the
/// meantime is kept, and the plan says so then.
///
/// # Errors
/// Names the topics that could not be made, each with its reason.
pub fn create(settings: &Settings, plan: &mut [Planned], within: Duration) -> anyhow::Result<()> {
    let mut missing: Vec<&mut Planned> = plan
        .iter_mut()
        .filter(|planned| planned.action == Action::Create)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing
        .iter()
        .map(|planned| new_topic(planned))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let admin = admin(settings)?;
    let options = AdminOptions::new()
        .request_timeout(Some(within))
        .operation_timeout(Some(within));
    let made = runtime()?
        .block_on(admin.create_topics(&wanted, &options))
        .with_context(|| format!("Kafka at `{}` makes no topics", settings.brokers))?;
    let (taken, failed): (Vec<_>, Vec<_>) = made
        .into_iter()
        .filter_map(Result::err)
        .partition(|(_, code)| *code == RDKafkaErrorCode::TopicAlreadyExists);
    if !failed.is_empty() {
        let words = failed
            .iter()
            .map(|(name, code)| refused("cannot create topic", name, *code).to_string());
        bail!("{}", words.collect::<Vec<_>>().join("; "));
    }
    for planned in &mut missing {
        if taken.iter().any(|(name, _)| *name == planned.topic) {
            planned.action = Action::Keep;
        }
    }
    wait_until_served(settings, &mut missing, within)
}

fn new_topic(planned: &Planned) -> anyhow::Result<NewTopic<'_>> {
    let replication = TopicReplication::Fixed(i32::try_from(planned.replication)?);
    let partitions = i32::try_from(planned.partitions)?;
    let mut topic = NewTopic::new(&planned.topic, partitions, replication);
    for (key, value) in &planned.settings {
        topic = topic.set(key, value);
    }
    Ok(topic)
}

/// The controller has made them; whoever asks any broker next is to find them, too.
fn wait_until_served(
    settings: &Settings,
    made: &mut [&mut Planned],
    within: Duration,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + within;
    loop {
        let metadata = settings.reach("topics", within)?;
        let mut absent = None;
        for planned in &mut *made {
            let served = partitions(&metadata, &planned.topic).ok().flatten();
            match served {
                Some(served) if served.iter().all(|partition| partition.has_leader) => {
                    planned.partitions = served.len();
                    planned.replication = fewest_copies(&served);
                }
                _ => absent = Some(&planned.topic),
            }
        }
        match absent {
            None => return Ok(()),
            Some(topic) if Instant::now() >= deadline => {
                bail!("topic `{topic}` was made but nobody serves it")
            }
            Some(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
