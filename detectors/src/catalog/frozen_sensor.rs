//! # Does a sensor show the same value again and again?
//!
//! ## What it sees
//! A current or a speed that repeats exactly, digit by digit, for longer than the profile allows
//! under `frozen:`: a sensor that is stuck, a gateway that sends its last value for ever, or a
//! recording of one moment that is played instead of what is. Current and speed are watched apart.
//! What may repeat is said for each state: a machine that is off, and a spindle at rest, honestly
//! show the same for ever and are not looked at. It is a state: it holds until the value changes.
//!
//! ## When it cries wolf
//! A sensor too coarse for a steady load, or one that reports changes only and repeats itself in
//! between: allow it longer, or leave its state out.
//!
//! ## Method
//! A rule. What honest sensors repeat is learned as the longest time that was seen in a state
//! (stats.md §5.7); a few hours of samples cannot prove how rare a longer one is, so it is policy
//! and not a statistic. Ten samples must agree, however slowly they come.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::{Current, Frozen};
use andon_schemas::time::Span;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::ReadingFacts;
use crate::rule::{self, Words};
use crate::visits::{lasted, seconds};
use crate::words::{multiple_text, span_text, three_digits};

/// Samples that must agree.
const SAMPLES_MIN: u8 = 10;
/// Twice as long so many times is for ever.
const TOLD_MAX: u8 = 30;
/// Below this share of its limit a spindle stands: sensors show a little speed at rest.
const STANDING: f64 = 0.01;

pub(crate) struct FrozenSensor;

/// What it compiled from a profile.
pub(crate) struct Plan {
    limits: Frozen,
    current: Option<Current>,
    /// Above this a spindle turns, revolutions per minute.
    turning_rpm: Option<f64>,
    grade: Grade,
}

/// What it remembers: 32 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    current: Held,
    speed: Held,
}

/// A value and how long it has been shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Held {
    /// The value's bits: what is the same to a sensor is the same to the bit.
    bits: u32,
    since_s: u32,
    /// When it was last shown, in seconds since the epoch: current and speed need not come together.
    seen_s: u32,
    samples: u8,
    /// It is told again once it has lasted twice as long as the limit, so many times over.
    told: u8,
}

/// Which value stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shown {
    /// The current of a machine that idles.
    Idle,
    /// The current of one that works.
    Active,
    /// The speed of a spindle that turns.
    Turning,
}

/// A value that has been shown for too long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    shown: Shown,
    value: f32,
    lasted: Span,
}

impl Plan {
    /// What a current says and how long it may be shown; `None` if for ever.
    fn of_current(&self, amperes: f64) -> Option<(Shown, Span)> {
        let current = self.current.as_ref()?;
        match amperes {
            a if a >= current.active.lo => Some((Shown::Active, self.limits.active?)),
            a if a > 0.0 && a >= current.idle.lo / 4.0 => Some((Shown::Idle, self.limits.idle?)),
            _ => None,
        }
    }

    fn of_speed(&self, rpm: f64) -> Option<(Shown, Span)> {
        (rpm > self.turning_rpm?).then_some((Shown::Turning, self.limits.turning?))
    }

    fn limit(&self, shown: Shown) -> Option<Span> {
        match shown {
            Shown::Idle => self.limits.idle,
            Shown::Active => self.limits.active,
            Shown::Turning => self.limits.turning,
        }
    }
}

impl Held {
    /// Takes a value; how long it has been shown, where that is due to be told. `may` says what it
    /// is and for how long it may be shown.
    fn step(
        &mut self,
        value: f32,
        now_s: u32,
        may: Option<(Shown, Span)>,
        may_tell: bool,
    ) -> Option<Inputs> {
        let seen_s = self.seen_s;
        self.seen_s = seen_s.max(now_s);
        let limit = may.map(|(_, limit)| limit);
        let apart = limit.unwrap_or_default().max(Frozen::APART);
        if self.samples == 0 || value.to_bits() != self.bits || lasted(seen_s, now_s) > apart {
            *self = Self {
                bits: value.to_bits(),
                since_s: now_s,
                seen_s: self.seen_s,
                samples: 1,
                told: 0,
            };
            return None;
        }
        self.samples = self.samples.saturating_add(1);
        let (shown, limit) = may?;
        let lasted = lasted(self.since_s, now_s);
        let due = |told: u8| limit.times(1 << i64::from(told));
        if !may_tell || self.samples < SAMPLES_MIN || lasted < due(self.told) {
            return None;
        }
        while self.told < TOLD_MAX && lasted >= due(self.told) {
            self.told += 1;
        }
        Some(Inputs {
            shown,
            value,
            lasted,
        })
    }
}

