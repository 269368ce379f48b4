//! From a record of the topic to those who look for it, by the rules that the lanes go by.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use andon_engine::{FAR_FUTURE, Plant};
use andon_ingest::kafka::Message;
use andon_ingest::kafka::payload::Payloads;
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Source;
use andon_schemas::time::EventTime;
use anyhow::Context as _;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};

use super::front::Front;
use super::watch::Watch;
use crate::evidence::Row;
use crate::kafka::address::{Producers, about, addressees};
use crate::kafka::settings::Settings;

/// What time it is in a partition is read from those looked for, and from the next one that says it
/// after so many records.
const TIME_EVERY: u32 = 64;

/// What came.
pub(super) enum Polled<'a> {
    Nothing,
    End(i32),
    OutOfRange,
    Record(BorrowedMessage<'a>),
}

/// The consumer of one who reads what was read before.
///
/// # Errors
/// If the settings cannot work.
pub(super) fn consumer(settings: &Settings) -> anyhow::Result<BaseConsumer> {
    settings
        .client("evidence")
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        // What the retention has deleted is to be noticed.
        .set("auto.offset.reset", "error")
        .set("allow.auto.create.topics", "false")
        .set("check.crcs", "true")
        .set("queued.min.messages", "2048")
        .set("queued.max.messages.kbytes", "4096")
        // Of each partition a fetch brings more than that, and the client would wait a second then:
        // a plant says more in that time.
        .set("fetch.queue.backoff.ms", "20")
        .create()
        .context("cannot make the consumer of evidence")
}

/// Waits for the next record.
pub(super) fn poll(consumer: &BaseConsumer, wait: Duration) -> Polled<'_> {
    match consumer.poll(wait) {
        None => Polled::Nothing,
        Some(Ok(message)) => Polled::Record(message),
        Some(Err(KafkaError::PartitionEOF(partition))) => Polled::End(partition),
        Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
            Polled::OutOfRange
        }
        Some(Err(error)) => {
            tracing::warn!("kafka: reading evidence: {error}");
            Polled::Nothing
        }
    }
}

/// What a message is taken with.
pub(super) struct Reading<'a> {
    pub(super) watches: &'a mut BTreeMap<String, Watch>,
    pub(super) of_device: &'a HashMap<DeviceId, Vec<String>>,
    pub(super) fronts: &'a mut BTreeMap<i32, Front>,
    pub(super) rows: &'a mut usize,
    pub(super) payloads: &'a mut Payloads,
    pub(super) plant: &'a Plant,
    pub(super) producers: Producers,
    pub(super) topic: &'a Arc<str>,
}

impl Reading<'_> {
    /// Takes a record: those who look for its device have it from now on.
    pub(super) fn take(&mut self, message: &BorrowedMessage<'_>) {
        let (partition, offset) = (message.partition(), message.offset());
        let Some(front) = self.fronts.get_mut(&partition) else {
            return;
        };
        front.next = offset + 1;
        front.ended = None;
        let millis = message.timestamp().to_millis().unwrap_or(0);
        let message = Message {
            partition,
            offset,
            key: message.key(),
            payload: message.payload(),
            stamped: EventTime::from_micros(millis.saturating_mul(1_000)),
        };
        let ids = message
            .key
            .and_then(|key| who_looks_for(key, self.of_device));
        front.untimed = front.untimed.saturating_add(1);
        if ids.is_none() && front.untimed < TIME_EVERY {
            return;
        }
        let inventory = self.plant.inventory();
        let whom = addressees(std::slice::from_ref(&message), self.producers, inventory);
        let Some(Ok(addressee)) = whom.into_iter().next() else {
            return;
        };
        let source = Source {
            topic: self.topic.clone(),
            partition: u32::try_from(partition).unwrap_or(0),
            offset: u64::try_from(offset).unwrap_or(0),
        };
        let (watches, rows, trusted) =
            (&mut *self.watches, &mut *self.rows, self.producers.trusted);
        let (likely, mut number) = (Some(addressee.id()), 0_u32);
        let payload = message.payload.unwrap_or_default();
        self.payloads.read(payload, likely, &mut |record| {
            number += 1;
            let Ok(mut record) = record else { return };
            let is_of_now = record.event_time <= message.stamped + FAR_FUTURE;
            let whose = about(&mut record, &addressee, trusted, inventory);
            if !is_of_now || whose.is_err() {
                return;
            }
            front.untimed = 0;
            front.newest = front.newest.max(record.event_time);
            record.received_at = Some(message.stamped);
            let row = Row {
                record,
                source: source.clone(),
            };
            for id in ids.into_iter().flatten() {
                if let Some(watch) = watches.get_mut(id) {
                    watch.take((partition, offset, number), &row, rows);
                }
            }
        });
    }
}

/// The incidents that a key is a device of.
fn who_looks_for<'a>(
    key: &[u8],
    of_device: &'a HashMap<DeviceId, Vec<String>>,
) -> Option<&'a Vec<String>> {
    let key = std::str::from_utf8(key).ok()?;
    // Most keys are written as identities are, and most belong to no incident.
    if key
        .bytes()
        .any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase())
    {
        return of_device.get(&DeviceId::new(key).ok()?);
    }
    of_device.get(key)
}
