//! One epoch: what goes out together, and the offsets of what it answers; all of it or nothing is
//! seen by whoever reads committed records only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::util::IntoOpaque;

use super::hopeless;

/// How long the producer is given to make room for a record.
const ROOM_WITHIN: Duration = Duration::from_secs(30);

/// How often it is looked whether the cluster has answered.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// A record on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition; `None` leaves it to the key.
    pub partition: Option<i32>,
    /// Its key.
    pub key: Vec<u8>,
    /// What it holds; `None` makes a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Names and values beside it.
    pub headers: Vec<(&'static str, String)>,
}

/// Where the group is to go on in a partition, with a note that tells this epoch from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextOffset {
    /// The partition.
    pub partition: i32,
    /// The offset of the next record to take.
    pub next: i64,
    /// Kept beside the offset.
    pub note: String,
    /// What is to be there before; `None` if nothing was ever committed. Anything else means that
    /// another process has taken the partition up in the meantime.
    pub before: Option<String>,
}

/// What goes out together.
pub struct Epoch {
    /// The records, in order.
    pub records: Vec<Arc<Vec<Outgoing>>>,
    /// The topic that was read.
    pub topic: String,
    /// How far it was read.
    pub offsets: Vec<NextOffset>,
    /// Who we are in the group.
    pub group: ConsumerGroupMetadata,
}

impl std::fmt::Debug for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoch")
            .field("parts", &self.records.len())
            .field("topic", &self.topic)
            .field("offsets", &self.offsets)
            .finish_non_exhaustive()
    }
}

/// How an epoch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is out.
    Committed,
    /// Nothing is out and nothing will be; it may be tried again.
    Aborted {
        /// Why.
        reason: String,
        /// The group does not take our offsets: what we know of our place in it is old.
        outdated: bool,
    },
    /// Nothing is out, and trying again can only end the same way.
    Hopeless {
        /// Why, and what mends it.
        reason: String,
    },
    /// Another process has committed a partition of it in the meantime: nothing of it is out, and
    /// nothing of it may be tried again.
    Taken {
        /// That partition.
        partition: i32,
    },
}

/// What the group holds of the partitions of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// What was there before it.
    Before,
    /// The epoch itself.
    This,
    /// In this partition, something else.
    Other(i32),
}

/// How one attempt at a transaction ended.
pub(super) enum Attempt {
    Committed,
    Aborted {
        reason: String,
        outdated: bool,
    },
    /// Nothing is out, and trying again does not help.
    Hopeless(String),
    /// Nobody knows: the producer is not to be used any more.
    Unknown(String),
}

/// A key has its partition by Java's rule, unless the client is told another: librdkafka has one of
/// its own.
pub(super) fn choose_partitions(client: &mut ClientConfig) {
    if client.get("partitioner").is_none() {
        client.set("partitioner", "murmur2_random");
    }
}

impl Outgoing {
    /// How long it is, as far as we chose it.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        self.key.len() + self.payload.as_ref().map_or(0, Vec::len) + headers
    }
}

/// Puts a record into the producer's queue, waiting for room if need be. The mark comes back when
/// the client tells what became of it.
pub(super) fn send<C: ProducerContext>(
    producer: &BaseProducer<C>,
    record: &Outgoing,
    mark: C::DeliveryOpaque,
) -> Result<(), KafkaError> {
    let mut next = base(record, mark);
    let began = Instant::now();
    loop {
        match producer.send(next) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                if began.elapsed() < ROOM_WITHIN =>
            {
                next = again;
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

fn base<M: IntoOpaque>(record: &Outgoing, mark: M) -> BaseRecord<'_, [u8], [u8], M> {
    let base = BaseRecord::with_opaque_to(&record.topic, mark);
    let mut base = base.key(record.key.as_slice());
    if let Some(payload) = &record.payload {
        base = base.payload(payload.as_slice());
    }
    if let Some(partition) = record.partition {
        base = base.partition(partition);
    }
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record
            .headers
            .iter()
            .fold(headers, |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value.as_bytes()),
                })
            });
        base = base.headers(headers);
    }
    base
}

/// Takes an epoch through one transaction.
pub(super) fn attempt(producer: &BaseProducer, epoch: &Epoch, within: Duration) -> Attempt {
    if let Err(error) = producer.begin_transaction() {
        return Attempt::Unknown(error.to_string());
    }
    for record in epoch.records.iter().flat_map(|records| records.iter()) {
        if let Err(error) = send(producer, record, ()) {
            let bytes = record.payload.as_ref().map_or(0, Vec::len);
            let reason = format!("a record of {bytes} bytes for `{}`: {error}", record.topic);
            return abort(producer, &error, reason, within);
        }
    }
    let deadline = Instant::now() + within;
    let offsets = match offsets(epoch) {
        Ok(offsets) => offsets,
        Err(error) => return abort(producer, &error, error.to_string(), within),
    };
    loop {
        match producer.send_offsets_to_transaction(&offsets, &epoch.group, within) {
            Ok(()) => break,
            Err(error) if is_retriable(&error) && Instant::now() < deadline => {}
            Err(error) => return abort(producer, &error, error.to_string(), within),
        }
    }
    if !drained(producer, deadline) {
        let waiting = producer.in_flight_count();
        return Attempt::Unknown(format!("{waiting} records were not acknowledged in time"));
    }
    match producer.commit_transaction(within) {
        Ok(()) => Attempt::Committed,
        Err(error) if requires_abort(&error) => abort(producer, &error, error.to_string(), within),
        // Whether the coordinator has taken it is not known, and asking again through the same
        // producer might end a later transaction instead (librdkafka lacks KIP-890).
        Err(error) => Attempt::Unknown(error.to_string()),
    }
}

/// Waits until every record is acknowledged or has failed. The client's own `flush` looks only ten
/// times a second, which would be most of an epoch.
pub(super) fn drained<C: ProducerContext>(producer: &BaseProducer<C>, deadline: Instant) -> bool {
    loop {
        let waiting = producer.in_flight_count();
        if waiting == 0 {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        producer.poll(Duration::ZERO);
        // To let the client wait for less than a few milliseconds is to let it ask the clock over and
        // over.
        if producer.in_flight_count() == waiting {
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// Does something while another thread lets the client tell what became of its records: an abort
/// waits until all of them are told.
fn polled<T>(producer: &BaseProducer, work: impl FnOnce() -> T) -> T {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                producer.poll(Duration::ZERO);
                thread::sleep(LOOK_EVERY);
            }
        });
        let result = work();
        is_done.store(true, Ordering::Release);
        result
    })
}

fn abort(producer: &BaseProducer, cause: &KafkaError, reason: String, within: Duration) -> Attempt {
    match polled(producer, || producer.abort_transaction(within)) {
        Ok(()) => match hopeless::in_words(cause, &reason) {
            Some(reason) => Attempt::Hopeless(reason),
            None => Attempt::Aborted {
                outdated: is_outdated(cause),
                reason,
            },
        },
        Err(error) => Attempt::Unknown(format!("{reason}; and it could not be aborted: {error}")),
    }
}

fn offsets(epoch: &Epoch) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(epoch.offsets.len());
    for offset in &epoch.offsets {
        let mut element = list.add_partition(&epoch.topic, offset.partition);
        element.set_offset(Offset::Offset(offset.next))?;
        element.set_metadata(&offset.note);
    }
    Ok(list)
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_retriable())
}

fn requires_abort(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort())
}

/// Whether the group no longer knows us as we said we are.
fn is_outdated(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::StaleMemberEpoch
                | RDKafkaErrorCode::RebalanceInProgress
        )
    )
}
