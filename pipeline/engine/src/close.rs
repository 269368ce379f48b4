//! Stage 2 to 3 without a row: windows close and deadlines come, in the order of their times.

use andon_detectors::facts::{CloseFacts, DeadlineFacts, Pane};
use andon_schemas::time::{EventTime, Interval, Span};

use crate::count::{LAST_HOUR, hour_of, start_of};
use crate::device::FLOW_ALLOWANCE;
use crate::engine::Engine;
use crate::output::{Cause, Item, Output, Window};
use crate::plant::DeviceType;
use crate::sign::{Scene, Signer};

/// What is due next for one device. In this order at one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Pane,
    Detectors,
    Stale,
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
        if self.devices.due[slot] > now {
            return;
        }
        while let Some((deadline, due)) = self.next_due(slot).filter(|(at, _)| *at <= now) {
            match due {
                Due::Pane => self.close_next(slot, now, ordinal, output),
                Due::Detectors => self.ask_detectors(slot, deadline, ordinal, output),
                Due::Stale => self.ask_after_it(slot, deadline, ordinal, output),
                Due::Judge => self.ask_judge(slot, deadline, ordinal, output),
            }
        }
        self.rearm(slot);
    }

    fn next_due(&self, slot: usize) -> Option<(EventTime, Due)> {
        [
            (self.pane_due(slot), Due::Pane),
            (self.detectors_due(slot), Due::Detectors),
            (self.stale_due(slot), Due::Stale),
            (self.devices.cold[slot].case.deadline(), Due::Judge),
        ]
        .into_iter()
        .filter(|(at, _)| *at != EventTime::MAX)
        .min()
    }

    fn pane_due(&self, slot: usize) -> EventTime {
        match self.devices.hot[slot].open_from {
            i32::MIN | LAST_HOUR.. => EventTime::MAX,
            hour => start_of(hour + 1),
        }
    }

    /// When the input ends nobody is missed: the detectors that wait for something are not asked.
    fn detectors_due(&self, slot: usize) -> EventTime {
        if self.ending {
            return EventTime::MAX;
        }
        self.devices.cold[slot].detectors_due
    }

    /// Only ticks say that nothing was heard: a flow that comes alone may be ahead of readings that
    /// are still on their way.
    fn stale_due(&self, slot: usize) -> EventTime {
        let due = self.devices.cold[slot].stale_due;
        if due > self.last_tick {
            return EventTime::MAX;
        }
        due
    }

    /// Sets a device's alarm clock to whatever comes first.
    pub(crate) fn rearm(&mut self, slot: usize) {
        let cold = &self.devices.cold[slot];
        self.devices.due[slot] = self
            .pane_due(slot)
            .min(cold.detectors_due)
            .min(cold.stale_due)
            .min(cold.case.deadline());
    }

    /// Closes the oldest open hour; a run of empty hours, up to the next thing that is due,
    /// closes in one step.
    fn close_next(&mut self, slot: usize, now: EventTime, ordinal: u64, output: &mut Output) {
        let horizon = now
            .min(self.detectors_due(slot))
            .min(self.stale_due(slot))
            .min(self.devices.cold[slot].case.deadline());
        let hot = &mut self.devices.hot[slot];
        let hour = hot.open_from;
        let used = hot.take_pane(hour);
        hot.open_from = if used.is_some() {
            hour + 1
        } else {
            let next_used = hot.panes.iter().map(|p| p.hour).filter(|h| *h > hour).min();
            let empty_until = next_used.unwrap_or(LAST_HOUR).min(hour_of(horizon));
            empty_until.max(hour + 1)
        };
        let window = Interval {
            start: start_of(hour),
            end: start_of(hot.open_from),
        };
        let pane = used.unwrap_or(Pane {
            hour,
            ..Pane::default()
        });
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
        let mut hours = self.devices.hot[slot].panes.map(|pane| pane.hour);
        hours.sort_unstable();
        for hour in hours.into_iter().filter(|hour| *hour != i32::MIN) {
            let hot = &mut self.devices.hot[slot];
            let Some(pane) = hot.take_pane(hour) else {
                continue;
            };
            hot.open_from = hour + 1;
            let start = start_of(hour);
            let window = Interval {
                start,
                end: at.clamp(start, start_of(hour + 1)),
            };
            self.close(slot, &pane, window, true, ordinal, output);
        }
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
        let scene = Scene {
            plant: &self.plant,
            id: &self.devices.ids[slot],
            place: self.devices.places[slot],
        };
        let device_type = scene.device_type();
        let cold = &mut self.devices.cold[slot];
        let facts = CloseFacts {
            device: scene.facts(),
            pane,
            window,
            active_share: active_share(device_type, window),
            partial,
        };
        if self.tells_windows {
            let told = Window {
                device: scene.id.clone(),
                pane: *pane,
                span: window,
                partial,
            };
            let cause = Cause {
                ordinal,
                deadline: window.end,
                device: scene.id.clone(),
            };
            output.items.push((cause, Item::Window(Box::new(told))));
        }
        // A device that is gone for longer than a day is not being watched.
        self.counts.device_hours += facts.hours().clamp(1, 24).unsigned_abs();
        let mut signer = Signer::without_row(
            scene,
            &mut cold.case,
            window,
            ordinal,
            &mut self.counts.in_maintenance,
        );
        let states = &mut cold.states;
        device_type.plans.on_close(states, &facts, &mut signer);
        self.conclude(slot, window.end, Some(window));
        self.settle(slot, ordinal, window.end, output);
    }

    /// Tells the risk of listed devices once more whose moment lies between two ticks.
    pub(crate) fn heartbeats(
        &self,
        (before, at): (EventTime, EventTime),
        ordinal: u64,
        output: &mut Output,
    ) {
        let site = &self.plant.inventory.site;
        for (slot, place) in self.devices.places.iter().enumerate() {
            if !place.beats_between(before, at) {
                continue;
            }
            let Some(listed) = self.plant.listed(*place) else {
                continue;
            };
            let now = self.devices.hot[slot].last_seen().max(at);
            let cold = &self.devices.cold[slot];
            if let Some(told) = cold.case.told_risk(listed, site, now) {
                let cause = Cause {
                    ordinal,
                    deadline: at,
                    device: listed.id.clone(),
                };
                output.items.push((cause, Item::Heartbeat(told)));
            }
        }
    }

    fn ask_detectors(
        &mut self,
        slot: usize,
        deadline: EventTime,
        ordinal: u64,
        output: &mut Output,
    ) {
        let scene = Scene {
            plant: &self.plant,
            id: &self.devices.ids[slot],
            place: self.devices.places[slot],
        };
        let last_seen = self.devices.hot[slot].last_seen();
        let detectors = &scene.device_type().plans;
        let cold = &mut self.devices.cold[slot];
        let facts = DeadlineFacts {
            device: scene.facts(),
            now: deadline,
            last_seen,
            excused: scene.maintenance(deadline).is_some(),
        };
        let window = Interval {
            start: last_seen.min(deadline),
            end: deadline,
        };
        let mut signer = Signer::without_row(
            scene,
            &mut cold.case,
            window,
            ordinal,
            &mut self.counts.in_maintenance,
        );
        detectors.on_deadline(&mut cold.states, &facts, &mut signer);
        cold.ask_after(deadline, detectors, &facts.device, last_seen);
        self.conclude(slot, deadline, None);
        self.settle(slot, ordinal, deadline, output);
    }

    /// Whether nothing is known of a device any more at a moment, as far as the ticks have come: its
    /// own rows say nothing of the rows that are missing.
    pub(crate) fn is_stale(&self, slot: usize, at: EventTime) -> bool {
        let last_seen = self.devices.hot[slot].last_seen();
        let now = at.min(self.last_tick);
        // Of whoever only came late nothing has been heard yet.
        if last_seen == EventTime::MIN {
            return true;
        }
        let device_type = self.plant.device_type(self.devices.places[slot]);
        // Nearly always it was heard of just before, and no calendar has to be looked into.
        let is_past = (now + Span::from_micros(1)).since(last_seen) >= device_type.patience;
        is_past && now >= device_type.stale_from(last_seen)
    }

    /// Nothing is known of a device any more, unless a row came since this moment was set: that is
    /// told at once where there is nothing worse to tell.
    fn ask_after_it(
        &mut self,
        slot: usize,
        deadline: EventTime,
        ordinal: u64,
        output: &mut Output,
    ) {
        let last_seen = self.devices.hot[slot].last_seen();
        let device_type = self.plant.device_type(self.devices.places[slot]);
        let due = device_type.stale_from(last_seen);
        self.devices.cold[slot].stale_due = due;
        if due <= deadline {
            self.devices.cold[slot].stale_due = EventTime::MAX;
            self.settle(slot, ordinal, deadline, output);
        }
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

#[cfg(test)]
mod tests;
