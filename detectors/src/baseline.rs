//! A profile compiled against an inventory: what a row is compared with, without any search.
//!
//! One per device type. Names and roles have become addresses, protocols have become a table.

mod shifts;
mod week;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::grade::Grade;
use andon_schemas::identity::{address_key, address_of_key};
use andon_schemas::indicator::IndicatorSet;
use andon_schemas::inventory::Inventory;
use andon_schemas::observation::Transport;
use andon_schemas::profile::{Destination, Profile, Target};
use andon_schemas::time::{EventTime, PlantClock, Span};
use hashbrown::HashMap;
use ipnet::IpNet;

use self::shifts::Shifts;
use self::week::Week;
use crate::commands::CommandTable;
use crate::law::{Law, ShareLaw};
use crate::policy::Policy;
use crate::stats::share::NAMED_MAX;

/// Number of a cell of a profile: the index of a destination or protocol in the order written.
pub type Cell = u8;

/// No event time of an accepted row is farther from the epoch, in microseconds (36,000 years).
const FARTHEST: u64 = 1 << 60;

/// Whom a list of targets means, as addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    addresses: HashMap<u128, Cell>,
    networks: Vec<(IpNet, Cell)>,
    names: HashMap<String, Cell>,
}

impl Directory {
    pub(crate) fn compile(targets: &[Destination], inventory: &Inventory) -> Self {
        let mut directory = Self::default();
        for (at, destination) in targets.iter().enumerate() {
            let cell = Cell::try_from(at).unwrap_or(Cell::MAX);
            match &destination.target {
                Target::Address(address) => directory.add(*address, cell),
                Target::Network(network) => directory.networks.push((*network, cell)),
                Target::Name(name) => {
                    directory.names.entry(name.clone()).or_insert(cell);
                    directory.add_all(inventory.named(name), cell);
                }
                Target::Role(role) => directory.add_all(inventory.with_role(role), cell),
                Target::DeviceType(wanted) => directory.add_all(
                    inventory
                        .devices
                        .iter()
                        .filter(|d| d.device_type == *wanted),
                    cell,
                ),
            }
        }
        directory
    }

    /// The first destination that claims an address keeps it.
    fn add(&mut self, address: IpAddr, cell: Cell) {
        self.addresses.entry(address_key(address)).or_insert(cell);
    }

    fn add_all<'a>(
        &mut self,
        devices: impl Iterator<Item = &'a andon_schemas::inventory::Device>,
        cell: Cell,
    ) {
        for address in devices.flat_map(|device| &device.addresses) {
            self.add(*address, cell);
        }
    }

    pub(crate) fn find(&self, peer: u128) -> Option<Cell> {
        if let Some(cell) = self.addresses.get(&peer) {
            return Some(*cell);
        }
        if self.networks.is_empty() {
            return None;
        }
        let address = address_of_key(peer);
        self.networks
            .iter()
            .find(|(network, _)| network.contains(&address))
            .map(|(_, c)| *c)
    }
}

/// What one device type is measured against.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The profile it was compiled from.
    pub profile: Arc<Profile>,
    /// The plant's wall clock.
    pub clock: Arc<PlantClock>,
    /// The flow policies of all segments, in the order of the inventory.
    pub policies: Arc<[Policy]>,
    /// Local calendar days (since 1970) without production, in ascending order.
    pub holidays: Arc<[i32]>,
    /// Destinations that others have found to be hostile; none unless they are given.
    pub indicators: Arc<IndicatorSet>,
    destinations: Directory,
    clients: Directory,
    pub(crate) commands: CommandTable,
    ports: HashMap<(Transport, u16), Cell>,
    portless: Vec<(Transport, Cell)>,
    /// The active hours; `None` if the profile has none.
    week: Option<Week>,
    /// The same as stretches of time.
    shifts: Option<Shifts>,
    /// The laws that were learned, as far as their tables prove what they say.
    laws: BTreeMap<String, Arc<Law>>,
    share_laws: BTreeMap<String, Arc<ShareLaw>>,
}

impl Baseline {
    /// Compiles a profile against the inventory it is used with.
    pub fn compile(profile: Arc<Profile>, inventory: &Inventory, clock: Arc<PlantClock>) -> Self {
        let mut ports = HashMap::new();
        let mut portless = Vec::new();
        for (at, protocol) in profile.protocols.iter().enumerate() {
            let cell = Cell::try_from(at).unwrap_or(Cell::MAX);
            for one in &protocol.matches {
                match one.port {
                    Some(port) => {
                        ports.entry((one.transport, port)).or_insert(cell);
                    }
                    None => portless.push((one.transport, cell)),
                }
            }
        }
        let mut holidays = inventory.holidays.clone();
        holidays.sort_unstable();
        Self {
            policies: inventory.segments.iter().map(Policy::compile).collect(),
            holidays: holidays.into(),
            indicators: Arc::default(),
            destinations: Directory::compile(&profile.destinations, inventory),
            clients: Directory::compile(&profile.clients, inventory),
            commands: CommandTable::compile(profile.commands.as_ref(), inventory),
            ports,
            portless,
            week: profile.hours.as_ref().map(Week::of),
            shifts: profile.hours.as_ref().map(Shifts::of),
            laws: laws(&profile),
            share_laws: share_laws(&profile),
            clock,
            profile,
        }
    }

