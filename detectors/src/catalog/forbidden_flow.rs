//! # Does it open a flow that the policy of its segment forbids?
//!
//! ## What it sees
//! A flow that the device opened and that falls under a denied rule of its segment and under no
//! allowed one: a robot arm that reaches for the paint shop, a controller for the internet. On the
//! first row, answered or not: an attempt is enough. A flow *to* the device is its peer's doing
//! and is judged there.
//!
//! ## When it cries wolf
//! A service moved into a network that the segment denies, before its policy was changed.
//!
//! ## Method
//! A rule: the allowed list first, then the denied list, each in the order written; what neither
//! names is not forbidden.

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::address_of_key;
use andon_schemas::observation::Transport;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::FlowFacts;
use crate::rule::{self, Words};

pub(crate) struct ForbiddenFlow;

/// What it compiled from a profile.
pub(crate) struct Plan {
    grade: Grade,
}

/// One forbidden flow and the rule that forbids it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    segment: Arc<str>,
    rule: Arc<str>,
    action: Arc<str>,
    peer: IpAddr,
    port: u16,
    transport: Transport,
    bytes: u64,
}

impl Inputs {
    #[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
    fn magnitude(&self) -> f64 {
        self.bytes as f64
    }
}

impl Detector for ForbiddenFlow {
    const NAME: &'static str = "forbidden_flow";
    const QUESTION: &'static str = "Does it open a flow that the policy of its segment forbids?";
    const CRIES_WOLF: &'static str = "A service moved into a network that the segment denies.";
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

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        if !facts.originated() {
            return Signal::Quiet;
        }
        let flow = &facts.flow;
        let Some((policy, rule)) = facts.device.policy.and_then(|policy| {
            let rule = policy.forbids(flow.peer, flow.transport, flow.port)?;
            Some((policy, rule))
        }) else {
            return Signal::Quiet;
        };
        let inputs = Inputs {
            segment: policy.segment.clone(),
            rule: rule.name.clone(),
            action: rule.action.clone(),
            peer: address_of_key(flow.peer),
            port: flow.port,
            transport: flow.transport,
            bytes: flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0)),
        };
        rule::broken(plan.grade, inputs.magnitude(), inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let Inputs {
            segment,
            rule,
            action,
            peer,
            port,
            transport,
            bytes,
        } = inputs;
        let words = Words {
            observed: json!({
                "peer": peer, "port": port, "transport": transport, "segment": segment,
                "rule": rule, "action": action, "bytes": bytes,
            }),
            expected: json!({ "denied_by_segment": [] }),
            sentence: format!(
                "It opened a connection to {peer}, {transport} port {port}, which rule {rule} of \
                 segment {segment} forbids."
            ),
            clears: format!("An hour without a flow that rule {rule} of {segment} forbids."),
            techniques: &["T0886"],
        };
        rule::evidence(plan.grade, inputs.magnitude(), words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{HISTORIAN, Stage, check, seen, time};
    use andon_schemas::observation::Role;

    #[test]
    fn denied_flows_are_seen_unless_an_allowed_rule_comes_first() {
        let stage = Stage::of("");
        let plan = ForbiddenFlow::plan(&stage.baseline, 0.0).unwrap();
        // h: historian on its port, H: historian on another port (its network is denied),
        // p: paint shop, i: internet, n: named by neither list, r: the internet connects to us.
        check(
            "
            h H p i n r
            . ! ! ! . .
            ",
            |symbol| {
                let (peer, port) = match symbol {
                    'h' => (HISTORIAN, 502),
                    'H' => (HISTORIAN, 22),
                    'p' => ("10.9.3.1", 102),
                    'n' => ("10.7.0.1", 502),
                    _ => ("203.0.113.77", 443),
                };
                let at = time("2025-12-12T09:00:00Z");
                let mut flow = stage.flow_to(at, peer, Transport::Tcp, port);
                if symbol == 'r' {
                    flow.flow.role = Role::Responder;
                }
                ForbiddenFlow::on_flow(&plan, &mut (), &flow)
            },
        );
    }

    #[test]
    fn the_rule_its_action_and_the_segment_are_named() {
        let stage = Stage::of("");
        let plan = ForbiddenFlow::plan(&stage.baseline, 0.0).unwrap();
        let at = time("2025-12-12T09:00:00Z");
        let mut flow = stage.flow_to(at, "10.9.3.1", Transport::Tcp, 102);
        flow.device.listed = None;
        let sighting = seen(ForbiddenFlow::on_flow(&plan, &mut (), &flow));
        let evidence = ForbiddenFlow::assess(&plan, &sighting.inputs);
        assert_eq!(evidence.observed["rule"], "paint-shop");
        assert_eq!(evidence.observed["action"], "block_log");
        assert_eq!(evidence.observed["segment"], "cnc-safety");
        assert_eq!(
            evidence.sentence,
            "It opened a connection to 10.9.3.1, tcp port 102, which rule paint-shop of segment \
             cnc-safety forbids."
        );
    }
}
