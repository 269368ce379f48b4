//! What outlets carry to SIEMs and to people, and what does not get there.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Count, Metrics};

/// Whom an outlet serves, `siem` or `notify`, and the name that it was given.
type Labels = [(&'static str, String); 2];

/// How an outlet stands: counts since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletStanding {
    /// Whom it serves: `siem` or `notify`.
    pub kind: &'static str,
    /// Its name.
    pub outlet: String,
    /// What it was given.
    pub taken: u64,
    /// What arrived.
    pub arrived: u64,
    /// What the receiver refused for good.
    pub refused: u64,
    /// What fell off a full spool.
    pub lost: u64,
    /// Attempts that failed and are made again.
    pub retries: u64,
    /// What waits.
    pub waiting: u64,
    /// Whether the last attempt succeeded.
    pub is_well: bool,
}

/// How outlets stand. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct OutletMetrics {
    taken: Family<Labels, Counter>,
    arrived: Family<Labels, Counter>,
    refused: Family<Labels, Counter>,
    lost: Family<Labels, Counter>,
    retries: Family<Labels, Counter>,
    waiting: Family<Labels, Count>,
    well: Family<Labels, Count>,
}

impl OutletMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let counters = [
            ("outlet_taken", "What an outlet was given", &self.taken),
            (
                "outlet_arrived",
                "What arrived at its receiver",
                &self.arrived,
            ),
            (
                "outlet_refused",
                "What the receiver refused for good, and was put aside",
                &self.refused,
            ),
            ("outlet_lost", "What fell off a full spool", &self.lost),
            (
                "outlet_retries",
                "Attempts that failed and are made again",
                &self.retries,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "outlet_waiting",
            "What waits to be carried",
            self.waiting.clone(),
        );
        registry.register(
            "outlet_up",
            "Whether the last attempt to reach the receiver succeeded",
            self.well.clone(),
        );
    }
}

impl Metrics {
    /// How an outlet stands now.
    pub fn outlet(&self, standing: OutletStanding) {
        let labels = [
            ("kind", standing.kind.to_owned()),
            ("outlet", standing.outlet),
        ];
        let metrics = &self.outlets;
        for (family, count) in [
            (&metrics.taken, standing.taken),
            (&metrics.arrived, standing.arrived),
            (&metrics.refused, standing.refused),
            (&metrics.lost, standing.lost),
            (&metrics.retries, standing.retries),
        ] {
            let counter = family.get_or_create(&labels);
            counter.inner().store(count, Ordering::Relaxed);
        }
        metrics.waiting.get_or_create(&labels).set(standing.waiting);
        let well = u64::from(standing.is_well);
        metrics.well.get_or_create(&labels).set(well);
    }
}
