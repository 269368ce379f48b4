//! Keeps the records around incidents: those of their devices from before, as far as a live run
//! remembers records at all, and those until ten minutes after the last thing that was found.
//!
//! The run's thread collects, a thread of its own writes; a run that saves its state waits for what
//! was collected until then. Everything is bounded: what is remembered and what is collected by
//! number of records, and what is kept by bytes. After a crash a record may be kept twice; its
//! position tells.

mod check;
mod keeper;
mod ring;
mod shelf;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::path::Path;

use andon_engine::Plant;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::Incident;
use andon_schemas::observation::{Record, RecordBody, Source};
use andon_schemas::time::{EventTime, Span};

pub use self::check::{Checked, check, manifest};
use self::keeper::Keeper;
use self::ring::Ring;
pub(crate) use self::ring::{REMEMBERED, Row};
pub use self::shelf::{CHAIN, digest as file_digest, is_plain, read_list, set_aside};
pub(crate) use self::shelf::{Part, Shelf};

/// Folder of what is kept, in the data folder.
pub const FOLDER: &str = "evidence";
/// Records are collected until so long after the last thing that was found.
pub(crate) const AFTER: Span = Span::from_secs(10 * 60);
/// What is due is looked for this often, event time.
const LOOK_EVERY: Span = Span::from_secs(1);
/// So many records of an incident are collected before they are written.
pub(crate) const ROWS_MAX: usize = 20_000;
/// And so many of all incidents together.
const ALL_ROWS_MAX: usize = 100_000;

/// Keeps records around incidents, if it is told where.
#[derive(Debug, Default)]
pub struct Evidence(Option<Collector>);

#[derive(Debug)]
struct Collector {
    ring: Ring,
    keeper: Keeper,
    watches: BTreeMap<String, Watch>,
    /// Which incidents a device is in.
    of_device: HashMap<DeviceId, HashSet<String>>,
    /// And the addresses of devices.
    of_address: HashMap<IpAddr, HashSet<String>>,
    /// Records collected and not handed over.
    rows: usize,
    newest: EventTime,
    /// When it was last looked for what is due.
    looked: EventTime,
}

/// An incident whose records are collected.
#[derive(Debug)]
struct Watch {
    site: String,
    until: EventTime,
    devices: BTreeSet<DeviceId>,
    addresses: BTreeSet<IpAddr>,
    /// By their number among all, so that none is collected twice.
    rows: BTreeMap<u64, Row>,
    /// Records for which there was no room.
    beyond: u64,
}

/// Whose records are looked for.
#[derive(Debug, Default)]
struct Scope {
    devices: HashSet<DeviceId>,
    addresses: HashSet<IpAddr>,
}

impl Scope {
    fn holds(&self, record: &Record) -> bool {
        record
            .device
            .iter()
            .any(|device| self.devices.contains(device))
            || addresses(record).any(|address| self.addresses.contains(&address))
    }
}

/// The addresses that a record names.
fn addresses(record: &Record) -> impl Iterator<Item = IpAddr> {
    let ends = match &record.body {
        RecordBody::Flow(flow) => [Some(flow.originator.address), Some(flow.responder.address)],
        RecordBody::Single(_) => [record.address, None],
    };
    ends.into_iter()
        .flatten()
        .map(|address| address.to_canonical())
}

impl Evidence {
    /// Keeps from now on, in a folder below the data folder.
    ///
    /// # Errors
    /// If it cannot be made, or what is in it can neither be gone on with nor be set aside.
    pub fn within(data: &Path) -> anyhow::Result<Self> {
        Ok(Self(Some(Collector {
            ring: Ring::default(),
            keeper: Keeper::start(&data.join(FOLDER))?,
            watches: BTreeMap::new(),
            of_device: HashMap::new(),
            of_address: HashMap::new(),
            rows: 0,
            newest: EventTime::MIN,
            looked: EventTime::MIN,
        })))
    }

    /// A record was taken; `newest` is the largest event time so far.
    pub fn see(&mut self, record: &Record, source: &Source, newest: EventTime) {
        if let Some(collector) = &mut self.0 {
            collector.newest = newest;
            collector.see(record, source);
        }
    }

    /// Incidents read differently now, or are known from before; `newest` is the largest event time
    /// so far.
    pub fn incidents<'a>(
        &mut self,
        incidents: impl IntoIterator<Item = &'a Incident>,
        newest: EventTime,
        plant: &Plant,
    ) {
        if let Some(collector) = &mut self.0 {
            collector.newest = newest;
            for incident in incidents {
                collector.incident(incident, plant);
            }
            // Every bundle comes by here, and next to nothing is due then.
            if collector.looked + LOOK_EVERY <= newest {
                collector.looked = newest;
                collector.hand_over(false);
            }
        }
    }

    /// Everything collected so far is on the disk when this returns, as far as the disk takes it.
    pub fn settle(&mut self) {
        if let Some(collector) = &mut self.0 {
            collector.hand_over(true);
            collector.keeper.settle();
        }
    }
}

