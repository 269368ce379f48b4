//! Stage 2 to 3 without a row: windows close and deadlines come, in the order of their times.

use andon_detectors::facts::{CloseFacts, DeadlineFacts, Pane};
use andon_schemas::time::{EventTime, Interval, Span};

use crate::device::FLOW_ALLOWANCE;
use crate::engine::Engine;
use crate::look::{hour_of, start_of};
use crate::output::Output;
use crate::plant::DeviceType;
use crate::sign::{Scene, Signer};

/// What is due next for one device. In this order at one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Pane,
    Detectors,
    Judge,
}

impl Engine {
    /// The first hour of a device opens: the one its allowance still reaches.
    pub(crate) fn open(&mut self, slot: usize, at: EventTime) {
        let passed = (at - FLOW_ALLOWANCE).max(self.last_tick);
        let hot = &mut self.devices.hot[slot];
        if hot.open_from == i32::MIN {
            hot.open_from = hour_of(passed);
        }
    }

    /// Fires everything that is due at or before `now`, in the order of the deadlines.
    pub(crate) fn fire(&mut self, slot: usize, now: EventTime, ordinal: u64, output: &mut Output) {
        while let Some((deadline, due)) = self.next_due(slot).filter(|(at, _)| *at <= now) {
            match due {
                Due::Pane => self.close_next(slot, now, ordinal, output),
                Due::Detectors => self.ask_detectors(slot, deadline, ordinal, output),
                Due::Judge => self.ask_judge(slot, deadline, ordinal, output),
            }
        }
        self.rearm(slot);
    }

    fn next_due(&self, slot: usize) -> Option<(EventTime, Due)> {
        let cold = &self.devices.cold[slot];
        [
            (self.pane_due(slot), Due::Pane),
            (cold.detectors_due, Due::Detectors),
            (cold.case.deadline(), Due::Judge),
        ]
        .into_iter()
        .filter(|(at, _)| *at != EventTime::MAX)
        .min()
    }

    fn pane_due(&self, slot: usize) -> EventTime {
        match self.devices.hot[slot].open_from {
            i32::MIN => EventTime::MAX,
            hour => start_of(hour + 1),
        }
    }

    /// Sets a device's alarm clock to whatever comes first.
    pub(crate) fn rearm(&mut self, slot: usize) {
        let cold = &self.devices.cold[slot];
        self.devices.due[slot] = self
            .pane_due(slot)
            .min(cold.detectors_due)
            .min(cold.case.deadline());
    }

    /// Closes the oldest open hour; a run of empty hours, up to the next thing that is due,
    /// closes in one step.
    fn close_next(&mut self, slot: usize, now: EventTime, ordinal: u64, output: &mut Output) {
        let hot = &mut self.devices.hot[slot];
        let hour = hot.open_from;
        let used = hot.panes.iter().position(|pane| pane.hour == hour);
        let (pane, until) = match used {
            Some(at) => {
                let pane = hot.panes[at];
                hot.panes[at] = Pane {
                    hour: i32::MIN,
                    ..Pane::default()
                };
                (pane, hour + 1)
            }
            None => {
                let next_used = hot.panes.iter().map(|p| p.hour).filter(|h| *h > hour).min();
                let cold = &self.devices.cold[slot];
                let horizon = now.min(cold.detectors_due).min(cold.case.deadline());
                let until = hour_of(horizon)
                    .min(next_used.unwrap_or(i32::MAX))
                    .max(hour + 1);
                (
                    Pane {
                        hour,
                        ..Pane::default()
                    },
                    until,
                )
            }
        };
        self.devices.hot[slot].open_from = until;
        let window = Interval {
            start: start_of(hour),
            end: start_of(until),
        };
        let partial = self.devices.cold[slot].first_hour >= hour;
        self.close(slot, &pane, window, partial, ordinal, output);
    }

