//! `andon.control.v1`: what the whole installation measures against. Its newest record counts for
//! every process of the group, whatever files it was started with; a process that is told to read
//! its files again writes them there, and takes them up when it reads them back, as all others do.

use std::time::{Duration, Instant};

use andon_emit::kafka::{Outgoing, Stream};
use anyhow::{Context as _, anyhow, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::measure::Measure;
use super::names::Names;
use super::settings::Settings;
use crate::blueprint::Blueprint;

/// The key of what is measured against.
const PLANT: &[u8] = b"plant";
/// How long the cluster is given to take a change, or to tell the newest one.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);
/// Longest change, bytes: an inventory of a million devices fits.
pub const CHANGE_BYTES_MAX: usize = 128 << 20;

/// Reads and writes what is measured against.
pub struct Control {
    consumer: BaseConsumer,
    stream: Stream,
    names: Names,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Reads what holds now; if nothing does, `ours` does from now on.
    ///
    /// # Errors
    /// If the cluster does not answer, or what holds cannot be used by this build.
    pub fn open(
        settings: &Settings,
        names: &Names,
        ours: Measure,
    ) -> anyhow::Result<(Self, Measure)> {
        let client = settings.client("control");
        let consumer: BaseConsumer = client
            .clone()
            .set("group.id", &settings.group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("fetch.message.max.bytes", CHANGE_BYTES_MAX.to_string())
            // A change may take this long to be heard, and so may that there is none.
            .set("fetch.wait.max.ms", "50")
            .create()
            .context("cannot make the consumer of the control topic")?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&names.control, 0, Offset::Beginning)?;
        consumer.assign(&list)?;
        let mut client = client;
        client.set("message.max.bytes", CHANGE_BYTES_MAX.to_string());
        let control = Self {
            consumer,
            stream: Stream::occasional(&client, TAKEN_WITHIN)?,
            names: names.clone(),
        };
        let current = match control.newest()? {
            None => {
                control.publish(&ours.blueprint)?;
                ours
            }
            Some((theirs, position)) if theirs == *ours.blueprint => Measure { position, ..ours },
            Some((theirs, position)) => {
                tracing::warn!(
                    "the files here are not what the installation measures against; that holds. \
                     To put these in force, tell a run that has them to read them again (SIGHUP)"
                );
                Measure::of(theirs, position).context("what the installation measures against")?
            }
        };
        Ok((control, current))
    }

    /// Everything up to the end; the last of it.
    fn newest(&self) -> anyhow::Result<Option<(Blueprint, i64)>> {
        let began = Instant::now();
        let mut newest = None;
        while began.elapsed() < TAKEN_WITHIN {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Err(KafkaError::PartitionEOF(_))) => return newest.transpose(),
                Some(Err(error)) => tracing::warn!("kafka: reading the control topic: {error}"),
                Some(Ok(message)) if message.key() == Some(PLANT) => {
                    newest = message
                        .payload()
                        .map(|payload| read(payload, message.offset()));
                }
                Some(Ok(_)) | None => {}
            }
        }
        bail!("`{}` cannot be read to its end", self.names.control)
    }

    /// Makes a change everybody's.
    ///
    /// # Errors
    /// If the cluster does not take it.
    pub fn publish(&self, blueprint: &Blueprint) -> anyhow::Result<()> {
        let payload = serde_json::to_vec(blueprint)?;
        if payload.len() > CHANGE_BYTES_MAX {
            return Err(anyhow!(
                "inventory and profiles are {} bytes, at most {CHANGE_BYTES_MAX} go to `{}`",
                payload.len(),
                self.names.control
            ));
        }
        self.stream.send(&Outgoing {
            topic: self.names.control.clone(),
            partition: Some(0),
            key: PLANT.to_vec(),
            payload: Some(payload),
            headers: Vec::new(),
        })?;
        Ok(self.stream.flush(TAKEN_WITHIN)?)
    }

    /// The newest change since the last time, if there was one, and its offset.
    ///
    /// # Errors
    /// If it cannot be read: to go on without it would be to measure against something else than
    /// everybody else.
    pub fn change(&self) -> anyhow::Result<Option<(Blueprint, i64)>> {
        let mut newest = None;
        while let Some(polled) = self.consumer.poll(Duration::ZERO) {
            match polled {
                Ok(message) if message.key() == Some(PLANT) => {
                    newest = message
                        .payload()
                        .map(|payload| read(payload, message.offset()));
                }
                Ok(_) | Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => {
                    tracing::warn!("kafka: reading the control topic: {error}");
                    break;
                }
            }
        }
        newest.transpose()
    }
}

fn read(payload: &[u8], offset: i64) -> anyhow::Result<(Blueprint, i64)> {
    let blueprint = serde_json::from_slice(payload).with_context(|| {
        format!("record {offset} of the control topic is no inventory and profiles")
    })?;
    Ok((blueprint, offset))
}
