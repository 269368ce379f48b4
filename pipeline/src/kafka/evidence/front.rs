//! How far a partition has been read, and what time it is in it.

use std::time::{Duration, Instant};

use andon_schemas::time::EventTime;

use crate::evidence::AFTER;

/// So many records of a partition are looked through for one at most.
const LOOKED_THROUGH_MAX: i64 = 50_000_000;

/// A partition that is read.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) next: i64,
    /// Largest event time since it was begun with.
    pub(super) newest: EventTime,
    /// Records since one last said what time it is.
    pub(super) untimed: u32,
    /// It was read to its end then, and nothing came since.
    pub(super) ended: Option<Instant>,
}

impl Front {
    /// Begins at an offset.
    pub(super) fn at(next: i64) -> Self {
        Self {
            next,
            newest: EventTime::MIN,
            untimed: 0,
            ended: None,
        }
    }

    /// Whether so much was looked through for what begins there and ends then that it is enough, with
    /// some of it left.
    pub(super) fn has_cut(&self, until: EventTime, first: i64) -> bool {
        self.newest <= until && self.next > first + LOOKED_THROUGH_MAX
    }

    /// Whether it was read far enough for what begins there and ends then.
    pub(super) fn has_passed(&self, until: EventTime, first: i64, is_last: bool) -> bool {
        if self.next < first {
            return false;
        }
        if self.newest > until || self.has_cut(until, first) {
            return true;
        }
        // Where nothing comes, time goes on by the wall clock.
        let passed = self.ended.map(|ended| ended.elapsed());
        let left = until.since(self.newest.max(until - AFTER)).micros().max(0);
        let left = Duration::from_micros(left.unsigned_abs());
        passed.is_some_and(|passed| is_last || passed > left)
    }
}
