//! Which of the records that were sent have been acknowledged: the cluster answers in order within
//! each partition, and in any order between them.

use std::collections::VecDeque;

/// See the module. Records are numbered from 0, as they are sent.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Number of the record at the front of `waiting`.
    first: usize,
    /// Whether each record is acknowledged, in the order of sending.
    waiting: VecDeque<bool>,
    /// Records that will never be.
    pub(super) failed: u64,
    /// Why the last of those will not.
    pub(super) reason: String,
}

impl Arrivals {
    /// A record is about to be sent; returns its number.
    pub(super) fn begin(&mut self) -> usize {
        self.waiting.push_back(false);
        self.first + self.waiting.len() - 1
    }

    /// The record that was begun last could not be sent.
    pub(super) fn take_back(&mut self) {
        self.waiting.pop_back();
    }

    /// A record is acknowledged.
    pub(super) fn acknowledge(&mut self, number: usize) {
        let at = number.checked_sub(self.first);
        if let Some(is_acknowledged) = at.and_then(|at| self.waiting.get_mut(at)) {
            *is_acknowledged = true;
        }
        while self.waiting.front() == Some(&true) {
            self.waiting.pop_front();
            self.first += 1;
        }
    }

    /// A record can never be delivered.
    pub(super) fn fail(&mut self, reason: String) {
        self.failed += 1;
        self.reason = reason;
    }

    /// All records below this number are acknowledged.
    pub(super) fn through(&self) -> usize {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_out_of_order_counts_once_everything_before_it_is() {
        let mut arrivals = Arrivals::default();
        let numbers = [0, 1, 2].map(|_| arrivals.begin());
        assert_eq!(numbers, [0, 1, 2]);
        arrivals.acknowledge(1);
        arrivals.acknowledge(2);
        assert_eq!(arrivals.through(), 0);
        arrivals.acknowledge(0);
        assert_eq!(arrivals.through(), 3);
        assert_eq!(arrivals.begin(), 3);
        arrivals.acknowledge(0);
        assert_eq!(arrivals.through(), 3);
    }

    #[test]
    fn what_failed_holds_back_everything_after_it() {
        let mut arrivals = Arrivals::default();
        for _ in 0..3 {
            arrivals.begin();
        }
        arrivals.acknowledge(0);
        arrivals.fail("too large".to_owned());
        arrivals.acknowledge(2);
        assert_eq!((arrivals.through(), arrivals.failed), (1, 1));
    }

    #[test]
    fn what_could_not_be_sent_leaves_no_gap() {
        let mut arrivals = Arrivals::default();
        arrivals.begin();
        arrivals.begin();
        arrivals.take_back();
        assert_eq!(arrivals.begin(), 1);
    }
}
