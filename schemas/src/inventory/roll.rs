//! The roll of everything inventoried: each identity, address and name at most once, each
//! address inside its segment, each gateway known.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Device, Function, Segment};
use crate::identity::DeviceId;
use crate::problems::{Refusal, quoted, suggestion};
use crate::yaml::{Node, Report};

/// Most things of one inventory.
const ROLL_MAX: usize = 1_000_000;

/// Everything read so far, in the order written.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    devices: Vec<Device>,
    ids: BTreeMap<DeviceId, usize>,
    addresses: BTreeMap<IpAddr, usize>,
    names: BTreeMap<String, usize>,
}

impl Roll {
    /// The device of an identity.
    pub(crate) fn by_id(&self, id: &str) -> Option<&Device> {
        self.ids.get(id).map(|at| &self.devices[*at])
    }

    /// The device of an identity or a name.
    pub(crate) fn find(&self, text: &str) -> Option<&Device> {
        let folded = text.trim_end_matches('.').to_lowercase();
        self.by_id(&folded)
            .or_else(|| self.names.get(&folded).map(|at| &self.devices[*at]))
    }

    /// Everything, in the order written.
    pub(crate) fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Takes a device in. Says what is wrong if something of it is taken already or out of place.
    pub(crate) fn admit(&mut self, device: Device, segments: &[Segment]) -> Result<(), Refusal> {
        let at = self.devices.len();
        if at >= ROLL_MAX {
            return Err(Refusal::new(format!("more than {ROLL_MAX} devices")));
        }
        self.must_be_free(&device)?;
        if let Some(segment) = segments.get(device.segment) {
            must_lie_in(&device, segment, segments)?;
        }
        self.ids.insert(device.id.clone(), at);
        self.addresses
            .extend(device.addresses.iter().map(|a| (a.to_canonical(), at)));
        self.names
            .extend(device.names.iter().map(|name| (name.clone(), at)));
        self.devices.push(device);
        Ok(())
    }

    fn must_be_free(&self, device: &Device) -> Result<(), Refusal> {
        let taken = |what: String, by: usize| {
            let owner = &self.devices[by].id;
            Refusal::new(format!("{what} belongs to `{owner}` already"))
        };
        if self.ids.contains_key(&device.id) {
            let cause = format!("id `{}` is written twice", device.id);
            return Err(Refusal::new(cause).hint("Every identity belongs to one device."));
        }
        for (position, address) in device.addresses.iter().enumerate() {
            if let Some(by) = self.addresses.get(&address.to_canonical()) {
                return Err(
                    taken(format!("address `{address}` of `{}`", device.id), *by)
                        .hint("Flows are told apart by address; give each device its own."),
                );
            }
            if device.addresses[..position].contains(address) {
                return Err(Refusal::new(format!(
                    "address `{address}` is written twice"
                )));
            }
        }
        for name in &device.names {
            if let Some(by) = self.names.get(name) {
                return Err(
                    taken(format!("name `{name}` of `{}`", device.id), *by).hint(
                        "Give a server that several machines share one entry with all addresses.",
                    ),
                );
            }
        }
        Ok(())
    }

    /// Ties devices to the gateways that speak for them. `wanted` holds device, gateway as
    /// written and the node that says so.
    pub(crate) fn tie(&mut self, wanted: Vec<(DeviceId, String, Node<'_>)>, report: &mut Report) {
        let mut told: Option<(u32, String)> = None;
        for (device, gateway, node) in wanted {
            let at = match self.gateway(&gateway) {
                Ok(at) => at,
                Err(refusal) => {
                    // A group of a thousand devices has one wrong gateway, not a thousand.
                    let here = (node.place().line, gateway);
                    if told.as_ref() != Some(&here) {
                        report.value(node, refusal);
                        told = Some(here);
                    }
                    continue;
                }
            };
            let Some(served) = self.ids.get(&device).copied() else {
                continue;
            };
            let (critical, class) = (
                self.devices[served].safety_critical,
                self.devices[served].risk_class,
            );
            self.devices[served].gateway = Some(self.devices[at].id.clone());
            let gateway = &mut self.devices[at];
            gateway.serves.push(device);
            // Cutting a gateway cuts those behind it: it weighs as much as the worst of them.
            gateway.safety_critical |= critical;
            gateway.risk_class = gateway.risk_class.max(class);
        }
        for device in &mut self.devices {
            device.serves.sort();
        }
    }

    fn gateway(&self, text: &str) -> Result<usize, Refusal> {
        let folded = text.to_lowercase();
        let found = self.ids.get(folded.as_str()).copied();
        match found.map(|at| (at, self.devices[at].function)) {
            Some((at, Function::Gateway)) => Ok(at),
            Some(_) => Err(Refusal::new(format!("{} is not a gateway", quoted(text)))
                .hint("List it under `gateways:`.")),
            None => {
                let mut refusal = Refusal::new(format!("no gateway has the id {}", quoted(text)));
                let gateways = self
                    .devices
                    .iter()
                    .filter(|d| d.function == Function::Gateway);
                refusal.hint = suggestion(text, gateways.map(|gateway| gateway.id.as_str()));
                Err(refusal)
            }
        }
    }

    /// Everything, ordered by identity.
    pub(crate) fn into_devices(self) -> Vec<Device> {
        let mut devices = self.devices;
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices
    }
}

fn must_lie_in(device: &Device, segment: &Segment, segments: &[Segment]) -> Result<(), Refusal> {
    let inside =
        |segment: &Segment, address: &IpAddr| segment.networks.iter().any(|n| n.contains(address));
    let Some(stray) = device
        .addresses
        .iter()
        .find(|address| !inside(segment, address))
    else {
        return Ok(());
    };
    let cause = format!(
        "address `{stray}` of `{}` lies outside segment `{}`",
        device.id, segment.name
    );
    let networks: Vec<_> = segment.networks.iter().map(ToString::to_string).collect();
    Err(
        Refusal::new(cause).hint(match segments.iter().find(|s| inside(s, stray)) {
            Some(other) => format!("It lies in segment `{}`.", other.name),
            None => format!("The segment has {}.", networks.join(", ")),
        }),
    )
}
