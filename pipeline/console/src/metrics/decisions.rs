//! What decision points are told, and what the one in this process decides.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Count, Family, Label, counted_by};

/// Upper bounds of the time from a change to its arrival, seconds; 100 ms is the goal.
const PUSH_BUCKETS: [f64; 12] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0,
];

/// Upper bounds of what a decision may take, seconds; 1 ms is the goal, 5 ms the limit.
const DECISION_BUCKETS: [f64; 11] = [
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0,
];

/// How pushes to a policy engine went, and what was decided here. Clones share it.
#[derive(Clone, Debug)]
pub struct DecisionMetrics {
    pushed: Counter,
    failures: Counter,
    resyncs: Counter,
    waiting: Count,
    push: Histogram,
    decisions: Family<Label<&'static str>, Counter>,
    decision: Histogram,
    bundles: Counter,
    signals: Counter,
    signal_failures: Counter,
    signals_waiting: Count,
    risks_ignored: Counter,
}

impl Default for DecisionMetrics {
    fn default() -> Self {
        Self {
            pushed: Counter::default(),
            failures: Counter::default(),
            resyncs: Counter::default(),
            waiting: Count::default(),
            push: Histogram::new(PUSH_BUCKETS),
            decisions: counted_by("decision", ["allow", "constrain", "deny"].into_iter()),
            decision: Histogram::new(DECISION_BUCKETS),
            bundles: Counter::default(),
            signals: Counter::default(),
            signal_failures: Counter::default(),
            signals_waiting: Count::default(),
            risks_ignored: Counter::default(),
        }
    }
}

impl DecisionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "opa_pushed_devices",
            "Risks of devices that a policy engine has taken, refreshed ones included",
            self.pushed.clone(),
        );
        registry.register(
            "opa_push_failures",
            "Pushes to a policy engine that did not arrive, and were or will be made again",
            self.failures.clone(),
        );
        registry.register(
            "opa_resyncs",
            "Times that a policy engine was told everything: at first, and when it had lost it",
            self.resyncs.clone(),
        );
        registry.register(
            "opa_waiting_devices",
            "Devices whose risk a policy engine does not have as it is now",
            self.waiting.clone(),
        );
        registry.register_with_unit(
            "opa_push_delay",
            "Time from a change of a risk to its arrival at a policy engine",
            Unit::Seconds,
            self.push.clone(),
        );
        registry.register(
            "opa_bundles",
            "Bundles for policy engines that were built",
            self.bundles.clone(),
        );
        registry.register(
            "ssf_pushed",
            "Security event tokens that receivers have answered",
            self.signals.clone(),
        );
        registry.register(
            "ssf_push_failures",
            "Pushes of security event tokens that did not arrive, and were or will be made again",
            self.signal_failures.clone(),
        );
        registry.register(
            "ssf_waiting",
            "Security event tokens that no receiver has acknowledged yet",
            self.signals_waiting.clone(),
        );
        registry.register(
            "risks_ignored",
            "Records of other processes among the risks that are none, or of devices too many",
            self.risks_ignored.clone(),
        );
        registry.register(
            "decisions",
            "Decisions of the decision point in this process",
            self.decisions.clone(),
        );
        registry.register_with_unit(
            "decision_duration",
            "Time that a decision took, the look-up of the risk included",
            Unit::Seconds,
            self.decision.clone(),
        );
    }

    /// The risks of so many devices arrived.
    pub fn pushed(&self, devices: u64) {
        self.pushed.inc_by(devices);
    }

    /// A change arrived so long after it was made.
    pub fn push_took(&self, took: Duration) {
        self.push.observe(took.as_secs_f64());
    }

    /// A push did not arrive.
    pub fn push_failed(&self) {
        self.failures.inc();
    }

    /// Everything is told anew.
    pub fn resynced(&self) {
        self.resyncs.inc();
    }

    /// So many devices wait to be told.
    pub fn waiting(&self, devices: u64) {
        self.waiting.set(devices);
    }

    /// A record that another process left among the risks was passed over.
    pub fn risk_ignored(&self) {
        self.risks_ignored.inc();
    }

    /// A bundle was built.
    pub fn bundle_built(&self) {
        self.bundles.inc();
    }

    /// A receiver answered a token.
    pub fn signal_pushed(&self) {
        self.signals.inc();
    }

    /// A token did not arrive.
    pub fn signal_failed(&self) {
        self.signal_failures.inc();
    }

    /// So many tokens wait.
    pub fn signals_waiting(&self, tokens: u64) {
        self.signals_waiting.set(tokens);
    }

    /// Something was decided: `allow`, `constrain` or `deny`.
    pub fn decided(&self, decision: &'static str, took: Duration) {
        self.decisions
            .get_or_create(&[("decision", decision)])
            .inc();
        self.decision.observe(took.as_secs_f64());
    }
}
