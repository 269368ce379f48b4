//! What a bridge does not move, or not as it was told: topics that do not do, poison, and rows of
//! senders who speak for somebody else.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod bridged;
mod broker;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;
mod watched;

use std::collections::BTreeSet;
use std::path::Path;

use andon::kafka::partitioner::Partitioner;
use serde_json::{Value, json};

use self::bridged::{
    CONTROLLER, flow, make_topic, make_topic_with, move_topic, moved, places, publish, start,
    wait_for_session,
};
use self::broker::Broker;
use self::kafka_plant::{PARTITIONS, Site, cluster};

#[test]
fn poison_of_a_topic_and_of_mqtt_ends_in_the_rejects_with_its_position() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-poison");
    make_topic(&site, "raw", 1);
    let abroad = flow(7).replace("10.1.10.1", "198.51.100.9");
    let lines = [
        "not json",
        &flow(1),
        "{\"kind\":\"flow\"}",
        &abroad,
        &flow(2),
    ];
    site.produce("raw", &(lines.join("\n") + "\n"));
    let summary = move_topic(&site, folder.path(), "raw", &[]);
    assert_eq!(summary["records"], 5, "{summary}");
    assert_eq!(summary["rows"], 2, "{summary}");
    let expected = json!({ "malformed": 1, "missing_field": 1, "no_known_endpoint": 1 });
    assert_eq!(summary["rejects"], expected);
    let raw = site.topic("raw");
    let found: BTreeSet<(String, u64)> = site.read("rejects").iter().map(position).collect();
    for (reason, offset) in [
        ("malformed", 0),
        ("missing_field", 2),
        ("no_known_endpoint", 3),
    ] {
        assert!(
            found.contains(&(format!("{reason} {raw}"), offset)),
            "{found:?}"
        );
    }
    let headers = site.headers("rejects");
    let is_told = |h: &String| h.contains("andon.reason=") && h.contains(&format!("topic={raw}"));
    assert!(headers.iter().all(is_told), "{headers:?}");

    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    wait_for_session(&mut mosquitto);
    mosquitto.publish(CONTROLLER, "not json");
    publish(&mosquitto, 3..5);
    moved(&site, 1..5);
    assert!(bridge.terminate().success());
    bridge.said("3 records, 2 rows");
    bridge.said("1 rejected as malformed");
    // Nothing is remembered, and yet no position comes twice.
    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    wait_for_session(&mut mosquitto);
    mosquitto.publish(CONTROLLER, "not json");
    publish(&mosquitto, 5..6);
    moved(&site, 1..6);
    assert!(bridge.terminate().success());
    let rejects = site.read("rejects");
    let topic = format!("andon/v1/in/precision-parts/{CONTROLLER}/flow");
    let is_it = |reject: &&Value| reject["source"]["topic"] == topic.as_str();
    let found: BTreeSet<_> = rejects.iter().filter(is_it).map(position).collect();
    assert_eq!(found.len(), 2, "{rejects:?}");
}

