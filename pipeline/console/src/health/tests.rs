//! What health says, by a clock that the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Availability, Clock, Health, Unmet};

const LIMIT: Duration = Duration::from_secs(30);

/// Seconds that only pass when told to.
#[derive(Clone, Default)]
struct Hands(Arc<AtomicU64>);

impl Hands {
    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::from_fn(move || Duration::from_secs(hands.0.load(Ordering::Relaxed)))
    }
}

fn waiting_for(conditions: &[(&'static str, &str)]) -> (Health, Hands) {
    let hands = Hands::default();
    (Health::with_clock(conditions, LIMIT, hands.clock()), hands)
}

fn ready_of(health: &Health) -> (u64, u64) {
    let Availability { ready, total } = health.availability();
    (ready.as_secs(), total.as_secs())
}

#[test]
fn a_loop_without_beats_is_dead_after_the_limit_and_lives_on_with_the_next() {
    let (health, hands) = waiting_for(&[]);
    hands.pass(30);
    assert!(health.liveness().live);
    hands.pass(1);
    assert!(!health.liveness().live);
    assert_eq!(health.liveness().last_beat, Duration::from_secs(31));
    health.beat();
    assert!(health.liveness().live);
}

#[test]
fn every_condition_must_hold_and_those_that_do_not_are_named() {
    let (health, hands) = waiting_for(&[("kafka", "not reached yet"), ("partitions", "none")]);
    hands.pass(2);
    health.ready("partitions");
    assert!(!health.is_ready());
    let kafka = |reason: &str, seconds| Unmet {
        condition: "kafka",
        reason: reason.to_owned(),
        lasting: Duration::from_secs(seconds),
    };
    assert_eq!(health.unmet(), [kafka("not reached yet", 2)]);

    health.ready("kafka");
    assert!(health.is_ready());
    assert_eq!(health.unmet(), []);

    health.not_ready("kafka", "broker is not reachable: refused");
    hands.pass(3);
    assert!(!health.is_ready());
    assert_eq!(
        health.unmet(),
        [kafka("broker is not reachable: refused", 3)]
    );
}

#[test]
fn another_reason_does_not_change_since_when() {
    let (health, hands) = waiting_for(&[("kafka", "not reached yet")]);
    hands.pass(5);
    health.not_ready("kafka", "name does not resolve");
    let unmet = health.unmet();
    assert_eq!(unmet[0].reason, "name does not resolve");
    assert_eq!(unmet[0].lasting, Duration::from_secs(5));
}

#[test]
fn a_stalled_loop_is_not_ready_whatever_its_conditions_say() {
    let (health, hands) = waiting_for(&[("kafka", "not reached yet")]);
    health.ready("kafka");
    hands.pass(31);
    assert!(!health.is_ready());
    assert_eq!(health.unmet()[0].condition, "progress");
    health.beat();
    assert!(health.is_ready());
}

#[test]
fn a_mistyped_condition_leaves_the_registered_one_in_sight() {
    let (health, _hands) = waiting_for(&[("kafka", "not reached yet")]);
    health.ready("kafak");
    assert_eq!(health.unmet()[0].condition, "kafka");
    health.ready("kafka");
    health.not_ready("disk", "is full");
    assert_eq!(health.unmet()[0].condition, "disk");
}

#[test]
fn availability_counts_from_the_first_time_ready() {
    let (health, hands) = waiting_for(&[("kafka", "not reached yet")]);
    hands.pass(7);
    assert_eq!(ready_of(&health), (0, 0));
    assert_eq!(health.availability().share(), None);
    health.ready("kafka");
    hands.pass(20);
    health.beat();
    health.not_ready("kafka", "gone");
    hands.pass(4);
    assert_eq!(ready_of(&health), (20, 24));
    health.ready("kafka");
    health.ready("kafka");
    hands.pass(16);
    assert_eq!(ready_of(&health), (36, 40));
    assert_eq!(health.availability().share(), Some(0.9));
}

#[test]
fn time_beyond_the_limit_of_a_stall_is_not_available() {
    let (health, hands) = waiting_for(&[("kafka", "not reached yet")]);
    health.ready("kafka");
    hands.pass(100);
    assert_eq!(ready_of(&health), (30, 100), "while it lasts");
    health.beat();
    assert_eq!(ready_of(&health), (30, 100), "once it is over");
    hands.pass(10);
    assert_eq!(ready_of(&health), (40, 110));
}

#[test]
fn a_condition_lost_in_a_stall_does_not_win_the_stall_back() {
    let (health, hands) = waiting_for(&[("kafka", "not reached yet")]);
    health.ready("kafka");
    hands.pass(60);
    health.not_ready("kafka", "gone");
    hands.pass(10);
    health.beat();
    assert_eq!(ready_of(&health), (30, 70));
    health.ready("kafka");
    hands.pass(5);
    assert_eq!(ready_of(&health), (35, 75));
}

#[test]
fn clones_tell_of_the_same_pipeline() {
    let (health, _hands) = waiting_for(&[("kafka", "not reached yet")]);
    let watching = health.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || health.ready("kafka"));
    });
    assert!(watching.is_ready());
}
