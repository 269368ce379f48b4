//! Beside stage 2: rows that are not applied to the device they name. They are written out with
//! their reason, and whoever they tell something about is judged by them.

use andon_detectors::catalog::{Plans, States};
use andon_detectors::facts::{ClaimFacts, DeviceFacts, ShedFacts};
use andon_schemas::bundle::{Bundle, RowRef};
use andon_schemas::identity::DeviceId;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::{EventTime, Interval};

use crate::engine::{Engine, FAR_FUTURE};
use crate::output::{Cause, Item, Output, Refusal};
use crate::sign::{Scene, Signer};

impl Engine {
    pub(crate) fn refuse(
        &mut self,
        bundle: &Bundle,
        row: RowRef,
        reason: RejectReason,
        detail: &str,
        output: &mut Output,
    ) {
        self.counts.refused += 1;
        let columns = bundle.header(row.kind);
        let header = columns.row(row.row as usize);
        let refusal = Refusal {
            reason,
            detail: detail.to_owned(),
            source: columns.source(row.row as usize),
            device: header.device.to_owned(),
            received_at: header.received_at,
        };
        let device = DeviceId::new(header.device)
            .unwrap_or_else(|_| DeviceId::of_address(std::net::Ipv6Addr::UNSPECIFIED.into()));
        let cause = Cause {
            ordinal: row.ordinal,
            deadline: EventTime::MAX,
            device,
        };
        output.items.push((cause, Item::Refusal(refusal)));
    }

    /// A row in which the slot's device, the sender, spoke for somebody else: refused, and shown
    /// to the detectors of the sender.
    pub(crate) fn claim(&mut self, slot: usize, bundle: &Bundle, row: RowRef, output: &mut Output) {
        let header = bundle.header(row.kind).row(row.row as usize);
        let detail = format!(
            "sender `{}` may not speak for `{}`",
            self.devices.ids[slot], header.device
        );
        self.refuse(bundle, row, RejectReason::WrongSender, &detail, output);
        let hold_against =
            |plans: &Plans, states: &mut States, device: DeviceFacts, signer: &mut Signer| {
                let facts = ClaimFacts {
                    device,
                    claimed: header.device,
                    kind: row.kind,
                    at: header.event_time,
                };
                plans.on_claim(states, &facts, signer);
            };
        self.judge_by(slot, bundle, row, hold_against, output);
    }

    /// A row about a device that there is no room to watch: refused, and shown to the detectors of
    /// the one that stands for all such devices.
    pub(crate) fn shed(&mut self, name: &str, bundle: &Bundle, row: RowRef, output: &mut Output) {
        let proven = bundle.header(row.kind).row(row.row as usize).proven;
        let watched = *self.devices.room.strangers_beside(name, proven);
        let detail = format!(
            "no room to watch `{name}`: {watched} devices of its share of the ids are watched that \
             are not in the inventory"
        );
        self.refuse(bundle, row, RejectReason::Shed, &detail, output);
        let Some(slot) = self.devices.enter_crowd_beside(name, &self.plant) else {
            return;
        };
        self.pass_to(slot as usize, row.ordinal, output);
        let header = bundle.header(row.kind).row(row.row as usize);
        let tell =
            |plans: &Plans, states: &mut States, device: DeviceFacts, signer: &mut Signer| {
                let facts = ShedFacts {
                    device,
                    shed: name,
                    kind: row.kind,
                    watched,
                    at: header.event_time,
                };
                plans.on_shed(states, &facts, signer);
            };
        self.judge_by(slot as usize, bundle, row, tell, output);
    }

    /// Shows a row to the detectors of a device whose clocks, windows and numbers it must not touch.
    fn judge_by(
        &mut self,
        slot: usize,
        bundle: &Bundle,
        row: RowRef,
        show: impl FnOnce(&Plans, &mut States, DeviceFacts, &mut Signer),
        output: &mut Output,
    ) {
        let columns = bundle.header(row.kind);
        let header = columns.row(row.row as usize);
        let at = header.event_time;
        if at > header.received_at + FAR_FUTURE {
            return;
        }
        let scene = Scene {
            plant: &self.plant,
            id: &self.devices.ids[slot],
            place: self.devices.places[slot],
        };
        let cold = &mut self.devices.cold[slot];
        let source = || Some(columns.source(row.row as usize));
        let mut signer = Signer {
            proven: header.proven,
            source: &source,
            ..Signer::without_row(
                scene,
                &mut cold.case,
                Interval { start: at, end: at },
                row.ordinal,
                &mut self.counts.in_maintenance,
            )
        };
        let plans = &scene.device_type().plans;
        show(plans, &mut cold.states, scene.facts(), &mut signer);
        self.conclude(slot, at, None);
        self.settle(slot, row.ordinal, EventTime::MAX, output);
        self.rearm(slot);
    }
}

#[cfg(test)]
mod tests;
