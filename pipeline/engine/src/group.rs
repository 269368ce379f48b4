//! Before stage 2: the rows of a bundle are taken device by device.
//!
//! The state of many devices does not fit the caches of a processor, and a row that waits for
//! memory three times in turn costs more than everything that is then done with it. So devices are
//! looked up for a whole bundle, its rows are put in order of devices, and the state of the next
//! few is called in at once.

use std::sync::Arc;

use andon_schemas::bundle::{Bundle, RowRef};
use andon_schemas::columns::{FlowRow, HeaderRow};
use andon_schemas::observation::Kind;
use andon_schemas::reject::RejectReason;
use arrow_array::{Array as _, ArrayRef};

use crate::engine::Engine;
use crate::output::Output;
use crate::plant::Plant;
use crate::slots::{NoSlot, hash_of};

/// How many rows are called in at once: enough to keep the memory busy, few enough for the
/// smallest cache.
const AT_ONCE: usize = 16;

/// Bundles smaller than this are sorted by comparison.
const COUNTED_FROM: usize = 512;

/// The slot of a row whose device has not been seen, until it gets one.
const NO_SLOT: u32 = u32::MAX;

/// A row of a bundle and the slot whose state it concerns, in one word. Ordered by slot, then by
/// arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grouped(u64);

impl Grouped {
    fn new(slot: u32, position: u32, claim: bool) -> Self {
        Self(u64::from(slot) << 32 | u64::from(position) << 1 | u64::from(claim))
    }

    fn number(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(NO_SLOT)
    }

    fn slot(self) -> usize {
        self.number() as usize
    }

    fn position(self) -> u32 {
        u32::try_from((self.0 & u64::from(u32::MAX)) >> 1).unwrap_or(0)
    }

    /// It is a row in which the slot's device spoke for somebody else.
    fn is_claim(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A row, read out of its columns.
pub(crate) struct Taken<'a> {
    /// Where it lies.
    pub(crate) row: RowRef,
    pub(crate) header: HeaderRow<'a>,
    /// The flow, if it is one.
    pub(crate) flow: Option<FlowRow<'a>>,
}

impl<'a> Taken<'a> {
    fn from(bundle: &'a Bundle, row: RowRef) -> Self {
        let at = row.row as usize;
        Self {
            row,
            header: bundle.header(row.kind).row(at),
            flow: (row.kind == Kind::Flow).then(|| bundle.flows.row(at)),
        }
    }
}

impl Engine {
    /// Rows are taken device by device, so that each device's state is fetched once per bundle;
    /// the order of one device's rows is the order of arrival, and no device looks at another.
    pub(crate) fn bundle(&mut self, bundle: &Bundle, output: &mut Output) {
        let mut grouped = std::mem::take(&mut self.grouped);
        grouped.clear();
        self.find(bundle, &mut grouped);
        let mut speaker = Speaker::default();
        grouped.retain_mut(|group| self.confirm(group, bundle, &mut speaker, output));
        sort(&mut grouped, &mut self.sorted, self.devices.len());
        let mut taken = Vec::with_capacity(AT_ONCE);
        for groups in grouped.chunks(AT_ONCE) {
            let rows = || {
                let row = |group: &Grouped| bundle.order[group.position() as usize];
                groups.iter().map(move |group| (group.slot(), row(group)))
            };
            // Each in a round of its own, so short that a processor has all of a round's loads
            // under way at once.
            for (slot, row) in rows() {
                self.devices.call_in_head(slot, row.kind);
            }
            for (slot, row) in rows() {
                self.devices.call_in_rest(slot, row.kind, &self.plant);
            }
            taken.clear();
            taken.extend(rows().map(|(_, row)| Taken::from(bundle, row)));
            for (group, taken) in groups.iter().zip(&taken) {
                self.pass_to(group.slot(), taken.row.ordinal, output);
                self.row(group.slot(), group.is_claim(), bundle, taken, output);
            }
        }
        self.grouped = grouped;
    }

    /// Looks up the slot of every row: by its key in a dictionary that bundles share, or by the hash
    /// of its device's id. Hashes first, then the table, then what is kept by slot: so the accesses
    /// of many rows to memory do not wait for each other.
    fn find(&mut self, bundle: &Bundle, grouped: &mut Vec<Grouped>) {
        self.known.begin(bundle);
        let mut hashes = [0; AT_ONCE];
        let mut position = 0;
        for rows in bundle.order.chunks(AT_ONCE) {
            let known = |row: &RowRef| self.known.slot(bundle, *row);
            for (hash, row) in hashes.iter_mut().zip(rows) {
                if known(row).is_none() {
                    *hash = hash_of(bundle.header(row.kind).device(row.row as usize));
                }
            }
            let first = grouped.len();
            for (hash, row) in hashes.iter().zip(rows) {
                let slot = known(row).or_else(|| self.devices.likely(*hash));
                grouped.push(Grouped::new(slot.unwrap_or(NO_SLOT), position, false));
                position += 1;
            }
            for (group, row) in grouped[first..].iter().zip(rows) {
                if known(row).is_none() {
                    self.devices.call_in_id(group.slot());
                }
            }
        }
    }

