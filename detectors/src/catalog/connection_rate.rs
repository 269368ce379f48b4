//! # Does it lastingly open more or fewer connections than its type does?
//!
//! ## What it sees
//! New connections that the device opens in each full hour of work, which stay above or below what
//! the device and its type usually open: tools that try and retry, a service that was cut off.
//!
//! ## When it cries wolf
//! A client that reconnects after every message since its last update, or a flapping link.
//!
//! ## Method
//! The written range as a negative binomial, since counts of real devices vary more than chance
//! alone; the randomised integral transform of each hour's count, whitened, bet on both sides
//! (stats.md §5.2). Partial hours and hours without any traffic are no steps.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::Plane;
use andon_schemas::profile::Range;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::CloseFacts;
use crate::shift::{Look, Shift, ShiftPlan, ends, is_whole};
use crate::standing;
use crate::stats::count::{CountNull, CountTable};
use crate::stats::normal::sf;
use crate::stats::range::LogNormalNull;
use crate::stats::tilts::Side;
use crate::stats::uniform::uniform_hash;
use crate::words::three_digits;

pub(crate) struct ConnectionRate;

/// What it compiled from a profile.
pub(crate) struct Plan {
    range: Range,
    table: CountTable,
    shift: ShiftPlan,
}

/// A closed hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Hours since the epoch.
    hour: i32,
    /// New connections that the device opened.
    opened: u32,
    /// The uniform number of this device and hour that makes the count's score continuous.
    tie: f64,
    /// What was remembered before it.
    before: Shift,
}

impl Detector for ConnectionRate {
    const NAME: &'static str = "connection_rate";
    const QUESTION: &'static str =
        "Does it lastingly open more or fewer connections than its type does?";
    const CRIES_WOLF: &'static str = "A client that reconnects more often since its last update.";
    const READS: &'static str = "connections_per_hour";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Window;
    const WEIGHT: f32 = 8.0;

    type Plan = Plan;
    type State = Shift;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let range = baseline.profile.connections?;
        let (lo, hi) = ends(range.lo, range.hi, 0.5 * range.hi);
        let null = CountNull::from_range(lo, hi, range.coverage).ok()?;
        let sigma = LogNormalNull::from_range(lo, hi, range.coverage)
            .ok()?
            .sigma;
        Some(Plan {
            range,
            table: CountTable::new(null),
            shift: ShiftPlan::written(sigma, stake, baseline.clock.clone())
                .learned(baseline.law(Self::NAME)),
        })
    }

    fn on_close(plan: &Plan, state: &mut Shift, facts: &CloseFacts) -> Signal<Inputs> {
        if !is_whole(facts) {
            return Signal::Quiet;
        }
        let pane = facts.pane;
        let inputs = Inputs {
            hour: pane.hour,
            opened: pane.opened,
            tie: uniform_hash(facts.device.id.as_str(), Self::NAME, i64::from(pane.hour)),
            before: *state,
        };
        let standing = state.take(&plan.shift, look(plan, &inputs));
        standing.signal(state.evidence(), f64::from(pane.opened), || inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let after = inputs.before.after(&plan.shift, look(plan, inputs));
        let law = plan.table.null();
        let opened = u64::from(inputs.opened);
        #[expect(clippy::cast_precision_loss, reason = "connections of an hour")]
        let written = |level| law.threshold(sf(level)) as f64;
        let own = plan.shift.expected(&inputs.before, inputs.hour, written);
        let (lo, hi) = (three_digits(plan.range.lo), three_digits(plan.range.hi));
        Evidence {
            floor: None,
            score: standing::score(after.evidence()),
            p_value: Some(match after.side() {
                Side::Up => law.p_at_least(opened),
                Side::Down => law.tails(opened).lower,
            }),
            magnitude: f64::from(inputs.opened),
            observed: json!({
                "connections": inputs.opened, "hours": after.hours(),
                "times_type": after.ratio(),
                "device_days_per_false_alarm": after.evidence(),
            }),
            expected: json!({
                "connections_per_hour": [plan.range.lo, plan.range.hi],
                "coverage": plan.range.coverage, "mean_per_hour": law.mean,
                "of_device": own,
            }),
            sentence: format!(
                "{}: {} this hour, {} expected of this device and {lo}\u{2013}{hi} of its type.",
                after.sentence(&plan.shift, "opened", "as many connections as"),
                inputs.opened,
                three_digits(own)
            ),
            clears: after.clears(&plan.shift),
            techniques: match after.side() {
                Side::Up => vec!["T0846".to_owned(), "T0869".to_owned()],
                Side::Down => vec!["T0803".to_owned(), "T0814".to_owned()],
            },
            confidence: plan.shift.confidence(),
        }
    }
}

