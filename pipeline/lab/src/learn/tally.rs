//! What is counted of a device type, row by row and window by window.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use andon_detectors::facts::CELLS;
use andon_engine::Window;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Function, Inventory};
use andon_schemas::observation::{
    Attestation, Body, Flow, Observation, Reading, Resolution, Role, Transport,
};
use andon_schemas::ot_command::counted;
use andon_schemas::time::{EventTime, Span};

use super::cadence::Streams;
use super::commands::Told;
use super::sample::Sample;
use super::sensors::Sensors;

/// Most different peers, protocols and firmwares counted of one type, and names of one plant.
const KINDS_MAX: usize = 4_096;
/// Most silences remembered of one type, the longest.
const GAPS_MAX: usize = 4_096;

/// Whom a device talks to, as a profile would write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    /// A server with a role that says all: its address may change.
    Role(String),
    /// By name.
    Name(String),
    /// Devices of a type.
    Type(String),
    /// By address: nobody told a name.
    Address(IpAddr),
}

/// How, with the application that a sensor saw.
pub(super) type Spoken = (Transport, u16, Option<String>);

/// How often something was seen, and by how many devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) devices: BTreeSet<u32>,
    /// Device-hours in which it was.
    pub(super) hours: u64,
    last_hour: BTreeMap<u32, i32>,
}

impl Seen {
    fn add(&mut self, device: u32, hour: i32) {
        self.count += 1;
        self.devices.insert(device);
        if self.last_hour.insert(device, hour) != Some(hour) {
            self.hours += 1;
        }
    }
}

/// An hour of a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hour {
    pub(super) device: u32,
    /// Since the epoch.
    pub(super) number: i32,
    pub(super) bytes: f32,
    /// Those of them that the device sent.
    pub(super) up: f32,
    pub(super) opened: u32,
    pub(super) failed: u32,
    /// Connections by the cells of the present profile.
    pub(super) destinations: [u16; CELLS],
    pub(super) protocols: [u16; CELLS],
}

/// A time without any row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gap {
    pub(super) from: EventTime,
    pub(super) length: Span,
}

/// What was counted of one device type.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Devices, by their number.
    pub(super) devices: Vec<DeviceId>,
    pub(super) destinations: BTreeMap<Peer, Seen>,
    pub(super) clients: BTreeMap<Peer, Seen>,
    pub(super) protocols: BTreeMap<Spoken, Seen>,
    /// What it was spoken to in, and answered.
    pub(super) served: BTreeMap<Spoken, Seen>,
    pub(super) commands: BTreeMap<Told, Seen>,
    pub(super) hours: Vec<Hour>,
    /// Connections opened, by quarter of an hour of the plant's week.
    pub(super) quarters: BTreeMap<u16, u64>,
    pub(super) current: Sample,
    pub(super) spindle: Sample,
    pub(super) sensors: Sensors,
    pub(super) firmware: BTreeMap<(String, Option<String>), BTreeSet<u32>>,
    pub(super) streams: Streams,
    pub(super) gaps: Vec<Gap>,
    /// How long the longest connection had lasted when it was told.
    pub(super) lasted: Span,
    /// Most distinct hosts, and pairs of host and port, that a device tried within an hour.
    pub(super) fan_out: (u32, u32),
    heard: Vec<EventTime>,
    tried: Vec<Tried>,
    /// Things that were too many to be counted.
    pub(super) uncounted: u64,
}

/// What a device tried in its present hour.
#[derive(Debug, Default)]
struct Tried {
    hour: i32,
    hosts: BTreeSet<IpAddr>,
    ports: BTreeSet<(IpAddr, u16)>,
}

/// Hours since the epoch.
pub(super) fn hour_of(at: EventTime) -> i32 {
    i32::try_from(at.micros().div_euclid(Span::HOUR.micros())).unwrap_or(0)
}

/// Names that answers from name servers gave to addresses, bounded.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<IpAddr, String>);

impl Names {
    fn learn(&mut self, resolution: &Resolution, inventory: &Inventory) {
        // A stranger may call itself what it likes; the plant's own names come from the inventory.
        if inventory.owns_name(&resolution.name) {
            return;
        }
        for address in &resolution.addresses {
            if self.0.len() < KINDS_MAX {
                let name = resolution.name.clone();
                self.0.entry(*address).or_insert(name);
            }
        }
    }

    fn peer(&self, flow: &Flow, inventory: &Inventory) -> Peer {
        if let Some(device) = inventory.at_address(flow.peer) {
            let says_all = |role: &&String| matches!(role.as_str(), "ntp" | "dns");
            if let Some(role) = device.roles.iter().find(says_all) {
                return Peer::Role(role.clone());
            }
            if let Some(name) = device.names.first() {
                return Peer::Name(name.clone());
            }
            if device.function == Function::Device && !device.device_type.is_empty() {
                return Peer::Type(device.device_type.clone());
            }
            if let Some(role) = device.roles.first() {
                return Peer::Role(role.clone());
            }
        }
        let told = flow.peer_name.as_ref().map(ToString::to_string);
        match told.or_else(|| self.0.get(&flow.peer).cloned()) {
            Some(name) => Peer::Name(name.to_lowercase()),
            None => Peer::Address(flow.peer),
        }
    }
}

