//! Reading `andon.state.v1`: everything that is kept of some partitions, as new as the offsets that
//! were committed with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use andon_ingest::kafka::Reader;
use anyhow::{Context as _, anyhow, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// How long one question to the cluster may take before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long the state may lag behind the offsets that were committed with it.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// How often is asked whether there is anything to wait for.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// The newest value of every key.
pub type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// What is kept of one partition.
#[derive(Debug, Default)]
pub struct Recalled {
    /// The offset that the group has committed.
    pub committed: Option<i64>,
    /// What was left beside it.
    pub note: Option<String>,
    /// The oldest offset that the partition still holds.
    pub low: i64,
    /// What is kept.
    pub values: Values,
}

/// Reads what is kept.
#[derive(Clone, Debug)]
pub struct Recall {
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// The consumer group whose offsets count; it is not joined.
    pub group: String,
    /// The topic of the state.
    pub topic: Arc<str>,
    /// Which keys are wanted.
    pub wanted: fn(&[u8]) -> bool,
    /// Where the state says that it ends.
    pub end: fn(&Values) -> Option<i64>,
}

impl Recall {
    /// Everything that is kept of partitions. Goes on asking until there is an answer.
    ///
    /// # Errors
    /// If it is told to stop, or the client cannot be made.
    pub fn of(
        &self,
        reader: &Reader,
        partitions: &[i32],
        stop: &AtomicBool,
    ) -> anyhow::Result<BTreeMap<i32, Recalled>> {
        let committed = insist(stop, || {
            let committed = reader.committed(partitions, ANSWER_WITHIN)?;
            Ok(committed)
        })?;
        let mut recalled: BTreeMap<i32, Recalled> = BTreeMap::new();
        for partition in partitions {
            let ours = committed.iter().find(|c| c.partition == *partition);
            let low = insist(stop, || Ok(reader.low_end(*partition, ANSWER_WITHIN)?))?;
            let one = Recalled {
                committed: ours.and_then(|committed| committed.next),
                note: ours.and_then(|committed| committed.noted().map(str::to_owned)),
                low,
                values: Values::new(),
            };
            recalled.insert(*partition, one);
        }
        self.read(&mut recalled, stop)?;
        Ok(recalled)
    }

    fn read(
        &self,
        recalled: &mut BTreeMap<i32, Recalled>,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let consumer = self.consumer(recalled.keys(), "read_committed")?;
        let began = Instant::now();
        let mut asked: Option<Instant> = None;
        let mut is_decided = false;
        self.read_until(&consumer, recalled, stop, &mut |recalled| {
            // Records are held back until the transaction that they are of is decided.
            let behind = self.behind(recalled);
            if behind.is_empty() || began.elapsed() > SETTLED_WITHIN {
                return Ok(true);
            }
            if asked.is_none_or(|asked| asked.elapsed() > ASKED_EVERY) {
                if asked.is_none() {
                    tracing::warn!(
                        partitions = ?behind,
                        "kafka: `{}` ends before what is committed; waiting for transactions that \
                         are not decided",
                        self.topic
                    );
                }
                asked = Some(Instant::now());
                is_decided = self.is_decided(&consumer, &behind).unwrap_or_else(|error| {
                    tracing::warn!("kafka: {error:#}");
                    false
                });
            }
            Ok(is_decided)
        })?;
        if is_decided {
            // The last of it may have come between reading and asking. No more will.
            let consumer = self.consumer(recalled.keys(), "read_committed")?;
            self.read_until(&consumer, recalled, stop, &mut |_| Ok(true))?;
        }
        Ok(())
    }

    /// The partitions whose state ends before the offset that was committed with it.
    fn behind(&self, recalled: &BTreeMap<i32, Recalled>) -> Vec<i32> {
        let is_behind = |one: &Recalled| one.committed > (self.end)(&one.values);
        let behind = recalled.iter().filter(|(_, one)| is_behind(one));
        behind.map(|(partition, _)| *partition).collect()
    }

    /// Whether every transaction of partitions is decided: what may be read ends where the records
    /// end.
    fn is_decided(&self, consumer: &BaseConsumer, partitions: &[i32]) -> anyhow::Result<bool> {
        let all = self.consumer(std::iter::empty(), "read_uncommitted")?;
        for partition in partitions {
            let (_, end) = all.fetch_watermarks(&self.topic, *partition, ANSWER_WITHIN)?;
            let (_, decided) = consumer.fetch_watermarks(&self.topic, *partition, ANSWER_WITHIN)?;
            if decided < end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads on until everything has been read and that is `enough`.
    fn read_until(
        &self,
        consumer: &BaseConsumer,
        recalled: &mut BTreeMap<i32, Recalled>,
        stop: &AtomicBool,
        enough: &mut dyn FnMut(&BTreeMap<i32, Recalled>) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut ended: BTreeSet<i32> = BTreeSet::new();
        loop {
            if stop.load(Ordering::Relaxed) {
                bail!("told to stop");
            }
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => {
                    ended.remove(&message.partition());
                    let key = message.key().unwrap_or_default();
                    if let Some(one) = recalled.get_mut(&message.partition())
                        && (self.wanted)(key)
                    {
                        one.take(key, message.payload());
                    }
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) => tracing::warn!("kafka: reading the state: {error}"),
            }
            let is_read = recalled.keys().all(|partition| ended.contains(partition));
            if is_read && enough(recalled)? {
                return Ok(());
            }
        }
    }

    fn consumer<'a>(
        &self,
        partitions: impl Iterator<Item = &'a i32>,
        isolation: &str,
    ) -> anyhow::Result<BaseConsumer> {
        let consumer: BaseConsumer = self
            .client
            .clone()
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("isolation.level", isolation)
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            // The end of a partition is told once nothing came for this long.
            .set("fetch.wait.max.ms", "10")
            .create()
            .context("cannot make the consumer of the state")?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&self.topic, *partition, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        Ok(consumer)
    }
}

impl Recalled {
    fn take(&mut self, key: &[u8], payload: Option<&[u8]>) {
        match payload {
            Some(payload) => {
                self.values.insert(key.to_vec(), payload.to_vec());
            }
            None => {
                self.values.remove(key);
            }
        }
    }
}

/// Partitions that are being taken up, in a thread of its own.
#[derive(Debug)]
pub struct Restoring<T> {
    /// Which; those that are given up meanwhile are taken out.
    pub partitions: Vec<i32>,
    /// Since when.
    pub since: Instant,
    result: Receiver<anyhow::Result<T>>,
    stop: Arc<AtomicBool>,
}

impl<T: Send + 'static> Restoring<T> {
    /// Begins with it. The work is told to stop when nobody waits for it any more.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        partitions: Vec<i32>,
        work: impl FnOnce(&[i32], &AtomicBool) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (done, result) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (wanted, stopped) = (partitions.clone(), stop.clone());
        thread::Builder::new()
            .name("restore".to_owned())
            .spawn(move || {
                let result = work(&wanted, &stopped);
                // Whoever asked may have been told to stop.
                let _heard = done.send(result).is_ok();
            })
            .context("cannot start the thread that restores partitions")?;
        Ok(Self {
            partitions,
            since: Instant::now(),
            result,
            stop,
        })
    }

    /// What came of it, once.
    ///
    /// # Errors
    /// If they cannot be taken up.
    pub fn result(&self) -> Option<anyhow::Result<T>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(anyhow!("the thread that restores partitions is gone")))
            }
        }
    }
}

impl<T> Drop for Restoring<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Asks until there is an answer, or until it is told to stop.
pub(super) fn insist<T>(
    stop: &AtomicBool,
    ask: impl Fn() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if stop.load(Ordering::Relaxed) => return Err(error),
            Err(error) => {
                tracing::warn!("kafka: {error:#}");
                thread::sleep(Duration::from_millis(200));
            }
        }
    }
}
