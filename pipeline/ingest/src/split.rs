//! Records to observations: a flow becomes the view of each endpoint that is the plant's.
//!
//! Stands between every reader and the engine. Splitting precedes keying: what leaves here names
//! exactly one device per row.

use std::net::IpAddr;

use andon_schemas::identity::{DeviceId, address_key};
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::{
    Body, FlowRecord, Header, Observation, Record, RecordBody, Role, Source,
};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use hashbrown::HashMap;

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
}

/// Whose an address is.
enum Owner {
    Device(DeviceId),
    Foreign,
}

impl Splitter {
    /// Appends the record's observations, one or two, to `out`. `received_at` is what the reader
    /// stamped; a time that a capture of ours recorded wins over it.
    ///
    /// A record that names its device yields that device's view only, in the role in which the
    /// device's address appears, else as originator.
    ///
    /// # Errors
    /// `no_known_endpoint` if no end is the plant's.
    pub fn split(
        &mut self,
        inventory: Option<&Inventory>,
        mut record: Record,
        source: &Source,
        received_at: EventTime,
        out: &mut Vec<Observation>,
    ) -> Result<(), Refused> {
        let view =
            |record, device, role| own_view(record, device, role, source.clone(), received_at);
        let RecordBody::Flow(flow) = &record.body else {
            let device = match record.device.take() {
                Some(device) => device,
                None => self.client(inventory, record.address)?,
            };
            out.push(view(record, device, Role::Originator));
            return Ok(());
        };
        if let Some(device) = record.device.take() {
            let role = role_of(inventory, &device, flow);
            out.push(view(record, device, role));
            return Ok(());
        }
        match self.views(inventory, flow) {
            [Some(originator), Some(responder)] => {
                out.push(view(record.clone(), originator, Role::Originator));
                out.push(view(record, responder, Role::Responder));
            }
            [Some(originator), None] => out.push(view(record, originator, Role::Originator)),
            [None, Some(responder)] => out.push(view(record, responder, Role::Responder)),
            [None, None] => {
                return Err(Refused::new(
                    RejectReason::NoKnownEndpoint,
                    format!(
                        "neither `{}` nor `{}` is a known device or inside the plant",
                        flow.originator.address, flow.responder.address
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The same, without what the sender may not say: a sensor's record of a flow may show an end
    /// that it does not watch, and that end is left out. If it may speak for none, one row stays,
    /// for the engine to refuse and to hold against the sender.
    ///
    /// # Errors
    /// As [`split`](Self::split).
    pub fn rows(
        &mut self,
        inventory: Option<&Inventory>,
        record: Record,
        source: &Source,
        received_at: EventTime,
        out: &mut Vec<Observation>,
    ) -> Result<(), Refused> {
        let before = out.len();
        self.split(inventory, record, source, received_at, out)?;
        let Some(inventory) = inventory.filter(|_| out.len() > before + 1) else {
            return Ok(());
        };
        let allowed = |observation: &Observation| {
            let header = &observation.header;
            header.sender.as_ref().is_none_or(|sender| {
                inventory.may_speak_for(sender.name.as_str(), header.device.as_str())
            })
        };
        if out[before..].iter().any(allowed) {
            let mut at = 0;
            out.retain(|observation| {
                at += 1;
                at <= before || allowed(observation)
            });
        } else {
            out.truncate(before + 1);
        }
        Ok(())
    }

    /// The plant's own ends of a flow: originator, responder.
    fn views(&mut self, inventory: Option<&Inventory>, flow: &FlowRecord) -> [Option<DeviceId>; 2] {
        let mut device = |role, address| match self.owner(inventory, address, role) {
            Owner::Device(device) => Some(device),
            Owner::Foreign => None,
        };
        let originator = device(Role::Originator, flow.originator.address);
        // A flow of a host with itself is one view, not two.
        let responder = if flow.responder.address == flow.originator.address {
            None
        } else {
            device(Role::Responder, flow.responder.address)
        };
        [originator, responder]
    }

    fn client(
        &mut self,
        inventory: Option<&Inventory>,
        address: Option<IpAddr>,
    ) -> Result<DeviceId, Refused> {
        let Some(address) = address else {
            return Err(Refused::new(
                RejectReason::MissingField,
                "record names neither a device nor an address",
            ));
        };
        match self.owner(inventory, address, Role::Originator) {
            Owner::Device(device) => Ok(device),
            Owner::Foreign => Err(Refused::new(
                RejectReason::NoKnownEndpoint,
                format!("`{address}` is not a known device or inside the plant"),
            )),
        }
    }

    fn owner(&mut self, inventory: Option<&Inventory>, address: IpAddr, role: Role) -> Owner {
        if let Some(inventory) = inventory {
            if let Some(device) = inventory.id_at(address) {
                return Owner::Device(device.clone());
            }
            if !inventory.is_inside(address) {
                return Owner::Foreign;
            }
        } else if role == Role::Responder || !is_unicast(address) {
            return Owner::Foreign;
        }
        let key = address_key(address);
        if let Some(device) = self.strangers.get(&key) {
            return Owner::Device(device.clone());
        }
        let device = DeviceId::of_address(address);
        if self.strangers.len() < KEPT_MAX {
            self.strangers.insert(key, device.clone());
        }
        Owner::Device(device)
    }
}

/// What a record says of one device, which stands at this end if it is a flow.
pub fn own_view(
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
