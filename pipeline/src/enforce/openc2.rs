//! Commands for enforcement points that are not ours: in the language `OpenC2` 1.0, for actuators
//! of the profile *Stateless Packet Filtering* 1.0. Pure.
//!
//! A filter of that profile knows flows and not devices, so one command of ours is several there, in
//! the order in which a list of rules is read: what stays open is allowed first, then the rest is
//! denied. It is stateless too, so both ways of a flow are allowed, and over TCP the one who answers
//! cannot be told from one who opens. A release allows the device as a whole.

use std::net::IpAddr;

use andon_schemas::command::{Action, DeviceCommand};
use andon_schemas::observation::Transport;
use andon_schemas::time::EventTime;
use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::orders::Cut;
use super::shield::Flow;

/// What an actuator is told about an order that stands. The `asset_id` names the actuator.
pub fn order(cut: &Cut<'_>, command: &DeviceCommand, asset_id: &str) -> Vec<Value> {
    let shield = cut.shield;
    let until = Some(command.expiry);
    let allow = |flows: &[Flow]| -> Vec<Told> {
        let targets = flows.iter().flat_map(connections);
        targets.map(|target| ("allow", target, until)).collect()
    };
    let mut told = allow(&shield.safety);
    let is_whole = command.scope.is_empty();
    match command.action {
        Action::Restrict if !is_whole => {
            let targets = cut.blocked.iter().flat_map(connections);
            told.extend(targets.map(|target| ("deny", target, until)));
            return numbered(told, command, asset_id);
        }
        Action::Restrict | Action::Isolate => told.extend(allow(&shield.essential)),
        Action::Quarantine | Action::Log | Action::Watch => {}
    }
    let whole = shield.addresses.iter().map(|address| net(*address));
    told.extend(whole.map(|target| ("deny", target, until)));
    numbered(told, command, asset_id)
}

/// What an actuator is told about an order that is lifted.
pub fn release(addresses: &[IpAddr], command: &DeviceCommand, asset_id: &str) -> Vec<Value> {
    let told = addresses
        .iter()
        .map(|address| ("allow", net(*address), None));
    numbered(told.collect(), command, asset_id)
}

