//! Two processes on a real Kafka keep one real Open Policy Agent up to date, each with the devices of
//! its partitions; when one dies, the other takes its devices over there as well.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod opa_server;
mod plant;

use std::fmt::Write as _;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use andon::wall;
use andon_schemas::inventory::Function;
use andon_schemas::time::{EventTime, Span};
use serde_json::json;

use self::kafka_plant::{Site, cluster, inventory};
use self::opa_server::{Opa, PATIENCE};

const DEVICES: usize = 40;

/// A process that does not outlive the test.
struct Run(Child);

impl Run {
    fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One flow of each of some devices, keyed by it.
fn rows() -> String {
    let inventory = inventory();
    let speak = inventory.devices.iter().filter(|device| {
        device.function == Function::Device
            && device.gateway.is_none()
            && !device.addresses.is_empty()
    });
    let mut rows = String::new();
    for device in speak.take(DEVICES) {
        let row = json!({
            "v": 1, "kind": "flow", "time": wall::now(), "transport": "tcp", "state": "answered",
            "orig": format!("{}:40000", device.addresses[0]), "resp": "10.6.0.10:502",
        });
        writeln!(rows, "{}\t{row}", device.id).unwrap();
    }
    rows
}

/// Waits until the agent knows every device until this moment at least.
fn until_known(opa: &Opa, at: EventTime) {
    let until = Instant::now() + PATIENCE;
    loop {
        let known = opa.get("andon/risk/devices");
        let known = known.as_object().cloned().unwrap_or_default();
        let is_known = |risk: &serde_json::Value| {
            let expires = risk["expires"].as_str().map(EventTime::parse);
            expires.is_some_and(|expires| expires.unwrap() > at)
        };
        if known.len() == DEVICES && known.values().all(is_known) {
            return;
        }
        assert!(Instant::now() < until, "it knows only {known:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_a_process_told_of_its_devices_is_told_by_whoever_takes_them_over() {
    let Some(broker) = cluster() else {
        return;
    };
    let Some(opa) = Opa::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(broker.addresses(), "opa");
    let more = format!("[opa]\npush = \"{}\"\nexpires = \"6s\"", opa.url());
    let mut one = Run(site.start(folder.path(), "one", &more));
    let _two = Run(site.start(folder.path(), "two", &more));
    site.produce("observations", &rows());
    until_known(&opa, wall::now());
    assert_eq!(opa.get("andon/plant/site"), "precision-parts");
    one.kill();
    // What was told by then has lapsed by then.
    until_known(&opa, wall::now() + Span::from_secs(7));
}
