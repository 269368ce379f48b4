//! The flow policy of a segment, compiled: a row is matched by masks and bits, without search
//! through text and without allocation.

use std::sync::Arc;

use andon_schemas::identity::address_key;
use andon_schemas::inventory::{FlowRule, Segment};
use andon_schemas::observation::Transport;
use ipnet::IpNet;

/// A network as keys are compared: `key & mask == network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Masked {
    network: u128,
    mask: u128,
    /// A wide IPv6 network must not cover IPv4 addresses just because keys map them into IPv6.
    v4: bool,
}

impl Masked {
    fn of(network: IpNet) -> Self {
        let (prefix, v4) = match network {
            IpNet::V4(v4) => (96 + u32::from(v4.prefix_len()), true),
            IpNet::V6(v6) => (u32::from(v6.prefix_len()), false),
        };
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        Self {
            network: address_key(network.network()) & mask,
            mask,
            v4,
        }
    }

    fn contains(&self, peer: u128) -> bool {
        self.v4 == (peer >> 32 == 0xffff) && peer & self.mask == self.network
    }
}

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For people: `internet`.
    pub name: Arc<str>,
    /// What enforcement points do with a denied flow: `block_alert`.
    pub action: Arc<str>,
    networks: Vec<Masked>,
    transport: Option<Transport>,
    ports: Vec<u16>,
}

impl Rule {
    fn compile(rule: &FlowRule) -> Self {
        let mut ports = rule.ports.clone();
        ports.sort_unstable();
        Self {
            name: rule.name.as_str().into(),
            action: rule.action.as_str().into(),
            networks: rule.networks.iter().copied().map(Masked::of).collect(),
            transport: rule.transport,
            ports,
        }
    }

    /// Agrees with [`FlowRule::matches`] on every address.
    fn matches(&self, peer: u128, transport: Transport, port: u16) -> bool {
        self.transport.is_none_or(|t| t == transport)
            && (self.ports.is_empty() || self.ports.binary_search(&port).is_ok())
            && (self.networks.is_empty() || self.networks.iter().any(|n| n.contains(peer)))
    }
}

/// What the devices of one segment may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Name of the segment.
    pub segment: Arc<str>,
    allowed: Vec<Rule>,
    denied: Vec<Rule>,
}

impl Policy {
    /// Compiles the policy of a segment.
    pub fn compile(segment: &Segment) -> Self {
        Self {
            segment: segment.name.as_str().into(),
            allowed: segment.allowed.iter().map(Rule::compile).collect(),
            denied: segment.denied.iter().map(Rule::compile).collect(),
        }
    }

    /// The rule that forbids a flow. What is allowed is looked at first; what neither list names
    /// is not forbidden.
    #[inline]
    pub fn forbids(&self, peer: u128, transport: Transport, port: u16) -> Option<&Rule> {
        if self.denied.is_empty() {
            return None;
        }
        let matches = |rule: &&Rule| rule.matches(peer, transport, port);
        if self.allowed.iter().any(|rule| matches(&rule)) {
            return None;
        }
        self.denied.iter().find(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_canonical()),
        ]
    }

    fn network() -> impl Strategy<Value = IpNet> {
        (address(), 0_u8..=128).prop_map(|(address, prefix)| {
            IpNet::new(address, prefix).map_or(IpNet::from(address), |net| net.trunc())
        })
    }

    proptest! {
        #[test]
        fn a_compiled_rule_agrees_with_the_written_one(
            networks in prop::collection::vec(network(), 0..4),
            ports in prop::collection::vec(0_u16..8, 0..4),
            transport in prop::option::of(prop::sample::select(Transport::ALL)),
            peer in address(),
            port in 0_u16..8,
            spoken in prop::sample::select(Transport::ALL),
        ) {
            let written = FlowRule {
                name: "internet".into(), networks, transport, ports, safety: false,
                latency_ms: None, action: "block_alert".into(),
            };
            let compiled = Rule::compile(&written);
            prop_assert_eq!(
                compiled.matches(address_key(peer), spoken, port),
                written.matches(peer, spoken, port)
            );
        }
    }
}
