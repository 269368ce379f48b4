//! What a reader tells: messages, changes of the group, what was committed, and why it cannot go on.

use std::time::Duration;

use andon_schemas::time::EventTime;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};

use super::reader::TOGETHER;
use super::watch::Watch;

/// One record of the topic, borrowed from the client.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// What it holds; `None` in a tombstone.
    pub payload: Option<&'a [u8]>,
    /// When the broker appended it, or when it was made if the topic keeps that time.
    pub stamped: EventTime,
}

/// The group divides the partitions anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are ours from now on; answered by [`Reader::begin`](super::Reader::begin).
    Assigned(Vec<i32>),
    /// These are to be given up; answered by [`Reader::give_up`](super::Reader::give_up).
    Revoked {
        /// Which.
        partitions: Vec<i32>,
        /// They are somebody else's already: nothing of them may be committed any more.
        lost: bool,
    },
}

/// What the group has committed of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Which.
    pub partition: i32,
    /// The offset to go on at; `None` if nothing was committed.
    pub next: Option<i64>,
    /// What was left beside the offset.
    pub note: String,
}

impl Committed {
    /// The note, if anything was committed.
    pub fn noted(&self) -> Option<&str> {
        self.next.map(|_| self.note.as_str())
    }
}

/// What a chunk was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Messages handed out.
    pub messages: usize,
    /// Partitions that were read to their end.
    pub ended: Vec<i32>,
}

/// Why the consumer cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The client could not be made or told something.
    #[error("cannot {doing}: {cause}")]
    Client {
        /// What was to be done.
        doing: &'static str,
        /// Why not.
        cause: KafkaError,
    },
    /// Another process uses our name in the group.
    #[error(
        "the group gives the place of `{0}` to another client of that name, however often this one \
         asks for it again: two processes must not share an instance name"
    )]
    SameName(String),
    /// The group still keeps the place of an earlier process of our name.
    #[error(
        "the group keeps the place of another process `{0}`: either it still runs, and two must not \
         share an instance name, or the broker does not miss it \
         (group.consumer.session.timeout.ms)"
    )]
    NotReleased(String),
    /// A record that is to be read next is gone.
    #[error(
        "{0} no longer holds the records that come next: they were deleted by the topic's \
         retention, or lost with a broker"
    )]
    Gone(String),
}

/// A message of the client.
pub(super) fn borrowed<'a>(message: &'a BorrowedMessage<'_>) -> Message<'a> {
    let millis = message.timestamp().to_millis().unwrap_or(0);
    Message {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key(),
        payload: message.payload(),
        stamped: EventTime::from_micros(millis.saturating_mul(1_000)),
    }
}

/// The messages that come next, waiting for the first only, and what came in their way.
pub(super) fn gather<'a>(
    consumer: &'a BaseConsumer<Watch>,
    wait: Duration,
    ended: &mut Vec<i32>,
) -> (Vec<BorrowedMessage<'a>>, Option<KafkaError>) {
    let mut held = Vec::new();
    let mut wait = wait;
    while held.len() < TOGETHER {
        match consumer.poll(wait) {
            None => break,
            Some(Ok(message)) => {
                // What comes after an end makes it none.
                ended.retain(|partition| *partition != message.partition());
                held.reserve(TOGETHER);
                held.push(message);
                wait = Duration::ZERO;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => ended.push(partition),
            Some(Err(error)) => return (held, Some(error)),
        }
    }
    (held, None)
}
