//! The records that came last.

use std::collections::VecDeque;

use andon_schemas::observation::{Record, Source};

/// So many are remembered; of a busy plant that is less time than of a quiet one.
pub(crate) const REMEMBERED: usize = 32_768;

/// A record and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) record: Record,
    pub(crate) source: Source,
}

/// The records that came last, numbered from the beginning.
#[derive(Debug, Default)]
pub(super) struct Ring {
    rows: VecDeque<Row>,
    next: u64,
}

impl Ring {
    /// Remembers one more; returns its number.
    pub(super) fn push(&mut self, record: &Record, source: &Source) -> u64 {
        if self.rows.len() >= REMEMBERED {
            self.rows.pop_front();
        }
        self.rows.push_back(Row {
            record: record.clone(),
            source: source.clone(),
        });
        self.next += 1;
        self.next - 1
    }

    /// Those that a test accepts, each with its number.
    pub(super) fn find(
        &self,
        accept: impl Fn(&Record) -> bool,
    ) -> impl Iterator<Item = (u64, &Row)> {
        let first = self.next - self.rows.len() as u64;
        let numbered = (first..).zip(&self.rows);
        numbered.filter(move |(_, row)| accept(&row.record))
    }
}
