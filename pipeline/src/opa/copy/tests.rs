//! What is told next, without an engine and without a clock. That a real engine has it then is shown
//! in `tests/opa_run.rs`.

use andon_console::{Board, Health, Heard};
use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::inventory::{self, Inventory};
use serde_json::Value;

use super::*;

const EXPIRES: Duration = Duration::from_secs(60);

struct Bench {
    board: Board,
    feed: RiskFeed,
    follower: andon_console::Follower,
    copy: Copy,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let board = Board::new(&inventory(), Mode::Monitor, "1", "boot");
        board.describe("{\"zone\":\"Europe/Berlin\"}");
        let feed = RiskFeed::new(board.clone(), Health::new(&[], Duration::from_secs(3_600)));
        let now = Instant::now();
        Self {
            follower: feed.follow(),
            copy: Copy::new(EXPIRES, &feed, now),
            board,
            feed,
            now,
        }
    }

    fn hear(&mut self, device: &str, score: u8) {
        self.board.hear([Heard {
            device_id: DeviceId::new(device).unwrap(),
            risk: Risk::of_score(score),
            last_seen: EventTime::from_micros(1),
            at: EventTime::from_micros(1),
            open: None,
        }]);
        self.take();
    }

    fn take(&mut self) {
        let changes = self.follower.changes(Duration::ZERO);
        self.copy.take(changes, &self.feed);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn next(&mut self) -> Option<Step> {
        let wall = EventTime::parse("2026-11-27T10:00:00Z").unwrap();
        self.copy.next(&self.feed, self.now, wall)
    }

    /// Everything arrives, until nothing is to be done; what was told of devices.
    fn settle(&mut self) -> Vec<Value> {
        let mut told = Vec::new();
        while let Some(step) = self.next() {
            match step {
                Step::Plant(plant) => self.copy.plant_arrived(plant.version, self.now),
                Step::Place => self.copy.place_arrived(self.now),
                Step::Devices(batch) => {
                    told.extend(operations(&batch));
                    self.copy.devices_arrived(batch, self.now);
                }
                Step::Ask(_) => self.copy.is_there(self.now),
            }
        }
        told
    }
}

fn inventory() -> Inventory {
    inventory::parse(builtin::INVENTORY).unwrap()
}

fn operations(batch: &Batch) -> Vec<Value> {
    serde_json::from_str(&batch.patch.json()).unwrap()
}

#[test]
fn the_plant_comes_first_and_each_change_once() {
    let mut bench = Bench::new();
    bench.hear("temp-sensor-042", 10);
    assert!(matches!(bench.next(), Some(Step::Plant(_))));
    let told = bench.settle();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["path"], "/temp-sensor-042");
    assert_eq!(told[0]["value"]["score"], 10);
    assert_eq!(told[0]["value"]["expires"], "2026-11-27T10:01:00.000000Z");
    bench.hear("temp-sensor-042", 10);
    assert!(bench.next().is_none());
    bench.hear("temp-sensor-042", 20);
    bench.hear("temp-sensor-042", 30);
    let told = bench.settle();
    assert_eq!(told.len(), 1, "only the newest matters");
    assert_eq!(told[0]["value"]["score"], 30);
    bench.board.describe("{}");
    bench.take();
    assert!(matches!(bench.next(), Some(Step::Plant(plant)) if plant.version == 2));
}

#[test]
fn what_would_lapse_is_told_again() {
    let mut bench = Bench::new();
    bench.hear("temp-sensor-042", 10);
    bench.settle();
    bench.pass(19);
    assert!(bench.settle().is_empty());
    bench.pass(1);
    assert_eq!(bench.settle().len(), 1);
    assert!(bench.settle().is_empty());
    assert!(bench.copy.rest(bench.now) <= ASKED_AFTER);
}

#[test]
fn what_did_not_arrive_is_told_anew_and_the_worst_first() {
    let mut bench = Bench::new();
    bench.settle();
    bench.hear("temp-sensor-042", 10);
    let Some(Step::Devices(lost)) = bench.next() else {
        panic!("it is told of");
    };
    bench.copy.devices_lost(lost, bench.now);
    assert_eq!(bench.copy.waiting(), 1);
    assert_eq!(bench.settle().len(), 1);

    bench.hear("robotic-arm-03-0001", 96);
    bench.settle();
    bench.copy.begin_anew(&bench.feed);
    assert!(matches!(bench.next(), Some(Step::Plant(_))));
    let told = bench.settle();
    let scores: Vec<&Value> = told.iter().map(|told| &told["value"]["score"]).collect();
    assert_eq!(scores, [&Value::from(96), &Value::from(10)]);
}

#[test]
fn a_quiet_engine_is_asked_whether_it_still_has_what_it_was_told() {
    let mut bench = Bench::new();
    bench.settle();
    assert!(bench.next().is_none());
    bench.pass(1);
    assert!(matches!(bench.next(), Some(Step::Ask(None))));
    bench.hear("temp-sensor-042", 10);
    bench.settle();
    bench.pass(1);
    assert!(
        matches!(bench.next(), Some(Step::Ask(Some(device))) if device.as_str() == "temp-sensor-042")
    );
}

#[test]
fn a_device_that_leaves_the_inventory_goes_and_one_that_another_process_has_is_left_alone() {
    let mut bench = Bench::new();
    bench.hear("temp-sensor-042", 10);
    bench.hear("robotic-arm-03-0001", 20);
    bench.settle();
    bench.board.hear_anew();
    bench.hear("robotic-arm-03-0001", 20);
    bench.pass(30);
    let told = bench.settle();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["path"], "/robotic-arm-03-0001");

    let mut smaller = inventory();
    smaller
        .devices
        .retain(|device| device.id.as_str() != "robotic-arm-03-0001");
    bench.board.change(&smaller, Mode::Monitor);
    bench.take();
    let told = bench.settle();
    let whats: Vec<&Value> = told.iter().map(|told| &told["op"]).collect();
    assert_eq!(whats, ["add", "remove"]);
    bench.pass(60);
    assert!(bench.settle().is_empty());
    assert!(bench.copy.sent.is_empty() && bench.copy.aging.is_empty());
}

#[test]
fn one_message_holds_so_many_devices_and_a_change_goes_before_what_is_only_refreshed() {
    let mut bench = Bench::new();
    let devices: Vec<String> = inventory()
        .devices
        .iter()
        .filter(|device| device.function == inventory::Function::Device)
        .map(|device| device.id.to_string())
        .collect();
    for device in &devices {
        bench.hear(device, 10);
    }
    assert_eq!(bench.settle().len(), devices.len());
    bench.pass(20);
    bench.hear("temp-sensor-042", 90);
    let Some(Step::Devices(batch)) = bench.next() else {
        panic!("they are told of");
    };
    let told = operations(&batch);
    assert_eq!(told[0]["path"], "/temp-sensor-042");
    assert!(told.len() <= DEVICES_MAX);
}
