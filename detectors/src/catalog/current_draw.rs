//! # Does it draw current that does not fit its states or its hours?
//!
//! ## What it sees
//! Three samples in a row above the absolute `limit` of the profile; three in a row of a working
//! current outside the active hours; and, by evidence, visits to the gap between idle and active
//! or above active, which an honest machine only passes through.
//!
//! ## When it cries wolf
//! Overtime nobody declared, a worn drive, another tool: widen the range, or set a `limit` that is
//! really absolute.
//!
//! ## Method
//! Two rules. Of the states (off, idle, gap, active, over) a visit counts after three samples in a
//! row, never a single sample: one Bernoulli step a quarter of an hour, for the visit that is due,
//! against the share that the written coverage leaves outside (stats.md §5.7). Off, idle and
//! active are one visit: sampled twice a minute, idling between two cycles does not settle, and
//! gap or over would otherwise seem to last until it does. Only what lies clearly beyond a written end
//! counts, by an eighth of the range, so that the share is an upper bound.

use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::{Current, Range};
use andon_schemas::time::{EventTime, PlantClock, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::ReadingFacts;
use crate::rare::{Scales, Step, Weight};
use crate::rule::{self, Words};
use crate::standing::WRITTEN;
use crate::visits::{Counting, SETTLED_SAMPLES, Visits};
use crate::words::{moment_text, three_digits};

/// How much likelier than written a wrong visit is bet to be.
const FACTORS: [f64; 3] = [2.5, 5.0, 10.0];

/// Steps of a day of work without end.
const VISITS_PER_DAY: f32 = 96.0;

/// A state counts after three samples, however fast they come, once in a quarter of an hour: far
/// enough apart that a workpiece which draws much does not count with each of its cycles.
const COUNTING: Counting = Counting {
    settle: Span::from_micros(0),
    again: Span::from_secs(15 * 60),
    apart: Span::from_secs(15 * 60),
};

pub(crate) struct CurrentDraw;

/// What it compiled from a profile.
pub(crate) struct Plan {
    current: Current,
    ends: Ends,
    /// The profile writes active hours, so there is an outside.
    has_hours: bool,
    clock: Arc<PlantClock>,
    grade: Grade,
    scales: Option<Scales<3>>,
}

/// What it remembers: 36 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    visits: Visits,
    /// Samples in a row above the limit.
    above: u8,
    /// Samples in a row of a working current outside the hours.
    working_off_hours: u8,
    weight: Weight<3>,
}

/// Where states end, in amperes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ends {
    off_below: f64,
    idle_to: f64,
    active_from: f64,
    active_to: f64,
}

impl Ends {
    /// Every written end gives way by an eighth of its range, on the scale of ratios: honest
    /// currents that wander about an end would visit the other side of it again and again.
    fn of(current: &Current) -> Self {
        let slack = |range: &Range| match range.hi / range.lo {
            ratio if ratio.is_finite() && ratio > 1.0 => ratio.powf(0.125),
            _ => 1.0,
        };
        let (idle, active) = (slack(&current.idle), slack(&current.active));
        let (idle_to, active_from) = (current.idle.hi * idle, current.active.lo / active);
        let meet = idle_to >= active_from;
        Self {
            off_below: current.idle.lo / 4.0,
            idle_to: if meet { current.idle.hi } else { idle_to },
            active_from: if meet { current.active.lo } else { active_from },
            active_to: current.active.hi * active,
        }
    }
}

/// What the current says the machine is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Doing {
    /// Less than a quarter of the idle current.
    Off,
    /// Up to the upper end of idle.
    Idle,
    /// Between idle and active.
    Gap,
    /// Working.
    Active,
    /// Above active.
    Over,
}

impl Doing {
    fn of(amperes: f64, ends: &Ends) -> Self {
        match amperes {
            a if a > ends.active_to => Self::Over,
            a if a >= ends.active_from => Self::Active,
            a if a > ends.idle_to => Self::Gap,
            a if a >= ends.off_below => Self::Idle,
            _ => Self::Off,
        }
    }

