//! What must stay open around a device, in addresses and ports. The flows are those that verdicts
//! spare as well: [`Plant::guarded`] names them, and here names become what packets show.
//!
//! A safety flow is spared at both ends, so whoever is the other end of another device's safety flow
//! keeps that one too. A device behind a gateway keeps its way to the gateway, which carries what it
//! has to say.

use std::net::IpAddr;
use std::sync::Arc;

use andon_engine::Plant;
use andon_schemas::command::FlowMatch;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Inventory};
use andon_schemas::observation::Transport;
use ipnet::IpNet;

/// A flow as packets show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// An address of the device.
    pub near: IpAddr,
    /// The other end; of the same family.
    pub far: IpNet,
    /// Transport; `None` for any.
    pub transport: Option<Transport>,
    /// The responder's port, whichever end that is; `None` for any.
    pub port: Option<u16>,
}

impl Flow {
    /// The same flow as its other end sees it, if that is at this address.
    fn seen_from(&self, address: IpAddr) -> Option<Self> {
        let is_other = self.far.contains(&address) && self.near != address;
        is_other.then(|| Self {
            near: address,
            far: IpNet::from(self.near),
            ..*self
        })
    }
}

/// What stays open when a device is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shield {
    /// The device's addresses: what is cut.
    pub addresses: Vec<IpAddr>,
    /// Stays open whatever is ordered.
    pub safety: Vec<Flow>,
    /// Stays open as well while it is isolated.
    pub essential: Vec<Flow>,
    /// The gateway that speaks for it, under an address of its own.
    pub gateway: Option<DeviceId>,
}

/// The shields of a plant.
#[derive(Clone, Debug)]
pub struct Shields {
    plant: Arc<Plant>,
    /// The safety flows of every device that the inventory lists, as far as it says where they lead.
    safety: Vec<Flow>,
    /// Where commands come from.
    lifeline: Vec<IpAddr>,
}

impl Shields {
    /// Gathers the safety flows of a whole plant.
    pub fn of(plant: Arc<Plant>) -> Self {
        let mut safety = Vec::new();
        for device in &plant.inventory().devices {
            let addresses = canonical(&device.addresses);
            safety.extend(safety_flows(&plant, &device.id, &addresses).known);
        }
        safety.sort();
        safety.dedup();
        Self {
            plant,
            safety,
            lifeline: Vec::new(),
        }
    }

    /// The same, but that nobody at these addresses can be cut: commands come from there, and with
    /// them the word that lifts an order.
    #[must_use]
    pub fn with_lifeline(self, lifeline: Vec<IpAddr>) -> Self {
        Self { lifeline, ..self }
    }

    /// Those addresses.
    pub fn lifeline(&self) -> &[IpAddr] {
        &self.lifeline
    }

    /// The inventory they come from.
    pub fn inventory(&self) -> &Inventory {
        self.plant.inventory()
    }

    /// What must stay open around a device.
    ///
    /// # Errors
    /// Why that cannot be worked out. Such a device must not be cut.
    pub fn shield(&self, id: &DeviceId) -> Result<Shield, String> {
        let inventory = self.inventory();
        let addresses = self.addresses(id)?;
        if addresses
            .iter()
            .any(|address| self.lifeline.contains(address))
        {
            return Err("commands come from there: nobody could lift it any more".to_owned());
        }
        let own = safety_flows(&self.plant, id, &addresses);
        if let Some(peer) = own.nowhere {
            return Err(format!(
                "it has a safety flow to `{peer}`, and the inventory does not say where that is"
            ));
        }
        let mut safety = own.known;
        for address in &addresses {
            safety.extend(self.safety.iter().filter_map(|f| f.seen_from(*address)));
        }
        safety.sort();
        safety.dedup();
        let listed = inventory.device(id.as_str());
        if safety.is_empty() && listed.is_some_and(|device| device.safety_critical) {
            return Err(
                "it is safety-critical and nothing says which flows keep it safe".to_owned(),
            );
        }
        let guarded = self.plant.guarded(id.as_str());
        let essential = resolved(&addresses, &guarded.essential, inventory);
        if let Some(peer) = essential.nowhere {
            return Err(format!(
                "it may go on speaking with `{peer}`, and the inventory does not say where that is"
            ));
        }
        Ok(Shield {
            addresses,
            safety,
            essential: essential.known,
            gateway: listed.and_then(|device| device.gateway.clone()),
        })
    }

