//! # Does it talk to somebody who is known to be hostile?
//!
//! ## What it sees
//! A flow whose other end, by its address or by the name that the sensor read in the flow, is on a
//! list of indicators that was in force when it happened; as responder, such a client. On the first
//! row. It asks this of every device, and of destinations that the profile lists as well. And a
//! device that asks a name server for such a name, HIGH at most: nothing has been sent yet. Name
//! servers ask for others and are left out.
//!
//! ## When it cries wolf
//! An address that was hostile and now belongs to somebody else, or a host that serves many: lists
//! say until when they hold, and a network or name that is shared should not be on one.
//!
//! ## Method
//! A rule: a look into a compiled set (`andon_schemas::indicator`), by address, then by name and the
//! names above it. What a list is worth is measured by its hits on clean traffic, and not promised.

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::{address_key, address_of_key};
use andon_schemas::indicator::{Indicator, IndicatorSet};
use andon_schemas::observation::{ConnState, Role, Transport};
use andon_schemas::profile::Profile;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::{FlowFacts, ResolutionFacts};
use crate::rule::{self, Words};

/// The port that names are asked for at.
const NAME_SERVICE: u16 = 53;

pub(crate) struct KnownBadDestination;

/// What it compiled from a profile.
pub(crate) struct Plan {
    indicators: Arc<IndicatorSet>,
    profile: Arc<Profile>,
    grade: Grade,
}

/// One flow to or from somebody on a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    at: EventTime,
    peer: IpAddr,
    peer_name: Option<String>,
    port: u16,
    transport: Transport,
    role: Role,
    answered: bool,
    bytes: u64,
    /// The peer is a name server, which was asked for the name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lookup: bool,
    /// The profile expects this peer: the number of its destination, as originator.
    expected: bool,
    destination: Option<u8>,
}

impl Plan {
    /// Somebody hostile that connects *to* a device proves an attack only once the device answers.
    fn grade(&self, role: Role, answered: bool) -> Grade {
        match role {
            Role::Responder if !answered => self.grade.min(Grade::Medium),
            _ => self.grade,
        }
    }

    fn graded(&self, inputs: &Inputs) -> Grade {
        let grade = self.grade(inputs.role, inputs.answered);
        if inputs.lookup {
            grade.min(Grade::High)
        } else {
            grade
        }
    }

    fn look(&self, peer: u128, name: Option<&str>, at: EventTime) -> Option<Indicator<'_>> {
        let by_address = self.indicators.of_address(peer, at);
        by_address.or_else(|| self.indicators.of_name(name?, at))
    }

    /// The indicator that stored inputs hit.
    fn hit(&self, inputs: &Inputs) -> Option<Indicator<'_>> {
        let name = inputs.peer_name.as_deref();
        if inputs.lookup {
            return self.indicators.of_name(name?, inputs.at);
        }
        self.look(address_key(inputs.peer), name, inputs.at)
    }

    /// What the profile says of the peer, if it expects it.
    fn said(&self, inputs: &Inputs) -> String {
        if !inputs.expected {
            return String::new();
        }
        let destinations = &self.profile.destinations;
        let listed = inputs
            .destination
            .and_then(|cell| destinations.get(usize::from(cell)));
        match listed {
            Some(listed) => format!(
                " Its profile lists it as a destination ({}).",
                listed.target
            ),
            None => " Its profile expects it.".to_owned(),
        }
    }
}

