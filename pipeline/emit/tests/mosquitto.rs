//! The publisher against a real broker: what it has flushed is with the readers, whatever happened
//! to the broker in between.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test that calls them"
)]

#[path = "../../ingest/tests/broker/mod.rs"]
mod broker;

use std::collections::BTreeSet;
use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use andon_emit::mqtt::{Health, Options, Publisher};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::broker::Broker;

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

const VERDICTS: &str = "andon/v1/out/plant/cnc-7/verdict";
const RISK: &str = "andon/v1/out/plant/cnc-7/risk";

/// Ends what a reader is to read.
const LAST: &str = "last";

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened")
}

fn start(broker: &Broker) -> Publisher {
    let options = Options {
        shortest_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
        ..Options::new("127.0.0.1", broker.port(), "andon-emit-test")
    };
    Publisher::start(options).unwrap()
}

async fn publish(publisher: &Publisher, topic: &str, payload: impl ToString, retain: bool) {
    let payload = payload.to_string().into_bytes();
    patiently(publisher.publish(topic, payload, retain))
        .await
        .unwrap();
}

/// Arguments of a reader whose session the broker keeps.
const READER: [&str; 7] = ["-c", "-i", "reader", "-q", "1", "-t", VERDICTS];

/// Has the broker keep verdicts for the reader from now on.
fn make_session(broker: &Broker) {
    let mut client = broker.client("mosquitto_sub");
    assert!(client.args(READER).arg("-E").status().unwrap().success());
}

/// Everything that the broker has kept for the reader, up to the last one.
async fn read(broker: &Broker) -> Vec<String> {
    let mut client = broker
        .client("mosquitto_sub")
        .args(READER)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(client.stdout.take().unwrap());
    let lines = spawn_blocking(move || {
        let lines = output.lines().map(Result::unwrap);
        let lines: Vec<String> = lines.take_while(|line| line != LAST).collect();
        client.kill().unwrap();
        client.wait().unwrap();
        lines
    });
    patiently(lines).await.unwrap()
}

#[tokio::test]
async fn messages_arrive_in_order_and_the_last_risk_is_kept_for_later_readers() {
    let Some(broker) = Broker::start("") else {
        return;
    };
    make_session(&broker);
    let publisher = start(&broker);
    for number in 0..300 {
        publish(&publisher, VERDICTS, number, false).await;
        publish(&publisher, RISK, number, true).await;
    }
    publish(&publisher, VERDICTS, LAST, false).await;
    patiently(publisher.flush()).await.unwrap();
    let expected: Vec<String> = (0..300).map(|number: i32| number.to_string()).collect();
    assert_eq!(read(&broker).await, expected);

    let late = broker
        .client("mosquitto_sub")
        .args(["-C", "1", "-W", "20", "-t", RISK])
        .output()
        .unwrap();
    assert_eq!(late.stdout, b"299\n");
    let rest = publisher.shutdown(PATIENCE).await;
    assert_eq!(rest, 0);
}

#[tokio::test]
async fn a_restart_of_the_broker_loses_nothing_that_was_published() {
    let Some(mut broker) = Broker::start("") else {
        return;
    };
    make_session(&broker);
    let publisher = start(&broker);
    for number in 0..300 {
        publish(&publisher, VERDICTS, number, false).await;
    }
    // Some of them are still on their way.
    broker.stop();
    for number in 300..600 {
        publish(&publisher, VERDICTS, number, false).await;
    }
    assert!(publisher.unacknowledged() >= 300);
    broker.start_again();
    publish(&publisher, VERDICTS, LAST, false).await;
    patiently(publisher.flush()).await.unwrap();
    let seen: BTreeSet<i32> = read(&broker)
        .await
        .iter()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(seen, (0..600).collect());
}

#[tokio::test]
async fn a_wrong_password_is_reported() {
    let Some(broker) = Broker::start("allow_anonymous false") else {
        return;
    };
    let publisher = start(&broker);
    let mut health = publisher.health();
    let refused = health.wait_for(|health| matches!(health, Health::Refused { .. }));
    let reason = "client is not authorised".to_owned();
    assert_eq!(
        *patiently(refused).await.unwrap(),
        Health::Refused { reason }
    );
}
