//! All devices of one engine, in slots: who has which, and their state side by side.

use std::hash::BuildHasher as _;
use std::hint::black_box;

use andon_schemas::identity::{DeviceId, ShortId};
use andon_schemas::observation::Kind;
use andon_schemas::time::EventTime;
use hashbrown::HashTable;

use crate::device::{Cold, Hot};
use crate::plant::{Place, Plant};
use crate::room::{Room, is_crowd, is_stranger};

/// Why a device gets no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// It is not a device id as readers write them, folded to lower case.
    NotAnId,
    /// There are as many of its sort as there is [`Room`] for.
    Full,
}

/// An id's hash and its slot.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    slot: u32,
}

/// The hash of a device id. It is in no snapshot and decides about no order.
#[inline]
pub(crate) fn hash_of(id: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(id)
}

/// All devices of one engine, in slots.
#[derive(Default)]
pub(crate) struct Devices {
    /// The slot of every id, by hash; an id itself is compared where it is kept.
    slots: HashTable<Entry>,
    pub(crate) ids: Vec<DeviceId>,
    shorts: Vec<ShortId>,
    pub(crate) places: Vec<Place>,
    pub(crate) hot: Vec<Hot>,
    pub(crate) cold: Vec<Cold>,
    /// The earliest moment at which something is due, per slot.
    pub(crate) due: Vec<EventTime>,
    pub(crate) room: Room,
}

impl Devices {
    /// Room for so many devices, taken from the system as they come. What is aligned to a cache line
    /// is copied when it has to grow, and the memory that it leaves is not given back: with room
    /// from the start, 50,000 devices need 40 MB less.
    pub(crate) fn with_room_for(devices: usize) -> Self {
        Self {
            hot: Vec::with_capacity(devices),
            cold: Vec::with_capacity(devices),
            ..Self::default()
        }
    }

    /// The slot of a device whose id has this hash, without a look at the id: another device may
    /// share the hash.
    #[inline]
    pub(crate) fn likely(&self, hash: u64) -> Option<u32> {
        let entry = self.slots.find(hash, |entry| entry.hash == hash)?;
        Some(entry.slot)
    }

    /// The slot of a device, made at its first row, which may be `proven`.
    pub(crate) fn enter(&mut self, name: &str, proven: bool, plant: &Plant) -> Result<u32, NoSlot> {
        if is_crowd(name) {
            return Err(NoSlot::NotAnId);
        }
        let hash = hash_of(name);
        let is_it =
            |entry: &Entry| entry.hash == hash && self.ids[entry.slot as usize].as_str() == name;
        if let Some(entry) = self.slots.find(hash, is_it) {
            return Ok(entry.slot);
        }
        let id = DeviceId::new(name).map_err(|_| NoSlot::NotAnId)?;
        if id.as_str() != name {
            return Err(NoSlot::NotAnId);
        }
        let place = plant.place(name);
        let is_stranger = is_stranger(name, place, plant);
        if is_stranger && *self.room.strangers_beside(name, proven) >= self.room.most(plant) {
            return Err(NoSlot::Full);
        }
        let cold = Cold::named_by(proven);
        self.make(id, cold, plant).ok_or(NoSlot::Full)
    }

    /// Makes a slot for a device that has none; `None` if there are as many as can be numbered.
    fn make(&mut self, id: DeviceId, cold: Cold, plant: &Plant) -> Option<u32> {
        let slot = u32::try_from(self.ids.len()).ok()?;
        let place = plant.place(id.as_str());
        let is_stranger = is_stranger(id.as_str(), place, plant);
        self.room
            .take(id.as_str(), slot, cold.named_by_proven, is_stranger);
        if !is_crowd(id.as_str()) {
            let hash = hash_of(id.as_str());
            let entry = Entry { hash, slot };
            self.slots.insert_unique(hash, entry, |entry| entry.hash);
        }
        self.places.push(place);
        self.shorts.push(ShortId::of(id.as_str()));
        self.ids.push(id);
        self.hot.push(Hot::default());
        self.cold.push(cold);
        self.due.push(EventTime::MAX);
        Some(slot)
    }

    /// Counts strangers anew, after the inventory or the room has changed.
    pub(crate) fn recount(&mut self, plant: &Plant) {
        self.room.clear();
        for (slot, id) in (0..).zip(&self.ids) {
            let at = slot as usize;
            let is_stranger = is_stranger(id.as_str(), self.places[at], plant);
            let named_by_proven = self.cold[at].named_by_proven;
            self.room
                .take(id.as_str(), slot, named_by_proven, is_stranger);
        }
    }

    /// The slot of the device that stands for all those that got none, beside an id.
    pub(crate) fn enter_crowd_beside(&mut self, name: &str, plant: &Plant) -> Option<u32> {
        self.room.crowd_beside(name).or_else(|| {
            let id = DeviceId::new(&self.room.crowd_of(name)).ok()?;
            self.make(id, Cold::named_by(false), plant)
        })
    }

