//! # Do its messages still come in its rhythm and its size?
//!
//! ## What it sees
//! Messages that come before they are due, slots without a message, and messages of another size,
//! more often than the rhythm of the type allows. An extra message is how something is injected
//! into a periodic stream or smuggled out in it.
//!
//! ## When it cries wolf
//! A gateway that gathers messages and sends them in a burst, a firmware that changed the payload.
//!
//! ## Method
//! Three Bernoulli steps per message, each against a bounded chance (stats.md §5.6): *early*, more
//! than six written jitters before it is due; *missed*, one to nine empty slots before it, all
//! within the active hours; *size*, outside the written range. A longer pause is no step, nor is
//! a late row, nor a row outside the hours.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::Plane;
use andon_schemas::profile::Cadence as Written;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::FlowFacts;
use crate::shift::ends;
use crate::standing::{self, Standing, WRITTEN, step};
use crate::stats::bernoulli::{BernoulliBets, Chance};
use crate::stats::evidence::{Arming, Bets, Purse, Stake};
use crate::words::{bytes_range_text, bytes_text, span_text, three_digits};

/// Before it is due by so many jitters: four standard deviations of the difference of two moments
/// that both vary.
const EARLY_JITTERS: f64 = 6.0;
/// A pause of so many periods is no row of missed slots: `silence` sees it.
const SLOTS_MAX: f64 = 10.0;
/// Honest messages that are early, or follow a missed slot, at most: loss and resending.
const EARLY_CHANCE: f64 = 0.01;
const MISSED_CHANCE: f64 = 0.02;
/// How much likelier than bounded a deviation is bet to be.
const FACTORS: [f64; 3] = [2.0, 4.0, 16.0];
const SECONDS_PER_DAY: f64 = 86_400.0;

/// What the three bets are on.
const EARLY: usize = 0;
const MISSED: usize = 1;
const SIZE: usize = 2;
const DEVIATIONS: [&str; 3] = ["early", "missed", "size"];

pub(crate) struct Cadence;

/// What it compiled from a profile.
pub(crate) struct Plan {
    written: Written,
    /// Earlier than this after the last message is early; from this on a slot was missed; from
    /// the last on it is a pause.
    early: Span,
    missed: Span,
    pause: Span,
    /// Sizes that are as written.
    sizes: (f64, f64),
    bets: [BernoulliBets<3>; 3],
    stake: Stake,
}

/// What it remembers of a device: 64 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    weight: Weight,
    /// When the last message came; 0 if there is none to count from.
    last: EventTime,
    /// Hour in which it was last told that evidence stands.
    told: i32,
    purse: Purse,
    arming: Arming,
}

/// Evidence of early, missed and wrongly sized messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Weight([Bets<3>; 3]);

/// A message that deviated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Microseconds since the message before it, if that was not a pause ago.
    after_us: Option<i64>,
    /// Bytes sent.
    size: u64,
    /// The slot before it was inside the active hours.
    slot_in_hours: bool,
    /// Stake of this step.
    staked: f32,
    /// Evidence before it.
    before: Weight,
}

impl Weight {
    /// Evidence after a message. A message after a pause is a step for its size only.
    fn after(&self, plan: &Plan, inputs: &Inputs) -> Self {
        let deviates = inputs.deviates(plan);
        let mut next = *self;
        let timed = inputs.after_us.is_some();
        for (kind, bets) in next.0.iter_mut().enumerate() {
            if timed || kind == SIZE {
                let e = plan.bets[kind].e_values(deviates[kind]);
                step(bets, inputs.staked / 3.0, e);
            }
        }
        next
    }

    fn total(&self) -> f32 {
        self.0.iter().map(Bets::total).sum()
    }

    fn leading(&self) -> usize {
        let mut leading = EARLY;
        for kind in [MISSED, SIZE] {
            if self.0[kind].total() > self.0[leading].total() {
                leading = kind;
            }
        }
        leading
    }
}

impl Inputs {
    /// Whether the message is early, follows a missed slot, has another size.
    fn deviates(&self, plan: &Plan) -> [bool; 3] {
        let after = self.after_us.map(Span::from_micros);
        [
            after.is_some_and(|after| after < plan.early),
            self.slot_in_hours && after.is_some_and(|after| after >= plan.missed),
            !(plan.sizes.0..=plan.sizes.1).contains(&self.bytes()),
        ]
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "messages stay far below 2^53 bytes"
    )]
    fn bytes(&self) -> f64 {
        self.size as f64
    }
}

