//! What a run counted, as its console tells it.

use andon_console::{Metrics, Totals};
use andon_engine::Counts;

use crate::intake::Tally;

/// What was told last of what a run counted. What it restored was told by whoever counted it.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    tally: Tally,
    counts: Counts,
}

impl Counted {
    /// Everything so far was told by others.
    pub fn begin(&mut self, tally: &Tally, counts: Counts) {
        self.tally = tally.clone();
        self.counts = counts;
    }

    /// Adds what came since the last time; returns how many records did.
    pub fn grow(&mut self, metrics: &Metrics, tally: &Tally, counts: Counts) -> u64 {
        let grown = |now: u64, before: u64| now.saturating_sub(before);
        let records = grown(tally.records, self.tally.records);
        metrics.records(records);
        for (reason, n) in &tally.rejects {
            let before = self.tally.rejects.get(reason).copied().unwrap_or(0);
            metrics.rejected(*reason, grown(*n, before));
        }
        metrics.observations(grown(counts.observations, self.counts.observations));
        metrics.late(grown(counts.late, self.counts.late));
        metrics.duplicates(grown(counts.duplicates, self.counts.duplicates));
        self.begin(tally, counts);
        records
    }

    /// Everything so far.
    pub fn totals(tally: &Tally, counts: Counts) -> Totals {
        let rejects = tally.rejects.iter();
        Totals {
            records: tally.records,
            rejects: rejects
                .map(|(reason, n)| (reason.to_string(), *n))
                .collect(),
            late: counts.late,
            duplicates: counts.duplicates,
        }
    }
}