    /// Makes sure that a row has the slot of the device whose state it concerns: its own, or, and
    /// then it is a claim, that of a sender who spoke for somebody it may not speak for. A slot is
    /// made at the device's first row. `false` if the row is refused.
    fn confirm<'a>(
        &mut self,
        group: &mut Grouped,
        bundle: &'a Bundle,
        speaker: &mut Speaker<'a>,
        output: &mut Output,
    ) -> bool {
        let row = bundle.order[group.position() as usize];
        let (columns, at) = (bundle.header(row.kind), row.row as usize);
        let sender = columns.sender(at);
        let is_shared = self.known.slot(bundle, row) == Some(group.number());
        if is_shared && sender.is_none() {
            return true;
        }
        let device = columns.device(at);
        let is_known = is_shared || self.devices.is(group.number(), device);
        let false_sender = sender.filter(|sender| {
            *sender != device
                && !if is_known {
                    let place = self.devices.places[group.slot()];
                    let speaker = speaker.called(sender, &self.plant);
                    self.plant.may_speak_for(speaker, device, place)
                } else {
                    self.plant.inventory.may_speak_for(sender, device)
                }
        });
        let is_claim = false_sender.is_some();
        if is_known && !is_claim {
            self.known.learn(bundle, row, group.number());
            return true;
        }
        let name = false_sender.unwrap_or(device);
        match self
            .devices
            .enter(name, columns.row(at).proven, &self.plant)
        {
            Ok(slot) => {
                if !is_claim {
                    self.known.learn(bundle, row, slot);
                }
                *group = Grouped::new(slot, group.position(), is_claim);
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

/// The slots of the devices of a dictionary that many bundles share.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Kept, so that no other can come to lie where it lay.
    names: Option<ArrayRef>,
    /// By key; [`NO_SLOT`] of one that was not asked for yet.
    slots: Vec<u32>,
}

impl Known {
    /// Makes room for the slots of a dictionary that holds more than the rows it serves: it is there
    /// to be shared.
    fn begin(&mut self, bundle: &Bundle) {
        let Some(row) = bundle.order.first() else {
            return;
        };
        let columns = bundle.header(row.kind);
        let names = columns.device_names();
        if names.len() > columns.len() && !self.is_of(names) {
            self.slots.clear();
            self.slots.resize(names.len(), NO_SLOT);
            self.names = Some(names.clone());
        }
    }

    #[inline]
    fn is_of(&self, names: &ArrayRef) -> bool {
        self.names
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, names))
    }

    /// The slot of a row's device, if its dictionary is the shared one and the device is known.
    #[inline]
    fn slot(&self, bundle: &Bundle, row: RowRef) -> Option<u32> {
        let columns = bundle.header(row.kind);
        if !self.is_of(columns.device_names()) {
            return None;
        }
        let slot = *self
            .slots
            .get(columns.device_key(row.row as usize) as usize)?;
        (slot != NO_SLOT).then_some(slot)
    }

    fn learn(&mut self, bundle: &Bundle, row: RowRef, slot: u32) {
        let columns = bundle.header(row.kind);
        if self.is_of(columns.device_names()) {
            let key = columns.device_key(row.row as usize) as usize;
            if let Some(known) = self.slots.get_mut(key) {
                *known = slot;
            }
        }
    }
}

/// Who sent the row before: most rows of a bundle come from the same few senders.
#[derive(Default)]
struct Speaker<'a> {
    name: &'a str,
    /// Its place in the inventory, if it is listed.
    listed: Option<usize>,
}

impl<'a> Speaker<'a> {
    fn called(&mut self, name: &'a str, plant: &Plant) -> Option<usize> {
        if name != self.name {
            let listed = plant.inventory.position(name);
            *self = Self { name, listed };
        }
        self.listed
    }
}

/// Puts rows in order of slots, of which there are so many. The rows are in the order of arrival
/// already, so to count them out by the bytes of their slots, lowest byte first, is enough, and
/// costs far less than comparing. `spare` is memory to work in.
fn sort(grouped: &mut Vec<Grouped>, spare: &mut Vec<Grouped>, slots: usize) {
    if grouped.len() < COUNTED_FROM {
        grouped.sort_unstable();
        return;
    }
    spare.resize(grouped.len(), Grouped::default());
    for shift in (0..32).step_by(8).take_while(|shift| slots >> shift > 0) {
        let byte = |group: Grouped| group.slot() >> shift & 0xff;
        let mut places = [0_usize; 256];
        for group in grouped.iter() {
            places[byte(*group)] += 1;
        }
        let mut next = 0;
        for place in &mut places {
            next += std::mem::replace(place, next);
        }
        for group in grouped.iter() {
            let place = &mut places[byte(*group)];
            spare[*place] = *group;
            *place += 1;
        }
        std::mem::swap(grouped, spare);
    }
}

/// The device whose shard a row belongs to: the one its state concerns.
pub fn routed_to<'a>(plant: &Plant, bundle: &'a Bundle, row: &RowRef) -> &'a str {
    let (columns, at) = (bundle.header(row.kind), row.row as usize);
    let device = columns.device(at);
    let is_false = |sender: &&str| !plant.inventory.may_speak_for(sender, device);
    columns.sender(at).filter(is_false).unwrap_or(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_counted_out_are_in_the_order_that_comparing_gives() {
        for (rows, slots) in [(COUNTED_FROM, 3), (5_000, 300), (5_000, 70_000)] {
            let slot = |n: u32| n.wrapping_mul(2_654_435_761) % slots;
            let mut counted: Vec<_> = (0..rows.try_into().unwrap())
                .map(|n| Grouped::new(slot(n), n, n % 7 == 0))
                .collect();
            let mut compared = counted.clone();
            compared.sort();
            sort(&mut counted, &mut Vec::new(), slots as usize);
            assert_eq!(counted, compared);
        }
    }
}
