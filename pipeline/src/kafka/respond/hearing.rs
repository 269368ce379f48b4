//! What people do and what enforcement points answer: `andon.acts.v1` and `andon.acks.v1`. Every
//! process reads them whole, and each desk remembers how far it has heard, in the transaction of
//! what came of it: nothing counts twice, whoever holds the desk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_schemas::observation::Source;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::kafka::names::Names;
use crate::wall;

/// How long the cluster is given to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// And after how long it is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Which of the two topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    Act,
    Ack,
}

/// A partition of one of them.
pub(super) type Place = (Kind, i32);

/// How far somebody has heard: the offset of the next letter.
pub(super) type Heard = BTreeMap<Place, i64>;

/// One record.
#[derive(Debug)]
pub(super) struct Letter<'a> {
    pub(super) place: Place,
    pub(super) offset: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) payload: &'a [u8],
    /// When the broker took it.
    pub(super) at: EventTime,
    /// It stands before what was read already: the topic was made anew.
    pub(super) is_anew: bool,
    topic: &'a Arc<str>,
}

impl Letter<'_> {
    /// Where it stands.
    pub(super) fn source(&self) -> Source {
        Source {
            topic: self.topic.clone(),
            partition: u32::try_from(self.place.1).unwrap_or(0),
            offset: u64::try_from(self.offset).unwrap_or(0),
        }
    }
}

/// Reads both topics.
pub(super) struct Hearing {
    consumer: BaseConsumer,
    acts: Arc<str>,
    acks: Arc<str>,
    next: Heard,
    /// Somebody may not have heard everything.
    is_behind: bool,
    /// When the cluster was asked last.
    asked: Option<Instant>,
}

impl Hearing {
    /// Makes the consumer; the cluster need not be there yet.
    ///
    /// # Errors
    /// If the settings cannot work.
    pub(super) fn new(client: &ClientConfig, group: &str, names: &Names) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = client
            .clone()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            // What the topic's retention has deleted can no longer be heard.
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("queued.max.messages.kbytes", "4096")
            .set("fetch.wait.max.ms", "50")
            .create()
            .context("cannot make the consumer of acts and acknowledgements")?;
        Ok(Self {
            consumer,
            acts: names.acts.clone(),
            acks: names.acks.clone(),
            next: Heard::new(),
            is_behind: true,
            asked: None,
        })
    }

    /// Listens from now on.
    fn open(&mut self) -> anyhow::Result<()> {
        let mut next = Heard::new();
        for kind in [Kind::Act, Kind::Ack] {
            let topic = self.topic(kind);
            let told = self
                .consumer
                .fetch_metadata(Some(topic), ANSWER_WITHIN)
                .with_context(|| format!("cannot ask for the partitions of `{topic}`"))?;
            let found = told.topics().first();
            let found = found.ok_or_else(|| anyhow!("the cluster tells nothing of `{topic}`"))?;
            for partition in found.partitions() {
                let id = partition.id();
                let (_, end) = self
                    .consumer
                    .fetch_watermarks(topic, id, ANSWER_WITHIN)
                    .with_context(|| format!("cannot ask for the end of `{topic}`"))?;
                next.insert((kind, id), end);
            }
        }
        self.next = next;
        self.assign()
    }

    /// Another desk has begun, which may not have heard everything.
    pub(super) fn look_back(&mut self) {
        self.is_behind = true;
        self.asked = None;
    }

    /// Goes back for whoever has not heard everything, if anybody has begun; whether everybody hears
    /// what comes. Where the cluster does not answer, it is asked again later.
    pub(super) fn is_open<'a>(&mut self, desks: impl Iterator<Item = &'a mut Heard>) -> bool {
        if !self.is_behind {
            return true;
        }
        if self
            .asked
            .is_some_and(|asked| asked.elapsed() < AGAIN_AFTER)
        {
            return false;
        }
        self.asked = Some(Instant::now());
        let opened = if self.next.is_empty() {
            self.open()
        } else {
            Ok(())
        };
        match opened.and_then(|()| self.catch_up(desks)) {
            Ok(()) => self.is_behind = false,
            Err(error) => tracing::warn!("kafka: {error:#}"),
        }
        !self.is_behind
    }

    fn topic(&self, kind: Kind) -> &Arc<str> {
        match kind {
            Kind::Act => &self.acts,
            Kind::Ack => &self.acks,
        }
    }

    fn assign(&self) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        for ((kind, partition), next) in &self.next {
            list.add_partition_offset(self.topic(*kind), *partition, Offset::Offset(*next))?;
        }
        let cannot = "cannot read acts and acknowledgements";
        self.consumer.assign(&list).context(cannot)
    }

    /// Goes back to where everybody has heard everything; the others know what they have heard. A
    /// desk that heard more than there is heard a topic that was made anew since.
    ///
    /// # Errors
    /// If the client refuses, or the cluster does not answer.
    fn catch_up<'a>(&mut self, desks: impl Iterator<Item = &'a mut Heard>) -> anyhow::Result<()> {
        let mut is_behind = false;
        for heard in desks {
            for (place, next) in &mut self.next {
                let topic = match place.0 {
                    Kind::Act => &self.acts,
                    Kind::Ack => &self.acks,
                };
                let theirs = heard.entry(*place).or_default();
                if *theirs > *next {
                    let ends = self
                        .consumer
                        .fetch_watermarks(topic, place.1, ANSWER_WITHIN);
                    let (low, end) =
                        ends.with_context(|| format!("cannot ask for the end of `{topic}`"))?;
                    if *theirs > end {
                        tracing::error!(
                            topic = &**topic,
                            partition = place.1,
                            "it ends before what was heard of it: it was made anew, and is heard \
                             from its beginning"
                        );
                        *theirs = low;
                    }
                }
                is_behind |= *theirs < *next;
                *next = (*theirs).min(*next);
            }
        }
        if is_behind { self.assign() } else { Ok(()) }
    }

    /// Takes what has come, so many letters at most.
    pub(super) fn take(&mut self, most: usize, each: &mut dyn FnMut(&Letter<'_>)) {
        for _ in 0..most {
            let (place, next) = match self.consumer.poll(Duration::ZERO) {
                None => return,
                Some(Err(error)) => {
                    tracing::warn!("kafka: reading acts and acknowledgements: {error}");
                    return;
                }
                Some(Ok(message)) => {
                    let letter = self.letter(&message);
                    each(&letter);
                    (letter.place, letter.offset + 1)
                }
            };
            self.next.insert(place, next);
        }
    }

    fn letter<'a>(&'a self, message: &'a BorrowedMessage<'_>) -> Letter<'a> {
        let is_act = message.topic() == &*self.acts;
        let kind = if is_act { Kind::Act } else { Kind::Ack };
        let millis = message.timestamp().to_millis();
        let at = millis.map(|ms| EventTime::from_micros(ms.saturating_mul(1_000)));
        let place = (kind, message.partition());
        let next = self.next.get(&place);
        Letter {
            is_anew: next.is_some_and(|next| message.offset() < *next),
            place,
            offset: message.offset(),
            key: message.key(),
            payload: message.payload().unwrap_or_default(),
            at: at.unwrap_or_else(wall::now),
            topic: self.topic(kind),
        }
    }
}
