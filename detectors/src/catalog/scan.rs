//! # Does it search the network?
//!
//! ## What it sees
//! How many distinct hosts, how many distinct pairs of host and port, and how many failed
//! connections the device tried within an hour of event time. It fires on the row that crosses a
//! limit, and again on each row that adds to a count above it. A connection counts as failed if
//! nobody answered or it was refused; a destination of the profile that is down in its own protocol
//! is not counted, however often the device knocks.
//!
//! It asks this of every device. One without a profile, listed or not, is measured against limits of
//! the engine's own, wider than those of a profile that writes none; only servers and sensors without
//! a profile have no limit, because to speak with the whole plant is their work.
//!
//! ## When it cries wolf
//! A management station, an engineering laptop, a discovery run after a network change: give it a
//! profile, and write wider limits under `scan:`.
//!
//! ## Method
//! A rule on three counts, begun anew with each hour of the epoch. Hosts are exact up to 12 and
//! pairs up to 23 (`distinct`), above that within about a tenth; a row of the hour before that is
//! not late counts in the running one.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::observation::ConnState;
use andon_schemas::profile::ScanLimits;
use andon_schemas::time::Span;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::distinct::{Distinct, mix, mix_address};
use crate::facts::FlowFacts;
use crate::rule::{self, Words};

pub(crate) struct Scan;

/// What it compiled from a profile.
pub(crate) struct Plan {
    limits: ScanLimits,
    grade: Grade,
}

/// What was tried in the running hour: 156 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Hours since the epoch.
    hour: i32,
    failed: u32,
    hosts: Distinct<12>,
    pairs: Distinct<23>,
}

/// The counts of the running hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    hosts: u32,
    ports: u32,
    failed: u32,
}

impl Inputs {
    /// The largest of the counts that are above their limits.
    fn magnitude(&self, limits: &ScanLimits) -> f64 {
        let above = |count: u32, limit: u32| if count > limit { count } else { 0 };
        let most = above(self.hosts, limits.hosts)
            .max(above(self.ports, limits.ports))
            .max(above(self.failed, limits.failed));
        f64::from(most)
    }
}

impl Detector for Scan {
    const NAME: &'static str = "scan";
    const QUESTION: &'static str = "Does it search the network?";
    const CRIES_WOLF: &'static str = "A management station, or a discovery run.";
    const READS: &'static str = "scan";
    const GRADE: &'static str = "MEDIUM";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        Some(Plan {
            limits: baseline.profile.scan,
            grade: baseline.grade(Self::NAME, Grade::Medium),
        })
    }

    fn on_flow(plan: &Plan, state: &mut State, facts: &FlowFacts) -> Signal<Inputs> {
        if !facts.originated() || facts.late {
            return Signal::Quiet;
        }
        let hour = facts.at.micros().div_euclid(Span::HOUR.micros());
        let hour = i32::try_from(hour).unwrap_or(if hour < 0 { i32::MIN } else { i32::MAX });
        if hour > state.hour {
            *state = State {
                hour,
                ..State::default()
            };
        }
        let host = mix_address(facts.flow.peer);
        let new_host = state.hosts.insert(host);
        let new_pair = state.pairs.insert(mix(host ^ u64::from(facts.flow.port)));
        let new_failure = facts.first && failed(facts);
        state.failed = state.failed.saturating_add(u32::from(new_failure));

        let limits = &plan.limits;
        let added_above = new_host && state.hosts.count() > limits.hosts
            || new_pair && state.pairs.count() > limits.ports
            || new_failure && state.failed > limits.failed;
        if !added_above {
            return Signal::Quiet;
        }
        let inputs = Inputs {
            hosts: state.hosts.count(),
            ports: state.pairs.count(),
            failed: state.failed,
        };
        rule::broken(plan.grade, inputs.magnitude(limits), inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let limits = &plan.limits;
        let counts = [
            (inputs.hosts, limits.hosts, "hosts"),
            (inputs.ports, limits.ports, "pairs of host and port"),
            (inputs.failed, limits.failed, "connections that failed"),
        ];
        let above: Vec<_> = counts
            .iter()
            .filter(|(count, limit, _)| count > limit)
            .map(|(count, limit, what)| format!("{count} {what} (at most {limit} are normal)"))
            .collect();
        let words = Words {
            observed: json!({
                "hosts": inputs.hosts, "host_ports": inputs.ports, "failed": inputs.failed,
                "within_s": Span::HOUR.as_secs_f64(),
            }),
            expected: json!({
                "hosts_max": limits.hosts, "host_ports_max": limits.ports,
                "failed_max": limits.failed,
            }),
            sentence: format!("Within an hour it tried {}.", above.join(", ")),
            clears: "An hour within these limits.".to_owned(),
            techniques: &["T0846", "T0840"],
        };
        rule::evidence(plan.grade, inputs.magnitude(limits), words)
    }
}

