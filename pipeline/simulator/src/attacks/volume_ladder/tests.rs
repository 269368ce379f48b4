//! Who stands on the ladder, and that nothing but its bytes is changed.

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::inventory::Function;
use andon_schemas::observation::{FlowRecord, Kind, Record, RecordBody};
use andon_schemas::time::{EventTime, Span};

use super::{ATTACKS, DEVICES_PER_RUNG, FACTORS, KIND};
use crate::plant::tests::builtin;
use crate::{Label, Options, Plant};

/// Monday late in the evening: the second day begins after two hours.
const START: &str = "2025-12-15T22:00:00+01:00";

fn options(seed: u64, attacks: &[&str]) -> Options {
    Options {
        seed,
        hours: 72,
        start: Some(EventTime::parse(START).unwrap()),
        attacks: attacks.iter().map(|name| (*name).to_owned()).collect(),
        only: Some(Kind::Flow),
        ..Options::default()
    }
}

fn plant(seed: u64, attacks: &[&str]) -> Plant {
    let (inventory, profiles) = builtin();
    Plant::new(&inventory, &profiles, &options(seed, attacks)).unwrap()
}

fn on_the_ladder(seed: u64) -> Vec<Label> {
    plant(seed, &[KIND.name]).labels().to_vec()
}

#[test]
fn ten_devices_stand_on_each_rung_and_the_rungs_hold_the_same_types() {
    let plant = plant(5, &[KIND.name]);
    let mut rungs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for label in plant.labels() {
        let device = plant.inventory().device(label.device.as_str()).unwrap();
        assert_eq!(device.function, Function::Device);
        let name = format!("volume-ladder-x{}", label.ladder_factor().unwrap());
        assert_eq!(label.attack, name);
        assert!(label.later && label.detectors == ["traffic_volume"]);
        rungs.entry(name).or_default().push(&device.device_type);
    }
    let names: Vec<&str> = rungs.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "volume-ladder-x1.2",
            "volume-ladder-x1.5",
            "volume-ladder-x2",
            "volume-ladder-x3"
        ]
    );
    for types in rungs.values_mut() {
        types.sort_unstable();
    }
    let first = &rungs["volume-ladder-x1.2"];
    assert!(rungs.values().all(|types| types == first));
    assert_eq!(first.len(), DEVICES_PER_RUNG);
    assert!(
        first.iter().collect::<BTreeSet<_>>().len() >= 8,
        "{first:?}"
    );
}

#[test]
fn the_ladder_stands_from_the_second_midnight_to_the_end() {
    let midnight = EventTime::parse("2025-12-16T00:00:00+01:00").unwrap();
    let end = EventTime::parse(START).unwrap() + Span::HOUR.times(72);
    for label in on_the_ladder(5) {
        assert_eq!((label.start, label.end), (midnight, end));
    }
}

#[test]
fn nobody_else_has_to_do_with_a_device_of_the_ladder_and_it_stands_there_once() {
    let others: Vec<&str> = ATTACKS
        .iter()
        .map(|kind| kind.name)
        .filter(|name| *name != KIND.name)
        .collect();
    for seed in [3, 5] {
        let devices: Vec<_> = on_the_ladder(seed).into_iter().map(|l| l.device).collect();
        assert_eq!(devices.iter().collect::<BTreeSet<_>>().len(), 40);
        let week = Options {
            hours: 168,
            ..options(seed, &others)
        };
        let (inventory, profiles) = builtin();
        let attacked = Plant::new(&inventory, &profiles, &week).unwrap();
        for label in attacked.labels() {
            assert!(!devices.contains(&label.device), "{}", label.device);
        }
    }
}

#[test]
fn the_seed_chooses_the_devices() {
    assert_eq!(on_the_ladder(5), on_the_ladder(5));
    assert_ne!(on_the_ladder(5), on_the_ladder(6));
}

#[test]
fn other_attacks_beside_it_do_not_change_who_stands_on_it() {
    let beside = plant(5, &["silent-sensor", KIND.name]);
    let ladder = beside
        .labels()
        .iter()
        .filter(|l| l.ladder_factor().is_some());
    assert!(ladder.eq(&on_the_ladder(5)));
}

/// Rows of the first hours of the ladder, work included.
fn first_hours(plant: Plant) -> impl Iterator<Item = Record> {
    let until = EventTime::parse("2025-12-16T07:30:00+01:00").unwrap();
    plant.take_while(move |record| record.event_time < until)
}

fn flow(record: &Record) -> &FlowRecord {
    match &record.body {
        RecordBody::Flow(flow) => flow,
        RecordBody::Single(_) => panic!("only flows were asked for"),
    }
}

/// So many times the bytes, to the nearest one.
#[expect(clippy::cast_precision_loss, reason = "bytes of one connection")]
fn grew(usual: Option<u64>, seen: Option<u64>, factor: f64) -> bool {
    usual
        .zip(seen)
        .is_some_and(|(usual, seen)| (seen as f64 - usual as f64 * factor).abs() <= 0.5)
}

#[test]
fn every_connection_moves_its_factor_and_nothing_else_changes() {
    let attacked = plant(5, &[KIND.name]);
    let factors: BTreeMap<_, _> = attacked
        .labels()
        .iter()
        .map(|label| {
            let device = attacked.inventory().device(label.device.as_str()).unwrap();
            (
                device.addresses[0],
                (label.start, label.ladder_factor().unwrap()),
            )
        })
        .collect();
    let mut grown = BTreeSet::new();
    let mut rows = 0_u32;
    for (mut usual, seen) in first_hours(plant(5, &[])).zip(first_hours(attacked)) {
        rows += 1;
        let (before, after) = (flow(&usual).clone(), flow(&seen));
        if let Some((start, factor)) = factors.get(&before.originator.address)
            && before.start >= *start
        {
            let (up, down) = (after.originator_bytes, after.responder_bytes);
            assert!(
                grew(before.originator_bytes, up, *factor),
                "{before:?} {up:?}"
            );
            assert!(
                grew(before.responder_bytes, down, *factor),
                "{before:?} {down:?}"
            );
            grown.insert(before.originator.address);
            usual.body = RecordBody::Flow(FlowRecord {
                originator_bytes: up,
                responder_bytes: down,
                ..before
            });
        }
        assert_eq!(usual, seen);
    }
    assert!(rows > 10_000, "{rows} rows");
    assert_eq!(grown.len(), FACTORS.len() * DEVICES_PER_RUNG);
}

#[test]
fn a_capture_too_short_for_the_ladder_says_so() {
    let (inventory, profiles) = builtin();
    let short = Options {
        hours: 71,
        ..options(5, &[KIND.name])
    };
    let error = Plant::new(&inventory, &profiles, &short).unwrap_err();
    assert!(error.contains("needs at least 72 hours"), "{error}");
}

#[test]
fn a_plant_too_small_for_the_ladder_says_so() {
    let (inventory, profiles) = builtin();
    let small = Options {
        devices: Some(12),
        ..options(5, &[KIND.name])
    };
    let error = Plant::new(&inventory, &profiles, &small).unwrap_err();
    assert!(error.contains("no 4 devices of one type"), "{error}");
}

#[test]
fn only_a_rung_has_a_factor() {
    let mut label = on_the_ladder(5).remove(0);
    assert!(label.ladder_factor().is_some());
    for other in [
        "volume-3x",
        "volume-ladder",
        "volume-ladder-x",
        "volume-ladder-xNaN",
    ] {
        label.attack = other.to_owned();
        assert_eq!(label.ladder_factor(), None, "{other}");
    }
}
