//! What all rules have in common: a rule is policy, so its grade is its floor and its confidence
//! is certain by definition.

use andon_schemas::finding::{Basis, Confidence, Evidence};
use andon_schemas::grade::Grade;
use serde_json::Value;

use crate::detector::{Sighting, Signal};

/// The part of a rule's evidence that is its own.
pub(crate) struct Words<'a> {
    /// What was seen.
    pub observed: Value,
    /// What was expected.
    pub expected: Value,
    /// One plain sentence.
    pub sentence: String,
    /// What would clear it.
    pub clears: String,
    /// ATT&CK for ICS technique ids.
    pub techniques: &'a [&'a str],
}

/// A rule was broken by one row; repeats keep the finding alive.
pub(crate) fn broken<I>(grade: Grade, magnitude: f64, inputs: I) -> Signal<I> {
    signal(grade, magnitude, false, inputs)
}

/// A rule is broken, and stays so until the detector says that it is over.
pub(crate) fn broken_state<I>(grade: Grade, magnitude: f64, inputs: I) -> Signal<I> {
    signal(grade, magnitude, true, inputs)
}

fn signal<I>(grade: Grade, magnitude: f64, holds: bool, inputs: I) -> Signal<I> {
    Signal::Seen(Sighting {
        floor: Some(grade),
        score: grade.risk_floor(),
        magnitude,
        holds,
        inputs,
    })
}

/// The evidence of a broken rule.
pub(crate) fn evidence(grade: Grade, magnitude: f64, words: Words<'_>) -> Evidence {
    Evidence {
        floor: Some(grade),
        score: grade.risk_floor(),
        p_value: None,
        magnitude,
        observed: words.observed,
        expected: words.expected,
        sentence: words.sentence,
        clears: words.clears,
        techniques: words.techniques.iter().map(|id| (*id).to_owned()).collect(),
        confidence: Confidence {
            basis: Basis::Policy,
            n: 0,
        },
    }
}
