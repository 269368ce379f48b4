//! # Is there a device that nobody wrote into the inventory?
//!
//! ## What it sees
//! Any row about an endpoint that lies in the plant's own networks and that the inventory does not
//! list. What is not identified cannot be protected.
//!
//! ## When it cries wolf
//! A new machine, a replaced network card, a technician's laptop: add it to the inventory.
//!
//! ## Method
//! A rule: the inventory is the list, and every row is compared with it.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Kind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::RowFacts;
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
        if facts.device.listed.is_some() {
            return Signal::Quiet;
        }
        let inputs = Inputs {
            device: facts.device.id.clone(),
            kind: facts.kind,
        };
        rule::broken(plan.grade, 1.0, inputs)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Stage, check, time};

    #[test]
    fn every_row_about_a_stranger_is_seen_and_none_about_a_listed_device() {
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
                if symbol == 's' {
                    row.device.id = &stranger;
                    row.device.listed = None;
                }
                UnknownDevice::on_row(&plan, &mut (), &row)
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
