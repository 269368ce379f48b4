//! Following `andon.audit.v1` and `andon.incidents.v1`: what is decided and found anywhere in the group,
//! for whoever asks this process. Its desks know their own segments only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use andon_console::Board;
use andon_schemas::act::ActKind;
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::chain::Chain;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::Incident;
use andon_schemas::order::{Order, OrderHistory, OrderStep};
use andon_schemas::time::{EventTime, Span};
use anyhow::{Context as _, anyhow};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::names::Names;
use super::settings::Settings;
use crate::wall;

/// How long the cluster is given to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How far back it begins: a command that stands has moved since, as none stands for longer than a
/// week without.
const BACK: Span = Span::DAY.times(8);
/// And so far for incidents, of which one may be open for long and nothing new be found.
const INCIDENTS_BACK: Span = Span::DAY.times(31);
/// At most so many commands of a device that are over are kept.
const OVER_MAX: usize = 16;
/// At most so many steps of a command's life are kept.
const STEPS_MAX: usize = 32;
/// The thread looks this often whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Follows the trail, in a thread of its own.
#[derive(Debug)]
pub struct Trail {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Trail {
    /// Begins some days back.
    ///
    /// # Errors
    /// If the cluster does not answer, or the system gives no thread.
    pub fn follow(settings: &Settings, names: &Names, board: Board) -> anyhow::Result<Self> {
        let consumer = consumer(settings, names)?;
        let audit = names.audit.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name("trail".to_owned())
            .spawn(move || {
                let mut book = Book::default();
                while !told.load(Ordering::Relaxed) {
                    match consumer.poll(LOOK_EVERY) {
                        None => {}
                        Some(Err(error)) => {
                            tracing::warn!("kafka: reading what was decided: {error}");
                        }
                        Some(Ok(message)) => {
                            let payload = message.payload().unwrap_or_default();
                            if message.topic() == &*audit {
                                book.take(payload, &board);
                            } else {
                                incident(payload, &board);
                            }
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

impl Drop for Trail {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It may hang in the client while the cluster is away, and nobody needs it any more.
        drop(self.thread.take());
    }
}

fn consumer(settings: &Settings, names: &Names) -> anyhow::Result<BaseConsumer> {
    let consumer: BaseConsumer = settings
        .client("trail")
        .set("group.id", &settings.group)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set("queued.max.messages.kbytes", "8192")
        .create()
        .context("cannot make the consumer of what was decided")?;
    let mut times = TopicPartitionList::new();
    for (topic, back) in [(&names.audit, BACK), (&names.incidents, INCIDENTS_BACK)] {
        let since = (wall::now() - back).micros() / 1_000;
        begin(&consumer, topic, Offset::Offset(since), &mut times)?;
    }
    let from = consumer
        .offsets_for_times(times, ANSWER_WITHIN)
        .context("cannot ask where to begin with what was decided")?;
    consumer
        .assign(&from)
        .context("cannot read what was decided")?;
    Ok(consumer)
}

/// Adds every partition of a topic, with a time.
fn begin(
    consumer: &BaseConsumer,
    topic: &str,
    since: Offset,
    times: &mut TopicPartitionList,
) -> anyhow::Result<()> {
    let told = consumer
        .fetch_metadata(Some(topic), ANSWER_WITHIN)
        .with_context(|| format!("cannot ask for the partitions of `{topic}`"))?;
    let found = told.topics().first();
    let found = found.ok_or_else(|| anyhow!("the cluster tells nothing of `{topic}`"))?;
    for partition in found.partitions() {
        times.add_partition_offset(topic, partition.id(), since)?;
    }
    Ok(())
}

/// Takes a record about an incident.
fn incident(payload: &[u8], board: &Board) {
    match serde_json::from_slice::<Incident>(payload) {
        Ok(incident) => board.incident(&incident),
        // Nobody but us writes there.
        Err(error) => tracing::error!("a record among the incidents is none: {error}"),
    }
}

/// The commands as the trail tells of them.
#[derive(Debug, Default)]
struct Book {
    of_device: HashMap<DeviceId, Vec<OrderHistory>>,
    chains: BTreeMap<i32, Chain>,
}

impl Book {
    /// Takes a record of the trail.
    fn take(&mut self, payload: &[u8], board: &Board) {
        let entry: AuditEntry = match serde_json::from_slice(payload) {
            Ok(entry) => entry,
            Err(error) => {
                // Nobody but us writes there.
                tracing::error!("a record of the audit trail is none: {error}");
                return;
            }
        };
        self.check(&entry);
        if let Some((device, until)) = held_back(&entry) {
            board.suppressed(device, Some(until));
        }
        if let Some(order) = entry.order {
            let device = order.command.device_id.clone();
            let kept = self.of_device.entry(device.clone()).or_default();
            stand(kept, &order);
            board.commands(&device, kept.clone());
            board.command_moved(&order);
        }
    }

    /// Follows the chain; the first entry of one that is seen is believed.
    fn check(&mut self, entry: &AuditEntry) {
        let Some(number) = entry.chain else { return };
        let begin = || Chain {
            number: entry.link.number.saturating_sub(1),
            last: entry.link.previous.clone(),
        };
        let chain = self.chains.entry(number).or_insert_with(begin);
        if let Err(why) = chain.follow(entry) {
            tracing::error!(chain = number, "the audit trail does not hold: {why}");
            *chain = Chain {
                number: entry.link.number,
                last: entry.link.hash.clone(),
            };
        }
    }
}

/// The device that a person had commands held back about, and until when.
fn held_back(entry: &AuditEntry) -> Option<(&DeviceId, EventTime)> {
    let act = entry.act.as_ref()?;
    match &act.kind {
        ActKind::Suppress { device, hours } if entry.event == AuditEvent::Act => {
            Some((device, entry.at + Span::HOUR.times(i64::from(*hours))))
        }
        _ => None,
    }
}

/// An order stands somewhere else now.
fn stand(kept: &mut Vec<OrderHistory>, order: &Order) {
    let id = &order.command.command_id;
    let at = kept
        .iter()
        .position(|known| known.order.command.command_id == *id);
    let at = at.unwrap_or_else(|| {
        kept.push(OrderHistory {
            order: order.clone(),
            history: Vec::new(),
        });
        kept.len() - 1
    });
    let known = &mut kept[at];
    known.order.clone_from(order);
    known.history.push(OrderStep {
        at: order.updated,
        state: order.state,
        by: order.by.clone(),
        reason: order.note.clone(),
    });
    if known.history.len() > STEPS_MAX {
        // How it began stays.
        known.history.remove(1);
    }
    let over = |known: &OrderHistory| known.order.state.is_over();
    while kept.iter().filter(|known| over(known)).count() > OVER_MAX {
        let Some(oldest) = kept.iter().position(over) else {
            break;
        };
        kept.remove(oldest);
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::act::Act;

    use super::*;

    fn entry(event: AuditEvent, kind: ActKind) -> AuditEntry {
        let at = EventTime::from_micros(1_765_000_000_000_000);
        let mut entry = AuditEntry::new(event, at, Some("operator"), String::new());
        entry.act = Some(Box::new(Act::new("a", "operator", "a repair", kind)));
        entry
    }

    #[test]
    fn what_a_person_held_back_is_known_and_what_was_refused_is_not() {
        let device = DeviceId::new("cnc-1").unwrap();
        let suppress = || ActKind::Suppress {
            device: device.clone(),
            hours: 3,
        };
        let told = entry(AuditEvent::Act, suppress());
        let until = told.at + Span::HOUR.times(3);
        assert_eq!(held_back(&told), Some((&device, until)));
        assert_eq!(held_back(&entry(AuditEvent::ActRefused, suppress())), None);
        let released = ActKind::ReleaseDevice {
            device: device.clone(),
        };
        assert_eq!(held_back(&entry(AuditEvent::Act, released)), None);
    }
}