/// An action, its target, and until when.
type Told = (&'static str, Value, Option<EventTime>);

fn numbered(told: Vec<Told>, command: &DeviceCommand, asset_id: &str) -> Vec<Value> {
    let lines = told.into_iter().zip(1..);
    let line = |((action, target, until), number): (Told, u32)| {
        let mut args = json!({
            "response_requested": "complete",
            "slpf": { "direction": "both" },
        });
        if action == "deny" {
            args["slpf"]["drop_process"] = "none".into();
        }
        if let Some(until) = until {
            args["stop_time"] = (until.micros().div_euclid(1_000)).into();
        }
        json!({
            "action": action,
            "target": target,
            "args": args,
            "actuator": { "slpf": { "asset_id": asset_id } },
            "command_id": format!("{}-{}-{number}", command.key, command.expiry.micros()),
        })
    };
    lines.map(line).collect()
}

fn net(address: IpAddr) -> Value {
    let target = if address.is_ipv4() {
        "ipv4_net"
    } else {
        "ipv6_net"
    };
    json!({ target: address.to_string() })
}

/// The packets of a flow, both ways, whoever opens it.
fn connections(flow: &Flow) -> Vec<Value> {
    let (near, far) = (IpNet::from(flow.near), flow.far);
    let target = if flow.near.is_ipv4() {
        "ipv4_connection"
    } else {
        "ipv6_connection"
    };
    let protocol = match flow.transport {
        Some(Transport::Icmp) if flow.near.is_ipv4() => Some("icmp"),
        // The profile has no name for ICMPv6 or for whatever is none of the usual: all is meant.
        Some(Transport::Icmp | Transport::Other) | None => None,
        Some(Transport::Tcp) => Some("tcp"),
        Some(Transport::Udp) => Some("udp"),
    };
    let one = |protocol: Option<&str>, (from, to): (IpNet, IpNet), port: Option<(&str, u16)>| {
        let mut fields = Map::new();
        if let Some(protocol) = protocol {
            fields.insert("protocol".to_owned(), protocol.into());
        }
        fields.insert("src_addr".to_owned(), text(from).into());
        fields.insert("dst_addr".to_owned(), text(to).into());
        if let Some((field, port)) = port {
            fields.insert(field.to_owned(), port.into());
        }
        json!({ target: fields })
    };
    let ways = [(near, far), (far, near)];
    let ported = !matches!(flow.transport, Some(Transport::Icmp | Transport::Other));
    let Some(port) = flow.port.filter(|_| ported) else {
        return ways.map(|way| one(protocol, way, None)).to_vec();
    };
    // A port is one of a protocol.
    let protocols = protocol.map_or(vec!["tcp", "udp", "sctp"], |protocol| vec![protocol]);
    let mut connections = Vec::new();
    for protocol in protocols {
        for way in ways {
            for field in ["dst_port", "src_port"] {
                connections.push(one(Some(protocol), way, Some((field, port))));
            }
        }
    }
    connections
}

/// An address, or a network in CIDR notation.
fn text(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        return network.addr().to_string();
    }
    network.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::orders::Orders;
    use super::super::sample::{at, command, flow, id, restricting, shields};
    use super::*;

    fn told(device: &str, command: &DeviceCommand) -> Vec<String> {
        let mut orders = Orders::new(shields());
        orders.take(&id(device), command, at(0)).unwrap();
        let cut = orders.wanted().remove(0);
        let told = order(&cut, command, "gate-1");
        let word = |told: &Value| {
            let (kind, target) = told["target"].as_object().unwrap().iter().next().unwrap();
            format!("{} {kind} {target}", told["action"].as_str().unwrap())
        };
        told.iter().map(word).collect()
    }

    #[test]
    fn safety_flows_are_allowed_before_the_device_is_denied() {
        let told = told("press-1", &command("press-1", Action::Quarantine, at(60)));
        // Two safety flows in two families, each in four ways, and the device in both.
        assert_eq!(told.len(), 2 * 2 * 4 + 2);
        for part in [
            r#""protocol":"tcp""#,
            r#""src_addr":"10.77.1.10""#,
            r#""dst_addr":"10.77.2.10""#,
            r#""dst_port":4401"#,
        ] {
            assert!(told[0].contains(part), "{}", told[0]);
        }
        let last = [
            r#"deny ipv4_net "10.77.1.10""#,
            r#"deny ipv6_net "fd77:1::10""#,
        ];
        assert_eq!(told[16..], last);
        assert!(told[..16].iter().all(|told| told.starts_with("allow")));
    }

    #[test]
    fn isolation_allows_the_historian_too_and_a_restriction_denies_its_scope() {
        let isolated = told("press-1", &command("press-1", Action::Isolate, at(60)));
        assert!(
            isolated
                .iter()
                .any(|told| told.starts_with("allow") && told.contains("10.77.3.10"))
        );
        let scope = [flow("203.0.113.0/24", Some(Transport::Udp), Some(53))];
        let restricted = told("lamp-1", &restricting("lamp-1", &scope, at(60)));
        assert_eq!(restricted.len(), 4);
        assert!(
            restricted
                .iter()
                .all(|told| told.starts_with("deny ipv4_connection"))
        );
        assert!(
            restricted[0].contains(r#""dst_addr":"203.0.113.0/24""#),
            "{restricted:?}"
        );
        let whole = told("lamp-1", &restricting("lamp-1", &[], at(60)));
        assert_eq!(whole, [r#"deny ipv4_net "10.77.1.12""#]);
    }

    #[test]
    fn a_command_says_until_when_to_whom_and_which_it_is() {
        let lifted = command("lamp-1", Action::Isolate, at(0));
        let told = release(&["10.77.1.12".parse().unwrap()], &lifted, "gate-1");
        let id = format!("{}-{}-1", lifted.key, at(0).micros());
        let expected = json!([{
            "action": "allow", "target": { "ipv4_net": "10.77.1.12" },
            "args": { "response_requested": "complete", "slpf": { "direction": "both" } },
            "actuator": { "slpf": { "asset_id": "gate-1" } }, "command_id": id,
        }]);
        assert_eq!(Value::from(told), expected);
        let mut orders = Orders::new(shields());
        let isolated = command("lamp-1", Action::Isolate, at(60));
        orders
            .take(&super::super::sample::id("lamp-1"), &isolated, at(0))
            .unwrap();
        let cut = orders.wanted().remove(0);
        let told = &order(&cut, &isolated, "gate-1")[0];
        assert_eq!(told["args"]["stop_time"], at(60).micros() / 1_000);
        assert_eq!(told["args"]["slpf"]["drop_process"], "none");
    }
}
