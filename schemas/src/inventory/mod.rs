//! The inventory: which devices there are, where they stand, what they are worth, and what the
//! segments allow. What is not identified cannot be protected.
//!
//! This file holds the checked form and its look-ups; `parse` reads the YAML.

mod calendar;
mod contract;
mod enforcement;
mod fit;
mod lookup;
mod make;
mod members;
mod parse;
mod pattern;
mod peer;
mod roll;
mod rules;
mod segments;
mod voice;
mod write;

pub use contract::json_schema;
pub use enforcement::{Enforced, Enforcement, Enforcer};
pub use lookup::{Listed, Lookup};
pub use make::Make;
pub use parse::parse;

use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::ArrayRef;
use ipnet::IpNet;
use serde::Serialize;

use crate::canonical;
use crate::grade::{RiskClass, text_scale};
use crate::identity::{DeviceId, address_key};
use crate::observation::Transport;
use crate::time::{EventTime, PlantClock};

/// What a server may be: the words that `roles:` and `role:` know.
pub const ROLES: &[&str] = &[
    "attestation",
    "broker",
    "dns",
    "fleet",
    "historian",
    "hmi",
    "images",
    "mes",
    "ntp",
    "safety",
    "syslog",
    "update",
    "warehouse",
];

/// How a weight of the risk assessment is answered: worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Weight {
    /// The worst of the three answers: can hurt people, stops production, confidential, exposed.
    High,
    /// The middle one.
    Medium,
    /// The mildest.
    Low,
}

/// The four answers a device's risk class is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Assessment {
    /// HIGH can hurt people, MEDIUM can damage goods, LOW informational. Weighs 40 %.
    pub safety_impact: Weight,
    /// CRITICAL stops production, IMPORTANT degrades it, SUPPORT is convenience. Weighs 30 %.
    pub production_impact: Weight,
    /// CONFIDENTIAL, INTERNAL, PUBLIC. Weighs 20 %.
    pub data_sensitivity: Weight,
    /// HIGH internet-connected, MEDIUM internal, LOW isolated. Weighs 10 %.
    pub attack_surface: Weight,
}

impl Assessment {
    /// The weighted score, 0–100: HIGH counts full, MEDIUM half, LOW nothing.
    pub fn score(&self) -> u32 {
        let points = |weight: Weight, full: u32| match weight {
            Weight::High => full,
            Weight::Medium => full / 2,
            Weight::Low => 0,
        };
        points(self.safety_impact, 40)
            + points(self.production_impact, 30)
            + points(self.data_sensitivity, 20)
            + points(self.attack_surface, 10)
    }

    /// RED from 75, ORANGE from 50, YELLOW from 25, GREEN below.
    pub fn risk_class(&self) -> RiskClass {
        match self.score() {
            75.. => RiskClass::Red,
            50..75 => RiskClass::Orange,
            25..50 => RiskClass::Yellow,
            _ => RiskClass::Green,
        }
    }
}

/// What an inventoried thing may do besides speaking for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// A device: it speaks for itself.
    Device,
    /// A gateway: it speaks for those it serves.
    Gateway,
    /// Zeek, Suricata, a flow collector: it speaks for its segments.
    Sensor,
    /// A server: historian, NTP, DNS, update. It is a destination, not watched by a profile.
    Server,
}

text_scale!(Function {
    Device => "device", Gateway => "gateway", Sensor => "sensor", Server => "server",
});

