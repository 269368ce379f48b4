//! `andon topics` against a real Apache Kafka: what is missing is made, what is wrong is told with
//! what mends it, and nobody gets in without the right certificate and password.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod installation;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod plant;

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::installation::{Installation, PATIENCE};
use self::kafka_broker::{Cluster, Secure};

fn actions(told: &Value) -> Vec<&str> {
    let topics = told["topics"].as_array().unwrap().iter();
    topics
        .map(|topic| topic["action"].as_str().unwrap())
        .collect()
}

#[test]
fn what_create_makes_is_what_check_wants_and_a_run_demands() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let fresh = Installation::on(cluster, "fresh");
    let error = fresh.demand().unwrap_err().to_string();
    assert!(error.contains("`fresh.observations.v1`"), "{error}");
    assert!(error.contains("andon topics create"), "{error}");
    let (is_well, problems) = fresh.check();
    assert!(!is_well);
    assert_eq!(problems.len(), 12, "{problems:?}");

    let told = fresh.create(&["--partitions", "5"]);
    assert_eq!(actions(&told), ["create"; 12]);
    assert_eq!(fresh.check(), (true, Vec::new()));
    assert_eq!(fresh.demand().unwrap().observations, 5);
}

#[test]
fn create_twice_changes_nothing() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let twice = Installation::on(cluster, "twice");
    twice.create(&["--partitions", "2"]);
    let told = twice.create(&["--partitions", "7"]);
    assert_eq!(actions(&told), ["keep"; 12]);
    assert_eq!(twice.demand().unwrap().observations, 2);
}

#[test]
fn a_dry_run_says_what_would_be_made_and_makes_nothing() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let dry = Installation::on(cluster, "dry");
    let ended = dry.topics(&["create", "--dry-run"]);
    assert!(ended.printed.contains("dry.risk.v1"), "{}", ended.printed);
    assert!(
        ended.printed.contains("would be created"),
        "{}",
        ended.printed
    );
    assert_eq!(dry.check().1.len(), 12);
}

#[test]
fn topics_that_somebody_made_otherwise_are_named_with_what_mends_them() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let odd = Installation::on(cluster, "odd");
    odd.make(
        "observations",
        4,
        &[("message.timestamp.type", "CreateTime")],
    );
    odd.make("state", 3, &[("cleanup.policy", "delete")]);
    odd.make("risk", 4, &[("cleanup.policy", "delete")]);
    let told = odd.create(&[]);
    assert_eq!(
        actions(&told)
            .iter()
            .filter(|action| **action == "keep")
            .count(),
        3
    );

    let ended = odd.topics(&["check"]);
    assert_eq!(ended.status, Some(1), "{}", ended.complaint);
    for words in [
        "message.timestamp.type is CreateTime, not LogAppendTime: a producer says itself",
        "--entity-name odd.observations.v1 --add-config message.timestamp.type=LogAppendTime",
        "partitions is 3, not 4",
        "--alter --topic odd.state.v1 --partitions 4",
        "--entity-name odd.state.v1 --add-config cleanup.policy=compact",
        "max.message.bytes is 1048588, not at least 2097152",
        "--entity-name odd.risk.v1 --add-config cleanup.policy=compact",
    ] {
        assert!(ended.printed.contains(words), "{words}: {}", ended.printed);
    }
    let error = odd.demand().unwrap_err().to_string();
    for words in [
        "`odd.observations.v1`: message.timestamp.type is CreateTime, not LogAppendTime",
        "`odd.state.v1`: partitions is 3, not 4",
        "`odd.state.v1`: cleanup.policy is delete, not compact",
        "andon topics check",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    // A run can do without, but nobody who starts later could.
    assert!(!error.contains("odd.risk.v1"), "{error}");
}

#[test]
fn what_is_only_unusual_is_noted_and_does_not_fail_the_check() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let short = Installation::on(cluster, "short");
    short.create(&["--partitions", "1"]);
    // The old way of altering sets all of a topic's settings: what is not said is the broker's.
    short.alter("acks", "retention.ms", "60000");
    short.check_until(|is_well, problems| is_well && problems == ["short.acks.v1: retention.ms"]);
}

#[test]
fn more_copies_than_brokers_are_refused_before_anything_is_made() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let many = Installation::on(cluster, "many");
    let ended = many.topics(&["create", "--replication-factor", "3"]);
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.complaint.contains("only one broker"),
        "{}",
        ended.complaint
    );
    assert_eq!(many.check().1.len(), 12);
}

