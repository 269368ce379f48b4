//! The subscriber and the write-ahead log against a real broker: what it holds for us is delivered
//! until we have settled it, and not after.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod broker;

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use andon_ingest::delivery::{Delivery, Receipt, Settle};
use andon_ingest::log::{Body, Log};
use andon_ingest::subscriber::{Health, Options, SettleHandle, Subscriber};
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::broker::{Broker, skipped};

/// Long enough that only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

const TOPIC: &str = "andon/v1/in/plant/cnc-7/reading";

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened")
}

fn options(broker: &Broker) -> Options {
    let address = format!("mqtt://127.0.0.1:{}", broker.port());
    let filters = vec!["andon/v1/in/plant/#".to_owned()];
    Options {
        shortest_pause: Duration::from_millis(50),
        longest_pause: Duration::from_millis(200),
        drain_within: Duration::from_millis(200),
        ..Options::new(address.parse().unwrap(), "andon-test", filters)
    }
}

/// Starts a subscriber and waits until the broker has accepted it.
async fn subscribe(broker: &Broker) -> (Subscriber, mpsc::Receiver<Delivery>) {
    let (subscriber, deliveries) = Subscriber::start(options(broker)).unwrap();
    let mut health = subscriber.health();
    let connected = health.wait_for(|health| matches!(health, Health::Connected { .. }));
    patiently(connected).await.unwrap();
    (subscriber, deliveries)
}

/// Publishes each number as a message of QoS 1; the broker has acknowledged them all then.
fn publish(broker: &Broker, numbers: impl IntoIterator<Item = usize>) {
    let mut client = broker
        .client("mosquitto_pub")
        .args(["-q", "1", "-l", "-t", TOPIC])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = client.stdin.take().unwrap();
    for number in numbers {
        writeln!(input, "{number}").unwrap();
    }
    drop(input);
    assert!(client.wait().unwrap().success());
}

fn number(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

/// Takes the next message: its number, and its receipt.
async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> (usize, Receipt) {
    let delivery = patiently(deliveries.recv()).await.unwrap();
    (number(&delivery.payload), delivery.receipt.unwrap())
}

#[tokio::test]
async fn a_message_is_delivered_again_until_it_is_settled() {
    let Some(broker) = Broker::start("") else {
        return;
    };
    let (killed, mut deliveries) = subscribe(&broker).await;
    publish(&broker, [1, 2]);
    assert_eq!(next(&mut deliveries).await.0, 1);
    assert_eq!(next(&mut deliveries).await.0, 2);
    drop(killed);

    let (subscriber, mut deliveries) = subscribe(&broker).await;
    let (first, receipt) = next(&mut deliveries).await;
    assert_eq!(first, 1);
    assert_eq!(next(&mut deliveries).await.0, 2);
    subscriber.settle_handle().settle(&[receipt]);
    // Acknowledges the first, and gives up waiting for the second to be settled.
    subscriber.shutdown().await;

    let (subscriber, mut deliveries) = subscribe(&broker).await;
    publish(&broker, [3]);
    let (second, receipt) = next(&mut deliveries).await;
    assert_eq!(second, 2);
    let (third, other) = next(&mut deliveries).await;
    assert_eq!(third, 3);
    subscriber.settle_handle().settle(&[receipt, other]);
    subscriber.shutdown().await;

    let (_subscriber, mut deliveries) = subscribe(&broker).await;
    publish(&broker, [4]);
    assert_eq!(next(&mut deliveries).await.0, 4);
}

#[tokio::test]
async fn a_restart_of_the_broker_loses_nothing_that_it_had_acknowledged() {
    const HALF: usize = 300;
    let Some(mut broker) = Broker::start("") else {
        return;
    };
    let (subscriber, mut deliveries) = subscribe(&broker).await;
    let settle = subscriber.settle_handle();
    publish(&broker, 0..HALF);
    let mut seen = BTreeSet::new();
    for taken in 0..HALF / 2 {
        let (number, receipt) = next(&mut deliveries).await;
        seen.insert(number);
        // Some are settled when the broker stops, some are not, some were never taken.
        if taken < HALF / 4 {
            settle.settle(&[receipt]);
        }
    }
    broker.stop();
    broker.start_again();
    publish(&broker, HALF..2 * HALF);
    while seen.len() < 2 * HALF {
        let (number, receipt) = next(&mut deliveries).await;
        seen.insert(number);
        settle.settle(&[receipt]);
    }
    assert_eq!(seen, (0..2 * HALF).collect());
}

#[tokio::test]
async fn a_subscription_that_the_broker_refuses_is_reported() {
    let Some(plugin) = dynamic_security() else {
        skipped("mosquitto has no dynamic security plugin");
        return;
    };
    let rules = tempfile::tempdir().unwrap();
    let file = rules.path().join("rules.json");
    let text = r#"{
        "defaultACLAccess": {
            "publishClientSend": true, "publishClientReceive": true,
            "subscribe": false, "unsubscribe": true
        },
        "groups": [{"groupname": "everyone", "roles": []}], "anonymousGroup": "everyone"
    }"#;
    fs::write(&file, text).unwrap();
    let config = format!(
        "plugin {}\nplugin_opt_config_file {}",
        plugin.display(),
        file.display()
    );
    let Some(broker) = Broker::start(&config) else {
        return;
    };
    let (subscriber, _deliveries) = Subscriber::start(options(&broker)).unwrap();
    let mut health = subscriber.health();
    let refused = health.wait_for(|health| matches!(health, Health::Refused { .. }));
    let reason = "subscription to \"andon/v1/in/plant/#\" is not allowed".to_owned();
    assert_eq!(
        *patiently(refused).await.unwrap(),
        Health::Refused { reason }
    );
}

