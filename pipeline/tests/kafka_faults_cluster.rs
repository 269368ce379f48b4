//! The pipeline on three real brokers when one of them dies: the leader of a partition, the
//! coordinator of the group, that of the transactions, and one that never comes back.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod faults;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use self::faults::ready::{Watch, is_ready};
use self::faults::{Case, until};
use self::kafka_broker::Cluster;
use self::kafka_plant::say;

/// The cluster, for one test at a time: they take its brokers away.
fn cluster() -> Option<MutexGuard<'static, Cluster>> {
    static CLUSTER: OnceLock<Option<Mutex<Cluster>>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| Cluster::start(3).map(Mutex::new));
    let cluster = cluster.as_ref()?;
    Some(cluster.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The partition of one of Kafka's own topics that a name belongs to: by the hash that Java makes
/// of a string.
fn slot(name: &str, slots: usize) -> usize {
    let hash = name.bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(byte.into())
    });
    (hash & 0x7fff_ffff) as usize % slots
}

/// The broker that coordinates what has a name.
fn coordinator(case: &Case, topic: &str, name: &str) -> usize {
    let (leaders, _) = case.leaders(topic);
    usize::try_from(leaders[slot(name, leaders.len())]).unwrap()
}

/// Waits until every copy of everything is in step.
fn until_whole(case: &Case) {
    let ours = ["observations", "verdicts", "state"].map(|name| case.site.topic(name));
    let theirs = ["__consumer_offsets", "__transaction_state"].map(str::to_owned);
    for topic in ours.into_iter().chain(theirs) {
        until("all copies are in step", || case.leaders(&topic).1);
    }
}

/// Finds a broker, counted from 1.
type Find = fn(&Case) -> usize;

#[test]
fn whichever_broker_dies_the_work_goes_on_while_it_is_away_and_when_it_is_back() {
    let Some(mut cluster) = cluster() else {
        return;
    };
    let mut case = Case::new(cluster.addresses(), "losses");
    let watch = Watch::new("losses");
    let mut run = case.start("one");
    watch.ask(&[&run.http]);
    case.feed(2_000);
    case.until_caught_up();
    let victims: [(&str, Find); 3] = [
        ("leader of a partition", |case| {
            let (leaders, _) = case.leaders(&case.site.topic("observations"));
            usize::try_from(leaders[0]).unwrap()
        }),
        ("coordinator of the group", |case| {
            coordinator(case, "__consumer_offsets", "losses")
        }),
        ("coordinator of the transactions", |case| {
            coordinator(case, "__transaction_state", "losses-one")
        }),
    ];
    for (role, find) in victims {
        until_whole(&case);
        let broker = find(&case);
        say(&format!("killing broker {broker}, the {role}"));
        case.feed(1_500);
        cluster.kill(broker);
        case.feed(3_000);
        case.until_caught_up();
        cluster.start_again(broker);
        case.feed(1_500);
        case.until_caught_up();
        assert!(run.ended().is_none(), "it goes on without broker {broker}");
    }
    until_whole(&case);
    run.end();
    drop(watch);
    case.settle("one");
}

#[test]
fn a_run_from_its_start_to_its_end_needs_two_brokers_of_three() {
    let Some(mut cluster) = cluster() else {
        return;
    };
    let mut case = Case::new(cluster.addresses(), "two-of-three");
    // Kafka makes its own topics when they are first needed, and not with fewer brokers than copies.
    let mut first = case.start("one");
    case.feed(100);
    case.until_caught_up();
    first.end();
    until_whole(&case);
    cluster.kill(2);
    let watch = Watch::new("two of three");
    let mut run = case.start("one");
    watch.ask(&[&run.http]);
    case.feed(10_000);
    case.until_caught_up();
    run.end();
    drop(watch);
    case.settle("one");
    cluster.start_again(2);
}

#[test]
fn when_all_brokers_are_gone_the_run_waits_and_goes_on_with_them() {
    let Some(mut cluster) = cluster() else {
        return;
    };
    let mut case = Case::new(cluster.addresses(), "blackout");
    let watch = Watch::new("blackout");
    let mut run = case.start("one");
    watch.ask(&[&run.http]);
    case.feed(2_000);
    case.until_caught_up();
    until_whole(&case);
    case.feed(1_500);
    watch.outage();
    cluster.kill_all();
    until("it is not ready", || !is_ready(&run.http));
    cluster.start_all_again();
    case.until_caught_up();
    until("it is ready", || is_ready(&run.http));
    watch.ask(&[&run.http]);
    case.feed(1_500);
    case.until_caught_up();
    assert!(run.ended().is_none(), "it goes on with the brokers");
    run.end();
    drop(watch);
    case.settle("one");
}
