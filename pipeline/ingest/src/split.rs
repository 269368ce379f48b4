//! Records to observations: a flow becomes the view of each endpoint that is the plant's.
//!
//! Stands between every reader and the engine. Splitting precedes keying: what leaves here names
//! exactly one device per row.

mod ends;
mod owners;

use std::borrow::Cow;
use std::net::IpAddr;

use andon_schemas::identity::{DeviceId, address_key};
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{
    Body, FlowRecord, Header, Observation, Record, RecordBody, Role, Source,
};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use hashbrown::HashMap;

use self::ends::ends_of;
pub use self::ends::{Ends, Owner};
use self::owners::{Owners, Spot};
use crate::files::FlowBlock;
use crate::refused::Refused;

/// For how many endpoints without a place in the inventory the identity is kept at hand. How many
/// of them are observed is the engine's to say.
const KEPT_MAX: usize = 16_384;

/// Splits records.
///
/// By inventory an endpoint yields an observation if the inventory lists its address, or, as
/// `ip:ADDRESS`, if it lies inside the inventory's networks. Without one every unicast address that
/// opens a flow or asks a DNS server is taken for a device, `ip:ADDRESS`. Responders are not: a
/// capture of one host would otherwise hold as many devices as the host has destinations.
#[derive(Debug, Default)]
pub struct Splitter {
    /// Identities of endpoints that the inventory does not list: made once, not for every row.
    strangers: HashMap<u128, DeviceId>,
    originators: Owners,
    responders: Owners,
}

impl Splitter {
    /// The ends of a record that are the plant's.
    ///
    /// A record that names its device has that end only, in the role in which the device's address
    /// appears, else as originator.
    ///
    /// # Errors
    /// `no_known_endpoint` if no end is the plant's.
    pub fn ends<'a>(
        &mut self,
        inventory: Option<&'a Inventory>,
        record: &'a Record,
    ) -> Result<Ends<'a>, Refused> {
        let RecordBody::Flow(flow) = &record.body else {
            let owner = match &record.device {
                Some(device) => Owner::named(device),
                None => self.client(inventory, record.address)?,
            };
            return Ok(Ends::one(owner, Role::Originator));
        };
        if let Some(device) = &record.device {
            let role = role_of(inventory, device, flow);
            return Ok(Ends::one(Owner::named(device), role));
        }
        let [originator, responder] = self.both(inventory, flow);
        let (orig, resp) = (flow.originator.address, flow.responder.address);
        ends_of(originator, responder).ok_or_else(|| nobody((orig, resp)))
    }

    /// The same, without what the sender may not say: a sensor's record of a flow may show an end
    /// that it does not watch, and that end is left out. If it may speak for none, one stays, for
    /// the engine to refuse and to hold against the sender.
    ///
    /// # Errors
    /// As [`ends`](Self::ends).
    pub fn heard<'a>(
        &mut self,
        inventory: Option<&'a Inventory>,
        record: &'a Record,
    ) -> Result<Ends<'a>, Refused> {
        let ends = self.ends(inventory, record)?;
        Ok(ends.heard(inventory, record.sender.as_ref()))
    }

    /// Appends the record's observations, one for each of its [`ends`](Self::ends), to `out`.
    /// `received_at` is what the reader stamped; a time that a capture of ours recorded wins over it.
    ///
    /// # Errors
    /// As [`ends`](Self::ends).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever splits a record has no further use for it"
    )]
    pub fn split(
        &mut self,
        inventory: Option<&Inventory>,
        record: Record,
        source: &Source,
        received_at: EventTime,
        out: &mut Vec<Observation>,
    ) -> Result<(), Refused> {
        let ends = self.ends(inventory, &record)?;
        out.extend(observations(&ends, &record, source, received_at));
        Ok(())
    }

    /// The same for the ends that are [`heard`](Self::heard).
    ///
    /// # Errors
    /// As [`ends`](Self::ends).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever splits a record has no further use for it"
    )]
    pub fn rows(
        &mut self,
        inventory: Option<&Inventory>,
        record: Record,
        source: &Source,
        received_at: EventTime,
        out: &mut Vec<Observation>,
    ) -> Result<(), Refused> {
        let ends = self.heard(inventory, &record)?;
        out.extend(observations(&ends, &record, source, received_at));
        Ok(())
    }

    /// The ends of a flow of a block that are the plant's: as [`ends`](Self::ends), but each
    /// different address of the block is looked up once.
    ///
    /// # Errors
    /// As [`ends`](Self::ends).
    #[inline]
    pub fn ends_in<'a>(
        &'a mut self,
        inventory: Option<&'a Inventory>,
        block: &FlowBlock,
        row: usize,
    ) -> Result<Ends<'a>, Refused> {
        let originator = self.spot(inventory, block, Role::Originator, row);
        let responder = self.spot(inventory, block, Role::Responder, row);
        let address = |role| block.address(role, row);
        let addresses = || (address(Role::Originator), address(Role::Responder));
        // A flow of a host with itself is one view, not two.
        let may_be_one =
            originator == responder || originator.place().is_none() && responder.place().is_none();
        let is_one = may_be_one && {
            let (originator, responder) = addresses();
            originator == responder
        };
        let first = self.originators.owner(originator, inventory);
        let second = self.responders.owner(responder, inventory);
        ends_of(first, second.filter(|_| !is_one)).ok_or_else(|| nobody(addresses()))
    }

    /// Whose the address at one end of a flow of a block is.
    #[inline]
    fn spot(
        &mut self,
        inventory: Option<&Inventory>,
        block: &FlowBlock,
        role: Role,
        row: usize,
    ) -> Spot {
        let key = block.address_key(role, row);
        if let Some(spot) = self.owners(role).known(block, role, key) {
            return spot;
        }
        let owner = self.owner(inventory, block.address(role, row), role);
        self.owners(role).learn(block, role, key, owner)
    }

    /// What was looked up for blocks holds for one inventory only. Call it when another takes its
    /// place.
    pub fn forget(&mut self) {
        self.originators = Owners::default();
        self.responders = Owners::default();
    }

    fn owners(&mut self, role: Role) -> &mut Owners {
        match role {
            Role::Originator => &mut self.originators,
            Role::Responder => &mut self.responders,
        }
    }

    /// The plant's own ends of a flow: originator, responder.
    fn both<'a>(
        &mut self,
        inventory: Option<&'a Inventory>,
        flow: &FlowRecord,
    ) -> [Option<Owner<'a>>; 2] {
        let originator = self.owner(inventory, flow.originator.address, Role::Originator);
        // A flow of a host with itself is one view, not two.
        let responder = if flow.responder.address == flow.originator.address {
            None
        } else {
            self.owner(inventory, flow.responder.address, Role::Responder)
        };
        [originator, responder]
    }

    fn client<'a>(
        &mut self,
        inventory: Option<&'a Inventory>,
        address: Option<IpAddr>,
    ) -> Result<Owner<'a>, Refused> {
        let Some(address) = address else {
            return Err(Refused::new(
                RejectReason::MissingField,
                "record names neither a device nor an address",
            ));
        };
        self.owner(inventory, address, Role::Originator)
            .ok_or_else(|| {
                Refused::new(
                    RejectReason::NoKnownEndpoint,
                    format!("`{address}` is not a known device or inside the plant"),
                )
            })
    }

    /// The device at an address; `None` if it is nobody of the plant.
    fn owner<'a>(
        &mut self,
        inventory: Option<&'a Inventory>,
        address: IpAddr,
        role: Role,
    ) -> Option<Owner<'a>> {
        if let Some(inventory) = inventory {
            if let Some((place, device)) = inventory.listed_at(address) {
                return Some(Owner {
                    device: Cow::Borrowed(device),
                    place: u32::try_from(place).ok(),
                });
            }
            if !inventory.is_inside(address) {
                return None;
            }
        } else if role == Role::Responder || !is_unicast(address) {
            return None;
        }
        let key = address_key(address);
        let known = self.strangers.get(&key).cloned();
        let device = known.unwrap_or_else(|| {
            let device = DeviceId::of_address(address);
            if self.strangers.len() < KEPT_MAX {
                self.strangers.insert(key, device.clone());
            }
            device
        });
        Some(Owner {
            device: Cow::Owned(device),
            place: None,
        })
    }
}

