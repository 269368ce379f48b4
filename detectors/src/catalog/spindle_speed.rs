//! # Does its spindle run too fast, or not as its current says?
//!
//! ## What it sees
//! A speed above the limit, on the first sample, in either direction of rotation. By evidence,
//! speed and current that contradict each other, which means that one of the two sensors tells a
//! story. Where the profile says under `load:` which current goes with which speed: quarters of an
//! hour in which samples at rest, or of those that turn, draw another current than that, or in
//! which the mean of those that turn lies elsewhere: the load has moved. Where it does not:
//! stretches that last longer than it takes to spin up or to run down, in which it turns and draws
//! no more than idle, or stands and draws a working current.
//!
//! ## When it cries wolf
//! Another axis that draws the current while the spindle stands, a material or a tool that is new
//! to the profile, or a sensor that reports the speed that was set and not the one that is.
//! Readings that carry only one of the two values are judged by the limit alone.
//!
//! ## Method
//! A rule at the `limit` (the upper end of the range, unless written). For the contradiction, by
//! `load:` a bet on the share of misfits of each quarter of an hour and one on its mean; without it
//! one Bernoulli step per stretch of at most a quarter hour. All against what the written coverage
//! leaves outside (stats.md §5.8).

mod load;
mod words;

use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::{Current, Spindle};
use andon_schemas::time::{PlantClock, Span};
use serde::{Deserialize, Serialize};

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::ReadingFacts;
use crate::rare::{Scales, Step, Weight};
use crate::rule;
use crate::standing::Standing;
use crate::visits::{Counting, Visits};

/// How much likelier than written a contradiction is bet to be.
const FACTORS: [f64; 2] = [4.0, 10.0];

/// Quarter hours of a day.
const STRETCHES_PER_DAY: f32 = 96.0;

/// Spinning up and running down take less; a stretch counts again each quarter hour.
const COUNTING: Counting = Counting {
    settle: Span::from_secs(30),
    again: Span::from_secs(900),
    apart: Span::from_micros(0),
};

/// Below this share of the limit the spindle stands: sensors show a little speed at rest.
const STANDING: f64 = 0.01;

pub(crate) struct SpindleSpeed;

/// What it compiled from a profile.
pub(crate) struct Plan {
    spindle: Spindle,
    current: Option<Current>,
    clock: Arc<PlantClock>,
    grade: Grade,
    scales: Option<Scales<2>>,
    /// What takes the place of stretches, where the profile says which current goes with a speed.
    law: Option<load::Law>,
}

/// What it remembers: 48 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Of stretches.
    Stretches {
        /// Of what the samples say.
        visits: Visits,
        /// Their evidence.
        weight: Weight<2>,
    },
    /// Of currents that go with speeds.
    Loads(load::State),
}

impl Default for State {
    fn default() -> Self {
        Self::Stretches {
            visits: Visits::default(),
            weight: Weight::default(),
        }
    }
}

/// How speed and current fit each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fit {
    /// It stands and draws less than a working current.
    Standing,
    /// It turns and draws more than idle.
    Turning,
    /// It turns and draws no more than idle.
    TurningUnpowered,
    /// It stands and draws a working current.
    PoweredStanding,
}

impl Fit {
    fn of(rpm: f64, amperes: f64, limit: f64, current: &Current) -> Self {
        let turns = rpm.abs() > STANDING * limit;
        match turns {
            true if amperes > current.idle.hi => Self::Turning,
            true => Self::TurningUnpowered,
            false if amperes >= current.active.lo => Self::PoweredStanding,
            false => Self::Standing,
        }
    }

    /// Its number for [`Visits`].
    const fn number(self) -> u8 {
        self as u8 + 1
    }

    const fn is_contradiction(self) -> bool {
        matches!(self, Self::TurningUnpowered | Self::PoweredStanding)
    }
}

/// What one assessment is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub(crate) enum Inputs {
    /// A sample above the limit.
    AboveLimit {
        /// The sample, revolutions per minute.
        rpm: f32,
    },
    /// A stretch that counted.
    Stretch {
        /// How speed and current fitted.
        fit: Fit,
        /// The sample that settled it, revolutions per minute.
        rpm: f32,
        /// The current in the same reading.
        amperes: f32,
        /// The step of evidence it was.
        step: Step<2>,
    },
    /// A quarter of an hour in which speed and current were counted.
    Quarter(load::Closed),
}

