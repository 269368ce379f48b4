//! What a clean plant promises: repeatable, ordered, bounded, and clean.

mod honesty;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function, Inventory};
use andon_schemas::observation::{Body, FlowRecord, Kind, Record, RecordBody};
use andon_schemas::profile::{Destination, Profile, ProfileSet, SourceFile, Target};
use andon_schemas::time::{EventTime, Span};

use super::{Options, Plant, SLICE_ROWS};
use crate::shifts::working;

pub(crate) fn builtin() -> (Inventory, ProfileSet) {
    let detectors: &[&str] = &[];
    (
        andon_schemas::builtin::inventory().unwrap(),
        andon_schemas::builtin::profiles(detectors).unwrap(),
    )
}

fn plant(options: &Options) -> Plant {
    let (inventory, profiles) = builtin();
    Plant::new(&inventory, &profiles, options).unwrap()
}

fn small(hours: u32) -> Options {
    Options {
        seed: 11,
        hours,
        devices: Some(60),
        ..Options::default()
    }
}

fn flow(record: &Record) -> Option<&FlowRecord> {
    match &record.body {
        RecordBody::Flow(flow) => Some(flow),
        RecordBody::Single(_) => None,
    }
}

/// Both directions of a flow.
#[expect(clippy::cast_precision_loss, reason = "bytes of an hour")]
pub(crate) fn bytes_of(flow: &FlowRecord) -> f64 {
    (flow.originator_bytes.unwrap() + flow.responder_bytes.unwrap()) as f64
}

/// The device that a record is about: its originator, if it is a flow.
fn subject<'a>(inventory: &'a Inventory, record: &Record) -> &'a Device {
    let found = match (&record.body, &record.device, record.address) {
        (RecordBody::Flow(flow), ..) => inventory.at_address(flow.originator.address),
        (_, Some(id), _) => inventory.device(id.as_str()),
        (_, None, address) => address.and_then(|a| inventory.at_address(a)),
    };
    found.unwrap()
}

#[test]
fn the_same_seed_gives_the_same_records_and_another_seed_others() {
    let records = |seed| plant(&Options { seed, ..small(8) }).collect::<Vec<Record>>();
    let first = records(11);
    assert!(first.len() > 10_000);
    assert_eq!(first, records(11));
    assert_ne!(first, records(12));
}

#[test]
fn the_length_of_slices_does_not_show() {
    let whole: Vec<Record> = plant(&small(8)).collect();
    let mut sliced = plant(&small(8));
    sliced.slice = Span::from_secs(120);
    assert_eq!(whole, sliced.collect::<Vec<Record>>());
}

#[test]
fn a_device_does_not_depend_on_the_size_of_the_plant() {
    let readings = |devices| {
        plant(&Options {
            devices,
            only: Some(Kind::Reading),
            ..small(7)
        })
        .filter(|r| {
            r.device
                .as_ref()
                .is_some_and(|d| d.as_str() == "cnc-controller-01-0050")
        })
        .collect::<Vec<Record>>()
    };
    let all = readings(None);
    assert!(!all.is_empty());
    assert_eq!(all, readings(Some(900)));
}

#[test]
fn records_come_in_order_and_inside_the_stretch_asked_for() {
    let options = Options {
        start: Some(EventTime::parse("2025-12-15T06:20:00Z").unwrap()),
        ..small(3)
    };
    let (from, mut last) = (options.start.unwrap(), EventTime::MIN);
    let mut count = 0;
    for record in plant(&options) {
        assert!(record.event_time >= last.max(from));
        assert!(record.event_time < from + Span::HOUR.times(3));
        last = record.event_time;
        count += 1;
    }
    assert!(count > 5_000);
}

#[test]
fn the_default_start_is_friday_midnight_in_the_plant() {
    let plant = plant(&small(1));
    assert_eq!(
        plant.now,
        EventTime::parse("2025-12-12T00:00:00+01:00").unwrap()
    );
}

#[test]
fn a_clean_plant_is_silent_outside_its_hours_and_on_holidays() {
    let (inventory, profiles) = builtin();
    let start = EventTime::parse("2025-12-20T00:00:00+01:00").unwrap();
    let options = Options {
        start: Some(start),
        devices: Some(24),
        ..small(8 * 24)
    };
    let plant = Plant::new(&inventory, &profiles, &options).unwrap();
    for record in plant {
        let hours = profiles
            .get(&subject(&inventory, &record).device_type)
            .unwrap()
            .hours
            .as_ref();
        let begin = flow(&record).map_or(record.event_time, |f| f.start);
        assert!(working(&inventory, hours, begin), "{record:?}");
        assert!(working(&inventory, hours, record.event_time), "{record:?}");
    }
}

fn stands_for(target: &Target, inventory: &Inventory, address: IpAddr) -> bool {
    let device = inventory.at_address(address);
    match target {
        Target::Address(wanted) => *wanted == address,
        Target::Network(network) => network.contains(&address),
        Target::Name(name) => device.is_some_and(|d| d.names.contains(name)),
        Target::Role(role) => device.is_some_and(|d| d.roles.contains(role)),
        Target::DeviceType(wanted) => device.is_some_and(|d| d.device_type == *wanted),
    }
}

