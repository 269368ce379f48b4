//! What a running pipeline counts and measures, in the form that Prometheus reads.
//!
//! The loop adds up per batch and tells it here; nothing is called per row. Labels have few values
//! that are known beforehand, or are partitions, which are forgotten when they are given up.

mod decisions;
mod labels;
mod outlets;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use andon_schemas::grade::Grade;
use andon_schemas::reject::RejectReason;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use self::decisions::DecisionMetrics;
use self::labels::counted_by;
use self::outlets::OutletMetrics;
pub use self::outlets::OutletStanding;
use crate::health::Health;

/// Upper bounds of what an epoch may take, seconds. It is meant to take 0.2 to 1.
const EPOCH_BUCKETS: [f64; 13] = [
    0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0, 30.0,
];

/// Upper bounds of what writing a snapshot may take, seconds.
const SNAPSHOT_BUCKETS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds of what a restore may take, seconds: the re-reading counts, too.
const RESTORE_BUCKETS: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Upper bounds of the time from record to verdict, seconds: 100 µs to 10 s, with the plant's
/// limit of 2 ms among them.
const VERDICT_BUCKETS: [f64; 16] = [
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0,
];

/// A label with its value.
type Label<V> = [(&'static str, V); 1];
type Count = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionResult {
    /// It is in.
    Committed,
    /// It is out; its input is read again.
    Aborted,
    /// Nobody answered. What has become of it is found out from the committed offsets.
    Ambiguous,
}

impl TransactionResult {
    /// Every result.
    pub const ALL: &'static [Self] = &[Self::Committed, Self::Aborted, Self::Ambiguous];

    /// The result as the label says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Ambiguous => "ambiguous",
        }
    }
}

