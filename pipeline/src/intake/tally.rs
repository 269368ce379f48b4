//! Where every record went.

use std::collections::{BTreeMap, VecDeque};

use andon_schemas::reject::RejectReason;
use serde::{Deserialize, Serialize};

/// Where every record went: `records = observed + rejects`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Records that came in.
    pub records: u64,
    /// Records that yielded at least one observation.
    pub observed: u64,
    /// Records that yielded none, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
}

impl Tally {
    /// Counts a rejected record.
    pub fn reject(&mut self, reason: RejectReason) {
        self.records += 1;
        *self.rejects.entry(reason).or_default() += 1;
    }

    /// Adds what another partition's records came to.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.observed += other.observed;
        for (reason, n) in &other.rejects {
            *self.rejects.entry(*reason).or_default() += n;
        }
    }

    /// Counts a record that yields rows.
    pub(super) fn observe(&mut self) {
        self.records += 1;
        self.observed += 1;
    }

    /// A record that was counted as observed turned out to yield nothing: the engine refused it.
    pub(super) fn refused(&mut self, reason: RejectReason) {
        self.observed = self.observed.saturating_sub(1);
        *self.rejects.entry(reason).or_default() += 1;
    }

    /// Whether every record is accounted for.
    pub fn adds_up(&self) -> bool {
        self.records == self.observed + self.rejects.values().sum::<u64>()
    }
}

/// A record of several rows: it is a reject only if the engine refuses all of them.
#[derive(Debug)]
struct One {
    /// Ordinal of its first row.
    first: u64,
    rows: u64,
    refused: u64,
}

/// Records of several rows of which the engine has not seen all yet, in order.
#[derive(Debug, Default)]
pub(super) struct Several(VecDeque<One>);

impl Several {
    /// A record comes with so many rows, the first of which gets this ordinal.
    #[inline]
    pub(super) fn take(&mut self, first: u64, rows: usize) {
        if rows > 1 {
            self.0.push_back(One {
                first,
                rows: rows as u64,
                refused: 0,
            });
        }
    }

    /// The engine refused a row. Whether nothing is left of its record now.
    pub(super) fn refuse(&mut self, ordinal: u64) -> bool {
        let at = self.0.partition_point(|record| record.first <= ordinal);
        let record = at.checked_sub(1).and_then(|at| self.0.get_mut(at));
        match record.filter(|record| ordinal - record.first < record.rows) {
            Some(record) => {
                record.refused += 1;
                record.refused == record.rows
            }
            None => true,
        }
    }

    /// The engine has seen all rows below this ordinal: a record may be cut by the end of a bundle.
    pub(super) fn settle(&mut self, below: u64) {
        let is_done = |record: &One| record.first + record.rows <= below;
        while self.0.front().is_some_and(is_done) {
            self.0.pop_front();
        }
    }
}
