//! The table against clusters that are made up: what is planned, what is found wrong, how bad it is.

use std::collections::BTreeMap;

use andon_schemas::asyncapi;

use super::cluster::{Found, Partition};
use super::*;

fn partitions(count: usize, copies: usize) -> Vec<Partition> {
    let partition = Partition {
        copies,
        in_sync: copies,
        has_leader: true,
    };
    vec![partition; count]
}

fn empty(brokers: usize) -> Cluster {
    Cluster {
        address: "k:9092".to_owned(),
        names: Names::of("andon"),
        brokers,
        topics: BTreeMap::new(),
    }
}

/// A cluster on which everything is as the table has it.
fn in_order(brokers: usize) -> Cluster {
    let mut cluster = empty(brokers);
    let copies = copies(brokers);
    for topic in TOPICS {
        let count = if topic.spread == Spread::One { 1 } else { 12 };
        let mut settings: BTreeMap<String, String> = topic
            .settings
            .iter()
            .map(|wanted| (wanted.key.to_owned(), wanted.value.to_owned()))
            .collect();
        let enough = in_sync(copies).to_string();
        settings.insert("min.insync.replicas".to_owned(), enough);
        let found = Found {
            partitions: partitions(count, copies),
            settings,
        };
        cluster.topics.insert(topic.holds, found);
    }
    cluster
}

fn found<'a>(cluster: &'a mut Cluster, holds: &str) -> &'a mut Found {
    cluster.topics.get_mut(holds).unwrap()
}

/// The only problem of a cluster.
fn problem(cluster: &Cluster) -> Problem {
    let mut all = check(cluster).into_iter().flat_map(|one| one.problems);
    let problem = all.next().expect("something is wrong");
    assert_eq!(all.next(), None);
    problem
}

fn with(holds: &str, key: &str, value: &str) -> Cluster {
    let mut cluster = in_order(3);
    let found = found(&mut cluster, holds);
    found.settings.insert(key.to_owned(), value.to_owned());
    cluster
}

#[test]
fn what_the_table_makes_is_in_order() {
    for brokers in [1, 2, 3, 5] {
        let conditions = check(&in_order(brokers));
        assert!(conditions.iter().all(|one| one.problems.is_empty()));
    }
}

#[test]
fn names_are_those_that_other_tools_rely_on() {
    let names = Names::of("andon");
    let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name(&names)).collect();
    assert_eq!(
        names,
        [
            "andon.observations.v1",
            "andon.verdicts.v1",
            "andon.risk.v1",
            "andon.incidents.v1",
            "andon.enforcement.v1",
            "andon.notices.v1",
            "andon.rejects.v1",
            "andon.audit.v1",
            "andon.state.v1",
            "andon.control.v1",
            "andon.acks.v1",
            "andon.acts.v1"
        ]
    );
}

/// What is published of the topics is what is made.
#[test]
fn the_contract_tells_the_topics_as_they_are_made() {
    let told = [
        "cleanup.policy",
        "retention.ms",
        "retention.bytes",
        "delete.retention.ms",
        "max.message.bytes",
        "message.timestamp.type",
    ];
    let document = asyncapi::document(asyncapi::Schemas::Beside);
    let channels = document["channels"].as_object().unwrap();
    let on_kafka = channels.keys().filter(|id| id.starts_with("kafka-"));
    assert_eq!(on_kafka.count(), TOPICS.len());
    let names = Names::of("andon");
    for topic in TOPICS {
        let channel = &channels[&format!("kafka-{}", topic.holds)];
        assert_eq!(channel["address"], topic.name(&names));
        let binding = &channel["bindings"]["kafka"];
        let only = (topic.spread == Spread::One).then_some(1);
        assert_eq!(binding["partitions"].as_u64(), only, "{}", topic.holds);
        let made: BTreeMap<&str, String> = topic
            .settings
            .iter()
            .filter(|wanted| told.contains(&wanted.key))
            .map(|wanted| (wanted.key, wanted.value.to_owned()))
            .collect();
        let settings = binding["topicConfiguration"].as_object().unwrap();
        let published: BTreeMap<&str, String> = settings
            .iter()
            .map(|(key, value)| {
                let value = value.as_array().map_or(value, |all| &all[0]);
                let text = value.as_str().map(str::to_owned);
                (&**key, text.unwrap_or_else(|| value.to_string()))
            })
            .collect();
        assert_eq!(published, made, "{}", topic.holds);
    }
}

