//! Epochs on their way: one at a time, tried again until it is committed or no longer ours.

use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_emit::kafka::{Epoch, NextOffset, Outcome, Outgoing};
use andon_ingest::kafka::Reader;
use anyhow::bail;

use super::sink::Sink;

/// How long the client may take to hear from the group what its offsets show already.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
/// How long is waited until we are somebody in the group again.
const PAUSE: Duration = Duration::from_millis(10);

/// What one partition gives to an epoch.
#[derive(Debug)]
pub struct Part<X> {
    /// The partition.
    pub partition: i32,
    /// Its records, in order.
    pub records: Arc<Vec<Outgoing>>,
    /// Where the group is to go on.
    pub offset: NextOffset,
    /// What is to be known once it is committed.
    pub with: X,
}

/// An epoch that is not known to be committed yet.
#[derive(Debug)]
struct Pending<X> {
    parts: Vec<Part<X>>,
    since: Instant,
    /// It was refused, or not given away yet.
    again: bool,
    /// A partition of it that another process has committed, and since when that is known.
    taken: Option<(i32, Instant)>,
}

/// What became of an epoch.
#[derive(Debug)]
pub enum Settled<X> {
    /// Nothing is known yet, or there is none.
    Not,
    /// It was committed so long after it had begun.
    Committed(Vec<Part<X>>, Duration),
    /// It was refused, and is tried again.
    Refused,
}

/// The epochs of one consumer.
#[derive(Debug)]
pub struct Epochs<X> {
    sink: Sink,
    topic: Arc<str>,
    pending: Option<Pending<X>>,
}

impl<X> Epochs<X> {
    /// Of what is read from a topic, into a sink.
    pub fn new(sink: Sink, topic: Arc<str>) -> Self {
        Self {
            sink,
            topic,
            pending: None,
        }
    }

    /// How long the epoch that is under way has been.
    pub fn age(&self) -> Option<Duration> {
        self.pending.as_ref().map(|pending| pending.since.elapsed())
    }

    /// Hands records over at once, if the sink does not wait for the end of the epoch.
    ///
    /// # Errors
    /// If they cannot be sent.
    pub fn hand_over(&mut self, records: &mut Vec<Outgoing>) -> anyhow::Result<()> {
        self.sink.hand_over(records)
    }

    /// Records that are neither committed nor acknowledged yet: of the epoch under way, and handed
    /// over without one.
    ///
    /// # Errors
    /// If one never will be.
    pub fn in_flight(&self) -> anyhow::Result<usize> {
        let parts = self.pending.iter().flat_map(|pending| &pending.parts);
        let pending: usize = parts.map(|part| part.records.len()).sum();
        Ok(pending + self.sink.in_flight()?)
    }

    /// Begins with the next one. None may be under way.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn begin(&mut self, parts: Vec<Part<X>>, reader: &Reader) -> anyhow::Result<()> {
        self.pending = Some(Pending {
            parts,
            since: Instant::now(),
            again: true,
            taken: None,
        });
        self.submit(reader)
    }

    /// Gives the pending one to the sink, as whoever we are in the group now.
    fn submit(&mut self, reader: &Reader) -> anyhow::Result<()> {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.again) else {
            return Ok(());
        };
        if pending.parts.is_empty() {
            self.pending = None;
            return Ok(());
        }
        if let Some((partition, since)) = pending.taken {
            if pending.parts.iter().any(|part| part.partition == partition) {
                // The group is about to say so, too. If it never does, its client has not noticed.
                if since.elapsed() > NOTICED_WITHIN {
                    bail!(
                        "partition {partition} was taken up by another process while this one was \
                         away; nothing of it was said twice. Start again to go on with what is ours"
                    );
                }
                return Ok(());
            }
            pending.taken = None;
        }
        // Between being told off and being told why, we are nobody.
        let Some(group) = reader.group().filter(|_| !reader.is_lost()) else {
            return Ok(());
        };
        pending.again = false;
        self.sink.submit(Epoch {
            records: pending.parts.iter().map(|p| p.records.clone()).collect(),
            topic: self.topic.to_string(),
            offsets: pending.parts.iter().map(|p| p.offset.clone()).collect(),
            group,
        })
    }

    /// What became of the one under way, waiting for it at most so long.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn settle(&mut self, reader: &Reader, within: Duration) -> anyhow::Result<Settled<X>> {
        if self.pending.as_ref().is_some_and(|pending| pending.again) {
            self.submit(reader)?;
            if self.pending.as_ref().is_some_and(|pending| pending.again) {
                std::thread::sleep(within.min(PAUSE));
            }
            return Ok(Settled::Not);
        }
        let Some(outcome) = self.sink.outcome(within)? else {
            return Ok(Settled::Not);
        };
        let Some(mut pending) = self.pending.take() else {
            return Ok(Settled::Not);
        };
        match outcome {
            Outcome::Committed => {
                let took = pending.since.elapsed();
                tracing::debug!(parts = pending.parts.len(), ?took, "kafka: committed");
                Ok(Settled::Committed(pending.parts, took))
            }
            Outcome::Aborted { reason, outdated } => {
                if outdated {
                    // The group divides its partitions anew; what is still ours goes again.
                    tracing::debug!("kafka: an epoch was refused by the group: {reason}");
                } else {
                    tracing::warn!("kafka: an epoch was not committed: {reason}");
                }
                pending.again = true;
                self.pending = Some(pending);
                Ok(Settled::Refused)
            }
            Outcome::Hopeless { reason } => bail!(
                "what comes next can never be committed, so nothing of it is out: {reason}. Start \
                 again then; nothing is lost as long as `{}` keeps its records",
                self.topic
            ),
            Outcome::Taken { partition } => {
                tracing::warn!("kafka: partition {partition} is another process's by now");
                pending.again = true;
                pending.taken = Some((partition, Instant::now()));
                self.pending = Some(pending);
                Ok(Settled::Refused)
            }
        }
    }

    /// Leaves out partitions that are no longer ours, should the one under way be tried again. If
    /// it is still committed, the group agreed.
    pub fn forget(&mut self, partitions: &[i32]) {
        if let Some(pending) = &mut self.pending {
            pending
                .parts
                .retain(|part| !partitions.contains(&part.partition));
        }
    }
}
