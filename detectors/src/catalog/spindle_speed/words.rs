//! What is told of a speed, of a stretch and of a quarter of an hour.

use andon_schemas::finding::Evidence;
use serde_json::json;

use super::load::{Closed, Law};
use super::{Fit, Plan};
use crate::rare::Step;
use crate::rule::{self, Words};
use crate::standing::{self, WRITTEN};
use crate::words::{multiple_text, three_digits};

/// What would clear evidence on speed and current.
const CLEARS: &str =
    "Speed and current that fit each other, until the evidence has fallen tenfold.";
/// Spoofed reports, manipulation of control.
const TECHNIQUES: [&str; 2] = ["T0856", "T0831"];

pub(super) fn limit(plan: &Plan, rpm: f64) -> Evidence {
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

pub(super) fn stretch(
    plan: &Plan,
    fit: Fit,
    (rpm, amperes): (f64, f64),
    step: &Step<2>,
) -> Evidence {
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
        clears: CLEARS.to_owned(),
        techniques: TECHNIQUES.map(str::to_owned).to_vec(),
        confidence: WRITTEN,
    }
}

/// What is told of a quarter of an hour: its misfits or its mean, whichever weighs more.
pub(super) fn quarter(law: Option<&Law>, closed: &Closed) -> Evidence {
    let quarter = &closed.quarter;
    let [shares, means] = law.map_or([0.0; 2], |law| law.evidence(closed));
    let (standing, share) = quarter.worst();
    let moved = quarter.moved();
    let percent = three_digits(100.0 * f64::from(share));
    let misfit = three_digits(f64::from(quarter.misfit().unwrap_or(0.0)));
    let sentence = match (means > shares && share < 0.5, moved) {
        (true, Some(moved)) => format!(
            "While its spindle turned, the machine drew {} times the current that goes with the \
             speed, in the mean of a quarter of an hour.",
            three_digits(moved)
        ),
        _ if standing => format!(
            "In {percent} % of the samples of a quarter of an hour in which its spindle reports to \
             stand, the machine draws another current than at rest, such as {misfit} A."
        ),
        _ => format!(
            "In {percent} % of the samples of a quarter of an hour in which its spindle reports to \
             turn, the machine draws another current than goes with the speed, such as {misfit} A."
        ),
    };
    let ends = |standing| {
        let ends = law.and_then(|law| law.expected_a(standing));
        ends.map(|(lo, hi)| [lo, hi])
    };
    Evidence {
        floor: None,
        score: standing::score(shares + means),
        p_value: None,
        magnitude: closed.magnitude(),
        observed: json!({
            "current_a": quarter.misfit(), "standing": quarter.standing, "turning": quarter.turning,
            "times_mean": moved, "device_days_per_false_alarm": shares + means,
        }),
        expected: json!({
            "standing_a": ends(true), "turning_a": ends(false),
            "coverage": law.map(Law::coverage),
        }),
        sentence,
        clears: CLEARS.to_owned(),
        techniques: TECHNIQUES.map(str::to_owned).to_vec(),
        confidence: WRITTEN,
    }
}
