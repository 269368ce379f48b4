//! The engine itself: one step takes a bundle or a tick and returns everything it settled.

use std::sync::Arc;

use andon_schemas::bundle::{Bundle, RowRef};
use andon_schemas::columns::{FlowRow, HeaderRow};
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Kind;
use andon_schemas::reject::{RejectReason, SetAside};
use andon_schemas::time::{EventTime, Interval, Span};
use andon_schemas::verdict::{Risk, Verdict};

use crate::batch::{Batch, Progress};
use crate::count::Standing;
use crate::device::{Cold, Hot, NumberWindow, allowance};
use crate::group::{Grouped, Known, Taken};
use crate::output::{Cause, Counts, Item, Output};
use crate::plant::Plant;
use crate::room::Room;
use crate::sign::Scene;
use crate::slots::{Devices, hash_of};

/// Event time this far after the receive time is refused.
pub const FAR_FUTURE: Span = Span::from_secs(300);

/// What the engine takes.
#[derive(Clone, Debug)]
pub enum Input {
    /// Observations.
    Bundle(Box<Bundle>),
    /// A longer stretch of them, with the ticks between them.
    Batch(Box<Batch>),
    /// Time is at least this.
    Tick {
        /// Its number in the whole input.
        ordinal: u64,
        /// The time.
        at: EventTime,
    },
    /// The input ends: the last tick. Partial windows close, and what they show is marked.
    EndOfInput {
        /// Its number in the whole input.
        ordinal: u64,
        /// Largest accepted event time.
        at: EventTime,
    },
    /// Inventory and profiles change from here on.
    Control(Arc<Plant>),
}

