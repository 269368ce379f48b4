//! # Does it talk to somebody who is known to be hostile?
//!
//! ## What it sees
//! A flow whose other end, by its address or by the name that the sensor read in the flow, is on a
//! list of indicators that was in force when it happened; as responder, such a client. On the first
//! row. It asks this of every device, and of destinations that the profile lists as well.
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
use crate::facts::FlowFacts;
use crate::rule::{self, Words};

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

    fn look(&self, peer: u128, name: Option<&str>, at: EventTime) -> Option<Indicator<'_>> {
        let by_address = self.indicators.of_address(peer, at);
        by_address.or_else(|| self.indicators.of_name(name?, at))
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
            expected: facts.peer_expected,
            destination: facts.destination.filter(|_| facts.originated()),
        };
        rule::broken(plan.grade(flow.role, answered), magnitude(bytes), inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let Inputs {
            peer,
            port,
            transport,
            ..
        } = inputs;
        let name = inputs.peer_name.as_deref();
        let hit = plan.look(address_key(*peer), name, inputs.at);
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
            clears: format!("No flow with {peer} for a day, or {peer} taken off the list."),
            techniques: match inputs.role {
                Role::Originator => &["T0869", "T0885"],
                Role::Responder => &["T0883", "T0886"],
            },
        };
        let grade = plan.grade(inputs.role, inputs.answered);
        rule::evidence(grade, magnitude(inputs.bytes), words)
    }
}

#[expect(clippy::cast_precision_loss, reason = "an order of size is enough")]
fn magnitude(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{HISTORIAN, Stage, check, key, seen, time};
    use andon_schemas::indicator::parse;
    use andon_schemas::profile::SourceFile;

    const LIST: &str = "ioc,name,valid_until\n203.0.113.0/24,Some rat,2026-01-01T00:00:00Z\n\
                        c2.example.net,,\n198.51.100.9,,2025-01-01T00:00:00Z\n";

    fn stage(list: &str) -> Stage {
        let mut stage = Stage::of("destinations: [203.0.113.80, cnc-historian.mfg.local]");
        let file = SourceFile {
            path: "feeds/rats.csv",
            text: list,
        };
        let indicators = Arc::new(parse(&[file]).unwrap());
        stage.baseline = stage.baseline.with_indicators(indicators);
        stage
    }

    /// h the historian, b somebody on the list, p one of them whom the profile lists, e one whose
    /// time is over, n a name below one on the list; capitals: it connects to us, U unanswered.
    fn facts(stage: &Stage, symbol: char) -> FlowFacts<'_> {
        let peer = match symbol.to_ascii_lowercase() {
            'h' => HISTORIAN,
            'b' | 'u' => "203.0.113.77",
            'p' => "203.0.113.80",
            'e' => "198.51.100.9",
            _ => "192.0.2.1",
        };
        let mut facts = stage.flow_to(time("2025-12-12T09:00:00Z"), peer, Transport::Tcp, 4_444);
        if symbol == 'n' {
            facts.flow.peer_name = Some("a.c2.example.net");
        }
        if symbol.is_uppercase() {
            facts.flow.role = Role::Responder;
            facts.peer_expected = stage.baseline.may_connect(facts.flow.peer);
        }
        if symbol == 'U' {
            facts.flow.state = ConnState::Attempt;
            facts.up = 0;
        }
        facts
    }

    #[test]
    fn who_is_on_a_list_is_seen_by_address_and_by_name_on_either_end() {
        let stage = stage(LIST);
        let plan = KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
        check(
            "
            h b p e n o  H B U
            . ! ! . ! .  . ! !
            ",
            |symbol| KnownBadDestination::on_flow(&plan, &mut (), &facts(&stage, symbol)),
        );
    }

    #[test]
    fn the_sentence_names_the_list_and_says_what_the_profile_says() {
        let stage = stage(LIST);
        let plan = KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
        let told = |symbol| {
            let facts = facts(&stage, symbol);
            let sighting = seen(KnownBadDestination::on_flow(&plan, &mut (), &facts));
            let stored = serde_json::to_string(&sighting.inputs).unwrap();
            let evidence =
                KnownBadDestination::assess(&plan, &serde_json::from_str(&stored).unwrap());
            assert_eq!(evidence.floor, sighting.floor);
            (evidence.floor.unwrap(), evidence.sentence)
        };
        assert_eq!(
            told('p'),
            (
                Grade::Critical,
                "It opened a connection to 203.0.113.80, tcp port 4444, which `rats.csv` lists as \
                 hostile (Some rat). Its profile lists it as a destination (203.0.113.80)."
                    .to_owned()
            )
        );
        assert_eq!(
            told('U'),
            (
                Grade::Medium,
                "203.0.113.77, which `rats.csv` lists as hostile (Some rat), connected to it, tcp \
                 port 4444; it did not answer."
                    .to_owned()
            )
        );
        assert_eq!(
            told('n').1,
            "It opened a connection to 192.0.2.1 (a.c2.example.net), tcp port 4444, which \
             `rats.csv` lists as hostile."
        );
    }

    #[test]
    fn without_a_list_or_with_another_nothing_is_claimed() {
        let bare = Stage::of("destinations: [203.0.113.80]");
        assert!(KnownBadDestination::plan(&bare.baseline, 0.0).is_none());
        let (first, other) = (stage(LIST), stage("192.0.2.99"));
        let plan = |stage: &Stage| KnownBadDestination::plan(&stage.baseline, 0.0).unwrap();
        let facts = facts(&first, 'b');
        let sighting = seen(KnownBadDestination::on_flow(&plan(&first), &mut (), &facts));
        let again = KnownBadDestination::assess(&plan(&other), &sighting.inputs);
        assert!(again.sentence.contains("which no list names"));
        assert_ne!(
            again,
            KnownBadDestination::assess(&plan(&first), &sighting.inputs)
        );
        assert_eq!(key("203.0.113.77"), facts.flow.peer);
    }
}
