//! What the engine measures against: inventory and profiles, compiled. Replaced as a whole by a
//! control input, never changed in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_detectors::baseline::Baseline;
use andon_detectors::catalog::Plans;
use andon_detectors::facts::DeviceFacts;
use andon_schemas::command::{FlowMatch, Mode};
use andon_schemas::identity::DeviceId;
use andon_schemas::indicator::IndicatorSet;
use andon_schemas::inventory::{Device, Function, Inventory, Maintenance};
use andon_schemas::profile::{
    Destination, DetectorSetting, PatienceSource, Profile, ProfileSet, ScanLimits, Target,
};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::ProfileRef;

/// One device type, compiled.
pub(crate) struct DeviceType {
    pub(crate) baseline: Baseline,
    pub(crate) plans: Plans,
    /// Active time without a row after which nothing is known of a device any more.
    pub(crate) patience: Span,
    pub(crate) profile: ProfileRef,
    /// The profile's own safety flows.
    pub(crate) protected: Vec<FlowMatch>,
    /// Historian, update and attestation servers among its destinations.
    pub(crate) essential: Vec<FlowMatch>,
}

/// Where a device stands in the plant: indices, small enough to keep per slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Index into the types.
    pub(crate) device_type: u16,
    /// Index into the segments; `u16::MAX` for none.
    pub(crate) segment: u16,
    /// Index into the inventory; `u32::MAX` if it is not listed.
    listed: u32,
}

impl Place {
    /// Whether the moment of a listed device, of which there is one in every hour, came after one
    /// tick and not after the next. The moments of many devices lie far apart, so that they never
    /// come all at once.
    pub(crate) fn beats_between(self, before: EventTime, at: EventTime) -> bool {
        // The golden ratio spreads numbers in a row evenly (Knuth, TAOCP vol. 3, §6.4).
        let spread = self.listed.wrapping_mul(0x9e37_79b9);
        let hour = Span::HOUR.micros();
        let moment = Span::from_micros((i64::from(spread) * (hour >> 16)) >> 16);
        let hours = |at: EventTime| (at - moment).micros().div_euclid(hour);
        before != EventTime::MIN && hours(before) < hours(at)
    }
}

/// Inventory, profiles and indicators, compiled.
pub struct Plant {
    pub(crate) inventory: Inventory,
    pub(crate) mode: Mode,
    types: Vec<DeviceType>,
    type_index: BTreeMap<String, u16>,
    profile_hash: String,
    indicators: Arc<IndicatorSet>,
}

impl std::fmt::Debug for Plant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plant")
            .field("site", &self.inventory.site)
            .field("devices", &self.inventory.devices.len())
            .field("types", &self.types.len())
            .finish_non_exhaustive()
    }
}

/// A device that was not heard of for this long inside its active hours is unknown, unless its
/// profile grants it a longer silence.
const STALE_AFTER: Span = Span::from_secs(900);

/// The name of the types of everything that has no profile.
const NO_PROFILE: &str = "";
/// The type of a device that has no profile: a stranger, or one that nobody wrote a profile for.
const STRANGER: u16 = 0;
/// The type of a server or sensor: it has no profile, and to speak with the whole plant is its work.
const SERVER: u16 = 1;

/// Nothing is known of a stranger, so it is granted twice the hosts that a controller is, as a
/// technician's laptop needs them; whoever searches a plant tries a whole segment.
const STRANGER_SCAN: ScanLimits = ScanLimits {
    hosts: 20,
    ports: 40,
    failed: 20,
};
/// Without an inventory a device may be anything, an office computer with all its web servers too.
/// A search of the smallest usual network, 254 addresses, is still well above this.
const UNDESCRIBED_SCAN: ScanLimits = ScanLimits {
    hosts: 100,
    ports: 200,
    failed: 100,
};
const NO_LIMITS: ScanLimits = ScanLimits {
    hosts: u32::MAX,
    ports: u32::MAX,
    failed: u32::MAX,
};

fn empty_profile(scan: ScanLimits) -> Profile {
    Profile {
        name: NO_PROFILE.to_owned(),
        version: String::new(),
        description: "no profile".to_owned(),
        extends: Vec::new(),
        hash: String::new(),
        controller: false,
        destinations: Vec::new(),
        clients: Vec::new(),
        protocols: Vec::new(),
        commands: None,
        volume: None,
        upload: None,
        connections: None,
        hours: None,
        cadence: None,
        current: None,
        spindle: None,
        load: Vec::new(),
        frozen: None,
        firmware: Vec::new(),
        scan,
        silence: None,
        detectors: BTreeMap::new(),
        calibration: None,
        learned: BTreeMap::new(),
        learned_shares: BTreeMap::new(),
    }
}