impl Tally {
    /// Takes a row of device number `device`.
    pub(super) fn row(
        &mut self,
        device: u32,
        row: &Observation,
        names: &mut Names,
        inventory: &Inventory,
    ) {
        let at = row.header.event_time;
        self.silence(device, at);
        match &row.body {
            Body::Flow(flow) => self.flow(device, at, flow, names, inventory),
            Body::Reading(reading) => {
                let Reading {
                    current_a,
                    spindle_rpm,
                } = reading;
                self.sensors.take(device, at, reading);
                if let Some(value) = current_a {
                    self.current.push(*value);
                }
                if let Some(value) = spindle_rpm {
                    self.spindle.push(*value);
                }
            }
            Body::Attestation(Attestation {
                version, digest, ..
            }) => {
                if self.firmware.len() < KINDS_MAX {
                    let key = (version.clone(), digest.clone());
                    self.firmware.entry(key).or_default().insert(device);
                }
            }
            Body::Resolution(resolution) => names.learn(resolution, inventory),
        }
    }

    fn flow(
        &mut self,
        device: u32,
        at: EventTime,
        flow: &Flow,
        names: &Names,
        inventory: &Inventory,
    ) {
        self.lasted = self.lasted.max(at.since(flow.start));
        let hour = hour_of(at);
        let peer = names.peer(flow, inventory);
        // Unlike all else, commands are those since the record before.
        for one in flow.commands.iter().flat_map(|all| counted(all.as_str())) {
            let role = if one.by == flow.role {
                Role::Originator
            } else {
                Role::Responder
            };
            let told = (role, one.name.to_owned(), peer.clone());
            if !count(&mut self.commands, told, device, hour) {
                self.uncounted += 1;
            }
        }
        if flow.interim {
            return;
        }
        let peers = match flow.role {
            Role::Originator => &mut self.destinations,
            Role::Responder => &mut self.clients,
        };
        if !count(peers, peer, device, hour) {
            self.uncounted += 1;
        }
        let spoken = (
            flow.transport,
            flow.port,
            flow.service.as_ref().map(ToString::to_string),
        );
        let answered = flow.up.unwrap_or(0) > 0;
        let protocols = match flow.role {
            Role::Originator => Some(&mut self.protocols),
            Role::Responder => Some(&mut self.served).filter(|_| answered),
        };
        if let Some(protocols) = protocols
            && !count(protocols, spoken, device, hour)
        {
            self.uncounted += 1;
        }
        if flow.role == Role::Responder {
            return;
        }
        let local = inventory.clock.local(flow.start);
        let quarter = u16::from(local.weekday) * 96 + local.minute / 15;
        *self.quarters.entry(quarter).or_default() += 1;
        let bytes = flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0));
        self.streams
            .take(device, (flow.peer, flow.port), flow.start, bytes);
        let Some(tried) = self.tried.get_mut(device as usize) else {
            return;
        };
        if tried.hour != hour {
            *tried = Tried {
                hour,
                ..Tried::default()
            };
        }
        if tried.ports.len() < KINDS_MAX {
            tried.hosts.insert(flow.peer);
            tried.ports.insert((flow.peer, flow.port));
        }
        let size = |set: usize| u32::try_from(set).unwrap_or(u32::MAX);
        self.fan_out.0 = self.fan_out.0.max(size(tried.hosts.len()));
        self.fan_out.1 = self.fan_out.1.max(size(tried.ports.len()));
    }

    /// Notes how long the device had not been heard of.
    fn silence(&mut self, device: u32, at: EventTime) {
        let Some(heard) = self.heard.get_mut(device as usize) else {
            return;
        };
        let length = at.since(*heard);
        if *heard != EventTime::MIN && length > Span::MINUTE {
            self.gaps.push(Gap {
                from: *heard,
                length,
            });
            if self.gaps.len() >= 2 * GAPS_MAX {
                self.gaps.sort_by_key(|gap| std::cmp::Reverse(gap.length));
                self.gaps.truncate(GAPS_MAX);
            }
        }
        *heard = (*heard).max(at);
    }

    /// Takes a window of device number `device` that has closed.
    pub(super) fn window(&mut self, device: u32, window: &Window) {
        if window.partial || window.pane.is_empty() || window.pane.other_bytes > 0 {
            return;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "bytes of an hour, to seven digits"
        )]
        let (bytes, up) = (window.pane.bytes() as f32, window.pane.up as f32);
        self.hours.push(Hour {
            device,
            number: window.pane.hour,
            bytes,
            up,
            opened: window.pane.opened,
            failed: window.pane.failed,
            destinations: window.pane.destinations,
            protocols: window.pane.protocols,
        });
    }

    /// The number of a device that is heard of for the first time.
    pub(super) fn enlist(&mut self, device: &DeviceId) -> u32 {
        let number = u32::try_from(self.devices.len()).unwrap_or(u32::MAX);
        self.devices.push(device.clone());
        self.heard.push(EventTime::MIN);
        self.tried.push(Tried::default());
        number
    }
}

/// Counts something, unless there are too many kinds of it.
fn count<K: Ord>(kinds: &mut BTreeMap<K, Seen>, key: K, device: u32, hour: i32) -> bool {
    if kinds.len() >= KINDS_MAX && !kinds.contains_key(&key) {
        return false;
    }
    kinds.entry(key).or_default().add(device, hour);
    true
}