impl Detector for FrozenSensor {
    const NAME: &'static str = "frozen_sensor";
    const QUESTION: &'static str = "Does a sensor show the same value again and again?";
    const CRIES_WOLF: &'static str =
        "A sensor too coarse for a steady load, or one that reports changes only.";
    const READS: &'static str = "frozen, current, spindle";
    const GRADE: &'static str = "MEDIUM";
    const PLANE: Plane = Plane::Physical;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        let limits = profile.frozen?;
        let of_current = limits.idle.is_some() || limits.active.is_some();
        let plan = Plan {
            limits,
            current: profile.current.filter(|_| of_current),
            turning_rpm: profile
                .spindle
                .filter(|_| limits.turning.is_some())
                .map(|spindle| STANDING * spindle.limit),
            grade: baseline.grade(Self::NAME, Grade::Medium),
        };
        (plan.current.is_some() || plan.turning_rpm.is_some()).then_some(plan)
    }

    fn on_reading(plan: &Plan, state: &mut State, facts: &ReadingFacts) -> Signal<Inputs> {
        if facts.late {
            return Signal::Quiet;
        }
        let now_s = seconds(facts.at);
        let stood = state.stands();
        // A reading that says nothing of one value leaves it as it was.
        let said = |value: Option<f32>| value.filter(|v| v.is_finite()).map(f32::abs);
        let speed = said(facts.reading.spindle_rpm).and_then(|value| {
            let may = plan.of_speed(f64::from(value));
            state.speed.step(value, now_s, may, true)
        });
        // One is told at a time; the other is due again with the next reading.
        let current = said(facts.reading.current_a).and_then(|value| {
            let may = plan.of_current(f64::from(value));
            state.current.step(value, now_s, may, speed.is_none())
        });
        match speed.or(current) {
            Some(inputs) => rule::broken_state(plan.grade, inputs.magnitude(), inputs),
            None if stood && !state.stands() => Signal::Over,
            None => Signal::Quiet,
        }
    }

    fn change_profile(state: &mut State) {
        (state.current.told, state.speed.told) = (0, 0);
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let value = f64::from(inputs.value);
        let (what, key, text) = match inputs.shown {
            Shown::Idle | Shown::Active => {
                let text = format!("{} A", three_digits(value));
                ("current", "current_a", text)
            }
            Shown::Turning => {
                let text = format!("{} rpm", multiple_text(value));
                ("spindle speed", "spindle_rpm", text)
            }
        };
        let limit = plan.limit(inputs.shown).unwrap_or_default();
        let words = Words {
            observed: json!({ key: value, "same_s": inputs.lasted.as_secs_f64() }),
            expected: json!({ "state": inputs.shown, "same_s_max": limit.as_secs_f64() }),
            sentence: format!(
                "Its {what} has been exactly {text} for {}, where an honest sensor moves within {}.",
                span_text(inputs.lasted),
                span_text(limit)
            ),
            clears: "A value that changes.".to_owned(),
            techniques: &["T0856", "T0832"],
        };
        rule::evidence(plan.grade, inputs.magnitude(), words)
    }
}

impl State {
    /// Whether something that was told holds.
    fn stands(&self) -> bool {
        self.current.told > 0 || self.speed.told > 0
    }
}

impl Inputs {
    fn magnitude(&self) -> f64 {
        self.lasted.as_secs_f64().max(0.0)
    }
}

#[cfg(test)]
mod tests;
