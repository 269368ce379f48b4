//! Room for devices that the inventory does not list. Whoever invents names must not fill the
//! memory, so only so many are watched; of the rest, one device stands for all.

use std::sync::LazyLock;

use crate::plant::{Place, Plant};
use crate::vnode::{VNODES, vnode_of};

/// Devices beside those of an inventory, per virtual node: 16,384 that proven rows named, and as
/// many that others did, so that those do not take the room of what a sensor really sees.
const STRANGERS_MAX: u16 = 64;
/// Without an inventory every device is one that is not listed: a million of either sort.
const UNDESCRIBED_MAX: u16 = 4_096;

/// What the ids begin with that stand for a crowd. No row may be about one.
const CROWD: &str = "unlisted:";

/// For each virtual node an id that lies in it. It stands for all devices of the node that the
/// inventory does not list and that got no slot.
static CROWDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut crowds = vec![String::new(); VNODES];
    let mut missing = VNODES;
    for name in (0..).map(|n: u32| format!("{CROWD}{n}")) {
        let crowd = &mut crowds[usize::from(vnode_of(&name))];
        if crowd.is_empty() {
            *crowd = name;
            missing -= 1;
        }
        if missing == 0 {
            break;
        }
    }
    crowds
});

/// Whether an id stands for a crowd.
pub(crate) fn is_crowd(id: &str) -> bool {
    id.starts_with(CROWD)
}

/// Whether a device counts among those that the inventory does not list.
pub(crate) fn is_stranger(id: &str, place: Place, plant: &Plant) -> bool {
    plant.listed(place).is_none() && !is_crowd(id)
}

/// How many devices of one virtual node may be missing from the inventory, of either sort.
pub(crate) fn strangers_max(plant: &Plant) -> u16 {
    if plant.inventory().devices.is_empty() {
        UNDESCRIBED_MAX
    } else {
        STRANGERS_MAX
    }
}

/// How the room of a plant is divided: by what a device's id says alone, so that it does not matter
/// how many engines there are and which of them watches the device.
#[derive(Clone, Copy, Debug, Default)]
enum Division {
    /// Into equal parts for all virtual nodes: an engine watches whole ones.
    #[default]
    Nodes,
    /// Into equal parts for so many partitions, of which the engine watches this one.
    Partitions { number: u32, of: u32 },
}

/// The room of one engine, and what is taken of it.
#[derive(Default)]
pub(crate) struct Room {
    division: Division,
    /// Devices that the inventory does not list, per part: those that an unproven row named first,
    /// and those that a proven one did. Empty before the first.
    strangers: Vec<[u32; 2]>,
    /// The slot of each part's crowd; empty before the first. No row finds it by its id.
    crowds: Vec<Option<u32>>,
}

impl Room {
    /// That of one partition of so many.
    pub(crate) fn of_partition(number: u32, of: u32) -> Self {
        Self {
            division: Division::Partitions { number, of },
            ..Self::default()
        }
    }

    /// How many strangers of a sort there may be where an id belongs.
    pub(crate) fn most(&self, plant: &Plant) -> u32 {
        let of_node = u32::from(strangers_max(plant));
        match self.division {
            Division::Nodes => of_node,
            Division::Partitions { of, .. } => (of_node * 256).div_ceil(of.max(1)),
        }
    }

    /// How many strangers of a sort there are where an id belongs.
    pub(crate) fn strangers_beside(&mut self, name: &str, proven: bool) -> &mut u32 {
        self.strangers.resize(self.parts(), [0; 2]);
        let part = self.part_of(name);
        &mut self.strangers[part][usize::from(proven)]
    }

    /// A device got this slot.
    pub(crate) fn take(&mut self, id: &str, slot: u32, named_by_proven: bool, is_stranger: bool) {
        if is_stranger {
            let strangers = self.strangers_beside(id, named_by_proven);
            *strangers = strangers.saturating_add(1);
        } else if is_crowd(id) && self.crowd_of(id) == id {
            self.crowds.resize(self.parts(), None);
            let part = self.part_of(id);
            self.crowds[part] = Some(slot);
        }
    }

    /// Nothing is taken of it any more.
    pub(crate) fn clear(&mut self) {
        self.strangers.clear();
        self.crowds.clear();
    }

    /// The slot of the device that stands for all those that got none, beside an id.
    pub(crate) fn crowd_beside(&self, name: &str) -> Option<u32> {
        self.crowds.get(self.part_of(name)).copied().flatten()
    }

    /// Its id, which lies in the same part.
    pub(crate) fn crowd_of(&self, name: &str) -> String {
        match self.division {
            Division::Nodes => CROWDS[usize::from(vnode_of(name))].clone(),
            Division::Partitions { number, .. } => format!("{CROWD}partition-{number}"),
        }
    }

    fn parts(&self) -> usize {
        match self.division {
            Division::Nodes => VNODES,
            Division::Partitions { .. } => 1,
        }
    }

    fn part_of(&self, name: &str) -> usize {
        match self.division {
            Division::Nodes => usize::from(vnode_of(name)),
            Division::Partitions { .. } => 0,
        }
    }
}
