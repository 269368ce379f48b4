//! Whether what is known of the plant goes on being true: whether the topic of the risks is read as
//! far as it goes, and whether somebody works on each partition of the observations. A process that
//! holds one commits every few seconds, even if nothing comes: time goes on. Of a partition that
//! nobody works on no news is no good news.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use andon_console::SILENT_FOR;
use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{Shared, Told, consumer, partitions_of};

/// The cluster is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(3);
/// How long it is given to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The thread looks this often whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The topic may be behind for this long before that is trouble.
const BEHIND_FOR: Duration = Duration::from_secs(30);

/// The thread that asks.
pub(super) struct Watch {
    consumer: BaseConsumer,
    /// Asks what is committed, and waits for no transaction: that something moves is enough.
    asking: BaseConsumer,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    risk: Arc<str>,
    observations: Arc<str>,
    partitions: i32,
    pub(super) signs: Signs,
    /// Where the partitions of the topic ended when that was asked last; `None` if not all of them
    /// have answered.
    ends: Option<BTreeMap<i32, i64>>,
    /// When the topic was read as far as it went.
    read_at: Instant,
}

/// When a sign of life was seen of each partition.
#[derive(Debug, Default)]
pub(super) struct Signs(BTreeMap<i32, Sign>);

#[derive(Debug)]
struct Sign {
    /// The offset that is committed, and what was left beside it.
    committed: (Option<i64>, String),
    /// When it was seen to be another than before.
    moved: Option<Instant>,
}

impl Signs {
    /// A partition's commit, as it is now.
    pub(super) fn take(&mut self, partition: i32, committed: (Option<i64>, String), now: Instant) {
        match self.0.get_mut(&partition) {
            Some(sign) if sign.committed == committed => {}
            Some(sign) => {
                *sign = Sign {
                    committed,
                    moved: Some(now),
                }
            }
            // Nobody knows when that was.
            None => {
                let moved = None;
                self.0.insert(partition, Sign { committed, moved });
            }
        }
    }

    /// The partitions that somebody worked on lately.
    pub(super) fn alive(&self, now: Instant) -> BTreeSet<i32> {
        let is_alive = |sign: &Sign| {
            let age = sign.moved.map(|at| now.saturating_duration_since(at));
            age.is_some_and(|age| age <= SILENT_FOR)
        };
        let alive = self.0.iter().filter(|(_, sign)| is_alive(sign));
        alive.map(|(partition, _)| *partition).collect()
    }
}

impl Watch {
    pub(super) fn new(
        told: Told<'_>,
        shared: Arc<Shared>,
        stop: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            consumer: consumer(told.settings, "whole-watch", "read_committed")?,
            asking: consumer(told.settings, "whole-commits", "read_uncommitted")?,
            shared,
            stop,
            risk: told.names.risk.clone(),
            observations: told.names.observations.clone(),
            partitions: i32::try_from(told.partitions).unwrap_or(i32::MAX),
            signs: Signs::default(),
            ends: None,
            read_at: Instant::now(),
        })
    }

    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            // One does not wait for the other.
            let failed = [self.commits().err(), self.look().err()];
            for error in failed.into_iter().flatten() {
                tracing::debug!("kafka: {error:#}");
            }
            self.tell();
            while asked.elapsed() < ASK_EVERY && !self.stop.load(Ordering::Relaxed) {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Looks whether the topic is read as far as it goes.
    fn look(&mut self) -> anyhow::Result<()> {
        // To where it ended before: what came since may be on its way.
        let is_read = {
            let placed = self.shared.place();
            let is_read = |(partition, end): (&i32, &i64)| {
                let next = placed.next.get(partition);
                next.is_some_and(|next| next >= end)
            };
            self.ends
                .take()
                .is_some_and(|ends| ends.iter().all(is_read))
        };
        if is_read {
            self.read_at = Instant::now();
        }
        let partitions = partitions_of(&self.consumer, &self.risk)?;
        self.shared.place().partitions = partitions.len();
        let mut all = BTreeMap::new();
        for partition in partitions {
            let ends = self
                .consumer
                .fetch_watermarks(&self.risk, partition, ANSWER_WITHIN);
            let (low, end) = ends.context("cannot ask where the risks end")?;
            if end > low {
                all.insert(partition, end);
            }
        }
        self.ends = Some(all);
        Ok(())
    }

    /// Looks for signs of life.
    fn commits(&mut self) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partitions {
            list.add_partition(&self.observations, partition);
        }
        let told = self.asking.committed_offsets(list, ANSWER_WITHIN);
        let told = told.context("cannot ask what the group has committed")?;
        let now = Instant::now();
        for one in told.elements() {
            one.error().context("cannot ask what is committed")?;
            let next = match one.offset() {
                Offset::Offset(next) => Some(next),
                _ => None,
            };
            let committed = (next, one.metadata().to_owned());
            self.signs.take(one.partition(), committed, now);
        }
        Ok(())
    }

    fn tell(&self) {
        let (now, behind) = (Instant::now(), self.read_at.elapsed());
        let trouble = (behind > BEHIND_FOR).then(|| {
            format!(
                "what others say of their devices has not been read to its end for {} s",
                behind.as_secs()
            )
        });
        self.shared.place().trouble = trouble;
        let alive = if behind > SILENT_FOR {
            BTreeSet::new()
        } else {
            self.signs.alive(now)
        };
        self.shared.known().watch(alive);
    }
}
