//! What a bridge has moved.

use std::collections::BTreeMap;

use andon_schemas::reject::RejectReason;
use serde::Serialize;

/// What was moved: `records` are those that became rows and those that were rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records that came in.
    pub records: u64,
    /// Rows that went out.
    pub rows: u64,
    /// Records that yielded no row, by reason.
    pub rejects: BTreeMap<RejectReason, u64>,
}

impl Counts {
    /// A record became so many rows.
    pub fn moved(&mut self, rows: usize) {
        self.records += 1;
        self.rows += rows as u64;
    }

    /// A record was rejected.
    pub fn rejected(&mut self, reason: RejectReason) {
        self.records += 1;
        *self.rejects.entry(reason).or_default() += 1;
    }

    /// Adds what others are.
    pub fn add(&mut self, others: &Self) {
        self.records += others.records;
        self.rows += others.rows;
        for (reason, n) in &others.rejects {
            *self.rejects.entry(*reason).or_default() += n;
        }
    }
}

/// What a bridge came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Where records came from.
    pub from: String,
    /// The topic they went to.
    pub to: String,
    /// What was moved.
    #[serde(flatten)]
    pub counts: Counts,
    /// How long it took, s.
    pub elapsed_s: f64,
    /// Of this program.
    pub version: &'static str,
}