/// One inventoried thing.
#[derive(Clone, Debug, Serialize)]
pub struct Device {
    /// Its identity.
    pub id: DeviceId,
    /// Its type, the name of a profile; of a server or sensor, what it is.
    pub device_type: String,
    /// What it is.
    pub function: Function,
    /// Index into [`Inventory::segments`].
    pub segment: usize,
    /// Production line, or empty.
    pub line: String,
    /// Its addresses, at least one for a device.
    pub addresses: Vec<IpAddr>,
    /// Names it is known by in profiles and DNS, lower case, without a final dot.
    pub names: Vec<String>,
    /// Roles of a server: `ntp`, `dns`, `historian`, `update`, `attestation`, `safety`.
    pub roles: Vec<String>,
    /// Computed from its assessment.
    pub risk_class: RiskClass,
    /// People can be hurt if it is cut: independent of the risk class.
    pub safety_critical: bool,
    /// The gateway that speaks for it, if it has no key of its own.
    pub gateway: Option<DeviceId>,
    /// Of a gateway, whom it serves; of a sensor, empty (it serves its segments).
    pub serves: Vec<DeviceId>,
    /// Of a sensor, the indices of the segments it watches.
    pub watches: Vec<usize>,
    /// Who made it and which model it is, where the inventory says. No verdict depends on it, and
    /// neither does the hash.
    #[serde(skip)]
    pub make: Option<Arc<Make>>,
}

/// What a segment rule matches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlowRule {
    /// For people: `historian`, `internet`.
    pub name: String,
    /// Networks of the destination; empty for any.
    pub networks: Vec<IpNet>,
    /// Transport, or any.
    pub transport: Option<Transport>,
    /// Ports of the responder; empty for any.
    pub ports: Vec<u16>,
    /// A safety flow, protected at both ends.
    pub safety: bool,
    /// Latency budget, milliseconds, if the plant states one.
    pub latency_ms: Option<f64>,
    /// Of a denied flow: what enforcement points do (`block_alert`, `block_log`).
    pub action: String,
}

impl FlowRule {
    /// Whether a flow to this address, transport and port falls under it.
    pub fn matches(&self, peer: IpAddr, transport: Transport, port: u16) -> bool {
        self.transport.is_none_or(|t| t == transport)
            && (self.ports.is_empty() || self.ports.contains(&port))
            && (self.networks.is_empty() || self.networks.iter().any(|n| n.contains(&peer)))
    }
}

/// A network segment and its policy.
#[derive(Clone, Debug, Serialize)]
pub struct Segment {
    /// Its name.
    pub name: String,
    /// Its own networks.
    pub networks: Vec<IpNet>,
    /// Flows its devices may open.
    pub allowed: Vec<FlowRule>,
    /// Flows its devices must not open; looked at after `allowed`.
    pub denied: Vec<FlowRule>,
}

/// A declared maintenance window.
#[derive(Clone, Debug, Serialize)]
pub struct Maintenance {
    /// From.
    pub start: EventTime,
    /// To, exclusive.
    pub end: EventTime,
    /// Devices it covers; empty with `segments` empty means all.
    pub devices: Vec<DeviceId>,
    /// Indices of the segments it covers.
    pub segments: Vec<usize>,
    /// The firmware version that may appear.
    pub firmware: Option<String>,
    /// For people.
    pub reason: String,
}

/// The checked inventory of one site.
#[derive(Clone, Debug, Serialize)]
pub struct Inventory {
    /// Site name, a topic level.
    pub site: String,
    /// The plant's wall clock.
    #[serde(serialize_with = "clock_name")]
    pub clock: PlantClock,
    /// DNS zones that are the plant's own: no outside answer may name them.
    pub zones: Vec<String>,
    /// Every network that is the plant's own.
    pub networks: Vec<IpNet>,
    /// Segments in the order written.
    pub segments: Vec<Segment>,
    /// Everything, ordered by id.
    pub devices: Vec<Device>,
    /// Local calendar days (since 1970) without production.
    pub holidays: Vec<i32>,
    /// Declared maintenance.
    pub maintenance: Vec<Maintenance>,
    /// False alarms by statistics, of all devices together, that people bear in a day. No verdict
    /// depends on it, and neither does the hash.
    #[serde(skip)]
    pub alert_budget: Option<f64>,
    /// What is enforced where. No verdict depends on it, and neither does the hash.
    #[serde(skip)]
    pub enforcement: Enforcement,
    /// SHA-256 over the checked form, lower-case hex.
    #[serde(skip)]
    pub hash: String,
    /// Look-ups, built by [`Inventory::index`].
    #[serde(skip)]
    pub lookup: Lookup,
}

