//! # Does it talk to somebody outside its profile?
//!
//! ## What it sees
//! A flow whose other end is none of the profile's destinations; as responder, a client that is
//! neither a client nor a destination of the profile. On the first row, before any payload.
//!
//! ## When it cries wolf
//! A server moved to another address, or a service behind a content network: name it in the
//! profile, by network or by role.
//!
//! ## Method
//! A rule, so its false-positive rate is measured and not promised: with `n` clean connections
//! and no new destination, the share of new ones is at most `3/n` at 95 % (the rule of three).

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::finding::{Basis, Confidence, Evidence};
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::address_of_key;
use andon_schemas::observation::{ConnState, Role, Transport};
use andon_schemas::profile::{Destination, Profile};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Sighting, Signal};
use crate::facts::FlowFacts;

pub(crate) struct UnknownDestination;

/// What it compiled from a profile.
pub(crate) struct Plan {
    profile: Arc<Profile>,
    grade: Grade,
}

/// One flow to or from a stranger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    peer: IpAddr,
    peer_name: Option<String>,
    port: u16,
    transport: Transport,
    role: Role,
    answered: bool,
    bytes: u64,
}

impl Plan {
    /// A stranger that connects *to* a device proves an attack only once the device answers.
    fn grade(&self, role: Role, answered: bool) -> Grade {
        match role {
            Role::Responder if !answered => self.grade.min(Grade::Medium),
            _ => self.grade,
        }
    }
}

impl Detector for UnknownDestination {
    const NAME: &'static str = "unknown_destination";
    const QUESTION: &'static str = "Does it talk to somebody outside its profile?";
    const CRIES_WOLF: &'static str = "A server moved to another address.";
    const READS: &'static str = "destinations, clients";
    const GRADE: &'static str = "CRITICAL for controllers, else HIGH";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        if profile.destinations.is_empty() && profile.clients.is_empty() {
            return None;
        }
        let default = if profile.controller {
            Grade::Critical
        } else {
            Grade::High
        };
        let written = profile.detectors.get(Self::NAME).and_then(|s| s.grade);
        Some(Plan {
            profile: profile.clone(),
            grade: written.unwrap_or(default),
        })
    }

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        if facts.peer_expected {
            return Signal::Quiet;
        }
        let flow = &facts.flow;
        let answered = flow.state == ConnState::Answered || facts.down > 0 && facts.up > 0;
        let grade = plan.grade(flow.role, answered);
        let bytes = flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0));
        Signal::Seen(Sighting {
            floor: Some(grade),
            score: grade.risk_floor(),
            #[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
            magnitude: bytes as f64,
            holds: false,
            inputs: Inputs {
                peer: address_of_key(flow.peer),
                peer_name: flow.peer_name.map(str::to_owned),
                port: flow.port,
                transport: flow.transport,
                role: flow.role,
                answered,
                bytes,
            },
        })
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let grade = plan.grade(inputs.role, inputs.answered);
        let Inputs {
            peer,
            port,
            transport,
            ..
        } = inputs;
        let list = match inputs.role {
            Role::Originator => &plan.profile.destinations,
            Role::Responder => &plan.profile.clients,
        };
        let named = match &inputs.peer_name {
            Some(name) => format!("{peer} ({name})"),
            None => peer.to_string(),
        };
        let sentence = match inputs.role {
            Role::Originator => format!(
                "It opened a connection to {named}, {transport} port {port}, which is not among \
                 the destinations of its profile ({}).",
                list_text(list)
            ),
            Role::Responder => format!(
                "{named} connected to it, {transport} port {port}, and is not among those its \
                 profile expects{}.",
                if inputs.answered {
                    "; it answered"
                } else {
                    "; it did not answer"
                }
            ),
        };
        Evidence {
            floor: Some(grade),
            score: grade.risk_floor(),
            p_value: None,
            #[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
            magnitude: inputs.bytes as f64,
            observed: json!({
                "peer": peer, "peer_name": inputs.peer_name, "port": port,
                "transport": transport, "role": inputs.role, "answered": inputs.answered,
                "bytes": inputs.bytes,
            }),
            expected: json!({
                "destinations": plan.profile.destinations.iter()
                    .map(|d| d.target.to_string()).collect::<Vec<_>>(),
                "clients": plan.profile.clients.iter()
                    .map(|d| d.target.to_string()).collect::<Vec<_>>(),
            }),
            sentence,
            clears: format!(
                "No flow with {peer} for {}, or {peer} named in the profile.",
                if grade == Grade::Critical {
                    "a day"
                } else {
                    "an hour"
                }
            ),
            techniques: match inputs.role {
                Role::Originator => vec!["T0885".into(), "T0869".into()],
                Role::Responder => vec!["T0848".into(), "T0886".into()],
            },
            confidence: Confidence {
                basis: Basis::Policy,
                n: 0,
            },
        }
    }
}

