//! The pipeline on a real Kafka when what fails is the network between them: cut both ways or one
//! way, for a moment or past the session, half-open, slow, or gone just as a transaction is
//! committed; and when a process is frozen and goes on past its session. The committed verdicts are
//! those of a backtest; a process that does not reach the broker is not ready, and is again when it
//! does.
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

use std::time::{Duration, Instant};

use self::faults::network::{Line, Network, Ways};
use self::faults::process::Process;
use self::faults::ready::{Watch, is_ready};
use self::faults::requests::Wanted;
use self::faults::{Case, is_long, until};
use self::kafka_broker::Cluster;
use self::kafka_plant::{Luck, say};

/// Past the session of a process, even if it had just been prolonged.
const PAST_SESSION: Duration = Duration::from_secs(8);

/// A broker that a process reaches over a network, and the test itself without it.
struct Remote {
    network: Network,
    broker: Cluster,
}

impl Remote {
    fn start() -> Option<Self> {
        let network = Network::new();
        let broker = Cluster::start_proxied(network.address())?;
        network.lead_to(broker.proxied());
        Some(Self { network, broker })
    }

    fn case(&self, name: &str) -> Case {
        let mut case = Case::new(self.broker.addresses(), name);
        // A transaction is nearly always under way.
        "epoch = \"20ms\"\nsnapshot = \"200ms\"".clone_into(&mut case.more);
        case
    }

    fn run(&self, case: &Case, instance: &str) -> Process {
        case.start_at(self.network.address(), instance)
    }
}

fn until_ready(run: &Process) {
    until("it is ready", || is_ready(&run.http));
}

fn until_not_ready(run: &Process) {
    until("it is not ready", || !is_ready(&run.http));
}

fn refused(case: &Case, instance: &str) -> usize {
    case.log(instance)
        .matches("ended without an answer")
        .count()
}

/// What it was told when a transaction of its was not committed.
fn refusals(case: &Case, instance: &str) -> Vec<String> {
    let told = ["an epoch was not committed: ", "ended without an answer: "];
    let log = case.log(instance);
    log.lines()
        .filter_map(|line| told.iter().find_map(|told| line.split_once(told)))
        .map(|(_, reason)| reason.to_owned())
        .collect()
}

/// Waits until it is ready; returns how often it had to be started again for that. To the client it
/// is final if an answer that gave it another place in the group was lost: it ends with words, and
/// whatever keeps the process going starts it again.
fn until_ready_again(remote: &Remote, case: &Case, instance: &str, run: &mut Process) -> usize {
    let ends = || {
        case.log(instance)
            .matches("starting it again is enough")
            .count()
    };
    // It may have ended before the line was whole.
    let before = ends() - usize::from(run.ended().is_some());
    let mut again = 0;
    until("it is ready again", || {
        if run.ended().is_some() {
            again += 1;
            assert_eq!(ends(), before + again, "it says why it ended");
            *run = remote.run(case, instance);
        }
        is_ready(&run.http)
    });
    again
}

#[test]
fn a_fault_at_any_moment_and_for_any_time_loses_nothing_and_says_nothing_twice() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let mut luck = Luck::new("moments");
    let mut case = remote.case("moments");
    let watch = Watch::new("moments");
    let mut run = remote.run(&case, "one");
    watch.ask(&[&run.http]);
    case.feed(500);
    case.until_caught_up();
    let rounds = if is_long() { 8 } else { 1 };
    for line in [
        Line::Cut,
        Line::Lossy(Ways::Out),
        Line::Lossy(Ways::Back),
        Line::Lossy(Ways::Both),
        Line::Slow(2_048, Duration::from_millis(20)),
        Line::Vanished,
    ]
    .repeat(rounds)
    {
        case.feed(500);
        std::thread::sleep(luck.millis(1, 100));
        watch.outage();
        remote.network.set(line);
        case.feed(300);
        let lasts = luck.millis(50, 2_500);
        std::thread::sleep(lasts);
        remote.network.set(Line::Whole);
        let whole = Instant::now();
        watch.ask(&[&run.http]);
        case.until_caught_up();
        let took = whole.elapsed();
        say(&format!(
            "{line:?} for {lasts:?}: caught up within {took:?}"
        ));
        assert!(run.ended().is_none(), "{line:?}");
    }
    until_ready(&run);
    run.end();
    drop(watch);
    case.settle("one");
}

#[test]
fn a_process_that_is_cut_off_past_its_session_is_not_ready_until_it_is_back() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let mut case = remote.case("sessions");
    let watch = Watch::new("sessions");
    let mut run = remote.run(&case, "one");
    watch.ask(&[&run.http]);
    for (line, is_busy) in [
        (Line::Cut, true),
        (Line::Lossy(Ways::Back), true),
        (Line::Lossy(Ways::Both), false),
        (Line::Vanished, false),
    ] {
        case.feed(500);
        case.until_caught_up();
        until_ready(&run);
        if is_busy {
            case.feed(500);
        }
        watch.outage();
        remote.network.set(line);
        let began = Instant::now();
        until_not_ready(&run);
        let seen = began.elapsed();
        until("the session", || began.elapsed() > PAST_SESSION);
        case.feed(300);
        remote.network.set(Line::Whole);
        let whole = Instant::now();
        let again = until_ready_again(&remote, &case, "one", &mut run);
        watch.ask(&[&run.http]);
        let ready = whole.elapsed();
        case.until_caught_up();
        say(&format!(
            "{line:?}, busy: {is_busy}: not ready after {seen:?}, ready again within {ready:?}, \
             caught up within {:?}, started again: {again}",
            whole.elapsed()
        ));
    }
    run.end();
    drop(watch);
    case.settle("one");
}