    /// Its number for [`Visits`]: all that is right is one.
    const fn number(self) -> u8 {
        match self {
            Self::Off | Self::Idle | Self::Active => 1,
            Self::Gap => 2,
            Self::Over => 3,
        }
    }

    /// An honest machine passes through it and does not stay.
    const fn is_wrong(self) -> bool {
        matches!(self, Self::Gap | Self::Over)
    }
}

/// What one assessment is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub(crate) enum Inputs {
    /// The third sample in a row above the limit, or a later one.
    AboveLimit {
        /// The sample.
        amperes: f32,
    },
    /// The third sample in a row of a working current outside the hours, or a later one.
    WorkingOffHours {
        /// The sample.
        amperes: f32,
        /// When it was taken.
        at: EventTime,
    },
    /// A visit that counted.
    Visit {
        /// To which state.
        doing: Doing,
        /// The sample that settled it.
        amperes: f32,
        /// The step of evidence it was.
        step: Step<3>,
    },
}

impl Detector for CurrentDraw {
    const NAME: &'static str = "current_draw";
    const QUESTION: &'static str =
        "Does it draw current that does not fit its states or its hours?";
    const CRIES_WOLF: &'static str = "Overtime nobody declared, or a worn drive.";
    const READS: &'static str = "current, active_hours";
    const GRADE: &'static str = "MEDIUM; states by evidence";
    const PLANE: Plane = Plane::Physical;
    const CLOCK: Clock = Clock::Visit;
    const WEIGHT: f32 = 1.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let current = baseline.profile.current?;
        let coverage = current.active.coverage;
        Some(Plan {
            ends: Ends::of(&current),
            current,
            has_hours: baseline.profile.hours.is_some(),
            clock: baseline.clock.clone(),
            grade: baseline.grade(Self::NAME, Grade::Medium),
            scales: Scales::of_coverage(coverage, FACTORS, stake, VISITS_PER_DAY),
        })
    }

    fn on_reading(plan: &Plan, state: &mut State, facts: &ReadingFacts) -> Signal<Inputs> {
        // A late sample has no place in the sequence, and every statement here is about one.
        let sample = facts
            .reading
            .current_a
            .filter(|a| a.is_finite() && !facts.late);
        let Some(amperes) = sample else {
            return Signal::Quiet;
        };
        let value = f64::from(amperes);
        let doing = Doing::of(value, &plan.ends);
        let visit = visit(plan, state, doing, amperes, facts.at);

        let above = plan.current.limit.is_some_and(|limit| value > limit);
        let working = value >= plan.current.active.lo;
        let off_hours = working && plan.has_hours && (facts.excused || !facts.in_hours);
        state.above = in_a_row(state.above, above);
        state.working_off_hours = in_a_row(state.working_off_hours, off_hours);
        if state.above >= SETTLED_SAMPLES {
            return rule::broken(plan.grade, value, Inputs::AboveLimit { amperes });
        }
        if state.working_off_hours >= SETTLED_SAMPLES && facts.excused {
            // Once for as long as it works; what its visits came to is told all the same.
            let settled = state.working_off_hours == SETTLED_SAMPLES;
            return match visit {
                Signal::Quiet if settled => Signal::Excused,
                visit => visit,
            };
        }
        if state.working_off_hours >= SETTLED_SAMPLES {
            let inputs = Inputs::WorkingOffHours {
                amperes,
                at: facts.at,
            };
            return rule::broken(plan.grade, value, inputs);
        }
        visit
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        match *inputs {
            Inputs::AboveLimit { amperes } => assess_limit(plan, f64::from(amperes)),
            Inputs::WorkingOffHours { amperes, at } => {
                assess_off_hours(plan, f64::from(amperes), at)
            }
            Inputs::Visit {
                doing,
                amperes,
                step,
            } => assess_visit(plan, doing, f64::from(amperes), &step),
        }
    }
}

