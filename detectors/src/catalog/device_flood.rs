//! # Do more devices appear than can be watched?
//!
//! ## What it sees
//! A row about a device that the inventory does not list, when as many of those are watched already
//! as there is room for. The row is set aside and counted; the finding is about all such devices of
//! one share of the ids together, because there is no room to tell them apart. Invented addresses
//! are a way to fill a monitor's memory or to hide among them.
//!
//! ## When it cries wolf
//! A network that was added to the plant and whose devices were not: write them into the inventory.
//!
//! ## Method
//! A rule: the engine states its limit, and says when it is reached.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::observation::Kind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::ShedFacts;
use crate::rule::{self, Words};

pub(crate) struct DeviceFlood;

/// What it compiled from a profile.
pub(crate) struct Plan {
    grade: Grade,
}

/// One row that was set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    shed: String,
    kind: Kind,
    watched: u32,
}

impl Detector for DeviceFlood {
    const NAME: &'static str = "device_flood";
    const QUESTION: &'static str = "Do more devices appear than can be watched?";
    const CRIES_WOLF: &'static str = "A network whose devices are not in the inventory yet.";
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

    fn on_shed(plan: &Plan, (): &mut (), facts: &ShedFacts) -> Signal<Inputs> {
        let inputs = Inputs {
            shed: facts.shed.to_owned(),
            kind: facts.kind,
            watched: facts.watched,
        };
        rule::broken(plan.grade, 1.0, inputs)
    }

    fn assess(
        plan: &Plan,
        Inputs {
            shed,
            kind,
            watched,
        }: &Inputs,
    ) -> Evidence {
        let words = Words {
            observed: json!({ "device": shed, "kind": kind, "watched": watched }),
            expected: json!({ "room": true }),
            sentence: format!(
                "There is no room to watch {shed}: {watched} devices of its share of the ids are \
                 watched although the inventory does not list them, and more are set aside."
            ),
            clears: "An hour without a row that is set aside; devices that belong here in the \
                     inventory."
                .to_owned(),
            techniques: &["T0814"],
        };
        rule::evidence(plan.grade, 1.0, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_schemas::identity::DeviceId;

    use crate::stage::{Stage, seen, time};

    #[test]
    fn a_row_that_is_set_aside_is_told_with_the_limit() {
        let stage = Stage::of("detectors: { device_flood: { grade: HIGH } }");
        let plan = DeviceFlood::plan(&stage.baseline, 0.0).unwrap();
        let facts = ShedFacts {
            device: stage.device(),
            shed: "ip:10.1.20.99",
            kind: Kind::Flow,
            watched: 64,
            at: time("2025-12-12T09:00:00Z"),
        };
        let sighting = seen(DeviceFlood::on_shed(&plan, &mut (), &facts));
        assert_eq!(sighting.floor, Some(Grade::High));
        assert_eq!(
            DeviceFlood::assess(&plan, &sighting.inputs).sentence,
            "There is no room to watch ip:10.1.20.99: 64 devices of its share of the ids are \
             watched although the inventory does not list them, and more are set aside."
        );
    }

    #[test]
    fn a_stranger_for_whom_there_is_room_is_silent() {
        let stage = Stage::of("");
        let plan = DeviceFlood::plan(&stage.baseline, 0.0).unwrap();
        let at = time("2025-12-12T09:00:00Z");
        let stranger = DeviceId::new("ip:10.1.20.99").unwrap();
        let (mut row, mut flow) = (stage.row(at), stage.flow(at));
        for device in [&mut row.device, &mut flow.device] {
            device.id = &stranger;
            device.listed = None;
        }
        assert_eq!(DeviceFlood::on_row(&plan, &mut (), &row), Signal::Quiet);
        assert_eq!(DeviceFlood::on_flow(&plan, &mut (), &flow), Signal::Quiet);
    }
}
