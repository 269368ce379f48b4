//! How the pipeline is doing, told by it about once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use andon_schemas::time::EventTime;

use super::Board;
use super::wire::{FullStatus, Status, UnmetView};
use crate::health::Health;

/// What the pipeline tells about once a second.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// Event time of the newest data.
    pub newest: Option<EventTime>,
    /// How far that lies behind the clock, milliseconds; `None` where plant time is not wall time.
    pub lag_ms: Option<i64>,
    /// The source is there: silence means that nothing happens.
    pub connected: bool,
    /// Records since the last time. What was counted before this process, or by another one, is none
    /// of them.
    pub fresh: u64,
    /// What was counted so far.
    pub totals: Totals,
}

/// What was counted since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Records of which nothing was used, by reason.
    pub rejects: BTreeMap<String, u64>,
    /// Observations that came too late for their window.
    pub late: u64,
    /// Observations that came twice.
    pub duplicates: u64,
}

impl Board {
    /// Takes how the pipeline is doing.
    pub fn pulse(&self, pulse: Pulse, since_last_s: f64) {
        let shared = &self.0;
        if let Some(newest) = pulse.newest {
            shared.newest.fetch_max(newest.micros(), Ordering::Relaxed);
        }
        if pulse.connected {
            let now = u64::try_from(shared.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            shared.connected_ms.fetch_max(now, Ordering::Relaxed);
        }
        #[expect(clippy::cast_precision_loss, reason = "records of a second")]
        let rate = if since_last_s > 0.0 {
            (pulse.fresh as f64 / since_last_s * 10.0).round() / 10.0
        } else {
            0.0
        };
        let status = Status {
            at: self.newest(),
            events_per_second: rate,
            lag_ms: pulse.lag_ms,
            ready: false,
            unmet: Vec::new(),
            records: pulse.totals.records,
            rejects: pulse.totals.rejects.values().sum(),
            verdicts_open: self.book().open_count() as u64,
            verdicts_elsewhere: self.open_elsewhere() as u64,
            waiting_approvals: None,
            mode: shared.floor.load().mode,
            clients: 0,
        };
        shared.totals.store(Arc::new(pulse.totals));
        shared.status.store(Arc::new(status));
    }

    /// How the pipeline is doing now.
    pub(crate) fn status(&self, health: &Health) -> Status {
        let mut status = Status::clone(&self.0.status.load());
        status.mode = self.0.floor.load().mode;
        status.clients = self.0.clients.load(Ordering::Relaxed);
        status.waiting_approvals = self.desk().map(|_| self.orders().waiting());
        let unmet = health.unmet().into_iter().map(|unmet| UnmetView {
            condition: unmet.condition.to_owned(),
            reason: unmet.reason,
        });
        status.unmet = unmet.collect();
        status.ready = status.unmet.is_empty();
        if !health.liveness().live {
            // Whoever hangs cannot say how fast.
            (status.events_per_second, status.lag_ms) = (0.0, None);
        }
        status
    }

    /// The same with what only people ask for.
    pub(crate) fn full_status(&self, health: &Health) -> FullStatus {
        let totals = self.0.totals.load();
        FullStatus {
            status: self.status(health),
            rejects_by_reason: totals.rejects.clone(),
            version: self.0.version.clone(),
            uptime_s: self.0.began.elapsed().as_secs(),
            late: totals.late,
            duplicates: totals.duplicates,
            slow_clients: self.0.slow_clients.load(Ordering::Relaxed),
            shed: self.book().shed,
        }
    }
}
