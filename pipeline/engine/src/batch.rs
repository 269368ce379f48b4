//! A stretch of input in which the rows of each device lie together, and the ticks between them.
//!
//! Whoever reads captured traffic has many rows at hand before anything has to be said. Laid
//! together by virtual nodes, the state of a few hundred devices stays in the cache of a processor
//! while all of their rows are taken; row by row in the order of arrival, each row of a large plant
//! waits for memory. Nothing else changes: a device sees its rows and the ticks between them in
//! their order, and looks at no other.

use andon_schemas::bundle::Bundle;
use andon_schemas::time::EventTime;

use crate::engine::Engine;
use crate::output::Output;
use crate::vnode::VNODES;

/// A tick and its number in the whole input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Its number.
    pub ordinal: u64,
    /// Time is at least this.
    pub at: EventTime,
}

/// Rows and ticks whose numbers follow one another without a gap. Not for an engine of a
/// [partition](Engine::of_partition), where strangers of all virtual nodes share one room and who
/// comes first decides who gets it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Into how many parts the virtual nodes are divided.
    pub parts: u32,
    /// The rows, each bundle with its part: it holds the rows that concern devices of which the
    /// number of the virtual node leaves this remainder by `parts`. One bundle of a part at most.
    pub bundles: Vec<(u32, Bundle)>,
    /// The ticks, in the order of their numbers.
    pub ticks: Vec<Tick>,
}

/// Devices whose rows are laid together in one part: their state fits the cache of one processor.
const PART_DEVICES: usize = 1_024;

impl Batch {
    /// How many parts there should be for so many devices, which so many engines share: a part is of
    /// one engine.
    pub fn parts_for(devices: usize, engines: usize) -> usize {
        let engines = engines.clamp(1, VNODES);
        let most = VNODES / engines * engines;
        devices
            .div_ceil(PART_DEVICES)
            .max(1)
            .next_multiple_of(engines)
            .min(most)
    }
}

/// How far the devices have come in a batch.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The ticks that move time.
    ticks: Vec<Tick>,
    /// What the time was before them.
    before: EventTime,
    /// How many of them each slot has heard.
    heard: Vec<u32>,
}

impl Progress {
    fn begin(&mut self, ticks: &[Tick], now: EventTime, slots: usize) {
        self.before = now;
        self.heard.clear();
        self.heard.resize(slots, 0);
        self.ticks.clear();
        let mut last = now;
        for tick in ticks {
            if tick.at > last {
                self.ticks.push(*tick);
                last = tick.at;
            }
        }
    }

    /// Number of ticks before a row.
    #[inline]
    fn before(&self, ordinal: u64) -> usize {
        self.ticks.partition_point(|tick| tick.ordinal < ordinal)
    }

    /// What the time is after so many ticks.
    #[inline]
    fn time(&self, ticks: usize) -> EventTime {
        match ticks.checked_sub(1) {
            Some(last) => self.ticks[last].at,
            None => self.before,
        }
    }

    fn heard(&mut self, slot: usize) -> &mut u32 {
        if slot >= self.heard.len() {
            self.heard.resize(slot + 1, 0);
        }
        &mut self.heard[slot]
    }
}

impl Engine {
    /// Takes a batch: the rows of one part after those of another.
    pub(crate) fn batch(&mut self, batch: &Batch, output: &mut Output) {
        self.progress
            .begin(&batch.ticks, self.last_tick, self.devices.len());
        for (_, bundle) in &batch.bundles {
            self.bundle(bundle, output);
        }
        let all = self.progress.ticks.len();
        for slot in 0..self.devices.len() {
            self.hear(slot, all, output);
        }
        self.last_tick = self.progress.time(all);
        self.progress.ticks.clear();
    }

    /// Brings a device to a row: it hears the ticks before it.
    #[inline]
    pub(crate) fn pass_to(&mut self, slot: usize, ordinal: u64, output: &mut Output) {
        if self.progress.ticks.is_empty() {
            return;
        }
        let before = self.progress.before(ordinal);
        self.hear(slot, before, output);
        self.last_tick = self.progress.time(before);
    }

    /// Lets a device hear so many ticks of the batch. One before which nothing is due says nothing to
    /// it.
    fn hear(&mut self, slot: usize, ticks: usize, output: &mut Output) {
        let mut next = *self.progress.heard(slot) as usize;
        while next < ticks && self.devices.due[slot] <= self.progress.ticks[ticks - 1].at {
            let due = self.devices.due[slot];
            next += self.progress.ticks[next..ticks].partition_point(|tick| tick.at < due);
            let Tick { ordinal, at } = self.progress.ticks[next];
            self.last_tick = at;
            self.fire(slot, at, ordinal, output);
            next += 1;
        }
        *self.progress.heard(slot) = u32::try_from(ticks).unwrap_or(u32::MAX);
    }
}
