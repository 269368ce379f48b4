//! The compiled form: exact addresses and names by hash, networks by binary search over stretches
//! that do not overlap, and before all that a bitmap of the first 16 bits of the IPv4 addresses,
//! which answers for most flows in a single look.

use std::collections::BTreeMap;

use compact_str::CompactString;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::value::Value;
use crate::time::EventTime;

/// Marks the end of a chain.
const NONE: u32 = u32::MAX;
/// The keys of IPv4 addresses have this above their 32 bits.
const V4_ABOVE: u128 = 0xffff;
const WORDS: usize = 1 << 10;

/// From when to when an indicator is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Window {
    pub(super) from: EventTime,
    /// First moment at which it is not.
    pub(super) until: EventTime,
}

impl Window {
    pub(super) const ALWAYS: Self = Self {
        from: EventTime::MIN,
        until: EventTime::MAX,
    };

    fn holds(&self, at: EventTime) -> bool {
        self.from <= at && (at < self.until || self.until == EventTime::MAX)
    }
}

/// One indicator: 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    list: u32,
    window: u32,
    note: u32,
    /// Another one of the same address, name or network, or of the network around it.
    next: u32,
}

/// Networks of one family as stretches in ascending order, each with its narrowest indicator.
#[derive(Clone, Debug, Default)]
struct Stretches<T> {
    firsts: Vec<T>,
    lasts: Vec<T>,
    entries: Vec<u32>,
}

impl<T: Ord + Copy> Stretches<T> {
    fn find(&self, key: T) -> u32 {
        let at = self.firsts.partition_point(|first| *first <= key);
        match at.checked_sub(1) {
            Some(at) if key <= self.lasts[at] => self.entries[at],
            _ => NONE,
        }
    }

    fn push(&mut self, first: T, last: T, entry: u32) {
        self.firsts.push(first);
        self.lasts.push(last);
        self.entries.push(entry);
    }
}

/// Every indicator.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    windows: Vec<Window>,
    notes: Vec<String>,
    v4: HashMap<u32, u32, FixedState>,
    v6: HashMap<u128, u32, FixedState>,
    names: HashMap<CompactString, u32, FixedState>,
    v4_networks: Stretches<u32>,
    v6_networks: Stretches<u128>,
    /// Whether anything begins with these 16 bits; empty if there is no IPv4 at all.
    v4_begins: Vec<u64>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The indicator of an address that is in force.
    #[inline]
    pub(super) fn address(&self, key: u128, at: EventTime) -> Option<usize> {
        if key >> 32 == V4_ABOVE {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the lower half is the address"
            )]
            let address = key as u32;
            let begins = (address >> 16) as usize;
            let word = self.v4_begins.get(begins / 64)?;
            if word >> (begins % 64) & 1 == 0 {
                return None;
            }
            let exact = self.v4.get(&address).copied();
            return self.in_force(exact.unwrap_or(NONE), at).or_else(|| {
                let network = self.v4_networks.find(address);
                self.in_force(network, at)
            });
        }
        let exact = self.v6.get(&key).copied();
        self.in_force(exact.unwrap_or(NONE), at)
            .or_else(|| self.in_force(self.v6_networks.find(key), at))
    }

    /// The indicator of a name, or of the nearest name above it, that is in force.
    pub(super) fn name(&self, name: &str, at: EventTime) -> Option<usize> {
        if self.names.is_empty() {
            return None;
        }
        let folded;
        let mut name = name.trim_end_matches('.');
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            folded = name.to_ascii_lowercase();
            name = &folded;
        }
        loop {
            if let Some(entry) = self.names.get(name)
                && let Some(found) = self.in_force(*entry, at)
            {
                return Some(found);
            }
            name = name.split_once('.')?.1;
        }
    }

    fn in_force(&self, mut entry: u32, at: EventTime) -> Option<usize> {
        while entry != NONE {
            let found = self.entries.get(entry as usize)?;
            if self.windows[found.window as usize].holds(at) {
                return Some(entry as usize);
            }
            entry = found.next;
        }
        None
    }

    /// Its list, what that says of it, and when it ends.
    pub(super) fn shown(&self, entry: usize) -> (usize, &str, Option<EventTime>) {
        let Some(entry) = self.entries.get(entry) else {
            return (usize::MAX, "", None);
        };
        let until = self.windows[entry.window as usize].until;
        let note = &self.notes[entry.note as usize];
        let until = (until != EventTime::MAX).then_some(until);
        (entry.list as usize, note, until)
    }
}

