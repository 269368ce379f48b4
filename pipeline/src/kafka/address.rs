//! Whose a message is: its key says so, and what it holds must agree.

use std::net::IpAddr;

use andon_ingest::kafka::Message;
use andon_ingest::refused::Refused;
use andon_schemas::identity::{DeviceId, address_key};
use andon_schemas::inventory::{Device, Inventory};
use andon_schemas::observation::{Record, RecordBody, Role, Sender};
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
#[derive(Clone, Debug)]
pub enum Addressee<'i> {
    /// The inventory lists it.
    Listed {
        /// As it is listed.
        device: &'i Device,
        /// Its first address.
        address: Option<u128>,
    },
    /// It does not.
    Stranger(DeviceId),
}

impl Addressee<'_> {
    /// Its identity.
    pub fn id(&self) -> &DeviceId {
        match self {
            Self::Listed { device, .. } => &device.id,
            Self::Stranger(id) => id,
        }
    }

    fn is_at(&self, wanted: IpAddr, inventory: &Inventory) -> bool {
        if let Self::Listed { device, address } = self {
            let wanted = address_key(wanted);
            let mut others = device.addresses.iter().skip(1);
            if *address == Some(wanted) || others.any(|own| address_key(*own) == wanted) {
                return true;
            }
        }
        // What has no place in the inventory is called by its address.
        self.id().as_str().starts_with("ip:")
            && inventory.at_address(wanted).is_none()
            && DeviceId::of_address(wanted) == *self.id()
    }
}

/// The devices that messages are keyed by, in their order. They are looked up in short rounds, so
/// that the accesses to memory of many messages do not wait for each other.
///
/// # Errors
/// Of each message that has no key, or holds nothing, or belongs in another partition.
pub fn addressees<'i>(
    messages: &[Message<'_>],
    producers: Producers,
    inventory: &'i Inventory,
) -> Vec<Result<Addressee<'i>, Refused>> {
    let found: Vec<Option<usize>> = messages
        .iter()
        .map(|message| inventory.position(std::str::from_utf8(message.key?).ok()?))
        .collect();
    let listed: Vec<Option<Addressee<'i>>> = found
        .into_iter()
        .map(|at| {
            let device = inventory.devices.get(at?)?;
            let address = device.addresses.first().copied().map(address_key);
            Some(Addressee::Listed { device, address })
        })
        .collect();
    let each = messages.iter().zip(listed);
    each.map(|(message, listed)| addressee(message, listed, producers))
        .collect()
}

fn addressee<'i>(
    message: &Message<'_>,
    listed: Option<Addressee<'i>>,
    producers: Producers,
) -> Result<Addressee<'i>, Refused> {
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
    let addressee = match listed {
        Some(listed) => listed,
        None => DeviceId::new(key)
            .map(Addressee::Stranger)
            .map_err(|e| Refused::new(RejectReason::WrongKey, format!("key: {e}")))?,
    };
    let Producers {
        partitioner,
        partitions,
        ..
    } = producers;
    match partitioner.refuses(addressee.id(), key, message.partition, partitions) {
        None => Ok(addressee),
        Some(detail) => Err(Refused {
            device: Some(addressee.id().clone()),
            ..Refused::new(RejectReason::WrongPartition, detail)
        }),
    }
}

/// What a record is once it is known for whom it was.
#[derive(Debug)]
pub enum Addressed {
    /// About its addressee, which stands at this end if it is a flow.
    Own(Record, Role),
    /// About somebody else, for whom its sender may not speak: that is held against the sender.
    Other(Record),
}

/// A record is about the device that is its key: of a flow only that end is taken. The other
/// one has a key, and maybe a partition, of its own.
///
/// # Errors
/// If the record is about another device.
pub fn addressed(
    mut record: Record,
    addressee: &Addressee<'_>,
    trusted: bool,
    inventory: &Inventory,
) -> Result<Addressed, Refused> {
    let device = addressee.id();
    if !trusted {
        record.sender = Some(Sender {
            name: device.clone(),
            proven: false,
        });
    }
    match &record.device {
        Some(named) if named == device => {}
        // What an unproven sender says of another device is held against the sender, whose
        // partition this is.
        Some(_) if !trusted => return Ok(Addressed::Other(record)),
        Some(named) => {
            return Err(Refused::new(
                RejectReason::WrongKey,
                format!("record is about `{named}` and its key is `{device}`"),
            ));
        }
        None => {}
    }
    let mut role = Role::Originator;
    if let RecordBody::Flow(flow) = &record.body
        && !addressee.is_at(flow.originator.address, inventory)
    {
        if addressee.is_at(flow.responder.address, inventory) {
            role = Role::Responder;
        } else if record.device.is_none() {
            return Err(Refused::new(
                RejectReason::WrongKey,
                format!(
                    "neither end of the flow is `{device}`, its key: send records that are \
                     not keyed by device through `andon bridge`"
                ),
            ));
        }
    }
    Ok(Addressed::Own(record, role))
}
