//! What is served besides the plant, if it is configured.

use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;

use crate::bundle::{BundleOptions, Bundles};
use crate::decision::DecisionPoint;
use crate::metrics::DecisionMetrics;
use crate::signals::Transmitter;

/// What is served besides the plant.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    /// Bundles for policy engines.
    pub bundles: Option<BundleOptions>,
    /// Decisions.
    pub decisions: Option<Arc<dyn DecisionPoint>>,
    /// Shared signals.
    pub signals: Option<Arc<Transmitter>>,
}

/// The same while it is served.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    pub(super) bundles: Option<Arc<Bundles>>,
    pub(super) decisions: Option<Arc<dyn DecisionPoint>>,
    pub(super) signals: Option<Arc<Transmitter>>,
    /// So many decide at a time as there are processors.
    pub(super) turns: Arc<Semaphore>,
}

impl Offered {
    pub(super) fn of(offers: Offers, metrics: &DecisionMetrics) -> Self {
        let bundles = offers
            .bundles
            .map(|options| Arc::new(Bundles::new(options, metrics.clone())));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self {
            bundles,
            decisions: offers.decisions,
            signals: offers.signals,
            turns: Arc::new(Semaphore::new(processors)),
        }
    }
}
