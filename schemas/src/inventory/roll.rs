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

/// What of a device is taken already or out of place: the key it stands under, and why.
pub(crate) type Misfit = (&'static str, Refusal);

/// Devices behind one gateway, as written.
#[derive(Debug)]
pub(crate) struct Tie<'t> {
    /// The gateway, and where it is named.
    pub(crate) gateway: (String, Node<'t>),
    /// Those it speaks for.
    pub(crate) devices: Vec<DeviceId>,
}

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

    /// Takes a device in.
    pub(crate) fn admit(&mut self, device: Device, segments: &[Segment]) -> Result<(), Misfit> {
        let at = self.devices.len();
        if at >= ROLL_MAX {
            return Err(("id", Refusal::new(format!("more than {ROLL_MAX} devices"))));
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

    fn must_be_free(&self, device: &Device) -> Result<(), Misfit> {
        let taken = |what: String, by: usize| {
            let owner = &self.devices[by].id;
            Refusal::new(format!("{what} belongs to `{owner}` already"))
        };
        if self.ids.contains_key(&device.id) {
            let refusal = Refusal::new(format!("id `{}` is written twice", device.id));
            return Err(("id", refusal.hint("Every identity belongs to one device.")));
        }
        for (position, address) in device.addresses.iter().enumerate() {
            let what = format!("address `{address}` of `{}`", device.id);
            if let Some(by) = self.addresses.get(&address.to_canonical()) {
                let hint = "Flows are told apart by address; give each device its own.";
                return Err(("addresses", taken(what, *by).hint(hint)));
            }
            if device.addresses[..position].contains(address) {
                return Err((
                    "addresses",
                    Refusal::new(format!("{what} is written twice")),
                ));
            }
        }
        for name in &device.names {
            if let Some(by) = self.names.get(name) {
                let what = format!("name `{name}` of `{}`", device.id);
                let hint = "Give a name that several machines share one entry with all addresses.";
                return Err(("names", taken(what, *by).hint(hint)));
            }
        }
        Ok(())
    }

    /// Ties devices to the gateways that speak for them.
    pub(crate) fn tie(&mut self, ties: Vec<Tie<'_>>, report: &mut Report) {
        for tie in ties {
            let (name, node) = tie.gateway;
            match self.gateway(&name) {
                Ok(at) => tie
                    .devices
                    .into_iter()
                    .for_each(|device| self.serve(at, device)),
                Err(refusal) => report.value(node, refusal),
            }
        }
        for device in &mut self.devices {
            device.serves.sort();
        }
    }

    fn serve(&mut self, gateway: usize, device: DeviceId) {
        let Some(served) = self.ids.get(&device).copied() else {
            return;
        };
        let critical = self.devices[served].safety_critical;
        let class = self.devices[served].risk_class;
        self.devices[served].gateway = Some(self.devices[gateway].id.clone());
        let gateway = &mut self.devices[gateway];
        gateway.serves.push(device);
        // Cutting a gateway cuts those behind it: it weighs as much as the worst of them.
        gateway.safety_critical |= critical;
        gateway.risk_class = gateway.risk_class.max(class);
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

fn must_lie_in(device: &Device, segment: &Segment, segments: &[Segment]) -> Result<(), Misfit> {
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
    let hint = match segments.iter().find(|s| inside(s, stray)) {
        Some(other) => format!("It lies in segment `{}`.", other.name),
        None => format!("The segment has {}.", networks.join(", ")),
    };
    Err(("addresses", Refusal::new(cause).hint(hint)))
}
