//! # Does its spindle run too fast, or not as its current says?
//!
//! ## What it sees
//! A speed above the limit, on the first sample, in either direction of rotation. By evidence,
//! stretches in which speed and current contradict each other for longer than it takes to spin up
//! or to run down: it turns and draws no more than idle, or it stands and draws a working current.
//! Either means that one of the two sensors tells a story.
//!
//! ## When it cries wolf
//! Another axis that draws the current while the spindle stands, or a sensor that reports the
//! speed that was set and not the one that is. Readings that carry only one of the two values are
//! judged by the limit alone.
//!
//! ## Method
//! A rule at the `limit` (the upper end of the range, unless written). For the contradiction one
//! Bernoulli step per stretch of at most a quarter hour, against the share that the written
//! coverage leaves outside (stats.md §5.8).

use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::{Current, Spindle};
use andon_schemas::time::{PlantClock, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::ReadingFacts;
use crate::rare::{Scales, Step, Weight};
use crate::rule::{self, Words};
use crate::standing::WRITTEN;
use crate::visits::{Counting, Visits};
use crate::words::{multiple_text, three_digits};

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
}

/// What it remembers: 32 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    visits: Visits,
    weight: Weight<2>,
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
}

impl Detector for SpindleSpeed {
    const NAME: &'static str = "spindle_speed";
    const QUESTION: &'static str = "Does its spindle run too fast, or not as its current says?";
    const CRIES_WOLF: &'static str =
        "Another axis that draws the current while the spindle stands.";
    const READS: &'static str = "spindle, current";
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
        })
    }

    fn on_reading(plan: &Plan, state: &mut State, facts: &ReadingFacts) -> Signal<Inputs> {
        let Some(rpm) = facts.reading.spindle_rpm.filter(|rpm| rpm.is_finite()) else {
            return Signal::Quiet;
        };
        let stretch = stretch(plan, state, rpm, facts);
        let speed = f64::from(rpm).abs();
        if speed > plan.spindle.limit {
            return rule::broken(plan.grade, speed, Inputs::AboveLimit { rpm });
        }
        stretch
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        match *inputs {
            Inputs::AboveLimit { rpm } => assess_limit(plan, f64::from(rpm)),
            Inputs::Stretch {
                fit,
                rpm,
                amperes,
                step,
            } => assess_stretch(plan, fit, (f64::from(rpm), f64::from(amperes)), &step),
        }
    }
}

/// One step of evidence, if a stretch counts with this sample.
fn stretch(plan: &Plan, state: &mut State, rpm: f32, facts: &ReadingFacts) -> Signal<Inputs> {
    let sample = facts
        .reading
        .current_a
        .filter(|a| a.is_finite() && !facts.late);
    let (Some(amperes), Some(current), Some(scales)) = (sample, &plan.current, &plan.scales) else {
        return Signal::Quiet;
    };
    let fit = Fit::of(
        f64::from(rpm),
        f64::from(amperes),
        plan.spindle.limit,
        current,
    );
    let counted = state.visits.step(fit.number(), facts.at, COUNTING);
    // A machine at rest is no chance for a contradiction and must not buy any.
    if counted.is_none() || fit == Fit::Standing {
        return Signal::Quiet;
    }
    let day = plan.clock.local(facts.at).day;
    scales.weigh(
        &mut state.weight,
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

fn assess_limit(plan: &Plan, rpm: f64) -> Evidence {
    let limit = multiple_text(plan.spindle.limit);
    let words = Words {
        observed: json!({ "spindle_rpm": rpm }),
        expected: json!({ "limit_rpm": plan.spindle.limit }),
        sentence: format!(
            "Its spindle ran at {} rpm, above its limit of {limit} rpm.",
            multiple_text(rpm.abs())
        ),
        clears: format!("An hour at or below {limit} rpm."),
        techniques: &["T0836", "T0879"],
    };
    rule::evidence(plan.grade, rpm.abs(), words)
}

fn assess_stretch(plan: &Plan, fit: Fit, (rpm, amperes): (f64, f64), step: &Step<2>) -> Evidence {
    let scales = plan.scales.as_ref();
    let (speed, drawn) = (multiple_text(rpm.abs()), three_digits(amperes));
    let sentence = match fit {
        Fit::TurningUnpowered => format!(
            "Its spindle reports {speed} rpm while the machine draws only {drawn} A, as if it \
             were idle."
        ),
        Fit::PoweredStanding => format!(
            "The machine draws {drawn} A, a working current, while its spindle reports {speed} \
             rpm, as if it stood."
        ),
        Fit::Standing | Fit::Turning => {
            format!("Its spindle reports {speed} rpm at {drawn} A, which fit each other.")
        }
    };
    Evidence {
        floor: None,
        score: scales.map_or(0, |scales| scales.score(step)),
        p_value: None,
        magnitude: rpm.abs(),
        observed: json!({
            "spindle_rpm": rpm, "current_a": amperes, "fit": fit,
            "device_days_per_false_alarm": scales.map(|scales| scales.evidence(step)),
        }),
        expected: json!({
            "turning_above_a": plan.current.map(|c| c.idle.hi),
            "standing_below_a": plan.current.map(|c| c.active.lo),
            "coverage": plan.spindle.range.coverage,
        }),
        sentence,
        clears: "Speed and current that fit each other, until the evidence has fallen tenfold."
            .to_owned(),
        techniques: vec!["T0856".to_owned(), "T0831".to_owned()],
        confidence: WRITTEN,
    }
}

#[cfg(test)]
mod tests;