#[test]
fn settings_that_break_a_promise_are_fatal_and_others_are_not() {
    for (holds, key, value, weight) in [
        (
            "observations",
            "message.timestamp.type",
            "CreateTime",
            Weight::Fatal,
        ),
        ("observations", "cleanup.policy", "compact", Weight::Fatal),
        ("state", "cleanup.policy", "delete", Weight::Fatal),
        ("state", "cleanup.policy", "compact,delete", Weight::Fatal),
        ("state", "max.message.bytes", "1048588", Weight::Fatal),
        ("risk", "cleanup.policy", "delete", Weight::Wrong),
        ("verdicts", "min.insync.replicas", "4", Weight::Wrong),
        ("verdicts", "min.insync.replicas", "3", Weight::Note),
        ("verdicts", "min.insync.replicas", "1", Weight::Note),
        ("audit", "retention.ms", "1000", Weight::Note),
    ] {
        let problem = problem(&with(holds, key, value));
        assert_eq!((&*problem.what, problem.weight), (key, weight));
        assert_eq!(problem.found, value);
        assert!(!problem.follows.is_empty(), "{key}");
        let name = format!("--entity-name andon.{holds}.v1 --add-config {key}=");
        assert!(problem.mend.contains(&name), "{}", problem.mend);
    }
}

#[test]
fn more_than_is_asked_for_does() {
    for (key, value) in [
        ("retention.ms", "-1"),
        ("retention.ms", "999999999999"),
        ("segment.ms", "1"),
    ] {
        let conditions = check(&with("observations", key, value));
        assert!(
            conditions.iter().all(|one| one.problems.is_empty()),
            "{key}"
        );
    }
}

#[test]
fn state_has_the_partitions_of_the_observations() {
    let mut cluster = in_order(3);
    found(&mut cluster, "state").partitions = partitions(6, 3);
    let fewer = problem(&cluster);
    assert_eq!((&*fewer.found, &*fewer.expected), ("6", "12"));
    assert!(
        fewer
            .mend
            .contains("--alter --topic andon.state.v1 --partitions 12")
    );
    found(&mut cluster, "state").partitions = partitions(24, 3);
    // Partitions can only be added.
    assert!(problem(&cluster).mend.contains("--delete"));
}

#[test]
fn control_has_one_partition() {
    let mut cluster = in_order(3);
    found(&mut cluster, "control").partitions = partitions(2, 3);
    assert_eq!(problem(&cluster).weight, Weight::Fatal);
}

#[test]
fn a_partition_that_nobody_serves_is_named() {
    let mut cluster = in_order(3);
    found(&mut cluster, "verdicts").partitions[7].has_leader = false;
    assert_eq!(problem(&cluster).found, "missing for partition 7");
}

#[test]
fn copies_that_are_behind_are_noted_until_there_are_too_few() {
    let mut cluster = in_order(3);
    found(&mut cluster, "verdicts").partitions[7].in_sync = 2;
    found(&mut cluster, "verdicts").partitions[9].in_sync = 2;
    let behind = problem(&cluster);
    assert_eq!(behind.weight, Weight::Note);
    assert_eq!(behind.found, "short for partition 7, 9");
    found(&mut cluster, "verdicts").partitions[9].in_sync = 1;
    let too_few = problem(&cluster);
    assert_eq!(too_few.weight, Weight::Wrong);
    assert_eq!(too_few.found, "short for partition 9");
}

#[test]
fn fewer_copies_than_brokers_allow_are_noted() {
    let mut cluster = in_order(1);
    cluster.brokers = 3;
    let problems = check(&cluster).into_iter().flat_map(|one| one.problems);
    let notes: Vec<Problem> = problems.collect();
    assert_eq!(notes.len(), TOPICS.len());
    assert!(notes.iter().all(|note| note.weight == Weight::Note));
}

#[test]
fn what_is_missing_is_planned_and_what_exists_is_kept() {
    let mut cluster = in_order(3);
    cluster.topics.remove("risk");
    let plan = plan(&cluster, Sizes::default()).unwrap();
    for planned in &plan {
        let is_missing = planned.topic == "andon.risk.v1";
        assert_eq!(planned.action == Action::Create, is_missing);
        assert_eq!(planned.replication, 3);
    }
    assert_eq!(plan.len(), TOPICS.len());
}

#[test]
fn state_and_observations_are_planned_alike_whichever_was_there_first() {
    let sizes = Sizes {
        partitions: Some(4),
        replication: None,
    };
    let counts = |cluster: &Cluster| -> Vec<usize> {
        let plan = plan(cluster, sizes).unwrap();
        plan.iter().map(|planned| planned.partitions).collect()
    };
    assert_eq!(counts(&empty(1)), [4, 4, 4, 4, 4, 4, 4, 4, 4, 1, 4, 1]);
    let mut cluster = in_order(1);
    cluster.topics.retain(|holds, _| *holds == "state");
    assert_eq!(counts(&cluster), [12, 12, 4, 4, 4, 4, 4, 4, 12, 1, 4, 1]);
}

#[test]
fn more_copies_than_brokers_cannot_be() {
    let sizes = Sizes {
        partitions: None,
        replication: Some(2),
    };
    let error = plan(&empty(1), sizes).unwrap_err().to_string();
    assert!(
        error.contains("replication factor 2") && error.contains("one broker"),
        "{error}"
    );
}
