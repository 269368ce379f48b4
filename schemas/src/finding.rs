//! Evidence and findings: what a detector saw, and the same signed by the engine.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grade::{Grade, Plane, text_scale};
use crate::observation::{Role, Source};
use crate::time::Interval;
use crate::verdict::ProfileRef;

/// What a confidence rests on.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A written range, not yet checked against data.
    Written,
    /// A parametric model fitted to data.
    Model,
    /// A growing reference, before there is enough to calibrate.
    ColdStart,
    /// A calibrated table with a bound.
    Calibrated,
    /// A rule: policy, certain by definition.
    Policy,
}

text_scale!(Basis {
    Written => "written", Model => "model", ColdStart => "cold_start",
    Calibrated => "calibrated", Policy => "policy",
});

/// How far a statement can be trusted, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Confidence {
    /// What it rests on.
    pub basis: Basis,
    /// Clean windows behind it; 0 for a rule and for a written range.
    pub n: u64,
}

/// What a detector saw. It decides nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The floor a rule sets; `None` for a statistic, whose grade follows from its score.
    pub floor: Option<Grade>,
    /// 0–100 where 100 is worst: a rule's risk floor, or `25·log10 M` of a statistic.
    pub score: u8,
    /// Probability of something at least as extreme, where the method has one.
    pub p_value: Option<f64>,
    /// The number that may double: orders one sighting of the same pattern against another.
    pub magnitude: f64,
    /// What was seen: a small object with units in its keys.
    pub observed: Value,
    /// What was expected, and the band.
    pub expected: Value,
    /// One plain sentence.
    pub sentence: String,
    /// What would clear it: one plain sentence.
    pub clears: String,
    /// ATT&CK for ICS technique ids.
    pub techniques: Vec<String>,
    /// What the statement rests on.
    pub confidence: Confidence,
}

/// Verdicts that say nothing of it were written when only proven rows were told of.
const fn proven_unless_said() -> bool {
    true
}

/// Evidence, signed: which detector, which rows, which stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// Name of the detector.
    pub detector: String,
    /// Its own grade, caps applied, before corroboration.
    pub grade: Grade,
    /// The grade it counts with in its verdict: its own, or one step worse where two planes agree;
    /// in a clear the one it counted with last. Absent if it did not count.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counts_as: Option<Grade>,
    /// Whether whoever sent its rows had proven who it is; what rests on others stays MEDIUM.
    #[serde(default = "proven_unless_said")]
    pub proven: bool,
    /// Whether a rule set the grade; otherwise evidence did.
    pub rule: bool,
    /// Where it was seen.
    pub plane: Plane,
    /// 0–100, 100 is worst.
    pub score: u8,
    /// Probability of something at least as extreme, where the method has one.
    pub p_value: Option<f64>,
    /// What was seen.
    pub observed: Value,
    /// What was expected.
    pub expected: Value,
    /// One plain sentence.
    pub sentence: String,
    /// What would clear it.
    pub clears: String,
    /// ATT&CK for ICS technique ids.
    pub techniques: Vec<String>,
    /// What it rests on.
    pub confidence: Confidence,
    /// The stretch of event time it speaks about.
    pub window: Interval,
    /// Which end of the flow the device was, where a flow showed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
    /// Sightings folded into this finding.
    pub count: u64,
    /// Whether it still holds.
    pub active: bool,
    /// The values it was computed from; `andon explain` computes it again from them.
    pub inputs: Value,
    /// The profile it was measured against, if that is another than the verdict names: the profile
    /// was changed while the finding stood.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profile: Option<ProfileRef>,
    /// The rows that showed it: the first and the latest.
    pub source: Vec<Source>,
}
