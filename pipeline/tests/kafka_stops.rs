//! Runs on a real Kafka that cannot go on: they wait if that may pass, else they stop and say what to
//! do, and lose nothing by it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::fs;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use self::kafka_broker::Cluster;
use self::kafka_plant::{Site, cluster};

/// Whatever takes longer than this does not happen any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record that proves a CRITICAL.
const CRITICAL: &str = "cnc-controller-01-0001\t{\"kind\":\"flow\",\
    \"time\":\"2025-12-12T09:00:00Z\",\"orig\":\"10.1.10.1:40000\",\
    \"resp\":\"203.0.113.7:4444\",\"transport\":\"udp\",\"state\":\"answered\",\
    \"orig_bytes\":120}\n";

fn log(folder: &Path, instance: &str) -> String {
    fs::read_to_string(folder.join(format!("{instance}.log"))).unwrap_or_default()
}

/// Polls until something is there.
fn until<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{}", what());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the log of a process holds these words.
fn says(folder: &Path, instance: &str, words: &str) {
    let log = || log(folder, instance);
    until(log, || log().contains(words).then_some(()));
}

/// Waits until a process ends by itself.
fn ends(child: &mut Child, folder: &Path, instance: &str) -> ExitStatus {
    until(|| log(folder, instance), || child.try_wait().unwrap())
}

/// Sets one setting of a topic; all others become the broker's.
fn alter(site: &Site, topic: &str, key: &str, value: &str) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &site.addresses)
        .create()
        .unwrap();
    let name = site.topic(topic);
    let change = AlterConfig::new(ResourceSpecifier::Topic(&name)).set(key, value);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let altered = admin.alter_configs([&change], &AdminOptions::new());
    let altered = runtime.unwrap().block_on(altered);
    assert!(altered.unwrap().iter().all(Result::is_ok));
}

#[test]
fn what_the_cluster_will_never_take_ends_the_run_with_what_mends_it() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for delivery in ["exactly_once", "low_latency"] {
        let site = Site::new(broker.addresses(), &format!("never-{delivery}"));
        let more = format!("delivery = \"{delivery}\"");
        let mut run = site.start(folder, delivery, &more);
        says(folder, delivery, "kafka: restored");
        alter(&site, "verdicts", "max.message.bytes", "200");
        site.produce("observations", CRITICAL);
        let status = ends(&mut run, folder, delivery);
        let told = log(folder, delivery);
        assert_eq!(status.code(), Some(1), "{told}");
        let last = told.lines().rfind(|line| line.contains("error")).unwrap();
        assert!(
            last.contains("raise max.message.bytes of that topic"),
            "{last}"
        );
        kafka_plant::say(last);
        // Started again, it does not even begin.
        let refused = site.try_drain(folder, delivery, &more);
        let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.contains("max.message.bytes is 200"), "{refused}");
        // Mended, it goes on where it was.
        alter(&site, "verdicts", "max.message.bytes", "1048588");
        site.drain(folder, delivery, &more);
        let verdicts = site.read("verdicts");
        assert_eq!(verdicts[0]["grade"], "CRITICAL", "{verdicts:?}");
    }
}

#[test]
fn whoever_comes_back_before_the_broker_has_missed_it_waits_for_its_place() {
    // A session as short as tests can wait for.
    let session = [
        "group.consumer.min.session.timeout.ms=6000",
        "group.consumer.session.timeout.ms=6000",
        "group.consumer.min.heartbeat.interval.ms=1000",
        "group.consumer.heartbeat.interval.ms=1000",
    ];
    let Some(broker) = cluster().and_then(|_| Cluster::start_with(1, &session)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = Site::new(broker.addresses(), "place");
    let more = "protocol = \"consumer\"";
    let mut run = site.start(folder, "one", more);
    says(folder, "one", "kafka: restored");
    run.kill().unwrap();
    run.wait().unwrap();
    site.produce("observations", CRITICAL);
    let output = site.try_drain(folder, "one", more);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("still keeps the place of an earlier process"),
        "{told}"
    );
    let verdicts = site.read("verdicts");
    assert_eq!(verdicts[0]["grade"], "CRITICAL", "{verdicts:?}");
}

#[test]
fn a_topic_that_others_read_too_is_not_drained_and_says_so() {
    let Some(broker) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = Site::new(broker.addresses(), "shared");
    site.produce("observations", CRITICAL);
    let mut other = site.start(folder, "other", "");
    says(folder, "other", "kafka: restored");
    let refused = site.try_drain(folder, "one", "");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("2 of 4 partitions are another process's"),
        "{told}"
    );
    assert!(
        other.try_wait().unwrap().is_none(),
        "{}",
        log(folder, "other")
    );
    plant::terminate(&other);
    assert!(other.wait().unwrap().success());
    // The group still thinks that the other one comes back.
    site.drain(folder, "one", "");
    assert_eq!(site.read("verdicts")[0]["grade"], "CRITICAL");
}
