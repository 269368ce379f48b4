//! What stays open when a device is cut, whatever the action.

use andon_schemas::command::FlowMatch;
use andon_schemas::inventory::Function;

use crate::plant::{Place, Plant};

/// Flows that stay open when a device is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Protection {
    /// Safety flows at the device or carried by it.
    pub(crate) protected: Vec<FlowMatch>,
    /// What remains when it is isolated.
    pub(crate) essential: Vec<FlowMatch>,
}

impl Plant {
    /// What must stay open when this device is cut: its own safety flows, those its segment
    /// declares, and, for a gateway, those of everything it serves.
    pub(crate) fn protection(&self, place: Place) -> Protection {
        let mut protection = Protection::default();
        self.protect(place, &mut protection);
        if let Some(gateway) = self
            .listed(place)
            .filter(|d| d.function == Function::Gateway)
        {
            for served in &gateway.serves {
                self.protect(self.place(served.as_str()), &mut protection);
            }
        }
        protection.protected.sort();
        protection.protected.dedup();
        protection.essential.sort();
        protection.essential.dedup();
        protection
    }

    fn protect(&self, place: Place, protection: &mut Protection) {
        let device_type = self.device_type(place);
        protection
            .protected
            .extend_from_slice(&device_type.protected);
        protection
            .essential
            .extend_from_slice(&device_type.essential);
        let Some(segment) = self.inventory.segments.get(usize::from(place.segment)) else {
            return;
        };
        for rule in segment.allowed.iter().filter(|rule| rule.safety) {
            let ports: Vec<Option<u16>> = match rule.ports.as_slice() {
                [] => vec![None],
                ports => ports.iter().copied().map(Some).collect(),
            };
            for network in &rule.networks {
                protection
                    .protected
                    .extend(ports.iter().map(|port| FlowMatch {
                        peer: network.to_string(),
                        transport: rule.transport,
                        port: *port,
                    }));
            }
        }
    }
}
