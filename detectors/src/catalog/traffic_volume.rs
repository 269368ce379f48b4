//! # Does it move far more, or lastingly more or less, data than its type does?
//!
//! ## What it sees
//! The bytes of the running hour, both directions, against the written range. The sum only grows,
//! so the rule fires on the row that crosses the limit and never waits for the end of the hour. A
//! flow longer than an hour is also judged by its mean per hour.
//!
//! ## When it cries wolf
//! A backup, a program upload, a firmware download: declare a maintenance window or a wider range.
//!
//! ## Method
//! A rule at `multiple` (3) times the upper end of the range, or at the written `limit`.

use std::sync::Arc;

use andon_schemas::finding::{Basis, Confidence, Evidence};
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::{Profile, Volume};
use andon_schemas::time::Span;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Sighting, Signal};
use crate::facts::FlowFacts;
use crate::words::{bytes_text, multiple_text};

pub(crate) struct TrafficVolume;

/// What it compiled from a profile.
pub(crate) struct Plan {
    profile: Arc<Profile>,
    volume: Volume,
    grade: Grade,
    /// Bytes of one message of the cadence, where the profile has one.
    message_bytes: Option<f64>,
}

/// The running hour, or the mean hour of one long flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    up: u64,
    down: u64,
    /// Hours over which the bytes are a mean; absent for the running hour.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mean_over_hours: Option<f64>,
}

impl Inputs {
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
    const GRADE: &'static str = "MEDIUM";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = ();
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let profile = &baseline.profile;
        let written = profile.detectors.get(Self::NAME).and_then(|s| s.grade);
        Some(Plan {
            volume: profile.volume?,
            grade: written.unwrap_or(Grade::Medium),
            message_bytes: profile.cadence.map(|c| c.size.lo.midpoint(c.size.hi)),
            profile: profile.clone(),
        })
    }

    fn on_flow(plan: &Plan, (): &mut (), facts: &FlowFacts) -> Signal<Inputs> {
        let Some(pane) = facts.pane else {
            return Signal::Quiet;
        };
        let running = Inputs {
            up: pane.up,
            down: pane.down,
            mean_over_hours: None,
        };
        if running.bytes() > plan.volume.rule_bytes {
            return seen(plan, running);
        }
        let hours = facts.at.since(facts.flow.start).as_secs_f64() / Span::HOUR.as_secs_f64();
        if hours > 1.0 && facts.flow.bytes == plan.volume.bytes {
            let long = Inputs {
                up: facts.flow.up.unwrap_or(0),
                down: facts.flow.down.unwrap_or(0),
                mean_over_hours: Some(hours),
            };
            if long.bytes() > plan.volume.rule_bytes {
                return seen(plan, long);
            }
        }
        Signal::Quiet
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let bytes = inputs.bytes();
        let volume = &plan.volume;
        let multiple = bytes / volume.baseline;
        let messages = plan.message_bytes.map(|size| bytes / size);
        let of_message = messages
            .map(|m| format!(", {} times its message", multiple_text(m)))
            .unwrap_or_default();
        let per = if inputs.mean_over_hours.is_some() {
            "an hour on average"
        } else {
            "this hour"
        };
        Evidence {
            floor: Some(plan.grade),
            score: plan.grade.risk_floor(),
            p_value: None,
            magnitude: bytes,
            observed: json!({
                "bytes": bytes, "up_bytes": inputs.up, "down_bytes": inputs.down,
                "times_baseline": multiple, "times_message": messages,
            }),
            expected: json!({
                "bytes_per_hour": [volume.range.lo, volume.range.hi],
                "coverage": volume.range.coverage,
                "baseline_bytes_per_hour": volume.baseline,
                "rule_bytes": volume.rule_bytes,
            }),
            sentence: format!(
                "It moved {} {per}: {} times the hourly baseline of {}{of_message}; the rule is \
                 at {}.",
                bytes_text(bytes),
                multiple_text(multiple),
                bytes_text(volume.baseline),
                bytes_text(volume.rule_bytes),
            ),
            clears: format!(
                "An hour below {} (profile {}).",
                bytes_text(volume.rule_bytes),
                plan.profile.name
            ),
            techniques: vec!["T0882".into()],
            confidence: Confidence {
                basis: Basis::Policy,
                n: 0,
            },
        }
    }
}

fn seen(plan: &Plan, inputs: Inputs) -> Signal<Inputs> {
    Signal::Seen(Sighting {
        floor: Some(plan.grade),
        score: plan.grade.risk_floor(),
        magnitude: inputs.bytes(),
        holds: false,
        inputs,
    })
}

#[cfg(test)]
mod tests;
