//! # Does it move away from its own level, too slowly for any hour to stand out?
//!
//! ## What it sees
//! What the device moves, how much of it goes up, how often and how large its messages are, what it
//! draws while it works and how fast it turns: whole days of each, against the level that the
//! device's own first two weeks have set. The other statistics follow a level that moves, within a
//! cap; this one does not, so that a patient attacker gains little more than that cap.
//!
//! ## When it cries wolf
//! A product that changes for good, a tool that wears, a season. What is honest is signed: a new
//! version of the profile sets the level anew.
//!
//! ## Method
//! Each day's mean, on the log scale, against the level of the device, which is its own mean drawn
//! towards its type by shrinkage; 5 % of drift are let pass. One likelihood ratio a day and side,
//! added up over the numbers: an anytime-valid sequential test (stats.md §4.2, §4.5, §5.1). A type
//! with a cadence is followed in the number of its messages and their size instead of its volume and
//! its upload, which they make. Days are those of UTC. Hours outside the active ones, partial hours and samples
//! that do not work or do not turn are no steps.

mod measure;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::Plane;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::measure::{LANES, Lane, Measure};
use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::drift::{DRIFT_ALLOWED, Drift, REFERENCE_DAYS};
use crate::facts::{CloseFacts, FlowFacts, ReadingFacts};
use crate::shift::is_whole;
use crate::standing::{self, Standing, WRITTEN};
use crate::stats::evidence::Arming;
use crate::words::multiple_text;

const HOURS_PER_DAY: i32 = 24;

pub(crate) struct SlowDrift;

/// What it compiled from a profile.
pub(crate) struct Plan {
    lanes: [Option<Lane>; LANES],
    /// What may be staked on each number a day.
    stake: f32,
    /// The rows of a cadence are counted.
    counts_messages: bool,
}

/// What it remembers: 60 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    lanes: [Drift; LANES],
    /// Days that have set the level of each.
    days: [u8; LANES],
    /// Number of the running day.
    day: i32,
    /// Messages of the open hours, at their hour's parity: two are open at most.
    messages: [u16; 2],
    /// Days since evidence began to rise, 255 at most.
    rising: u8,
}

/// What is told of a day: the arming lies beside the evidence, so that a stored state explains
/// itself without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    state: State,
    arming: Arming,
}

/// A day that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// What was remembered at its end.
    before: State,
}

impl State {
    /// What is remembered once the running day has been weighed. Pure, so that a stored state
    /// explains itself.
    fn turned(&self, plan: &Plan) -> Self {
        let mut next = *self;
        let lanes = next.lanes.iter_mut().zip(&mut next.days).zip(&plan.lanes);
        for ((drift, days), lane) in lanes {
            if let Some(lane) = lane {
                drift.turn(&lane.plan, days, plan.stake);
            }
        }
        next.rising = if next.evidence() < plan.stake {
            0
        } else {
            self.rising.saturating_add(1)
        };
        next
    }

    /// Evidence of all numbers, in device-days per false alarm.
    fn evidence(&self) -> f32 {
        self.lanes.iter().map(Drift::evidence).sum()
    }

    /// The number on which most evidence lies.
    fn leading(&self, plan: &Plan) -> Option<(usize, Lane)> {
        let lanes = plan.lanes.iter().enumerate();
        lanes
            .filter_map(|(at, lane)| Some((at, (*lane)?)))
            .max_by(|a, b| {
                let evidence = |at: usize| self.lanes[at].evidence();
                evidence(a.0).total_cmp(&evidence(b.0))
            })
    }

    #[inline]
    fn add(&mut self, plan: &Plan, measure: Measure, value: f64) {
        let at = measure.lane();
        if let Some(lane) = &plan.lanes[at]
            && lane.measure == measure
        {
            self.lanes[at].add(lane.step(value));
        }
    }
}

impl Memory {
    /// A row or an hour of a day has come: the day before it is weighed, if it is over.
    #[inline]
    fn reach(&mut self, plan: &Plan, day: i32) -> Signal<Inputs> {
        if day <= self.state.day {
            return Signal::Quiet;
        }
        self.weigh(plan, day)
    }

    fn weigh(&mut self, plan: &Plan, day: i32) -> Signal<Inputs> {
        let before = self.state;
        self.state = before.turned(plan);
        self.state.day = day;
        let evidence = self.state.evidence();
        let standing = Standing::of(&mut self.arming, evidence);
        standing.signal(evidence, magnitude(plan, &before), || Inputs { before })
    }
}

impl Detector for SlowDrift {
    const NAME: &'static str = "slow_drift";
    const QUESTION: &'static str =
        "Does it move away from its own level, too slowly for any hour to stand out?";
    const CRIES_WOLF: &'static str =
        "A product that changed for good, or a tool that wears: sign the profile anew.";
    const READS: &'static str = "volume_per_hour, upload_share, cadence, current, spindle";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Window;
    const WEIGHT: f32 = 8.0;

