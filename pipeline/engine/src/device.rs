//! What the engine remembers of one device: a hot block for what every row touches, a cold block
//! for the rest.

use andon_detectors::catalog::{Plans, States};
use andon_detectors::facts::{DeviceFacts, Pane};
use andon_schemas::observation::Kind;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

use crate::flows::{OpenFlows, RecentFlows};
use crate::judge::Case;
use crate::names::Names;
use crate::plant::DeviceType;

/// How far behind its own clock a row of a kind may come and still be in time.
pub const fn allowance(kind: Kind) -> Span {
    match kind {
        Kind::Flow => FLOW_ALLOWANCE,
        Kind::Reading | Kind::Attestation | Kind::Resolution => Span::from_secs(30),
    }
}

/// Zeek writes an idle connection five minutes after its last packet.
pub const FLOW_ALLOWANCE: Span = Span::from_secs(360);

/// What every row touches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[repr(C, align(64))]
pub(crate) struct Hot {
    /// Largest accepted event time of each kind.
    pub(crate) clocks: [EventTime; 4],
    /// The first hour that has not closed.
    pub(crate) open_from: i32,
    /// The open panes, at their hour's parity: two hours are open at most, because the allowance
    /// is shorter than an hour.
    pub(crate) panes: [Pane; 2],
}

/// A pane that is not in use.
fn unused() -> Pane {
    Pane {
        hour: i32::MIN,
        ..Pane::default()
    }
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            clocks: [EventTime::MIN; 4],
            open_from: i32::MIN,
            panes: [unused(); 2],
        }
    }
}

impl Hot {
    /// Event time of the newest accepted row of any kind.
    pub(crate) fn last_seen(&self) -> EventTime {
        self.clocks.iter().copied().max().unwrap_or(EventTime::MIN)
    }

    /// The pane of an hour, if it is open and in use.
    pub(crate) fn open_pane(&self, hour: i32) -> Option<&Pane> {
        self.panes.iter().find(|pane| pane.hour == hour)
    }

    /// The newest hour that is in use, or the first that has not closed.
    pub(crate) fn newest_hour(&self) -> i32 {
        let used = self.panes.iter().map(|pane| pane.hour).max();
        used.map_or(self.open_from, |hour| hour.max(self.open_from))
    }

    /// Forgets which destinations and protocols were used in the open hours.
    pub(crate) fn forget_cells(&mut self) {
        for pane in &mut self.panes {
            pane.destinations = Default::default();
            pane.protocols = Default::default();
        }
    }

    /// Takes the pane of an hour out of use.
    pub(crate) fn take_pane(&mut self, hour: i32) -> Option<Pane> {
        let pane = self.panes.iter_mut().find(|pane| pane.hour == hour)?;
        Some(std::mem::replace(pane, unused()))
    }

    /// The open pane of an hour, made anew if the hour is open and not in use yet.
    pub(crate) fn pane_mut(&mut self, hour: i32) -> Option<&mut Pane> {
        if hour < self.open_from {
            return None;
        }
        let pane = &mut self.panes[hour.rem_euclid(2) as usize];
        if pane.hour == i32::MIN {
            *pane = Pane {
                hour,
                ..Pane::default()
            };
        }
        (pane.hour == hour).then_some(pane)
    }
}

/// The rest: what every row touches of it lies together at its head.
#[derive(Clone, Serialize, Deserialize)]
#[repr(C, align(64))]
pub(crate) struct Cold {
    /// The next moment a detector wants to be asked at; [`EventTime::MAX`] if none does.
    pub(crate) detectors_due: EventTime,
    /// The next moment at which it may turn out that nothing has been heard of it for too long;
    /// [`EventTime::MAX`] from when that is so until the next row in time.
    pub(crate) stale_due: EventTime,
    /// What [`Hot::last_seen`] was when the detectors' moment was set.
    pub(crate) asked_since: EventTime,
    /// Totals of flows that have not ended.
    pub(crate) open_flows: Option<Box<OpenFlows>>,
    /// Fingerprints of flows that ended lately.
    pub(crate) recent_flows: Option<Box<RecentFlows>>,
    /// Names it resolved.
    pub(crate) names: Option<Box<Names>>,
    /// The hour in which it was first seen: no statement about too little there.
    pub(crate) first_hour: i32,
    /// Kinds of which a proven row was accepted, as bits.
    pub(crate) proven_kinds: u8,
    /// The row that named it first was proven.
    pub(crate) named_by_proven: bool,
    /// Nothing was heard between the last two times the detectors were asked.
    pub(crate) asked_again: bool,
    /// What the judge knows.
    pub(crate) case: Case,
    /// Sender's numbers seen, per kind.
    pub(crate) numbers: [NumberWindow; 4],
    /// What every detector remembers.
    pub(crate) states: States,
}

