//! Following `andon.risk.v1` as a whole: what every process of the group says of its devices, so
//! that whoever asks this one is told of the whole plant.
//!
//! ```text
//! follow: every record ──▶ Known: the newest of each device ──▶ the board, in its own thread
//! watch:  does anybody still work on each partition? ──▲
//! ```

mod known;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use andon_console::{Board, DecisionMetrics};
use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataPartition;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use self::known::{Known, Readable};
pub(super) use self::known::{Origin, Report};
use self::watch::Watch;
use super::names::Names;
use super::recall::insist;
use super::settings::Settings;

/// How long the cluster is given to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The thread looks this often whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How far it has read is told this often, at least.
const PLACE_EVERY: Duration = Duration::from_secs(1);

/// What is known of the whole plant, while it is followed.
#[derive(Debug)]
pub(super) struct Whole {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

/// What the threads have in common.
#[derive(Debug)]
struct Shared {
    known: Mutex<Known>,
    place: Mutex<Placed>,
}

/// How far the topic is read.
#[derive(Debug, Default)]
struct Placed {
    /// By partition, what comes next; those that are not read yet are not in it.
    next: BTreeMap<i32, i64>,
    /// How many partitions the topic has, as was heard last.
    partitions: usize,
    /// What is wrong with reading it, if something is.
    trouble: Option<String>,
}

/// What it is told about the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) settings: &'a Settings,
    pub(super) names: &'a Names,
    /// The number of this run: what it said itself comes back.
    pub(super) run: u64,
    /// How many partitions the observations have.
    pub(super) partitions: usize,
}

impl Whole {
    /// Begins with everything that the topic holds; the cluster need not be there.
    ///
    /// # Errors
    /// If the settings cannot work, or the system gives no thread.
    pub(super) fn follow(
        told: Told<'_>,
        board: Board,
        metrics: DecisionMetrics,
    ) -> anyhow::Result<Self> {
        let origin = Origin {
            run: told.run,
            partitions: told.partitions,
            partitioner: told.settings.partitioner,
        };
        let shared = Arc::new(Shared {
            known: Mutex::new(Known::new(origin, board, metrics)),
            place: Mutex::default(),
        });
        let stop = Arc::new(AtomicBool::new(false));
        let reading = Reading {
            consumer: consumer(told.settings, "whole", "read_committed")?,
            topic: told.names.risk.clone(),
            shared: shared.clone(),
            stop: stop.clone(),
            unread: None,
            placed: Instant::now(),
        };
        let watch = Watch::new(told, shared.clone(), stop.clone())?;
        // Nobody waits for their end: they may hang in the client while the cluster is away.
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        let started = spawn("whole")
            .spawn(move || reading.run())
            .and_then(|_| spawn("whole-watch").spawn(move || watch.run()));
        started.context("cannot start the threads that follow the risks")?;
        Ok(Self { shared, stop })
    }

    /// Whether everything that was said before this process began has been read, and what is said
    /// now is heard; if not, why not.
    pub(super) fn trouble(&self) -> Option<String> {
        if !self.shared.known().is_complete() {
            return Some("what others say of their devices is still being read".to_owned());
        }
        self.shared.place().trouble.clone()
    }

    /// What is news of some devices, so many at most; nothing before everything was read, as what
    /// was said earlier is not how things stand.
    pub(super) fn take(&self, most: usize) -> Vec<Report> {
        self.shared.known().take(most)
    }

    /// Everything is news again: the inventory is another.
    pub(super) fn again(&self) {
        self.shared.known().again(|_| true);
    }

