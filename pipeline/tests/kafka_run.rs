//! The pipeline on a real Kafka: what goes in and comes out through clients that are not ours, and
//! what is left of it when processes and brokers die. Without Java on the machine these tests say
//! that they were skipped.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::path::Path;

use self::kafka_broker::Cluster;
use self::kafka_plant::{Site, canonical, keyed};

/// What a backtest of a capture finds.
fn expected(folder: &Path, capture: &Path) -> Vec<String> {
    let out = folder.join("backtest");
    let (capture, text) = (capture.to_string_lossy(), out.to_string_lossy());
    plant::run(&["backtest", &capture, "--out", &text]);
    canonical(plant::lines(&plant::read(&out, "verdicts.jsonl")))
}

#[test]
fn what_another_client_writes_and_reads_is_what_a_backtest_finds() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "40000", &["plc-night-exfil"]);
    let expected = expected(folder.path(), &capture);
    assert!(expected.len() > 5, "{}", expected.len());
    for delivery in ["exactly_once", "low_latency"] {
        let site = Site::new(
            cluster.addresses(),
            &format!("equal-{delivery}").replace('_', "-"),
        );
        site.produce("observations", &keyed(&capture));
        site.drain(
            folder.path(),
            delivery,
            &format!("delivery = \"{delivery}\""),
        );
        let found = canonical(site.read("verdicts"));
        assert_eq!(found.len(), expected.len(), "{delivery}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{delivery}");
        }
    }
}
