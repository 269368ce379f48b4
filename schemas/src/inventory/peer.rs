//! Whom the peer of a flow means, as networks: for whoever has to find it in packets.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Device, Inventory};

impl Inventory {
    /// The networks that the peer of a [`FlowMatch`](crate::command::FlowMatch) means: an address, a
    /// network, a name that the inventory knows, `role ROLE` or `type TYPE`. In order, each once;
    /// none if the inventory does not say where that is.
    pub fn networks_of(&self, peer: &str) -> Vec<IpNet> {
        if let Ok(address) = peer.parse::<IpAddr>() {
            return vec![IpNet::from(address.to_canonical())];
        }
        if let Ok(network) = peer.parse::<IpNet>() {
            return vec![network.trunc()];
        }
        let mut networks: Vec<IpNet> = if let Some(role) = peer.strip_prefix("role ") {
            addresses(self.with_role(role)).collect()
        } else if let Some(name) = peer.strip_prefix("type ") {
            addresses(self.devices.iter().filter(|d| d.device_type == name)).collect()
        } else {
            addresses(self.named(peer)).collect()
        };
        networks.sort();
        networks.dedup();
        networks
    }
}

fn addresses<'d>(devices: impl Iterator<Item = &'d Device>) -> impl Iterator<Item = IpNet> {
    let addresses = devices.flat_map(|device| &device.addresses);
    addresses.map(|address| IpNet::from(address.to_canonical()))
}

#[cfg(test)]
mod tests {
    use crate::builtin;
    use crate::inventory;
    use crate::profile::Target;

    #[test]
    fn every_way_of_writing_a_target_is_read_back() {
        let inventory = inventory::parse(builtin::INVENTORY).unwrap();
        let of = |target: Target| {
            let networks = inventory.networks_of(&target.to_string());
            networks.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let name = "safety-plc.mfg.local";
        assert_eq!(of(Target::Name(name.to_owned())), ["10.1.10.250/32"]);
        let safety = ["10.1.10.250/32", "10.4.10.250/32"];
        assert_eq!(of(Target::Role("safety".to_owned())), safety);
        let types = of(Target::DeviceType("zeek".to_owned()));
        assert_eq!(types, ["10.6.0.30/32"]);
        let address = Target::Address("::ffff:10.1.2.3".parse().unwrap());
        assert_eq!(of(address), ["10.1.2.3/32"]);
        let network = Target::Network("10.9.0.0/16".parse().unwrap());
        assert_eq!(of(network), ["10.9.0.0/16"]);
    }

    #[test]
    fn what_the_inventory_does_not_know_is_nowhere() {
        let inventory = inventory::parse(builtin::INVENTORY).unwrap();
        for peer in ["c2.example.net", "role nobody", "type nothing", "", "role "] {
            assert!(inventory.networks_of(peer).is_empty(), "{peer}");
        }
    }
}
