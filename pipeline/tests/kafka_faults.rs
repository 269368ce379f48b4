//! The pipeline on a real Kafka when its processes are killed, ended and mistaken for others: whatever happens to them,
//! the committed verdicts are those of a backtest. Seeds are printed; `ANDON_SEED` repeats one.
//! `docker/faults` runs all of the fault tests.
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

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use self::faults::process::was_killed;
use self::faults::ready::Watch;
use self::faults::tracer::{self, Edge};
use self::faults::{Case, is_long, until};
use self::kafka_plant::{Luck, cluster, say};

#[test]
fn a_kill_at_any_edge_loses_nothing_and_says_nothing_twice() {
    let Some(broker) = cluster() else {
        return;
    };
    if !tracer::is_allowed() {
        return;
    }
    let mut luck = Luck::new("edges");
    let mut case = Case::new(broker.addresses(), "edges");
    case.more = "epoch = \"50ms\"\nsnapshot = \"100ms\"".to_owned();
    let data = case.data("one");
    let report = tempfile::NamedTempFile::new().unwrap();
    let rounds = if is_long() { 60 } else { 5 };
    let watch = Watch::new("edges");
    for (edge, rounds) in [
        (Edge::Write, rounds),
        (Edge::Fsync, rounds),
        (Edge::Rename, rounds),
        (Edge::Send, 2 * rounds),
    ] {
        let mut run = case.start_under("one", &edge.watched(&data, report.path()));
        watch.ask(&[&run.http]);
        for _ in 0..10 {
            case.feed(20);
            case.until_caught_up();
        }
        run.kill();
        let most = tracer::most_calls(report.path());
        assert!(most > 0, "{edge:?}");
        for _ in 0..rounds {
            let nth = 1 + luck.below(most);
            let mut run = case.start_under("one", &edge.killed_at(nth, &data));
            watch.ask(&[&run.http]);
            let status = loop {
                assert!(
                    case.feed(20) > 0,
                    "{edge:?} {nth}: nothing is left to be fed"
                );
                until("a commit or an end", || {
                    run.ended().is_some() || case.is_caught_up()
                });
                if let Some(status) = run.ended() {
                    break status;
                }
            };
            watch.outage();
            assert!(was_killed(status), "{edge:?} {nth}: {status}");
            say(&format!("killed at {edge:?} {nth} of {most}"));
        }
    }
    drop(watch);
    case.settle("one");
}

#[test]
fn an_end_under_load_is_in_order_and_the_next_start_repeats_nothing() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut case = Case::new(broker.addresses(), "ends");
    let mut run = case.start("one");
    case.feed(4_000);
    case.until_progress();
    case.feed(4_000);
    run.end();
    let committed = case.committed();
    assert!(committed > 0);
    // What it left is where it ended: nothing has to be read again.
    let mut run = case.start("one");
    until("the next start", || {
        case.log("one").matches("kafka: restored").count() >= 2
    });
    case.until_progress();
    // A second signal does not wait for the end of the work.
    case.feed(8_000);
    run.signal("TERM");
    until("the second signal", || {
        run.signal("TERM");
        run.ended().is_some()
    });
    case.settle("one");
}

/// Another client of a name joins a group and gets what the one before it had.
fn another(case: &Case, group: &str, topic: &str) -> Option<BaseConsumer> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &case.site.addresses)
        .set("group.id", group)
        .set("group.instance.id", "one")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let began = Instant::now();
    while consumer.assignment().unwrap().count() == 0 {
        if began.elapsed() > Duration::from_secs(5) || consumer.client().fatal_error().is_some() {
            return None;
        }
        let _message = consumer.poll(Duration::from_millis(20));
    }
    Some(consumer)
}

#[test]
fn a_place_that_was_given_away_by_mistake_is_asked_for_again() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut case = Case::new(broker.addresses(), "ousted");
    let mut run = case.start("one");
    case.feed(2_000);
    case.until_caught_up();
    let group = case.site.prefix.clone();
    for (nth, (group, topic)) in [
        (group.clone(), "observations"),
        (format!("{group}-respond"), "verdicts"),
    ]
    .iter()
    .enumerate()
    {
        // In the middle of its work; what the group gives to an answer that never arrives, it gives
        // to nobody.
        case.feed(2_000);
        drop(another(&case, group, &case.site.topic(topic)).expect("the place"));
        until("the place is asked for again", || {
            case.feed(20);
            case.log("one").matches("asking for it again").count() > nth
        });
        case.feed(1_000);
        case.until_caught_up();
        assert!(run.ended().is_none(), "{group}");
    }
    run.end();
    case.settle("one");
}

#[test]
fn two_of_one_name_take_the_place_from_each_other_until_one_ends() {
    let Some(broker) = cluster() else {
        return;
    };
    let mut case = Case::new(broker.addresses(), "namesakes");
    let mut run = case.start("one");
    case.feed(2_000);
    case.until_caught_up();
    let topic = case.site.topic("observations");
    let mut others = Vec::new();
    until("an end", || {
        others.clear();
        others.extend(another(&case, &case.site.prefix, &topic));
        // Whoever was fenced hears of it with its next heartbeat.
        case.feed(20);
        std::thread::sleep(Duration::from_secs(2));
        run.ended().is_some()
    });
    drop(others);
    assert_eq!(run.wait().code(), Some(1));
    let told = case.log("one");
    assert!(told.contains("must not share an instance name"), "{told}");
    case.settle("one");
}