/// Where the plugin is that can refuse subscriptions; access files cannot.
fn dynamic_security() -> Option<PathBuf> {
    let name = "mosquitto_dynamic_security.so";
    fs::read_dir("/usr/lib")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join(name)))
        .chain([Path::new("/usr/lib").join(name)])
        .find(|file| file.is_file())
}

#[tokio::test]
async fn a_wrong_password_is_reported() {
    let Some(broker) = Broker::start("allow_anonymous false") else {
        return;
    };
    let (subscriber, _deliveries) = Subscriber::start(options(&broker)).unwrap();
    let mut health = subscriber.health();
    let refused = health.wait_for(|health| matches!(health, Health::Refused { .. }));
    let reason = "client is not authorised".to_owned();
    assert_eq!(
        *patiently(refused).await.unwrap(),
        Health::Refused { reason }
    );
}

/// Settles for whichever subscriber runs at the time.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<SettleHandle>>>);

impl Current {
    fn set(&self, settle: SettleHandle) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(settle);
    }
}

impl Settle for Current {
    fn settle(&self, receipts: &[Receipt]) {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settle) = &*current {
            settle.settle(receipts);
        }
    }
}

/// Runs subscriber and log until `enough` says so of a message's number; ends both without a
/// good-bye, some messages acknowledged, some durable, some neither.
async fn ingest(broker: &Broker, directory: &Path, mut enough: impl FnMut(usize) -> bool) {
    let settle = Current::default();
    let on_commit = settle.clone();
    let opened = Log::open(
        directory,
        andon_ingest::log::Options::default(),
        move |commit| on_commit.settle(&commit.receipts),
    );
    let (log, _) = opened.unwrap();
    // Not waiting for the connection: what the broker has kept comes before its answer.
    let (subscriber, mut deliveries) = Subscriber::start(options(broker)).unwrap();
    settle.set(subscriber.settle_handle());
    for taken in 1.. {
        let delivery = patiently(deliveries.recv()).await.unwrap();
        let (number, receipt) = (number(&delivery.payload), delivery.receipt);
        log.append(0, &delivery.into(), receipt).unwrap();
        if taken % 32 == 0 {
            log.sync().unwrap();
        }
        if enough(number) {
            break;
        }
    }
}

/// Every number in the log.
fn logged(directory: &Path) -> BTreeSet<usize> {
    let (log, _) = Log::open(directory, andon_ingest::log::Options::default(), |_| {}).unwrap();
    log.replay(1)
        .unwrap()
        .map(|entry| match entry.unwrap().body {
            Body::Message { payload, .. } => number(&payload),
            other => panic!("not a message: {other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn what_a_publisher_was_told_is_safe_is_in_the_log_after_crashes_on_both_sides() {
    const MESSAGES: usize = 1_000;
    let Some(mut broker) = Broker::start("") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    // Makes the session, so that the broker keeps what comes while nobody is there.
    drop(subscribe(&broker).await);
    publish(&broker, 0..MESSAGES / 2);
    for _crash in 0..4 {
        let mut taken = 0;
        ingest(&broker, directory.path(), |_| {
            taken += 1;
            taken == 100
        })
        .await;
    }
    broker.stop();
    broker.start_again();
    publish(&broker, MESSAGES / 2..MESSAGES);

    let all: BTreeSet<usize> = (0..MESSAGES).collect();
    let mut missing: BTreeSet<usize> = &all - &logged(directory.path());
    ingest(&broker, directory.path(), |number| {
        missing.remove(&number);
        missing.is_empty()
    })
    .await;
    assert_eq!(logged(directory.path()), all);
}
