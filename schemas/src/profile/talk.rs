//! Whom a device talks to and how: destinations, clients and protocols.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::contract::{DESTINATION, PROTOCOL, PROTOCOL_DETAIL};
use super::parse::type_name;
use super::{Destination, Protocol, Target};
use crate::inventory::ROLES;
use crate::problems::{Refusal, quoted, suggestion};
use crate::protocol::{self, read_forms, read_port};
use crate::quantity::{Dimension, amount, write_amount};
use crate::yaml::{Node, Report};

/// Destinations or clients.
pub(crate) fn destinations(node: Option<Node<'_>>, report: &mut Report) -> Vec<Destination> {
    let Some(node) = node else {
        return Vec::new();
    };
    let mut destinations: Vec<Destination> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in node.items() {
        let Some(destination) = destination(item, report) else {
            continue;
        };
        if !seen.insert(destination.target.to_string()) {
            let cause = format!("destination `{}` is written twice", destination.target);
            report.value(item, Refusal::new(cause).hint("Keep one of them."));
            continue;
        }
        destinations.push(destination);
    }
    shares(node, destinations.iter().filter_map(|d| d.share), report);
    destinations
}

fn destination(item: Node<'_>, report: &mut Report) -> Option<Destination> {
    if !item.is_map() {
        return Some(Destination {
            target: report.read(item, target)?,
            share: None,
            safety: false,
            over: Vec::new(),
        });
    }
    report.fields(item, &DESTINATION);
    let share = report.read_if(item.get("share"), share);
    let safety = report.flag(item.get("safety"));
    let over = report.read_each(item.get("over"), read_forms).concat();
    let kinds = ["name", "address", "network", "role", "type"];
    let written: Vec<_> = kinds.iter().filter_map(|kind| item.get(kind)).collect();
    let [only] = written[..] else {
        let cause = match written.len() {
            0 => "destination says nobody",
            _ => "destination says more than one",
        };
        let hint = "Write exactly one of name, address, network, role and type.";
        report.value(item, Refusal::new(cause).hint(hint));
        return None;
    };
    let target = report.read(only, |text| match only.key() {
        "role" => role(text).map(Target::Role),
        "type" => type_name(text).map(Target::DeviceType),
        "network" => network(text).map(Target::Network),
        "address" => address(text).map(Target::Address),
        _ => target(text),
    })?;
    Some(Destination {
        target,
        share,
        safety,
        over,
    })
}

/// A name, an address or a network, whichever the text looks like.
fn target(text: &str) -> Result<Target, Refusal> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Target::Address(address));
    }
    if text.contains('/') {
        return network(text).map(Target::Network);
    }
    host_name(text).map(Target::Name)
}

fn address(text: &str) -> Result<IpAddr, Refusal> {
    text.parse().map_err(|_| {
        let cause = format!("{} is not an address", quoted(text));
        Refusal::new(cause).hint("Write it as `10.2.50.15` or `fd00::15`.")
    })
}

/// A network, cut to its prefix: bits beyond the prefix are refused as a slip.
pub(crate) fn network(text: &str) -> Result<IpNet, Refusal> {
    let net: IpNet = text.parse().map_err(|_| {
        let cause = format!("{} is not a network", quoted(text));
        Refusal::new(cause).hint("Write it as `10.1.20.0/24`.")
    })?;
    if net.addr() != net.network() {
        let cause = format!("{} has bits beyond its prefix", quoted(text));
        return Err(Refusal::new(cause).hint(format!("Did you mean `{}`?", net.trunc())));
    }
    Ok(net)
}

/// A host name, folded to lower case, without a final dot (RFC 1123 §2.1; `_` as in practice).
pub(crate) fn host_name(text: &str) -> Result<String, Refusal> {
    let name = text.trim_end_matches('.').to_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(name);
    }
    let refusal = Refusal::new(format!("{} is not a host name", quoted(text)));
    Err(refusal.hint("Write it as `cnc-historian.mfg.local`."))
}

