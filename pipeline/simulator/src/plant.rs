//! The plant: devices set up from inventory and profiles, and their records slice by slice.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::vec::IntoIter;

use andon_schemas::inventory::{Function, Inventory};
use andon_schemas::observation::{Kind, Record, RecordBody, Sender};
use andon_schemas::profile::ProfileSet;
use andon_schemas::time::{EventTime, Span};

use crate::attacks::{Change, Scene, plan};
use crate::class::{Class, Fitted};
use crate::day::{DeviceHour, Kinds, Unit};
use crate::label::Label;
use crate::scale::scaled;
use crate::shifts::WorkHour;

/// Friday, 2025-12-12, as a day since 1970-01-01.
const FIRST_DAY: i32 = 20_434;
/// Records that a slice holds at most, roughly.
const SLICE_ROWS: usize = 400_000;
/// Records of a busy device in an hour, for choosing the length of slices.
const ROWS_PER_HOUR: usize = 130;

/// What to simulate.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Same seed, same records.
    pub seed: u64,
    /// First moment; Friday 2025-12-12 00:00 plant time if not given.
    pub start: Option<EventTime>,
    /// Length in hours.
    pub hours: u32,
    /// Number of devices, if not the inventory's own.
    pub devices: Option<usize>,
    /// Names of attacks, each out of [`crate::ATTACKS`].
    pub attacks: Vec<String>,
    /// Only records of this kind.
    pub only: Option<Kind>,
    /// Only so many records.
    pub limit: Option<u64>,
}

/// A simulated plant. As an iterator it yields its records in event-time order.
#[derive(Debug)]
pub struct Plant {
    inventory: Inventory,
    seed: u64,
    end: EventTime,
    /// Everything before this moment has been handed out.
    now: EventTime,
    slice: Span,
    kinds: Kinds,
    left: u64,
    units: Vec<Unit>,
    classes: Vec<Class>,
    labels: Vec<Label>,
    /// What the attackers leave behind, in event-time order; the first `staged` are handed out.
    rows: Vec<Record>,
    staged: usize,
    /// What the attackers do to the records of a unit.
    changes: BTreeMap<usize, Vec<Change>>,
    ready: IntoIter<Record>,
}

impl Plant {
    /// Sets up the plant.
    ///
    /// # Errors
    /// Names a device without a profile, a destination that the inventory does not know, an
    /// unknown attack, an attack that finds no victim, and one that needs more hours.
    pub fn new(
        inventory: &Inventory,
        profiles: &ProfileSet,
        options: &Options,
    ) -> Result<Self, String> {
        let inventory = match options.devices {
            Some(devices) => scaled(inventory, devices)?,
            None => inventory.clone(),
        };
        let start = options
            .start
            .unwrap_or_else(|| inventory.clock.moment(FIRST_DAY, 0));
        let end = start + Span::HOUR.times(i64::from(options.hours));
        let (units, classes) = settle(&inventory, profiles)?;
        let scene = Scene::new(&inventory, &units, &classes, options.seed, (start, end));
        let plan = plan(&scene, &options.attacks)?;
        Ok(Self {
            seed: options.seed,
            end,
            now: start,
            slice: slice_length(units.len()),
            kinds: Kinds(options.only),
            left: options.limit.unwrap_or(u64::MAX),
            units,
            classes,
            labels: plan.labels,
            rows: plan.rows,
            staged: 0,
            changes: plan.changes,
            ready: Vec::new().into_iter(),
            inventory,
        })
    }

    /// The inventory of the plant as it is simulated: the given one, or it scaled. Scaled, it has
    /// an empty `hash`; [`Inventory::content_hash`] works it out.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The ground truth, by start.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The records of the next slice of event time, in order; empty slices are passed over.
    /// `None` at the end. Do not mix with iteration: a slice begun by one is not seen by the
    /// other.
    pub fn next_slice(&mut self) -> Option<Vec<Record>> {
        while self.now < self.end && self.left > 0 {
            let from = self.now;
            let to = (from + self.slice).floor(self.slice).min(self.end);
            self.now = to;
            let mut records = self.honest(from, to);
            self.stage(to, &mut records);
            // Stable: rows of one moment stay in the order of devices, whatever the slice.
            records.sort_by_key(|record| record.event_time);
            records.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= records.len() as u64;
            if !records.is_empty() {
                return Some(records);
            }
        }
        None
    }

