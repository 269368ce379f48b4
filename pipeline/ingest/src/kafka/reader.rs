//! The consumer of one topic: polled by one thread, in chunks.
//!
//! Stands between the cluster and the lanes. Partitions come and go as the group divides them; the
//! thread that polls settles every such [`Change`] itself, after it has dealt with everything that
//! came before: [`begin`](Reader::begin) names the offsets from which to read, and
//! [`give_up`](Reader::give_up) lets partitions go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};

use super::heard::{Change, Committed, Message, ReaderError, Taken, borrowed, gather};
use super::seat::Seat;
use super::watch::{Standing, Watch};

/// Messages are handed out so many at a time: enough for whoever takes them to have many accesses
/// to memory under way at once, and few enough for the smallest cache.
pub const TOGETHER: usize = 16;

/// What is heard of the brokers is true for this long.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// How long the client may take to set a position.
const SOUGHT_WITHIN: Duration = Duration::from_secs(5);

/// The consumer of one topic.
pub struct Reader {
    seat: Seat,
    topic: String,
    instance: String,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("topic", &self.topic)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Joins the group that the configuration names and reads a topic.
    ///
    /// # Errors
    /// If the configuration cannot work. A broker that is absent is no error: it is waited for.
    pub fn join(config: &ClientConfig, topic: &str) -> Result<Self, ReaderError> {
        let mut config = config.clone();
        // Positions are ours to keep, every record counts, and a lost one is a decision.
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("allow.auto.create.topics", "false")
            .set("statistics.interval.ms", "1000")
            .set("topic.metadata.refresh.interval.ms", "30000")
            .set("check.crcs", "true");
        let instance = config.get("group.instance.id").unwrap_or_default();
        Ok(Self {
            topic: topic.to_owned(),
            instance: instance.to_owned(),
            seat: Seat::ask_for(config, topic)?,
        })
    }