/// Counts and measurements of one pipeline. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    records: Counter,
    observations: Counter,
    rejects: Family<Label<&'static str>, Counter>,
    late: Counter,
    duplicates: Counter,
    verdicts: Family<Label<&'static str>, Counter>,
    revisions: Family<Label<&'static str>, Counter>,
    consumer_lag: Family<Label<i32>, Count>,
    watermark_lag: Family<Label<i32>, Seconds>,
    epochs: Histogram,
    transactions: Family<Label<&'static str>, Counter>,
    snapshots: Histogram,
    snapshot_bytes: Count,
    queues: Family<Label<&'static str>, Count>,
    ingest_to_verdict: Histogram,
    partitions: Count,
    restores: Counter,
    restoring: Histogram,
    ready: Count,
    ready_time: Counter<f64, AtomicU64>,
    decisions: DecisionMetrics,
    outlets: OutletMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics of a pipeline of this version that has done nothing yet. Everything that will be
    /// counted by a fixed label stands at 0, so that a first increase can be seen as one.
    pub fn new(version: &str) -> Self {
        let grades = || Grade::ALL.iter().map(|grade| grade.as_str());
        let reasons = RejectReason::ALL.iter().map(|reason| reason.as_str());
        let results = TransactionResult::ALL.iter().map(|result| result.as_str());
        let mut metrics = Self {
            registry: Arc::default(),
            records: Counter::default(),
            observations: Counter::default(),
            rejects: counted_by("reason", reasons),
            late: Counter::default(),
            duplicates: Counter::default(),
            verdicts: counted_by("grade", grades()),
            revisions: counted_by("grade", grades()),
            consumer_lag: Family::default(),
            watermark_lag: Family::default(),
            epochs: Histogram::new(EPOCH_BUCKETS),
            transactions: counted_by("result", results),
            snapshots: Histogram::new(SNAPSHOT_BUCKETS),
            snapshot_bytes: Gauge::default(),
            queues: Family::default(),
            ingest_to_verdict: Histogram::new(VERDICT_BUCKETS),
            partitions: Gauge::default(),
            restores: Counter::default(),
            restoring: Histogram::new(RESTORE_BUCKETS),
            ready: Gauge::default(),
            ready_time: Counter::default(),
            decisions: DecisionMetrics::default(),
            outlets: OutletMetrics::default(),
        };
        let mut registry = Registry::with_prefix("andon");
        metrics.register_rows(&mut registry);
        metrics.register_epochs(&mut registry);
        metrics.register_partitions(&mut registry);
        metrics.decisions.register(&mut registry);
        metrics.outlets.register(&mut registry);
        // A gauge and no `Info`, which readers of the older text format stumble over.
        let build: Family<Label<String>, Count> = Family::default();
        build
            .get_or_create(&[("version", version.to_owned())])
            .set(1);
        registry.register("build_info", "The build that runs", build);
        metrics.registry = Arc::new(registry);
        metrics
    }

    fn register_rows(&self, registry: &mut Registry) {
        registry.register(
            "records",
            "Records taken from the input",
            self.records.clone(),
        );
        registry.register(
            "observations",
            "Observations that the records yielded",
            self.observations.clone(),
        );
        registry.register(
            "rejects",
            "Records that yielded no observation, by reason",
            self.rejects.clone(),
        );
        registry.register(
            "late",
            "Observations that came after their window may have closed",
            self.late.clone(),
        );
        registry.register(
            "duplicates",
            "Observations that had been told before",
            self.duplicates.clone(),
        );
        registry.register(
            "verdicts",
            "Verdicts raised, by the grade they were raised with",
            self.verdicts.clone(),
        );
        registry.register(
            "verdict_revisions",
            "Revisions of verdicts written, the first ones included, by their grade",
            self.revisions.clone(),
        );
        registry.register_with_unit(
            "ingest_to_verdict",
            "Time from taking a record to handing over the verdict it caused",
            Unit::Seconds,
            self.ingest_to_verdict.clone(),
        );
        registry.register("queue_depth", "What waits in a queue", self.queues.clone());
    }

    fn register_epochs(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "epoch_duration",
            "Time from taking the first record of an epoch to having committed it",
            Unit::Seconds,
            self.epochs.clone(),
        );
        registry.register(
            "transactions",
            "Transactions ended, by result",
            self.transactions.clone(),
        );
        registry.register_with_unit(
            "snapshot_duration",
            "Time that writing a snapshot took",
            Unit::Seconds,
            self.snapshots.clone(),
        );
        registry.register_with_unit(
            "snapshot",
            "Size of the newest snapshot",
            Unit::Bytes,
            self.snapshot_bytes.clone(),
        );
        registry.register("restores", "Partitions restored", self.restores.clone());
        registry.register_with_unit(
            "restore_duration",
            "Time from the assignment of a partition to its first new record",
            Unit::Seconds,
            self.restoring.clone(),
        );
        registry.register(
            "ready",
            "Whether the pipeline is alive and every condition of /health/ready holds",
            self.ready.clone(),
        );
        registry.register_with_unit(
            "ready",
            "Time in which the pipeline was ready: its rate is the availability",
            Unit::Seconds,
            self.ready_time.clone(),
        );
    }

    fn register_partitions(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "consumer_lag",
            "Records of a partition that are not taken yet",
            Unit::Other("records".to_owned()),
            self.consumer_lag.clone(),
        );
        registry.register_with_unit(
            "watermark_lag",
            "How far the event time of a partition is behind the receive time of its newest record",
            Unit::Seconds,
            self.watermark_lag.clone(),
        );
        registry.register(
            "partitions_assigned",
            "Input partitions that this process owns",
            self.partitions.clone(),
        );
    }

    /// What decision points are told, and decide.
    pub fn decisions(&self) -> &DecisionMetrics {
        &self.decisions
    }

    /// So many records were taken from the input.
    pub fn records(&self, count: u64) {
        self.records.inc_by(count);
    }

    /// So many observations came of them.
    pub fn observations(&self, count: u64) {
        self.observations.inc_by(count);
    }

    /// So many records yielded no observation.
    pub fn rejected(&self, reason: RejectReason, count: u64) {
        self.rejects
            .get_or_create(&[("reason", reason.as_str())])
            .inc_by(count);
    }

    /// So many observations came too late for their windows.
    pub fn late(&self, count: u64) {
        self.late.inc_by(count);
    }

    /// So many observations had been told before.
    pub fn duplicates(&self, count: u64) {
        self.duplicates.inc_by(count);
    }

    /// A revision of a verdict was written; the first one is a new verdict.
    pub fn verdict(&self, grade: Grade, revision: u32) {
        if revision <= 1 {
            self.verdicts
                .get_or_create(&[("grade", grade.as_str())])
                .inc();
        }
        self.revisions
            .get_or_create(&[("grade", grade.as_str())])
            .inc();
    }

    /// A verdict was handed over, so long after the record that caused it was taken.
    pub fn ingest_to_verdict(&self, took: Duration) {
        self.ingest_to_verdict.observe(took.as_secs_f64());
    }

    /// So much waits in a queue. Its name must be one of a few.
    pub fn queue_depth(&self, queue: &'static str, waiting: u64) {
        self.queues.get_or_create(&[("queue", queue)]).set(waiting);
    }

    /// An epoch is committed, so long after its first record was taken.
    pub fn epoch(&self, took: Duration) {
        self.epochs.observe(took.as_secs_f64());
    }

    /// A transaction ended.
    pub fn transaction(&self, result: TransactionResult) {
        self.transactions
            .get_or_create(&[("result", result.as_str())])
            .inc();
    }

    /// A snapshot of so many bytes is safe.
    pub fn snapshot(&self, took: Duration, bytes: u64) {
        self.snapshots.observe(took.as_secs_f64());
        self.snapshot_bytes.set(bytes);
    }

    /// A partition is restored and goes on with new records.
    pub fn restored(&self, took: Duration) {
        self.restores.inc();
        self.restoring.observe(took.as_secs_f64());
    }

    /// So many input partitions are owned.
    pub fn partitions_assigned(&self, count: u64) {
        self.partitions.set(count);
    }

    /// So many records of a partition are not taken yet.
    pub fn consumer_lag(&self, partition: i32, records: u64) {
        self.consumer_lag.get_or_create(&of(partition)).set(records);
    }

    /// The event time of a partition is so many seconds behind the receive time of its newest
    /// record.
    pub fn watermark_lag(&self, partition: i32, seconds: f64) {
        self.watermark_lag
            .get_or_create(&of(partition))
            .set(seconds);
    }

    /// A partition was given up: what it last said would be taken for news.
    pub fn forget_partition(&self, partition: i32) {
        self.consumer_lag.remove(&of(partition));
        self.watermark_lag.remove(&of(partition));
    }

    /// Everything as `OpenMetrics` text, with what health says now.
    ///
    /// # Errors
    /// If a metric cannot be written as text.
    pub(crate) fn render(&self, health: &Health) -> Result<String, fmt::Error> {
        self.ready.set(u64::from(health.is_ready()));
        // Set and not increased: health has added it up already.
        let ready_time = health.availability().ready.as_secs_f64();
        let counter = self.ready_time.inner();
        counter.store(ready_time.to_bits(), Ordering::Relaxed);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn of(partition: i32) -> Label<i32> {
    [("partition", partition)]
}