fn nobody((originator, responder): (IpAddr, IpAddr)) -> Refused {
    Refused::new(
        RejectReason::NoKnownEndpoint,
        format!("neither `{originator}` nor `{responder}` is a known device or inside the plant"),
    )
}

fn observations(
    ends: &Ends<'_>,
    record: &Record,
    source: &Source,
    received_at: EventTime,
) -> impl Iterator<Item = Observation> {
    ends.each().map(move |(owner, role)| {
        let device = owner.device.clone().into_owned();
        own_view(record.clone(), device, role, source.clone(), received_at)
    })
}

/// What a record says of one device, which stands at this end if it is a flow.
fn own_view(
    record: Record,
    device: DeviceId,
    role: Role,
    source: Source,
    received_at: EventTime,
) -> Observation {
    Observation {
        header: Header {
            device,
            event_time: record.event_time,
            received_at: record.received_at.unwrap_or(received_at),
            sender: record.sender,
            seq: record.seq,
            source,
        },
        body: match record.body {
            RecordBody::Single(body) => body,
            RecordBody::Flow(flow) => Body::Flow(flow.seen_by(role)),
        },
    }
}

/// The end of the flow at which a named device stands.
fn role_of(inventory: Option<&Inventory>, device: &DeviceId, flow: &FlowRecord) -> Role {
    let is_at = |address: IpAddr| {
        let listed = inventory.and_then(|i| i.id_at(address));
        listed.map_or_else(
            || DeviceId::of_address(address) == *device,
            |owner| owner == device,
        )
    };
    if !is_at(flow.originator.address) && is_at(flow.responder.address) {
        Role::Responder
    } else {
        Role::Originator
    }
}

/// Whether an address can be one host's: not multicast, broadcast or unspecified.
fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_multicast() || address.is_unspecified() || broadcast)
}

#[cfg(test)]
mod tests;