    /// Hands out what has come, [`TOGETHER`] or less at a time: at most `most` messages or a few more,
    /// waiting at most `wait` for the first and going on for at most `open` after it. A change of the
    /// partitions ends the chunk.
    ///
    /// # Errors
    /// If it can never go on; what can pass is kept for [`trouble`](Self::trouble).
    pub fn take(
        &self,
        most: usize,
        wait: Duration,
        open: Duration,
        each: &mut dyn FnMut(&[Message<'_>]),
    ) -> Result<Taken, ReaderError> {
        let mut taken = Taken::default();
        if self.seat.is_waiting()? {
            std::thread::sleep(wait);
            return Ok(taken);
        }
        let consumer = self.consumer();
        let mut began = None;
        while !consumer.context().has_changes() {
            let wait = began.map_or(wait, |_| Duration::ZERO);
            let (held, failed) = gather(&consumer, wait, &mut taken.ended);
            if !held.is_empty() {
                taken.messages += held.len();
                let messages: Vec<_> = held.iter().map(borrowed).collect();
                each(&messages);
            }
            if let Some(error) = failed {
                self.weigh(error)?;
            }
            let is_open = *began.get_or_insert_with(Instant::now);
            if held.len() < TOGETHER || taken.messages >= most || is_open.elapsed() > open {
                break;
            }
        }
        Ok(taken)
    }

    fn consumer(&self) -> Arc<BaseConsumer<Watch>> {
        self.seat.consumer()
    }

    fn weigh(&self, error: KafkaError) -> Result<(), ReaderError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::FencedInstanceId) => self.ousted(),
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(ReaderError::Gone(self.first_gone()))
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => self.fatal(error),
            _ => {
                tracing::warn!("kafka: {error}");
                self.consumer().context().complain(error.to_string());
                Ok(())
            }
        }
    }

    fn ousted(&self) -> Result<(), ReaderError> {
        let same_name = || ReaderError::SameName(self.instance.clone());
        self.seat.ousted().then_some(()).ok_or_else(same_name)
    }

    /// Why the client has given up: what it raised first counts.
    fn fatal(&self, error: KafkaError) -> Result<(), ReaderError> {
        match self.consumer().client().fatal_error() {
            Some((RDKafkaErrorCode::FencedInstanceId, _)) => self.ousted(),
            Some((RDKafkaErrorCode::UnreleasedInstanceId, _)) if self.seat.turned_away() => Ok(()),
            Some((RDKafkaErrorCode::UnreleasedInstanceId, _)) => {
                Err(ReaderError::NotReleased(self.instance.clone()))
            }
            _ => Err(during("read")(error)),
        }
    }

    /// The first of our partitions whose position lies before what the topic still holds.
    fn first_gone(&self) -> String {
        let positions = self.consumer().position();
        let positions = positions.as_ref().map(TopicPartitionList::elements);
        let gone = positions.iter().flatten().find(|element| {
            let low = self.low_end(element.partition(), Duration::from_secs(5));
            matches!((element.offset(), low), (Offset::Offset(at), Ok(low)) if at < low)
        });
        gone.map_or_else(
            || "a partition".to_owned(),
            |gone| format!("partition {}", gone.partition()),
        )
    }

    /// The next change of the partitions that waits to be settled.
    pub fn next_change(&self) -> Option<Change> {
        let change = self.consumer().context().next_change();
        if matches!(change, Some(Change::Assigned(_))) {
            self.seat.taken();
        }
        change
    }

    /// Begins to read partitions that were assigned, each at its offset.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn begin(&self, from: &[(i32, i64)]) -> Result<(), ReaderError> {
        let list = self.list(from)?;
        self.consumer()
            .incremental_assign(&list)
            .map_err(during("begin to read partitions"))
    }

    /// Answers an assignment at once, so that the group and our other partitions go on, and reads
    /// nothing of the new partitions yet: [`go`](Self::go) does.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn claim(&self, partitions: &[i32]) -> Result<(), ReaderError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&self.topic, *partition, Offset::Beginning)
                .map_err(during("name an offset"))?;
        }
        self.consumer()
            .incremental_assign(&list)
            .map_err(during("claim partitions"))?;
        self.pause(partitions, true)
    }

    /// Reads partitions that were claimed, each from its offset on; not yet if fetching is paused.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn go(&self, from: &[(i32, i64)], paused: bool) -> Result<(), ReaderError> {
        if from.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        loop {
            let sought = self
                .consumer()
                .seek_partitions(self.list(from)?, SOUGHT_WITHIN)
                .and_then(|list| {
                    list.elements()
                        .iter()
                        .try_for_each(TopicPartitionListElem::error)
                });
            match sought {
                Ok(()) => break,
                // Nothing is ours any more, as is about to be heard.
                Err(_) if self.consumer().client().fatal_error().is_some() => return Ok(()),
                // Its fetcher may not have started yet.
                Err(_) if began.elapsed() < SOUGHT_WITHIN => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(cause) => return Err(during("begin to read partitions")(cause)),
            }
        }
        if paused {
            return Ok(());
        }
        let partitions: Vec<i32> = from.iter().map(|(partition, _)| *partition).collect();
        self.pause(&partitions, false)
    }

    /// Lets partitions go.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn give_up(&self, partitions: &[i32]) -> Result<(), ReaderError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let consumer = self.consumer();
        consumer
            .incremental_unassign(&list)
            .map_err(during("give up partitions"))?;
        consumer.context().given_up(partitions);
        Ok(())
    }

    /// Stops fetching partitions, or goes on with it; what is queued stays.
    ///
    /// # Errors
    /// If the client refuses.
    pub fn pause(&self, partitions: &[i32], paused: bool) -> Result<(), ReaderError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        if paused {
            self.consumer().pause(&list)
        } else {
            self.consumer().resume(&list)
        }
        .map_err(during("pause"))
    }

    /// What the group has committed of partitions. Waits
    /// until transactions that are under way are decided.
    ///
    /// # Errors
    /// If the coordinator does not answer in time.
    pub fn committed(
        &self,
        partitions: &[i32],
        within: Duration,
    ) -> Result<Vec<Committed>, ReaderError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        let told = self
            .consumer()
            .committed_offsets(list, within)
            .map_err(during("ask for committed offsets"))?;
        let of_one = |element: &TopicPartitionListElem<'_>| {
            element
                .error()
                .map_err(during("ask for a committed offset"))?;
            Ok(Committed {
                partition: element.partition(),
                next: match element.offset() {
                    Offset::Offset(at) => Some(at),
                    _ => None,
                },
                note: element.metadata().to_owned(),
            })
        };
        told.elements().iter().map(of_one).collect()
    }

    /// How many partitions the topic has, once that was heard.
    pub fn partitions(&self) -> Option<usize> {
        self.consumer().context().partitions()
    }

    /// The oldest offset that a partition still holds.
    ///
    /// # Errors
    /// If its leader does not answer in time.
    pub fn low_end(&self, partition: i32, within: Duration) -> Result<i64, ReaderError> {
        self.consumer()
            .fetch_watermarks(&self.topic, partition, within)
            .map(|(low, _)| low)
            .map_err(during("ask for the oldest offset"))
    }

    /// Who we are in the group at this moment, to go with offsets into a transaction.
    pub fn group(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer().group_metadata()
    }

    /// Whether the group has taken our partitions away, or our place.
    pub fn is_lost(&self) -> bool {
        self.waits_for_place().is_some() || self.consumer().assignment_lost()
    }

    /// How long the group has kept our place for an earlier process of our name, while it does.
    pub fn waits_for_place(&self) -> Option<Duration> {
        self.seat.waits_for()
    }

    /// How far a partition has been read, if that was heard lately.
    pub fn standing(&self, partition: i32) -> Option<Standing> {
        let (standing, at) = self.consumer().context().standing(partition)?;
        (at.elapsed() < HEARD_WITHIN).then_some(standing)
    }

    /// How many brokers answer, if that was heard lately.
    pub fn brokers(&self) -> Option<usize> {
        let (brokers, at) = self.consumer().context().brokers()?;
        (at.elapsed() < HEARD_WITHIN).then_some(brokers)
    }

    /// What the client complained of since the last time this was asked.
    pub fn trouble(&self) -> Option<String> {
        self.consumer().context().take_trouble()
    }

    fn list(&self, offsets: &[(i32, i64)]) -> Result<TopicPartitionList, ReaderError> {
        let mut list = TopicPartitionList::new();
        for (partition, at) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*at))
                .map_err(during("name an offset"))?;
        }
        Ok(list)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.consumer().context().close();
        // A change that nobody settled would keep the client from closing.
        while let Some(change) = self.next_change() {
            let settled = match change {
                Change::Assigned(_) => self.begin(&[]),
                Change::Revoked { partitions, .. } => self.give_up(&partitions),
            };
            if let Err(error) = settled {
                tracing::warn!("kafka: {error}");
            }
        }
    }
}

pub(super) fn during(doing: &'static str) -> impl Fn(KafkaError) -> ReaderError {
    move |cause| ReaderError::Client { doing, cause }
}
