//! # Has it fallen silent?
//!
//! ## What it sees
//! No row of any kind for the time that the profile writes under `silence:`, else for three periods
//! of its cadence, else for the first empty hour. Only time inside the active hours counts, so a
//! device that stops on Friday evening is not missed on Sunday, and is on Monday morning. It is a
//! state: it holds until the next row.
//!
//! In declared maintenance it is excused; whoever is still silent at the next deadline after that is
//! missed then.
//!
//! ## When it cries wolf
//! A machine switched off without a declared maintenance window, or a sensor or gateway that fails
//! and takes all its devices with it.
//!
//! ## Method
//! A rule. For a cadence whose messages go missing one by one with probability `p` it fires by
//! chance `p³` times per message (stats.md §5.6); write a longer `silence:` where that is too often.

use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::PatienceSource;
use andon_schemas::time::{EventTime, PlantClock, Span};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::{DeadlineFacts, DeviceFacts, RowFacts};
use crate::rule::{self, Words};
use crate::words::{moment_text, span_text};

pub(crate) struct Silence;

/// What it compiled from a profile.
pub(crate) struct Plan {
    /// Active time that may pass without a row.
    patience: Span,
    /// It is the first empty hour: counted from the full hour after the last row.
    whole_hour: bool,
    /// The profile has active hours.
    has_hours: bool,
    clock: Arc<PlantClock>,
    grade: Grade,
}

/// Whether it is silent: 16 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    silent: bool,
    /// Its silence began in declared maintenance and is not told yet.
    excused: bool,
    /// While silent, the deadline that was asked last.
    asked: EventTime,
}

/// From when to when nothing was heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    last_seen: EventTime,
    now: EventTime,
}

impl Inputs {
    fn magnitude(&self) -> f64 {
        self.now.since(self.last_seen).as_secs_f64().max(0.0)
    }
}

impl Plan {
    /// The moment at which it has been silent for too long since `from`.
    fn due(&self, baseline: &Baseline, from: EventTime) -> EventTime {
        let start = if self.whole_hour {
            from.floor(Span::HOUR) + Span::HOUR
        } else {
            from
        };
        baseline.active_for(start, self.patience)
    }
}

impl Detector for Silence {
    const NAME: &'static str = "silence";
    const QUESTION: &'static str = "Has it fallen silent?";
    const CRIES_WOLF: &'static str = "A machine switched off without declared maintenance.";
    const READS: &'static str = "silence, cadence, active_hours";
    const GRADE: &'static str = "MEDIUM";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        // Servers and strangers have no profile: nobody said that they must speak.
        if profile.name.is_empty() {
            return None;
        }
        let patience = profile.patience();
        Some(Plan {
            patience: patience.span,
            whole_hour: patience.source == PatienceSource::Hour,
            has_hours: profile.hours.is_some(),
            clock: baseline.clock.clone(),
            grade: baseline.grade(Self::NAME, Grade::Medium),
        })
    }

    fn on_row(_: &Plan, state: &mut State, facts: &RowFacts) -> Signal<Inputs> {
        // A row from before the silence does not end it.
        if !state.silent || facts.late || facts.at < state.asked {
            return Signal::Quiet;
        }
        *state = State::default();
        Signal::Over
    }

    fn change_profile(state: &mut State) {
        *state = State::default();
    }

    fn deadline(
        plan: &Plan,
        state: &State,
        device: &DeviceFacts,
        last_seen: EventTime,
    ) -> EventTime {
        if device.listed.is_none() {
            return EventTime::MAX;
        }
        // While silent it keeps asking, so that it notices a second silence after the first.
        plan.due(
            device.baseline,
            if state.silent { state.asked } else { last_seen },
        )
    }

    fn on_deadline(plan: &Plan, state: &mut State, facts: &DeadlineFacts) -> Signal<Inputs> {
        if facts.device.listed.is_none() {
            return Signal::Quiet;
        }
        if state.silent {
            state.asked = state.asked.max(facts.now);
            if !state.excused || facts.excused {
                return Signal::Quiet;
            }
        } else if facts.now < plan.due(facts.device.baseline, facts.last_seen) {
            return Signal::Quiet;
        } else {
            *state = State {
                silent: true,
                excused: facts.excused,
                asked: facts.now,
            };
            if facts.excused {
                return Signal::Excused;
            }
        }
        // Maintenance excuses silence only for as long as it lasts.
        state.excused = false;
        let inputs = Inputs {
            last_seen: facts.last_seen,
            now: facts.now,
        };
        rule::broken_state(plan.grade, inputs.magnitude(), inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let patience = match (plan.whole_hour, plan.has_hours) {
            (true, true) => "a whole hour of its active hours".to_owned(),
            (true, false) => "a whole hour".to_owned(),
            (false, true) => format!("{} of its active hours", span_text(plan.patience)),
            (false, false) => span_text(plan.patience),
        };
        let words = Words {
            observed: json!({
                "last_seen": inputs.last_seen, "silent_s": inputs.magnitude(),
            }),
            expected: json!({ "silence_s_max": plan.patience.as_secs_f64() }),
            sentence: format!(
                "Nothing has been heard from it since {} plant time: {patience} passed without \
                 any record.",
                moment_text(&plan.clock, inputs.last_seen)
            ),
            clears: "The next record of any kind.".to_owned(),
            techniques: &["T0804", "T0815"],
        };
        rule::evidence(plan.grade, inputs.magnitude(), words)
    }
}

#[cfg(test)]
mod tests;
