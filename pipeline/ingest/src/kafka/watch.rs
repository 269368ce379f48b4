//! What the consumer hears on the side: whether its brokers are there, how far each partition has
//! been read, and that partitions come and go. Kept here until the polling thread asks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::{Broker, Statistics};
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;

use super::heard::Change;

/// A broker of which nothing was heard for longer does not answer: even one that has nothing for us
/// answers a heartbeat more often. That a connection stands says little: it does for a long time
/// after the other side has vanished.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// The same for one that we fetch from: it answers many times a second, if only that there is
/// nothing new.
const FETCHES_WITHIN: Duration = Duration::from_secs(2);

/// How far a partition has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its leader answers.
    pub connected: bool,
    /// The offset that is fetched next: behind the newest record that was, and behind the marker of
    /// its transaction.
    pub next: i64,
    /// The offset behind its newest record that can be read.
    pub end: i64,
    /// Records fetched and not yet handed out.
    pub queued: i64,
}

impl Standing {
    /// Whether nothing is left to fetch or to hand out.
    pub fn is_drained(&self) -> bool {
        self.connected && self.queued == 0 && self.end >= 0 && self.next >= self.end
    }

    /// How many records are left, for one who takes the one at `next`.
    pub fn lag(&self, next: i64) -> u64 {
        if self.is_drained() {
            return 0;
        }
        u64::try_from(self.end - next).unwrap_or(0)
    }
}

/// The consumer's context.
pub(super) struct Watch {
    topic: String,
    changes: Mutex<VecDeque<Change>>,
    /// Partitions that were given to us and not given up again. The client is not asked: one that
    /// cannot go on forgets what it held without a word.
    handed: Mutex<BTreeSet<i32>>,
    standings: Mutex<Standings>,
    trouble: Mutex<Option<String>>,
    closing: AtomicBool,
}

#[derive(Default)]
struct Standings {
    at: Option<Instant>,
    brokers: usize,
    partitions: BTreeMap<i32, Standing>,
}

impl Watch {
    pub(super) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            changes: Mutex::default(),
            handed: Mutex::default(),
            standings: Mutex::default(),
            trouble: Mutex::default(),
            closing: AtomicBool::new(false),
        }
    }

    /// The next change that is to be settled, if there is one.
    pub(super) fn next_change(&self) -> Option<Change> {
        locked(&self.changes).pop_front()
    }

    pub(super) fn has_changes(&self) -> bool {
        !locked(&self.changes).is_empty()
    }

    /// Partitions were given up.
    pub(super) fn given_up(&self, partitions: &[i32]) {
        locked(&self.handed).retain(|partition| !partitions.contains(partition));
    }

    /// Nothing is ours any more: what is not to be given up yet is from now on.
    pub(super) fn lose_all(&self) {
        let mut changes = locked(&self.changes);
        let mut lost = locked(&self.handed).clone();
        for change in changes.iter() {
            if let Change::Revoked { partitions, .. } = change {
                lost.retain(|partition| !partitions.contains(partition));
            }
        }
        if !lost.is_empty() {
            changes.push_back(Change::Revoked {
                partitions: lost.into_iter().collect(),
                lost: true,
            });
        }
    }

    /// Whether something is still to be given up, or to be settled.
    pub(super) fn holds_something(&self) -> bool {
        self.has_changes() || !locked(&self.handed).is_empty()
    }

    /// How far a partition has been read, and when that was heard.
    pub(super) fn standing(&self, partition: i32) -> Option<(Standing, Instant)> {
        let standings = locked(&self.standings);
        let standing = standings.partitions.get(&partition)?;
        Some((*standing, standings.at?))
    }

    /// How many brokers answer, and when that was heard.
    pub(super) fn brokers(&self) -> Option<(usize, Instant)> {
        let standings = locked(&self.standings);
        Some((standings.brokers, standings.at?))
    }

    /// How many partitions the topic has, once that was heard.
    pub(super) fn partitions(&self) -> Option<usize> {
        let standings = locked(&self.standings);
        let known = standings.partitions.keys().filter(|number| **number >= 0);
        Some(known.count()).filter(|count| *count > 0)
    }

    /// What the client complained of since the last time this was asked.
    pub(super) fn take_trouble(&self) -> Option<String> {
        locked(&self.trouble).take()
    }

    pub(super) fn complain(&self, trouble: String) {
        *locked(&self.trouble) = Some(trouble);
    }

    /// From here on partitions are given up at once: nobody settles changes any more.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a broker is connected, and something was heard of it lately.
fn answers(broker: &Broker, within: Duration) -> bool {
    let silent_for = u64::try_from(broker.rxidle).map(Duration::from_micros);
    broker.state == "UP" && silent_for.is_ok_and(|silent_for| silent_for <= within)
}

impl ClientContext for Watch {
    fn stats(&self, statistics: Statistics) {
        let brokers = || statistics.brokers.values();
        let leaders: Vec<i32> = brokers()
            .filter(|broker| answers(broker, FETCHES_WITHIN))
            .map(|broker| broker.nodeid)
            .collect();
        let topic = statistics.topics.get(&self.topic);
        let partitions = topic.iter().flat_map(|topic| topic.partitions.values());
        // Of a topic that the cluster does not know for a moment, those that we hold are left.
        let partitions = partitions.filter(|partition| !partition.unknown);
        let partitions = partitions.map(|partition| {
            let standing = Standing {
                connected: leaders.contains(&partition.leader),
                next: partition.next_offset,
                end: partition.ls_offset,
                queued: partition.fetchq_cnt,
            };
            (partition.partition, standing)
        });
        *locked(&self.standings) = Standings {
            at: Some(Instant::now()),
            brokers: brokers()
                .filter(|broker| answers(broker, ANSWERS_WITHIN))
                .count(),
            partitions: partitions.collect(),
        };
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is no trouble; whoever polls hears of it anyway.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::warn!("kafka: {error}: {reason}");
        self.complain(reason.to_owned());
    }
}

impl ConsumerContext for Watch {
    /// Only writes down what is to change: the polling thread settles it between two chunks, when
    /// nothing of those partitions is half done.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if self.closing.load(Ordering::Acquire) {
            let given_up = match what {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                    consumer.incremental_assign(&TopicPartitionList::new())
                }
                _ => consumer.incremental_unassign(partitions),
            };
            if let Err(error) = given_up {
                tracing::warn!("kafka: partitions could not be given up in order: {error}");
            }
            return;
        }
        let numbers: Vec<i32> = partitions
            .elements()
            .iter()
            .map(TopicPartitionListElem::partition)
            .collect();
        let change = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                locked(&self.handed).extend(&numbers);
                Change::Assigned(numbers)
            }
            _ => Change::Revoked {
                partitions: numbers,
                lost: consumer.assignment_lost(),
            },
        };
        locked(&self.changes).push_back(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_on_which_nothing_comes_is_not_one_to_a_broker_that_answers() {
        let broker = |state: &str, rxidle| Broker {
            state: state.to_owned(),
            rxidle,
            ..Broker::default()
        };
        assert!(answers(&broker("UP", 50_000), FETCHES_WITHIN));
        assert!(!answers(&broker("UP", 3_000_000), FETCHES_WITHIN));
        assert!(answers(&broker("UP", 3_000_000), ANSWERS_WITHIN));
        assert!(!answers(&broker("UP", 11_000_000), ANSWERS_WITHIN));
        assert!(!answers(&broker("UP", -1), ANSWERS_WITHIN));
        assert!(!answers(&broker("CONNECT", 50_000), ANSWERS_WITHIN));
    }
}