/// The pure middle: observe, window, detect, judge. No clock, no I/O, no randomness, no failure:
/// what cannot be used comes out as a refusal.
pub struct Engine {
    pub(crate) plant: Arc<Plant>,
    pub(crate) devices: Devices,
    pub(crate) last_tick: EventTime,
    pub(crate) counts: Counts,
    /// Reused between bundles.
    pub(crate) grouped: Vec<Grouped>,
    pub(crate) sorted: Vec<Grouped>,
    pub(crate) known: Known,
    pub(crate) progress: Progress,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) ending: bool,
    pub(crate) tells_windows: bool,
    pub(crate) tells_heartbeats: bool,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("devices", &self.devices.len())
            .field("last_tick", &self.last_tick)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Bytes that every device takes in place; what it holds beyond them is allocated when needed.
    pub const DEVICE_BYTES: usize = size_of::<Hot>() + size_of::<Cold>();

    /// An engine that has seen nothing.
    pub fn new(plant: Arc<Plant>) -> Self {
        let devices = Devices::with_room_for(plant.inventory().devices.len());
        Self {
            plant,
            devices,
            last_tick: EventTime::MIN,
            counts: Counts::default(),
            grouped: Vec::new(),
            sorted: Vec::new(),
            known: Known::default(),
            progress: Progress::default(),
            verdicts: Vec::new(),
            ending: false,
            tells_windows: false,
            tells_heartbeats: false,
        }
    }

    /// From here on every window that closes comes out as well.
    pub fn tell_windows(&mut self) {
        self.tells_windows = true;
    }

    /// From here on the risk of every listed device that was heard of comes out once more every
    /// hour of ticks. Whoever reads nothing but risks can tell by it a device that is well from one
    /// that nobody watches any more. A batch tells none.
    pub fn tell_heartbeats(&mut self) {
        self.tells_heartbeats = true;
    }

    /// One that watches a partition of a plant's devices, of so many: in all of them together there
    /// is as much room for devices that the inventory does not list as in an engine for the whole
    /// plant.
    #[must_use]
    pub fn of_partition(mut self, number: u32, of: u32) -> Self {
        self.devices.room = Room::of_partition(number, of);
        self.devices.recount(&self.plant);
        self
    }

    /// What it measures against.
    pub fn plant(&self) -> &Arc<Plant> {
        &self.plant
    }

    /// Counts since it was made; a snapshot carries them on.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Number of devices it has seen.
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// The devices it has seen; of each virtual node in the order in which it first did.
    pub fn devices(&self) -> &[DeviceId] {
        &self.devices.ids
    }

    /// Whether it has seen a device. What stands for a crowd is none.
    pub fn knows(&self, device: &DeviceId) -> bool {
        let slot = self.devices.likely(hash_of(device.as_str()));
        slot.is_some_and(|slot| self.devices.is(slot, device.as_str()))
    }

    /// Takes one step.
    pub fn step(&mut self, input: &Input) -> Output {
        let mut output = Output::default();
        match input {
            Input::Bundle(bundle) => self.bundle(bundle, &mut output),
            Input::Batch(batch) => self.batch(batch, &mut output),
            Input::Tick { ordinal, at } => self.tick(*ordinal, *at, &mut output),
            Input::EndOfInput { ordinal, at } => self.end(*ordinal, *at, &mut output),
            Input::Control(plant) => self.control(plant),
        }
        output.sort();
        output
    }

    /// The risk of every device seen, in order of id.
    pub fn risks(&self) -> Vec<(DeviceId, Risk)> {
        let mut risks: Vec<_> = self
            .devices
            .ids
            .iter()
            .enumerate()
            .map(|(slot, id)| (id.clone(), self.risk_of(slot)))
            .collect();
        risks.sort_by(|a, b| a.0.cmp(&b.0));
        risks
    }

    /// The risk of the device in a slot.
    pub(crate) fn risk_of(&self, slot: usize) -> Risk {
        let case = &self.devices.cold[slot].case;
        case.risk(self.last_tick, self.is_stale(slot, self.last_tick))
    }

    /// Takes one row; `claim` if the slot's device spoke for somebody else in it.
    pub(crate) fn row(
        &mut self,
        slot: usize,
        claim: bool,
        bundle: &Bundle,
        taken: &Taken,
        output: &mut Output,
    ) {
        let Taken {
            row,
            ref header,
            ref flow,
        } = *taken;
        if header.event_time > header.received_at + FAR_FUTURE {
            let detail = format!(
                "event time {} is more than 5 min after it was received, {}",
                header.event_time, header.received_at
            );
            self.refuse(bundle, row, RejectReason::FarFuture, &detail, output);
            return;
        }
        if claim {
            self.claim(slot, bundle, row, output);
            return;
        }
        let apart = self.stands_apart(slot, row.kind, header.proven);
        if apart {
            self.counts.unproven_apart += 1;
        } else if self.is_duplicate(slot, row, header, flow.as_ref()) {
            self.counts.duplicates += 1;
            aside(bundle, row, header, Item::Duplicate, output);
            return;
        }
        let clock = self.devices.hot[slot].clocks[row.kind as usize];
        let late = header.event_time < (clock - allowance(row.kind)).max(self.last_tick);
        let standing = match (apart, late) {
            (true, _) => Standing::Apart,
            (false, true) => Standing::Late,
            (false, false) => Standing::InTime,
        };
        if standing == Standing::Late {
            self.counts.late += 1;
            aside(bundle, row, header, Item::Late, output);
        } else if standing == Standing::InTime {
            self.open(slot, header.event_time);
            if row.kind == Kind::Flow {
                let passed = header.event_time.max(clock) - allowance(Kind::Flow);
                self.fire(slot, passed.max(self.last_tick), row.ordinal, output);
            }
        }
        self.look(slot, bundle, taken, standing, output);
    }

    /// Whether a row must not touch what proven rows rest on: an unproven row about a device that
    /// proves itself. Otherwise anybody could use up its numbers or push its clock ahead and so
    /// blind us to it. Whatever unproven rows left behind is forgotten at the first proven one.
    fn stands_apart(&mut self, slot: usize, kind: Kind, proven: bool) -> bool {
        let cold = &mut self.devices.cold[slot];
        let bit = 1 << kind as u8;
        if !proven {
            return cold.proven_kinds & bit != 0;
        }
        if cold.proven_kinds & bit == 0 {
            cold.proven_kinds |= bit;
            cold.numbers[kind as usize] = NumberWindow::default();
            self.devices.hot[slot].clocks[kind as usize] = EventTime::MIN;
            if kind == Kind::Flow {
                cold.open_flows = None;
                cold.recent_flows = None;
            }
            if kind == Kind::Resolution {
                cold.names = None;
            }
        }
        false
    }

    /// Whether a row was told before: the same number in its stream, or without numbers the same
    /// flow with the same end and totals.
    fn is_duplicate(
        &mut self,
        slot: usize,
        row: RowRef,
        header: &HeaderRow,
        flow: Option<&FlowRow>,
    ) -> bool {
        let cold = &mut self.devices.cold[slot];
        let (kind, at) = (row.kind as usize, header.event_time);
        if let Some(number) = header.seq {
            let newer = at > self.devices.hot[slot].clocks[kind];
            return !cold.numbers[kind].admit(number, newer);
        }
        let named = flow.and_then(|flow| Some((flow, flow.uid?)));
        named.is_some_and(|(flow, uid)| {
            let recent = cold.recent_flows.get_or_insert_default();
            !recent.admit(uid, flow, at)
        })
    }

    fn tick(&mut self, ordinal: u64, at: EventTime, output: &mut Output) {
        if at <= self.last_tick {
            return;
        }
        let before = std::mem::replace(&mut self.last_tick, at);
        for slot in 0..self.devices.len() {
            if self.devices.due[slot] <= at {
                self.fire(slot, at, ordinal, output);
            }
        }
        if self.tells_heartbeats {
            self.heartbeats((before, at), ordinal, output);
        }
    }

    fn end(&mut self, ordinal: u64, at: EventTime, output: &mut Output) {
        self.ending = true;
        self.tick(ordinal, at, output);
        for slot in 0..self.devices.len() {
            self.close_partial(slot, at, ordinal, output);
        }
        self.ending = false;
    }

    /// Moves what the judge wrote into the output, under one cause.
    pub(crate) fn settle(
        &mut self,
        slot: usize,
        ordinal: u64,
        deadline: EventTime,
        output: &mut Output,
    ) {
        if deadline == EventTime::MAX
            && self.verdicts.is_empty()
            && self.devices.cold[slot].case.is_at_rest()
        {
            return;
        }
        let device = &self.devices.ids[slot];
        let cause = || Cause {
            ordinal,
            deadline,
            device: device.clone(),
        };
        let ending = self.ending;
        for mut verdict in self.verdicts.drain(..) {
            verdict.end_of_input = ending;
            output.items.push((cause(), Item::Verdict(verdict)));
        }
        // The risk is told as of what caused it, and never goes back behind the device's own time.
        let caused = if deadline == EventTime::MAX {
            self.last_tick
        } else {
            deadline
        };
        let now = self.devices.hot[slot].last_seen().max(caused);
        let listed = self.plant.listed(self.devices.places[slot]);
        let site = &self.plant.inventory.site;
        // A row that came late, or that proves nothing, says nothing of how the device is now.
        let stale = self.is_stale(slot, caused);
        let update = self.devices.cold[slot]
            .case
            .risk_update(device, listed, site, now, stale);
        if let Some(update) = update {
            output.items.push((cause(), Item::Risk(update)));
        }
    }

    /// Lets the judge write what the row, window or deadline at `at` changed.
    pub(crate) fn conclude(&mut self, slot: usize, at: EventTime, closed: Option<Interval>) {
        let case = &mut self.devices.cold[slot].case;
        if !case.is_due(closed.is_some()) {
            return;
        }
        let scene = Scene {
            plant: &self.plant,
            id: &self.devices.ids[slot],
            place: self.devices.places[slot],
        };
        let out = &mut self.verdicts;
        scene.with_subject(at, |subject| case.conclude(subject, at, closed, out));
    }
}

/// Writes out a row that is not counted, with where it came from.
fn aside(
    bundle: &Bundle,
    row: RowRef,
    header: &HeaderRow,
    item: impl Fn(SetAside) -> Item,
    output: &mut Output,
) {
    let Ok(device) = DeviceId::new(header.device) else {
        return;
    };
    let aside = SetAside {
        device: device.clone(),
        kind: row.kind,
        event_time: header.event_time,
        source: bundle.header(row.kind).source(row.row as usize),
    };
    let cause = Cause {
        ordinal: row.ordinal,
        deadline: EventTime::MAX,
        device,
    };
    output.items.push((cause, item(aside)));
}
