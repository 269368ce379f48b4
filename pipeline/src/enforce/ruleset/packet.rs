//! A reader of rulesets that sends packets through them: so much of nftables as they use, written
//! from its manual and not from what writes them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Passes,
    Dropped,
}

/// A packet that is in one piece.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    from: IpAddr,
    to: IpAddr,
    transport: String,
    from_port: u16,
    to_port: u16,
    /// Over TCP: it carries SYN and no ACK.
    pub(super) opens: bool,
}

impl Packet {
    /// One that opens a flow.
    pub(super) fn new(from: &str, to: &str, transport: &str, from_port: u16, to_port: u16) -> Self {
        Self {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            transport: transport.to_owned(),
            from_port,
            to_port,
            opens: true,
        }
    }

    /// One that answers it.
    pub(super) fn reply(&self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            from_port: self.to_port,
            to_port: self.from_port,
            opens: false,
            transport: self.transport.clone(),
        }
    }

    fn has_ports(&self) -> bool {
        matches!(&*self.transport, "tcp" | "udp" | "sctp")
    }
}

/// The chains and sets of a table.
pub(super) struct Chains {
    chains: BTreeMap<String, Vec<String>>,
    sets: BTreeMap<String, Vec<IpAddr>>,
}

/// How a rule ends.
enum Verdict {
    None,
    Accept,
    Drop,
    Return,
    Jump(String),
}

impl Chains {
    pub(super) fn read(script: &str) -> Self {
        let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut sets: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        let mut open = None;
        for line in script.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (words.as_slice(), open) {
                ([kind @ ("chain" | "set"), name, "{"], _) => open = Some((*kind, *name)),
                (["}"], _) => open = None,
                (_, Some(("chain", name))) => {
                    chains.entry(name.into()).or_default().push(line.to_owned());
                }
                (["elements", ..], Some((_, name))) => {
                    let inner = line.split(['{', '}']).nth(1).unwrap();
                    let addresses = inner.split(',').map(|element| {
                        let address = element.split_whitespace().next().unwrap();
                        address.parse::<IpAddr>().unwrap()
                    });
                    sets.entry(name.into()).or_default().extend(addresses);
                }
                _ => {}
            }
        }
        Self { chains, sets }
    }

    /// What becomes of a packet that comes to a hook.
    pub(super) fn fate(&self, hook: &str, packet: &Packet) -> Fate {
        match self.walk(hook, packet) {
            Some(Verdict::Drop) => Fate::Dropped,
            _ => Fate::Passes,
        }
    }

    /// A rule that drops before the chain of orders has jumped there, if there is one: in the hooks,
    /// or in that chain.
    pub(super) fn first_drop_before(&self, chain: &str) -> Option<&str> {
        let jump = format!("jump {chain}");
        let ordered = self.chains.get("ordered").into_iter().flatten();
        let early = ordered.take_while(|rule| **rule != jump);
        let hooks = ["forward", "input"].into_iter();
        let hooks = hooks.filter_map(|hook| self.chains.get(hook)).flatten();
        let mut drops = early.chain(hooks).filter(|rule| rule.contains("drop"));
        drops.next().map(String::as_str)
    }

    /// The verdict of a chain; `None` if it ends without one.
    fn walk(&self, chain: &str, packet: &Packet) -> Option<Verdict> {
        for rule in self.chains.get(chain)? {
            if rule.starts_with("type filter hook") {
                continue;
            }
            match self.apply(rule, packet) {
                Verdict::None => {}
                Verdict::Return => return None,
                Verdict::Jump(to) => {
                    let verdict = self.walk(&to, packet);
                    if verdict.is_some() {
                        return verdict;
                    }
                }
                verdict => return Some(verdict),
            }
        }
        None
    }

    fn apply(&self, rule: &str, packet: &Packet) -> Verdict {
        let mut words = rule.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let matches = match word {
                "accept" => return Verdict::Accept,
                "drop" => return Verdict::Drop,
                "return" => return Verdict::Return,
                "jump" => return Verdict::Jump(words.next().unwrap().to_owned()),
                "counter" => true,
                "ip" | "ip6" => {
                    let field = words.next().unwrap();
                    let value = words.next().unwrap();
                    match field {
                        "saddr" => self.is_there(word, packet.from, value),
                        "daddr" => self.is_there(word, packet.to, value),
                        "frag-off" => false,
                        other => panic!("{other} of {rule}"),
                    }
                }
                "frag" | "icmp" | "icmpv6" => false,
                "tcp" if words.peek() == Some(&"flags") => {
                    let all: Vec<&str> = words.by_ref().take(7).collect();
                    assert_eq!(all.join(" "), "flags & (syn | ack) != syn");
                    !packet.opens
                }
                "tcp" | "udp" | "sctp" => {
                    let port = match words.next().unwrap() {
                        "sport" => packet.from_port,
                        "dport" => packet.to_port,
                        other => panic!("{other} of {rule}"),
                    };
                    let wanted: u16 = words.next().unwrap().parse().unwrap();
                    packet.transport == word && packet.has_ports() && port == wanted
                }
                "meta" => {
                    assert_eq!(words.next(), Some("l4proto"));
                    match words.next().unwrap() {
                        "!=" => {
                            let listed: Vec<&str> = words.by_ref().take(6).collect();
                            assert_eq!(listed.join(" "), "{ tcp, udp, icmp, ipv6-icmp }");
                            !matches!(&*packet.transport, "tcp" | "udp" | "icmp" | "ipv6-icmp")
                        }
                        wanted => packet.transport == wanted,
                    }
                }
                other => panic!("`{other}` of `{rule}`"),
            };
            if !matches {
                return Verdict::None;
            }
        }
        Verdict::None
    }

    fn is_there(&self, family: &str, address: IpAddr, value: &str) -> bool {
        if address.is_ipv4() != (family == "ip") {
            return false;
        }
        if let Some(set) = value.strip_prefix('@') {
            return self.sets.get(set).is_some_and(|set| set.contains(&address));
        }
        match value.parse::<IpNet>() {
            Ok(network) => network.contains(&address),
            Err(_) => value.parse::<IpAddr>().unwrap() == address,
        }
    }
}
