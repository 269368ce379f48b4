//! What became of what an outlet carries, for whoever measures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How an outlet stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Its name.
    pub outlet: String,
    /// Verdicts, or whatever it carries, taken since the start.
    pub taken: u64,
    /// Those that arrived since the start; what was left from before is among them.
    pub arrived: u64,
    /// Those that the receiver refused for good; they lie in `dead.jsonl` in the outlet's folder.
    pub refused: u64,
    /// Those that fell off a full spool.
    pub lost: u64,
    /// Attempts that failed and were, or will be, made again.
    pub retries: u64,
    /// Those that wait.
    pub waiting: u64,
    /// Whether the last attempt succeeded; true before the first.
    pub is_well: bool,
    /// Why not.
    pub trouble: Option<String>,
}

/// Counts that grow.
#[derive(Debug, Default)]
pub struct Counts {
    taken: AtomicU64,
    arrived: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    retries: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Counts {
    pub(super) fn taken(&self, more: u64) {
        self.taken.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn arrived(&self, more: u64) {
        self.arrived.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, more: u64) {
        self.refused.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn lost(&self, more: u64) {
        self.lost.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Says how the receiver is; returns how it was.
    pub(super) fn trouble(&self, trouble: Option<String>) -> Option<String> {
        let mut held = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut held, trouble)
    }

    pub(super) fn status(&self, outlet: &str, waiting: u64) -> Status {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = trouble.clone();
        Status {
            outlet: outlet.to_owned(),
            taken: read(&self.taken),
            arrived: read(&self.arrived),
            refused: read(&self.refused),
            lost: read(&self.lost),
            retries: read(&self.retries),
            waiting,
            is_well: trouble.is_none(),
            trouble,
        }
    }
}
