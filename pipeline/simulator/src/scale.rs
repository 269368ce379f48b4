//! A plant of another size: devices cloned with new identities and addresses, or left out.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function, Inventory};
use ipnet::{IpNet, Ipv4Net};

/// Where clones live: 2^22 private addresses that the demo plant leaves free.
const CLONE_SPACE: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 64, 0, 0), 10);

/// The inventory with `wanted` devices (servers, sensors and gateways are not counted).
///
/// A larger plant repeats the devices in order, round after round, each round with gateways of
/// its own; a smaller one keeps an even selection. Devices that are the only one of their type
/// (the demo plant's annex) stand once, are always kept, and are not counted.
///
/// # Errors
/// Says so if the number is 0, or if the clones do not fit into their address space.
pub(crate) fn scaled(inventory: &Inventory, wanted: usize) -> Result<Inventory, String> {
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    let devices = || {
        inventory
            .devices
            .iter()
            .filter(|d| d.function == Function::Device)
    };
    for device in devices() {
        *types.entry(&device.device_type).or_default() += 1;
    }
    let several = |d: &Device| types.get(d.device_type.as_str()).is_some_and(|n| *n > 1);
    let plant: Vec<&Device> = devices().filter(|d| several(d)).collect();
    if wanted == 0 {
        return Err("a plant of 0 devices has nothing to simulate".to_owned());
    }
    if wanted == plant.len() || wanted == devices().count() {
        return Ok(inventory.clone());
    }
    if plant.is_empty() {
        return Err("the inventory has no type with several devices, so none to clone".to_owned());
    }
    let mut resized = inventory.clone();
    if wanted < plant.len() {
        let mut kept = plant.iter().enumerate().filter(|(at, _)| {
            // An even selection: the device at which the running share passes a whole number.
            (at + 1) * wanted / plant.len() > at * wanted / plant.len()
        });
        let mut next = kept.next();
        resized.devices.retain(|device| {
            let is_next = next.is_some_and(|(_, keep)| keep.id == device.id);
            if is_next {
                next = kept.next();
            }
            is_next || device.function != Function::Device || !several(device)
        });
        let present: Vec<DeviceId> = resized.devices.iter().map(|d| d.id.clone()).collect();
        for device in &mut resized.devices {
            device
                .serves
                .retain(|served| present.binary_search(served).is_ok());
        }
    } else {
        let mut clones = Clones::default();
        for number in plant.len()..wanted {
            clones.add(
                plant[number % plant.len()],
                number / plant.len() + 1,
                inventory,
            )?;
        }
        clones.join(&mut resized)?;
    }
    resized.devices.sort_by(|a, b| a.id.cmp(&b.id));
    // Of a million devices the hash costs gigabytes: whoever needs it works it out.
    resized.hash.clear();
    resized.index();
    Ok(resized)
}

/// Clones on their way into an inventory.
#[derive(Default)]
struct Clones {
    devices: Vec<Device>,
    gateways: BTreeMap<DeviceId, Device>,
}

impl Clones {
    fn add(&mut self, model: &Device, round: usize, inventory: &Inventory) -> Result<(), String> {
        let mut device = clone_of(model, round)?;
        if let Some(gateway) = model
            .gateway
            .as_ref()
            .and_then(|id| inventory.device(id.as_str()))
        {
            let id = clone_id(&gateway.id, round)?;
            if !self.gateways.contains_key(&id) {
                let copy = Device {
                    serves: Vec::new(),
                    ..clone_of(gateway, round)?
                };
                self.gateways.insert(id.clone(), copy);
            }
            if let Some(copy) = self.gateways.get_mut(&id) {
                copy.serves.push(device.id.clone());
            }
            device.gateway = Some(id);
        }
        self.devices.push(device);
        Ok(())
    }

    /// Gives the clones addresses, a network for each segment, and adds both to the inventory.
    fn join(self, inventory: &mut Inventory) -> Result<(), String> {
        let (base, length) = CLONE_SPACE;
        let space = Ipv4Net::new(base, length).map_err(|e| e.to_string())?;
        let written = inventory.segments.iter().flat_map(|s| &s.networks);
        if let Some(net) = written
            .chain(&inventory.networks)
            .find(|n| overlaps(n, space))
        {
            return Err(format!(
                "network {net} overlaps {space}, where clones would live"
            ));
        }
        let mut clones: Vec<Device> = self.devices;
        clones.extend(self.gateways.into_values());
        let mut needs: BTreeMap<usize, u32> = BTreeMap::new();
        for clone in &clones {
            *needs.entry(clone.segment).or_default() += 1;
        }
        // The largest first, so that every network begins on its own boundary.
        let mut needs: Vec<(u32, usize)> = needs
            .into_iter()
            .map(|(segment, n)| ((n + 2).next_power_of_two(), segment))
            .collect();
        needs.sort_by(|a, b| b.cmp(a));
        let mut next = u32::from(base);
        let mut free: BTreeMap<usize, u32> = BTreeMap::new();
        for (size, segment) in needs {
            let bits = u8::try_from(size.trailing_zeros()).unwrap_or(32);
            let network =
                Ipv4Net::new(Ipv4Addr::from(next), 32 - bits).map_err(|e| e.to_string())?;
            if !space.contains(&network) {
                return Err(format!("{} clones do not fit into {space}", clones.len()));
            }
            free.insert(segment, next + 1);
            next += size;
            inventory.networks.push(IpNet::V4(network));
            if let Some(segment) = inventory.segments.get_mut(segment) {
                segment.networks.push(IpNet::V4(network));
            }
        }
        for clone in &mut clones {
            let address = free.entry(clone.segment).or_default();
            clone.addresses = vec![IpAddr::V4(Ipv4Addr::from(*address))];
            *address += 1;
        }
        inventory.devices.extend(clones);
        Ok(())
    }
}

fn overlaps(net: &IpNet, space: Ipv4Net) -> bool {
    match net {
        IpNet::V4(net) => net.contains(&space) || space.contains(net),
        IpNet::V6(_) => false,
    }
}

fn clone_of(model: &Device, round: usize) -> Result<Device, String> {
    Ok(Device {
        id: clone_id(&model.id, round)?,
        addresses: Vec::new(),
        names: Vec::new(),
        ..model.clone()
    })
}

/// `conveyor-03-0007` of the third round is `conveyor-03-0007-r3`.
fn clone_id(id: &DeviceId, round: usize) -> Result<DeviceId, String> {
    DeviceId::new(&format!("{id}-r{round}"))
}