#[test]
fn a_commit_of_which_nothing_more_is_heard_is_settled_by_what_the_group_holds() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let mut luck = Luck::new("commits");
    let mut case = remote.case("commits");
    let watch = Watch::new("commits");
    let mut run = remote.run(&case, "one");
    watch.ask(&[&run.http]);
    case.feed(500);
    case.until_caught_up();
    let rounds = if is_long() { 8 } else { 1 };
    for (line, is_long_gone) in [
        // The answer is lost, the question is lost, both are with their connection.
        (Line::Lossy(Ways::Back), true),
        (Line::Lossy(Ways::Out), true),
        (Line::Lossy(Ways::Back), false),
        (Line::Cut, false),
        (Line::Vanished, false),
    ]
    .repeat(rounds)
    {
        let before = refused(&case, "one");
        until_ready(&run);
        let end = Wanted::end_of_transaction("andon-one-run");
        remote.network.set_at(end, line);
        case.feed(500);
        until("the end of a transaction", || remote.network.is_sprung());
        watch.outage();
        if is_long_gone {
            until("the client gives up", || refused(&case, "one") > before);
        }
        std::thread::sleep(luck.millis(50, 1_000));
        // What was on its way is lost for good, half of the times.
        if luck.below(2) == 0 {
            remote.network.set(Line::Cut);
        }
        remote.network.set(Line::Whole);
        let whole = Instant::now();
        watch.ask(&[&run.http]);
        case.until_caught_up();
        let took = whole.elapsed();
        say(&format!("{line:?} at the end of a transaction: {took:?}"));
        assert!(run.ended().is_none(), "{line:?}");
    }
    run.end();
    drop(watch);
    case.settle("one");
}

#[test]
fn what_comes_through_after_another_has_taken_over_does_not_count() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let mut case = remote.case("delays");
    let watch = Watch::new("delays");
    let mut heir = case.start("heir");
    let mut lost = remote.run(&case, "lost");
    watch.ask(&[&heir.http]);
    case.feed(500);
    case.until_caught_up();
    for ways in [Ways::Out, Ways::Back] {
        until_ready(&lost);
        let end = Wanted::end_of_transaction("andon-lost-run");
        remote.network.set_at(end, Line::Lossy(ways));
        case.feed(1_000);
        until("the end of a transaction", || remote.network.is_sprung());
        let began = Instant::now();
        case.feed(500);
        case.until_caught_up();
        let took = began.elapsed();
        until("it is not ready", || !is_ready(&lost.http));
        remote.network.set(Line::Whole);
        let again = until_ready_again(&remote, &case, "lost", &mut lost);
        case.feed(500);
        case.until_caught_up();
        say(&format!(
            "{ways:?} lost: taken over within {took:?}, started again: {again}"
        ));
    }
    lost.end();
    heir.end();
    drop(watch);
    case.settle("heir");
}

/// Frozen, and so is not asked whether it is ready, past its session.
fn frozen(zombie: &Process, case: &mut Case, meanwhile: impl FnOnce(&mut Case)) {
    zombie.signal("STOP");
    let began = Instant::now();
    meanwhile(case);
    until("the session", || began.elapsed() > PAST_SESSION);
    zombie.signal("CONT");
}

#[test]
fn a_zombie_is_refused_and_recovers() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let mut luck = Luck::new("zombie");
    let mut case = remote.case("zombie");
    let watch = Watch::new("zombie");
    let mut zombie = remote.run(&case, "zombie");
    let mut heir = case.start("heir");
    watch.ask(&[&heir.http]);
    case.feed(500);
    case.until_caught_up();
    for is_ending in [true, false, true, false] {
        until_ready(&zombie);
        let before = refusals(&case, "zombie").len();
        let assigned = case.log("zombie").matches("kafka: assigned").count();
        if is_ending {
            // It has asked for the end of a transaction, and the question is on its way.
            let end = Wanted::end_of_transaction("andon-zombie-run");
            remote.network.set_at(end, Line::Lossy(Ways::Out));
            case.feed(1_500);
            until("the end of a transaction", || remote.network.is_sprung());
        } else {
            case.feed(1_500);
            std::thread::sleep(luck.millis(1, 100));
        }
        frozen(&zombie, &mut case, |case| {
            case.feed(500);
            case.until_caught_up();
            remote.network.set(Line::Whole);
        });
        until("the zombie is a member again", || {
            case.log("zombie").matches("kafka: assigned").count() > assigned
        });
        case.feed(500);
        case.until_caught_up();
        let refusals = &refusals(&case, "zombie")[before..];
        say(&format!("frozen, ending: {is_ending}: {refusals:?}"));
        assert!(!is_ending || !refusals.is_empty(), "it was not refused");
        assert!(zombie.ended().is_none(), "it recovers");
    }
    zombie.end();
    heir.end();
    drop(watch);
    case.settle("heir");
}

#[test]
fn a_slow_line_is_slow_and_nothing_else() {
    let Some(remote) = Remote::start() else {
        return;
    };
    let mut case = remote.case("slowness");
    // As it comes: the state of a plant is more than such a line carries many times a second.
    case.more.clear();
    // 20 ms there and 20 ms back, and 400 kB/s each way.
    let slow = Line::Slow(8_192, Duration::from_millis(20));
    remote.network.set(slow);
    let watch = Watch::new("slowness");
    let mut run = remote.run(&case, "one");
    watch.ask(&[&run.http]);
    case.feed(2_000);
    case.until_caught_up();
    // 200 ms there and back, and 160 kB/s each way.
    remote
        .network
        .set(Line::Slow(16_384, Duration::from_millis(100)));
    case.feed(1_500);
    case.until_caught_up();
    until_ready(&run);
    remote.network.set(slow);
    run.end();
    drop(watch);
    case.settle("one");
}
