//! Stage 2: what a flow is, by its profile, and what it adds to the panes of its hours.

use andon_detectors::facts::{CELLS, Pane};
use andon_schemas::columns::FlowRow;
use andon_schemas::observation::{ConnState, Kind, Role};
use andon_schemas::time::{EventTime, Span};

use crate::device::{Cold, Hot};
use crate::flows::Increment;
use crate::output::Counts;
use crate::plant::DeviceType;

/// The last hour there is: nothing ever ends it.
pub(crate) const LAST_HOUR: i32 = i32::MAX - 2;
/// The first hour there is.
const FIRST_HOUR: i32 = i32::MIN + 2;

/// The hour that a moment lies in, counted from the epoch. Moments more than 245,000 years away
/// lie in the first or the last one.
pub(crate) fn hour_of(at: EventTime) -> i32 {
    let hour = at.micros().div_euclid(Span::HOUR.micros());
    i32::try_from(hour.clamp(i64::from(FIRST_HOUR), i64::from(LAST_HOUR))).unwrap_or(LAST_HOUR)
}

/// When an hour begins.
pub(crate) fn start_of(hour: i32) -> EventTime {
    EventTime::from_micros(i64::from(hour) * Span::HOUR.micros())
}

/// How a row stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In time.
    InTime,
    /// After its windows may have closed.
    Late,
    /// An unproven row about a device that proves itself.
    Apart,
}

impl Standing {
    /// Whether what the device is remembered by may change. A row that stands apart changes
    /// nothing; a firmware report that comes late says what was, not what is.
    pub(crate) fn leaves_a_mark(self, kind: Kind) -> bool {
        match self {
            Self::InTime => true,
            Self::Late => kind != Kind::Attestation,
            Self::Apart => false,
        }
    }
}

/// What a flow row was worked out to be.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) destination: Option<u8>,
    pub(crate) protocol: Option<u8>,
    pub(crate) peer_expected: bool,
    pub(crate) in_hours: bool,
    pub(crate) increment: Increment,
}

/// Works out what a flow is and, if it is in time, counts it.
pub(crate) fn observe(
    device_type: &DeviceType,
    hot: &mut Hot,
    cold: &mut Cold,
    counts: &mut Counts,
    flow: &FlowRow,
    at: EventTime,
    standing: Standing,
) -> Seen {
    let increment = match flow.uid {
        Some(uid) if standing != Standing::Apart && (flow.interim || cold.open_flows.is_some()) => {
            let increment = cold.open_flows.get_or_insert_default().tell(uid, flow, at);
            counts.flows_evicted += u64::from(increment.evicted);
            increment
        }
        _ => Increment::whole(flow),
    };
    let baseline = &device_type.baseline;
    let destination = baseline.destination(flow.peer).or_else(|| {
        cold.names
            .as_ref()
            .and_then(|names| names.find(flow.peer, flow.start))
    });
    let seen = Seen {
        destination,
        protocol: baseline.protocol(flow.transport, flow.port, flow.service),
        peer_expected: destination.is_some()
            || flow.role == Role::Responder && baseline.may_connect(flow.peer),
        in_hours: baseline.active_at(flow.start),
        increment,
    };
    if standing == Standing::InTime {
        count(device_type, hot, counts, flow, &seen, at);
    }
    seen
}

/// Adds a flow to the pane of its end, and its bytes to the panes of its duration.
fn count(
    device_type: &DeviceType,
    hot: &mut Hot,
    counts: &mut Counts,
    flow: &FlowRow,
    seen: &Seen,
    at: EventTime,
) {
    let kind = device_type.baseline.profile.counted_bytes();
    let counted = kind.is_none_or(|kind| kind == flow.bytes);
    if let Some(pane) = hot.pane_mut(hour_of(at)) {
        if seen.increment.first {
            match flow.role {
                Role::Originator => open_connection(pane, flow, seen),
                Role::Responder => pane.accepted = pane.accepted.saturating_add(1),
            }
        }
        if !counted {
            pane.other_bytes = pane.other_bytes.saturating_add(1);
        }
    }
    if counted {
        counts.spread_late += u64::from(spread(hot, &seen.increment, at));
    }
}

fn open_connection(pane: &mut Pane, flow: &FlowRow, seen: &Seen) {
    pane.opened = pane.opened.saturating_add(1);
    if matches!(flow.state, ConnState::Attempt | ConnState::Rejected) {
        pane.failed = pane.failed.saturating_add(1);
    }
    let cell = |cell: Option<u8>| usize::from(cell.unwrap_or(u8::MAX)).min(CELLS - 1);
    let destination = &mut pane.destinations[cell(seen.destination)];
    *destination = destination.saturating_add(1);
    let protocol = &mut pane.protocols[cell(seen.protocol)];
    *protocol = protocol.saturating_add(1);
}

/// Spreads bytes evenly over the time in which they moved. A part that falls into closed panes is
/// left out; says whether there was one.
fn spread(hot: &mut Hot, increment: &Increment, at: EventTime) -> bool {
    let Increment { up, down, from, .. } = *increment;
    let (first, last) = (hour_of(from), hour_of(at));
    let duration = at.since(from).micros();
    if first >= last || duration <= 0 {
        let Some(pane) = hot.pane_mut(last) else {
            return true;
        };
        pane.up = pane.up.saturating_add(up);
        pane.down = pane.down.saturating_add(down);
        return false;
    }
    // At most two panes are open: everything before them is one late part.
    let oldest = first.max(hot.open_from).max(last - 1);
    for hour in oldest..=last {
        let Some(pane) = hot.pane_mut(hour) else {
            continue;
        };
        // Parts are cut from the whole by their ends, so that they add up to it.
        let until = at.min(start_of(hour + 1)).since(from).micros();
        let since = start_of(hour).since(from).micros().max(0);
        let share = |total| part(total, until, duration) - part(total, since, duration);
        pane.up = pane.up.saturating_add(share(up));
        pane.down = pane.down.saturating_add(share(down));
    }
    oldest > first
}

/// `total · inside / duration`, in whole bytes; 0 ≤ `inside` ≤ `duration`.
fn part(total: u64, inside: i64, duration: i64) -> u64 {
    let (inside, duration) = (inside.unsigned_abs(), duration.unsigned_abs().max(1));
    let part = u128::from(total) * u128::from(inside) / u128::from(duration);
    u64::try_from(part).unwrap_or(total)
}

#[cfg(test)]
mod tests;