    /// Puts a device back as a snapshot remembers it. There is room for it even if a change of the
    /// inventory has left more strangers than may come new.
    pub(crate) fn restore(&mut self, id: DeviceId, hot: Hot, cold: Cold, plant: &Plant) {
        if let Some(slot) = self.make(id, cold, plant) {
            self.hot[slot as usize] = hot;
        }
    }

    /// Calls what tells whose slot it is into the cache.
    #[inline]
    pub(crate) fn call_in_id(&self, slot: usize) {
        let short = self.shorts.get(slot).copied();
        black_box((short, self.places.get(slot).copied()));
    }

    /// Calls what every row of this kind touches of a device into the cache.
    #[inline]
    pub(crate) fn call_in_head(&self, slot: usize, kind: Kind) {
        let (hot, cold) = (&self.hot[slot], &self.cold[slot]);
        black_box(hot.clocks[0]);
        black_box(hot.panes[0].down);
        black_box(hot.panes[1].down);
        black_box(cold.detectors_due);
        black_box(cold.numbers[kind as usize]);
    }

    /// Calls in what lies behind that, for a row of this kind.
    #[inline]
    pub(crate) fn call_in_rest(&self, slot: usize, kind: Kind, plant: &Plant) {
        let cold = &self.cold[slot];
        if kind == Kind::Flow
            && let Some(recent) = &cold.recent_flows
        {
            black_box(recent.touch());
        }
        let device_type = plant.device_type(self.places[slot]);
        device_type.plans.call_in(&cold.states, kind);
    }

    /// Whether the device in a slot has this id.
    #[inline]
    pub(crate) fn is(&self, slot: u32, id: &str) -> bool {
        let Some(short) = self.shorts.get(slot as usize) else {
            return false;
        };
        short
            .is(id)
            .unwrap_or_else(|| self.ids[slot as usize].as_str() == id)
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::strangers_max;
    use crate::vnode::vnode_of;

    #[test]
    fn whoever_invents_names_does_not_fill_the_memory() {
        let mut devices = Devices::default();
        let names = (0..).map(|n| format!("stranger-{n}"));
        let mut names = names.filter(|name| vnode_of(name) == 7);
        let plant = &*crate::scenes::PLANT;
        let most = usize::from(strangers_max(plant));
        for name in names.by_ref().take(most) {
            assert!(devices.enter(&name, false, plant).is_ok());
        }
        assert_eq!(
            devices.enter(&names.next().unwrap(), false, plant),
            Err(NoSlot::Full)
        );
        // Nor does it take the room of those that somebody vouches for.
        for name in names.by_ref().take(most) {
            assert!(devices.enter(&name, true, plant).is_ok());
        }
        let one_too_many = names.next().unwrap();
        assert_eq!(devices.enter(&one_too_many, true, plant), Err(NoSlot::Full));
        // One of each virtual node stands for all that got none.
        let crowd = devices.enter_crowd_beside("ip:10.1.20.99", plant).unwrap();
        let other = devices.enter_crowd_beside(&one_too_many, plant).unwrap();
        assert_ne!(crowd, other);
        assert_eq!(vnode_of(devices.ids[other as usize].as_str()), 7);
        for listed in &plant.inventory().devices {
            assert!(devices.enter(listed.id.as_str(), false, plant).is_ok());
        }
    }

    #[test]
    fn partitions_share_the_room_of_a_plant_evenly() {
        let plant = &*crate::scenes::PLANT;
        let whole = 256 * u32::from(strangers_max(plant));
        for of in [1, 3, 12, 1_000] {
            let mut devices = Devices {
                room: Room::of_partition(2, of),
                ..Devices::default()
            };
            let names = (0..=whole).map(|n| format!("stranger-{n}"));
            let entered = names.filter(|name| devices.enter(name, false, plant).is_ok());
            let share = usize::try_from(whole.div_ceil(of)).unwrap();
            assert_eq!(entered.count(), share, "of {of}");
            // One stands for all the others, and is found again after a restore.
            let crowd = devices.enter_crowd_beside("stranger-a", plant);
            assert_eq!(devices.enter_crowd_beside("stranger-b", plant), crowd);
            assert_eq!(
                devices.ids[crowd.unwrap() as usize].as_str(),
                "unlisted:partition-2"
            );
            devices.recount(plant);
            assert_eq!(devices.enter_crowd_beside("stranger-c", plant), crowd);
            assert_eq!(devices.enter("stranger-d", false, plant), Err(NoSlot::Full));
        }
    }

    #[test]
    fn an_id_that_is_not_folded_gets_no_slot() {
        let mut devices = Devices::default();
        let plant = &*crate::scenes::PLANT;
        for name in ["Conveyor-1", "", "a b", "a/b", "unlisted:0"] {
            assert_eq!(
                devices.enter(name, true, plant),
                Err(NoSlot::NotAnId),
                "{name}"
            );
        }
        assert_eq!(devices.len(), 0);
    }
}
