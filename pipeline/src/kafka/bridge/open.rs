//! What a bridge consists of, put together as the configuration says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use andon_emit::kafka::Stream;
use andon_ingest::kafka::payload::{self, Payloads};
use andon_schemas::inventory::Inventory;
use anyhow::anyhow;
use rdkafka::ClientConfig;
use tokio::runtime::Runtime;

use super::ferry::{Ferry, GOODBYE_WITHIN};
use super::field::Field;
use super::relay::{Manner, Relay};
use super::rows::Rows;
use super::vitals::Vitals;
use crate::config::Config;
use crate::exit::usage;
use crate::kafka::clients::{join, run_id};
use crate::kafka::connect::{ASKED_AGAIN_AFTER, Unreachable};
use crate::kafka::names::Names;
use crate::kafka::settings::{Delivery, Settings};
use crate::kafka::sink::Sink;
use crate::kafka::topics;

/// How long the cluster is given to answer a question.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// A topic that is read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name.
    pub topic: &'a str,
    /// Whoever writes there says truly who sent a record. Not what `trusted_producers` says, which
    /// is about the observations.
    pub trusted: bool,
}

/// A client that puts records where runs expect them.
fn client(settings: &Settings) -> ClientConfig {
    let mut client = settings.client("bridge");
    client.set("partitioner", settings.partitioner.of_librdkafka());
    client
}

/// Waits for the cluster, and insists on the topics that are written and, if there is one, on the
/// one that is read. `false` if it is told to stop before.
///
/// # Errors
/// If a topic is missing or is not as it must be, or the cluster does not let us in.
pub(super) fn reach(
    settings: &Settings,
    source: Option<&str>,
    vitals: &Vitals,
    stop: &AtomicBool,
) -> anyhow::Result<bool> {
    while !stop.load(Ordering::Relaxed) {
        vitals.beat();
        let met = topics::demand_by_bridge(settings, ASKED_WITHIN).and_then(|()| match source {
            None => Ok(()),
            Some(topic) => topics::demand_source(settings, topic, ASKED_WITHIN),
        });
        match met {
            Ok(()) => return Ok(true),
            Err(error) if error.is::<Unreachable>() => {
                let reason = format!("{error:#}");
                tracing::warn!("kafka: {reason}");
                vitals.tell("kafka", Some(reason));
                std::thread::sleep(ASKED_AGAIN_AFTER);
            }
            Err(error) => return Err(usage(error)),
        }
    }
    Ok(false)
}

/// The bridge from MQTT.
///
/// # Errors
/// If an address cannot be listened on, or the options cannot work. Brokers that are absent are no
/// error: they are waited for.
pub fn ferry(
    runtime: &Runtime,
    config: &Config,
    settings: &Settings,
    inventory: Arc<Inventory>,
) -> anyhow::Result<Ferry> {
    let vitals = Vitals::start(&["mqtt", "kafka"], config.http.as_deref(), runtime)?;
    let stream = Stream::new(&client(settings))?;
    let field = Field::open(runtime, config, &inventory.site, GOODBYE_WITHIN)?;
    // Every message says who sent it, and whether that was proved.
    let rows = Rows::new(inventory, &Names::of(&settings.prefix), true);
    Ok(Ferry::new(field, stream, rows, vitals))
}

/// The bridge from a topic.
///
/// # Errors
/// If the topic is one that a bridge writes to, an address cannot be listened on, or the options
/// cannot work.
pub fn relay(
    runtime: &Runtime,
    config: &Config,
    settings: &Settings,
    source: Source<'_>,
    inventory: Arc<Inventory>,
) -> anyhow::Result<Relay> {
    let Source { topic, trusted } = source;
    let names = Names::of(&settings.prefix);
    if [&names.observations, &names.rejects].contains(&&Arc::from(topic)) {
        return Err(usage(anyhow!(
            "`{topic}` is what the bridge writes to; --from-topic names another one"
        )));
    }
    let payloads = Payloads::new(&payload::Options {
        trusted,
        registry: settings.registry.clone(),
        registry_ca: settings.registry_ca.clone(),
        ..payload::Options::default()
    })
    .map_err(usage)?;
    let vitals = Vitals::start(&["kafka"], config.http.as_deref(), runtime)?;
    let settings = Settings {
        // Not the group of the run, which reads another topic.
        group: format!("{}-bridge", settings.group),
        delivery: Delivery::ExactlyOnce,
        ..settings.clone()
    };
    let reader = join(&settings, &settings.group, topic)?;
    let sink = Sink::open(&settings, client(&settings), &reader)?;
    let rows = Rows::new(inventory, &names, trusted);
    let manner = Manner {
        topic: Arc::from(topic),
        epoch: settings.epoch,
        session: settings.session,
        run: run_id()?,
    };
    Ok(Relay::new(manner, reader, sink, payloads, rows, vitals))
}
