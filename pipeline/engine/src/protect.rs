//! What stays open when a device is cut, whatever the action.

use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::inventory::{Device, Function};
use andon_schemas::time::EventTime;

use crate::plant::{Place, Plant};

/// Every network.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

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
            // A rule without networks is about every peer.
            let peers: Vec<String> = match rule.networks.as_slice() {
                [] => ANYWHERE.map(ToOwned::to_owned).to_vec(),
                networks => networks.iter().map(ToString::to_string).collect(),
            };
            for peer in peers {
                protection
                    .protected
                    .extend(ports.iter().map(|port| FlowMatch {
                        peer: peer.clone(),
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
    /// What remains besides when it is isolated: flows to historian, update and attestation servers.
    pub essential: Vec<FlowMatch>,
    /// Why only a person may cut it; `None` if nobody has to agree.
    pub person: Option<&'static str>,
}

impl Plant {
    /// What keeps a device safe when it is cut: the same that every verdict about it says.
    pub fn guarded(&self, id: &str) -> Guarded {
        let place = self.place(id);
        let Protection {
            protected,
            essential,
        } = self.protection(place);
        let person = needs_a_person(self.listed(place), &protected);
        Guarded {
            protected,
            essential,
            person,
        }
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

#[cfg(test)]
mod tests {
    use andon_detectors::catalog::CATALOG;
    use andon_schemas::builtin;
    use andon_schemas::inventory;
    use andon_schemas::profile::SourceFile;

    use super::*;

    fn guarded(text: &str, device: &str) -> Guarded {
        let inventory = inventory::parse(SourceFile {
            path: "plant.yaml",
            text,
        });
        let detectors: Vec<&str> = CATALOG.iter().map(|entry| entry.name).collect();
        let profiles = builtin::profiles(&detectors).unwrap();
        Plant::compile(inventory.unwrap(), &profiles, Mode::Enforce).guarded(device)
    }

    fn written(flows: &[FlowMatch]) -> Vec<String> {
        let word = |flow: &FlowMatch| {
            let over = flow.transport.map_or("any", |transport| transport.as_str());
            format!("{} {over} {:?}", flow.peer, flow.port)
        };
        flows.iter().map(word).collect()
    }

    #[test]
    fn a_device_keeps_its_safety_flows_and_what_production_cannot_do_without() {
        let guarded = guarded(builtin::INVENTORY.text, "cnc-controller-01-0031");
        let safety = [
            "10.1.10.250/32 udp Some(44818)",
            "role safety udp Some(44818)",
            "safety-plc.mfg.local udp Some(44818)",
        ];
        assert_eq!(written(&guarded.protected), safety);
        let essential = [
            "cnc-historian.mfg.local any None",
            "role attestation any None",
        ];
        assert_eq!(written(&guarded.essential), essential);
    }

    #[test]
    fn a_safety_rule_about_every_peer_protects_every_peer() {
        let rule =
            "{ name: safety, to: safety-plc.mfg.local, over: udp/44818, latency: 2 ms, safety";
        let open = "{ name: safety, to: any, over: udp/44818, latency: 2 ms, safety";
        let text = builtin::INVENTORY.text.replace(rule, open);
        assert_ne!(text, builtin::INVENTORY.text);
        let flows = written(&guarded(&text, "cnc-controller-01-0031").protected);
        for peer in ["0.0.0.0/0", "::/0"] {
            let flow = format!("{peer} udp Some(44818)");
            assert!(flows.contains(&flow), "{flows:?}");
        }
    }
}
