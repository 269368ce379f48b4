//! Whom a device may talk to, how, and what it may be told.

use andon_schemas::profile::{CommandRule, Destination, Protocol, Target};
use andon_schemas::protocol::write_port;
use schemars::JsonSchema;
use serde::Serialize;

/// What a name of somebody means.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "PeerKind")]
pub(super) enum Kind {
    /// A name of the plant or of DNS.
    Name,
    /// One address.
    Address,
    /// Every address of a network.
    Network,
    /// Every server of this role.
    Role,
    /// Every device of this type.
    Type,
}

/// Somebody at the other end.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Whom {
    kind: Kind,
    name: String,
}

/// Somebody whom a device may talk to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProfilePeer")]
pub(super) struct Peer {
    #[serde(flatten)]
    whom: Whom,
    /// Share of connections, 0–1, if one is written.
    share: Option<f64>,
    /// A safety flow: automatic responses leave it alone.
    safety: bool,
    /// The exact flows, `udp/44818`; empty for every protocol of the profile.
    over: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct ProtocolShare {
    name: String,
    /// Share of connections, 0–1, if one is written.
    share: Option<f64>,
    /// Where it is found: `tcp/502`.
    ports: Vec<String>,
}

/// Commands that may be given.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProfileCommands")]
pub(super) struct Commands {
    names: Vec<String>,
    /// Between whom; empty for anybody.
    peers: Vec<Whom>,
}

impl Whom {
    pub(super) fn of(target: &Target) -> Self {
        let (kind, name) = match target {
            Target::Name(name) => (Kind::Name, name.clone()),
            Target::Address(address) => (Kind::Address, address.to_string()),
            Target::Network(network) => (Kind::Network, network.to_string()),
            Target::Role(role) => (Kind::Role, role.clone()),
            Target::DeviceType(name) => (Kind::Type, name.clone()),
        };
        Self { kind, name }
    }
}

impl Peer {
    pub(super) fn of(destination: &Destination) -> Self {
        Self {
            whom: Whom::of(&destination.target),
            share: destination.share,
            safety: destination.safety,
            over: destination.over.iter().map(write_port).collect(),
        }
    }
}

impl ProtocolShare {
    pub(super) fn of(protocol: &Protocol) -> Self {
        Self {
            name: protocol.name.clone(),
            share: protocol.share,
            ports: protocol.matches.iter().map(write_port).collect(),
        }
    }
}

impl Commands {
    pub(super) fn of(rule: &CommandRule) -> Self {
        Self {
            names: rule.names.clone(),
            peers: rule.peers.iter().map(Whom::of).collect(),
        }
    }
}
