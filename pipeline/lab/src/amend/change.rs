//! One change of a profile.

use std::net::IpAddr;

use andon_schemas::observation::Role;
use andon_schemas::ot_command::by_name as command_by_name;
use andon_schemas::profile::{
    CommandLists, CommandRule, Destination, Firmware, HoursSpan, Profile, Protocol, ProtocolMatch,
    Target,
};
use andon_schemas::protocol::write_port;
use andon_schemas::quantity::{Dimension, write_amount, write_hours_span};
use serde::Serialize;

/// The smallest thing that can be added to a profile or widened in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Somebody it may connect to (originator), or who may connect to it (responder).
    Peer {
        /// Which end the device is.
        role: Role,
        /// Whom.
        address: IpAddr,
    },
    /// A protocol on one transport and port.
    Protocol {
        /// What the profile calls it.
        name: String,
        /// Where.
        port: String,
        /// Under which names sensors report it.
        services: Vec<String>,
    },
    /// A version that is known to be good.
    Firmware {
        /// As the device reports it.
        version: String,
        /// Of its image, as the device reports it.
        digest: Option<String>,
        /// The day it was first seen.
        released: String,
    },
    /// A stretch of one day of the week.
    Hours {
        /// As a profile writes it.
        span: String,
    },
    /// A command to or from one peer.
    Command {
        /// The device gives it (originator) or takes it (responder).
        role: Role,
        /// Its name.
        name: String,
        /// The other.
        peer: IpAddr,
    },
    /// Bytes of an hour, up to which the rule is silent.
    VolumeLimit {
        /// Bytes.
        bytes: f64,
    },
    /// How many hosts, pairs of host and port, or failures are still no scan.
    Scan {
        /// `hosts`, `ports` or `failed`.
        limit: &'static str,
        /// So many.
        count: u32,
    },
    /// A written range that is to hold one more value.
    Widen {
        /// Which.
        range: Ranged,
        /// The value, in the unit of the range.
        value: f64,
    },
}

/// Ranges that can be widened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranged {
    /// Bytes of an hour.
    Volume,
    /// Share of the bytes that go up.
    Upload,
    /// Connections of an hour.
    Connections,
    /// Bytes of a message.
    Message,
    /// The working current, amperes.
    ActiveCurrent,
}

impl Ranged {
    /// The key under which it stands, and what it is measured in.
    pub(super) const fn key(self) -> (&'static str, Dimension) {
        match self {
            Self::Volume => ("volume_per_hour", Dimension::Bytes),
            Self::Upload => ("upload_share", Dimension::Share),
            Self::Connections => ("connections_per_hour", Dimension::Count),
            Self::Message => ("cadence", Dimension::Bytes),
            Self::ActiveCurrent => ("current", Dimension::Amperes),
        }
    }

    pub(super) fn of(self, profile: &mut Profile) -> Option<&mut andon_schemas::profile::Range> {
        match self {
            Self::Volume => profile.volume.as_mut().map(|volume| &mut volume.range),
            Self::Upload => profile.upload.as_mut(),
            Self::Connections => profile.connections.as_mut(),
            Self::Message => profile.cadence.as_mut().map(|cadence| &mut cadence.size),
            Self::ActiveCurrent => profile.current.as_mut().map(|current| &mut current.active),
        }
    }
}

