//! How a bridge is doing, for whoever asks over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use andon_console::{Health, Metrics, Running, Server};
use tokio::runtime::Runtime;

use super::counts::Counts;
use crate::exit::usage;

/// Kafka has trouble if it has not acknowledged something for so long.
pub const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);
/// How long current answers may take to get out when the bridge ends.
const ANSWERED_WITHIN: Duration = Duration::from_millis(500);

/// How a bridge is doing.
pub struct Vitals {
    health: Health,
    /// What was counted and measured.
    pub metrics: Metrics,
    server: Option<Running>,
}

impl std::fmt::Debug for Vitals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vitals").finish_non_exhaustive()
    }
}

impl Vitals {
    /// None of the conditions holds yet; served on an address, if there is one.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(
        conditions: &[&'static str],
        address: Option<&str>,
        runtime: &Runtime,
    ) -> anyhow::Result<Self> {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|name| (*name, "not reached yet"))
            .collect();
        let health = Health::new(&conditions, Health::STALLED_AFTER);
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let server = address
            .map(|address| -> anyhow::Result<Running> {
                let server = Server::bind(address, health.clone(), metrics.clone());
                Ok(server.map_err(usage)?.spawn(runtime.handle())?)
            })
            .transpose()?;
        Ok(Self {
            health,
            metrics,
            server,
        })
    }

    /// Where it is served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(Running::local_addr)
    }

    /// The loop goes on.
    pub fn beat(&self) {
        self.health.beat();
    }

    /// A condition holds, unless there is trouble with it.
    pub fn tell(&self, condition: &'static str, trouble: Option<String>) {
        match trouble {
            None => self.health.ready(condition),
            Some(reason) => self.health.not_ready(condition, reason),
        }
    }

    /// So much more is out.
    pub fn moved(&self, counts: &Counts) {
        self.metrics.records(counts.records);
        self.metrics.observations(counts.rows);
        for (reason, n) in &counts.rejects {
            self.metrics.rejected(*reason, *n);
        }
    }

    /// Why it was never ready, if it never was.
    pub fn never_ready(&self) -> Option<String> {
        if self.health.availability().share().is_some() {
            return None;
        }
        let unmet = self.health.unmet();
        let unmet = unmet
            .iter()
            .map(|u| format!("{}: {}", u.condition, u.reason));
        Some(unmet.collect::<Vec<_>>().join("; "))
    }

    /// Serves nobody any more.
    pub fn stop(self, runtime: &Runtime) {
        if let Some(server) = self.server {
            runtime.block_on(server.shutdown(ANSWERED_WITHIN));
        }
    }
}
