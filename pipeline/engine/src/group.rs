//! Before stage 2: the rows of a bundle are taken device by device.
//!
//! The state of many devices does not fit the caches of a processor, and a row that waits for
//! memory three times in turn costs more than everything that is then done with it. So devices are
//! looked up for a whole bundle, its rows are put in order of devices, and the state of the next
//! few is called in at once.

use andon_schemas::bundle::{Bundle, RowRef};
use andon_schemas::reject::RejectReason;

use crate::engine::Engine;
use crate::output::Output;
use crate::plant::Plant;
use crate::slots::{NoSlot, hash_of};

/// How many rows are called in at once: enough to keep the memory busy, few enough for the
/// smallest cache.
const AT_ONCE: usize = 16;

/// A row of a bundle and the slot whose state it concerns. Ordered by slot, then by arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grouped {
    slot: u32,
    position: u32,
    /// It is a row in which the slot's device spoke for somebody else.
    claim: bool,
}

/// The slot of a row whose device has not been seen, until it gets one.
const NO_SLOT: u32 = u32::MAX;

impl Engine {
    /// Rows are taken device by device, so that each device's state is fetched once per bundle;
    /// the order of one device's rows is the order of arrival, and no device looks at another.
    pub(crate) fn bundle(&mut self, bundle: &Bundle, output: &mut Output) {
        let mut grouped = std::mem::take(&mut self.grouped);
        grouped.clear();
        grouped.extend(bundle.order.iter().zip(0..).map(|(row, position)| {
            let device = bundle.header(row.kind).device(row.row as usize);
            Grouped {
                slot: self.devices.likely(hash_of(device)).unwrap_or(NO_SLOT),
                position,
                claim: false,
            }
        }));
        grouped.retain_mut(|group| self.confirm(group, bundle, output));
        grouped.sort_unstable();
        for groups in grouped.chunks(AT_ONCE) {
            self.devices
                .call_in(groups.iter().map(|group| group.slot as usize));
            for group in groups {
                let row = bundle.order[group.position as usize];
                self.row(group.slot as usize, group.claim, bundle, row, output);
            }
        }
        self.grouped = grouped;
    }

    /// Makes sure that a row has the slot of the device whose state it concerns: its own, or, and
    /// then it is a claim, that of a sender who spoke for somebody it may not speak for. A slot is
    /// made at the device's first row. `false` if the row is refused.
    fn confirm(&mut self, group: &mut Grouped, bundle: &Bundle, output: &mut Output) -> bool {
        let row = bundle.order[group.position as usize];
        let (columns, at) = (bundle.header(row.kind), row.row as usize);
        let device = columns.device(at);
        let is_known = self.devices.is(group.slot, device);
        let false_sender = columns.sender(at).filter(|sender| {
            *sender != device
                && !if is_known {
                    let place = self.devices.places[group.slot as usize];
                    self.plant.may_speak_for(sender, device, place)
                } else {
                    self.plant.inventory.may_speak_for(sender, device)
                }
        });
        group.claim = false_sender.is_some();
        if is_known && !group.claim {
            return true;
        }
        let name = false_sender.unwrap_or(device);
        match self.devices.enter(name, &self.plant) {
            Ok(slot) => {
                group.slot = slot;
                return true;
            }
            Err(NoSlot::NotAnId) => {
                let detail = format!("`{name}` is not a device id");
                self.refuse(bundle, row, RejectReason::OutOfRange, &detail, output);
            }
            Err(NoSlot::Full) => self.shed(name, bundle, row, output),
        }
        false
    }
}

/// The device whose shard a row belongs to: the one its state concerns.
pub fn routed_to<'a>(plant: &Plant, bundle: &'a Bundle, row: &RowRef) -> &'a str {
    let (columns, at) = (bundle.header(row.kind), row.row as usize);
    let device = columns.device(at);
    let is_false = |sender: &&str| !plant.inventory.may_speak_for(sender, device);
    columns.sender(at).filter(is_false).unwrap_or(device)
}