#[test]
fn honest_flows_are_in_the_profiles_of_both_ends_and_forbidden_by_no_segment() {
    let (inventory, profiles) = builtin();
    let any = |list: &[Destination], address| {
        list.iter()
            .any(|d| stands_for(&d.target, &inventory, address))
    };
    for record in plant(&Options {
        only: Some(Kind::Flow),
        ..small(10)
    }) {
        let flow = flow(&record).unwrap();
        let origin = subject(&inventory, &record);
        let profile = profiles.get(&origin.device_type).unwrap();
        let (from, to) = (flow.originator.address, flow.responder.address);
        assert!(any(&profile.destinations, to), "{record:?}");
        assert!(
            profile
                .protocols
                .iter()
                .flat_map(|p| &p.matches)
                .any(|look| {
                    look.transport == flow.transport && look.port == Some(flow.responder.port)
                }),
            "{record:?}"
        );
        let segment = &inventory.segments[origin.segment];
        assert!(crate::class::permits(
            segment,
            to,
            flow.transport,
            flow.responder.port
        ));
        if let Some(server) = inventory
            .at_address(to)
            .and_then(|d| profiles.get(&d.device_type))
        {
            assert!(
                any(&server.clients, from) || any(&server.destinations, from),
                "{record:?}"
            );
        }
    }
}

#[test]
fn nobody_is_taken_for_silent() {
    let (inventory, profiles) = builtin();
    let mut last: BTreeMap<DeviceId, EventTime> = BTreeMap::new();
    for record in plant(&small(40)) {
        let device = subject(&inventory, &record);
        let profile: &Profile = profiles.get(&device.device_type).unwrap();
        let before = last.insert(device.id.clone(), record.event_time);
        let (Some(before), Some(silence)) = (before, profile.silence) else {
            continue;
        };
        let gap = record.event_time.since(before);
        let night = !working(&inventory, profile.hours.as_ref(), before + silence);
        assert!(
            gap < silence || night,
            "{} {gap:?} at {}",
            device.id,
            record.event_time
        );
    }
    assert!(last.len() > 60);
}

#[test]
fn a_week_of_the_plant_is_economical() {
    // Friday, which is a working day of every type, counted for all seven.
    let records = plant(&Options {
        devices: None,
        ..small(24)
    })
    .count();
    assert!(
        records * 7 * 2 < 30_000_000,
        "{records} records on a working day"
    );
}

#[test]
fn kind_and_limit_choose_records() {
    let plant = plant(&Options {
        only: Some(Kind::Attestation),
        limit: Some(25),
        ..small(24)
    });
    let records: Vec<Record> = plant.collect();
    assert_eq!(records.len(), 25);
    let is = |r: &Record| matches!(r.body, RecordBody::Single(Body::Attestation(_)));
    assert!(records.iter().all(is));
}

#[test]
fn a_million_devices_stand_and_their_first_slice_is_bounded() {
    let mut plant = plant(&Options {
        devices: Some(1_000_000),
        ..small(1)
    });
    assert!(plant.inventory().devices.len() >= 1_000_000);
    assert!(plant.slice <= Span::from_secs(30));
    assert!(plant.next_slice().unwrap().len() < 2 * SLICE_ROWS);
}

#[test]
fn a_busy_slice_is_bounded_too() {
    let noon = EventTime::parse("2025-12-12T11:00:00Z").unwrap();
    let mut plant = plant(&Options {
        devices: Some(12_000),
        start: Some(noon),
        ..small(1)
    });
    let records = plant.next_slice().unwrap().len();
    assert!(
        records > SLICE_ROWS / 8 && records < 2 * SLICE_ROWS,
        "{records}"
    );
}

#[test]
fn a_plant_of_another_size_is_one_whole_inventory() {
    let (inventory, profiles) = builtin();
    let count = |inventory: &Inventory| {
        let is_device = |d: &&Device| d.function == Function::Device;
        inventory.devices.iter().filter(is_device).count()
    };
    assert_eq!(count(&inventory), 503);
    // The annex of three is kept and not counted.
    for (wanted, stand) in [(60, 63), (500, 503), (503, 503), (1_200, 1_203)] {
        let options = Options {
            devices: Some(wanted),
            ..small(1)
        };
        let plant = Plant::new(&inventory, &profiles, &options).unwrap();
        let scaled = plant.inventory();
        assert_eq!(count(scaled), stand, "{wanted}");
        assert!(scaled.devices.is_sorted_by(|a, b| a.id < b.id));
        let mut addresses = BTreeSet::new();
        for device in &scaled.devices {
            assert!(device.addresses.iter().all(|a| addresses.insert(*a)));
            let speaker = device.gateway.as_ref().unwrap_or(&device.id);
            assert!(scaled.may_speak_for(speaker.as_str(), device.id.as_str()));
            let segment = device.addresses.first().and_then(|a| scaled.segment_of(*a));
            assert_eq!(segment, Some(device.segment), "{}", device.id);
        }
        let yaml = scaled.to_yaml();
        let file = SourceFile {
            path: "scaled.yaml",
            text: &yaml,
        };
        let again = andon_schemas::inventory::parse(file).unwrap();
        assert_eq!(again.hash, scaled.content_hash(), "{wanted}");
    }
    let error = |wanted| {
        let options = Options {
            devices: Some(wanted),
            ..small(1)
        };
        Plant::new(&inventory, &profiles, &options).unwrap_err()
    };
    assert!(error(0).contains("0 devices"));
}

#[test]
fn what_is_missing_is_named() {
    let (inventory, _) = builtin();
    let none = ProfileSet::default();
    let error = Plant::new(&inventory, &none, &small(1)).unwrap_err();
    assert!(error.contains("has no profile"), "{error}");
}
