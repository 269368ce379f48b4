//! # Does it move far more, or lastingly more or less, data than its type does?
//!
//! ## What it sees
//! The bytes of the running hour, both directions, against the written range. The sum only grows,
//! so the rule fires on the row that crosses the limit and never waits for the end of the hour. A
//! flow longer than an hour is also judged by its mean per hour. And, by evidence, the bytes of
//! full hours of work that stay above or below what the device and its type usually move.
//!
//! ## When it cries wolf
//! A backup, a program upload, a firmware download: declare a maintenance window or a wider range.
//! Another product on the line moves the level for good: sign it.
//!
//! ## Method
//! A rule at `multiple` (3) times the upper end of the range, or at the written `limit`. A
//! statistic on the logarithm of the bytes of each full active hour: prior predictive t of the
//! written range, whitened, bet on both sides (stats.md §5.1). Hours with bytes of another kind,
//! partial hours and hours without traffic are no steps.

use std::sync::Arc;

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::{Profile, Volume};
use andon_schemas::time::Span;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::{CloseFacts, FlowFacts};
use crate::rule::{self, Words};
use crate::shift::{Look, Shift, ShiftPlan, is_whole};
use crate::standing::{self, WRITTEN};
use crate::stats::normal::sf;
use crate::stats::range::LogNormalNull;
use crate::stats::tilts::Side;
use crate::words::{bytes_range_text, bytes_text, multiple_text};
use crate::written::hourly_volume;

/// Automated exfiltration and its kin: what moves is data.
const TECHNIQUES: &[&str] = &["T0882"];

pub(crate) struct TrafficVolume;

/// What it compiled from a profile.
pub(crate) struct Plan {
    profile: Arc<Profile>,
    volume: Volume,
    grade: Grade,
    /// Bytes of one message of the cadence, where the profile has one.
    message_bytes: Option<f64>,
    /// The range as a law, and how its hours are weighed.
    statistic: Option<(LogNormalNull, ShiftPlan)>,
}

/// What one assessment is computed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub(crate) enum Inputs {
    /// Bytes beyond the rule.
    Rule(Moved),
    /// A full hour that added to the evidence.
    Hour {
        /// Hours since the epoch.
        hour: i32,
        /// What it moved.
        moved: Moved,
        /// What was remembered before it.
        before: Shift,
    },
}

/// The bytes of an hour, or of the mean hour of one long flow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moved {
    up: u64,
    down: u64,
    /// Hours over which the bytes are a mean; absent for one hour.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mean_over_hours: Option<f64>,
}

impl Moved {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of bytes stay far below 2^53"
    )]
    fn bytes(&self) -> f64 {
        self.up.saturating_add(self.down) as f64 / self.mean_over_hours.unwrap_or(1.0)
    }
}

impl Detector for TrafficVolume {
    const NAME: &'static str = "traffic_volume";
    const QUESTION: &'static str =
        "Does it move far more, or lastingly more or less, data than its type does?";
    const CRIES_WOLF: &'static str = "A backup or a program upload nobody declared.";
    const READS: &'static str = "volume_per_hour";
    const GRADE: &'static str = "MEDIUM; shifts by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Window;
    const WEIGHT: f32 = 10.0;

    type Plan = Plan;
    type State = Shift;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        let volume = profile.volume?;
        let written = profile.detectors.get(Self::NAME).and_then(|s| s.grade);
        let null = hourly_volume(&volume);
        Some(Plan {
            volume,
            grade: written.unwrap_or(Grade::Medium),
            message_bytes: profile.cadence.map(|c| c.size.lo.midpoint(c.size.hi)),
            statistic: null.map(|null| {
                let clock = baseline.clock.clone();
                let shift = ShiftPlan::written(null.sigma, stake, clock);
                (null, shift.learned(baseline.law(Self::NAME)))
            }),
            profile: profile.clone(),
        })
    }

    fn on_flow(plan: &Plan, _: &mut Shift, facts: &FlowFacts) -> Signal<Inputs> {
        let Some(pane) = facts.pane else {
            return Signal::Quiet;
        };
        let running = Moved {
            up: pane.up,
            down: pane.down,
            mean_over_hours: None,
        };
        if running.bytes() > plan.volume.rule_bytes {
            return broken(plan, running);
        }
        let hours = facts.at.since(facts.flow.start).as_secs_f64() / Span::HOUR.as_secs_f64();
        if hours > 1.0 && facts.flow.bytes == plan.volume.bytes {
            let long = Moved {
                up: facts.flow.up.unwrap_or(0),
                down: facts.flow.down.unwrap_or(0),
                mean_over_hours: Some(hours),
            };
            if long.bytes() > plan.volume.rule_bytes {
                return broken(plan, long);
            }
        }
        Signal::Quiet
    }

    fn on_close(plan: &Plan, state: &mut Shift, facts: &CloseFacts) -> Signal<Inputs> {
        let pane = facts.pane;
        let before = *state;
        let moved = Moved {
            up: pane.up,
            down: pane.down,
            mean_over_hours: None,
        };
        let shifted = match &plan.statistic {
            Some(statistic) if is_whole(facts) && pane.other_bytes == 0 && pane.bytes() > 0 => {
                weigh(statistic, state, pane.hour, moved)
            }
            _ => Signal::Quiet,
        };
        if moved.bytes() > plan.volume.rule_bytes {
            // Once more with the final figure, which the row that crossed the limit did not know.
            // A look has one answer: if the shift is over as well, the next hour says so.
            if shifted == Signal::Over {
                state.tell_later(&before);
            }
            return broken(plan, moved);
        }
        shifted
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        match inputs {
            Inputs::Rule(moved) => assess_rule(plan, moved),
            Inputs::Hour {
                hour,
                moved,
                before,
            } => assess_hour(plan, *hour, moved, before),
        }
    }
}

