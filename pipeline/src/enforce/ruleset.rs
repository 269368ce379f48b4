//! From what is wanted to the text that `nft -f` reads. Pure.
//!
//! The script replaces the table `inet andon` as a whole, in one transaction, and touches no other.
//! Packets of a device under order pass, in this order:
//!
//! 1. `safety`: safety flows are accepted, whatever else stands;
//! 2. quarantined addresses: dropped;
//! 3. restricted flows: dropped;
//! 4. isolated addresses: what is essential goes back, the rest is dropped.
//!
//! Orders lapse in the kernel too: what is dropped hangs on addresses in sets, which time out by
//! themselves. Rules that only accept, or only say which flows are meant, lie behind those sets and
//! do nothing once the address is gone.
//!
//! No rule asks for the state of a connection, so that connections which were open before an order
//! are cut by it, and safety flows are spared without the kernel having seen them begin. A flow is
//! known by its ends and the responder's port, at either end; over TCP, what only a responder may
//! send is not accepted from whoever opens a connection.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use andon_schemas::hex;
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Transport;
use andon_schemas::time::{EventTime, Span};
use ipnet::IpNet;
use sha2::{Digest as _, Sha256};

use super::orders::{Cut, LONGEST};
use super::shield::Flow;

/// The table that is ours.
pub const TABLE: &str = "inet andon";
/// The chain through which forwarded packets pass.
pub const CHAIN: &str = "inet andon forward";
/// Before the usual filters: what others accept there is dropped here first.
const PRIORITY: &str = "filter - 10";
/// Longest comment that the kernel keeps, bytes, with some room.
const COMMENT_BYTES_MAX: usize = 100;
/// What a link needs to stay up, to and from the gateway itself: neighbours of IPv6, and addresses
/// by DHCP. Who loses them loses the safety flows too.
const LINK: [&str; 3] = [
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }",
    "udp sport 68 udp dport 67",
    "udp sport 546 udp dport 547",
];

/// A ruleset and the mark by which it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    /// What `nft -f` reads.
    pub script: String,
    /// Stands in a comment of the chain; `None` if the table is to be gone.
    pub mark: Option<String>,
}