impl Change {
    /// The top-level key of a profile that it is written under.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Peer { role, .. } => list_of(*role),
            Self::Protocol { .. } => "protocols",
            Self::Firmware { .. } => "firmware",
            Self::Hours { .. } => "active_hours",
            Self::Command { .. } => "commands",
            Self::VolumeLimit { .. } => "volume_per_hour",
            Self::Scan { .. } => "scan",
            Self::Widen { range, .. } => range.key().0,
        }
    }

    /// Whether another change adds nothing to this one.
    pub fn holds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::VolumeLimit { bytes }, Self::VolumeLimit { bytes: other }) => other <= bytes,
            (
                Self::Scan { limit, count },
                Self::Scan {
                    limit: of,
                    count: other,
                },
            ) => limit == of && other <= count,
            // Who is welcome as a destination may connect as well.
            (
                Self::Peer {
                    role: Role::Originator,
                    address,
                },
                Self::Peer { address: other, .. },
            ) => address == other,
            _ => self == other,
        }
    }

    /// Whether this one moves the same figure as another, so that the farther of the two counts.
    pub fn takes_the_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::VolumeLimit { .. }, Self::VolumeLimit { .. }) => true,
            (Self::Scan { limit, .. }, Self::Scan { limit: of, .. }) => limit == of,
            _ => false,
        }
    }

    /// The same with a tenth more, of a figure that has grown beyond what was proposed for it: a sum
    /// that is still growing is told when it crosses a limit, not when it ends.
    #[must_use]
    pub fn with_a_tenth(self) -> Self {
        match self {
            Self::VolumeLimit { bytes } => Self::VolumeLimit {
                bytes: up(bytes * 1.1),
            },
            Self::Scan { limit, count } => Self::Scan {
                limit,
                count: count.saturating_add(count.div_ceil(10)),
            },
            other => other,
        }
    }

    /// Does it.
    pub fn apply(&self, profile: &mut Profile) {
        match self {
            Self::Peer { role, address } => {
                let list = match role {
                    Role::Originator => &mut profile.destinations,
                    Role::Responder => &mut profile.clients,
                };
                list.push(Destination {
                    target: Target::Address(*address),
                    share: None,
                    safety: false,
                    over: Vec::new(),
                });
            }
            Self::Protocol {
                name,
                port,
                services,
            } => profile.protocols.push(Protocol {
                name: name.clone(),
                matches: andon_schemas::protocol::read_port(port)
                    .into_iter()
                    .collect(),
                services: services.clone(),
                share: None,
            }),
            Self::Firmware {
                version,
                digest,
                released,
            } => {
                profile.firmware.push(Firmware {
                    version: version.clone(),
                    digests: digest.iter().cloned().collect(),
                    released: released.clone(),
                });
                profile.firmware.sort_by(|a, b| a.released.cmp(&b.released));
            }
            Self::Hours { span } => {
                let span = andon_schemas::quantity::hours_span(span);
                if let (Some(hours), Ok(span)) = (&mut profile.hours, span) {
                    hours.spans.push(span);
                }
            }
            Self::Command { role, name, peer } => command(profile, *role, name, *peer),
            Self::VolumeLimit { bytes } => {
                if let Some(volume) = &mut profile.volume {
                    (volume.rule_bytes, volume.absolute) = (*bytes, true);
                }
            }
            Self::Scan { limit, count } => match *limit {
                "hosts" => profile.scan.hosts = *count,
                "ports" => profile.scan.ports = *count,
                _ => profile.scan.failed = *count,
            },
            Self::Widen { range, value } => widen(profile, *range, *value),
        }
    }

    /// What it newly allows every device of the type, in one sentence.
    pub fn allows(&self, profile: &str) -> String {
        let every = format!("every device of type {profile}");
        match self {
            Self::Peer {
                role: Role::Originator,
                address,
            } => format!(
                "{every} may connect to {address}, and {address} to it, in any protocol of the \
                 profile"
            ),
            Self::Peer { address, .. } => {
                format!("{address} may connect to {every}, in any protocol of the profile")
            }
            Self::Protocol { name, port, .. } => {
                format!("{every} may speak {name} on {port}, with everybody it may talk to")
            }
            Self::Firmware { version, .. } => format!("{every} may run firmware {version}"),
            Self::Hours { span } => {
                format!("{every} may be active {span}, in traffic and in current, every week")
            }
            Self::Command { role, name, peer } => {
                let meaning = command_by_name(name).map_or("do this", |known| known.meaning);
                match role {
                    Role::Originator => format!("{every} may tell {peer} to {meaning} ({name})"),
                    Role::Responder => format!("{peer} may tell {every} to {meaning} ({name})"),
                }
            }
            Self::VolumeLimit { bytes } => format!(
                "{every} may move {} in an hour before the rule speaks",
                write_amount(*bytes, Dimension::Bytes)
            ),
            Self::Scan { limit, count } => {
                let what = match *limit {
                    "hosts" => "hosts",
                    "ports" => "pairs of host and port",
                    _ => "connections that fail",
                };
                format!("{every} may try {count} {what} in an hour")
            }
            Self::Widen { range, value } => {
                let (key, dimension) = range.key();
                let value = write_amount(*value, dimension);
                format!("{every} is held to a `{key}` that reaches {value}")
            }
        }
    }
}

/// The list in which the other end of a flow is looked for.
pub(super) const fn list_of(role: Role) -> &'static str {
    match role {
        Role::Originator => "destinations",
        Role::Responder => "clients",
    }
}

fn command(profile: &mut Profile, role: Role, name: &str, peer: IpAddr) {
    let none = || CommandLists {
        sends: None,
        accepts: None,
    };
    let lists = profile.commands.get_or_insert_with(none);
    let side = match role {
        Role::Originator => &mut lists.sends,
        Role::Responder => &mut lists.accepts,
    };
    let rules = side.get_or_insert_with(Vec::new);
    let peers = vec![Target::Address(peer)];
    match rules.iter_mut().find(|rule| rule.peers == peers) {
        Some(known) => {
            known.names.push(name.to_owned());
            known.names.sort_unstable();
            known.names.dedup();
        }
        None => rules.push(CommandRule {
            names: vec![name.to_owned()],
            peers,
        }),
    }
}

/// A range with one more value in it. What is derived from it moves along, as it does when the file
/// is read.
fn widen(profile: &mut Profile, which: Ranged, value: f64) {
    let middle = |range: &andon_schemas::profile::Range| (range.lo * range.hi).sqrt();
    let before = profile.volume;
    if let Some(range) = which.of(profile) {
        (range.lo, range.hi) = (range.lo.min(value), range.hi.max(value));
    }
    if let (Ranged::Volume, Some(before), Some(volume)) = (which, before, &mut profile.volume) {
        if !before.absolute {
            volume.rule_bytes = before.rule_bytes / before.range.hi * volume.range.hi;
        }
        if before.baseline.to_bits() == middle(&before.range).to_bits() {
            volume.baseline = middle(&volume.range);
        }
    }
}

/// The text of a transport and port.
pub(super) fn port_text(port: &ProtocolMatch) -> String {
    write_port(port)
}

/// The text of a stretch of one day.
pub(super) fn span_text(weekday: u8, from: u16, to: u16) -> String {
    write_hours_span(&HoursSpan {
        days: 1 << (weekday % 7),
        from,
        to,
    })
}

/// Rounded up to three digits: enough to hold it, and not a figure nobody can read.
pub(super) fn up(value: f64) -> f64 {
    let step = 10_f64.powf(value.max(1.0).log10().floor() - 2.0).max(1.0);
    (value / step).ceil() * step
}
