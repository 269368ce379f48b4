//! What Prometheus gets to read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use andon_schemas::grade::Grade;
use andon_schemas::reject::RejectReason;

use super::{Metrics, TransactionResult};
use crate::health::{Clock, Health};

/// Ready for 5 s.
fn ready() -> Health {
    let seconds = Arc::new(AtomicU64::new(0));
    let hands = Arc::clone(&seconds);
    let clock = Clock::from_fn(move || Duration::from_secs(hands.load(Ordering::Relaxed)));
    let health = Health::with_clock(&[], Health::STALLED_AFTER, clock);
    seconds.store(5, Ordering::Relaxed);
    health
}

/// Every sample with its labels, by name.
fn samples(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.render(&ready()).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Everything said once.
fn busy() -> Metrics {
    let metrics = Metrics::new("1.2.3");
    metrics.records(10);
    metrics.observations(8);
    metrics.rejected(RejectReason::Malformed, 2);
    metrics.late(3);
    metrics.duplicates(4);
    metrics.verdict(Grade::Critical, 1);
    metrics.verdict(Grade::Critical, 2);
    metrics.ingest_to_verdict(Duration::from_micros(1_500));
    metrics.queue_depth("rows", 17);
    metrics.epoch(Duration::from_millis(250));
    metrics.transaction(TransactionResult::Committed);
    metrics.snapshot(Duration::from_millis(30), 4_096);
    metrics.restored(Duration::from_secs(2));
    metrics.partitions_assigned(2);
    metrics.consumer_lag(7, 1_000);
    metrics.watermark_lag(7, 360.5);
    metrics
}

#[test]
fn every_metric_is_written_under_its_name() {
    let samples = samples(&busy());
    let expected = [
        ("andon_records_total", 10.0),
        ("andon_observations_total", 8.0),
        ("andon_rejects_total{reason=\"malformed\"}", 2.0),
        ("andon_late_total", 3.0),
        ("andon_duplicates_total", 4.0),
        ("andon_verdicts_total{grade=\"CRITICAL\"}", 1.0),
        ("andon_verdict_revisions_total{grade=\"CRITICAL\"}", 2.0),
        ("andon_consumer_lag_records{partition=\"7\"}", 1_000.0),
        ("andon_watermark_lag_seconds{partition=\"7\"}", 360.5),
        ("andon_epoch_duration_seconds_count", 1.0),
        ("andon_transactions_total{result=\"committed\"}", 1.0),
        ("andon_snapshot_duration_seconds_count", 1.0),
        ("andon_snapshot_bytes", 4_096.0),
        ("andon_queue_depth{queue=\"rows\"}", 17.0),
        ("andon_ingest_to_verdict_seconds_bucket{le=\"0.001\"}", 0.0),
        ("andon_ingest_to_verdict_seconds_bucket{le=\"0.002\"}", 1.0),
        ("andon_partitions_assigned", 2.0),
        ("andon_restores_total", 1.0),
        ("andon_restore_duration_seconds_sum", 2.0),
        ("andon_ready", 1.0),
        ("andon_ready_seconds_total", 5.0),
        ("andon_build_info{version=\"1.2.3\"}", 1.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(name), Some(&value), "{name} in {samples:#?}");
    }
}

#[test]
fn what_has_a_fixed_label_stands_at_zero_before_it_happens() {
    let samples = samples(&Metrics::new("1.2.3"));
    for name in [
        "andon_rejects_total{reason=\"far_future\"}",
        "andon_verdicts_total{grade=\"LOW\"}",
        "andon_verdict_revisions_total{grade=\"HIGH\"}",
        "andon_transactions_total{result=\"ambiguous\"}",
    ] {
        assert_eq!(samples.get(name), Some(&0.0), "{name} in {samples:#?}");
    }
}

#[test]
fn a_partition_that_was_given_up_says_nothing_any_more() {
    let metrics = busy();
    metrics.consumer_lag(8, 5);
    metrics.forget_partition(7);
    let samples = samples(&metrics);
    let of_7: Vec<&String> = samples
        .keys()
        .filter(|name| name.contains("\"7\""))
        .collect();
    assert_eq!(of_7, [""; 0]);
    assert_eq!(
        samples.get("andon_consumer_lag_records{partition=\"8\"}"),
        Some(&5.0)
    );
}

#[test]
fn every_family_is_explained_and_named_once() {
    let text = busy().render(&ready()).unwrap();
    let names = |keyword: &str| -> Vec<String> {
        let mut names: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix(keyword)?.split(' ').next())
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let types = names("# TYPE ");
    assert_eq!(types, names("# HELP "));
    let mut once = types.clone();
    once.dedup();
    assert_eq!(types, once);
    assert!(
        types.iter().all(|name| name.starts_with("andon_")),
        "{types:?}"
    );
}
