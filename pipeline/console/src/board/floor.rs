//! What stands where: the inventory as the feed shows it, and one cell for each device.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use andon_schemas::command::Mode;
use andon_schemas::grade::{Band, RiskClass};
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Function, Inventory, Make};
use andon_schemas::time::EventTime;
use arc_swap::ArcSwapOption;
use hashbrown::HashMap;

use super::face::{Face, Lamp};
use super::wire::{Line, PlantView, SegmentView, TypeView};

/// The devices of a site and what is known of each.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) site: String,
    pub(crate) timezone: String,
    pub(crate) mode: Mode,
    pub(crate) zones: Vec<Zone>,
    /// In order of id.
    pub(crate) stations: Vec<Station>,
    index: HashMap<DeviceId, u32>,
}

/// A segment.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: String,
    /// Its watched devices: places in [`Floor::stations`].
    pub(crate) devices: Vec<u32>,
}

/// A device: what the inventory says of it, and what is known now.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) id: DeviceId,
    pub(crate) device_type: Arc<str>,
    pub(crate) zone: u32,
    pub(crate) line: Arc<str>,
    pub(crate) risk_class: RiskClass,
    pub(crate) safety_critical: bool,
    /// Servers are destinations: nobody watches them, and they have no lamp.
    pub(crate) watched: bool,
    pub(crate) owner: Option<DeviceId>,
    pub(crate) make: Option<Arc<Make>>,
    pub(crate) cell: Arc<Cell>,
}

/// What is known of a device. It outlives a change of the inventory.
#[derive(Debug)]
pub(crate) struct Cell {
    face: ArcSwapOption<Face>,
    lamp: AtomicU8,
    /// Event time, microseconds; the smallest number for never.
    last_seen: AtomicI64,
    /// When it was last heard of, as the board counts.
    hearing: AtomicU64,
    /// Its risk is that of a verdict which follows.
    awaits: AtomicBool,
}

impl Cell {
    fn new() -> Self {
        Self {
            face: ArcSwapOption::empty(),
            lamp: AtomicU8::new(Lamp::Unknown as u8),
            last_seen: AtomicI64::new(i64::MIN),
            hearing: AtomicU64::new(0),
            awaits: AtomicBool::new(false),
        }
    }

    /// What is shown of it; `None` if nothing was ever heard.
    pub(crate) fn face(&self) -> Option<Arc<Face>> {
        self.face.load_full()
    }

    /// Shows something else. Only the pipeline's thread does.
    pub(crate) fn show(&self, face: Face) {
        self.lamp.store(face.lamp() as u8, Ordering::Release);
        self.face.store(Some(Arc::new(face)));
    }

    pub(crate) fn lamp(&self) -> Lamp {
        Lamp::of(self.lamp.load(Ordering::Acquire))
    }

    pub(crate) fn seen(&self, at: EventTime) {
        self.last_seen.fetch_max(at.micros(), Ordering::Relaxed);
    }

    pub(crate) fn heard(&self, hearing: u64) {
        self.hearing.store(hearing, Ordering::Relaxed);
    }

    /// Says whether a verdict follows; returns what was said before.
    pub(crate) fn awaits(&self, verdict: bool) -> bool {
        self.awaits.swap(verdict, Ordering::AcqRel)
    }

    /// Whether a verdict follows.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.awaits.load(Ordering::Acquire)
    }

    pub(crate) fn hearing(&self) -> u64 {
        self.hearing.load(Ordering::Relaxed)
    }

    pub(crate) fn last_seen(&self) -> Option<EventTime> {
        let micros = self.last_seen.load(Ordering::Relaxed);
        (micros != i64::MIN).then(|| EventTime::from_micros(micros))
    }
}

