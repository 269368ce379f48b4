//! Whether profiles and inventory fit together: what a start-up check reports. Neither file is
//! wrong by itself, so these are findings for people and not problems of a file.

use std::collections::BTreeSet;

use super::{Function, Inventory};
use crate::profile::{ProfileSet, Target};

impl Inventory {
    /// The types of devices that no profile describes, in order.
    pub fn types_without_profile(&self, profiles: &ProfileSet) -> BTreeSet<&str> {
        let devices = self
            .devices
            .iter()
            .filter(|d| d.function == Function::Device);
        devices
            .map(|device| device.device_type.as_str())
            .filter(|name| profiles.get(name).is_none())
            .collect()
    }

    /// The destinations and clients that nothing here answers to, with the profile that names
    /// them: flows to whom they were meant for would be flows to strangers. Addresses, networks
    /// and names outside the plant's own zones are not looked for.
    pub fn unanswered<'p>(&self, profiles: &'p ProfileSet) -> Vec<(&'p str, &'p Target)> {
        let mut unanswered = Vec::new();
        for profile in profiles.iter() {
            for destination in profile.destinations.iter().chain(&profile.clients) {
                if !self.answers(&destination.target) {
                    unanswered.push((profile.name.as_str(), &destination.target));
                }
            }
        }
        unanswered
    }

    fn answers(&self, target: &Target) -> bool {
        match target {
            Target::Name(name) => !self.owns_name(name) || self.named(name).next().is_some(),
            Target::Role(role) => self.with_role(role).next().is_some(),
            Target::DeviceType(name) => self.devices.iter().any(|d| d.device_type == *name),
            Target::Address(_) | Target::Network(_) => true,
        }
    }
}
