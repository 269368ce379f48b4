//! Stage 2 to 3: a row is observed, counted into its pane, and shown to the detectors.

use andon_detectors::facts::{
    AttestationFacts, CELLS, ClaimFacts, FlowFacts, Pane, ReadingFacts, RowFacts,
};
use andon_schemas::bundle::{Bundle, RowRef};
use andon_schemas::columns::{FlowRow, HeaderRow};
use andon_schemas::observation::{ConnState, Kind, Role};
use andon_schemas::reject::RejectReason;
use andon_schemas::time::{EventTime, Interval, Span};

use crate::device::{Cold, Hot};
use crate::engine::Engine;
use crate::flows::Increment;
use crate::output::{Counts, Output};
use crate::plant::DeviceType;
use crate::sign::{FlowKey, Scene, Signer};

/// The hour that a moment lies in, counted from the epoch.
#[expect(
    clippy::cast_possible_truncation,
    reason = "hours since the epoch fit i32 by clamping"
)]
pub(crate) fn hour_of(at: EventTime) -> i32 {
    at.micros()
        .div_euclid(Span::HOUR.micros())
        .clamp(i64::from(i32::MIN) + 2, i64::from(i32::MAX) - 2) as i32
}

/// When an hour begins.
pub(crate) fn start_of(hour: i32) -> EventTime {
    EventTime::from_micros(i64::from(hour).saturating_mul(Span::HOUR.micros()))
}

/// What a flow row was worked out to be.
struct Seen {
    destination: Option<u8>,
    protocol: Option<u8>,
    peer_expected: bool,
    in_hours: bool,
    increment: Increment,
}

impl Engine {
    /// Shows one accepted row to the detectors.
    pub(crate) fn look(
        &mut self,
        slot: usize,
        bundle: &Bundle,
        row: RowRef,
        header: &HeaderRow,
        late: bool,
        output: &mut Output,
    ) {
        let at = header.event_time;
        let plant = self.plant.clone();
        let (id, place) = (self.devices.ids[slot].clone(), self.devices.places[slot]);
        let scene = Scene {
            plant: &plant,
            id: &id,
            place,
        };
        let hot = &mut self.devices.hot[slot];
        let cold = &mut self.devices.cold[slot];
        let device_type = plant.device_type(place);
        let index = row.row as usize;
        if hot.last_seen() == EventTime::MIN {
            cold.first_hour = hour_of(at);
        }
        let flow = (row.kind == Kind::Flow).then(|| bundle.flows.row(index));
        let seen = match &flow {
            Some(flow) => match observe(device_type, hot, cold, &mut self.counts, flow, at, late) {
                Some(seen) => Some(seen),
                None => {
                    self.counts.duplicates += 1;
                    return;
                }
            },
            None => None,
        };
        if !late {
            let clock = &mut hot.clocks[row.kind as usize];
            *clock = at.max(*clock);
        }
        self.counts.observations += 1;
        let device = plant.facts(&id, place);
        let source = || Some(bundle.header(row.kind).source(index));
        let mut signer = Signer {
            scene,
            case: &mut cold.case,
            at,
            window: Interval {
                start: flow.map_or(at, |f| f.start.min(at)),
                end: at,
            },
            role: flow.map(|f| f.role),
            proven: header.proven,
            flow: flow.map(|f| FlowKey {
                peer: f.peer,
                transport: f.transport,
                port: f.port,
            }),
            cause: row.ordinal,
            source: &source,
            in_maintenance: &mut self.counts.in_maintenance,
        };
        let (plans, states) = (&device_type.plans, &mut cold.states);
        plans.on_row(
            states,
            &RowFacts {
                device,
                kind: row.kind,
                at,
                late,
            },
            &mut signer,
        );
        match row.kind {
            Kind::Flow => {
                if let (Some(flow), Some(seen)) = (flow, seen) {
                    let pane = if late {
                        None
                    } else {
                        open_pane(hot, hour_of(at))
                    };
                    let facts = FlowFacts {
                        device,
                        flow,
                        at,
                        destination: seen.destination,
                        protocol: seen.protocol,
                        peer_expected: seen.peer_expected,
                        up: seen.increment.up,
                        down: seen.increment.down,
                        first: seen.increment.first,
                        in_hours: seen.in_hours
                            || plant.maintenance(id.as_str(), place, flow.start).is_some(),
                        late,
                        pane,
                    };
                    plans.on_flow(states, &facts, &mut signer);
                }
            }
            Kind::Reading => {
                let in_hours = device_type.baseline.active_at(at)
                    || plant.maintenance(id.as_str(), place, at).is_some();
                let reading = bundle.readings.row(index);
                let facts = ReadingFacts {
                    device,
                    reading,
                    at,
                    in_hours,
                    late,
                };
                plans.on_reading(states, &facts, &mut signer);
            }
            Kind::Attestation => {
                let declared = plant.maintenance(id.as_str(), place, at);
                let facts = AttestationFacts {
                    device,
                    attestation: bundle.attestations.row(index),
                    at,
                    maintenance_version: declared.and_then(|m| m.firmware.as_deref()),
                };
                plans.on_attestation(states, &facts, &mut signer);
            }
            Kind::Resolution => learn_name(scene, cold, bundle, index, at),
        }
        if cold.detectors_due == EventTime::MAX {
            cold.detectors_due = plans.deadline(&cold.states, &device, hot.last_seen());
        }
        self.conclude(slot, at, None);
        self.rearm(slot);
        self.settle(slot, row.ordinal, EventTime::MAX, output);
    }

