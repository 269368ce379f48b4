//! Taking up partitions: the newest usable snapshot of each, from the local disk or the cluster,
//! and from there to where the last epoch ended.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use andon_ingest::kafka::Reader;
use anyhow::{Context as _, anyhow, bail};
use rdkafka::ClientConfig;

use super::address::Producers;
use super::journal::{self, EpochRecord, Kept};
use super::lane::Lane;
use super::measure::Measure;
use super::names::Names;
use super::recall::{Recall, Recalled, Restoring};
use super::shelf::Shelf;
use super::snapshot::Snapshot;

/// What is needed to take up a partition.
#[derive(Clone, Debug)]
pub struct Restorer {
    /// How to reach the cluster.
    pub client: ClientConfig,
    /// The consumer group, which this one does not join.
    pub group: String,
    /// The topics.
    pub names: Names,
    /// Snapshots on the local disk.
    pub shelf: Shelf,
    /// What lanes are measured against.
    pub setting: Measure,
    /// What is known of whoever produces the observations, and into how many partitions.
    pub producers: Producers,
    /// Whether what cannot be gone on from is left behind.
    pub allow_gap: bool,
}

impl Restorer {
    /// Takes up partitions in a thread of its own.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn start(
        &self,
        reader: &Arc<Reader>,
        partitions: Vec<i32>,
    ) -> anyhow::Result<Restoring<Vec<Lane>>> {
        let (restorer, reader) = (self.clone(), reader.clone());
        Restoring::start(partitions, move |partitions, stop| {
            restorer.restore(&reader, partitions, stop)
        })
    }

    fn restore(
        &self,
        reader: &Reader,
        partitions: &[i32],
        stop: &AtomicBool,
    ) -> anyhow::Result<Vec<Lane>> {
        let recall = Recall {
            client: self.client.clone(),
            group: self.group.clone(),
            topic: self.names.state.clone(),
            wanted: journal::is_ours,
            // What is damaged is told when the lane is made.
            end: |values| Some(Kept(values).epoch().ok()??.next),
        };
        let recalled = recall.of(reader, partitions, stop)?;
        recalled
            .iter()
            .map(|(partition, recalled)| {
                let mut lane = self
                    .lane(*partition, recalled)
                    .with_context(|| format!("cannot take up partition {partition}"))?;
                lane.was_committed(recalled.note.clone());
                Ok(lane)
            })
            .collect()
    }

    fn lane(&self, partition: i32, recalled: &Recalled) -> anyhow::Result<Lane> {
        let Recalled {
            committed,
            low,
            ref values,
            ..
        } = *recalled;
        let kept = Kept(values);
        let epoch = self.last_epoch(partition, &kept)?;
        let Some(epoch) = epoch else {
            return match committed {
                None => self.begin(partition, low),
                Some(at) if self.allow_gap => self.begin(partition, at.max(low)),
                Some(at) => bail!(
                    "its offset {at} is committed, and `{}` holds nothing of it: was that topic \
                     made anew? With --allow-state-gap the partition is taken up there, and what \
                     was learned of its devices begins anew",
                    self.names.state
                ),
            };
        };
        if let Some(committed) = committed.filter(|committed| *committed > epoch.next) {
            bail!(
                "its offset {committed} is committed, and its state ends at {}: the transaction \
                 that holds the rest is not decided yet, or `{}` lost records",
                epoch.next,
                self.names.state
            );
        }
        if epoch.partitions != self.producers.partitions {
            return Err(divided_anew(epoch.partitions, self.producers.partitions));
        }
        let in_journal = kept.snapshot();
        let pieces = match &in_journal {
            Ok(Some(snapshot)) => snapshot.manifest.pieces.clone(),
            _ => Vec::new(),
        };
        let found = self.newest(partition, &epoch, in_journal);
        let snapshot = match found {
            // With nothing to repeat, nothing that is gone is missed: what stood at this offset may
            // have been the marker of a transaction.
            Some(snapshot) if snapshot.manifest.next >= low.min(epoch.next) => snapshot,
            _ if self.allow_gap => return self.begin(partition, epoch.next.max(low)),
            Some(snapshot) => bail!(
                "its newest state was taken before offset {}, and the oldest record that is left \
                 is {low}: the topic's retention is shorter than the time nothing ran. With \
                 --allow-state-gap it is taken up at {}, and what was learned of its devices \
                 begins anew",
                snapshot.manifest.next,
                epoch.next.max(low)
            ),
            None => bail!(
                "no snapshot of it can be used, neither in `{}` nor on this disk (the reasons are \
                 in the log). With --allow-state-gap it is taken up at offset {}, and what was \
                 learned of its devices begins anew",
                self.names.state,
                epoch.next
            ),
        };
        let (names, current) = (&self.names, &self.setting);
        let now = Instant::now();
        let mut lane = Lane::resume(
            &snapshot,
            epoch,
            pieces,
            names,
            self.producers,
            current,
            now,
        )?;
        lane.skip_to(low);
        Ok(lane)
    }

    /// Where the last epoch ended; `None` if there was none, or if it does not matter.
    fn last_epoch(&self, partition: i32, kept: &Kept<'_>) -> anyhow::Result<Option<EpochRecord>> {
        match kept.epoch() {
            Ok(epoch) => Ok(epoch),
            Err(error) if self.allow_gap => {
                tracing::error!("partition {partition}: {error:#}");
                Ok(None)
            }
            Err(error) => bail!(
                "{error:#}, in `{}`: somebody else writes there, or a newer andon did. With \
                 --allow-state-gap the partition is taken up at what was committed, and what was \
                 learned of its devices begins anew",
                self.names.state
            ),
        }
    }

    /// The newest snapshot that can be gone on from.
    fn newest(
        &self,
        partition: i32,
        epoch: &EpochRecord,
        in_journal: anyhow::Result<Option<Snapshot>>,
    ) -> Option<Snapshot> {
        let usable = |snapshot: &Snapshot| {
            let manifest = &snapshot.manifest;
            manifest.partition == partition
                && manifest.line == epoch.line
                && (epoch.oldest..=epoch.epoch).contains(&manifest.epoch)
        };
        let mut candidates = Vec::new();
        match self.shelf.find(partition) {
            Ok(found) => {
                for found in found {
                    match found.snapshot {
                        Ok(snapshot) => candidates.extend(Some(snapshot).filter(usable)),
                        Err(error) => tracing::error!(
                            "`{}` cannot be used: {error:#}; an older state is gone on from",
                            found.path.display()
                        ),
                    }
                }
            }
            Err(error) => tracing::error!("the snapshots on the disk cannot be read: {error}"),
        }
        match in_journal {
            Ok(snapshot) => candidates.extend(snapshot.filter(usable)),
            Err(error) => tracing::error!(
                "the snapshot of partition {partition} in `{}` cannot be used: {error:#}",
                self.names.state
            ),
        }
        candidates.into_iter().max_by_key(|s| s.manifest.epoch)
    }

    /// A lane that begins with nothing.
    fn begin(&self, partition: i32, next: i64) -> anyhow::Result<Lane> {
        let begin = EpochRecord {
            line: new_line()?,
            partitions: self.producers.partitions,
            next,
            ..EpochRecord::default()
        };
        Ok(Lane::new(
            partition,
            &self.names,
            self.producers,
            &self.setting,
            begin,
        ))
    }
}

/// The observations are divided into another number of partitions than before.
pub fn divided_anew(before: usize, now: usize) -> anyhow::Error {
    anyhow!(
        "the observations had {before} partitions and have {now} now, so devices have moved to \
         others, away from what was learned of them. Begin anew: stop all runs, make topics under \
         another `prefix` with `andon topics create`, and move the producers there"
    )
}

fn new_line() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no randomness for a name: {e}"))?;
    Ok(u64::from_be_bytes(bytes))
}
