//! The end of what carries: whoever waits for a receiver looks whether it has come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An end that may come. All clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Ending(Arc<State>);

#[derive(Debug, Default)]
struct State {
    closing: AtomicBool,
    end: Mutex<Option<Instant>>,
    ended: Condvar,
}

impl Ending {
    /// One that comes after so long, before which nobody need hurry.
    pub fn after(patience: Duration) -> Self {
        let ending = Self::default();
        ending.set(patience);
        ending
    }

    fn set(&self, patience: Duration) -> Instant {
        let end = self.0.end.lock();
        let mut end = end.unwrap_or_else(PoisonError::into_inner);
        *end.get_or_insert_with(|| Instant::now() + patience)
    }

    /// It comes within so long, unless it was to come already; returns when.
    pub(super) fn close_within(&self, patience: Duration) -> Instant {
        let end = self.set(patience);
        self.0.closing.store(true, Ordering::Release);
        self.0.ended.notify_all();
        end
    }

    /// Whether everything is to end once all has arrived.
    pub fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// Whether it is to end at once.
    pub fn is_over(&self) -> bool {
        let end = self.0.end.lock();
        let end = end.unwrap_or_else(PoisonError::into_inner);
        end.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits, unless it is to end.
    pub(super) fn rest(&self, time: Duration) {
        let end = self.0.end.lock();
        let end = end.unwrap_or_else(PoisonError::into_inner);
        let is_open = |end: &mut Option<Instant>| end.is_none();
        drop(self.0.ended.wait_timeout_while(end, time, is_open));
    }
}