    type Plan = Plan;
    type State = Memory;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let lanes = measure::lanes(&baseline.profile);
        let used = lanes.iter().flatten().fold(0.0, |sum, _| sum + 1.0);
        (used > 0.0).then(|| Plan {
            lanes,
            stake: stake / used,
            counts_messages: baseline.profile.cadence.is_some(),
        })
    }

    fn on_flow(plan: &Plan, memory: &mut Memory, facts: &FlowFacts) -> Signal<Inputs> {
        if plan.counts_messages
            && facts.up > 0
            && facts.originated()
            && facts.destination.is_some()
            && let Some(pane) = facts.pane
        {
            let count = &mut memory.state.messages[parity(pane.hour)];
            *count = count.saturating_add(1);
        }
        Signal::Quiet
    }

    fn on_reading(plan: &Plan, memory: &mut Memory, facts: &ReadingFacts) -> Signal<Inputs> {
        if facts.late {
            return Signal::Quiet;
        }
        let signal = memory.reach(plan, day_of(facts.at));
        let reading = [
            (Measure::Current, facts.reading.current_a),
            (Measure::Spindle, facts.reading.spindle_rpm),
        ];
        for (measure, value) in reading {
            let value = f64::from(value.unwrap_or(0.0)).abs();
            let works = |lane: &Lane| lane.measure == measure && value >= lane.from;
            if plan.lanes[measure.lane()].as_ref().is_some_and(works) {
                memory.state.add(plan, measure, value);
            }
        }
        signal
    }

    fn on_close(plan: &Plan, memory: &mut Memory, facts: &CloseFacts) -> Signal<Inputs> {
        let pane = facts.pane;
        let signal = memory.reach(plan, pane.hour.div_euclid(HOURS_PER_DAY));
        let messages = std::mem::take(&mut memory.state.messages[parity(pane.hour)]);
        if !is_whole(facts) || pane.other_bytes > 0 || pane.bytes() == 0 {
            return signal;
        }
        let (up, down) = (as_number(pane.up), as_number(pane.down));
        let state = &mut memory.state;
        state.add(plan, Measure::Volume, up + down);
        state.add(plan, Measure::Upload, (up + 1.0) / (down + 1.0));
        if messages > 0 {
            state.add(plan, Measure::Rhythm, f64::from(messages));
            state.add(plan, Measure::Size, up / f64::from(messages));
        }
        signal
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let after = inputs.before.turned(plan);
        let leading = after.leading(plan);
        let told = leading.map(|(at, lane)| Told::of(&inputs.before, &after, at, lane));
        let (observed, expected, sentence, techniques) = told.map_or_else(
            || (json!({}), json!({}), String::new(), Vec::new()),
            |told| told.words(after.evidence()),
        );
        Evidence {
            floor: None,
            score: standing::score(after.evidence()),
            p_value: None,
            magnitude: magnitude(plan, &inputs.before),
            observed,
            expected,
            sentence,
            clears: "Days at its own level, until the evidence has fallen tenfold; or a new \
                     version of its profile, which a person signs and which sets the level anew."
                .to_owned(),
            techniques,
            confidence: WRITTEN,
        }
    }
}

/// What is told of one number.
struct Told {
    lane: Lane,
    after: State,
    at: usize,
    /// On the last day, for this device and for its type, as logarithms of ratios to the type.
    seen: f64,
    own: f64,
}

impl Told {
    fn of(before: &State, after: &State, at: usize, lane: Lane) -> Self {
        let drift = before.lanes[at];
        let own = drift.expected(&lane.plan, before.days[at]).unwrap_or(0.0);
        Self {
            lane,
            after: *after,
            at,
            seen: drift.day_mean(&lane.plan).unwrap_or(own),
            own,
        }
    }

    fn words(&self, evidence: f32) -> (serde_json::Value, serde_json::Value, String, Vec<String>) {
        let lane = &self.lane;
        let text = |ln: f64| lane.measure.text(lane.value(ln));
        let days = self.after.rising.max(1);
        let times = (self.seen - self.own).exp();
        let sentence = format!(
            "For {days} {} its {} has moved away from its own level: {} on the last of them, {} \
             times the {} expected of this device ({} of its type).",
            if days == 1 { "day" } else { "days" },
            lane.measure.name(),
            text(self.seen),
            multiple_text(times),
            text(self.own),
            text(0.0),
        );
        let observed = json!({
            "number": lane.measure.key(), "value": lane.value(self.seen),
            "times_device": times, "days": days,
            "device_days_per_false_alarm": evidence,
        });
        let expected = json!({
            "number": lane.measure.key(), "of_device": lane.value(self.own),
            "of_type": lane.value(0.0), "drift_allowed": DRIFT_ALLOWED.exp_m1(),
            "reference_days": REFERENCE_DAYS,
        });
        let techniques = lane.measure.techniques(self.after.lanes[self.at].side());
        (observed, expected, sentence, techniques)
    }
}

/// How many times its level a device is at, or its inverse: at least 1.
fn magnitude(plan: &Plan, before: &State) -> f64 {
    let Some((at, lane)) = before.turned(plan).leading(plan) else {
        return 1.0;
    };
    let drift = &before.lanes[at];
    let own = drift.expected(&lane.plan, before.days[at]);
    let moved = drift.day_mean(&lane.plan).zip(own);
    moved.map_or(1.0, |(seen, own)| (seen - own).abs().min(30.0).exp())
}

fn parity(hour: i32) -> usize {
    usize::from(hour.rem_euclid(2) == 1)
}

fn day_of(at: EventTime) -> i32 {
    i32::try_from(at.micros().div_euclid(Span::DAY.micros())).unwrap_or(i32::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of bytes stay far below 2^53"
)]
fn as_number(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
