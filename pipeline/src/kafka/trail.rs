//! Following `andon.audit.v1` and `andon.incidents.v1`: what is decided and found anywhere in the group,
//! for whoever asks this process. Its desks know their own segments only.

mod book;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use andon_console::Board;
use andon_schemas::incident::Incident;
use andon_schemas::time::Span;
use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use self::book::Book;
use super::directory::Directory;
use super::names::Names;
use super::respond::DESK;
use super::settings::Settings;
use crate::wall;

/// How long the cluster is given to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Of a partition with more records than this only the last days are read: where so much is decided,
/// a command that stands has moved since, as it stands for a week at most without.
const ALL_OF: i64 = 200_000;
const BACK: Span = Span::DAY.times(8);
/// And so far for incidents, of which one may be open for long and nothing new be found.
const INCIDENTS_BACK: Span = Span::DAY.times(31);
/// So many incidents that the board may have let go of are known at most.
const INCIDENTS_MAX: usize = 50_000;
/// The thread looks this often whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Follows the trail, in a thread of its own.
#[derive(Debug)]
pub struct Trail {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Trail {
    /// Begins with what may still stand.
    ///
    /// # Errors
    /// If the cluster does not answer, or the system gives no thread.
    pub fn follow(
        settings: &Settings,
        names: &Names,
        board: Option<Board>,
        directory: Directory,
    ) -> anyhow::Result<Self> {
        let (consumer, unread) = consumer(settings, names)?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let mut reading = Reading {
            audit: names.audit.clone(),
            unread,
            book: Book::new(board.clone(), directory.clone()),
            board,
            directory,
        };
        let thread = std::thread::Builder::new()
            .name("trail".to_owned())
            .spawn(move || {
                while !told.load(Ordering::Relaxed) {
                    match consumer.poll(LOOK_EVERY) {
                        Some(Ok(message)) => reading.take(&message),
                        None | Some(Err(KafkaError::PartitionEOF(_))) => reading.ended(&consumer),
                        Some(Err(error)) => {
                            tracing::warn!("kafka: reading what was decided: {error}");
                        }
                    }
                }
            })
            .context("cannot start the thread that follows the audit trail")?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

/// A partition of a topic.
type Place = (String, i32);

/// What the thread works with.
struct Reading {
    audit: Arc<str>,
    /// What has not been read to its end yet, and where it began.
    unread: BTreeMap<Place, i64>,
    book: Book,
    board: Option<Board>,
    directory: Directory,
}

impl Reading {
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let payload = message.payload().unwrap_or_default();
        if message.topic() == &*self.audit {
            self.book.take(payload);
        } else {
            let desk = desk_of(message);
            self.incident(payload, desk);
        }
    }

    /// Takes a record about an incident.
    fn incident(&self, payload: &[u8], desk: Option<i32>) {
        let incident: Incident = match serde_json::from_slice(payload) {
            Ok(incident) => incident,
            Err(error) => {
                // Nobody but us writes there.
                tracing::error!("a record among the incidents is none: {error}");
                return;
            }
        };
        if let Some(desk) = desk {
            self.directory.incident(&incident.incident_id, desk);
        }
        if let Some(board) = &self.board {
            board.incident(&incident);
        }
        let is_known = |id: &str| {
            self.board
                .as_ref()
                .is_some_and(|board| board.has_incident(id))
        };
        self.directory.forget_incidents(INCIDENTS_MAX, is_known);
    }

    /// Nothing comes for a moment, or some partition has been read to its end: looks which have.
    fn ended(&mut self, consumer: &BaseConsumer) {
        if self.unread.is_empty() {
            return;
        }
        let Ok(positions) = consumer.position() else {
            return;
        };
        self.unread.retain(|(topic, partition), first| {
            let place = positions.find_partition(topic, *partition);
            let next = match place.map(|place| place.offset()) {
                Some(Offset::Offset(next)) => next,
                // Nothing was read of it yet.
                _ => *first,
            };
            let ends = consumer.fetch_watermarks(topic, *partition, ANSWER_WITHIN);
            ends.map_or(true, |(_, end)| next < end)
        });
        if self.unread.is_empty() {
            self.directory.complete();
        }
    }
}

/// The desk that wrote a record.
fn desk_of(message: &BorrowedMessage<'_>) -> Option<i32> {
    let headers = message.headers()?;
    let own = headers.iter().find(|header| header.key == DESK)?;
    std::str::from_utf8(own.value?).ok()?.parse().ok()
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It may hang in the client while the cluster is away, and nobody needs it any more.
        drop(self.thread.take());
    }
}

fn consumer(
    settings: &Settings,
    names: &Names,
) -> anyhow::Result<(BaseConsumer, BTreeMap<Place, i64>)> {
    let consumer: BaseConsumer = settings
        .client("trail")
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("queued.max.messages.kbytes", "8192")
        .create()
        .context("cannot make the consumer of what was decided")?;
    let mut from = TopicPartitionList::new();
    for (topic, back) in [(&names.audit, BACK), (&names.incidents, INCIDENTS_BACK)] {
        begin(&consumer, topic, back, &mut from)?;
    }
    consumer
        .assign(&from)
        .context("cannot read what was decided")?;
    let mut unread = BTreeMap::new();
    for place in from.elements() {
        if let Offset::Offset(first) = place.offset() {
            unread.insert((place.topic().to_owned(), place.partition()), first);
        }
    }
    Ok((consumer, unread))
}

/// Adds every partition of a topic, with where to begin.
fn begin(
    consumer: &BaseConsumer,
    topic: &str,
    back: Span,
    from: &mut TopicPartitionList,
) -> anyhow::Result<()> {
    let cannot = || format!("cannot ask where `{topic}` begins");
    let told = consumer
        .fetch_metadata(Some(topic), ANSWER_WITHIN)
        .with_context(cannot)?;
    let found = told.topics().first();
    let found = found.ok_or_else(|| anyhow!("the cluster tells nothing of `{topic}`"))?;
    let since = Offset::Offset((wall::now() - back).micros() / 1_000);
    for partition in found.partitions() {
        let id = partition.id();
        let ends = consumer.fetch_watermarks(topic, id, ANSWER_WITHIN);
        let (low, end) = ends.with_context(cannot)?;
        let mut first = low;
        if end - low > ALL_OF {
            let mut times = TopicPartitionList::new();
            times.add_partition_offset(topic, id, since)?;
            let told = consumer.offsets_for_times(times, ANSWER_WITHIN);
            let told = told.with_context(cannot)?;
            // Where nothing came since, that is the end, as a number: more may come before it is
            // read from.
            let place = told.find_partition(topic, id).map(|place| place.offset());
            first = match place {
                Some(Offset::Offset(offset)) => offset,
                _ => end,
            };
        }
        from.add_partition_offset(topic, id, Offset::Offset(first))?;
    }
    Ok(())
}
