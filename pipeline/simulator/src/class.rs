//! Everything that devices of one profile in one segment have in common, worked out once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::inventory::{Function, Inventory, Segment};
use andon_schemas::observation::{ByteKind, Transport};
use andon_schemas::profile::{Destination, Profile, ProtocolMatch, Range, Target};
use andon_schemas::time::Span;

use crate::machine::Machine;
use crate::mix::pair_shares;
use crate::random::{Purpose, Stream};
use crate::spread::{Shape, Spread};

/// Connections per hour of a type that has neither a written rate nor a cadence.
const UNWRITTEN_RATE: Range = Range {
    lo: 6.0,
    hi: 30.0,
    coverage: 0.95,
};
/// Longest that one connection carries the messages of a cadence, seconds.
const CONNECTION_S_MAX: f64 = 1_200.0;
/// At most so many hosts of a network are spoken to.
const NETWORK_HOSTS: usize = 64;

/// One way of speaking to somebody.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// Share of this pair and all before it.
    pub(crate) until: f64,
    /// Number of the destination in the profile: a device keeps its own partner for each.
    pub(crate) destination: usize,
    /// Whoever it stands for; never empty.
    pub(crate) peers: Arc<[IpAddr]>,
    /// Some of them are devices, whose volume this is part of.
    pub(crate) watched: bool,
    /// The partner is another device of the plant, of which each device has two.
    pub(crate) partners: bool,
    /// Name in the record, where the protocol shows one.
    pub(crate) name: Option<String>,
    /// Transport.
    pub(crate) transport: Transport,
    /// Port of the responder.
    pub(crate) port: u16,
    /// What a sensor calls it.
    pub(crate) service: Option<String>,
    /// Carries a small message of fixed size (NTP, DNS) instead of a part of the volume.
    pub(crate) small: bool,
}

/// How connections lie in an hour. Where neither readings nor a cadence prove a device alive, its
/// connections have to, often enough that nobody takes it for silent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Anywhere.
    Free,
    /// Evenly spaced, at least so many an hour.
    Even(f64),
    /// One after the other without a gap, with running totals this often: a device that makes few
    /// connections keeps them open.
    Held(Span),
    /// Messages of a cadence, so many to a connection.
    Messages(i64),
}

/// A name that the devices ask for.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// A profile in a segment, ready to be drawn from.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) profile: Arc<Profile>,
    pub(crate) pairs: Vec<Pair>,
    pub(crate) lookups: Vec<Lookup>,
    /// The plant's name server.
    pub(crate) resolver: Option<IpAddr>,
    pub(crate) volume: Option<Spread>,
    pub(crate) rate: Spread,
    pub(crate) pace: Pace,
    pub(crate) machine: Option<Machine>,
    pub(crate) bytes: ByteKind,
}

/// The parts of a class that do not depend on the segment.
#[derive(Clone, Debug)]
pub(crate) struct Fitted {
    profile: Arc<Profile>,
    volume: Option<Spread>,
    rate: Spread,
    machine: Option<Machine>,
}

impl Fitted {
    /// Fits every range of a profile.
    pub(crate) fn new(profile: &Profile) -> Self {
        let key = profile
            .name
            .bytes()
            .fold(0, |k: u64, b| k.wrapping_mul(31) + u64::from(b));
        let mut stream = Stream::new(0, Purpose::Choice, key, 0);
        let mut phi = || stream.between(0.2, 0.6);
        let volume = profile
            .volume
            .map(|v| Spread::fit(&v.range, Some(v.baseline), phi(), Shape::Amount));
        let rate = profile.connections.unwrap_or(UNWRITTEN_RATE);
        let middle = Some(f64::midpoint(rate.lo, rate.hi));
        Self {
            volume,
            rate: Spread::fit(&rate, middle, phi(), Shape::Count),
            machine: Machine::fit(profile, phi()),
            profile: Arc::new(profile.clone()),
        }
    }
}

