//! Whose a message is: its key says so, and what it holds must agree.

use andon_ingest::kafka::Message;
use andon_ingest::refused::Refused;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{Record, RecordBody, Sender};
use andon_schemas::reject::RejectReason;

use super::partitioner::Partitioner;

/// What is known of whoever produces records; the same in all processes of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producers {
    /// They say truly who sent a record.
    pub trusted: bool,
    /// How they choose the partition of a device.
    pub partitioner: Partitioner,
    /// Out of so many.
    pub partitions: usize,
}

/// The device that a message is keyed by.
///
/// # Errors
/// If it has none, or holds nothing, or belongs in another partition.
pub fn key(
    message: &Message<'_>,
    producers: Producers,
    inventory: &Inventory,
) -> Result<DeviceId, Refused> {
    let Some(key) = message.key.filter(|key| !key.is_empty()) else {
        return Err(Refused::new(
            RejectReason::NoKey,
            "record has no key: it must be its device; `andon bridge` keys what is not",
        ));
    };
    if message.payload.is_none() {
        return Err(Refused::new(
            RejectReason::Malformed,
            "record is a tombstone",
        ));
    }
    let key = std::str::from_utf8(key)
        .map_err(|_| Refused::new(RejectReason::WrongKey, "key is not UTF-8"))?;
    let device = match inventory.device(key) {
        Some(listed) => listed.id.clone(),
        None => DeviceId::new(key)
            .map_err(|e| Refused::new(RejectReason::WrongKey, format!("key: {e}")))?,
    };
    let Producers {
        partitioner,
        partitions,
        ..
    } = producers;
    match partitioner.refuses(&device, key, message.partition, partitions) {
        None => Ok(device),
        Some(detail) => Err(Refused {
            device: Some(device),
            ..Refused::new(RejectReason::WrongPartition, detail)
        }),
    }
}

/// A record is about the device that is its key: of a flow only that end is taken. The other
/// one has a key, and maybe a partition, of its own.
///
/// # Errors
/// If the record is about another device.
pub fn addressed(
    mut record: Record,
    device: &DeviceId,
    trusted: bool,
    inventory: &Inventory,
) -> Result<Record, Refused> {
    if !trusted {
        record.sender = Some(Sender {
            name: device.clone(),
            proven: false,
        });
    }
    match &record.device {
        // What an unproven sender says of another device is held against the sender, whose
        // partition this is.
        Some(named) if named == device || !trusted => return Ok(record),
        Some(named) => {
            return Err(Refused::new(
                RejectReason::WrongKey,
                format!("record is about `{named}` and its key is `{device}`"),
            ));
        }
        None => {}
    }
    if let RecordBody::Flow(flow) = &record.body {
        let is_end = [flow.originator.address, flow.responder.address]
            .into_iter()
            .any(|address| match inventory.at_address(address) {
                Some(owner) => owner.id == *device,
                None => DeviceId::of_address(address) == *device,
            });
        if !is_end {
            return Err(Refused::new(
                RejectReason::WrongKey,
                format!(
                    "neither end of the flow is `{device}`, its key: send records that are \
                     not keyed by device through `andon bridge`"
                ),
            ));
        }
    }
    record.device = Some(device.clone());
    Ok(record)
}