    /// The same, with a list of hostile destinations.
    #[must_use]
    pub fn with_indicators(self, indicators: Arc<IndicatorSet>) -> Self {
        Self { indicators, ..self }
    }

    /// The law that was learned for a detector.
    pub(crate) fn law(&self, detector: &str) -> Option<Arc<Law>> {
        self.laws.get(detector).cloned()
    }

    /// The law of shares that was learned for a detector.
    pub(crate) fn share_law(&self, detector: &str) -> Option<Arc<ShareLaw>> {
        self.share_laws.get(detector).cloned()
    }

    /// Whether evidence of a detector rests on clean traffic, by `tune` or by a law of `learn` that
    /// is in use. Otherwise it rests on what somebody wrote, and stays LOW.
    pub fn is_calibrated(&self, detector: &str) -> bool {
        self.profile.calibration.is_some()
            || self.laws.contains_key(detector)
            || self.share_laws.contains_key(detector)
    }

    /// The grade of a rule: the default, unless the profile writes another.
    pub fn grade(&self, detector: &str, default: Grade) -> Grade {
        let written = self.profile.detectors.get(detector).and_then(|s| s.grade);
        written.unwrap_or(default)
    }

    /// The destination that an address belongs to.
    #[inline]
    pub fn destination(&self, peer: u128) -> Option<Cell> {
        self.destinations.find(peer)
    }

    /// The destination that a name belongs to, for names that DNS resolves.
    pub fn destination_named(&self, name: &str) -> Option<Cell> {
        self.destinations.names.get(name).copied()
    }

    /// Whether an address may connect to the device: a client, or a destination of it.
    #[inline]
    pub fn may_connect(&self, peer: u128) -> bool {
        self.clients.find(peer).is_some() || self.destinations.find(peer).is_some()
    }

    /// The protocol of a flow. A known port with another application detected on it is none; a
    /// sensor may report several applications, separated by commas, and any one matches.
    #[inline]
    pub fn protocol(&self, transport: Transport, port: u16, service: Option<&str>) -> Option<Cell> {
        let cell = self.ports.get(&(transport, port)).copied().or_else(|| {
            self.portless
                .iter()
                .find(|(t, _)| *t == transport)
                .map(|(_, cell)| *cell)
        })?;
        let spoken = &self.profile.protocols.get(usize::from(cell))?.services;
        match service {
            Some(names) if !names.is_empty() && !spoken.is_empty() => {
                let knows = |name| spoken.iter().any(|known| known == name);
                // Nearly always it is one name, and nothing has to be taken apart.
                (knows(names) || names.split(',').any(knows)).then_some(cell)
            }
            _ => Some(cell),
        }
    }

    /// Whether the device is expected to be active at this moment. A holiday is outside all hours
    /// of a profile that has any; without hours it always is.
    pub fn active_at(&self, at: EventTime) -> bool {
        let Some(week) = &self.week else {
            return true;
        };
        let local = self.clock.local(at);
        week.holds(local.weekday, local.minute) && !self.is_holiday(local.day)
    }

    /// The moment at which the device has been active for so long since `from`, by its hours:
    /// after `from`, and inside the hours. [`EventTime::MAX`] if that never comes.
    pub fn active_for(&self, from: EventTime, span: Span) -> EventTime {
        if from.micros().unsigned_abs() > FARTHEST {
            return EventTime::MAX;
        }
        match &self.shifts {
            Some(shifts) => shifts.passed(&self.clock, &self.holidays, from, span),
            None => from + span,
        }
    }

    /// Whether a local calendar day (since 1970) is a day without production.
    pub fn is_holiday(&self, day: i32) -> bool {
        self.holidays.binary_search(&day).is_ok()
    }
}

fn laws(profile: &Profile) -> BTreeMap<String, Arc<Law>> {
    let laws = profile.learned.iter();
    laws.filter_map(|(detector, null)| Some((detector.clone(), Arc::new(Law::of(null).ok()?))))
        .collect()
}

fn share_laws(profile: &Profile) -> BTreeMap<String, Arc<ShareLaw>> {
    let laws = profile.learned_shares.iter();
    laws.filter_map(|(detector, law)| {
        let law = ShareLaw::of(law, share_cells(profile, detector)).ok()?;
        Some((detector.clone(), Arc::new(law)))
    })
    .collect()
}

/// Cells that a profile bets on: entries with a share within the counters, and all others.
pub(crate) fn share_cells(profile: &Profile, detector: &str) -> usize {
    let shares: Vec<Option<f64>> = match detector {
        "destination_mix" => profile.destinations.iter().map(|one| one.share).collect(),
        _ => profile.protocols.iter().map(|one| one.share).collect(),
    };
    shares.iter().take(NAMED_MAX).flatten().count() + 1
}