impl Detector for SpindleSpeed {
    const NAME: &'static str = "spindle_speed";
    const QUESTION: &'static str = "Does its spindle run too fast, or not as its current says?";
    const CRIES_WOLF: &'static str = "Another axis that draws the current while the spindle stands, or a material new to the profile.";
    const READS: &'static str = "spindle, current, load";
    const GRADE: &'static str = "HIGH; contradictions by evidence";
    const PLANE: Plane = Plane::Physical;
    const CLOCK: Clock = Clock::Visit;
    const WEIGHT: f32 = 1.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        let spindle = profile.spindle?;
        let coverage = spindle.range.coverage;
        Some(Plan {
            spindle,
            current: profile.current,
            clock: baseline.clock.clone(),
            grade: baseline.grade(Self::NAME, Grade::High),
            scales: Scales::of_coverage(coverage, FACTORS, stake, STRETCHES_PER_DAY),
            law: load::Law::of(&profile.load, stake),
        })
    }

    fn on_reading(plan: &Plan, state: &mut State, facts: &ReadingFacts) -> Signal<Inputs> {
        let Some(rpm) = facts.reading.spindle_rpm.filter(|rpm| rpm.is_finite()) else {
            return Signal::Quiet;
        };
        let evidence = fit(plan, state, rpm, facts);
        let speed = f64::from(rpm).abs();
        if speed > plan.spindle.limit {
            return rule::broken(plan.grade, speed, Inputs::AboveLimit { rpm });
        }
        evidence
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        match *inputs {
            Inputs::AboveLimit { rpm } => words::limit(plan, f64::from(rpm)),
            Inputs::Stretch {
                fit,
                rpm,
                amperes,
                step,
            } => words::stretch(plan, fit, (f64::from(rpm), f64::from(amperes)), &step),
            Inputs::Quarter(closed) => words::quarter(plan.law.as_ref(), &closed),
        }
    }
}

/// Evidence on how speed and current fit, if this sample completes some.
fn fit(plan: &Plan, state: &mut State, rpm: f32, facts: &ReadingFacts) -> Signal<Inputs> {
    let sample = facts
        .reading
        .current_a
        .filter(|a| a.is_finite() && !facts.late);
    let Some(amperes) = sample else {
        return Signal::Quiet;
    };
    match &plan.law {
        Some(law) => quarter(plan, law, state, (rpm, amperes), facts),
        None => stretch(plan, state, (rpm, amperes), facts),
    }
}

/// One step of evidence, if a quarter of an hour is over with this sample.
fn quarter(
    plan: &Plan,
    law: &load::Law,
    state: &mut State,
    (rpm, amperes): (f32, f32),
    facts: &ReadingFacts,
) -> Signal<Inputs> {
    if let State::Stretches { .. } = state {
        *state = State::Loads(load::State::default());
    }
    let State::Loads(loads) = state else {
        return Signal::Quiet;
    };
    let sample = (f64::from(rpm), f64::from(amperes));
    let day = || plan.clock.local(facts.at).day;
    let Some(closed) = loads.take(law, sample, facts.at, day) else {
        return Signal::Quiet;
    };
    let evidence = law.evidence(&closed).iter().sum();
    match Standing::of(&mut loads.arming, evidence) {
        Standing::Stands if !law.is_odd(&closed.quarter) => Signal::Quiet,
        standing => standing.signal(evidence, closed.magnitude(), || Inputs::Quarter(closed)),
    }
}

/// One step of evidence, if a stretch counts with this sample.
fn stretch(
    plan: &Plan,
    state: &mut State,
    (rpm, amperes): (f32, f32),
    facts: &ReadingFacts,
) -> Signal<Inputs> {
    let (Some(current), Some(scales)) = (&plan.current, &plan.scales) else {
        return Signal::Quiet;
    };
    let State::Stretches { visits, weight } = state else {
        return Signal::Quiet;
    };
    let fit = Fit::of(
        f64::from(rpm),
        f64::from(amperes),
        plan.spindle.limit,
        current,
    );
    let counted = visits.step(fit.number(), facts.at, COUNTING);
    // A machine at rest is no chance for a contradiction and must not buy any.
    if counted.is_none() || fit == Fit::Standing {
        return Signal::Quiet;
    }
    let day = plan.clock.local(facts.at).day;
    scales.weigh(
        weight,
        (day, fit.is_contradiction()),
        f64::from(rpm).abs(),
        |step| Inputs::Stretch {
            fit,
            rpm,
            amperes,
            step,
        },
    )
}

#[cfg(test)]
mod tests;