fn look(plan: &Plan, inputs: &Inputs) -> Look {
    // Half a connection keeps the logarithm of an hour without any finite.
    let count = f64::from(inputs.opened) + 0.5;
    Look {
        hour: inputs.hour,
        score: plan.table.z_score(u64::from(inputs.opened), inputs.tie),
        ln_ratio: (count / (plan.table.null().mean + 0.5)).ln(),
        ln_value: count.ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Pane;
    use crate::stage::{Stage, seen, time};
    use andon_schemas::time::{Interval, Span};

    /// Plays hours of a day that begins at midnight, each with so many connections.
    fn play(stage: &Stage, plan: &Plan, counts: &[u32]) -> Vec<Signal<Inputs>> {
        let mut memory = Shift::default();
        let start = time("2025-12-12T00:00:00Z");
        (0..)
            .zip(counts)
            .map(|(hour, opened)| {
                let pane = Pane {
                    hour: 490_000 + hour,
                    opened: *opened,
                    up: 1_000,
                    ..Pane::default()
                };
                let from = start + Span::HOUR.times(i64::from(hour));
                let facts = CloseFacts {
                    device: stage.device(),
                    pane: &pane,
                    window: Interval {
                        start: from,
                        end: from + Span::HOUR,
                    },
                    active_share: 1.0,
                    partial: false,
                };
                ConnectionRate::on_close(plan, &mut memory, &facts)
            })
            .collect()
    }

    #[test]
    fn usual_counts_are_silent_and_a_lasting_rise_is_seen_and_then_over() {
        let stage = Stage::of("connections_per_hour: 10-50");
        let plan = ConnectionRate::plan(&stage.baseline, 0.2).unwrap();
        let honest: Vec<u32> = (0..72)
            .map(|hour| [22, 31, 26, 19, 28, 35][hour % 6])
            .collect();
        assert!(
            play(&stage, &plan, &honest)
                .iter()
                .all(|signal| *signal == Signal::Quiet)
        );
        let mut counts = honest.clone();
        counts.extend([70; 12]);
        counts.extend(honest.repeat(3));
        let signals = play(&stage, &plan, &counts);
        let first = signals
            .iter()
            .position(|signal| matches!(signal, Signal::Seen(_)))
            .unwrap();
        assert!((73..84).contains(&first), "{first}");
        let over = signals.iter().filter(|signal| **signal == Signal::Over);
        assert_eq!(over.count(), 1);
    }

    #[test]
    fn fewer_connections_are_seen_as_well() {
        let stage = Stage::of("connections_per_hour: 10-50");
        let plan = ConnectionRate::plan(&stage.baseline, 0.2).unwrap();
        let mut counts: Vec<u32> = (0..72).map(|hour| [22, 31, 26, 19][hour % 4]).collect();
        counts.extend([3; 24]);
        let last = play(&stage, &plan, &counts).pop().unwrap();
        let inputs = seen(last).inputs;
        let sentence = ConnectionRate::assess(&plan, &inputs).sentence;
        assert!(
            sentence.contains("times as many connections as its type does: ")
                && sentence.contains(" 3 this hour, ")
                && sentence.ends_with("expected of this device and 10\u{2013}50 of its type."),
            "{sentence}"
        );
    }

    #[test]
    fn evidence_is_recomputed_from_what_is_stored() {
        let stage = Stage::of("connections_per_hour: 10-50");
        let plan = ConnectionRate::plan(&stage.baseline, 0.2).unwrap();
        let sighting = seen(play(&stage, &plan, &[80; 48]).pop().unwrap());
        let stored = serde_json::to_value(sighting.inputs).unwrap();
        let inputs: Inputs = serde_json::from_value(stored).unwrap();
        assert_eq!(ConnectionRate::assess(&plan, &inputs).score, sighting.score);
        assert!(sighting.score >= 25 && sighting.floor.is_none());
    }
}
