//! What segments allow and deny. Names, roles and segments become networks here, so that a flow
//! is judged by its address alone.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::contract::{ACTIONS, ALLOW, DENY, RULES};
use super::roll::Roll;
use super::{FlowRule, Segment, segments};
use crate::observation::Transport;
use crate::problems::{Refusal, quoted, suggestion};
use crate::profile::{ProtocolMatch, network, role};
use crate::protocol;
use crate::quantity::{Dimension, amount};
use crate::yaml::{Node, Report, Section};

/// What a rule may refer to.
struct Scope<'a> {
    segments: &'a [Segment],
    roll: &'a Roll,
    own: &'a [IpNet],
}

/// Reads the rules of every segment; those under `everywhere:` follow the segment's own.
pub(crate) fn read(
    top: Node<'_>,
    segments: &mut [Segment],
    roll: &Roll,
    own: &[IpNet],
    report: &mut Report,
) {
    let scope = Scope {
        segments,
        roll,
        own,
    };
    let (mut allowed, mut denied) = (Vec::new(), Vec::new());
    if let Some(everywhere) = top.get("everywhere")
        && report.fields(everywhere, &RULES)
    {
        allowed = list(everywhere.get("allowed"), &ALLOW, &scope, report);
        denied = list(everywhere.get("denied"), &DENY, &scope, report);
    }
    let items = top.get("segments").map(Node::items).unwrap_or_default();
    let mut rules = Vec::new();
    for item in items {
        // The rules of a segment that has no proper name are read as well, for their problems.
        let name = item.get("name").and_then(Node::scalar).unwrap_or_default();
        let own_allowed = list(item.get("allowed"), &ALLOW, &scope, report);
        let own_denied = list(item.get("denied"), &DENY, &scope, report);
        if let Ok(at) = segments::index(name.trim(), scope.segments) {
            rules.push((at, own_allowed, own_denied));
        }
    }
    for (at, own_allowed, own_denied) in rules {
        segments[at].allowed.extend(own_allowed);
        segments[at].denied.extend(own_denied);
    }
    for segment in segments {
        segment.allowed.extend(allowed.iter().cloned());
        segment.denied.extend(denied.iter().cloned());
    }
}

fn list(
    node: Option<Node<'_>>,
    section: &Section,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Vec<FlowRule> {
    let items = node.map(Node::items).unwrap_or_default();
    items
        .into_iter()
        .flat_map(|item| rule(item, section, scope, report))
        .collect()
}

/// One written rule; one flow rule for each transport it names.
fn rule(
    item: Node<'_>,
    section: &Section,
    scope: &Scope<'_>,
    report: &mut Report,
) -> Vec<FlowRule> {
    if !report.fields(item, section) {
        return Vec::new();
    }
    let name = report.read_if(item.get("name"), |text| Ok(text.to_owned()));
    let latency_ms = report.read_if(item.get("latency"), |text| {
        amount(text, Dimension::Seconds).map(|seconds| seconds * 1000.0)
    });
    let action = report.read_if(item.get("action"), action);
    let forms = report.read_each(item.get("over"), protocol::read_forms);
    let safety = report.flag(item.get("safety"));
    let (Some(name), Some(networks)) = (name, networks(item, scope, report)) else {
        return Vec::new();
    };
    let rule = FlowRule {
        name,
        networks,
        transport: None,
        ports: Vec::new(),
        safety,
        latency_ms,
        action: action.unwrap_or_default(),
    };
    by_transport(&rule, &forms.concat(), item.get("over").is_some())
}

/// A rule says one transport and its ports; a protocol may run over two.
fn by_transport(rule: &FlowRule, forms: &[ProtocolMatch], written: bool) -> Vec<FlowRule> {
    if !written {
        return vec![rule.clone()];
    }
    let mut rules = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp, Transport::Icmp] {
        let of_transport = forms.iter().filter(|form| form.transport == transport);
        let mut ports: Vec<u16> = of_transport.clone().filter_map(|form| form.port).collect();
        if of_transport.count() > 0 {
            ports.sort_unstable();
            ports.dedup();
            rules.push(FlowRule {
                transport: Some(transport),
                ports,
                ..rule.clone()
            });
        }
    }
    rules
}

fn action(text: &str) -> Result<String, Refusal> {
    if ACTIONS.contains(&text) {
        return Ok(text.to_owned());
    }
    let mut refusal = Refusal::new(format!("{} is not an action", quoted(text)));
    refusal.hint = suggestion(text, ACTIONS.iter().copied());
    Err(refusal)
}

