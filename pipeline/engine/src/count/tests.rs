//! Bytes find their hours.

use andon_schemas::time::{EventTime, Span};
use proptest::prelude::*;

use super::{hour_of, spread, start_of};
use crate::device::Hot;
use crate::flows::Increment;

fn hot(open_from: i32) -> Hot {
    Hot {
        open_from,
        ..Hot::default()
    }
}

fn minute(minutes: i64) -> EventTime {
    EventTime::default() + Span::MINUTE.times(minutes)
}

fn moved(up: u64, from: EventTime) -> Increment {
    Increment {
        up,
        down: 0,
        from,
        first: true,
        evicted: false,
    }
}

fn up(hot: &Hot, hour: i32) -> u64 {
    hot.open_pane(hour).map_or(0, |pane| pane.up)
}

#[test]
fn bytes_go_to_the_hours_they_moved_in() {
    let mut hot = hot(0);
    assert!(!spread(&mut hot, &moved(400, minute(30)), minute(70)));
    assert_eq!((up(&hot, 0), up(&hot, 1)), (300, 100));
}

#[test]
fn a_flow_that_ends_with_the_hour_leaves_nothing_to_the_next() {
    let mut hot = hot(0);
    assert!(!spread(&mut hot, &moved(400, minute(0)), minute(60)));
    assert_eq!((up(&hot, 0), up(&hot, 1)), (400, 0));
}

#[test]
fn a_part_in_a_closed_hour_is_late_and_left_out() {
    let mut hot = hot(1);
    assert!(spread(&mut hot, &moved(400, minute(30)), minute(70)));
    assert_eq!((up(&hot, 0), up(&hot, 1)), (0, 100));
}

#[test]
fn of_a_flow_of_many_hours_the_last_two_count() {
    let mut hot = hot(0);
    let day = Span::DAY.times(1);
    assert!(spread(&mut hot, &moved(2_400, minute(0)), minute(0) + day));
    assert_eq!((up(&hot, 22), up(&hot, 23), up(&hot, 24)), (0, 100, 0));
}

#[test]
fn a_flow_without_a_duration_counts_in_the_hour_of_its_end() {
    let mut hot = hot(0);
    assert!(!spread(&mut hot, &moved(7, minute(5)), minute(5)));
    // A start after the end is a broken clock, not a reason to lose bytes.
    assert!(!spread(&mut hot, &moved(8, minute(200)), minute(5)));
    assert_eq!(up(&hot, 0), 15);
}

#[test]
fn counters_do_not_overflow() {
    let mut hot = hot(0);
    for _ in 0..3 {
        spread(&mut hot, &moved(u64::MAX, minute(1)), minute(59));
    }
    assert_eq!(up(&hot, 0), u64::MAX);
}

proptest! {
    #[test]
    fn parts_add_up_to_the_whole(total: u64, from in 0_i64..119, lasted in 1_i64..60) {
        let mut hot = hot(0);
        prop_assert!(!spread(&mut hot, &moved(total, minute(from)), minute(from + lasted)));
        let sum: u128 = hot.panes.iter().map(|pane| u128::from(pane.up)).sum();
        prop_assert_eq!(sum, u128::from(total));
    }

    #[test]
    fn no_time_is_too_far(from: i64, at: i64, total: u64, open_from: i32) {
        let mut hot = hot(open_from.max(i32::MIN + 2));
        let increment = moved(total, EventTime::from_micros(from));
        spread(&mut hot, &increment, EventTime::from_micros(at));
    }

    #[test]
    fn a_moment_lies_in_its_hour(micros in -8_000_000_000_000_000_i64..8_000_000_000_000_000) {
        let at = EventTime::from_micros(micros);
        let hour = hour_of(at);
        prop_assert!(start_of(hour) <= at && at < start_of(hour + 1));
    }
}
