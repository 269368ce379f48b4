//! How the connection to the broker is doing, for those who watch and, once per change, for the
//! log. Told in the same words as by the subscriber of `andon-ingest`.

use std::time::{Duration, SystemTime};

use tokio::sync::watch;

/// The state of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// There is no connection, and one is being sought.
    Connecting {
        /// Which attempt it is since the last connection, from 1.
        attempt: u32,
        /// Why the last one failed or was lost.
        last_error: Option<String>,
    },
    /// Connected.
    Connected {
        /// By the wall clock.
        since: SystemTime,
    },
    /// The broker answers and refuses. It is asked again from time to time, but a person has to
    /// change something.
    Refused {
        /// What was refused.
        reason: String,
    },
}

/// Publishes the state. Warns once when it turns bad, not at every attempt.
#[derive(Debug)]
pub(super) struct Reporter {
    broker: String,
    health: watch::Sender<Health>,
    failed_attempts: u32,
}

impl Reporter {
    pub(super) fn new(broker: String) -> (Self, watch::Receiver<Health>) {
        let (health, watching) = watch::channel(Health::Connecting {
            attempt: 1,
            last_error: None,
        });
        let reporter = Self {
            broker,
            health,
            failed_attempts: 0,
        };
        (reporter, watching)
    }

    pub(super) fn connected(&mut self) {
        self.failed_attempts = 0;
        tracing::info!(broker = self.broker, "connected for publishing");
        self.health.send_replace(Health::Connected {
            since: SystemTime::now(),
        });
    }

    /// An attempt failed, or the connection was lost.
    pub(super) fn lost(&mut self, error: String) {
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        let broker = &self.broker;
        let is_news = match &*self.health.borrow() {
            Health::Connecting { last_error, .. } => last_error.is_none(),
            Health::Connected { .. } | Health::Refused { .. } => true,
        };
        if is_news {
            tracing::warn!(broker, "cannot publish, trying again: {error}");
        } else {
            tracing::debug!(broker, "still cannot publish: {error}");
        }
        self.health.send_replace(Health::Connecting {
            attempt: self.failed_attempts.saturating_add(1),
            last_error: Some(error),
        });
    }

    /// The broker refused. The state stays so until it accepts, or cannot be reached.
    pub(super) fn refused(&mut self, reason: &str) {
        let refused = Health::Refused {
            reason: reason.to_owned(),
        };
        if *self.health.borrow() != refused {
            tracing::warn!(broker = self.broker, "refused by the broker: {reason}");
            self.health.send_replace(refused);
        }
    }

    /// How long to wait before the next attempt: from the shortest pause, doubled with each
    /// failure.
    pub(super) fn pause(&self, shortest: Duration, longest: Duration) -> Duration {
        if matches!(*self.health.borrow(), Health::Refused { .. }) {
            return longest;
        }
        let doublings = self.failed_attempts.saturating_sub(1).min(31);
        shortest.saturating_mul(1 << doublings).min(longest)
    }
}
