//! The checked form back to YAML, for inventories that were made rather than written (a simulated
//! plant of another size). Everything is spelled out, one device a line; what is written reads
//! back as the same inventory, with the same hash.

use ipnet::IpNet;

use super::rules::internet;
use super::{Device, Enforcement, FlowRule, Function, Inventory, Maintenance, Segment};
use crate::observation::Transport;
use crate::quantity::{Dimension, write_amount, write_day};
use crate::yaml::{flow, listed, scalar};

impl Inventory {
    /// The inventory as a complete YAML file.
    pub fn to_yaml(&self) -> String {
        let mut lines = vec![
            format!("site: {}", scalar(&self.site)),
            format!("time_zone: {}", scalar(self.clock.name())),
            format!("zones: [{}]", scalars(&self.zones).join(", ")),
            format!("networks: [{}]", networks(&self.networks).join(", ")),
            "segments:".to_owned(),
        ];
        for segment in &self.segments {
            self.segment(segment, &mut lines);
        }
        let kinds = [
            ("servers", Function::Server),
            ("gateways", Function::Gateway),
            ("sensors", Function::Sensor),
            ("devices", Function::Device),
        ];
        for (key, function) in kinds {
            let devices = self
                .devices
                .iter()
                .filter(|device| device.function == function);
            let written: Vec<_> = devices.map(|device| self.member(device)).collect();
            section(key, written, &mut lines);
        }
        if let Some(per_day) = self.alert_budget {
            lines.push(format!("alert_budget: {per_day}"));
        }
        if self.enforcement != Enforcement::default() {
            lines.push("enforcement:".to_owned());
            lines.extend(self.enforced());
        }
        let days = self.holidays.iter().map(|day| write_day(*day)).collect();
        section("holidays", days, &mut lines);
        let windows = self
            .maintenance
            .iter()
            .map(|window| self.window(window))
            .collect();
        section("maintenance", windows, &mut lines);
        lines.push(String::new());
        lines.join("\n")
    }

    fn segment(&self, segment: &Segment, lines: &mut Vec<String>) {
        lines.push(format!("  - name: {}", scalar(&segment.name)));
        lines.push(format!(
            "    networks: [{}]",
            networks(&segment.networks).join(", ")
        ));
        for (key, rules) in [("allowed", &segment.allowed), ("denied", &segment.denied)] {
            if !rules.is_empty() {
                lines.push(format!("    {key}:"));
                lines.extend(
                    rules
                        .iter()
                        .map(|rule| format!("      - {}", self.rule(rule))),
                );
            }
        }
    }

    fn rule(&self, rule: &FlowRule) -> String {
        let to = if rule.networks.is_empty() {
            "any".to_owned()
        } else if rule.networks == internet(&self.networks) {
            "internet".to_owned()
        } else {
            listed(&rule.networks.iter().map(peer).collect::<Vec<_>>())
        };
        let mut parts = vec![format!("name: {}", scalar(&rule.name)), format!("to: {to}")];
        match rule.transport {
            None | Some(Transport::Other) => {}
            Some(Transport::Icmp) => parts.push("over: icmp".to_owned()),
            Some(transport) => {
                let forms = rule.ports.iter().map(|port| format!("{transport}/{port}"));
                parts.push(format!("over: {}", listed(&forms.collect::<Vec<_>>())));
            }
        }
        let latency = rule.latency_ms;
        parts.extend(
            latency.map(|ms| format!("latency: {}", write_amount(ms / 1000.0, Dimension::Seconds))),
        );
        parts.extend(rule.safety.then(|| "safety: true".to_owned()));
        if !rule.action.is_empty() {
            parts.push(format!("action: {}", rule.action));
        }
        flow(&parts)
    }

    fn member(&self, device: &Device) -> String {
        let mut parts = vec![format!("id: {}", scalar(device.id.as_str()))];
        let mut part = |key: &str, text: String| parts.push(format!("{key}: {text}"));
        if matches!(device.function, Function::Device | Function::Sensor) {
            part("type", device.device_type.clone());
        }
        if !device.line.is_empty() {
            part("line", scalar(&device.line));
        }
        part("segment", scalar(self.segment_name(device.segment)));
        let addresses: Vec<_> = device
            .addresses
            .iter()
            .map(|a| scalar(&a.to_string()))
            .collect();
        part("addresses", listed(&addresses));
        if !device.names.is_empty() {
            part("names", listed(&scalars(&device.names)));
        }
        if device.function == Function::Server {
            part("roles", listed(&device.roles));
        }
        if device.function == Function::Sensor {
            let watched = device
                .watches
                .iter()
                .map(|at| scalar(self.segment_name(*at)));
            part("watches", listed(&watched.collect::<Vec<_>>()));
        }
        part("risk_class", device.risk_class.to_string());
        if device.safety_critical && device.function != Function::Sensor {
            part("safety_critical", "true".to_owned());
        }
        if let Some(gateway) = &device.gateway {
            part("gateway", scalar(gateway.as_str()));
        }
        if let Some(make) = &device.make {
            parts.extend(make.parts());
        }
        flow(&parts)
    }

    fn window(&self, window: &Maintenance) -> String {
        let mut parts = vec![
            format!("from: \"{}\"", window.start),
            format!("to: \"{}\"", window.end),
        ];
        if !window.devices.is_empty() {
            let devices: Vec<_> = window
                .devices
                .iter()
                .map(|id| scalar(id.as_str()))
                .collect();
            parts.push(format!("devices: {}", listed(&devices)));
        }
        if !window.segments.is_empty() {
            let names = window
                .segments
                .iter()
                .map(|at| scalar(self.segment_name(*at)));
            parts.push(format!("segments: {}", listed(&names.collect::<Vec<_>>())));
        }
        let firmware = window.firmware.as_ref();
        parts.extend(firmware.map(|version| format!("firmware: {}", scalar(version))));
        parts.push(format!("reason: {}", scalar(&window.reason)));
        flow(&parts)
    }

    fn segment_name(&self, at: usize) -> &str {
        self.segments
            .get(at)
            .map_or("", |segment| segment.name.as_str())
    }
}

fn section(key: &str, items: Vec<String>, lines: &mut Vec<String>) {
    if items.is_empty() {
        return;
    }
    lines.push(format!("{key}:"));
    lines.extend(items.into_iter().map(|item| format!("  - {item}")));
}

fn scalars(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| scalar(text)).collect()
}

fn networks(networks: &[IpNet]) -> Vec<String> {
    networks
        .iter()
        .map(|network| scalar(&network.to_string()))
        .collect()
}

/// A network of one address as that address.
fn peer(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        return scalar(&network.addr().to_string());
    }
    scalar(&network.to_string())
}
