//! What is believed of records, and for how long, without a cluster. That processes agree by it is
//! shown in `tests/kafka_whole.rs`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use andon_console::{Board, Metrics, SILENT_FOR};
use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{Risk, RiskUpdate};

use super::known::{Known, Origin, Readable, Report};
use super::watch::Signs;
use crate::kafka::partitioner::Partitioner;

const DEVICE: &str = "temp-sensor-042";
const OTHER: &str = "robotic-arm-03-0001";
const STAMPED: &str = "2026-11-27T10:00:00Z";
const RUN: u64 = 7;

fn known() -> Known {
    let inventory = builtin::inventory().unwrap();
    let board = Board::new(&inventory, Mode::Monitor, "1", "boot");
    let origin = Origin {
        run: RUN,
        partitions: 4,
        partitioner: Partitioner::Any,
    };
    Known::new(origin, board, Metrics::new("1").decisions().clone())
}

fn message(device: &str, score: u8) -> String {
    let update = RiskUpdate {
        schema: String::new(),
        device_id: DeviceId::new(device).unwrap(),
        site: String::new(),
        event_time: EventTime::parse(STAMPED).unwrap(),
        risk: Risk::of_score(score),
        risk_class: None,
        verdict_id: None,
    };
    serde_json::to_string(&update.message()).unwrap()
}

fn take(known: &mut Known, key: Option<&str>, payload: Option<&str>, lane: Option<&str>) {
    known.take_record(&Readable {
        place: (0, 0),
        key: key.map(str::as_bytes),
        payload: payload.map(str::as_bytes),
        lane: lane.map(str::as_bytes),
        stamped: Some(EventTime::parse(STAMPED).unwrap()),
    });
}

fn say(known: &mut Known, device: &str, score: u8, lane: &str) {
    take(
        known,
        Some(device),
        Some(&message(device, score)),
        Some(lane),
    );
}

fn scores(reports: &[Report]) -> Vec<Option<u8>> {
    let score = |report: &Report| report.update.as_ref().and_then(|u| u.risk.score);
    reports.iter().map(score).collect()
}

#[test]
fn nothing_is_reported_before_everything_was_read_and_then_the_newest_of_each() {
    let mut known = known();
    say(&mut known, DEVICE, 3, "1.0a");
    say(&mut known, DEVICE, 95, "1.0a");
    say(&mut known, OTHER, 40, "2.0a");
    assert!(known.take(10).is_empty());
    assert_eq!(known.complete(), 2);
    assert_eq!(scores(&known.take(1)), [Some(40)]);
    assert_eq!(scores(&known.take(10)), [Some(95)]);
    assert!(known.take(10).is_empty());
    say(&mut known, DEVICE, 80, "1.0a");
    assert_eq!(scores(&known.take(10)), [Some(80)]);
    // A tombstone forgets.
    take(&mut known, Some(DEVICE), None, None);
    let reports = known.take(10);
    assert_eq!(reports.len(), 1);
    assert!(reports[0].update.is_none());
    known.again(|_| true);
    assert_eq!(scores(&known.take(10)), [Some(40)]);
}

#[test]
fn what_is_no_record_changes_nothing() {
    let mut known = known();
    known.complete();
    say(&mut known, DEVICE, 3, "1.0a");
    known.take(10);
    let good = message(DEVICE, 95);
    let long = format!("{good}{}", " ".repeat(1_024));
    let bad: &[(Option<&str>, &str)] = &[
        (None, &good),
        (Some("a b"), &good),
        (Some(OTHER), &good),
        (Some("TEMP-SENSOR-042"), &good),
        (Some(DEVICE), "not json"),
        (Some(DEVICE), "{\"device_id\":\"temp-sensor-042\"}"),
        (Some(DEVICE), &long),
        (Some(DEVICE), &good.replace("95", "250")),
        (Some(DEVICE), &good.replace("\"critical\"", "\"low\"")),
        (Some(DEVICE), &good.replace("2026", "2999")),
        (
            Some(DEVICE),
            &good.replace('{', "{\"schema\":\"andon.risk.v9\","),
        ),
    ];
    for (key, payload) in bad {
        take(&mut known, *key, Some(payload), Some("1.0a"));
        assert!(known.take(10).is_empty(), "{key:?} {payload}");
    }
    take(&mut known, Some("never-heard-of"), None, None);
    assert!(known.take(10).is_empty());
    // A name that a lane does not have is passed over, what it says is not.
    for lane in ["", ".", "x.y", "1.", "1.zz", "99999999999.1"] {
        say(&mut known, DEVICE, 95, lane);
        assert_eq!(scores(&known.take(10)), [Some(95)], "{lane}");
    }
}