/// The ruleset for what is wanted. Without anything wanted the table goes.
pub fn render(wanted: &[Cut<'_>], now: EventTime) -> Ruleset {
    let mut script = format!("add table {TABLE}\ndelete table {TABLE}\n");
    if wanted.is_empty() {
        return Ruleset { script, mark: None };
    }
    let mark = mark(wanted);
    let mut body = Body::default();
    for (head, lines) in sets(wanted, now) {
        body.block(&head, &lines);
    }
    body.block("chain safety", &safety(wanted));
    for side in [Side::From, Side::To] {
        let name = side.name();
        body.block(
            &format!("chain restricted_{name}"),
            &restricted(wanted, side),
        );
        body.block(&format!("chain isolated_{name}"), &isolated(wanted, side));
    }
    body.block("chain ordered", &ordered());
    body.block(
        "chain forward",
        &hook("forward", &[], &[Side::From, Side::To], &mark),
    );
    body.block("chain input", &hook("input", &LINK, &[Side::From], &mark));
    for cut in wanted {
        script += &about(cut);
    }
    let Body(body) = body;
    script.extend(["table ", TABLE, " {\n", &body, "}\n"]);
    Ruleset {
        script,
        mark: Some(mark),
    }
}

/// The same for the same orders, whenever it is asked.
fn mark(wanted: &[Cut<'_>]) -> String {
    let hash = Sha256::digest(format!("{wanted:?}"));
    let hex: String = hex(&hash).chars().take(16).collect();
    format!("andon {hex}")
}

#[derive(Default)]
struct Body(String);

impl Body {
    fn block(&mut self, head: &str, lines: &[String]) {
        self.0.extend(["\t", head, " {\n"]);
        for line in lines {
            self.0.extend(["\t\t", line, "\n"]);
        }
        self.0 += "\t}\n";
    }
}

/// For people who read the script.
fn about(cut: &Cut<'_>) -> String {
    let terms = [
        ("quarantine", cut.quarantined),
        ("isolate", cut.isolated),
        ("restrict", cut.restricted),
    ];
    let terms = terms.iter().filter_map(|(action, until)| {
        let until = (*until)?;
        Some(format!("{action} until {until}"))
    });
    let terms: Vec<String> = terms.collect();
    format!("# {}: {}\n", plain(cut.device), terms.join(", "))
}

/// An identity without anything that would end a comment.
fn plain(device: &DeviceId) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let text = device.as_str().chars();
    let text = text.map(|c| if is_plain(c) { c } else { '?' });
    text.take(COMMENT_BYTES_MAX).collect()
}

/// Until when a device is under one kind of order.
type Until = fn(&Cut<'_>) -> Option<EventTime>;

/// The sets of addresses, by family: all that are under order, and those under each kind of order
/// with the time that is left.
fn sets(wanted: &[Cut<'_>], now: EventTime) -> Vec<(String, Vec<String>)> {
    let kinds: [(&str, Until); 3] = [
        ("quarantined", |cut| cut.quarantined),
        ("isolated", |cut| cut.isolated),
        ("restricted", |cut| cut.restricted),
    ];
    let mut sets = Vec::new();
    for (family, kind) in [("4", "ipv4_addr"), ("6", "ipv6_addr")] {
        let of_family = |address: &&IpAddr| address.is_ipv4() == (family == "4");
        let all: BTreeSet<IpAddr> = wanted
            .iter()
            .flat_map(|cut| cut.shield.addresses.iter().filter(of_family).copied())
            .collect();
        let lines = vec![format!("type {kind}")];
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        sets.push((format!("set ordered{family}"), with_elements(lines, &all)));
        for (name, until) in kinds {
            let mut timed = BTreeMap::new();
            for (cut, until) in wanted.iter().filter_map(|cut| Some((cut, until(cut)?))) {
                for address in cut.shield.addresses.iter().filter(of_family) {
                    let latest = timed.entry(*address).or_insert(until);
                    *latest = until.max(*latest);
                }
            }
            let timed: Vec<String> = timed
                .iter()
                .map(|(address, until)| format!("{address} timeout {}s", seconds(*until, now)))
                .collect();
            let lines = vec![format!("type {kind}"), "flags timeout".to_owned()];
            sets.push((format!("set {name}{family}"), with_elements(lines, &timed)));
        }
    }
    sets
}

fn with_elements(mut lines: Vec<String>, elements: &[String]) -> Vec<String> {
    if !elements.is_empty() {
        lines.push(format!("elements = {{ {} }}", elements.join(", ")));
    }
    lines
}

/// The time that is left, whole seconds, at least one. However far the clock jumps, nothing that
/// nobody looks after stands for longer than an order may.
fn seconds(until: EventTime, now: EventTime) -> i64 {
    let left = until.since(now).micros().min(LONGEST.micros());
    let second = Span::SECOND.micros();
    (left.saturating_add(second - 1) / second).max(1)
}

/// Safety flows at both ends, first of all.
fn safety(wanted: &[Cut<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    for cut in wanted {
        let comment = plain(cut.device);
        let mut add = |rule: String| {
            if seen.insert(rule.clone()) {
                lines.push(format!("{rule} accept comment \"{comment}\""));
            }
        };
        for flow in &cut.shield.safety {
            for side in [Side::From, Side::To] {
                side.matches(flow, Purpose::Spare)
                    .into_iter()
                    .for_each(&mut add);
            }
        }
        let near: BTreeSet<IpAddr> = cut.shield.safety.iter().map(|flow| flow.near).collect();
        near.into_iter().map(too_big).for_each(&mut add);
    }
    lines
}

/// How routers tell an address that its packets are too large for the way: without that, large
/// packets of a safety flow would vanish.
fn too_big(near: IpAddr) -> String {
    match near {
        IpAddr::V4(_) => {
            format!("ip daddr {near} icmp type destination-unreachable icmp code frag-needed")
        }
        IpAddr::V6(_) => format!("ip6 daddr {near} icmpv6 type packet-too-big"),
    }
}

fn restricted(wanted: &[Cut<'_>], side: Side) -> Vec<String> {
    let blocked = wanted.iter().flat_map(|cut| cut.blocked);
    let rules = blocked.flat_map(|flow| side.matches(flow, Purpose::Block));
    rules.map(|rule| format!("{rule} counter drop")).collect()
}

/// What is essential goes back to where it came from, for the other end to be looked at; whatever
/// else came here is dropped.
fn isolated(wanted: &[Cut<'_>], side: Side) -> Vec<String> {
    let isolated = wanted.iter().filter(|cut| cut.isolated.is_some());
    let flows = isolated.flat_map(|cut| &cut.shield.essential);
    let rules = flows.flat_map(|flow| side.matches(flow, Purpose::Spare));
    let rules = rules.map(|rule| format!("{rule} return"));
    rules.chain(["counter drop".to_owned()]).collect()
}

/// What happens to packets of a device under order.
fn ordered() -> Vec<String> {
    let mut lines = vec!["jump safety".to_owned()];
    let sides = [Side::From, Side::To];
    let families = [("ip", "4"), ("ip6", "6")];
    let mut each = |line: &dyn Fn(Side, &str, &str) -> String| {
        for (family, number) in families {
            lines.extend(sides.map(|side| line(side, family, number)));
        }
    };
    each(&|side, family, number| {
        format!(
            "{family} {} @quarantined{number} counter drop",
            side.field()
        )
    });
    for kind in ["restricted", "isolated"] {
        each(&|side, family, number| {
            let (field, name) = (side.field(), side.name());
            format!("{family} {field} @{kind}{number} jump {kind}_{name}")
        });
    }
    lines
}

fn hook(name: &str, first: &[&str], sides: &[Side], mark: &str) -> Vec<String> {
    let mut lines = vec![format!(
        "type filter hook {name} priority {PRIORITY}; policy accept;"
    )];
    lines.extend(first.iter().map(|rule| format!("{rule} accept")));
    for (family, number) in [("ip", "4"), ("ip6", "6")] {
        lines.extend(sides.iter().map(|side| {
            let field = side.field();
            format!("{family} {field} @ordered{number} jump ordered comment \"{mark}\"")
        }));
    }
    lines
}

/// Which way a packet goes.
#[derive(Clone, Copy)]
enum Side {
    /// From the device.
    From,
    /// To the device.
    To,
}

/// What packets of a flow are matched for.
#[derive(Clone, Copy)]
enum Purpose {
    /// To let them pass: of the responder over TCP nothing that opens a connection.
    Spare,
    /// To drop them.
    Block,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
        }
    }

    /// Where the device's address stands.
    fn field(self) -> &'static str {
        match self {
            Self::From => "saddr",
            Self::To => "daddr",
        }
    }

    /// What matches the packets of a flow that go this way, whoever opened it. Of a packet in
    /// fragments only the first shows its ports; without the first the others are nothing, so they
    /// may pass.
    fn matches(self, flow: &Flow, purpose: Purpose) -> Vec<String> {
        let (near, far) = (flow.near, ends(flow.far));
        let (family, later) = match near {
            IpAddr::V4(_) => ("ip", "ip frag-off & 0x1fff != 0"),
            IpAddr::V6(_) => ("ip6", "frag frag-off != 0"),
        };
        let ends = match self {
            Self::From => format!("{family} saddr {near} {family} daddr {far}"),
            Self::To => format!("{family} saddr {far} {family} daddr {near}"),
        };
        let ported = |transport: &str, port: u16| {
            let opens = match purpose {
                Purpose::Spare if transport == "tcp" => " tcp flags & (syn | ack) != syn",
                Purpose::Spare | Purpose::Block => "",
            };
            [
                format!("{ends} {transport} dport {port}"),
                format!("{ends} {transport} sport {port}{opens}"),
            ]
        };
        let rules: Vec<String> = match (flow.transport, flow.port) {
            (None, None) => return vec![ends],
            (Some(Transport::Icmp), _) if near.is_ipv4() => {
                vec![format!("{ends} meta l4proto icmp")]
            }
            (Some(Transport::Icmp), _) => vec![format!("{ends} meta l4proto ipv6-icmp")],
            (Some(Transport::Other), _) => {
                vec![format!(
                    "{ends} meta l4proto != {{ tcp, udp, icmp, ipv6-icmp }}"
                )]
            }
            (Some(transport), None) => vec![format!("{ends} meta l4proto {transport}")],
            (Some(transport), Some(port)) => ported(transport.as_str(), port).to_vec(),
            (None, Some(port)) => ["tcp", "udp", "sctp"]
                .into_iter()
                .flat_map(|transport| ported(transport, port))
                .collect(),
        };
        let pieces = matches!(purpose, Purpose::Spare).then(|| format!("{ends} {later}"));
        rules.into_iter().chain(pieces).collect()
    }
}

/// A network, or the one address that it is.
fn ends(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        return network.addr().to_string();
    }
    network.to_string()
}

#[cfg(test)]
mod packet;
#[cfg(test)]
mod tests;