/// Reason and topic of a reject, and its offset.
fn position(reject: &Value) -> (String, u64) {
    let source = &reject["source"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let reason = text(&reject["reason"]);
    let offset = source["offset"].as_u64().unwrap();
    (format!("{reason} {}", text(&source["topic"])), offset)
}

/// A bridge that must not begin; what it says of it.
fn refused(config: &Path, args: &[&str]) -> String {
    let mut command = plant::andon();
    command.arg("bridge").arg("-c").arg(config).args(args);
    // One that begins must not go on for ever.
    command.args(["--duration", "60s"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_topic_that_is_missing_or_does_not_do_is_told_before_anything_is_moved() {
    let Some(kafka) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let nothing = Site {
        addresses: kafka.addresses().to_owned(),
        prefix: "bridge-nothing".to_owned(),
    };
    let bare = nothing.config(folder.path(), "nothing", "[mqtt]\nlisten = \"127.0.0.1:0\"");
    let told = refused(&bare, &[]);
    let missing = "no topic `bridge-nothing.observations.v1`, `bridge-nothing.rejects.v1`.";
    assert!(told.contains(missing), "{told}");
    assert!(told.contains("`andon topics create`"), "{told}");

    let site = Site::new(kafka.addresses(), "bridge-source");
    let config = site.config(folder.path(), "source", "");
    for more in [&["--drain"][..], &[]] {
        let args = [&["--from-topic", "bridge-source.rwa.v1"], more].concat();
        let told = refused(&config, &args);
        let missing = "no topic `bridge-source.rwa.v1` to read from";
        assert!(told.contains(missing), "{told}");
    }
    // What only a run needs is not asked for, and what the bridge needs must be as it should be.
    let stamped = [("message.timestamp.type", "CreateTime")];
    make_topic_with(&nothing, "observations", 1, &stamped);
    make_topic(&nothing, "rejects", 1);
    let told = refused(&bare, &["--from-topic", "raw"]);
    let wrong = "message.timestamp.type is CreateTime, not LogAppendTime";
    assert!(told.contains(wrong), "{told}");
    assert!(told.contains("`andon topics check`"), "{told}");
}

/// A device whose records come in another partition than those of the controller.
fn neighbour() -> String {
    let partitions = usize::try_from(PARTITIONS).unwrap();
    let home = |device: &str| Partitioner::Murmur2.home(device, partitions);
    (2..=30)
        .map(|number| format!("cnc-controller-01-{number:04}"))
        .find(|device| home(device) != home(CONTROLLER))
        .unwrap()
}

#[test]
fn a_row_that_its_sender_may_not_make_touches_only_the_sender() {
    let (Some(kafka), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-forged");
    let liar = neighbour();
    // About the controller, it would be CRITICAL.
    let forged = |seq: u64| {
        let named = format!("{{\"device\":\"{CONTROLLER}\",");
        flow(seq).replacen('{', &named, 1)
    };
    let mut bridge = start(&site, folder.path(), &mosquitto, &[]);
    wait_for_session(&mut mosquitto);
    mosquitto.publish(&liar, &forged(1));
    moved(&site, 1..2);
    assert!(bridge.terminate().success());
    assert_eq!(places(&site)[0].1, liar, "where his own records come");
    // One who writes there himself cannot do it either, whichever key he takes.
    for (seq, key) in [(2, CONTROLLER), (3, &liar)] {
        let claim = format!("{{\"sender\":\"{liar}\",\"sender_proven\":true,");
        let line = forged(seq).replacen('{', &claim, 1);
        site.produce("observations", &format!("{key}\t{line}\n"));
    }
    site.drain(folder.path(), "run", "");
    let rejects = site.read("rejects");
    assert_eq!(rejects.len(), 3, "{rejects:?}");
    for reject in &rejects {
        assert_eq!(reject["reason"], "wrong_sender", "{reject}");
        assert_eq!(reject["device"], CONTROLLER, "{reject}");
    }
    let verdicts = site.read("verdicts");
    assert!(!verdicts.is_empty());
    for verdict in &verdicts {
        assert_eq!(verdict["device_id"], liar.as_str(), "{verdict}");
        assert_eq!(verdict["grade"], "HIGH", "{verdict}");
        let detector = &verdict["findings"][0]["detector"];
        assert_eq!(detector, "identity_mismatch", "{verdict}");
    }
}

#[test]
fn what_a_topic_says_of_its_senders_counts_only_if_its_writers_are_trusted() {
    let Some(kafka) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, more, grade) in [
        ("bridge-anybody", &[][..], "MEDIUM"),
        ("bridge-collector", &["--trusted-source"], "CRITICAL"),
    ] {
        let site = Site::new(kafka.addresses(), name);
        make_topic(&site, "raw", 1);
        let claim = format!("{{\"sender\":\"{CONTROLLER}\",\"sender_proven\":true,");
        site.produce("raw", &(flow(1).replacen('{', &claim, 1) + "\n"));
        move_topic(&site, folder.path(), "raw", more);
        site.drain(folder.path(), name, "");
        let verdicts = site.read("verdicts");
        assert_eq!(verdicts[0]["device_id"], CONTROLLER);
        assert_eq!(verdicts[0]["grade"], grade, "{verdicts:?}");
    }
}
