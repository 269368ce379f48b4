//! What stays open when a device is cut, whatever the action.

use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::inventory::{Device, Function};
use andon_schemas::time::EventTime;

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

/// What keeps a device safe when it is cut, for whoever carries out what verdicts ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Safety flows at the device or carried by it.
    pub protected: Vec<FlowMatch>,
    /// Why only a person may cut it; `None` if nobody has to agree.
    pub person: Option<&'static str>,
}

impl Plant {
    /// What keeps a device safe when it is cut: the same that every verdict about it says.
    pub fn guarded(&self, id: &str) -> Guarded {
        let place = self.place(id);
        let protected = self.protection(place).protected;
        let person = needs_a_person(self.listed(place), &protected);
        Guarded { protected, person }
    }

    /// Whether what follows from verdicts is done, or only said.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Until when declared maintenance covers a device, if it does at this moment.
    pub fn maintained_until(&self, id: &str, at: EventTime) -> Option<EventTime> {
        self.maintenance(id, self.place(id), at)
            .map(|window| window.end)
    }
}

/// Why only a person may cut a device, if it is so.
pub(crate) fn needs_a_person(
    device: Option<&Device>,
    protected: &[FlowMatch],
) -> Option<&'static str> {
    let device = device?;
    if device.function == Function::Gateway && (device.safety_critical || !protected.is_empty()) {
        return Some("the gateway carries safety flows: only a person may cut it");
    }
    if device.function == Function::Server {
        return Some("others depend on the server: only a person may cut it");
    }
    (device.safety_critical && protected.is_empty()).then_some(
        "the device is safety-critical and declares no safety flow to spare: only a person may \
         cut it",
    )
}
