//! How much time a capture covers.

use std::collections::BTreeSet;

use andon_schemas::time::{EventTime, Span};

/// The event times that were observed, as far as a report needs them.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    ends: Option<(EventTime, EventTime)>,
    hours: BTreeSet<i64>,
    /// The hour of the latest row: the next one is nearly always of the same.
    latest: Option<i64>,
}

impl Stretch {
    /// Something was observed at this time.
    pub fn see(&mut self, at: EventTime) {
        let (first, last) = self.ends.unwrap_or((at, at));
        self.ends = Some((first.min(at), last.max(at)));
        let hour = at.micros().div_euclid(Span::HOUR.micros());
        if self.latest != Some(hour) {
            self.latest = Some(hour);
            self.hours.insert(hour);
        }
    }

    /// The first and the last time.
    pub fn ends(&self) -> Option<(EventTime, EventTime)> {
        self.ends
    }

    /// Hours in which there was anything. One row with a wrong date adds an hour, not years.
    pub fn hours(&self) -> u64 {
        self.hours.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_with_a_wrong_date_is_one_hour() {
        let mut stretch = Stretch::default();
        assert_eq!((stretch.ends(), stretch.hours()), (None, 0));
        for text in [
            "2025-12-14T01:10:00Z",
            "2025-12-14T01:50:00Z",
            "1970-01-01T00:00:00Z",
        ] {
            stretch.see(EventTime::parse(text).unwrap());
        }
        stretch.see(EventTime::parse("2025-12-14T01:59:00Z").unwrap());
        assert_eq!(stretch.hours(), 2);
        let (first, last) = stretch.ends().unwrap();
        assert_eq!(first, EventTime::from_micros(0));
        assert_eq!(last.to_string(), "2025-12-14T01:59:00.000000Z");
    }
}
