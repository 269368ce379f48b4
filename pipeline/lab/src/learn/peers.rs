//! Whom devices talk to, and who talks to them: as the present profile names them, else by name, by
//! role, by type, and by address where nobody told more.

use std::collections::BTreeMap;

use andon_schemas::inventory::{Device, Inventory};
use andon_schemas::profile::{Destination, Target};

use super::screen;
use super::tally::{Peer, Seen};
use super::write::{Draft, share};

impl Draft<'_> {
    pub(super) fn peers(
        &mut self,
        key: &'static str,
        peers: &BTreeMap<Peer, Seen>,
    ) -> Vec<Destination> {
        let word = |peer: &Peer| format!("{key}: {}", target(peer));
        let (known, out) = screen::known(peers, self.tally, word);
        self.left_out.extend(out);
        let all: u64 = known.iter().map(|(_, seen)| seen.count).sum();
        let unnamed = known
            .iter()
            .filter(|(peer, _)| matches!(peer, Peer::Address(_)))
            .count();
        if !known.is_empty() {
            let mut line = format!("{all} connections");
            if unnamed > 0 {
                line.push_str("; what stands by its address had no name in inventory, DNS or TLS");
            }
            self.say(key, format!("{line}."));
        }
        let mut listed: Vec<Destination> = Vec::new();
        for (peer, seen) in &known {
            let present = self.present_target(key, peer);
            let target = present.map_or_else(|| target(peer), |one| one.target.clone());
            // Two ways to say the same (a name and its address) are one destination.
            if listed.iter().any(|one| one.target == target) {
                continue;
            }
            listed.push(Destination {
                share: (key == "destinations")
                    .then(|| share(seen.count, all))
                    .flatten(),
                safety: present.is_some_and(|one| one.safety),
                over: present.map(|one| one.over.clone()).unwrap_or_default(),
                target,
            });
        }
        self.keep_safety(key, &mut listed);
        listed
    }

    fn present_list(&self, key: &str) -> &[Destination] {
        let lists = self.present.map(|present| match key {
            "clients" => &present.clients,
            _ => &present.destinations,
        });
        lists.map_or(&[], Vec::as_slice)
    }

    /// How the present profile names a peer, if it does.
    fn present_target(&self, key: &str, peer: &Peer) -> Option<&Destination> {
        let list = self.present_list(key);
        let learned = target(peer);
        let same = list.iter().find(|one| one.target == learned);
        let is_meant = |one: &&Destination| {
            let devices = meant(self.inventory, &learned);
            !devices.is_empty() && meant(self.inventory, &one.target) == devices
        };
        same.or_else(|| list.iter().find(is_meant))
    }

    /// A safety flow stays declared, whether the traffic shows it or not.
    fn keep_safety(&mut self, key: &'static str, listed: &mut Vec<Destination>) {
        let unseen: Vec<Destination> = self
            .present_list(key)
            .iter()
            .filter(|one| one.safety && !listed.iter().any(|other| other.target == one.target))
            .map(|one| Destination {
                share: None,
                ..one.clone()
            })
            .collect();
        if unseen.is_empty() {
            return;
        }
        let names: Vec<String> = unseen.iter().map(|one| one.target.to_string()).collect();
        self.say(
            key,
            format!(
                "Safety flows that were not seen, taken over: {}.",
                names.join(", ")
            ),
        );
        listed.extend(unseen);
    }
}

/// The inventoried devices that a target means, by position.
fn meant(inventory: &Inventory, target: &Target) -> Vec<usize> {
    let position = |device: &Device| inventory.position(device.id.as_str());
    match target {
        Target::Name(name) => inventory.named(name).filter_map(position).collect(),
        Target::Role(role) => inventory.with_role(role).filter_map(position).collect(),
        Target::Address(address) => inventory
            .at_address(*address)
            .into_iter()
            .filter_map(position)
            .collect(),
        Target::Network(_) | Target::DeviceType(_) => Vec::new(),
    }
}

pub(super) fn target(peer: &Peer) -> Target {
    match peer {
        Peer::Role(role) => Target::Role(role.clone()),
        Peer::Name(name) => Target::Name(name.clone()),
        Peer::Type(device_type) => Target::DeviceType(device_type.clone()),
        Peer::Address(address) => Target::Address(*address),
    }
}