/// Gathers indicators.
#[derive(Default)]
pub(super) struct Builder {
    table: Table,
    windows: BTreeMap<Window, u32>,
    notes: HashMap<String, u32, FixedState>,
    networks: Vec<(u128, u128, u32)>,
}

impl Builder {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Takes an indicator in. Of several of one thing, the last that is in force is shown.
    pub(super) fn add(&mut self, value: Value, of: usize, window: Window, note: &str) {
        let number = count(self.table.entries.len());
        let next = match value {
            Value::Address(key) if key >> 32 == V4_ABOVE => {
                #[expect(clippy::cast_possible_truncation, reason = "the address")]
                let address = key as u32;
                self.mark(address, address);
                self.table.v4.insert(address, number)
            }
            Value::Address(key) => self.table.v6.insert(key, number),
            Value::Name(name) => self.table.names.insert(name.into(), number),
            Value::Network(first, last) => {
                self.networks.push((first, last, number));
                None
            }
        };
        let (windows, notes) = (&mut self.table.windows, &mut self.table.notes);
        let window = *self.windows.entry(window).or_insert_with(|| {
            windows.push(window);
            count(windows.len() - 1)
        });
        let note = *self.notes.entry_ref(note).or_insert_with(|| {
            notes.push(note.to_owned());
            count(notes.len() - 1)
        });
        self.table.entries.push(Entry {
            list: count(of),
            window,
            note,
            next: next.unwrap_or(NONE),
        });
    }

    fn mark(&mut self, first: u32, last: u32) {
        self.table.v4_begins.resize(WORDS, 0);
        for begins in (first >> 16) as usize..=(last >> 16) as usize {
            self.table.v4_begins[begins / 64] |= 1 << (begins % 64);
        }
    }

    pub(super) fn finish(mut self) -> Table {
        let networks = std::mem::take(&mut self.networks);
        let (v4, v6): (Vec<_>, Vec<_>) = networks
            .into_iter()
            .partition(|(first, _, _)| first >> 32 == V4_ABOVE);
        #[expect(clippy::cast_possible_truncation, reason = "the addresses")]
        for (first, last, entry) in flatten(v4, &mut self.table.entries) {
            self.mark(first as u32, last as u32);
            let networks = &mut self.table.v4_networks;
            networks.push(first as u32, last as u32, entry);
        }
        for (first, last, entry) in flatten(v6, &mut self.table.entries) {
            self.table.v6_networks.push(first, last, entry);
        }
        self.table
    }
}

/// Networks, which lie in each other or apart, as stretches that do not overlap, each with the
/// narrowest network that covers it; each network is chained to the one around it.
fn flatten(mut networks: Vec<(u128, u128, u32)>, entries: &mut [Entry]) -> Vec<(u128, u128, u32)> {
    networks
        .sort_unstable_by_key(|(first, last, entry)| (*first, std::cmp::Reverse(*last), *entry));
    let mut stretches: Vec<(u128, u128, u32)> = Vec::with_capacity(networks.len());
    // The networks that are open, widest first, and from where on nothing was said yet.
    let (mut open, mut from) = (Vec::<(u128, u32)>::new(), 0);
    let mut say = |from: u128, to: u128, entry: u32| {
        if from <= to {
            stretches.push((from, to, entry));
        }
    };
    for (first, last, entry) in networks {
        while let Some(&(end, around)) = open.last()
            && end < first
        {
            say(from, end, around);
            from = end + 1;
            open.pop();
        }
        if let Some(&(_, around)) = open.last() {
            if first > from {
                say(from, first - 1, around);
            }
            entries[entry as usize].next = around;
        }
        from = first;
        open.push((last, entry));
    }
    while let Some((end, around)) = open.pop() {
        say(from, end, around);
        from = from.max(end.saturating_add(1));
    }
    stretches
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NONE - 1)
}