impl Floor {
    /// The floor of an inventory; devices that were there before keep what is known of them.
    pub(crate) fn of(inventory: &Inventory, mode: Mode, before: Option<&Self>) -> Self {
        let mut texts = Texts::default();
        let mut zones: Vec<Zone> = inventory
            .segments
            .iter()
            .map(|segment| Zone {
                id: segment.name.clone(),
                devices: Vec::new(),
            })
            .collect();
        let mut stations = Vec::with_capacity(inventory.devices.len());
        let mut index = HashMap::with_capacity(inventory.devices.len());
        for device in &inventory.devices {
            let place = u32::try_from(stations.len()).unwrap_or(u32::MAX);
            let watched = device.function != Function::Server;
            if let Some(zone) = zones.get_mut(device.segment).filter(|_| watched) {
                zone.devices.push(place);
            }
            let known = before.and_then(|floor| floor.station(device.id.as_str()));
            stations.push(Station {
                id: device.id.clone(),
                device_type: texts.get(&device.device_type),
                zone: u32::try_from(device.segment).unwrap_or(u32::MAX),
                line: texts.get(&device.line),
                risk_class: device.risk_class,
                safety_critical: device.safety_critical,
                watched,
                owner: device.gateway.clone(),
                make: device.make.clone(),
                cell: known.map_or_else(|| Arc::new(Cell::new()), |known| known.cell.clone()),
            });
            index.insert(device.id.clone(), place);
        }
        Self {
            site: inventory.site.clone(),
            timezone: inventory.clock.name().to_owned(),
            mode,
            zones,
            stations,
            index,
        }
    }

    /// The device of this identity, as it is written in lower case.
    pub(crate) fn station(&self, id: &str) -> Option<&Station> {
        let place = self.index.get(id)?;
        self.stations.get(*place as usize)
    }

    /// The name of a device's segment; empty if it has none.
    pub(crate) fn segment_of(&self, station: &Station) -> &str {
        self.zones
            .get(station.zone as usize)
            .map_or("", |zone| zone.id.as_str())
    }

    /// Those that are watched.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Station> {
        self.stations.iter().filter(|station| station.watched)
    }

    /// The watched devices of a segment.
    pub(crate) fn devices_of<'a>(&'a self, zone: &'a Zone) -> impl Iterator<Item = &'a Station> {
        zone.devices
            .iter()
            .filter_map(|place| self.stations.get(*place as usize))
    }

    /// The plant, as it is written down.
    pub(crate) fn view(&self, version: &str) -> PlantView {
        let mut zones: BTreeMap<u32, BTreeMap<&str, u64>> = BTreeMap::new();
        let mut types: BTreeMap<&str, TypeView> = BTreeMap::new();
        for station in self.watched() {
            let lines = zones.entry(station.zone).or_default();
            *lines.entry(&station.line).or_default() += 1;
            let kind = types
                .entry(&station.device_type)
                .or_insert_with(|| TypeView {
                    r#type: station.device_type.to_string(),
                    devices: 0,
                    safety_critical: false,
                });
            kind.devices += 1;
            kind.safety_critical |= station.safety_critical;
        }
        let segment = |line: &str, zone: u32, devices: u64| {
            let name = self.zones.get(zone as usize).map_or("", |zone| &zone.id);
            SegmentView {
                id: name.to_owned(),
                name: name.to_owned(),
                line: line.to_owned(),
                devices,
            }
        };
        // A segment stands at the line of most of its devices: its gateway is at none.
        let mut lines: BTreeMap<&str, BTreeMap<u32, u64>> = BTreeMap::new();
        for (zone, counts) in zones {
            let most = counts.iter().max_by_key(|(_, devices)| **devices);
            let line = most.map_or("", |(line, _)| line);
            lines
                .entry(line)
                .or_default()
                .insert(zone, counts.values().sum());
        }
        PlantView {
            site: self.site.clone(),
            timezone: self.timezone.clone(),
            version: version.to_owned(),
            mode: self.mode,
            lines: lines
                .into_iter()
                .map(|(name, zones)| Line {
                    name: name.to_owned(),
                    segments: zones
                        .into_iter()
                        .map(|(zone, devices)| segment(name, zone, devices))
                        .collect(),
                })
                .collect(),
            types: types.into_values().collect(),
        }
    }
}

/// Texts that many devices have in common are kept once.
#[derive(Default)]
struct Texts(HashMap<String, Arc<str>>);

impl Texts {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let kept: Arc<str> = text.into();
        self.0.insert(text.to_owned(), kept.clone());
        kept
    }
}

/// Orders bands, the worst first; what is not known says least.
pub(crate) const fn worst_first(band: Band) -> u8 {
    match band {
        Band::Critical => 0,
        Band::High => 1,
        Band::Medium => 2,
        Band::Low => 3,
        Band::Unknown => 4,
    }
}
