//! Stage 2 to 3: a row is observed, counted into its pane, and shown to the detectors.

use andon_detectors::catalog::{Plans, States};
use andon_detectors::facts::{
    AttestationFacts, FlowFacts, ReadingFacts, ResolutionFacts, RowFacts,
};
use andon_schemas::bundle::Bundle;
use andon_schemas::columns::FlowRow;
use andon_schemas::identity::address_of_key;
use andon_schemas::observation::Kind;
use andon_schemas::time::{EventTime, Interval};

use crate::count::{Seen, Standing, hour_of, observe};
use crate::device::{Cold, Hot};
use crate::engine::Engine;
use crate::group::Taken;
use crate::output::Output;
use crate::sign::{FlowKey, Scene, Signer};

/// A row and the circumstances it is looked at in.
#[derive(Clone, Copy)]
struct Look<'a> {
    scene: Scene<'a>,
    bundle: &'a Bundle,
    /// Its number in the batch of its kind.
    index: usize,
    at: EventTime,
    /// It came after its windows may have closed, or must not enter them.
    late: bool,
}

impl Engine {
    /// Shows one accepted row, with the flow in it if it is one, to the detectors.
    pub(crate) fn look(
        &mut self,
        slot: usize,
        bundle: &Bundle,
        taken: &Taken,
        standing: Standing,
        output: &mut Output,
    ) {
        let (row, header) = (taken.row, &taken.header);
        let late = standing != Standing::InTime;
        let marks = standing.leaves_a_mark(row.kind);
        let look = Look {
            scene: Scene {
                plant: &self.plant,
                id: &self.devices.ids[slot],
                place: self.devices.places[slot],
            },
            bundle,
            index: row.row as usize,
            at: header.event_time,
            late,
        };
        let device_type = look.scene.device_type();
        let plans = &device_type.plans;
        let hot = &mut self.devices.hot[slot];
        let cold = &mut self.devices.cold[slot];
        if hot.last_seen() == EventTime::MIN {
            cold.first_hour = hour_of(look.at);
        }
        let flow = taken.flow.as_ref().map(|flow| {
            let seen = observe(
                device_type,
                hot,
                cold,
                &mut self.counts,
                flow,
                look.at,
                standing,
            );
            (flow, seen)
        });
        if !late {
            let clock = &mut hot.clocks[row.kind as usize];
            *clock = look.at.max(*clock);
        }
        self.counts.observations += 1;
        let source = || Some(bundle.header(row.kind).source(look.index));
        let mut signer = Signer {
            scene: look.scene,
            case: &mut cold.case,
            at: look.at,
            window: Interval {
                start: flow.map_or(look.at, |(flow, _)| flow.start.min(look.at)),
                end: look.at,
            },
            role: flow.map(|(flow, _)| flow.role),
            proven: header.proven,
            deaf: !marks,
            flow: flow.map(|(flow, _)| FlowKey::of(flow)),
            cause: row.ordinal,
            source: &source,
            in_maintenance: &mut self.counts.in_maintenance,
        };
        if marks {
            look.show(plans, &mut cold.states, row.kind, flow, hot, &mut signer);
        } else {
            let mut aside = cold.states.clone();
            look.show(plans, &mut aside, row.kind, flow, hot, &mut signer);
        }
        if row.kind == Kind::Resolution && marks {
            look.learn_name(cold);
        }
        if !late {
            cold.hear(device_type, &look.scene.facts(), hot.last_seen());
        }
        self.conclude(slot, header.event_time, None);
        self.settle(slot, row.ordinal, EventTime::MAX, output);
        self.rearm(slot);
    }
}

impl Look<'_> {
    fn show(
        &self,
        plans: &Plans,
        states: &mut States,
        kind: Kind,
        flow: Option<(&FlowRow, Seen)>,
        hot: &Hot,
        signer: &mut Signer,
    ) {
        let Self { at, late, .. } = *self;
        let device = self.scene.facts();
        let facts = RowFacts {
            device,
            kind,
            at,
            late,
        };
        plans.on_row(states, &facts, signer);
        match kind {
            Kind::Flow => {
                if let Some((flow, seen)) = flow {
                    plans.on_flow(states, &self.flow(flow, seen, hot), signer);
                }
            }
            Kind::Reading => {
                let active = device.baseline.active_at(at);
                let excused = !active && self.scene.maintenance(at).is_some();
                let facts = ReadingFacts {
                    device,
                    reading: self.bundle.readings.row(self.index),
                    at,
                    in_hours: active || excused,
                    excused,
                    late,
                };
                plans.on_reading(states, &facts, signer);
            }
            Kind::Attestation => {
                let declared = self.scene.maintenance(at);
                let facts = AttestationFacts {
                    device,
                    attestation: self.bundle.attestations.row(self.index),
                    at,
                    maintenance_version: declared.and_then(|m| m.firmware.as_deref()),
                };
                plans.on_attestation(states, &facts, signer);
            }
            Kind::Resolution => {
                let facts = ResolutionFacts {
                    device,
                    answer: self.bundle.resolutions.row(self.index),
                    at,
                };
                plans.on_resolution(states, &facts, signer);
            }
        }
    }

    fn flow<'a>(&'a self, flow: &FlowRow<'a>, seen: Seen, hot: &'a Hot) -> FlowFacts<'a> {
        let excused = !seen.in_hours && self.scene.maintenance(flow.start).is_some();
        FlowFacts {
            device: self.scene.facts(),
            flow: *flow,
            at: self.at,
            destination: seen.destination,
            protocol: seen.protocol,
            peer_expected: seen.peer_expected,
            up: seen.increment.up,
            down: seen.increment.down,
            first: seen.increment.first,
            in_hours: seen.in_hours || excused,
            excused,
            late: self.late,
            pane: if self.late {
                None
            } else {
                hot.open_pane(hour_of(self.at))
            },
        }
    }

    /// Remembers a DNS answer: from a server with the DNS role, for a name the profile uses, never
    /// for a name under the plant's own zones.
    fn learn_name(&self, cold: &mut Cold) {
        let answer = self.bundle.resolutions.row(self.index);
        let inventory = &self.scene.plant.inventory;
        let server = inventory.at_address(address_of_key(answer.server));
        if !server.is_some_and(|server| server.roles.iter().any(|role| role == "dns"))
            || inventory.owns_name(answer.name)
        {
            return;
        }
        let baseline = &self.scene.device_type().baseline;
        if let Some(cell) = baseline.destination_named(answer.name) {
            let names = cold.names.get_or_insert_default();
            names.learn(&answer, cell, self.at);
        }
    }
}

#[cfg(test)]
mod tests;
