//! Whether the pipeline is alive and ready, told by the main loop and read by the server.
//!
//! *Alive* means that the main loop makes progress: a process whose sockets answer while its loop
//! is stuck is not alive. *Ready* means that it is alive and every named condition holds.

mod clock;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::clock::Clock;

/// The condition that stands for the main loop itself. It is not registered, but watched.
const PROGRESS: &str = "progress";

/// Health of one pipeline. Clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    stalled_after: Duration,
    /// Time of the last beat, nanoseconds. Apart from the rest, because it is written at every turn
    /// of the main loop.
    last_beat: AtomicU64,
    /// The log knows that the loop stands.
    stall_told: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    conditions: Vec<Condition>,
    /// When every condition began to hold, or when the loop went on after a stall; `None` while a
    /// condition does not hold.
    ready_since: Option<Duration>,
    /// Ready time up to `ready_since`.
    ready_before: Duration,
    first_ready: Option<Duration>,
}

#[derive(Debug)]
struct Condition {
    name: &'static str,
    /// Since when it does not hold, and why not.
    unmet: Option<(Duration, String)>,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Its name; `progress` for the main loop.
    pub condition: &'static str,
    /// Why it does not hold.
    pub reason: String,
    /// For how long it has not held.
    pub lasting: Duration,
}

/// Whether the main loop makes progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// It does.
    pub live: bool,
    /// How long ago the last beat was.
    pub last_beat: Duration,
    /// How long ago it may be.
    pub limit: Duration,
}

/// How much of the time the pipeline was ready, counted from the first time it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// Time in which it was ready.
    pub ready: Duration,
    /// All the time.
    pub total: Duration,
}

impl Availability {
    /// The share of the time in which it was ready, 0 to 1; `None` if it never was.
    pub fn share(self) -> Option<f64> {
        (!self.total.is_zero()).then(|| self.ready.as_secs_f64() / self.total.as_secs_f64())
    }
}

impl Health {
    /// How old the last beat may usually be.
    pub const STALLED_AFTER: Duration = Duration::from_secs(30);

