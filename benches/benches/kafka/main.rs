//! Kafka JSON in, verdicts out: `andon run` as it is released, on a real broker beside it.
//!
//! ```console
//! $ cargo build --release -p andon
//! $ cargo bench -p andon-benches --bench kafka                # everything
//! $ cargo bench -p andon-benches --bench kafka -- throughput  # or: latency
//! ```
//!
//! Broker, load and what reads the verdicts share the machine with the process that is measured:
//! its processor time does not count theirs, but its latency waits for them. Unless it gets a core
//! of its own, here the second of two:
//!
//! ```console
//! $ ANDON_BENCH_CORE=1 taskset -c 0 cargo bench -p andon-benches --bench kafka -- latency
//! ```

mod installation;
#[path = "../../../pipeline/ingest/tests/kafka_broker/mod.rs"]
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "shared with tests, where what cannot be done fails the test"
)]
mod kafka_broker;
mod latency;
mod load;
mod process;
mod throughput;

use andon_benches::Stage;

use self::installation::Installation;
use self::kafka_broker::Cluster;

/// Devices of the plant.
const DEVICES: usize = 50_000;

/// What is promised of what comes out, as the configuration says it.
const DELIVERIES: [&str; 2] = ["exactly_once", "low_latency"];

fn main() -> Result<(), String> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| {
        let mut names = asked.iter().filter(|arg| !arg.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|arg| arg == name)
    };
    let Some(cluster) = Cluster::start(1) else {
        return Ok(());
    };
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut stage = Stage::new(DEVICES)?;
    let inventory = folder.path().join("inventory.yaml");
    std::fs::write(&inventory, stage.plant.inventory().to_yaml()).map_err(|e| e.to_string())?;
    let program = installation::program()?;
    let install = |name: &str, delivery: &str| {
        let brokers = cluster.addresses();
        Installation::new(&program, brokers, folder.path(), &inventory, name, delivery)
    };
    if is_wanted("throughput") {
        throughput::measure(&mut stage, &install)?;
    }
    if is_wanted("latency") {
        latency::measure(&mut stage, &install)?;
    }
    Ok(())
}
