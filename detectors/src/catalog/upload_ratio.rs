//! # Does it lastingly send a larger or smaller part of its bytes than its type does?
//!
//! ## What it sees
//! The bytes sent over the bytes received in each full hour of work, which stay above or below what
//! the device and its type usually show. What moves the whole load, a busy shift or another
//! product, moves both directions and cancels, so that a leak far below every limit is left over.
//!
//! ## When it cries wolf
//! A new report to the historian, a program sent down every shift: widen the range.
//!
//! ## Method
//! The written share of bytes that go up, as a log-normal law of the ratio up to down; the
//! logarithm of each hour's ratio, whitened, bet on both sides (stats.md §5.9). More than usual has
//! three quarters of the stake. The ratio is assumed to repeat itself less than the load does, and
//! devices of a type to differ less in it, see [`RATIO_PHI`] and [`RATIO_TAU`]. Upload alone is not
//! bet on: where a type mostly sends, `traffic_volume` sees it, and it would cost another 72 bytes
//! of each device. Partial hours, and hours with bytes of another kind or with none, are no steps.

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
use crate::stats::normal::sf;
use crate::stats::range::LogNormalNull;
use crate::stats::tilts::Side;
use crate::stats::whiten::WhitenPlan;
use crate::words::{bytes_text, three_digits};

/// Assumed lag-1 correlation of hourly ratios: half of what volumes are assumed to have, because
/// the load that makes a busy hour follow a busy one cancels.
const RATIO_PHI: f64 = 0.2;
/// Assumed standard deviation of device levels in that of the written range: a quarter of its
/// variance. How much goes up is a matter of the protocol, which all devices of a type share.
const RATIO_TAU: f64 = 0.5;
/// How far a level may follow drift, in the standard deviation of the written range.
const RATIO_DRIFT: f64 = 0.5;
/// Part of the stake that is put on single hours. A single hour has nothing to grow with, so that
/// what it can prove is its stake over how rare it is known to be.
const SPIKE_PART: f32 = 0.3;
/// A byte each way keeps the ratio of an hour that only sent, or only received, finite.
const BYTE: f64 = 1.0;

pub(crate) struct UploadRatio;

/// What it compiled from a profile.
pub(crate) struct Plan {
    range: Range,
    /// The law of the ratio of bytes up to bytes down.
    null: LogNormalNull,
    shift: ShiftPlan,
}

/// A closed hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    /// Hours since the epoch.
    hour: i32,
    up: u64,
    down: u64,
    /// What was remembered before it.
    before: Shift,
}

impl Inputs {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of bytes stay far below 2^53"
    )]
    fn bytes(&self) -> (f64, f64) {
        (self.up as f64, self.down as f64)
    }

    /// Share of the bytes that went up.
    fn share(&self) -> f64 {
        let (up, down) = self.bytes();
        up / (up + down).max(BYTE)
    }
}

impl Detector for UploadRatio {
    const NAME: &'static str = "upload_ratio";
    const QUESTION: &'static str =
        "Does it lastingly send a larger or smaller part of its bytes than its type does?";
    const CRIES_WOLF: &'static str = "A new report to the historian, every hour.";
    const READS: &'static str = "upload_share";
    const GRADE: &'static str = "by evidence";
    const PLANE: Plane = Plane::Network;
    const CLOCK: Clock = Clock::Window;
    const WEIGHT: f32 = 20.0;

    type Plan = Plan;
    type State = Shift;
    type Inputs = Inputs;

    fn plan(baseline: &Baseline, stake: f32) -> Option<Plan> {
        let range = baseline.profile.upload?;
        let odds = |share: f64| share / (1.0 - share);
        let (lo, hi) = ends(odds(range.lo), odds(range.hi), odds(range.lo));
        let null = LogNormalNull::from_range(lo, hi, range.coverage).ok()?;
        let within = (1.0 - RATIO_TAU * RATIO_TAU).sqrt();
        let whiten = WhitenPlan::new(RATIO_PHI, RATIO_TAU, within, RATIO_DRIFT);
        Some(Plan {
            range,
            null,
            shift: ShiftPlan::new(whiten, stake, baseline.clock.clone())
                .learned(baseline.law(Self::NAME))
                .with_spikes(SPIKE_PART),
        })
    }

    fn on_close(plan: &Plan, state: &mut Shift, facts: &CloseFacts) -> Signal<Inputs> {
        let pane = facts.pane;
        if !is_whole(facts) || pane.other_bytes > 0 || pane.bytes() == 0 {
            return Signal::Quiet;
        }
        let inputs = Inputs {
            hour: pane.hour,
            up: pane.up,
            down: pane.down,
            before: *state,
        };
        let standing = state.take(&plan.shift, look(plan, &inputs));
        standing.signal(state.evidence(), inputs.bytes().0, || inputs)
    }

    fn assess(plan: &Plan, inputs: &Inputs) -> Evidence {
        let look = look(plan, inputs);
        let after = inputs.before.after(&plan.shift, look);
        let tails = plan.null.tails(ratio(inputs));
        let (up, down) = inputs.bytes();
        let written = |level| plan.null.threshold(sf(level));
        let odds = plan.shift.expected(&inputs.before, inputs.hour, written);
        let own = odds / (1.0 + odds);
        let percent = |share: f64| three_digits(100.0 * share);
        let Range { lo, hi, coverage } = plan.range;
        Evidence {
            floor: None,
            score: standing::score(after.evidence()),
            p_value: Some(match after.side() {
                Side::Up => tails.upper,
                Side::Down => tails.lower,
            }),
            magnitude: up,
            observed: json!({
                "up_bytes": inputs.up, "down_bytes": inputs.down, "upload_share": inputs.share(),
                "hours": after.hours(), "times_type": after.ratio(),
                "device_days_per_false_alarm": after.evidence(),
            }),
            expected: json!({
                "upload_share": [lo, hi], "coverage": coverage, "of_device": own,
            }),
            sentence: format!(
                "{}: {} % of {} went up this hour, {} % expected of this device and {}\u{2013}{} % \
                 of its type.",
                after.sentence(&plan.shift, "sent", "as much for each byte received as"),
                percent(inputs.share()),
                bytes_text(up + down),
                percent(own),
                percent(lo),
                percent(hi),
            ),
            clears: after.clears(&plan.shift),
            techniques: match after.side() {
                Side::Up => vec!["T0882".to_owned()],
                Side::Down => vec!["T0867".to_owned()],
            },
            confidence: plan.shift.confidence(),
        }
    }
}

fn ratio(inputs: &Inputs) -> f64 {
    let (up, down) = inputs.bytes();
    (up + BYTE) / (down + BYTE)
}

fn look(plan: &Plan, inputs: &Inputs) -> Look {
    let ratio = ratio(inputs);
    Look {
        hour: inputs.hour,
        score: plan.null.z_score(ratio),
        ln_ratio: ratio.ln() - plan.null.mu,
        ln_value: ratio.ln(),
    }
}

#[cfg(test)]
mod tests;