impl Detector for KnownBadDestination {
    const NAME: &'static str = "known_bad_destination";
    const QUESTION: &'static str = "Does it talk to somebody who is known to be hostile?";
    const CRIES_WOLF: &'static str = "An address that now belongs to somebody else.";
    const READS: &'static str = "–";
    const GRADE: &'static str = "CRITICAL";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        (!baseline.indicators.is_empty()).then(|| Plan {
            indicators: baseline.indicators.clone(),
            profile: baseline.profile.clone(),
            grade: baseline.grade(Self::NAME, Grade::Critical),
        })
    }

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        let flow = &facts.flow;
        if plan.look(flow.peer, flow.peer_name, facts.at).is_none() {
            return Signal::Quiet;
        }
        let answered = flow.state == ConnState::Answered || facts.down > 0 && facts.up > 0;
        let bytes = flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0));
        let inputs = Inputs {
            at: facts.at,
            peer: address_of_key(flow.peer),
            peer_name: flow.peer_name.map(str::to_owned),
            port: flow.port,
            transport: flow.transport,
            role: flow.role,
            answered,
            bytes,
            lookup: false,
            expected: facts.peer_expected,
            destination: facts.destination.filter(|_| facts.originated()),
        };
        rule::broken(plan.graded(&inputs), magnitude(bytes), inputs)
    }

    fn on_resolution(plan: &Plan, (): &mut (), facts: &ResolutionFacts) -> Signal<Inputs> {
        let answer = &facts.answer;
        if plan.indicators.of_name(answer.name, facts.at).is_none() || serves_names(facts) {
            return Signal::Quiet;
        }
        let inputs = Inputs {
            at: facts.at,
            peer: address_of_key(answer.server),
            peer_name: Some(answer.name.to_owned()),
            port: NAME_SERVICE,
            transport: Transport::Udp,
            role: Role::Originator,
            answered: true,
            bytes: 0,
            lookup: true,
            expected: false,
            destination: None,
        };
        rule::broken(plan.graded(&inputs), 0.0, inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let Inputs {
            peer,
            port,
            transport,
            ..
        } = inputs;
        let name = inputs.peer_name.as_deref();
        let hit = plan.hit(inputs);
        let named = match name {
            Some(name) => format!("{peer} ({name})"),
            None => peer.to_string(),
        };
        // Stored inputs may be looked at with other lists than those that hit.
        let listed = match hit {
            Some(Indicator { list, note: "", .. }) => format!("`{list}` lists as hostile"),
            Some(Indicator { list, note, .. }) => format!("`{list}` lists as hostile ({note})"),
            None => "no list names".to_owned(),
        };
        let said = plan.said(inputs);
        let sentence = match inputs.role {
            Role::Originator if inputs.lookup => format!(
                "It asked {peer} for the address of {}, which {listed}.",
                name.unwrap_or_default()
            ),
            Role::Originator => format!(
                "It opened a connection to {named}, {transport} port {port}, which {listed}.{said}"
            ),
            Role::Responder => format!(
                "{named}, which {listed}, connected to it, {transport} port {port}; it {}.{said}",
                if inputs.answered {
                    "answered"
                } else {
                    "did not answer"
                }
            ),
        };
        let words = Words {
            observed: json!({
                "peer": peer, "peer_name": name, "port": port, "transport": transport,
                "role": inputs.role, "answered": inputs.answered, "bytes": inputs.bytes,
                "list": hit.map(|hit| hit.list), "note": hit.map(|hit| hit.note),
                "in_profile": inputs.expected,
            }),
            expected: json!({
                "hostile": "none", "valid_until": hit.and_then(|hit| hit.until),
            }),
            sentence,
            clears: match name.filter(|_| inputs.lookup) {
                Some(name) => format!("No question for {name} for an hour."),
                None => format!("No flow with {peer} for a day, or {peer} taken off the list."),
            },
            techniques: match inputs.role {
                Role::Originator => &["T0869", "T0885"],
                Role::Responder => &["T0883", "T0886"],
            },
        };
        rule::evidence(plan.graded(inputs), magnitude(inputs.bytes), words)
    }
}

/// A name server asks for whatever it is asked itself.
fn serves_names(facts: &ResolutionFacts) -> bool {
    let listed = facts.device.listed;
    listed.is_some_and(|device| device.roles.iter().any(|role| role == "dns"))
}

#[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
fn magnitude(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