/// The networks a rule is about; empty means any.
fn networks(item: Node<'_>, scope: &Scope<'_>, report: &mut Report) -> Option<Vec<IpNet>> {
    let written: Vec<_> = ["to", "role", "segment"]
        .iter()
        .filter_map(|k| item.get(k))
        .collect();
    let [only] = written[..] else {
        let refusal = Refusal::new("a rule says where to exactly once");
        report.value(
            item,
            refusal.hint("Write one of `to:`, `role:` and `segment:`."),
        );
        return None;
    };
    let before = only.items().len();
    let found: Vec<_> = report.read_each(Some(only), |text| match only.key() {
        "role" => of_role(text, scope),
        "segment" => {
            segments::index(text, scope.segments).map(|at| scope.segments[at].networks.clone())
        }
        _ => of_peer(text, scope),
    });
    if found.len() < before || (before > 1 && found.iter().any(Vec::is_empty)) {
        return None;
    }
    Some(found.concat())
}

fn of_role(text: &str, scope: &Scope<'_>) -> Result<Vec<IpNet>, Refusal> {
    let role = role(text)?;
    let servers = scope
        .roll
        .devices()
        .iter()
        .filter(|device| device.roles.contains(&role));
    let networks: Vec<_> = servers
        .flat_map(|s| s.addresses.iter().copied().map(host))
        .collect();
    if networks.is_empty() {
        let refusal = Refusal::new(format!("no server has the role `{role}`"));
        return Err(refusal.hint("List one under `servers:`."));
    }
    Ok(networks)
}

fn of_peer(text: &str, scope: &Scope<'_>) -> Result<Vec<IpNet>, Refusal> {
    match text {
        "any" => return Ok(Vec::new()),
        "internet" => return Ok(internet(scope.own)),
        _ => {}
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(vec![host(address)]);
    }
    if text.contains('/') {
        return network(text).map(|network| vec![network]);
    }
    if let Some(device) = scope.roll.find(text) {
        return Ok(device.addresses.iter().copied().map(host).collect());
    }
    let servers = scope.roll.devices().iter().filter(|d| !d.roles.is_empty());
    let known: Vec<&str> = servers
        .flat_map(|d| std::iter::once(d.id.as_str()).chain(d.names.iter().map(String::as_str)))
        .collect();
    let mut refusal = Refusal::new(format!(
        "nothing in the inventory is called {}",
        quoted(text)
    ));
    refusal.hint = suggestion(text, known);
    Err(refusal)
}

fn host(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

/// Addresses that are never the internet, whoever owns them: RFC 6890 and multicast.
const SPECIAL: [(Ipv4Addr, u8); 8] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Everything that is routed outside: neither the plant's own nor special-purpose. Of IPv6 it is
/// the global unicast space, `2000::/3` (RFC 4291 §2.4), without the plant's own.
pub(crate) fn internet(own: &[IpNet]) -> Vec<IpNet> {
    let mut holes4: Vec<Ipv4Net> = SPECIAL
        .iter()
        .filter_map(|(address, prefix)| Ipv4Net::new(*address, *prefix).ok())
        .collect();
    let mut holes6: Vec<Ipv6Net> = Vec::new();
    for net in own {
        match net {
            IpNet::V4(net) => holes4.push(*net),
            IpNet::V6(net) => holes6.push(*net),
        }
    }
    let mut networks = Vec::new();
    if let Ok(all) = Ipv4Net::new(Ipv4Addr::UNSPECIFIED, 0) {
        without(
            IpNet::V4(all),
            &holes4.into_iter().map(IpNet::V4).collect::<Vec<_>>(),
            &mut networks,
        );
    }
    if let Ok(global) = Ipv6Net::new([0x2000, 0, 0, 0, 0, 0, 0, 0].into(), 3) {
        without(
            IpNet::V6(global),
            &holes6.into_iter().map(IpNet::V6).collect::<Vec<_>>(),
            &mut networks,
        );
    }
    networks
}

/// The parts of `net` outside every hole, by halving.
fn without(net: IpNet, holes: &[IpNet], found: &mut Vec<IpNet>) {
    if holes.iter().any(|hole| hole.contains(&net)) {
        return;
    }
    let inside: Vec<IpNet> = holes
        .iter()
        .copied()
        .filter(|hole| net.contains(hole))
        .collect();
    if inside.is_empty() {
        found.push(net);
        return;
    }
    if let Ok(halves) = net.subnets(net.prefix_len() + 1) {
        for half in halves {
            without(half, &inside, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internet_is_what_is_neither_ours_nor_special() {
        let own = [
            "198.51.100.0/24".parse().unwrap(),
            "2001:db8:1::/48".parse().unwrap(),
        ];
        let networks = internet(&own);
        let holds = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            networks.iter().any(|net| net.contains(&address))
        };
        for outside in [
            "203.0.113.9",
            "8.8.8.8",
            "11.0.0.1",
            "172.32.0.1",
            "2001:db8:2::1",
        ] {
            assert!(holds(outside), "{outside}");
        }
        for inside in [
            "198.51.100.7",
            "10.9.9.9",
            "192.168.1.1",
            "239.0.0.1",
            "2001:db8:1::1",
            "fd00::1",
        ] {
            assert!(!holds(inside), "{inside}");
        }
        assert!(networks.len() < 120, "{}", networks.len());
    }
}