#[test]
fn strangers_are_kept_up_to_a_number_and_the_listed_always() {
    let mut known = known();
    known.complete();
    let board = Board::new(&builtin::inventory().unwrap(), Mode::Monitor, "1", "boot");
    let most = board.device_count() + 16_384;
    for number in 0..most + 5 {
        say(&mut known, &format!("stranger-{number}"), 3, "1.0a");
    }
    assert_eq!(known.take(usize::MAX).len(), most);
    say(&mut known, DEVICE, 95, "1.0a");
    say(&mut known, "stranger-0", 50, "1.0a");
    say(&mut known, "one-more", 50, "1.0a");
    assert_eq!(known.take(10).len(), 2);
}

#[test]
fn of_a_partition_that_nobody_works_on_it_is_said_so_and_again_when_somebody_does() {
    let mut known = known();
    known.complete();
    say(&mut known, DEVICE, 3, "1.0a");
    // Nobody says where this one is.
    take(&mut known, Some(OTHER), Some(&message(OTHER, 3)), None);
    let watched = |reports: Vec<Report>| {
        let one = |report: Report| (report.device.to_string(), report.is_watched);
        reports.into_iter().map(one).collect::<Vec<_>>()
    };
    let (device, other) = (DEVICE.to_owned(), OTHER.to_owned());
    assert_eq!(
        watched(known.take(10)),
        [(other.clone(), false), (device.clone(), false)]
    );
    known.watch(BTreeSet::from([1, 2]));
    assert_eq!(watched(known.take(10)), [(device.clone(), true)]);
    known.watch(BTreeSet::from([0, 1, 2, 3]));
    assert_eq!(watched(known.take(10)), [(other.clone(), true)]);
    known.watch(BTreeSet::from([0, 2, 3]));
    assert_eq!(watched(known.take(10)), [(other, false), (device, false)]);
}

#[test]
fn what_this_process_said_comes_back_as_an_echo_unless_it_was_hushed() {
    let mut known = known();
    known.complete();
    known.watch(BTreeSet::from([1]));
    say(&mut known, DEVICE, 3, "1.0000000000000007");
    assert!(known.take(10)[0].is_echo);
    known.watch(BTreeSet::new());
    assert!(!known.take(10)[0].is_echo);
    known.watch(BTreeSet::from([1]));
    assert!(!known.take(10)[0].is_echo);
    known.again(|_| true);
    assert!(known.take(10)[0].is_echo);
    say(&mut known, DEVICE, 95, "1.0000000000000008");
    assert!(!known.take(10)[0].is_echo);
}

#[test]
fn what_another_process_said_since_we_took_a_partition_up_is_told_when_we_lose_it() {
    let mut known = known();
    known.complete();
    say(&mut known, DEVICE, 3, "1.0a");
    let held_since = Instant::now();
    say(&mut known, OTHER, 95, "1.0a");
    known.take(10);
    known.again(|kept| kept.is_of_another(2, held_since));
    assert!(known.take(10).is_empty());
    known.again(|kept| kept.is_of_another(1, held_since));
    let reports = known.take(10);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].device.as_str(), OTHER);
}

#[test]
fn a_partition_is_alive_once_it_was_seen_to_move_and_for_as_long_as_silence_may_last() {
    let mut signs = Signs::default();
    let began = Instant::now();
    let at = |seconds| began + Duration::from_secs(seconds);
    signs.take(0, (Some(5), "1.a".to_owned()), at(0));
    signs.take(1, (None, String::new()), at(0));
    assert!(signs.alive(at(0)).is_empty());
    signs.take(0, (Some(5), "1.a".to_owned()), at(3));
    assert!(signs.alive(at(3)).is_empty());
    // Nothing came, and time went on.
    signs.take(0, (Some(5), "2.a".to_owned()), at(6));
    signs.take(1, (Some(1), String::new()), at(6));
    assert_eq!(signs.alive(at(6)), BTreeSet::from([0, 1]));
    let late = 6 + SILENT_FOR.as_secs();
    signs.take(1, (Some(2), String::new()), at(late));
    assert_eq!(signs.alive(at(late)), BTreeSet::from([0, 1]));
    assert_eq!(signs.alive(at(late + 1)), BTreeSet::from([1]));
}
