//! The end of an epoch: where the lane stands, and its state if that is due.

use std::time::{Duration, Instant};

use super::Lane;
use crate::kafka::journal::EpochRecord;
use crate::kafka::snapshot::{Manifest, Snapshot};

impl Lane {
    /// Whether something has happened that an epoch must hold.
    pub fn is_touched(&self) -> bool {
        self.touched && self.is_live()
    }

    /// Ends an epoch: where the partition stands now, with a snapshot if one is due. Everything
    /// that waits has been run.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn close_epoch(&mut self, snapshot_due: bool) -> anyhow::Result<Option<Snapshot>> {
        self.epoch.epoch += 1;
        self.epoch.next = self.next;
        self.touched = false;
        let is_due = self.snapshot_at.is_none() || snapshot_due;
        let snapshot = is_due.then(|| self.snapshot()).transpose()?;
        if let Some(snapshot) = &snapshot {
            let records = &mut self.draft.records;
            self.journal.snapshot(snapshot, &self.pieces, records)?;
            self.pieces.clone_from(&snapshot.manifest.pieces);
            self.keep_ticks_since(snapshot.manifest.epoch);
        }
        self.journal.epoch(&self.epoch, &mut self.draft.records)?;
        Ok(snapshot)
    }

    fn snapshot(&mut self) -> anyhow::Result<Snapshot> {
        let engine = self.engine.snapshot().map_err(anyhow::Error::msg)?;
        let manifest = Manifest {
            partition: self.partition,
            line: self.epoch.line,
            epoch: self.epoch.epoch,
            next: self.next,
            control: self.measure.position,
            feed: self.intake.feed().state(),
            tally: self.intake.tally().clone(),
            pieces: Vec::new(),
        };
        Snapshot::of(manifest, &self.measure.blueprint, &engine)
    }

    /// Ticks are kept for whoever goes on from this snapshot, or from the one before it.
    fn keep_ticks_since(&mut self, epoch: u64) {
        let this = (epoch, self.next);
        // A change of the plant is in this snapshot only.
        let oldest = match self.snapshot_at {
            None => this,
            Some(_) => self.newest_snapshot,
        };
        self.epoch.oldest = oldest.0;
        self.epoch.ticks.retain(|(at, _)| *at >= oldest.1);
        self.newest_snapshot = this;
        self.snapshot_at = Some(Instant::now());
    }

    /// When the last snapshot was taken, if anything has changed since.
    pub fn snapshot_age(&self) -> Option<Duration> {
        self.snapshot_at
            .filter(|_| self.newest_snapshot.0 < self.epoch.epoch)
            .map(|at| at.elapsed())
    }

    /// What the group holds beside our offset.
    pub fn note(&self) -> Option<&String> {
        self.note.as_ref()
    }

    /// An epoch with this note was committed.
    pub fn was_committed(&mut self, note: Option<String>) {
        self.note = note;
    }

    /// The last epoch.
    pub fn epoch(&self) -> &EpochRecord {
        &self.epoch
    }
}
