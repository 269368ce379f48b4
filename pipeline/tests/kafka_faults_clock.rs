//! The pipeline on a real Kafka when the clock of its machine is an hour wrong, or is set while it
//! runs: event time comes from what is observed, so the committed verdicts are those of a backtest.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod faults;
#[path = "../ingest/tests/kafka_broker/mod.rs"]
mod kafka_broker;
mod kafka_plant;
mod plant;

use andon::wall;
use andon_schemas::time::{EventTime, Span};

use self::faults::Case;
use self::faults::clock::Clock;
use self::faults::ready::Watch;
use self::kafka_plant::{Luck, cluster, say};

const HOUR: i64 = 3_600;

/// Whether the newest line of a log is stamped by a clock that is so many seconds off: without
/// this, a clock that does not reach the process would pass.
fn is_stamped(log: &str, shift: i64) -> bool {
    let stamp = |line: &str| EventTime::parse(line.split_whitespace().next()?).ok();
    let Some(stamp) = log.lines().rev().find_map(stamp) else {
        return false;
    };
    let off = stamp.since(wall::now()).micros();
    let wanted = Span::from_secs(shift).micros();
    off.abs_diff(wanted) < Span::from_secs(HOUR / 2).micros().unsigned_abs()
}

/// Starts under a clock that is wrong by the first, sets it to each of the others while work is
/// under way, and compares.
fn under_a_clock(name: &str, shifts: &[i64]) {
    let Some(broker) = cluster() else {
        return;
    };
    let mut luck = Luck::new(name);
    let mut case = Case::new(broker.addresses(), name);
    let clock = Clock::new(case.folder());
    clock.set(shifts[0]);
    let watch = Watch::new(name);
    let mut run = case.start_under("one", &clock.wrapper());
    watch.ask(&[&run.http]);
    case.feed(2_000);
    case.until_caught_up();
    assert!(is_stamped(&case.log("one"), shifts[0]), "{name}");
    for &shift in &shifts[1..] {
        case.feed(2_000);
        std::thread::sleep(luck.millis(1, 100));
        clock.set(shift);
        say(&format!("{name}: the clock is {shift} s off"));
        case.until_caught_up();
        case.feed(2_000);
        case.until_caught_up();
    }
    run.end();
    let last = shifts[shifts.len() - 1];
    assert!(is_stamped(&case.log("one"), last), "{name}");
    drop(watch);
    case.settle("one");
}

#[test]
fn a_clock_an_hour_ahead_changes_no_verdict() {
    under_a_clock("clock-ahead", &[HOUR]);
}

#[test]
fn a_clock_an_hour_behind_changes_no_verdict() {
    under_a_clock("clock-behind", &[-HOUR]);
}

#[test]
fn a_clock_set_an_hour_forward_in_a_run_changes_no_verdict() {
    under_a_clock("clock-forward", &[0, HOUR]);
}

#[test]
fn a_clock_set_an_hour_back_in_a_run_changes_no_verdict() {
    under_a_clock("clock-back", &[0, -HOUR]);
}