fn clock_name<S: serde::Serializer>(clock: &PlantClock, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(clock.name())
}

impl Inventory {
    /// SHA-256 over the canonical JSON of the checked form, lower-case hex.
    pub fn content_hash(&self) -> String {
        canonical::digest(self)
    }

    /// Builds the look-ups; call it once the devices stand.
    pub fn index(&mut self) {
        self.lookup = Lookup::of(&self.devices);
    }

    /// Index of the device of this identity in [`Inventory::devices`].
    pub fn position(&self, id: &str) -> Option<usize> {
        self.lookup.position(id)
    }

    /// The device of this identity.
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.position(id).map(|at| &self.devices[at])
    }

    /// The devices of these identities and their indices in [`Inventory::devices`], in the order
    /// asked for: for many at once much faster than one by one.
    pub fn positions(&self, ids: &[Option<&str>]) -> Vec<Option<(usize, &Listed)>> {
        self.lookup.all(ids)
    }

    /// The device that owns this address.
    pub fn at_address(&self, address: IpAddr) -> Option<&Device> {
        self.lookup
            .addresses
            .get(&address_key(address))
            .map(|at| &self.devices[*at])
    }

    /// The identity of whatever owns this address.
    pub fn id_at(&self, address: IpAddr) -> Option<&DeviceId> {
        self.listed_at(address).map(|(_, id)| id)
    }

    /// The same, with its index in [`Inventory::devices`].
    pub fn listed_at(&self, address: IpAddr) -> Option<(usize, &DeviceId)> {
        self.lookup.id_at(address_key(address))
    }

    /// The identity of the device at this position.
    #[inline]
    pub fn id_of(&self, place: u32) -> Option<&DeviceId> {
        self.lookup.id_of(place)
    }

    /// The identities of all [`Inventory::devices`], in their order: the dictionary of the devices
    /// in bundles of rows that are measured against this inventory.
    pub fn names(&self) -> &ArrayRef {
        self.lookup.names()
    }

    /// Everything known by this name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Device> {
        self.lookup
            .names
            .get(name)
            .into_iter()
            .flatten()
            .map(|at| &self.devices[*at])
    }

    /// Every server with this role.
    pub fn with_role(&self, role: &str) -> impl Iterator<Item = &Device> {
        self.lookup
            .roles
            .get(role)
            .into_iter()
            .flatten()
            .map(|at| &self.devices[*at])
    }

    /// Whether an address lies in the plant's own networks.
    pub fn is_inside(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Who an address is: an inventoried device, or its stand-in identity if it lies inside.
    pub fn identify(&self, address: IpAddr) -> Option<DeviceId> {
        match self.id_at(address) {
            Some(device) => Some(device.clone()),
            None if self.is_inside(address) => Some(DeviceId::of_address(address)),
            None => None,
        }
    }

    /// The segment an address lies in.
    pub fn segment_of(&self, address: IpAddr) -> Option<usize> {
        self.segments
            .iter()
            .position(|s| s.networks.iter().any(|n| n.contains(&address)))
    }

    /// Whether `name` lies under one of the plant's own zones.
    pub fn owns_name(&self, name: &str) -> bool {
        self.zones.iter().any(|zone| {
            name == zone
                || name
                    .strip_suffix(zone.as_str())
                    .is_some_and(|rest| rest.ends_with('.'))
        })
    }

    /// The segment of a device, or of the address that an identity stands for.
    pub fn segment_of_id(&self, device: &str) -> Option<usize> {
        match self.device(device) {
            Some(device) => Some(device.segment),
            None => device
                .strip_prefix("ip:")
                .and_then(|address| address.parse().ok())
                .and_then(|address| self.segment_of(address)),
        }
    }
}
