//! Names a device resolved: which addresses stand for destinations of its profile for how long.

use andon_schemas::columns::ResolutionRow;
use andon_schemas::time::{EventTime, Span};
use serde::{Deserialize, Serialize};

/// Answers remembered per device.
const NAMES_MAX: usize = 32;
/// An answer is kept for a day at most, whatever it says.
const TTL_S_MAX: u32 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    address: u128,
    cell: u8,
    until: EventTime,
}

/// The answers one device saw, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Names(Vec<Answer>);

impl Names {
    /// Remembers an answer for the destination `cell`. Of two answers for one address the one that
    /// lasts longer stays, so that a straggler does not shorten what is known.
    pub(crate) fn learn(&mut self, answer: &ResolutionRow, cell: u8, at: EventTime) {
        let until = at + Span::from_secs(i64::from(answer.ttl_s.min(TTL_S_MAX)));
        for address in answer.keys().take(NAMES_MAX) {
            let known = self.0.iter().position(|known| known.address == address);
            match known {
                Some(known) if self.0[known].until > until => continue,
                Some(known) => {
                    self.0.remove(known);
                }
                None if self.0.len() >= NAMES_MAX => {
                    self.0.remove(0);
                }
                None => {}
            }
            self.0.push(Answer {
                address,
                cell,
                until,
            });
        }
    }

    /// Destinations have other numbers from here on; those that have none any more are forgotten.
    pub(crate) fn renumber(&mut self, number: impl Fn(u8) -> Option<u8>) {
        self.0.retain_mut(|answer| match number(answer.cell) {
            Some(cell) => {
                answer.cell = cell;
                true
            }
            None => false,
        });
    }

    /// The destination an address stands for at a moment.
    pub(crate) fn find(&self, address: u128, at: EventTime) -> Option<u8> {
        self.0
            .iter()
            .find(|a| a.address == address && at <= a.until)
            .map(|a| a.cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> EventTime {
        EventTime::from_micros(seconds * 1_000_000)
    }

    fn learn(names: &mut Names, address: u128, ttl_s: u32, cell: u8, seconds: i64) {
        let row = ResolutionRow {
            server: 1,
            name: "historian.mfg.local",
            addresses: &address.to_be_bytes(),
            ttl_s,
        };
        names.learn(&row, cell, at(seconds));
    }

    #[test]
    fn an_answer_holds_for_its_ttl_and_no_longer() {
        let mut names = Names::default();
        learn(&mut names, 7, 60, 3, 100);
        assert_eq!(names.find(7, at(160)), Some(3));
        assert_eq!(names.find(7, at(161)), None);
        assert_eq!(names.find(8, at(100)), None);
    }

    #[test]
    fn no_answer_holds_for_more_than_a_day() {
        let mut names = Names::default();
        learn(&mut names, 7, u32::MAX, 0, 0);
        assert_eq!(names.find(7, at(86_400)), Some(0));
        assert_eq!(names.find(7, at(86_401)), None);
    }

    #[test]
    fn answers_follow_their_destination_to_another_number() {
        let mut names = Names::default();
        learn(&mut names, 7, 60, 0, 0);
        learn(&mut names, 8, 60, 1, 0);
        names.renumber(|cell| (cell == 1).then_some(3));
        assert_eq!(names.find(7, at(0)), None);
        assert_eq!(names.find(8, at(0)), Some(3));
    }

    #[test]
    fn a_straggler_does_not_shorten_what_is_known() {
        let mut names = Names::default();
        learn(&mut names, 7, 60, 1, 100);
        learn(&mut names, 7, 60, 2, 90);
        assert_eq!(names.find(7, at(155)), Some(1));
        learn(&mut names, 7, 60, 2, 110);
        assert_eq!(names.find(7, at(170)), Some(2));
    }

    #[test]
    fn the_oldest_of_too_many_answers_is_forgotten() {
        let mut names = Names::default();
        for address in 0..=NAMES_MAX as u128 {
            learn(&mut names, address, 60, 0, 0);
        }
        assert_eq!(names.0.len(), NAMES_MAX);
        assert_eq!(names.find(0, at(0)), None);
        assert_eq!(names.find(1, at(0)), Some(0));
    }

    #[test]
    fn an_answer_of_many_addresses_is_bounded() {
        let mut names = Names::default();
        let addresses: Vec<u8> = (0..1_000_u128).flat_map(u128::to_be_bytes).collect();
        let row = ResolutionRow {
            server: 1,
            name: "n",
            addresses: &addresses,
            ttl_s: 5,
        };
        names.learn(&row, 0, EventTime::MAX);
        assert_eq!(names.0.len(), NAMES_MAX);
    }
}