impl Cold {
    /// Nothing is remembered yet of a device that a row, `proven` or not, just named.
    pub(crate) fn named_by(proven: bool) -> Self {
        Self {
            states: States::default(),
            numbers: [NumberWindow::default(); 4],
            open_flows: None,
            recent_flows: None,
            names: None,
            proven_kinds: 0,
            named_by_proven: proven,
            case: Case::default(),
            first_hour: i32::MIN,
            detectors_due: EventTime::MAX,
            stale_due: EventTime::MAX,
            asked_since: EventTime::MIN,
            asked_again: false,
        }
    }

    /// A row came in time: what waits for one to be missing is set, unless it is due before.
    pub(crate) fn hear(
        &mut self,
        device_type: &DeviceType,
        device: &DeviceFacts,
        last_seen: EventTime,
    ) {
        if self.detectors_due == EventTime::MAX || self.asked_again {
            self.ask_from(&device_type.plans, device, last_seen);
        }
        if self.stale_due == EventTime::MAX {
            self.stale_due = device_type.stale_from(last_seen);
        }
    }

    /// Asks the detectors when they want to be asked next.
    pub(crate) fn ask_from(&mut self, plans: &Plans, device: &DeviceFacts, last_seen: EventTime) {
        self.detectors_due = plans.deadline(&self.states, device, last_seen);
        self.asked_since = last_seen;
        self.asked_again = false;
    }

    /// The same after they were asked at `deadline`. The longer nothing is heard of a device, the
    /// less often they are asked, each time after twice the time: a gap of years costs a few
    /// dozen questions.
    pub(crate) fn ask_after(
        &mut self,
        deadline: EventTime,
        plans: &Plans,
        device: &DeviceFacts,
        last_seen: EventTime,
    ) {
        let again = self.asked_since == last_seen;
        self.ask_from(plans, device, last_seen);
        let pause = if again {
            deadline.since(last_seen)
        } else {
            Span::default()
        };
        // A detector that asks for the past would be asked for ever.
        let next = deadline + pause.max(Span::from_micros(1));
        self.detectors_due = self.detectors_due.max(next);
        self.asked_again = again;
    }
}

/// Which of a sender's numbers have been seen: the newest, and the 63 before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberWindow {
    newest: u64,
    /// Bit `n`: `newest − n` was seen. 0 before the first.
    seen: u64,
}

impl NumberWindow {
    /// Takes a number; `false` if it was seen before. A number more than 63 behind whose row is
    /// `newer` than everything before is a sender that started again.
    pub(crate) fn admit(&mut self, number: u64, newer: bool) -> bool {
        if self.seen == 0 || number > self.newest {
            let ahead = if self.seen == 0 {
                64
            } else {
                number - self.newest
            };
            self.seen = if ahead > 63 {
                1
            } else {
                self.seen << ahead | 1
            };
            self.newest = number;
            return true;
        }
        let behind = self.newest - number;
        if behind > 63 {
            if newer {
                *self = Self {
                    newest: number,
                    seen: 1,
                };
            }
            return newer;
        }
        let fresh = self.seen >> behind & 1 == 0;
        self.seen |= 1 << behind;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_admitted_once_in_any_order() {
        let mut window = NumberWindow::default();
        for (number, fresh) in [
            (10, true),
            (10, false),
            (12, true),
            (11, true),
            (11, false),
            (75, true),
            (12, false),
        ] {
            assert_eq!(window.admit(number, false), fresh, "{number}");
        }
    }

    #[test]
    fn a_sender_that_starts_again_is_told_from_a_straggler() {
        let mut window = NumberWindow::default();
        assert!(window.admit(1_000, true));
        assert!(!window.admit(5, false));
        assert!(window.admit(0, true));
        assert!(window.admit(1, true));
        assert!(!window.admit(1, true));
    }

    #[test]
    fn number_zero_is_a_number() {
        let mut window = NumberWindow::default();
        assert!(window.admit(0, true));
        assert!(!window.admit(0, true));
    }
}