    /// A partition is held by another process now: what that has said of its devices since this one
    /// took it up was not believed here.
    pub(super) fn lost(&self, partition: i32, held_since: Instant) {
        let mut known = self.shared.known();
        known.again(|kept| kept.is_of_another(partition, held_since));
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Nothing that is done under the locks can leave them half done.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> MutexGuard<'_, Placed> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From where to where a partition is to be read before everything is known.
#[derive(Clone, Copy, Debug)]
struct Unread {
    first: i64,
    end: i64,
}

/// The thread that reads.
struct Reading {
    consumer: BaseConsumer,
    topic: Arc<str>,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    /// What has not been read yet to where it ended when this began.
    unread: Option<BTreeMap<i32, Unread>>,
    /// When it was told how far it has read.
    placed: Instant,
}

impl Reading {
    fn run(mut self) {
        // Until there is an answer; a cluster may come later, or lose a broker meanwhile.
        let Ok(unread) = insist(&self.stop, || begin(&self.consumer, &self.topic)) else {
            return;
        };
        self.shared.place().partitions = unread.len();
        let mut assigned = unread.len();
        self.unread = Some(unread);
        while !self.stop.load(Ordering::Relaxed) {
            let is_at_an_end = match self.consumer.poll(LOOK_EVERY) {
                Some(Ok(message)) => {
                    let mut known = self.shared.known();
                    known.take_record(&Readable::of(&message));
                    false
                }
                None | Some(Err(KafkaError::PartitionEOF(_))) => true,
                Some(Err(error)) => {
                    tracing::warn!("kafka: reading `{}`: {error}", self.topic);
                    false
                }
            };
            if is_at_an_end || self.placed.elapsed() >= PLACE_EVERY {
                self.place();
                assigned = self.grow(assigned);
            }
        }
    }

    /// Tells how far it has read, and whether that is everything.
    fn place(&mut self) {
        self.placed = Instant::now();
        let Ok(positions) = self.consumer.position() else {
            return;
        };
        let next = |partition: i32| {
            let place = positions.find_partition(&self.topic, partition)?;
            match place.offset() {
                Offset::Offset(next) => Some(next),
                _ => None,
            }
        };
        if let Some(unread) = &mut self.unread {
            // Where nothing was read yet, there may be nothing.
            unread
                .retain(|partition, unread| next(*partition).unwrap_or(unread.first) < unread.end);
            if unread.is_empty() {
                self.unread = None;
                let known = self.shared.known().complete();
                tracing::info!(devices = known, "kafka: the risk of every device is known");
            }
        }
        let mut placed = self.shared.place();
        for partition in 0..i32::try_from(placed.partitions).unwrap_or(i32::MAX) {
            if let Some(next) = next(partition) {
                placed.next.insert(partition, next);
            }
        }
    }

    /// The topic may have been divided into more partitions: those are read from their beginning.
    fn grow(&self, assigned: usize) -> usize {
        let (partitions, next) = {
            let placed = self.shared.place();
            (placed.partitions, placed.next.clone())
        };
        if partitions <= assigned {
            return assigned;
        }
        let mut from = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
            let next = next.get(&partition);
            let next = next.map_or(Offset::Beginning, |next| Offset::Offset(*next));
            if from
                .add_partition_offset(&self.topic, partition, next)
                .is_err()
            {
                return assigned;
            }
        }
        match self.consumer.assign(&from) {
            Ok(()) => partitions,
            Err(error) => {
                tracing::warn!("kafka: reading `{}`: {error}", self.topic);
                assigned
            }
        }
    }
}

fn consumer(settings: &Settings, name: &str, isolation: &str) -> anyhow::Result<BaseConsumer> {
    settings
        .client(name)
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "8192")
        .create()
        .context("cannot make the consumer of the risks")
}

/// The partitions of a topic.
fn partitions_of(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<Vec<i32>> {
    let told = consumer
        .fetch_metadata(Some(topic), ANSWER_WITHIN)
        .with_context(|| format!("cannot ask for the partitions of `{topic}`"))?;
    let found = told.topics().first();
    let found = found.ok_or_else(|| anyhow!("the cluster tells nothing of `{topic}`"))?;
    if found.partitions().is_empty() {
        return Err(anyhow!("the cluster knows no partition of `{topic}`"));
    }
    let partitions = found.partitions().iter();
    Ok(partitions.map(MetadataPartition::id).collect())
}

/// Begins to read; returns what is to be read until everything is known.
fn begin(consumer: &BaseConsumer, topic: &str) -> anyhow::Result<BTreeMap<i32, Unread>> {
    let mut from = TopicPartitionList::new();
    let mut unread = BTreeMap::new();
    for partition in partitions_of(consumer, topic)? {
        let ends = consumer.fetch_watermarks(topic, partition, ANSWER_WITHIN);
        let (first, end) = ends.with_context(|| format!("cannot ask where `{topic}` ends"))?;
        from.add_partition_offset(topic, partition, Offset::Beginning)?;
        unread.insert(partition, Unread { first, end });
    }
    consumer.assign(&from).context("cannot read the risks")?;
    Ok(unread)
}