/// A server role.
pub(crate) fn role(text: &str) -> Result<String, Refusal> {
    if ROLES.contains(&text) {
        return Ok(text.to_owned());
    }
    let mut refusal = Refusal::new(format!("{} is not the role of a server", quoted(text)));
    refusal.hint = suggestion(text, ROLES.iter().copied());
    Err(refusal)
}

fn share(text: &str) -> Result<f64, Refusal> {
    amount(text, Dimension::Share)
}

/// Shares must not exceed the whole; what they leave is unwritten, not an error.
fn shares(node: Node<'_>, shares: impl Iterator<Item = f64>, report: &mut Report) {
    let sum: f64 = shares.sum();
    // Decimal shares do not add up exactly in binary; a billionth is no share.
    if sum > 1.0 + 1e-9 {
        let total = write_amount((sum * 1e6).round() / 1e6, Dimension::Share);
        let total = match total.parse::<f64>() {
            Ok(fraction) => format!("{} %", (fraction * 1e8).round() / 1e6),
            Err(_) => total,
        };
        let refusal = Refusal::new(format!("shares add up to {total}"));
        report.key(
            node,
            refusal.hint("Lower them until they make at most 100 %."),
        );
    }
}

/// Protocols: names with shares, or a list.
pub(crate) fn protocols(node: Option<Node<'_>>, report: &mut Report) -> Vec<Protocol> {
    let Some(node) = node else {
        return Vec::new();
    };
    let items: Vec<Node<'_>> = if node.is_map() {
        node.entries().collect()
    } else {
        node.items()
    };
    let mut protocols: Vec<Protocol> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in items {
        let Some(protocol) = protocol(item, report) else {
            continue;
        };
        if !seen.insert(protocol.name.clone()) {
            let cause = format!("protocol `{}` is written twice", protocol.name);
            report.value(item, Refusal::new(cause).hint("Keep one of them."));
            continue;
        }
        protocols.push(protocol);
    }
    shares(node, protocols.iter().filter_map(|p| p.share), report);
    protocols
}

fn protocol(item: Node<'_>, report: &mut Report) -> Option<Protocol> {
    let named = !item.key().is_empty() && item.key() != "protocols";
    if !item.is_map() {
        return if named {
            let share = report.read(item, share)?;
            resolve(item, item.key(), Some(share), report)
        } else {
            let name = report.text(item)?;
            resolve(item, name, None, report)
        };
    }
    let section = if named { &PROTOCOL_DETAIL } else { &PROTOCOL };
    report.fields(item, section);
    let name = if named {
        item.key()
    } else {
        report.text(item.get("name")?)?
    };
    let share = report.read_if(item.get("share"), share);
    let Some(ports) = item.get("ports") else {
        return resolve(item, name, share, report);
    };
    let matches = report.read_each(Some(ports), read_port);
    if ports.is_list() && ports.items().is_empty() {
        let refusal = Refusal::new("no port is written");
        report.value(ports, refusal.hint("Write for instance `[tcp/9100]`."));
    }
    let services = report.read_each(item.get("services"), |text| Ok(text.to_lowercase()));
    let known = protocol::by_name(name);
    let services = match known {
        Some(known) if services.is_empty() => owned(known.services),
        _ => services,
    };
    Some(Protocol {
        name: known.map_or_else(|| name.to_lowercase(), |known| known.name.to_owned()),
        matches,
        services,
        share,
    })
}

/// A protocol by the name alone.
fn resolve(
    item: Node<'_>,
    name: &str,
    share: Option<f64>,
    report: &mut Report,
) -> Option<Protocol> {
    let Some(known) = protocol::by_name(name) else {
        let mut refusal = protocol::unknown(name);
        let own = "A protocol of your own is written `{ name: x, ports: [tcp/9100] }`.";
        if refusal
            .hint
            .as_ref()
            .is_none_or(|hint| !hint.ends_with('?'))
        {
            refusal = refusal.hint(own);
        }
        report.key(item, refusal);
        return None;
    };
    Some(Protocol {
        name: known.name.to_owned(),
        matches: known.matches(),
        services: owned(known.services),
        share,
    })
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
