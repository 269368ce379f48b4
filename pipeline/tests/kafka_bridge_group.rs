//! The bridge from a topic, as it is run for long: by several processes, over encrypted connections,
//! while the inventory changes and brokers come late.
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

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::thread;

use self::bridged::{
    CONTROLLER, flow, make_topic, move_topic, move_topic_with, moved, places, ready, start_from,
    wait_for_session, wait_until,
};
use self::broker::Broker;
use self::kafka_broker::Cluster;
use self::kafka_plant::{Luck, Site, cluster};
use self::watched::Watched;

#[test]
fn bridges_of_one_group_that_come_and_go_move_every_record_once() {
    let Some(kafka) = cluster() else {
        return;
    };
    let mut luck = Luck::new("bridge-group");
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-group");
    make_topic(&site, "raw", 6);
    let mut end = 0;
    let mut feed = |times: usize| {
        for _ in 0..times {
            let numbers = end..end + 200;
            end = numbers.end;
            let mut lines = String::new();
            for number in numbers {
                // Spread by the number, which is not its device.
                writeln!(lines, "{number}\t{}", flow(number)).unwrap();
            }
            site.produce("raw", &lines);
            thread::sleep(luck.millis(50, 400));
        }
        end
    };
    let start = |name: &str| start_from(&site, folder.path(), name, "raw", &[]);
    let mut members = BTreeMap::from(["a", "b"].map(|name| (name, start(name))));
    feed(15);
    // One dies, and is missed once its session is over; meanwhile another comes.
    members.remove("a").unwrap().kill();
    feed(5);
    members.insert("c", start("c"));
    feed(30);
    // One leaves in order.
    assert!(members.remove("b").unwrap().terminate().success());
    let end = feed(15);
    let found = moved(&site, 0..end);
    assert!(members.remove("c").unwrap().terminate().success());
    move_topic(&site, folder.path(), "raw", &[]);
    let found_again = moved(&site, 0..end);
    assert_eq!(found, found_again, "nothing was left, nothing comes again");
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times != 1).collect();
    assert!(
        twice.is_empty(),
        "{} twice: {:?}",
        twice.len(),
        twice.first()
    );
}

#[test]
fn an_encrypted_cluster_is_read_and_written_by_who_knows_the_password() {
    let folder = tempfile::tempdir().unwrap();
    if cluster().is_none() {
        return;
    }
    let Some(kafka) = Cluster::start_secure(1, folder.path()) else {
        return;
    };
    let site = Site::new(kafka.addresses(), "bridge-secure");
    make_topic(&site, "raw", 1);
    site.produce("raw", &format!("{}\n{}\n", flow(1), flow(2)));
    let secure = kafka.secure();
    let encrypted = Site {
        addresses: secure.sasl.clone(),
        prefix: site.prefix.clone(),
    };
    let sections = |password: &str| {
        format!(
            "[kafka.tls]\nca_file = '{}'\n[kafka.sasl]\nmechanism = 'SCRAM-SHA-512'\n\
             user = 'andon'\npassword_file = '{}'",
            secure.folder.join("ca.pem").display(),
            secure.folder.join(password).display()
        )
    };
    fs::write(secure.folder.join("wrong"), "not-the-password").unwrap();
    let config = encrypted.config(folder.path(), "wrong", &sections("wrong"));
    let topic = site.topic("raw");
    let mut command = plant::andon();
    command.arg("bridge").arg("-c").arg(config);
    command.args(["--from-topic", &topic, "--drain"]);
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("Authentication failed"), "{told}");
    assert!(!told.contains("not-the-password"), "{told}");

    let right = sections("password");
    let summary = move_topic_with(&encrypted, folder.path(), "raw", &right, &[]);
    assert_eq!(summary["rows"], 2, "{summary}");
    assert_eq!(moved(&site, 1..3).len(), 2);
}

#[test]
fn another_inventory_says_from_then_on_whose_a_flow_is() {
    let Some(kafka) = cluster() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-inventory");
    make_topic(&site, "raw", 1);
    let path = folder.path().join("inventory.yaml");
    let text = andon_schemas::builtin::INVENTORY.text;
    let owner = "  - { id: zeek-01, type: zeek, addresses: 10.6.0.30,";
    assert!(text.contains(owner));
    fs::write(&path, text).unwrap();
    let args = ["--inventory", &path.to_string_lossy()];
    let mut bridge = start_from(&site, folder.path(), "bridge", "raw", &args);
    let feed = |seq: u64| {
        let line = flow(seq).replace("10.1.10.1:", "10.6.0.77:");
        site.produce("raw", &(line + "\n"));
        let rows = usize::try_from(seq).unwrap();
        wait_until("it is moved", || places(&site).len() == rows);
        places(&site)
    };
    assert_eq!(feed(1)[0].1, "ip:10.6.0.77");
    fs::write(
        &path,
        text.replace("addresses: 10.6.0.30,", "addresses: 10.6.0.77,"),
    )
    .unwrap();
    bridge.hang_up();
    bridge.wait_for("the inventory was read again and is in force");
    let keys: Vec<String> = feed(2).into_iter().map(|(_, key)| key).collect();
    assert!(keys.contains(&"zeek-01".to_owned()), "{keys:?}");
    fs::write(&path, "site: elsewhere\n").unwrap();
    bridge.hang_up();
    bridge.wait_for("the former one stays in force");
    let keys: Vec<String> = feed(3).into_iter().map(|(_, key)| key).collect();
    assert_eq!(
        keys.iter().filter(|key| *key == "zeek-01").count(),
        2,
        "{keys:?}"
    );
    assert!(bridge.terminate().success());
}

#[test]
fn a_cluster_that_comes_late_is_waited_for_and_told_of_meanwhile() {
    let (Some(_), Some(mut mosquitto)) = (cluster(), Broker::running()) else {
        return;
    };
    let mut kafka = Cluster::start(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(kafka.addresses(), "bridge-late");
    kafka.kill(1);
    let config = site.config(
        folder.path(),
        "bridge",
        &format!(
            "[mqtt]\nbroker = \"mqtt://127.0.0.1:{}\"\nclient_id = \"bridge\"",
            mosquitto.port
        ),
    );
    let mut command = plant::andon();
    command.arg("bridge").arg("-c").arg(config);
    command.args(["--http", "127.0.0.1:0"]);
    let mut bridge = Watched::start("bridge", &mut command);
    let said = bridge.wait_for("health and metrics at http://");
    let console = said.rsplit('/').next().unwrap().to_owned();
    bridge.wait_for("no answer from Kafka");
    let reason = ready(&console).unwrap_err();
    assert!(reason.contains("kafka"), "{reason}");
    wait_for_session(&mut mosquitto);
    for number in 0..50 {
        mosquitto.publish(CONTROLLER, &flow(number));
    }
    kafka.start_again(1);
    let found = moved(&site, 0..50);
    assert!(found.values().all(|times| *times == 1), "{found:?}");
    wait_until("it is ready", || ready(&console).is_ok());
    assert!(bridge.terminate().success());
}