    /// Health of a pipeline that has just started: alive, and not ready for the given reason by
    /// any of the given conditions. A pipeline without conditions is ready at once.
    pub fn new(conditions: &[(&'static str, &str)], stalled_after: Duration) -> Self {
        Self::with_clock(conditions, stalled_after, Clock::monotonic())
    }

    /// The same by another clock.
    pub fn with_clock(
        conditions: &[(&'static str, &str)],
        stalled_after: Duration,
        clock: Clock,
    ) -> Self {
        let now = clock.now();
        let ready_since = conditions.is_empty().then_some(now);
        let not_yet = |&(name, reason): &(&'static str, &str)| Condition {
            name,
            unmet: Some((now, reason.to_owned())),
        };
        Self(Arc::new(Shared {
            clock,
            stalled_after,
            last_beat: AtomicU64::new(nanos(now)),
            stall_told: AtomicBool::new(false),
            state: Mutex::new(State {
                conditions: conditions.iter().map(not_yet).collect(),
                ready_since,
                ready_before: Duration::ZERO,
                first_ready: ready_since,
            }),
        }))
    }

    /// The main loop has got round. Cheap enough for every turn.
    pub fn beat(&self) {
        let now = self.0.clock.now();
        if self.alive_until() < now {
            self.go_on_after_stall(now);
        } else {
            self.0.last_beat.fetch_max(nanos(now), Ordering::Relaxed);
        }
    }

    /// The time beyond the limit was not ready time, whatever the conditions say.
    fn go_on_after_stall(&self, now: Duration) {
        let mut state = self.state();
        if self.alive_until() >= now {
            // Another thread has just said so.
            return;
        }
        let stood = now.saturating_sub(self.last_beat());
        state.settle(self.alive_until());
        if state.ready_since.is_some() {
            state.ready_since = Some(now);
        }
        self.0.last_beat.fetch_max(nanos(now), Ordering::Relaxed);
        self.0.stall_told.store(false, Ordering::Relaxed);
        tracing::warn!("the main loop goes on: it had made no progress for {stood:.1?}");
    }

    /// The condition holds.
    ///
    /// A name that was not registered is added, here and in [`not_ready`](Self::not_ready): under
    /// a mistyped name the registered condition would go on to be reported, and be found.
    pub fn ready(&self, condition: &'static str) {
        let now = self.0.clock.now();
        let mut state = self.state();
        let Some((since, reason)) = state.condition(condition).unmet.take() else {
            return;
        };
        let lasted = now.saturating_sub(since);
        tracing::info!(condition, "holds now, after {lasted:.1?} of `{reason}`");
        if state.conditions.iter().all(|c| c.unmet.is_none()) {
            state.ready_since = Some(now);
            state.first_ready.get_or_insert(now);
            tracing::info!("ready");
        }
    }

    /// The condition does not hold, for a reason that an operator understands. Said again, it
    /// changes the reason and not the time since when.
    pub fn not_ready(&self, condition: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        let now = self.0.clock.now();
        let ended = now.min(self.alive_until());
        let mut state = self.state();
        let known = state.condition(condition);
        if let Some((_, known)) = &mut known.unmet {
            if *known != reason {
                tracing::debug!(condition, "still does not hold: {reason}");
                *known = reason;
            }
            return;
        }
        tracing::warn!(condition, "does not hold: {reason}");
        known.unmet = Some((now, reason));
        state.settle(ended);
        state.ready_since = None;
    }

    /// Whether the main loop makes progress. The first who learns that it does not puts it in the
    /// log, as the loop itself cannot.
    pub fn liveness(&self) -> Liveness {
        let last_beat = self.0.clock.now().saturating_sub(self.last_beat());
        let live = last_beat <= self.0.stalled_after;
        if !live && !self.0.stall_told.swap(true, Ordering::Relaxed) {
            tracing::error!("the main loop has made no progress for {last_beat:.1?}");
        }
        Liveness {
            live,
            last_beat,
            limit: self.0.stalled_after,
        }
    }

    /// Whether the pipeline is alive and every condition holds.
    pub fn is_ready(&self) -> bool {
        self.liveness().live && self.state().ready_since.is_some()
    }

    /// What keeps the pipeline from being ready; nothing if it is. A stalled main loop comes
    /// first, the conditions in the order they were registered in.
    pub fn unmet(&self) -> Vec<Unmet> {
        let liveness = self.liveness();
        let stalled = (!liveness.live).then(|| Unmet {
            condition: PROGRESS,
            reason: format!(
                "the main loop has made no progress for {:.1?}",
                liveness.last_beat
            ),
            lasting: liveness.last_beat,
        });
        let now = self.0.clock.now();
        let state = self.state();
        let conditions = state.conditions.iter().filter_map(|condition| {
            let (since, reason) = condition.unmet.as_ref()?;
            Some(Unmet {
                condition: condition.name,
                reason: reason.clone(),
                lasting: now.saturating_sub(*since),
            })
        });
        stalled.into_iter().chain(conditions).collect()
    }

    /// How much of the time since it was first ready the pipeline was so.
    pub fn availability(&self) -> Availability {
        let now = self.0.clock.now();
        let state = self.state();
        let Some(first_ready) = state.first_ready else {
            return Availability::default();
        };
        Availability {
            ready: state.ready_until(now.min(self.alive_until())),
            total: now.saturating_sub(first_ready),
        }
    }

    fn last_beat(&self) -> Duration {
        Duration::from_nanos(self.0.last_beat.load(Ordering::Relaxed))
    }

    fn alive_until(&self) -> Duration {
        self.last_beat().saturating_add(self.0.stalled_after)
    }

    /// Nothing that is done under the lock can leave it half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn condition(&mut self, name: &'static str) -> &mut Condition {
        let known = self.conditions.iter().position(|c| c.name == name);
        let index = known.unwrap_or(self.conditions.len());
        if known.is_none() {
            self.conditions.push(Condition { name, unmet: None });
        }
        &mut self.conditions[index]
    }

    fn ready_until(&self, now: Duration) -> Duration {
        let lasting = self
            .ready_since
            .map_or(Duration::ZERO, |since| now.saturating_sub(since));
        self.ready_before.saturating_add(lasting)
    }

    /// Books the ready time that ended `now`.
    fn settle(&mut self, now: Duration) {
        self.ready_before = self.ready_until(now);
    }
}

/// 584 years of them fit.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