impl Detector for Cadence {
    const NAME: &'static str = "cadence";
    const QUESTION: &'static str = "Do its messages still come in its rhythm and its size?";
    const CRIES_WOLF: &'static str = "A gateway that gathers messages and sends them in a burst.";
    const READS: &'static str = "cadence";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Message;
    const WEIGHT: f32 = 1.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let written = baseline.profile.cadence?;
        let size = written.size;
        let bets = |pbar| BernoulliBets::new(Chance { pbar }, FACTORS).ok();
        let period_s = written.period_s.max(1e-3);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "messages of a day, saturating"
        )]
        let messages_per_day = (SECONDS_PER_DAY / period_s) as f32;
        Some(Plan {
            early: span((period_s - EARLY_JITTERS * written.jitter_s).max(0.0)),
            missed: span(1.5 * period_s),
            pause: span(SLOTS_MAX * period_s),
            sizes: ends(size.lo, size.hi, 0.5 * size.hi),
            bets: [
                bets(EARLY_CHANCE)?,
                bets(MISSED_CHANCE)?,
                bets(1.0 - size.coverage)?,
            ],
            stake: Stake::new(stake, messages_per_day),
            written,
        })
    }

    fn on_flow(plan: &Plan, state: &mut State, facts: &FlowFacts) -> Signal<Inputs> {
        let is_message = facts.originated() && facts.destination.is_some() && facts.up > 0;
        if facts.late || !is_message {
            return Signal::Quiet;
        }
        if !facts.in_hours {
            state.last = EventTime::default();
            return Signal::Quiet;
        }
        let last = state.last;
        let after = facts.at.since(last);
        if after < Span::from_micros(0) {
            // It overtook the message before it: nothing can be said of either.
            return Signal::Quiet;
        }
        state.last = facts.at;
        let timed = after < plan.pause;
        let slot = last + span(plan.written.period_s);
        let inputs = Inputs {
            after_us: timed.then(|| after.micros()),
            size: facts.up,
            slot_in_hours: !timed || after < plan.missed || facts.device.baseline.active_at(slot),
            staked: plan
                .stake
                .draw(&mut state.purse, number_of(facts.at, Span::DAY)),
            before: state.weight,
        };
        weigh(plan, state, facts.at, inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let after = inputs.before.after(plan, inputs);
        let leading = after.leading();
        let period = span(plan.written.period_s);
        let gap = inputs.after_us.map(Span::from_micros);
        let gap_text = gap.map_or_else(|| "a pause".to_owned(), span_text);
        let size = plan.written.size;
        let sentence = match leading {
            EARLY => format!(
                "It sends messages before they are due, more often than its rhythm allows: the \
                 latest came {gap_text} after the one before, where one is due every {}.",
                span_text(period)
            ),
            MISSED => format!(
                "It leaves out messages more often than its rhythm allows: the latest came \
                 {gap_text} after the one before, where one is due every {}.",
                span_text(period)
            ),
            _ => format!(
                "It sends messages of another size more often than its type does: the latest was \
                 {}, where {} are expected.",
                bytes_text(inputs.bytes()),
                bytes_range_text(plan.sizes.0, plan.sizes.1)
            ),
        };
        Evidence {
            floor: None,
            score: standing::score(after.total()),
            p_value: None,
            magnitude: inputs.bytes(),
            observed: json!({
                "deviation": DEVIATIONS[leading],
                "message_bytes": inputs.size,
                "seconds_after_the_last": gap.map(Span::as_secs_f64),
                "device_days_per_false_alarm": after.total(),
            }),
            expected: json!({
                "message_bytes": [plan.sizes.0, plan.sizes.1], "coverage": size.coverage,
                "period_s": plan.written.period_s, "jitter_s": plan.written.jitter_s,
            }),
            sentence,
            clears: format!(
                "Messages of its size every {} s, until the evidence has fallen tenfold.",
                three_digits(plan.written.period_s)
            ),
            techniques: match leading {
                EARLY => vec!["T0856".to_owned(), "T0882".to_owned()],
                MISSED => vec!["T0804".to_owned(), "T0815".to_owned()],
                _ => vec!["T0856".to_owned(), "T0832".to_owned()],
            },
            confidence: WRITTEN,
        }
    }
}

/// Takes a message in. Evidence is told with a message that deviates, once an hour.
fn weigh(plan: &Plan, state: &mut State, at: EventTime, inputs: Inputs) -> Signal<Inputs> {
    state.weight = inputs.before.after(plan, &inputs);
    let evidence = state.weight.total();
    let standing = Standing::of(&mut state.arming, evidence);
    if standing == Standing::Stands {
        let hour = number_of(at, Span::HOUR);
        if hour == state.told || !inputs.deviates(plan).contains(&true) {
            return Signal::Quiet;
        }
        state.told = hour;
    }
    standing.signal(evidence, inputs.bytes(), || inputs)
}

/// The number of the hour or day, in UTC: a look at the plant's clock for every message would cost
/// more than it tells.
fn number_of(at: EventTime, unit: Span) -> i32 {
    i32::try_from(at.micros().div_euclid(unit.micros())).unwrap_or(i32::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "periods of hours at most, saturating"
)]
fn span(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests;
