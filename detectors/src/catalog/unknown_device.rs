//! # Is there a device that nobody wrote into the inventory?
//!
//! ## What it sees
//! An endpoint that lies in the plant's own networks, that the inventory does not list, and that is
//! active: it opened a flow, answered one, or reported something. An address that somebody merely
//! tried is not a device. What is not identified cannot be protected.
//!
//! ## When it cries wolf
//! A new machine, a replaced network card, a technician's laptop: add it to the inventory.
//!
//! ## Method
//! A rule: the inventory is the list, and every row is compared with it. Without any inventory
//! there is no list, and the rule is off.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{ConnState, Kind};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::{DeviceFacts, FlowFacts, RowFacts};
use crate::rule::{self, Words};

pub(crate) struct UnknownDevice;

/// What it compiled from a profile.
pub(crate) struct Plan {
    grade: Grade,
}

/// One row about a stranger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    device: DeviceId,
    kind: Kind,
}

impl Detector for UnknownDevice {
    const NAME: &'static str = "unknown_device";
    const QUESTION: &'static str = "Is there a device that nobody wrote into the inventory?";
    const CRIES_WOLF: &'static str = "A new machine that is not in the inventory yet.";
    const READS: &'static str = "–";
    const GRADE: &'static str = "MEDIUM";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        Some(Plan {
            grade: baseline.grade(Self::NAME, Grade::Medium),
        })
    }

    fn on_row(plan: &Plan, (): &mut (), facts: &RowFacts) -> Signal<Inputs> {
        match facts.kind {
            Kind::Flow => Signal::Quiet,
            kind => seen(plan, &facts.device, kind),
        }
    }

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        let spoke = facts.originated() || facts.up > 0 || facts.flow.state == ConnState::Answered;
        if spoke {
            seen(plan, &facts.device, Kind::Flow)
        } else {
            Signal::Quiet
        }
    }

    fn assess(plan: &Plan, Inputs { device, kind }: &Inputs) -> Evidence {
        let named = match device.as_str().strip_prefix("ip:") {
            Some(address) => format!("A device at {address}"),
            None => format!("A device that calls itself {device}"),
        };
        let words = Words {
            observed: json!({ "device": device, "kind": kind }),
            expected: json!({ "listed": true }),
            sentence: format!("{named} is active in the plant and is not in the inventory."),
            clears: format!("{device} in the inventory, or nothing seen of it for an hour."),
            techniques: &["T0848"],
        };
        rule::evidence(plan.grade, 1.0, words)
    }
}

fn seen(plan: &Plan, device: &DeviceFacts, kind: Kind) -> Signal<Inputs> {
    if device.listed.is_some() {
        return Signal::Quiet;
    }
    let inputs = Inputs {
        device: device.id.clone(),
        kind,
    };
    rule::broken(plan.grade, 1.0, inputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_schemas::observation::Role;

    use crate::stage::{Stage, check, time};

    #[test]
    fn a_stranger_that_reports_is_seen_and_a_listed_device_is_not() {
        let stage = Stage::of("");
        let plan = UnknownDevice::plan(&stage.baseline, 0.0).unwrap();
        let stranger = DeviceId::new("ip:10.1.20.99").unwrap();
        check(
            "
            kkk sss k
            ... !!! .
            ",
            |symbol| {
                let mut row = stage.row(time("2025-12-12T09:00:00Z"));
                row.kind = Kind::Reading;
                if symbol == 's' {
                    row.device.id = &stranger;
                    row.device.listed = None;
                }
                UnknownDevice::on_row(&plan, &mut (), &row)
            },
        );
    }

    #[test]
    fn an_address_that_was_only_tried_is_not_a_device() {
        let stage = Stage::of("");
        let plan = UnknownDevice::plan(&stage.baseline, 0.0).unwrap();
        let stranger = DeviceId::new("ip:10.1.20.99").unwrap();
        check(
            "
            o a t
            ! ! .
            ",
            |symbol| {
                let mut facts = stage.flow(time("2025-12-12T09:00:00Z"));
                facts.device.id = &stranger;
                facts.device.listed = None;
                if symbol != 'o' {
                    facts.flow.role = Role::Responder;
                }
                if symbol == 't' {
                    facts.flow.state = ConnState::Attempt;
                    facts.up = 0;
                }
                UnknownDevice::on_flow(&plan, &mut (), &facts)
            },
        );
    }

    #[test]
    fn the_sentence_names_the_address() {
        let stage = Stage::of("detectors: { unknown_device: { grade: HIGH } }");
        let plan = UnknownDevice::plan(&stage.baseline, 0.0).unwrap();
        let inputs = Inputs {
            device: DeviceId::new("ip:10.1.20.99").unwrap(),
            kind: Kind::Flow,
        };
        let evidence = UnknownDevice::assess(&plan, &inputs);
        assert_eq!(evidence.floor, Some(Grade::High));
        assert_eq!(
            evidence.sentence,
            "A device at 10.1.20.99 is active in the plant and is not in the inventory."
        );
    }
}