    /// The input ended inside the open hours: what is in them is looked at as it stands.
    pub(crate) fn close_partial(
        &mut self,
        slot: usize,
        at: EventTime,
        ordinal: u64,
        output: &mut Output,
    ) {
        let mut panes = self.devices.hot[slot].panes;
        panes.sort_by_key(|pane| pane.hour);
        for pane in panes.into_iter().filter(|pane| pane.hour != i32::MIN) {
            let end = start_of(pane.hour + 1).min(at).max(start_of(pane.hour));
            let window = Interval {
                start: start_of(pane.hour),
                end,
            };
            self.devices.hot[slot].open_from = pane.hour + 1;
            self.close(slot, &pane, window, true, ordinal, output);
        }
        let hot = &mut self.devices.hot[slot];
        hot.panes = [Pane {
            hour: i32::MIN,
            ..Pane::default()
        }; 2];
        self.rearm(slot);
    }

    fn close(
        &mut self,
        slot: usize,
        pane: &Pane,
        window: Interval,
        partial: bool,
        ordinal: u64,
        output: &mut Output,
    ) {
        let plant = self.plant.clone();
        let (id, place) = (self.devices.ids[slot].clone(), self.devices.places[slot]);
        let scene = Scene {
            plant: &plant,
            id: &id,
            place,
        };
        let device_type = plant.device_type(place);
        let cold = &mut self.devices.cold[slot];
        let facts = CloseFacts {
            device: plant.facts(&id, place),
            pane,
            window,
            active_share: active_share(device_type, window),
            partial,
        };
        let hours = facts.hours().max(1);
        self.counts.device_hours += hours.unsigned_abs();
        let mut signer = Signer {
            scene,
            case: &mut cold.case,
            at: window.end,
            window,
            role: None,
            proven: true,
            flow: None,
            cause: ordinal,
            source: &|| None,
            in_maintenance: &mut self.counts.in_maintenance,
        };
        device_type
            .plans
            .on_close(&mut cold.states, &facts, &mut signer);
        self.conclude(slot, window.end, Some(window));
        self.settle(slot, ordinal, window.end, output);
    }

    fn ask_detectors(
        &mut self,
        slot: usize,
        deadline: EventTime,
        ordinal: u64,
        output: &mut Output,
    ) {
        let plant = self.plant.clone();
        let (id, place) = (self.devices.ids[slot].clone(), self.devices.places[slot]);
        let last_seen = self.devices.hot[slot].last_seen();
        let plans = &plant.device_type(place).plans;
        let cold = &mut self.devices.cold[slot];
        let device = plant.facts(&id, place);
        let facts = DeadlineFacts {
            device,
            now: deadline,
            last_seen,
        };
        let mut signer = Signer {
            scene: Scene {
                plant: &plant,
                id: &id,
                place,
            },
            case: &mut cold.case,
            at: deadline,
            window: Interval {
                start: last_seen.min(deadline),
                end: deadline,
            },
            role: None,
            proven: true,
            flow: None,
            cause: ordinal,
            source: &|| None,
            in_maintenance: &mut self.counts.in_maintenance,
        };
        plans.on_deadline(&mut cold.states, &facts, &mut signer);
        let next = plans.deadline(&cold.states, &device, last_seen);
        // A detector that asks for the past would be asked for ever.
        cold.detectors_due = next.max(deadline + Span::from_micros(1));
        self.conclude(slot, deadline, None);
        self.settle(slot, ordinal, deadline, output);
    }

    fn ask_judge(&mut self, slot: usize, deadline: EventTime, ordinal: u64, output: &mut Output) {
        self.devices.cold[slot].case.fire(deadline);
        self.conclude(slot, deadline, None);
        self.settle(slot, ordinal, deadline, output);
    }
}

/// Share of a window that lies inside the active hours, looked at every five minutes. Of a run
/// longer than a week the first week is looked at: hours repeat weekly.
fn active_share(device_type: &DeviceType, window: Interval) -> f32 {
    let baseline = &device_type.baseline;
    if baseline.profile.hours.is_none() {
        return 1.0;
    }
    let step = Span::MINUTE.times(5);
    let end = window.end.min(window.start + Span::DAY.times(7));
    let (mut inside, mut all) = (0_u16, 0_u16);
    let mut at = window.start;
    while at < end {
        inside += u16::from(baseline.active_at(at));
        all += 1;
        at = at + step;
    }
    f32::from(inside) / f32::from(all.max(1))
}