impl Plant {
    /// Compiles the profiles against the inventory.
    pub fn compile(inventory: Inventory, profiles: &ProfileSet, mode: Mode) -> Self {
        Self::with_indicators(inventory, profiles, Arc::default(), mode)
    }

    /// Compiles the profiles against the inventory and a list of hostile destinations.
    pub fn with_indicators(
        inventory: Inventory,
        profiles: &ProfileSet,
        indicators: Arc<IndicatorSet>,
        mode: Mode,
    ) -> Self {
        let clock = Arc::new(inventory.clock.clone());
        let mut types = Vec::with_capacity(profiles.len() + 2);
        let mut type_index = BTreeMap::new();
        let mut stranger = empty_profile(STRANGER_SCAN);
        if inventory.devices.is_empty() {
            // Nobody can be missing from a list that does not exist.
            let off = DetectorSetting {
                off: true,
                grade: None,
            };
            stranger.detectors.insert("unknown_device".to_owned(), off);
            stranger.scan = UNDESCRIBED_SCAN;
        }
        let server = empty_profile(NO_LIMITS);
        for profile in [&stranger, &server].into_iter().chain(profiles.iter()) {
            let Ok(index) = u16::try_from(types.len()) else {
                break;
            };
            type_index.entry(profile.name.clone()).or_insert(index);
            types.push(DeviceType::compile(
                profile,
                &inventory,
                &clock,
                &indicators,
            ));
        }
        Self {
            inventory,
            mode,
            types,
            type_index,
            profile_hash: profiles.hash().to_owned(),
            indicators,
        }
    }

    /// SHA-256 over the names and hashes of all profiles, lower-case hex.
    pub fn profile_hash(&self) -> &str {
        &self.profile_hash
    }

    /// SHA-256 of the inventory, lower-case hex.
    pub fn inventory_hash(&self) -> &str {
        &self.inventory.hash
    }

    /// SHA-256 of the lists of indicators, lower-case hex; empty without any.
    pub fn indicator_hash(&self) -> &str {
        self.indicators.hash()
    }

    /// The indicators it was compiled with.
    pub fn indicators(&self) -> &Arc<IndicatorSet> {
        &self.indicators
    }

    /// The inventory it was compiled from.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The compiled detectors of a device type, for `explain`.
    pub fn plans(&self, device_type: &str) -> Option<&Plans> {
        self.type_index
            .get(device_type)
            .map(|at| &self.types[usize::from(*at)].plans)
    }

