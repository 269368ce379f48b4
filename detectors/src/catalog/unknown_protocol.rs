//! # Does it speak a protocol that its profile does not list?
//!
//! ## What it sees
//! A flow whose transport, port and detected application are no protocol of the profile: SSH from
//! a controller, or SSH on the Modbus port. Of a flow the device opened the attempt is enough. Of a
//! flow *to* it, only what it answered, or what reached it without needing an answer (UDP): a
//! probe of a closed port is its sender's scan, not this device's behaviour.
//!
//! ICMP is how networks report errors, and no profile should have to list it: it is seen only
//! where the device sends it to somebody it is not expected to know.
//!
//! ## When it cries wolf
//! A sensor that takes one application for another, or a maintenance tool nobody declared.
//!
//! ## Method
//! A rule. Protocol means transport, port and application together, so a known port with another
//! application on it is unknown (stats.md §5.4).

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::address_of_key;
use andon_schemas::observation::{ConnState, Role, Transport};
use andon_schemas::profile::Profile;
use andon_schemas::protocol::{Known, REGISTRY};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::FlowFacts;
use crate::rule::{self, Words};

pub(crate) struct UnknownProtocol;

/// What it compiled from a profile.
pub(crate) struct Plan {
    profile: Arc<Profile>,
    grade: Grade,
}

impl Plan {
    /// The protocol of the profile that belongs on this port.
    fn belongs_on(&self, transport: Transport, port: u16) -> Option<&str> {
        let here = |p: &&andon_schemas::profile::Protocol| {
            p.matches
                .iter()
                .any(|m| m.transport == transport && m.port == Some(port))
        };
        self.profile
            .protocols
            .iter()
            .find(here)
            .map(|p| p.name.as_str())
    }
}

/// One flow in a foreign protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    peer: IpAddr,
    port: u16,
    transport: Transport,
    service: Option<String>,
    role: Role,
    bytes: u64,
}

impl Inputs {
    #[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
    fn magnitude(&self) -> f64 {
        self.bytes as f64
    }

    /// The name people know the protocol by. Several run over one application (TLS), so the port
    /// chooses among those; an application that only one protocol has needs no port.
    fn known_as(&self) -> Option<String> {
        let service = self
            .service
            .as_deref()
            .and_then(|names| names.split(',').next());
        let service = service.filter(|name| !name.is_empty());
        let here = |known: &&Known| {
            known.ports.contains(&(self.transport, Some(self.port)))
                || known.ports.contains(&(self.transport, None))
        };
        let Some(service) = service else {
            return REGISTRY
                .iter()
                .find(here)
                .map(|known| known.name.to_uppercase());
        };
        let speak = || {
            REGISTRY
                .iter()
                .filter(|known| known.services.contains(&service))
        };
        let only = speak().next().filter(|_| speak().count() == 1);
        let known = speak()
            .find(here)
            .or(only)
            .map_or(service, |known| known.name);
        Some(known.to_uppercase())
    }
}

impl Detector for UnknownProtocol {
    const NAME: &'static str = "unknown_protocol";
    const QUESTION: &'static str = "Does it speak a protocol that its profile does not list?";
    const CRIES_WOLF: &'static str = "A sensor that takes one application for another.";
    const READS: &'static str = "protocols";
    const GRADE: &'static str = "MEDIUM";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        (!profile.protocols.is_empty()).then(|| Plan {
            profile: profile.clone(),
            grade: baseline.grade(Self::NAME, Grade::Medium),
        })
    }

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        if facts.protocol.is_some() || !is_its_doing(facts) {
            return Signal::Quiet;
        }
        let flow = &facts.flow;
        let inputs = Inputs {
            peer: address_of_key(flow.peer),
            port: flow.port,
            transport: flow.transport,
            service: flow.service.map(str::to_owned),
            role: flow.role,
            bytes: flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0)),
        };
        rule::broken(plan.grade, inputs.magnitude(), inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let Inputs {
            peer,
            port,
            transport,
            service,
            role,
            bytes,
        } = inputs;
        let known_as = inputs.known_as();
        let name = known_as.as_deref().unwrap_or("an unnamed protocol");
        let place = match transport {
            Transport::Tcp | Transport::Udp => format!(" on {transport} port {port}"),
            Transport::Icmp | Transport::Other => String::new(),
        };
        let with = match role {
            Role::Originator => format!("to {peer}"),
            Role::Responder => format!("with {peer}, which had connected to it"),
        };
        let why = match plan.belongs_on(*transport, *port) {
            Some(expected) => format!("where its profile expects {expected}"),
            None => format!(
                "which is none of the {} protocols of its profile",
                plan.profile.protocols.len()
            ),
        };
        let listed: Vec<_> = plan
            .profile
            .protocols
            .iter()
            .map(|p| p.name.as_str())
            .collect();
        let words = Words {
            observed: json!({
                "transport": transport, "port": port, "service": service,
                "known_as": known_as, "peer": peer, "role": role, "bytes": bytes,
            }),
            expected: json!({ "protocols": listed }),
            sentence: format!("It spoke {name}{place} {with}, {why}."),
            clears: format!("An hour without {name}{place}, or the protocol in the profile."),
            techniques: match role {
                Role::Originator => &["T0886", "T0869"],
                Role::Responder => &["T0886", "T0848"],
            },
        };
        rule::evidence(plan.grade, inputs.magnitude(), words)
    }
}

