//! Who has which identity, address, name and role: built once, asked for every row.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use hashbrown::{HashMap, HashTable};

use super::Device;
use super::voice::{Voice, voices};
use crate::identity::{DeviceId, ShortId, address_key};

/// Indices into [`Inventory::devices`](super::Inventory::devices).
#[derive(Clone, Debug)]
pub struct Lookup {
    ids: HashTable<Entry>,
    listed: Vec<Listed>,
    /// The ids in the order of the devices.
    texts: ArrayRef,
    pub(super) addresses: HashMap<u128, usize>,
    pub(super) names: BTreeMap<String, Vec<usize>>,
    pub(super) roles: BTreeMap<String, Vec<usize>>,
    /// In the order of the devices.
    pub(super) voices: Vec<Voice>,
}

/// The key of `::`, where nobody is.
const UNSPECIFIED: u128 = 0;

/// An id's hash and its index.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    at: u32,
}

/// What rows ask of a device that the inventory lists, in one line of a processor's cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Listed {
    short: ShortId,
    /// Its identity.
    pub id: DeviceId,
    /// The key of its first address; that of the unspecified address if it has none.
    address: u128,
}

fn hash_of(id: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(id)
}

impl Listed {
    /// Whether this is the key of its first address.
    pub fn is_first_at(&self, address: u128) -> bool {
        self.address == address && address != UNSPECIFIED
    }

    fn is(&self, id: &str) -> bool {
        self.short.is(id).unwrap_or_else(|| self.id.as_str() == id)
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl Lookup {
    pub(super) fn of(devices: &[Device]) -> Self {
        let ids = devices.iter().map(|device| Some(device.id.as_str()));
        let mut lookup = Self {
            ids: HashTable::new(),
            listed: Vec::with_capacity(devices.len()),
            texts: Arc::new(ids.collect::<StringArray>()),
            addresses: HashMap::new(),
            names: BTreeMap::new(),
            roles: BTreeMap::new(),
            voices: Vec::new(),
        };
        for (at, device) in devices.iter().enumerate() {
            let hash = hash_of(device.id.as_str());
            if let Ok(at) = u32::try_from(at) {
                let entry = Entry { hash, at };
                lookup.ids.insert_unique(hash, entry, |entry| entry.hash);
            }
            lookup.listed.push(Listed {
                short: ShortId::of(device.id.as_str()),
                id: device.id.clone(),
                address: device
                    .addresses
                    .first()
                    .map_or(UNSPECIFIED, |a| address_key(*a)),
            });
            for address in &device.addresses {
                lookup.addresses.insert(address_key(*address), at);
            }
            for name in &device.names {
                lookup.names.entry(name.clone()).or_default().push(at);
            }
            for role in &device.roles {
                lookup.roles.entry(role.clone()).or_default().push(at);
            }
        }
        lookup.voices = voices(devices, |id| lookup.position(id));
        lookup
    }

    pub(super) fn id_at(&self, address: u128) -> Option<(usize, &DeviceId)> {
        let at = self.addresses.get(&address)?;
        Some((*at, &self.listed.get(*at)?.id))
    }

    #[inline]
    pub(super) fn id_of(&self, at: u32) -> Option<&DeviceId> {
        self.listed.get(at as usize).map(|listed| &listed.id)
    }

    pub(super) fn names(&self) -> &ArrayRef {
        &self.texts
    }

    pub(super) fn position(&self, id: &str) -> Option<usize> {
        let hash = hash_of(id);
        let is_it = |entry: &Entry| entry.hash == hash && self.listed[entry.at as usize].is(id);
        let entry = self.ids.find(hash, is_it)?;
        Some(entry.at as usize)
    }

    /// The devices of these identities and their indices, in short rounds, so that the accesses to
    /// memory for one do not wait for those for another.
    pub(super) fn all(&self, ids: &[Option<&str>]) -> Vec<Option<(usize, &Listed)>> {
        let likely = |id: Option<&str>| {
            let hash = hash_of(id?);
            let entry = self.ids.find(hash, |entry| entry.hash == hash)?;
            Some(entry.at as usize)
        };
        let likely: Vec<Option<usize>> = ids.iter().copied().map(likely).collect();
        let found = |(id, likely): (Option<&str>, Option<usize>)| {
            let (id, likely) = (id?, likely?);
            let is_it = self.listed[likely].is(id);
            // Or another identity has the same hash.
            let at = if is_it { likely } else { self.position(id)? };
            Some((at, &self.listed[at]))
        };
        let found: Vec<_> = ids.iter().copied().zip(likely).map(found).collect();
        for (_, listed) in found.iter().flatten() {
            black_box(listed.id.as_str().as_bytes().first().copied());
        }
        found
    }
}
