//! Whose a message is: its key says so, and what it holds must agree.

use std::net::IpAddr;

use andon_ingest::kafka::Message;
use andon_ingest::refused::Refused;
use andon_schemas::identity::{DeviceId, address_key};
use andon_schemas::inventory::{Inventory, Listed};
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
    /// The inventory lists it, at this index.
    Listed(usize, &'i Listed),
    /// It does not.
    Stranger(DeviceId),
}

impl Addressee<'_> {
    /// Its identity.
    pub fn id(&self) -> &DeviceId {
        match self {
            Self::Listed(_, listed) => &listed.id,
            Self::Stranger(id) => id,
        }
    }

    /// Its place in the inventory, if it is listed.
    pub fn place(&self) -> Option<u32> {
        match self {
            Self::Listed(at, _) => u32::try_from(*at).ok(),
            Self::Stranger(_) => None,
        }
    }

    fn is_at(&self, wanted: IpAddr, inventory: &Inventory) -> bool {
        if let Self::Listed(at, listed) = self {
            let wanted = address_key(wanted);
            if listed.is_first_at(wanted) || inventory.has_more_at(*at, wanted) {
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
    let keys = messages.iter().map(|message| message.key);
    let keys: Vec<Option<&str>> = keys.map(|key| std::str::from_utf8(key?).ok()).collect();
    let listed = inventory.positions(&keys);
    let each = messages.iter().zip(listed);
    each.map(|(message, listed)| addressee(message, listed, producers, inventory))
        .collect()
}

fn addressee<'i>(
    message: &Message<'_>,
    listed: Option<(usize, &'i Listed)>,
    producers: Producers,
    inventory: &'i Inventory,
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
    let addressee = if let Some((at, listed)) = listed {
        Addressee::Listed(at, listed)
    } else {
        let id = DeviceId::new(key)
            .map_err(|e| Refused::new(RejectReason::WrongKey, format!("key: {e}")))?;
        // The inventory lists ids in lower case.
        let mut folded = inventory.positions(&[Some(id.as_str())]);
        match folded.pop().flatten() {
            Some((at, listed)) => Addressee::Listed(at, listed),
            None => Addressee::Stranger(id),
        }
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

/// Whom a record is about, once it is known for whom it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Its addressee, which stands at this end if it is a flow.
    Addressee(Role),
    /// Somebody for whom its addressee, the sender, may not speak: held against the sender.
    Other,
}

/// A record concerns the device that is its key: of a flow only that end is taken. The other one
/// has a key, and maybe a partition, of its own. What somebody says who may not say it concerns
/// nobody but him.
///
/// # Errors
/// If the record concerns another device.
pub fn about(
    record: &mut Record,
    addressee: &Addressee<'_>,
    trusted: bool,
    inventory: &Inventory,
) -> Result<About, Refused> {
    let device = addressee.id();
    if !trusted {
        record.sender = Some(Sender {
            name: device.clone(),
            proven: false,
        });
    }
    if let Some(sender) = &record.sender
        && !may_speak(sender, record, addressee, inventory)
    {
        return held_against(device, record);
    }
    if let Some(named) = record.device.as_ref().filter(|named| *named != device) {
        return Err(Refused::new(
            RejectReason::WrongKey,
            format!("record is about `{named}` and its key is `{device}`"),
        ));
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
    Ok(About::Addressee(role))
}

/// Whether its sender may speak for whom the record is about: its addressee, unless it names
/// somebody else.
fn may_speak(
    sender: &Sender,
    record: &Record,
    addressee: &Addressee<'_>,
    inventory: &Inventory,
) -> bool {
    let about = record.device.as_ref().unwrap_or(addressee.id());
    if sender.name == *about {
        return true;
    }
    match addressee {
        // The addressee need not be looked up again.
        Addressee::Listed(at, listed) if *about == listed.id => {
            let speaker = inventory.position(sender.name.as_str());
            speaker.is_some_and(|speaker| inventory.speaks_for(speaker, *at))
        }
        _ => inventory.may_speak_for(sender.name.as_str(), about.as_str()),
    }
}

/// What its sender may not say goes on to the engine, which refuses it and holds it against the
/// sender: here only if the sender's own records come here too, because elsewhere nothing is known
/// of him.
fn held_against(key: &DeviceId, record: &mut Record) -> Result<About, Refused> {
    let about = record.device.get_or_insert_with(|| key.clone());
    match &record.sender {
        Some(sender) if sender.name != *key => Err(Refused {
            device: Some(about.clone()),
            ..Refused::new(
                RejectReason::WrongSender,
                format!(
                    "sender `{}` may not speak for `{about}`, and only a record keyed by the \
                     sender, as `andon bridge` keys it, is held against him",
                    sender.name
                ),
            )
        }),
        _ => Ok(About::Other),
    }
}