/// The first few targets by name, and how many more there are.
fn list_text(targets: &[Destination]) -> String {
    const NAMED: usize = 4;
    let mut names: Vec<String> = targets
        .iter()
        .take(NAMED)
        .map(|d| d.target.to_string())
        .collect();
    if targets.len() > NAMED {
        names.push(format!("and {} more", targets.len() - NAMED));
    }
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{HISTORIAN, Stage, check, seen, time};

    const PROFILE: &str = "
controller: true
destinations: [cnc-historian.mfg.local]
clients: [10.1.30.0/24]
";

    /// h the historian, s a stranger, c a client of the profile; capitals: it connects to us; u
    /// and U: a stranger, unanswered.
    fn facts(stage: &Stage, symbol: char) -> FlowFacts<'_> {
        let peer = match symbol.to_ascii_lowercase() {
            'h' => HISTORIAN,
            'c' => "10.1.30.9",
            _ => "203.0.113.77",
        };
        let at = time("2025-12-12T09:00:00Z");
        let mut facts = stage.flow_to(at, peer, Transport::Tcp, 22);
        if symbol.is_uppercase() {
            facts.flow.role = Role::Responder;
            facts.peer_expected = stage.baseline.may_connect(facts.flow.peer);
        }
        if symbol.eq_ignore_ascii_case(&'u') {
            facts.flow.state = ConnState::Attempt;
            facts.up = 0;
        }
        facts
    }

    #[test]
    fn strangers_are_seen_on_either_end_of_a_flow() {
        let stage = Stage::of(PROFILE);
        let plan = UnknownDestination::plan(&stage.baseline, 0.0).unwrap();
        check(
            "
            h s u c  H S U C
            . ! ! !  . ! ! .
            ",
            |symbol| UnknownDestination::on_flow(&plan, &mut (), &facts(&stage, symbol)),
        );
    }

    #[test]
    fn only_an_answer_makes_a_stranger_at_the_door_critical() {
        let stage = Stage::of(PROFILE);
        let plan = UnknownDestination::plan(&stage.baseline, 0.0).unwrap();
        let floor = |symbol| {
            let facts = facts(&stage, symbol);
            let sighting = seen(UnknownDestination::on_flow(&plan, &mut (), &facts));
            assert_eq!(
                UnknownDestination::assess(&plan, &sighting.inputs).floor,
                sighting.floor
            );
            sighting.floor
        };
        assert_eq!(floor('u'), Some(Grade::Critical));
        assert_eq!(floor('S'), Some(Grade::Critical));
        assert_eq!(floor('U'), Some(Grade::Medium));
    }

    #[test]
    fn who_is_no_controller_is_graded_high() {
        let stage = Stage::of("destinations: [cnc-historian.mfg.local]");
        let plan = UnknownDestination::plan(&stage.baseline, 0.0).unwrap();
        let sighting = seen(UnknownDestination::on_flow(
            &plan,
            &mut (),
            &facts(&stage, 's'),
        ));
        assert_eq!(sighting.floor, Some(Grade::High));
        assert_eq!(
            UnknownDestination::assess(&plan, &sighting.inputs).sentence,
            "It opened a connection to 203.0.113.77, tcp port 22, which is not among the \
             destinations of its profile (cnc-historian.mfg.local)."
        );
    }
}
