//! Taking up partitions: the newest usable snapshot of each, from the local disk or the cluster,
//! and from there to where the last epoch ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use andon_ingest::kafka::Reader;
use anyhow::{Context as _, anyhow, bail};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::journal::{EpochRecord, Kept};
use super::lane::Lane;
use super::measure::Measure;
use super::names::Names;
use super::shelf::Shelf;
use super::snapshot::Snapshot;

/// How long one question to the cluster may take before it is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long the state may lag behind the offsets that were committed with it.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// What is needed to take up a partition.
#[derive(Clone, Debug)]
pub struct Restorer {
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// The consumer group, which this one does not join.
    pub group: String,
    /// The topics.
    pub names: Names,
    /// Snapshots on the local disk.
    pub shelf: Shelf,
    /// What lanes are measured against.
    pub setting: Measure,
    /// Whether producers say truly who sent a record.
    pub trusted: bool,
    /// Whether what cannot be gone on from is left behind.
    pub allow_gap: bool,
}

/// Partitions that are being taken up.
#[derive(Debug)]
pub struct Restoring {
    /// Which.
    pub partitions: Vec<i32>,
    /// Since when.
    pub since: Instant,
    lanes: Receiver<anyhow::Result<Vec<Lane>>>,
    stop: Arc<AtomicBool>,
}