/// Whether the device itself did something that a profile would have to list.
fn is_its_doing(facts: &FlowFacts) -> bool {
    let flow = &facts.flow;
    let icmp = flow.transport == Transport::Icmp;
    match flow.role {
        Role::Originator => !icmp || !facts.peer_expected,
        Role::Responder => {
            let answered = flow.state == ConnState::Answered || facts.up > 0 && facts.down > 0;
            let needs_no_answer = flow.transport != Transport::Tcp && facts.down > 0;
            !icmp && (answered || needs_no_answer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{HISTORIAN, Stage, check, seen, time};

    const PROFILE: &str = "
destinations: [cnc-historian.mfg.local]
protocols: { modbus: 80 %, ntp: 5 % }
";

    fn facts(stage: &Stage, symbol: char) -> FlowFacts<'_> {
        let at = time("2025-12-12T09:00:00Z");
        let (peer, transport, port) = match symbol.to_ascii_lowercase() {
            's' | 'u' => (HISTORIAN, Transport::Tcp, 22),
            'c' => (HISTORIAN, Transport::Udp, 44818),
            'i' => (HISTORIAN, Transport::Icmp, 0),
            'j' => ("203.0.113.77", Transport::Icmp, 0),
            _ => (HISTORIAN, Transport::Tcp, 502),
        };
        let mut facts = stage.flow_to(at, peer, transport, port);
        if symbol.is_uppercase() {
            facts.flow.role = Role::Responder;
        }
        if matches!(symbol, 'u' | 'U') {
            facts.flow.state = ConnState::Attempt;
            facts.up = 0;
            facts.down = 0;
        }
        if symbol.eq_ignore_ascii_case(&'x') {
            facts.flow.service = Some("ssh");
            facts.protocol = stage.baseline.protocol(transport, port, Some("ssh"));
        }
        facts
    }

    #[test]
    fn what_the_profile_does_not_list_is_seen_where_the_device_took_part() {
        let stage = Stage::of(PROFILE);
        let plan = UnknownProtocol::plan(&stage.baseline, 0.0).unwrap();
        // m modbus, x ssh on the modbus port, s ssh, u ssh unanswered, c CIP over UDP, i ping to
        // the historian, j ping to a stranger; capitals: the same, to the device.
        check(
            "
            m x s u c i j  M X S U C I J
            . ! ! ! ! . !  . ! ! . ! . .
            ",
            |symbol| UnknownProtocol::on_flow(&plan, &mut (), &facts(&stage, symbol)),
        );
    }

    #[test]
    fn the_sentence_gives_the_name_people_know() {
        let stage = Stage::of(PROFILE);
        let plan = UnknownProtocol::plan(&stage.baseline, 0.0).unwrap();
        let sentence = |symbol| {
            let facts = facts(&stage, symbol);
            let sighting = seen(UnknownProtocol::on_flow(&plan, &mut (), &facts));
            UnknownProtocol::assess(&plan, &sighting.inputs).sentence
        };
        assert_eq!(
            sentence('s'),
            "It spoke SSH on tcp port 22 to 10.1.10.5, which is none of the 2 protocols of its \
             profile."
        );
        assert_eq!(
            sentence('X'),
            "It spoke SSH on tcp port 502 with 10.1.10.5, which had connected to it, where its \
             profile expects modbus."
        );
        assert_eq!(
            sentence('j'),
            "It spoke ICMP to 203.0.113.77, which is none of the 2 protocols of its profile."
        );
    }

    #[test]
    fn an_application_that_many_protocols_run_over_is_named_by_its_port() {
        let known_as = |service: Option<&str>, port| {
            let inputs = Inputs {
                peer: "203.0.113.77".parse().unwrap(),
                port,
                transport: Transport::Tcp,
                service: service.map(str::to_owned),
                role: Role::Originator,
                bytes: 0,
            };
            inputs.known_as()
        };
        assert_eq!(known_as(Some("ssl"), 443).as_deref(), Some("HTTPS"));
        assert_eq!(known_as(Some("ssl"), 4444).as_deref(), Some("SSL"));
        assert_eq!(known_as(Some("modbus"), 8080).as_deref(), Some("MODBUS"));
        assert_eq!(known_as(Some(""), 22).as_deref(), Some("SSH"));
        assert_eq!(known_as(None, 4444), None);
    }

    #[test]
    fn a_profile_without_protocols_gives_it_nothing_to_do() {
        assert!(UnknownProtocol::plan(&Stage::of("").baseline, 0.0).is_none());
    }
}