fn in_a_row(so_far: u8, again: bool) -> u8 {
    if again { so_far.saturating_add(1) } else { 0 }
}

/// One step of evidence, if a visit counts with this sample.
fn visit(
    plan: &Plan,
    state: &mut State,
    doing: Doing,
    amperes: f32,
    at: EventTime,
) -> Signal<Inputs> {
    let counted = state.visits.step(doing.number(), at, COUNTING);
    let (Some(_), Some(scales)) = (counted, &plan.scales) else {
        return Signal::Quiet;
    };
    let day = plan.clock.local(at).day;
    scales.weigh(
        &mut state.weight,
        (day, doing.is_wrong()),
        f64::from(amperes).max(0.0),
        |step| Inputs::Visit {
            doing,
            amperes,
            step,
        },
    )
}

fn assess_limit(plan: &Plan, amperes: f64) -> Evidence {
    let limit = plan.current.limit.unwrap_or(f64::INFINITY);
    let words = Words {
        observed: json!({ "current_a": amperes, "samples_min": SETTLED_SAMPLES }),
        expected: json!({ "limit_a": plan.current.limit }),
        sentence: format!(
            "It drew {} A, above its absolute limit of {} A, in at least {SETTLED_SAMPLES} \
             samples in a row.",
            three_digits(amperes),
            three_digits(limit)
        ),
        clears: format!("An hour at or below {} A.", three_digits(limit)),
        techniques: &["T0836", "T0879"],
    };
    rule::evidence(plan.grade, amperes, words)
}

fn assess_off_hours(plan: &Plan, amperes: f64, at: EventTime) -> Evidence {
    let active = plan.current.active;
    let moment = moment_text(&plan.clock, at);
    let words = Words {
        observed: json!({
            "current_a": amperes, "plant_time": moment, "samples_min": SETTLED_SAMPLES,
        }),
        expected: json!({ "off_hours_below_a": active.lo }),
        sentence: format!(
            "It drew {} A, a working current, on {moment} plant time, outside its active hours.",
            three_digits(amperes)
        ),
        clears: format!(
            "An hour below {} A, or the next active hours.",
            three_digits(active.lo)
        ),
        techniques: &["T0831"],
    };
    rule::evidence(plan.grade, amperes, words)
}

fn assess_visit(plan: &Plan, doing: Doing, amperes: f64, step: &Step<3>) -> Evidence {
    let scales = plan.scales.as_ref();
    let Current { idle, active, .. } = plan.current;
    let between = match doing {
        Doing::Gap => format!(
            "between idle ({} A at most) and working ({} A at least)",
            three_digits(idle.hi),
            three_digits(active.lo)
        ),
        Doing::Over => format!(
            "above its working current of {} A at most",
            three_digits(active.hi)
        ),
        Doing::Off | Doing::Idle | Doing::Active => "within its states".to_owned(),
    };
    Evidence {
        floor: None,
        score: scales.map_or(0, |scales| scales.score(step)),
        p_value: None,
        magnitude: amperes.max(0.0),
        observed: json!({
            "state": doing, "current_a": amperes,
            "device_days_per_false_alarm": scales.map(|scales| scales.evidence(step)),
        }),
        expected: json!({
            "idle_a": [idle.lo, idle.hi], "active_a": [active.lo, active.hi],
            "coverage": active.coverage,
        }),
        sentence: format!(
            "Its current keeps staying {between}, now at {} A, more often than its profile allows.",
            three_digits(amperes)
        ),
        clears: "Visits to its normal states, until the evidence has fallen tenfold.".to_owned(),
        techniques: vec!["T0831".to_owned(), "T0836".to_owned()],
        confidence: WRITTEN,
    }
}

#[cfg(test)]
mod tests;