    /// A row in which the slot's device, the sender, spoke for somebody else: refused, and shown
    /// to the detectors of the sender.
    pub(crate) fn claim(&mut self, slot: usize, bundle: &Bundle, row: RowRef, output: &mut Output) {
        let index = row.row as usize;
        let header = bundle.header(row.kind).row(index);
        let plant = self.plant.clone();
        let (id, place) = (self.devices.ids[slot].clone(), self.devices.places[slot]);
        let detail = format!("sender `{id}` may not speak for `{}`", header.device);
        self.refuse(bundle, row, RejectReason::WrongSender, &detail, output);
        let cold = &mut self.devices.cold[slot];
        let at = header.event_time;
        let source = || Some(bundle.header(row.kind).source(index));
        let mut signer = Signer {
            scene: Scene {
                plant: &plant,
                id: &id,
                place,
            },
            case: &mut cold.case,
            at,
            window: Interval { start: at, end: at },
            role: None,
            proven: header.proven,
            flow: None,
            cause: row.ordinal,
            source: &source,
            in_maintenance: &mut self.counts.in_maintenance,
        };
        let facts = ClaimFacts {
            device: plant.facts(&id, place),
            claimed: header.device,
            kind: row.kind,
            at,
        };
        plant
            .device_type(place)
            .plans
            .on_claim(&mut cold.states, &facts, &mut signer);
        self.conclude(slot, at, None);
        self.rearm(slot);
        self.settle(slot, row.ordinal, EventTime::MAX, output);
    }
}

fn open_pane(hot: &Hot, hour: i32) -> Option<&Pane> {
    hot.panes.iter().find(|pane| pane.hour == hour)
}

/// Works out what a flow is and counts it; `None` if it was told before.
fn observe(
    device_type: &DeviceType,
    hot: &mut Hot,
    cold: &mut Cold,
    counts: &mut Counts,
    flow: &FlowRow,
    at: EventTime,
    late: bool,
) -> Option<Seen> {
    let mut increment = Increment {
        up: flow.up.unwrap_or(0),
        down: flow.down.unwrap_or(0),
        from: flow.start,
        first: true,
        evicted: false,
    };
    if let Some(uid) = flow.uid {
        if !cold
            .recent_flows
            .get_or_insert_default()
            .admit(uid, flow, at)
        {
            return None;
        }
        if flow.interim || cold.open_flows.is_some() {
            increment = cold.open_flows.get_or_insert_default().tell(uid, flow, at);
            counts.flows_evicted += u64::from(increment.evicted);
        }
    }
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
    if !late {
        count(device_type, hot, counts, flow, &seen, at);
    }
    Some(seen)
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
    let hour = hour_of(at);
    let counted = device_type
        .baseline
        .profile
        .volume
        .is_none_or(|v| v.bytes == flow.bytes);
    if let Some(pane) = hot.pane_mut(hour) {
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
        spread(hot, counts, &seen.increment, at);
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

/// Spreads bytes evenly over the time in which they moved. Parts that fall into closed panes are
/// counted and left out.
fn spread(hot: &mut Hot, counts: &mut Counts, increment: &Increment, at: EventTime) {
    let Increment { up, down, from, .. } = *increment;
    let (first, last) = (hour_of(from), hour_of(at));
    let duration = at.since(from).micros();
    if first >= last || duration <= 0 {
        match hot.pane_mut(last) {
            Some(pane) => {
                pane.up = pane.up.saturating_add(up);
                pane.down = pane.down.saturating_add(down);
            }
            None => counts.spread_late += 1,
        }
        return;
    }
    // At most two panes are open: everything before them is one late part.
    let oldest = first.max(hot.open_from).max(last - 1);
    counts.spread_late += u64::from(oldest > first);
    for hour in oldest..=last {
        let inside = at
            .min(start_of(hour + 1))
            .since(from.max(start_of(hour)))
            .micros();
        if let Some(pane) = hot.pane_mut(hour) {
            pane.up = pane.up.saturating_add(part(up, inside, duration));
            pane.down = pane.down.saturating_add(part(down, inside, duration));
        }
    }
}

/// `total · inside / duration`, in whole bytes.
#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "0 <= inside <= duration"
)]
fn part(total: u64, inside: i64, duration: i64) -> u64 {
    (u128::from(total) * inside.max(0) as u128 / duration.max(1) as u128) as u64
}

/// Remembers a DNS answer: from a server with the DNS role, for a name the profile uses, never for
/// a name under the plant's own zones.
fn learn_name(scene: Scene, cold: &mut Cold, bundle: &Bundle, index: usize, at: EventTime) {
    let answer = bundle.resolutions.row(index);
    let inventory = &scene.plant.inventory;
    let server = inventory.at_address(andon_schemas::identity::address_of_key(answer.server));
    if !server.is_some_and(|server| server.roles.iter().any(|role| role == "dns"))
        || inventory.owns_name(answer.name)
    {
        return;
    }
    let baseline = &scene.plant.device_type(scene.place).baseline;
    if let Some(cell) = baseline.destination_named(answer.name) {
        cold.names.get_or_insert_default().learn(&answer, cell, at);
    }
}