/// Whether nobody let the device in, and it was not just an expected server that is down.
fn failed(facts: &FlowFacts) -> bool {
    let failed = matches!(facts.flow.state, ConnState::Attempt | ConnState::Rejected);
    let expected = facts.destination.is_some() && facts.protocol.is_some();
    failed && !expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{HISTORIAN, Stage, check, key, seen, time};
    use andon_schemas::observation::Transport;
    use std::cell::Cell;

    const PROFILE: &str = "
destinations: [cnc-historian.mfg.local]
protocols: [modbus]
scan: { hosts: 3, ports: 5, failed: 4 }
";

    /// Plays rows ten seconds apart. h: the historian, w: the historian is down, n: a new host,
    /// p: a new port of the historian, f: a failure at one other port, r: somebody connects to us,
    /// l: a late row to a new host, +: an hour later the historian again.
    fn play(drawing: &str) {
        let stage = Stage::of(PROFILE);
        let plan = Scan::plan(&stage.baseline, 0.0).unwrap();
        let mut memory = State::default();
        let (new, at) = (Cell::new(0), Cell::new(time("2025-12-12T09:00:00Z")));
        check(drawing, |symbol| {
            let step = if symbol == '+' {
                Span::HOUR
            } else {
                Span::from_secs(10)
            };
            at.set(at.get() + step);
            let mut facts = stage.flow_to(at.get(), HISTORIAN, Transport::Tcp, 502);
            new.set(new.get() + 1);
            match symbol {
                'n' | 'l' => facts.flow.peer = key("10.1.30.0") + new.get(),
                'p' => facts.flow.port = 1000 + u16::try_from(new.get()).unwrap(),
                'f' => facts.flow.port = 22,
                _ => {}
            }
            facts.destination = stage.baseline.destination(facts.flow.peer);
            facts.protocol = stage
                .baseline
                .protocol(Transport::Tcp, facts.flow.port, None);
            if matches!(symbol, 'w' | 'f') {
                facts.flow.state = ConnState::Attempt;
            }
            facts.late = symbol == 'l';
            if symbol == 'r' {
                facts.flow.role = andon_schemas::observation::Role::Responder;
            }
            Scan::on_flow(&plan, &mut memory, &facts)
        });
    }

    #[test]
    fn the_row_that_crosses_a_limit_is_seen_and_every_further_one() {
        play(
            "
            h nnn n hhh n
            . ..! ! ... !
            ",
        );
        play(
            "
            h pppp p p
            . .... ! !
            ",
        );
        play(
            "
            h ffff f f
            . .... ! !
            ",
        );
    }

    #[test]
    fn a_known_server_is_no_scan_however_often_it_is_called_or_down() {
        play(
            "
            hhhhhhhhhhhhhhhhhhhh wwwwwwwwwwwwwwwwwwww
            .................... ....................
            ",
        );
    }

    #[test]
    fn each_hour_begins_anew_and_late_rows_and_callers_do_not_count() {
        play(
            "
            h nn + nn + nn llll rrrr
            . .. . .. . .. .... ....
            ",
        );
    }

    #[test]
    fn the_sentence_says_which_counts_are_too_high() {
        let stage = Stage::of(PROFILE);
        let plan = Scan::plan(&stage.baseline, 0.0).unwrap();
        let mut memory = State::default();
        let at = time("2025-12-12T09:00:00Z");
        let last = (0..4).map(|host| {
            let peer = format!("10.1.30.{host}");
            Scan::on_flow(
                &plan,
                &mut memory,
                &stage.flow_to(at, &peer, Transport::Tcp, 502),
            )
        });
        let sighting = seen(last.last().unwrap());
        assert_eq!(
            Scan::assess(&plan, &sighting.inputs).sentence,
            "Within an hour it tried 4 hosts (at most 3 are normal)."
        );
    }

    #[test]
    fn the_state_stays_within_its_budget() {
        assert!(size_of::<State>() <= 160);
    }
}