impl Class {
    /// The class of a fitted profile in a segment.
    ///
    /// # Errors
    /// Names a destination that nothing in the inventory stands for, and a profile whose every
    /// destination the segment denies.
    pub(crate) fn new(
        fitted: &Fitted,
        inventory: &Inventory,
        segment: usize,
        types: &BTreeMap<String, Vec<IpAddr>>,
    ) -> Result<Self, String> {
        let profile = &fitted.profile;
        let reached = profile
            .destinations
            .iter()
            .map(|d| {
                resolve(d, inventory, types).map_err(|e| format!("profile `{}`: {e}", profile.name))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let lookups = profile
            .destinations
            .iter()
            .zip(&reached)
            .filter_map(|(d, peers)| match &d.target {
                Target::Name(name) => Some(Lookup {
                    name: name.clone(),
                    addresses: peers.clone(),
                }),
                _ => None,
            });
        Ok(Self {
            pairs: pairs(profile, inventory, segment, &reached)?,
            lookups: lookups.collect(),
            resolver: server_address(inventory, "dns"),
            volume: fitted.volume,
            rate: fitted.rate,
            pace: pace(profile, &fitted.rate, fitted.machine.is_some()),
            machine: fitted.machine.clone(),
            bytes: profile.volume.map_or(ByteKind::Payload, |v| v.bytes),
            profile: Arc::clone(profile),
        })
    }

    /// Bytes of an ordinary hour of work.
    pub(crate) fn ordinary_volume(&self) -> f64 {
        match (&self.profile.cadence, &self.volume) {
            (Some(cadence), _) => {
                f64::midpoint(cadence.size.lo, cadence.size.hi) * 3600.0 / cadence.period_s
            }
            (None, Some(volume)) => volume.median(),
            (None, None) => 0.0,
        }
    }

    /// The pair that a uniform draw falls on.
    pub(crate) fn pair(&self, draw: f64) -> Option<&Pair> {
        let at = self.pairs.partition_point(|p| p.until <= draw);
        self.pairs.get(at).or(self.pairs.last())
    }
}

fn pace(profile: &Profile, rate: &Spread, sensed: bool) -> Pace {
    if let Some(cadence) = &profile.cadence {
        let period_s = cadence.period_s.max(0.001);
        let most = profile.connections.map_or(f64::MAX, |range| range.hi);
        let messages = 3600.0 / period_s;
        // Where a connection each would be too many, connections carry several messages.
        let each = if messages <= most {
            1.0
        } else {
            messages / rate.median()
        };
        return Pace::Messages(count(each.min(CONNECTION_S_MAX / period_s)).max(1));
    }
    let Some(silence) = profile.silence.filter(|_| !sensed) else {
        return Pace::Free;
    };
    let silence_s = silence.as_secs_f64().max(1.0);
    let needed = (2.0 * 3600.0 / silence_s).ceil() + 1.0;
    if profile.connections.unwrap_or(UNWRITTEN_RATE).lo > 3.0 * needed {
        Pace::Free
    } else if rate.median() >= needed {
        Pace::Even(needed)
    } else {
        Pace::Held(Span::from_micros(silence.micros() / 4))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "messages of minutes, saturating"
)]
fn count(messages: f64) -> i64 {
    messages as i64
}

/// Address of the first server with this role.
pub(crate) fn server_address(inventory: &Inventory, role: &str) -> Option<IpAddr> {
    inventory
        .with_role(role)
        .find_map(|d| d.addresses.first().copied())
}

/// Whether a segment lets its devices open such a flow.
pub(crate) fn permits(segment: &Segment, peer: IpAddr, transport: Transport, port: u16) -> bool {
    segment
        .allowed
        .iter()
        .any(|rule| rule.matches(peer, transport, port))
        || !segment
            .denied
            .iter()
            .any(|rule| rule.matches(peer, transport, port))
}

/// What a flow to a destination looks like in a protocol; `None` if it must not speak it.
fn look(profile: &Profile, destination: usize, protocol: usize) -> Option<&ProtocolMatch> {
    let over = &profile.destinations[destination].over;
    profile.protocols[protocol]
        .matches
        .iter()
        .find(|look| over.is_empty() || over.contains(look))
}

/// Port of a protocol that has none of its own.
fn port_of(look: &ProtocolMatch) -> u16 {
    look.port.unwrap_or(match look.transport {
        Transport::Icmp | Transport::Other => 0,
        Transport::Tcp | Transport::Udp => 40_000,
    })
}

fn pairs(
    profile: &Profile,
    inventory: &Inventory,
    segment: usize,
    reached: &[Vec<IpAddr>],
) -> Result<Vec<Pair>, String> {
    let passing = |d: usize, p: usize| -> Vec<IpAddr> {
        let Some(look) = look(profile, d, p) else {
            return Vec::new();
        };
        let permitted = |peer: &&IpAddr| {
            inventory
                .segments
                .get(segment)
                .is_none_or(|s| permits(s, **peer, look.transport, port_of(look)))
        };
        reached[d].iter().filter(permitted).copied().collect()
    };
    let roles: Vec<Vec<String>> = profile
        .destinations
        .iter()
        .zip(reached)
        .map(|(d, r)| roles(d, r, inventory))
        .collect();
    let shares = pair_shares(profile, &roles, &|d, p| !passing(d, p).is_empty());
    let mut pairs = Vec::new();
    let mut until = 0.0;
    for (d, row) in shares.iter().enumerate() {
        for (p, share) in row.iter().enumerate().filter(|(_, share)| **share > 1e-9) {
            let protocol = &profile.protocols[p];
            let Some(look) = look(profile, d, p) else {
                continue;
            };
            until += share;
            let target = &profile.destinations[d].target;
            pairs.push(Pair {
                until,
                destination: d,
                watched: reached[d]
                    .iter()
                    .filter_map(|peer| inventory.at_address(*peer))
                    .any(|device| device.function == Function::Device),
                peers: passing(d, p).into(),
                partners: matches!(target, Target::DeviceType(_)),
                name: match target {
                    Target::Name(name) if protocol.name.contains("http") => Some(name.clone()),
                    _ => None,
                },
                transport: look.transport,
                port: port_of(look),
                service: protocol.services.first().cloned(),
                small: protocol.name.contains("ntp") || protocol.name.contains("dns"),
            });
        }
    }
    if pairs.is_empty() && !profile.destinations.is_empty() {
        return Err(format!(
            "profile `{}`: segment denies all it may talk to",
            profile.name
        ));
    }
    Ok(pairs)
}

fn roles(destination: &Destination, reached: &[IpAddr], inventory: &Inventory) -> Vec<String> {
    if let Target::Role(role) = &destination.target {
        return vec![role.clone()];
    }
    reached
        .first()
        .and_then(|address| inventory.at_address(*address))
        .map_or_else(Vec::new, |device| device.roles.clone())
}

/// The addresses a destination stands for.
fn resolve(
    destination: &Destination,
    inventory: &Inventory,
    types: &BTreeMap<String, Vec<IpAddr>>,
) -> Result<Vec<IpAddr>, String> {
    let found: Vec<IpAddr> = match &destination.target {
        Target::Address(address) => vec![*address],
        Target::Name(name) => {
            let own: Vec<IpAddr> = inventory
                .named(name)
                .filter_map(|d| d.addresses.first().copied())
                .collect();
            if own.is_empty() && !inventory.owns_name(name) {
                vec![outside_address(name)]
            } else {
                own
            }
        }
        Target::Role(role) => inventory
            .with_role(role)
            .filter_map(|d| d.addresses.first().copied())
            .collect(),
        Target::DeviceType(name) => types.get(name).cloned().unwrap_or_default(),
        Target::Network(network) => {
            let inside = inventory
                .devices
                .iter()
                .filter_map(|d| d.addresses.first().copied());
            let listed: Vec<IpAddr> = inside
                .filter(|a| network.contains(a))
                .take(NETWORK_HOSTS)
                .collect();
            if listed.is_empty() {
                network.hosts().take(1).collect()
            } else {
                listed
            }
        }
    };
    if found.is_empty() {
        return Err(format!(
            "destination `{}` stands for nothing in the inventory",
            destination.target
        ));
    }
    Ok(found)
}

/// A stand-in address for a name outside the plant, from a range kept for documentation
/// (RFC 5737).
fn outside_address(name: &str) -> IpAddr {
    let sum = name
        .bytes()
        .fold(7u8, |s, b| s.wrapping_mul(31).wrapping_add(b));
    IpAddr::from([192, 0, 2, sum.clamp(1, 254)])
}