#[test]
fn three_brokers_keep_three_copies_and_one_of_them_may_be_down() {
    // Whatever the brokers would do by themselves, the topics are as the table has them.
    let otherwise = [
        "log.message.timestamp.type=CreateTime",
        "log.cleanup.policy=compact",
        "log.retention.bytes=1000",
    ];
    let Some(mut cluster) = Cluster::start_with(3, &otherwise) else {
        return;
    };
    let safe = Installation::on(&cluster, "safe");
    let told = safe.create(&["--partitions", "3"]);
    let topics = told["topics"].as_array().unwrap();
    assert!(topics.iter().all(|topic| topic["replication"] == 3));
    // Each broker learns of it in its own time.
    safe.check_until(|is_well, problems| is_well && problems.is_empty());
    cluster.stop(2);
    let is_told = |problem: &String| problem.ends_with(": copies in sync");
    safe.check_until(|is_well, problems| {
        is_well && problems.len() == 12 && problems.iter().all(is_told)
    });
    assert_eq!(safe.demand().unwrap().observations, 3);
}

#[test]
fn a_broker_that_is_not_there_is_told_in_time() {
    let nobody = Installation::at("127.0.0.1:9", "nobody", "");
    for verb in ["create", "check"] {
        let ended = nobody.topics(&[verb, "--connect-timeout", "1s"]);
        assert_eq!(ended.status, Some(1));
        let complaint = &ended.complaint;
        assert!(complaint.contains("`127.0.0.1:9` within 1s"), "{complaint}");
        assert!(complaint.contains("Connection refused"), "{complaint}");
    }
}

#[test]
fn without_a_broker_s_name_nobody_is_asked() {
    let ended = plant::andon().args(["topics", "check"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let complaint = String::from_utf8(ended.stderr).unwrap();
    assert!(complaint.contains("--kafka host:port"), "{complaint}");
}

/// The sections of a client that trusts somebody and knows a password.
fn with_password(secure: &Secure, mechanism: &str, authority: &str, password: &Path) -> String {
    format!(
        "[kafka.tls]\nca_file = '{}'\n\
         [kafka.sasl]\nmechanism = '{mechanism}'\nuser = 'andon'\npassword_file = '{}'\n",
        secure.folder.join(authority).display(),
        password.display()
    )
}

#[test]
fn an_encrypted_cluster_lets_in_who_proves_itself_and_tells_the_others_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::start_secure(1, folder.path()) else {
        return;
    };
    let secure = cluster.secure();
    let password = secure.folder.join("password");
    let wrong = secure.folder.join("wrong");
    fs::write(&wrong, "not-the-password").unwrap();
    for (prefix, mechanism) in [
        ("sha256", "SCRAM-SHA-256"),
        ("sha512", "SCRAM-SHA-512"),
        ("plain", "PLAIN"),
    ] {
        let settings = with_password(secure, mechanism, "ca.pem", &password);
        let ours = Installation::at(&secure.sasl, prefix, &settings);
        ours.create(&["--partitions", "1"]);
        assert_eq!(ours.check(), (true, Vec::new()));

        let settings = with_password(secure, mechanism, "ca.pem", &wrong);
        let refused = refused(&secure.sasl, &settings);
        assert!(refused.contains("Authentication failed"), "{refused}");
    }
    let settings = with_password(secure, "SCRAM-SHA-512", "stranger.pem", &password);
    let strange = refused(&secure.sasl, &settings);
    assert!(
        strange.contains("certificate could not be verified"),
        "{strange}"
    );

    let trust = format!(
        "[kafka.tls]\nca_file = '{}'\n",
        secure.folder.join("ca.pem").display()
    );
    let certificate = format!(
        "{trust}keystore_file = '{}'\nkey_password_file = '{}'\n",
        secure.folder.join("client.p12").display(),
        password.display()
    );
    let ours = Installation::at(&secure.ssl, "certified", &certificate);
    ours.create(&["--partitions", "1"]);
    let without = refused(&secure.ssl, &trust);
    assert!(
        without.contains("wants a certificate from its clients"),
        "{without}"
    );
}

/// How a client that is not let in is told so; no password is in it.
fn refused(address: &str, settings: &str) -> String {
    let ended = Installation::at(address, "refused", settings).topics(&["check"]);
    assert_eq!(ended.status, Some(1));
    assert_eq!(ended.printed, "");
    let complaint = ended.complaint;
    assert!(complaint.contains(address), "{complaint}");
    assert!(!complaint.contains("not-the-password"), "{complaint}");
    complaint
}

#[test]
fn brokers_do_not_outlive_a_script_that_is_killed() {
    let Some(mut cluster) = Cluster::start(1) else {
        return;
    };
    let address = cluster.addresses().to_owned();
    // A frozen one hears of nothing but this.
    cluster.pause(1);
    let script = cluster.process_id().to_string();
    assert!(
        Command::new("kill")
            .args(["-KILL", &script])
            .status()
            .unwrap()
            .success()
    );
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < deadline, "the broker still listens");
        sleep(Duration::from_millis(50));
    }
}
