//! Visits to a state: what a stream of samples is in, without being fooled by single samples, and
//! when that is worth a step of evidence.
//!
//! A sample is no step: samples of one visit depend on each other, so counting them would multiply
//! one event into many. A visit counts once it has settled, and a long one again after each
//! further stretch, so that a state which never ends does not count only once.
//!
//! Where one state is the rule and the others are rare, every rare visit is followed by one to the
//! rule, so that half of all visits would be rare however short they are. Such states count at
//! most once in a stretch of time: what counts is then a fair sample of the time spent in each.

use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

/// A state is settled after so many samples in a row.
pub(crate) const SETTLED_SAMPLES: u8 = 3;

/// How visits are told from blips and counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    /// A state must also have lasted this long to be settled.
    pub settle: Span,
    /// A visit counts again after each stretch of this length.
    pub again: Span,
    /// A new visit counts no sooner than this after whatever counted last.
    pub apart: Span,
}

/// What the samples are in: 12 bytes. States are small numbers that the detector names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visits {
    /// The state that is settled; 0 before there is one.
    settled: u8,
    /// Another state that the latest samples were in, and how many of them.
    candidate: u8,
    run: u8,
    /// When the candidate began, in seconds since the epoch.
    began_s: u32,
    /// When the settled state last counted.
    counted_s: u32,
}

impl Visits {
    /// Takes a sample in `state` (not 0); the state, if its visit counts now.
    pub(crate) fn step(&mut self, state: u8, at: EventTime, counting: Counting) -> Option<u8> {
        let now_s = seconds(at);
        if state == self.settled {
            self.run = 0;
            let due = lasted(self.counted_s, now_s) >= counting.again;
            if due {
                self.counted_s = now_s;
            }
            return due.then_some(state);
        }
        if self.run == 0 || state != self.candidate {
            self.candidate = state;
            self.run = 0;
            self.began_s = now_s;
        }
        self.run = self.run.saturating_add(1);
        if self.run < SETTLED_SAMPLES || lasted(self.began_s, now_s) < counting.settle {
            return None;
        }
        self.settled = state;
        self.run = 0;
        let due = lasted(self.counted_s, now_s) >= counting.apart;
        if due {
            self.counted_s = now_s;
        }
        due.then_some(state)
    }
}

/// Whole seconds since the epoch, held between 1970 and 2106.
pub(crate) fn seconds(at: EventTime) -> u32 {
    let seconds = at.micros().div_euclid(Span::SECOND.micros());
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}

/// The time from one such second to another.
pub(crate) fn lasted(from_s: u32, to_s: u32) -> Span {
    Span::from_secs(i64::from(to_s) - i64::from(from_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::time;

    /// Plays states ten seconds apart; the upper row names them, the lower marks what counts.
    fn play(settle: i64, apart: i64, drawing: &str) {
        let counting = Counting {
            settle: Span::from_secs(settle),
            again: Span::from_secs(100),
            apart: Span::from_secs(apart),
        };
        let mut visits = Visits::default();
        let mut at = time("2025-12-12T09:00:00Z");
        let rows: Vec<&str> = drawing
            .lines()
            .map(str::trim)
            .filter(|r| !r.is_empty())
            .collect();
        let come: String = rows[0]
            .bytes()
            .map(|state| {
                at = at + Span::from_secs(10);
                if visits.step(state, at, counting).is_some() {
                    '!'
                } else {
                    '.'
                }
            })
            .collect();
        assert_eq!(come, rows[1]);
    }

    #[test]
    fn a_visit_counts_with_its_third_sample_and_blips_do_not() {
        play(
            0,
            0,
            "
            aaabaabbabbbb
            ..!........!.
            ",
        );
    }

    #[test]
    fn a_long_visit_counts_again() {
        play(
            0,
            0,
            "
            aaaaaaaaaaaaaaaaaaaaaaaa
            ..!.........!.........!.
            ",
        );
    }

    #[test]
    fn a_state_must_last_to_settle() {
        play(
            45,
            0,
            "
            aaaaaaabbbbaaabbbbbbb
            .....!.............!.
            ",
        );
    }

    #[test]
    fn visits_that_must_lie_apart_are_a_sample_of_time() {
        play(
            0,
            100,
            "
            aaaaabbbaaaaaaaaaabbbaaaaaaa
            ..!.........!..........!....
            ",
        );
    }
}