impl Collector {
    fn see(&mut self, record: &Record, source: &Source) {
        let number = self.ring.push(record, source);
        if self.watches.is_empty() {
            return;
        }
        let by_name = record.device.iter();
        let by_name = by_name.filter_map(|device| self.of_device.get(device));
        let by_address = addresses(record);
        let by_address = by_address.filter_map(|address| self.of_address.get(&address));
        for id in by_name.chain(by_address).flatten() {
            if let Some(watch) = self.watches.get_mut(id) {
                watch.take(number, (record, source), &mut self.rows);
            }
        }
    }

    fn incident(&mut self, incident: &Incident, plant: &Plant) {
        let id = &incident.incident_id;
        let until = incident.last + AFTER;
        if until < self.newest {
            return;
        }
        let watch = self.watches.entry(id.clone()).or_insert_with(|| Watch {
            site: incident.site.clone(),
            until,
            devices: BTreeSet::new(),
            addresses: BTreeSet::new(),
            rows: BTreeMap::new(),
            beyond: 0,
        });
        watch.until = watch.until.max(until);
        let mut scope = Scope::default();
        for device in incident.devices() {
            if !watch.devices.insert(device.clone()) {
                continue;
            }
            let ids = self.of_device.entry(device.clone()).or_default();
            ids.insert(id.clone());
            scope.devices.insert(device.clone());
            for address in addresses_of(device, plant) {
                let ids = self.of_address.entry(address).or_default();
                ids.insert(id.clone());
                watch.addresses.insert(address);
                scope.addresses.insert(address);
            }
        }
        if scope.devices.is_empty() {
            return;
        }
        for (number, row) in self.ring.find(|record| scope.holds(record)) {
            watch.take(number, (&row.record, &row.source), &mut self.rows);
        }
    }

    /// Hands over what was collected: of incidents that have been quiet for long enough, of those
    /// with much of it, or of all, for which it waits. What the keeper has no room for yet stays
    /// here.
    fn hand_over(&mut self, all: bool) {
        let mut quiet = Vec::new();
        for (id, watch) in &mut self.watches {
            let is_quiet = watch.until < self.newest;
            let is_due = all || is_quiet || watch.rows.len() >= ROWS_MAX;
            let is_empty = watch.rows.is_empty() && watch.beyond == 0;
            if is_due && !is_empty {
                let part = Part {
                    incident_id: id.clone(),
                    site: watch.site.clone(),
                    rows: std::mem::take(&mut watch.rows),
                    beyond: std::mem::take(&mut watch.beyond),
                    deleted: 0,
                    reach: None,
                };
                let rows = part.rows.len();
                match self.keeper.take(part, all) {
                    None => self.rows = self.rows.saturating_sub(rows),
                    Some(part) => {
                        (watch.rows, watch.beyond) = (part.rows, part.beyond);
                        continue;
                    }
                }
            }
            if is_quiet {
                quiet.push(id.clone());
            }
        }
        for id in quiet {
            self.forget(&id);
        }
    }

    fn forget(&mut self, id: &str) {
        let Some(watch) = self.watches.remove(id) else {
            return;
        };
        for device in watch.devices {
            leave(&mut self.of_device, device, id);
        }
        for address in watch.addresses {
            leave(&mut self.of_address, address, id);
        }
    }
}

/// Takes an incident from what is said of a device or an address.
fn leave<K: Eq + Hash>(of: &mut HashMap<K, HashSet<String>>, key: K, id: &str) {
    if let Entry::Occupied(mut ids) = of.entry(key) {
        ids.get_mut().remove(id);
        if ids.get().is_empty() {
            ids.remove();
        }
    }
}

impl Watch {
    fn take(&mut self, number: u64, (record, source): (&Record, &Source), all: &mut usize) {
        if record.event_time > self.until || self.rows.contains_key(&number) {
            return;
        }
        if self.rows.len() >= ROWS_MAX || *all >= ALL_ROWS_MAX {
            self.beyond += 1;
            return;
        }
        *all += 1;
        let row = Row {
            record: record.clone(),
            source: source.clone(),
        };
        self.rows.insert(number, row);
    }
}

/// The addresses of a device: those that the inventory lists, or the one it is known by.
fn addresses_of(device: &DeviceId, plant: &Plant) -> Vec<IpAddr> {
    if let Some(listed) = plant.inventory().device(device.as_str()) {
        return listed.addresses.iter().map(IpAddr::to_canonical).collect();
    }
    let address = device.as_str().strip_prefix("ip:");
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    address.iter().map(IpAddr::to_canonical).collect()
}