    /// The flows that a restriction names.
    ///
    /// # Errors
    /// Which of them is nowhere.
    pub fn named(&self, shield: &Shield, scope: &[FlowMatch]) -> Result<Vec<Flow>, String> {
        let found = resolved(&shield.addresses, scope, self.inventory());
        match found.nowhere {
            None => Ok(found.known),
            Some(peer) => Err(format!(
                "its scope names `{peer}`, and the inventory does not say where that is"
            )),
        }
    }

    fn addresses(&self, id: &DeviceId) -> Result<Vec<IpAddr>, String> {
        let inventory = self.inventory();
        if let Some(device) = inventory.device(id.as_str()) {
            if device.addresses.is_empty() {
                return Err("the inventory lists no address of it".to_owned());
            }
            return Ok(canonical(&device.addresses));
        }
        let address = id.as_str().strip_prefix("ip:");
        let Some(address) = address.and_then(|text| text.parse::<IpAddr>().ok()) else {
            return Err("the inventory does not list it".to_owned());
        };
        // Under its own name more is known of what it must keep.
        if let Some(known) = inventory.id_at(address) {
            return Err(format!("the inventory lists that address as `{known}`"));
        }
        Ok(vec![address.to_canonical()])
    }
}

/// Flows in addresses.
#[derive(Default)]
struct Resolved {
    /// In order, each once.
    known: Vec<Flow>,
    /// A peer that the inventory does not know.
    nowhere: Option<String>,
}

fn resolved(addresses: &[IpAddr], flows: &[FlowMatch], inventory: &Inventory) -> Resolved {
    let mut resolved = Resolved::default();
    for flow in flows {
        let networks = inventory.networks_of(&flow.peer);
        if networks.is_empty() {
            resolved.nowhere = Some(flow.peer.clone());
        }
        for far in networks {
            let near = addresses.iter().filter(|near| reaches(**near, far));
            resolved.known.extend(near.map(|near| Flow {
                near: *near,
                far,
                transport: flow.transport,
                port: flow.port,
            }));
        }
    }
    resolved.known.sort();
    resolved.known.dedup();
    resolved
}

/// Whether packets can go from this address to there: of the same family, and to another one.
fn reaches(near: IpAddr, far: IpNet) -> bool {
    near.is_ipv4() == far.addr().is_ipv4() && far != IpNet::from(near)
}

/// The safety flows that a device declares, and the leg to its gateway that carries them.
fn safety_flows(plant: &Plant, id: &DeviceId, addresses: &[IpAddr]) -> Resolved {
    let inventory = plant.inventory();
    let protected = plant.guarded(id.as_str()).protected;
    let mut resolved = resolved(addresses, &protected, inventory);
    let device = inventory.device(id.as_str());
    let gateway = device.and_then(|device| inventory.device(device.gateway.as_ref()?.as_str()));
    if let Some(Device { addresses: far, .. }) = gateway.filter(|_| !protected.is_empty()) {
        for far in canonical(far).into_iter().map(IpNet::from) {
            let near = addresses.iter().filter(|near| reaches(**near, far));
            resolved.known.extend(near.map(|near| Flow {
                near: *near,
                far,
                transport: None,
                port: None,
            }));
        }
    }
    resolved
}

fn canonical(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut canonical: Vec<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
    canonical.sort();
    canonical.dedup();
    canonical
}

#[cfg(test)]
mod tests;
