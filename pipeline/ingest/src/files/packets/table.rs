//! The flows that are open, up to a limit. When it is reached, one that has not been touched for
//! about as long as any is given up: each slot that the hand passes loses its mark, and the first
//! without one goes.

use hashbrown::HashMap;

use super::flow::{Flow, Key};

/// Most flows that are open at one time. One takes about 400 bytes, and up to 4 KiB more while the
/// greeting of its TLS is spread over segments: 30 MB of them as a rule, 300 MB at worst.
pub(super) const FLOWS_MAX: usize = 1 << 16;

#[derive(Debug)]
struct Slot {
    flow: Flow,
    key: Key,
    touched: bool,
}

/// Open flows by key.
#[derive(Debug)]
pub(super) struct Table {
    slots: Vec<Slot>,
    places: HashMap<Key, usize>,
    hand: usize,
    max: usize,
}

impl Table {
    /// A table of at most `max` flows, at least one.
    pub(super) fn new(max: usize) -> Self {
        Self {
            slots: Vec::new(),
            places: HashMap::new(),
            hand: 0,
            max: max.max(1),
        }
    }

    /// The flow of this key, which counts as touched.
    pub(super) fn get(&mut self, key: &Key) -> Option<&mut Flow> {
        let slot = self.slots.get_mut(*self.places.get(key)?)?;
        slot.touched = true;
        Some(&mut slot.flow)
    }

    /// Puts a flow in the place of the one of the same key, or else of one given up if the table
    /// is full; returns that.
    pub(super) fn put(&mut self, key: Key, flow: Flow) -> Option<Flow> {
        let slot = Slot {
            flow,
            key,
            touched: true,
        };
        if let Some(place) = self.places.get(&key) {
            return Some(std::mem::replace(&mut self.slots[*place], slot).flow);
        }
        if self.slots.len() < self.max {
            self.places.insert(key, self.slots.len());
            self.slots.push(slot);
            return None;
        }
        let place = self.give_up();
        let old = std::mem::replace(&mut self.slots[place], slot);
        self.places.remove(&old.key);
        self.places.insert(key, place);
        Some(old.flow)
    }

    /// Ends after two rounds at the latest: the first one takes every mark.
    fn give_up(&mut self) -> usize {
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            if !std::mem::take(&mut self.slots[place].touched) {
                return place;
            }
        }
    }

    /// Takes all flows out, in the order of their first packets.
    pub(super) fn drain(&mut self) -> Vec<Flow> {
        self.places.clear();
        self.hand = 0;
        let mut flows: Vec<Flow> = self.slots.drain(..).map(|slot| slot.flow).collect();
        flows.sort_by_key(|flow| flow.number);
        flows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_flow_takes_no_more_than_is_said() {
        let bytes = size_of::<Slot>() + size_of::<(Key, usize)>();
        assert!(bytes <= 448, "{bytes}");
    }
}