fn broken(plan: &Plan, moved: Moved) -> Signal<Inputs> {
    rule::broken(plan.grade, moved.bytes(), Inputs::Rule(moved))
}

fn look(null: &LogNormalNull, hour: i32, moved: &Moved) -> Look {
    let bytes = moved.bytes();
    Look {
        hour,
        score: null.z_score(bytes),
        ln_ratio: bytes.max(1.0).ln() - null.mu,
        ln_value: bytes.max(1.0).ln(),
    }
}

fn weigh(
    (null, shift): &(LogNormalNull, ShiftPlan),
    state: &mut Shift,
    hour: i32,
    moved: Moved,
) -> Signal<Inputs> {
    let before = *state;
    let standing = state.take(shift, look(null, hour, &moved));
    standing.signal(state.evidence(), moved.bytes(), || Inputs::Hour {
        hour,
        moved,
        before,
    })
}

/// What was seen, in both ways of asking.
fn observed(plan: &Plan, moved: &Moved) -> serde_json::Map<String, Value> {
    let bytes = moved.bytes();
    let mut seen = serde_json::Map::new();
    seen.insert("bytes".into(), json!(bytes));
    seen.insert("up_bytes".into(), json!(moved.up));
    seen.insert("down_bytes".into(), json!(moved.down));
    seen.insert("times_baseline".into(), json!(bytes / plan.volume.baseline));
    let messages = plan.message_bytes.map(|size| bytes / size);
    seen.insert("times_message".into(), json!(messages));
    seen
}

fn expected(plan: &Plan) -> Value {
    let volume = &plan.volume;
    json!({
        "bytes_per_hour": [volume.range.lo, volume.range.hi],
        "coverage": volume.range.coverage,
        "baseline_bytes_per_hour": volume.baseline,
        "rule_bytes": volume.rule_bytes,
    })
}

fn assess_rule(plan: &Plan, moved: &Moved) -> Evidence {
    let bytes = moved.bytes();
    let volume = &plan.volume;
    let of_message = plan
        .message_bytes
        .map(|size| format!(", {} times its message", multiple_text(bytes / size)))
        .unwrap_or_default();
    let per = if moved.mean_over_hours.is_some() {
        "an hour on average"
    } else {
        "this hour"
    };
    let words = Words {
        observed: Value::Object(observed(plan, moved)),
        expected: expected(plan),
        sentence: format!(
            "It moved {} {per}: {} times the hourly baseline of {}{of_message}; the rule is at {}.",
            bytes_text(bytes),
            multiple_text(bytes / volume.baseline),
            bytes_text(volume.baseline),
            bytes_text(volume.rule_bytes),
        ),
        clears: format!(
            "An hour below {} (profile {}).",
            bytes_text(volume.rule_bytes),
            plan.profile.name
        ),
        techniques: TECHNIQUES,
    };
    rule::evidence(plan.grade, bytes, words)
}

fn assess_hour(plan: &Plan, hour: i32, moved: &Moved, before: &Shift) -> Evidence {
    let bytes = moved.bytes();
    let range = &plan.volume.range;
    let mut seen = observed(plan, moved);
    let (mut evidence, mut p_value) = (0.0, None);
    let mut sentence = "It moved other amounts than its type does".to_owned();
    let mut confidence = WRITTEN;
    let (mut own, mut clears) = (plan.volume.baseline, String::new());
    if let Some((null, shift)) = &plan.statistic {
        let after = before.after(shift, look(null, hour, moved));
        evidence = after.evidence();
        let tails = null.tails(bytes);
        p_value = Some(match after.side() {
            Side::Up => tails.upper,
            Side::Down => tails.lower,
        });
        sentence = after.sentence(shift, "moved", "what");
        own = shift.expected(before, hour, |level| null.threshold(sf(level)));
        confidence = shift.confidence();
        clears = after.clears(shift);
        seen.insert("hours".into(), json!(after.hours()));
        seen.insert("times_type".into(), json!(after.ratio()));
        seen.insert("device_days_per_false_alarm".into(), json!(evidence));
    }
    let mut wanted = expected(plan);
    wanted["of_device"] = json!(own);
    Evidence {
        floor: None,
        score: standing::score(evidence),
        p_value,
        magnitude: bytes,
        observed: Value::Object(seen),
        expected: wanted,
        sentence: format!(
            "{sentence}: {} this hour, {} expected of this device and {} of its type.",
            bytes_text(bytes),
            bytes_text(own),
            bytes_range_text(range.lo, range.hi)
        ),
        clears,
        techniques: TECHNIQUES.iter().map(|id| (*id).to_owned()).collect(),
        confidence,
    }
}

#[cfg(test)]
mod tests;