    fn honest(&self, from: EventTime, to: EventTime) -> Vec<Record> {
        let mut records = Vec::new();
        let hours = from.micros().div_euclid(Span::HOUR.micros())
            ..=(to.micros() - 1).div_euclid(Span::HOUR.micros());
        for index in hours {
            let work: Vec<Option<WorkHour>> = self
                .classes
                .iter()
                .map(|c| WorkHour::new(&self.inventory, c.profile.hours.as_ref(), index))
                .collect();
            for (at, unit) in self.units.iter().enumerate() {
                let Some(hour) = &work[unit.class] else {
                    continue;
                };
                let first = records.len();
                DeviceHour::new(unit, &self.classes[unit.class], hour, self.seed, (from, to))
                    .write(self.kinds, &mut records);
                if let Some(changes) = self.changes.get(&at) {
                    let own = records.split_off(first);
                    records.extend(own.into_iter().filter_map(|record| {
                        changes
                            .iter()
                            .try_fold(record, |record, change| change.apply(record))
                    }));
                }
            }
        }
        records
    }

    /// Adds the attackers' rows that come before `to`.
    fn stage(&mut self, to: EventTime, records: &mut Vec<Record>) {
        let due = self.rows[self.staged..].partition_point(|r| r.event_time < to);
        let rows = &self.rows[self.staged..self.staged + due];
        records.extend(rows.iter().filter(|r| self.kinds.hold(kind_of(r))).cloned());
        self.staged += due;
    }
}

impl Iterator for Plant {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(record);
            }
            self.ready = self.next_slice()?.into_iter();
        }
    }
}

fn kind_of(record: &Record) -> Kind {
    match &record.body {
        RecordBody::Flow(_) => Kind::Flow,
        RecordBody::Single(body) => body.kind(),
    }
}

/// A divisor of the hour, so that slices end with the hour and hold a bounded number of rows.
fn slice_length(devices: usize) -> Span {
    const SECONDS: [usize; 8] = [3600, 1800, 900, 600, 300, 120, 60, 30];
    let fits = |seconds: &&usize| devices * ROWS_PER_HOUR * **seconds / 3600 <= SLICE_ROWS;
    let seconds = SECONDS.iter().find(fits).unwrap_or(&20);
    Span::from_secs(i64::try_from(*seconds).unwrap_or(20))
}

/// Gives every device its class.
fn settle(inventory: &Inventory, profiles: &ProfileSet) -> Result<(Vec<Unit>, Vec<Class>), String> {
    let devices = || {
        inventory
            .devices
            .iter()
            .filter(|d| d.function == Function::Device)
    };
    let mut types: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
    for device in devices() {
        types
            .entry(device.device_type.clone())
            .or_default()
            .extend(device.addresses.first());
    }
    let mut fitted: BTreeMap<&str, Fitted> = BTreeMap::new();
    let mut known: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    let mut classes = Vec::new();
    let mut units = Vec::new();
    for device in devices() {
        let name = device.device_type.as_str();
        let key = (name, device.segment);
        let class = if let Some(class) = known.get(&key) {
            *class
        } else {
            if !fitted.contains_key(name) {
                let profile = profiles.get(name).ok_or_else(|| {
                    format!("device `{}` is a `{name}`, which has no profile", device.id)
                })?;
                fitted.insert(name, Fitted::new(profile));
            }
            classes.push(Class::new(
                &fitted[name],
                inventory,
                device.segment,
                &types,
            )?);
            known.insert(key, classes.len() - 1);
            classes.len() - 1
        };
        let address = *device
            .addresses
            .first()
            .ok_or_else(|| format!("device `{}` has no address", device.id))?;
        units.push(Unit {
            number: number_of(device.id.as_str()),
            sender: Sender {
                name: device.gateway.clone().unwrap_or_else(|| device.id.clone()),
                proven: true,
            },
            id: device.id.clone(),
            address,
            received: 0.0,
            class,
        });
    }
    receive(&mut units, &classes);
    Ok((units, classes))
}

/// Tells every device what the others send it in an ordinary hour.
#[expect(clippy::cast_precision_loss, reason = "numbers of peers")]
fn receive(units: &mut [Unit], classes: &[Class]) {
    let mut received: BTreeMap<IpAddr, f64> = BTreeMap::new();
    for class in units.iter().map(|unit| &classes[unit.class]) {
        let mut before = 0.0;
        for pair in &class.pairs {
            let share = pair.until - before;
            before = pair.until;
            if pair.watched {
                let each = share * class.ordinary_volume() / pair.peers.len() as f64;
                for peer in pair.peers.iter() {
                    *received.entry(*peer).or_default() += each;
                }
            }
        }
    }
    for unit in units.iter_mut().filter(|_| !received.is_empty()) {
        unit.received = received.get(&unit.address).copied().unwrap_or_default();
    }
}

/// FNV-1a of an identity: the key of a device's draws.
fn number_of(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
pub(crate) mod tests;
