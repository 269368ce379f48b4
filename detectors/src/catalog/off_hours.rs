//! # Does it connect outside its active hours?
//!
//! ## What it sees
//! A flow that begins outside the active hours of the profile, or on a holiday of the plant. Of
//! flows *to* the device only those it answered: that it was knocked at in the night is not its
//! doing. Each flow once, however often its running total is reported; a flow that began inside
//! the hours may end outside.
//!
//! ## When it cries wolf
//! Overtime, a late shift, maintenance nobody declared: declare it, or widen the hours or their
//! `grace`.
//!
//! ## Method
//! A rule on the plant's own clock, summer time included. Its false-positive rate is measured per
//! hour outside the active hours (stats.md §5.5).

use std::net::IpAddr;
use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::identity::address_of_key;
use andon_schemas::observation::{ConnState, Role, Transport};
use andon_schemas::profile::Hours;
use andon_schemas::quantity::write_hours_span;
use andon_schemas::time::{EventTime, PlantClock};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::FlowFacts;
use crate::rule::{self, Words};
use crate::words::moment_text;

pub(crate) struct OffHours;

/// What it compiled from a profile.
pub(crate) struct Plan {
    hours: Hours,
    clock: Arc<PlantClock>,
    holidays: Arc<[i32]>,
    grade: Grade,
}

/// One flow that began when nothing should.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    start: EventTime,
    holiday: bool,
    peer: IpAddr,
    port: u16,
    transport: Transport,
    role: Role,
}

impl Detector for OffHours {
    const NAME: &'static str = "off_hours";
    const QUESTION: &'static str = "Does it connect outside its active hours?";
    const CRIES_WOLF: &'static str = "Overtime or maintenance nobody declared.";
    const READS: &'static str = "active_hours";
    const GRADE: &'static str = "LOW";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        Some(Plan {
            hours: baseline.profile.hours.clone()?,
            clock: baseline.clock.clone(),
            holidays: baseline.holidays.clone(),
            grade: baseline.grade(Self::NAME, Grade::Low),
        })
    }

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        if facts.in_hours && !facts.excused || !facts.first {
            return Signal::Quiet;
        }
        let flow = &facts.flow;
        let answered = flow.state == ConnState::Answered || facts.up > 0 && facts.down > 0;
        if !facts.originated() && !answered {
            return Signal::Quiet;
        }
        if facts.excused {
            return Signal::Excused;
        }
        let day = plan.clock.local(flow.start).day;
        let inputs = Inputs {
            start: flow.start,
            holiday: plan.holidays.binary_search(&day).is_ok(),
            peer: address_of_key(flow.peer),
            port: flow.port,
            transport: flow.transport,
            role: flow.role,
        };
        rule::broken(plan.grade, 1.0, inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let Inputs {
            start,
            holiday,
            peer,
            port,
            transport,
            role,
        } = inputs;
        let moment = moment_text(&plan.clock, *start);
        let spans: Vec<_> = plan.hours.spans.iter().map(write_hours_span).collect();
        let hours = spans.join(" and ");
        let did = match role {
            Role::Originator => format!("It connected to {peer}"),
            Role::Responder => format!("It answered a connection from {peer}"),
        };
        let why = if *holiday {
            format!("which is a holiday; its active hours are {hours}")
        } else {
            format!("outside its active hours {hours}")
        };
        let words = Words {
            observed: json!({
                "start": start, "plant_time": moment, "holiday": holiday, "peer": peer,
                "port": port, "transport": transport, "role": role,
            }),
            expected: json!({
                "active_hours": spans, "grace_min": plan.hours.grace_min,
                "time_zone": plan.clock.name(),
            }),
            sentence: format!("{did} on {moment} plant time, {why}."),
            clears: "An hour without a new connection, or the next active hours.".to_owned(),
            techniques: &["T0859"],
        };
        rule::evidence(plan.grade, 1.0, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Stage, check, seen, time};

    const PROFILE: &str = "active_hours: { spans: Mon-Fri 06:00-22:00, grace: 15 min }";

    /// Plant time is UTC + 1 in December; 2025-12-12 is a Friday.
    fn facts(stage: &Stage, symbol: char) -> FlowFacts<'_> {
        let at = time(match symbol.to_ascii_lowercase() {
            'd' => "2025-12-12T09:00:00Z",
            'g' => "2025-12-12T21:14:59Z",
            'n' | 'u' => "2025-12-12T21:15:00Z",
            's' => "2025-12-14T01:30:00Z",
            'h' => "2025-12-25T09:00:00Z",
            _ => "2025-12-13T09:00:00Z",
        });
        let mut facts = stage.flow(at);
        match symbol {
            'u' | 'U' => {
                facts.flow.state = ConnState::Attempt;
                facts.up = 0;
            }
            'i' => facts.first = false,
            'm' | 'k' => {
                (facts.in_hours, facts.excused) = (true, true);
                facts.first = symbol == 'm';
            }
            _ => {}
        }
        if symbol.is_uppercase() {
            facts.flow.role = Role::Responder;
        }
        facts
    }

    #[test]
    fn only_what_begins_outside_the_hours_is_seen() {
        let stage = Stage::of(PROFILE);
        let plan = OffHours::plan(&stage.baseline, 0.0).unwrap();
        // d day, g within the grace, n night, u unanswered in the night, s Sunday, h holiday,
        // i a later record of a flow, m in maintenance, k a later record of that; capitals: to the
        // device.
        check(
            "
            d g n u s h i  D N U S H  m k
            . . ! ! ! ! .  . ! . ! !  e .
            ",
            |symbol| OffHours::on_flow(&plan, &mut (), &facts(&stage, symbol)),
        );
    }

    #[test]
    fn the_sentence_gives_plant_time_and_names_a_holiday() {
        let stage = Stage::of(PROFILE);
        let plan = OffHours::plan(&stage.baseline, 0.0).unwrap();
        let sentence = |symbol| {
            let sighting = seen(OffHours::on_flow(&plan, &mut (), &facts(&stage, symbol)));
            OffHours::assess(&plan, &sighting.inputs).sentence
        };
        assert_eq!(
            sentence('s'),
            "It connected to 10.1.10.5 on Sunday 02:30 plant time, outside its active hours \
             Mon-Fri 06:00-22:00."
        );
        assert_eq!(
            sentence('H'),
            "It answered a connection from 10.1.10.5 on Thursday 10:00 plant time, which is a \
             holiday; its active hours are Mon-Fri 06:00-22:00."
        );
    }
}
