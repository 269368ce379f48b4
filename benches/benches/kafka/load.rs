//! What is produced: records of the plant, each keyed by the device that it is about.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use andon_benches::Stage;
use andon_ingest::split::Splitter;
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{Record, RecordBody, Source};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::installation::Installation;

/// How long the broker is given to take everything.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);

/// An address of no plant (RFC 5737).
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 66));

/// A record, to be sent under each of the devices that see it.
pub(crate) struct Keyed {
    pub(crate) record: Arc<Record>,
    pub(crate) device: DeviceId,
}

/// The next so many rows of the plant.
pub(crate) fn rows(stage: &mut Stage, count: usize) -> Result<Vec<Keyed>, String> {
    let mut splitter = Splitter::default();
    let source = Source {
        topic: "bench".into(),
        partition: 0,
        offset: 0,
    };
    let mut rows = Vec::with_capacity(count);
    let mut seen = Vec::new();
    while rows.len() < count {
        for record in stage.records(8_192) {
            seen.clear();
            let at = record.event_time;
            let inventory = Some(stage.plant.inventory());
            splitter
                .rows(inventory, record.clone(), &source, at, &mut seen)
                .map_err(|refused| refused.detail)?;
            let record = Arc::new(record);
            rows.extend(seen.drain(..).map(|row| Keyed {
                record: record.clone(),
                device: row.header.device,
            }));
        }
    }
    rows.truncate(count);
    Ok(rows)
}

/// The flow as one to a stranger, which proves a CRITICAL: if it is one that this device opened, and
/// the device is a controller.
pub(crate) fn attack(stage: &Stage, record: &Record, device: &DeviceId) -> Option<Record> {
    let inventory = stage.plant.inventory();
    let profile = inventory
        .device(device.as_str())
        .and_then(|known| stage.profiles.get(&known.device_type));
    let mut attack = record.clone();
    let RecordBody::Flow(flow) = &mut attack.body else {
        return None;
    };
    let opener = inventory.at_address(flow.originator.address)?;
    if opener.id != *device || !profile?.controller {
        return None;
    }
    flow.responder.address = STRANGER;
    flow.responder_name = None;
    Some(attack)
}

/// A producer that gathers records for so long.
pub(crate) fn producer(
    installation: &Installation,
    linger: Duration,
) -> Result<BaseProducer, String> {
    installation
        .client()
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("linger.ms", linger.as_millis().to_string())
        .set("batch.size", "500000")
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .map_err(|e: KafkaError| e.to_string())
}

/// Sends one, waiting for room if need be.
pub(crate) fn send(
    producer: &BaseProducer,
    topic: &str,
    device: &DeviceId,
    json: &str,
) -> Result<(), String> {
    let mut record = BaseRecord::to(topic).key(device.as_str()).payload(json);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error.to_string()),
        }
    }
}

/// Waits until the broker has everything.
pub(crate) fn flush(producer: &BaseProducer) -> Result<(), String> {
    producer.flush(TAKEN_WITHIN).map_err(|e| e.to_string())
}
