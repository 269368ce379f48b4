//! Following `andon.audit.v1` and `andon.incidents.v1`: what is decided and found anywhere in the group,
//! for whoever asks this process. Its desks know their own segments only.

mod book;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use super::recall::insist;
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
    directory: Directory,
    stop: Arc<AtomicBool>,
}

impl Trail {
    /// Begins with what may still stand.
    ///
    /// # Errors
    /// If the settings cannot work, or the system gives no thread.
    pub fn follow(
        settings: &Settings,
        names: &Names,
        board: Option<Board>,
        directory: Directory,
    ) -> anyhow::Result<Self> {
        let consumer = consumer(settings)?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let known = directory.clone();
        let mut reading = Reading {
            audit: names.audit.clone(),
            unread: BTreeMap::new(),
            book: Book::new(board.clone(), directory.clone()),
            board,
            directory,
        };
        let names = names.clone();
        // Nobody waits for its end: it may hang in the client while the cluster is away.
        std::thread::Builder::new()
            .name("trail".to_owned())
            .spawn(move || {
                // Until there is an answer; a cluster may come later, or lose a broker meanwhile.
                let Ok(unread) = insist(&told, || assign(&consumer, &names)) else {
                    return;
                };
                reading.unread = unread;
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
            directory: known,
            stop,
        })
    }
}

impl Trail {
    /// Whether everything that was said before has been read.
    pub fn is_complete(&self) -> bool {
        self.directory.is_complete()
    }
}

/// A partition of a topic.
type Place = (String, i32);

/// From where to where it is to be read. Asked for once: an answer waits behind what is fetched.
#[derive(Clone, Copy, Debug)]
struct Unread {
    first: i64,
    end: i64,
}

/// What the thread works with.
struct Reading {
    audit: Arc<str>,
    /// What has not been read yet to where it ended when this began.
    unread: BTreeMap<Place, Unread>,
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
        self.unread.retain(|(topic, partition), unread| {
            let place = positions.find_partition(topic, *partition);
            let next = match place.map(|place| place.offset()) {
                Some(Offset::Offset(next)) => next,
                // Nothing was read of it yet.
                _ => unread.first,
            };
            next < unread.end
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
    }
}

fn consumer(settings: &Settings) -> anyhow::Result<BaseConsumer> {
    settings
        .client("trail")
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("queued.max.messages.kbytes", "8192")
        .create()
        .context("cannot make the consumer of what was decided")
}

/// Begins to read; returns what is to be read until everything is known.
fn assign(consumer: &BaseConsumer, names: &Names) -> anyhow::Result<BTreeMap<Place, Unread>> {
    let mut from = TopicPartitionList::new();
    let mut unread = BTreeMap::new();
    for (topic, back) in [(&names.audit, BACK), (&names.incidents, INCIDENTS_BACK)] {
        for (partition, place) in begin(consumer, topic, back)? {
            from.add_partition_offset(topic, partition, Offset::Offset(place.first))?;
            unread.insert((topic.to_string(), partition), place);
        }
    }
    consumer
        .assign(&from)
        .context("cannot read what was decided")?;
    Ok(unread)
}

/// Every partition of a topic, with where to begin and where it ends.
fn begin(consumer: &BaseConsumer, topic: &str, back: Span) -> anyhow::Result<Vec<(i32, Unread)>> {
    let cannot = || format!("cannot ask where `{topic}` begins");
    let told = consumer
        .fetch_metadata(Some(topic), ANSWER_WITHIN)
        .with_context(cannot)?;
    let found = told.topics().first();
    let found = found.ok_or_else(|| anyhow!("the cluster tells nothing of `{topic}`"))?;
    let since = Offset::Offset((wall::now() - back).micros() / 1_000);
    let mut places = Vec::new();
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
        places.push((id, Unread { first, end }));
    }
    Ok(places)
}