impl Restoring {
    /// The lanes, once they are there.
    ///
    /// # Errors
    /// If one cannot be taken up.
    pub fn lanes(&self) -> Option<anyhow::Result<Vec<Lane>>> {
        match self.lanes.try_recv() {
            Ok(lanes) => Some(lanes),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(anyhow!("the thread that restores partitions is gone")))
            }
        }
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Restorer {
    /// Takes up partitions in a thread of its own.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(&self, reader: &Arc<Reader>, partitions: Vec<i32>) -> anyhow::Result<Restoring> {
        let (done, lanes) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (restorer, reader) = (self.clone(), reader.clone());
        let (wanted, stopped) = (partitions.clone(), stop.clone());
        std::thread::Builder::new()
            .name("restore".to_owned())
            .spawn(move || {
                let lanes = restorer.restore(&reader, &wanted, &stopped);
                // Whoever asked may have been told to stop.
                let _heard = done.send(lanes).is_ok();
            })
            .context("cannot start the thread that restores partitions")?;
        Ok(Restoring {
            partitions,
            since: Instant::now(),
            lanes,
            stop,
        })
    }

    fn restore(
        &self,
        reader: &Reader,
        partitions: &[i32],
        stop: &AtomicBool,
    ) -> anyhow::Result<Vec<Lane>> {
        let committed = insist(stop, || {
            reader
                .committed(partitions, ANSWER_WITHIN)
                .map_err(Into::into)
        })?;
        let committed: BTreeMap<i32, i64> = committed
            .into_iter()
            .filter_map(|committed| Some((committed.partition, committed.next?)))
            .collect();
        let mut kept = self.read(partitions, &committed, stop)?;
        partitions
            .iter()
            .map(|partition| {
                let low = insist(stop, || {
                    reader
                        .low_end(*partition, ANSWER_WITHIN)
                        .map_err(Into::into)
                })?;
                let kept = kept.remove(partition).unwrap_or_default();
                let committed = committed.get(partition).copied();
                self.lane(*partition, &kept, committed, low)
                    .with_context(|| format!("cannot take up partition {partition}"))
            })
            .collect()
    }

    /// The state of partitions, read until it is as new as the committed offsets.
    fn read(
        &self,
        partitions: &[i32],
        committed: &BTreeMap<i32, i64>,
        stop: &AtomicBool,
    ) -> anyhow::Result<BTreeMap<i32, Kept>> {
        let consumer: BaseConsumer = self
            .client
            .clone()
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
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
            list.add_partition_offset(&self.names.state, *partition, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        let mut kept: BTreeMap<i32, Kept> = BTreeMap::new();
        let mut ended: BTreeSet<i32> = BTreeSet::new();
        let began = Instant::now();
        loop {
            if stop.load(Ordering::Relaxed) {
                bail!("stopped");
            }
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Ok(message)) => {
                    ended.remove(&message.partition());
                    let kept = kept.entry(message.partition()).or_default();
                    kept.take(message.key().unwrap_or_default(), message.payload());
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) => tracing::warn!("kafka: reading the state: {error}"),
            }
            // Records are held back until the transaction that they are of is decided.
            let is_late = began.elapsed() > SETTLED_WITHIN;
            let is_read = |partition: &i32| {
                let (kept, committed) = (kept.get(partition), committed.get(partition));
                ended.contains(partition) && (is_late || !is_behind(kept, committed.copied()))
            };
            if partitions.iter().all(is_read) {
                return Ok(kept);
            }
        }
    }

    fn lane(
        &self,
        partition: i32,
        kept: &Kept,
        committed: Option<i64>,
        low: i64,
    ) -> anyhow::Result<Lane> {
        let Some(epoch) = kept.epoch()? else {
            return match committed {
                None => self.begin(partition, low),
                Some(at) if self.allow_gap => self.begin(partition, at.max(low)),
                Some(at) => bail!(
                    "its offset {at} is committed, and `{}` holds nothing of it: was that topic \
                     made anew? With --allow-state-gap the partition is taken up there, and what \
                     was learned of its devices begins anew",
                    self.names.state
                ),
            };
        };
        if let Some(committed) = committed.filter(|committed| *committed > epoch.next) {
            bail!(
                "its offset {committed} is committed, and its state ends at {}: the transaction \
                 that holds the rest is not decided yet, or `{}` lost records",
                epoch.next,
                self.names.state
            );
        }
        let in_journal = kept.snapshot();
        let pieces = match &in_journal {
            Ok(Some(snapshot)) => snapshot.manifest.pieces.clone(),
            _ => Vec::new(),
        };
        let found = self.newest(partition, &epoch, in_journal);
        let snapshot = match found {
            Some(snapshot) if snapshot.manifest.next >= low => snapshot,
            _ if self.allow_gap => return self.begin(partition, epoch.next.max(low)),
            Some(snapshot) => bail!(
                "its newest state was taken before offset {}, and the oldest record that is left \
                 is {low}: the topic's retention is shorter than the time nothing ran. With \
                 --allow-state-gap it is taken up at {}, and what was learned of its devices \
                 begins anew",
                snapshot.manifest.next,
                epoch.next.max(low)
            ),
            None => bail!(
                "no snapshot of it can be used, neither in `{}` nor on this disk (the reasons are \
                 in the log). With --allow-state-gap it is taken up at offset {}, and what was \
                 learned of its devices begins anew",
                self.names.state,
                epoch.next
            ),
        };
        let (names, current) = (&self.names, &self.setting);
        Lane::resume(&snapshot, epoch, pieces, names, self.trusted, current)
    }

    /// The newest snapshot that can be gone on from.
    fn newest(
        &self,
        partition: i32,
        epoch: &EpochRecord,
        in_journal: anyhow::Result<Option<Snapshot>>,
    ) -> Option<Snapshot> {
        let usable = |snapshot: &Snapshot| {
            let manifest = &snapshot.manifest;
            manifest.partition == partition
                && manifest.line == epoch.line
                && (epoch.oldest..=epoch.epoch).contains(&manifest.epoch)
        };
        let mut candidates = Vec::new();
        match self.shelf.find(partition) {
            Ok(found) => {
                for found in found {
                    match found.snapshot {
                        Ok(snapshot) => candidates.extend(Some(snapshot).filter(usable)),
                        Err(error) => tracing::error!(
                            "`{}` cannot be used: {error:#}; an older state is gone on from",
                            found.path.display()
                        ),
                    }
                }
            }
            Err(error) => tracing::error!("the snapshots on the disk cannot be read: {error}"),
        }
        match in_journal {
            Ok(snapshot) => candidates.extend(snapshot.filter(usable)),
            Err(error) => tracing::error!(
                "the snapshot of partition {partition} in `{}` cannot be used: {error:#}",
                self.names.state
            ),
        }
        candidates.into_iter().max_by_key(|s| s.manifest.epoch)
    }

    /// A lane that begins with nothing.
    fn begin(&self, partition: i32, next: i64) -> anyhow::Result<Lane> {
        let begin = EpochRecord {
            line: new_line()?,
            next,
            ..EpochRecord::default()
        };
        Ok(Lane::new(
            partition,
            &self.names,
            self.trusted,
            &self.setting,
            begin,
        ))
    }
}

/// Whether more of a partition was committed than its state tells of.
fn is_behind(kept: Option<&Kept>, committed: Option<i64>) -> bool {
    // What is damaged is told when the lane is made.
    let epoch = kept.and_then(|kept| kept.epoch().ok().flatten());
    committed.is_some_and(|committed| epoch.is_none_or(|epoch| epoch.next < committed))
}

/// Asks until there is an answer, or until it is told to stop.
fn insist<T>(stop: &AtomicBool, ask: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if stop.load(Ordering::Relaxed) => return Err(error),
            Err(error) => {
                tracing::warn!("kafka: {error:#}");
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

fn new_line() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no randomness for a name: {e}"))?;
    Ok(u64::from_be_bytes(bytes))
}
