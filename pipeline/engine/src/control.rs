//! Control inputs: inventory, profiles and indicators change between two rows, for all devices at
//! once.
//!
//! What is remembered of a device stays if it is still measured against the same profile. If not,
//! the evidence that was gathered against the former one is dropped; of the hours that are open the
//! totals stay, and nothing is said of too little or of shares in them; findings keep the name of
//! the profile they were measured against.

use std::sync::Arc;

use andon_schemas::time::EventTime;

use crate::engine::Engine;
use crate::plant::Plant;
use crate::sign::Scene;

impl Engine {
    /// Measures against another plant from the next row on.
    pub(crate) fn control(&mut self, plant: &Arc<Plant>) {
        let former = std::mem::replace(&mut self.plant, plant.clone());
        let same_inventory = former.inventory_hash() == plant.inventory_hash();
        for slot in 0..self.devices.len() {
            self.move_to(slot, &former, same_inventory);
        }
        self.devices.recount(plant);
    }

    fn move_to(&mut self, slot: usize, former: &Plant, same_inventory: bool) {
        let former = former.device_type(self.devices.places[slot]);
        let id = &self.devices.ids[slot];
        let place = self.plant.place(id.as_str());
        self.devices.places[slot] = place;
        let scene = Scene {
            plant: &self.plant,
            id,
            place,
        };
        let present = scene.device_type();
        let (hot, cold) = (&mut self.devices.hot[slot], &mut self.devices.cold[slot]);
        let now = hot.last_seen().max(self.last_tick);
        if present.profile != former.profile {
            hot.forget_cells();
            cold.first_hour = hot.newest_hour().max(cold.first_hour);
            cold.states.change_profile();
            if let Some(names) = &mut cold.names {
                names.renumber(|cell| present.renumbered(former, cell));
            }
            cold.case.change_profile(&former.profile, now);
        }
        if present.profile == former.profile && same_inventory {
            return;
        }
        if hot.last_seen() != EventTime::MIN {
            cold.ask_from(&present.plans, &scene.facts(), hot.last_seen());
            cold.stale_due = present.stale_from(hot.last_seen());
            // What would have been due before now is due now.
            cold.detectors_due = cold.detectors_due.max(self.last_tick);
            cold.stale_due = cold.stale_due.max(self.last_tick);
        }
        self.rearm(slot);
    }
}

#[cfg(test)]
mod tests;