    /// The profiles it was compiled from, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Arc<Profile>> {
        // Those of strangers and of servers nobody wrote.
        let written = self.types.iter().skip(usize::from(SERVER) + 1);
        written.map(|device_type| &device_type.baseline.profile)
    }

    /// The profile of a device type.
    pub fn profile(&self, device_type: &str) -> Option<&Profile> {
        let at = self.type_index.get(device_type)?;
        Some(&self.types[usize::from(*at)].baseline.profile)
    }

    pub(crate) fn place(&self, id: &str) -> Place {
        let nowhere = Place {
            device_type: STRANGER,
            segment: u16::MAX,
            listed: u32::MAX,
        };
        let segment_at = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        if let Some(at) = self.inventory.position(id) {
            let device = &self.inventory.devices[at];
            let without_profile = match device.function {
                Function::Device => STRANGER,
                Function::Server | Function::Sensor | Function::Gateway => SERVER,
            };
            return Place {
                device_type: self
                    .type_index
                    .get(&device.device_type)
                    .copied()
                    .unwrap_or(without_profile),
                segment: segment_at(device.segment),
                listed: u32::try_from(at).unwrap_or(u32::MAX),
            };
        }
        let address = id.strip_prefix("ip:").and_then(|text| text.parse().ok());
        match address.and_then(|address| self.inventory.segment_of(address)) {
            Some(segment) => Place {
                segment: segment_at(segment),
                ..nowhere
            },
            None => nowhere,
        }
    }

    pub(crate) fn device_type(&self, place: Place) -> &DeviceType {
        &self.types[usize::from(place.device_type)]
    }

    pub(crate) fn listed(&self, place: Place) -> Option<&Device> {
        self.inventory.devices.get(place.listed as usize)
    }

    pub(crate) fn facts<'a>(&'a self, id: &'a DeviceId, place: Place) -> DeviceFacts<'a> {
        let segment = usize::from(place.segment);
        let baseline = &self.device_type(place).baseline;
        DeviceFacts {
            id,
            listed: self.listed(place),
            segment: self.inventory.segments.get(segment),
            policy: baseline.policies.get(segment),
            baseline,
        }
    }

    /// [`Inventory::may_speak_for`] about a device whose place is known, by a sender whose entry
    /// in the inventory is: answered without any search.
    pub(crate) fn may_speak_for(&self, sender: Option<usize>, device: &str, place: Place) -> bool {
        let Some(speaker) = sender else {
            return false;
        };
        let (listed, sender) = (place.listed as usize, &self.inventory.devices[speaker]);
        if listed < self.inventory.devices.len() {
            return self.inventory.speaks_for(speaker, listed);
        }
        self.inventory.may_speak_for(sender.id.as_str(), device)
    }

    /// The declared maintenance that covers a device at a moment.
    pub(crate) fn maintenance(
        &self,
        id: &str,
        place: Place,
        at: EventTime,
    ) -> Option<&Maintenance> {
        self.inventory.maintenance.iter().find(|m| {
            m.start <= at
                && at < m.end
                && (m.devices.is_empty() && m.segments.is_empty()
                    || m.devices.iter().any(|d| d.as_str() == id)
                    || m.segments.contains(&usize::from(place.segment)))
        })
    }
}

impl DeviceType {
    /// From when on nothing is known of a device any more that was last heard of at `last_seen`,
    /// until the next row. Hours in which nobody expects it to speak do not count, and do not make
    /// it known again.
    pub(crate) fn stale_from(&self, last_seen: EventTime) -> EventTime {
        self.baseline.active_for(last_seen, self.patience)
    }

    /// The number that a destination of a former profile, which a name stands for, has here.
    pub(crate) fn renumbered(&self, former: &Self, cell: u8) -> Option<u8> {
        let destinations = &former.baseline.profile.destinations;
        match &destinations.get(usize::from(cell))?.target {
            Target::Name(name) => self.baseline.destination_named(name),
            _ => None,
        }
    }

    fn compile(
        profile: &Profile,
        inventory: &Inventory,
        clock: &Arc<andon_schemas::time::PlantClock>,
        indicators: &Arc<IndicatorSet>,
    ) -> Self {
        let baseline = Baseline::compile(Arc::new(profile.clone()), inventory, clock.clone())
            .with_indicators(indicators.clone());
        let is_essential = |destination: &Destination| match &destination.target {
            Target::Role(role) => essential_role(role),
            Target::Name(name) => inventory
                .named(name)
                .any(|device| device.roles.iter().any(|r| essential_role(r))),
            _ => false,
        };
        let flow = |destination: &Destination| {
            let peer = destination.target.to_string();
            match destination.over.as_slice() {
                [] => vec![FlowMatch {
                    peer,
                    transport: None,
                    port: None,
                }],
                exact => exact
                    .iter()
                    .map(|over| FlowMatch {
                        peer: peer.clone(),
                        transport: Some(over.transport),
                        port: over.port,
                    })
                    .collect(),
            }
        };
        let all = || profile.destinations.iter().chain(&profile.clients);
        Self {
            protected: all().filter(|d| d.safety).flat_map(flow).collect(),
            essential: all().filter(|d| is_essential(d)).flat_map(flow).collect(),
            plans: Plans::compile(&baseline),
            patience: patience(profile),
            profile: ProfileRef {
                name: profile.name.clone(),
                version: profile.version.clone(),
                hash: profile.hash.clone(),
            },
            baseline,
        }
    }
}

/// What a profile says of silence: as written, or by its cadence, but never less than
/// [`STALE_AFTER`].
fn patience(profile: &Profile) -> Span {
    let patience = profile.patience();
    match patience.source {
        PatienceSource::Written | PatienceSource::Cadence => patience.span.max(STALE_AFTER),
        PatienceSource::Hour => STALE_AFTER,
    }
}

fn essential_role(role: &str) -> bool {
    matches!(role, "historian" | "update" | "attestation")
}
