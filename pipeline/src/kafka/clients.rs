//! The consumers and producers of a run, as the settings want them.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use andon_ingest::kafka::Reader;
use anyhow::anyhow;
use rdkafka::ClientConfig;

use super::acts::Waiting;
use super::directory::Directory;
use super::epochs::Epochs;
use super::evidence::Keeping;
use super::names::Names;
use super::respond::routes::Routes;
use super::respond::{Responder, Setup};
use super::settings::{Protocol, Settings};
use super::sink::Sink;
use crate::policy::PlantPolicy;

/// What the client keeps ready of a topic that is read: messages, and KiB of them, whichever is
/// reached first. A message of 100 bytes takes 500 in there.
#[derive(Clone, Copy, Debug)]
struct Ready {
    messages: usize,
    kib: usize,
}

/// A run takes half a million a second, and is given more every twentieth.
const OBSERVATIONS: Ready = Ready {
    messages: 32_768,
    kib: 32_768,
};
/// The second stage takes some thousands a second.
const VERDICTS: Ready = Ready {
    messages: 4_096,
    kib: 8_192,
};
/// How long the client is given to leave the cluster.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// Joins a group and reads a topic.
///
/// # Errors
/// If the settings cannot work.
pub fn join(settings: &Settings, group: &str, topic: &str) -> anyhow::Result<Arc<Reader>> {
    read(settings, group, topic, OBSERVATIONS)
}

fn read(
    settings: &Settings,
    group: &str,
    topic: &str,
    ready: Ready,
) -> anyhow::Result<Arc<Reader>> {
    let mut consumer = consumer(settings, group, &settings.client(group));
    consumer
        .set("queued.min.messages", ready.messages.to_string())
        .set("queued.max.messages.kbytes", ready.kib.to_string());
    Ok(Arc::new(Reader::join(&consumer, topic)?))
}

/// What the second stage works with.
#[derive(Debug)]
pub struct Second {
    /// Tells this process's commits from those of others.
    pub run: u64,
    /// What the plant allows.
    pub policy: PlantPolicy,
    /// Which desk is to answer for what.
    pub routes: Arc<Mutex<Routes>>,
    /// Those who wait here for what comes of their acts.
    pub waiting: Waiting,
    /// Which desk keeps what.
    pub directory: Directory,
    /// Keeps the records around incidents.
    pub keeping: Keeping,
}

/// Starts the second stage: from verdicts to commands, in transactions of its own.
///
/// # Errors
/// If the settings cannot work, the cluster does not answer, or the system gives no thread.
pub fn respond(settings: &Settings, names: &Names, second: Second) -> anyhow::Result<Responder> {
    let group = format!("{}-respond", settings.group);
    let client = settings.client(&group);
    let reader = read(settings, &group, &names.verdicts, VERDICTS)?;
    let sink = Sink::transactions(settings, client.clone(), &reader, &group)?;
    Responder::start(Setup {
        epochs: Epochs::new(sink, names.verdicts.clone()),
        reader,
        client,
        group,
        names: names.clone(),
        run: second.run,
        policy: second.policy,
        routes: second.routes,
        waiting: second.waiting,
        directory: second.directory,
        keeping: second.keeping,
        trusted: settings.trusted_producers,
    })
}

fn consumer(settings: &Settings, group: &str, client: &ClientConfig) -> ClientConfig {
    let mut consumer = client.clone();
    consumer
        .set("group.id", group)
        .set("group.instance.id", &settings.instance)
        .set("max.poll.interval.ms", "300000")
        // A partition whose queue is full is fetched again so soon: a run takes a full queue in a
        // fifteenth of a second, and would wait for the rest of the client's usual second.
        .set("fetch.queue.backoff.ms", "20")
        .set("fetch.wait.max.ms", "100");
    match settings.protocol {
        Protocol::Consumer => {
            consumer.set("group.protocol", "consumer");
        }
        Protocol::Classic => {
            let session = settings.session.as_millis();
            consumer
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", session.to_string())
                .set(
                    "heartbeat.interval.ms",
                    (session / 10).min(3_000).to_string(),
                )
                .set("max.poll.interval.ms", session.max(300_000).to_string());
        }
    }
    consumer
}

/// Closes what may hang while the cluster is away, and waits only a while for it.
pub fn close(work: impl FnOnce() + Send + 'static) {
    let (done, closed) = sync_channel(1);
    let closing = thread::Builder::new()
        .name("kafka-close".to_owned())
        .spawn(move || {
            work();
            // Nobody waits any more if it took too long.
            let _heard = done.send(()).is_ok();
        });
    if closing.is_err() || closed.recv_timeout(CLOSED_WITHIN).is_err() {
        tracing::warn!("kafka: leaving without a goodbye");
    }
}

/// A number that tells this process's commits from those of others.
///
/// # Errors
/// If the system has no randomness.
pub fn run_id() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no randomness for a name: {e}"))?;
    Ok(u64::from_be_bytes(bytes))
}
