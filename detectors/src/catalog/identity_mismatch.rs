//! # Does it speak for a device it may not speak for?
//!
//! ## What it sees
//! A row whose sender is neither the device the row is about, nor its gateway, nor a sensor of its
//! segment. The row is not applied to the device it names, so nobody can be framed; the finding is
//! about the sender.
//!
//! ## When it cries wolf
//! A device that was moved behind another gateway, or a sensor that was given another segment to
//! watch, while the inventory still says otherwise.
//!
//! ## Method
//! A rule. The engine compares the authenticated sender with the inventory; where the transport
//! proved no sender, the judge caps what rests on it at MEDIUM.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::observation::Kind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::ClaimFacts;
use crate::rule::{self, Words};

pub(crate) struct IdentityMismatch;

/// What it compiled from a profile.
pub(crate) struct Plan {
    grade: Grade,
}

/// One row that spoke for another device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    claimed: String,
    kind: Kind,
}

impl Detector for IdentityMismatch {
    const NAME: &'static str = "identity_mismatch";
    const QUESTION: &'static str = "Does it speak for a device it may not speak for?";
    const CRIES_WOLF: &'static str = "A device moved behind another gateway.";
    const READS: &'static str = "–";
    const GRADE: &'static str = "HIGH";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        Some(Plan {
            grade: baseline.grade(Self::NAME, Grade::High),
        })
    }

    fn on_claim(plan: &Plan, (): &mut (), facts: &ClaimFacts) -> Signal<Inputs> {
        let inputs = Inputs {
            claimed: facts.claimed.to_owned(),
            kind: facts.kind,
        };
        rule::broken(plan.grade, 1.0, inputs)
    }

    fn assess(plan: &Plan, Inputs { claimed, kind }: &Inputs) -> Evidence {
        let words = Words {
            observed: json!({ "claimed_device": claimed, "kind": kind }),
            expected: json!({ "speaks_for": "itself and those the inventory lets it speak for" }),
            sentence: format!(
                "It sent a {kind} in the name of {claimed}, for which it may not speak; the \
                 record was rejected."
            ),
            clears: format!("An hour without a record in the name of {claimed}."),
            techniques: &["T0856", "T0830"],
        };
        rule::evidence(plan.grade, 1.0, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Brief, Plans, Sink, States};
    use crate::stage::{Stage, seen, time};
    use serde_json::Value;

    #[test]
    fn a_row_in_the_name_of_another_is_seen_at_its_sender() {
        let stage = Stage::of("");
        let plan = IdentityMismatch::plan(&stage.baseline, 0.0).unwrap();
        let facts = ClaimFacts {
            device: stage.device(),
            claimed: "plc-assembly-line-3",
            kind: Kind::Reading,
            at: time("2025-12-12T09:00:00Z"),
        };
        let sighting = seen(IdentityMismatch::on_claim(&plan, &mut (), &facts));
        assert_eq!(sighting.floor, Some(Grade::High));
        assert_eq!(
            IdentityMismatch::assess(&plan, &sighting.inputs).sentence,
            "It sent a reading in the name of plc-assembly-line-3, for which it may not speak; \
             the record was rejected."
        );
    }

    #[test]
    fn a_row_of_its_own_is_silent() {
        struct Names(Vec<usize>);
        impl Sink for Names {
            fn seen(&mut self, index: usize, _: Brief, _: &dyn Fn() -> (Evidence, Value)) {
                self.0.push(index);
            }
            fn over(&mut self, index: usize) {
                self.0.push(index);
            }
        }
        let stage = Stage::of("");
        let (plans, mut states) = (Plans::compile(&stage.baseline), States::default());
        let mut names = Names(Vec::new());
        plans.on_row(
            &mut states,
            &stage.row(time("2025-12-12T09:00:00Z")),
            &mut names,
        );
        assert_eq!(names.0, Vec::<usize>::new());
    }
}
