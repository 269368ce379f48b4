//! What is said of a device that nobody wrote a profile for, and what is not said in maintenance.

use std::sync::Arc;

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function, Maintenance};
use andon_schemas::observation::{
    Attestation, Body, ConnState, Observation, Reading, Resolution, Sender,
};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Verdict;

use crate::engine::Input;
use crate::output::{Item, Output};
use crate::plant::Plant;
use crate::scenes::{Bench, PLANT, PROFILES, device, listed, minute, reading, row, stray_flow};

/// The devices of the plant that are knocked at.
const KNOCKED_AT: usize = 30;

/// A knock of `who` at the first devices of the plant, one after the other, as a sensor saw it.
fn knocks(who: &DeviceId, from: EventTime, proven: bool) -> Vec<Observation> {
    let inventory = PLANT.inventory();
    let sensor = inventory
        .devices
        .iter()
        .find(|d| d.function == Function::Sensor);
    let doors = inventory
        .devices
        .iter()
        .filter(|d| d.function == Function::Device);
    let knock = |(n, door): (i64, &Device)| {
        let mut row = stray_flow(who, from + Span::SECOND.times(n));
        row.header.sender = Some(Sender {
            name: sensor.unwrap().id.clone(),
            proven,
        });
        let Body::Flow(flow) = &mut row.body else {
            unreachable!()
        };
        flow.peer = door.addresses[0];
        flow.port = 502;
        flow.state = ConnState::Attempt;
        row
    };
    (0..).zip(doors.take(KNOCKED_AT)).map(knock).collect()
}

/// The last verdict about a device.
fn last<'a>(output: &'a Output, device: &DeviceId) -> Option<&'a Verdict> {
    let mut verdicts = output.items.iter().filter_map(|(_, item)| match item {
        Item::Verdict(verdict) if verdict.device_id == *device => Some(verdict),
        _ => None,
    });
    verdicts.next_back()
}

fn found<'a>(verdict: Option<&'a Verdict>, detector: &str) -> Option<&'a str> {
    let finding = verdict?.findings.iter().find(|f| f.detector == detector)?;
    Some(&finding.sentence)
}

#[test]
fn a_stranger_that_searches_the_plant_is_itself_named() {
    let stranger = DeviceId::new("ip:10.1.20.250").unwrap();
    for (state, what) in [
        (ConnState::Attempt, "21 connections that failed (at most 20"),
        (ConnState::Answered, " hosts (at most 20"),
    ] {
        let mut rows = knocks(&stranger, minute(600), true);
        for row in &mut rows {
            if let Body::Flow(flow) = &mut row.body {
                flow.state = state;
            }
        }
        let output = Bench::new().rows(&rows);
        let verdict = last(&output, &stranger);
        let sentence = found(verdict, "scan").unwrap();
        assert!(sentence.contains(what), "{sentence}");
        assert!(found(verdict, "unknown_device").is_some());
    }
}

#[test]
fn a_stranger_whom_nobody_proved_stays_below_high() {
    let stranger = DeviceId::new("ip:10.1.20.250").unwrap();
    let output = Bench::new().rows(&knocks(&stranger, minute(600), false));
    let verdict = last(&output, &stranger);
    assert!(found(verdict, "scan").is_some());
    assert!(verdict.unwrap().grade <= Grade::Medium);
}

#[test]
fn a_stranger_with_a_handful_of_peers_is_no_scanner() {
    let stranger = DeviceId::new("ip:10.1.20.250").unwrap();
    let rows = knocks(&stranger, minute(600), true);
    let output = Bench::new().rows(&rows[..15]);
    assert_eq!(found(last(&output, &stranger), "scan"), None);
}

#[test]
fn a_server_that_speaks_with_the_whole_plant_does_its_work() {
    let inventory = PLANT.inventory();
    let server = inventory
        .devices
        .iter()
        .find(|d| d.function == Function::Server);
    let server = &server.unwrap().id;
    let output = Bench::new().rows(&knocks(server, minute(600), true));
    assert_eq!(found(last(&output, server), "scan"), None);
}

/// A bench whose plant has declared maintenance between two minutes of its day.
fn maintained(from: i64, to: i64) -> Bench {
    let mut inventory = PLANT.inventory().clone();
    inventory.maintenance.push(Maintenance {
        start: minute(from),
        end: minute(to),
        devices: Vec::new(),
        segments: Vec::new(),
        firmware: Some("31i-B9".to_owned()),
        reason: "new spindle".to_owned(),
    });
    let plant = Plant::compile(inventory, &PROFILES, PLANT.mode);
    let mut bench = Bench::new();
    bench.engine.step(&Input::Control(Arc::new(plant)));
    bench
}

/// Three samples of a working machine, a second apart.
fn working(device: &DeviceId, at: EventTime) -> Vec<Observation> {
    let sample = |n| {
        let reading = Reading {
            current_a: Some(5.0),
            spindle_rpm: None,
        };
        row(device, at + Span::SECOND.times(n), Body::Reading(reading))
    };
    (0..3).map(sample).collect()
}

fn detectors(output: &Output, device: &DeviceId) -> Vec<String> {
    let findings = last(output, device).map_or(&[][..], |verdict| &verdict.findings);
    findings.iter().map(|f| f.detector.clone()).collect()
}

#[test]
fn what_maintenance_explains_is_counted_once_and_not_said() {
    let cnc = device("cnc_controller_fanuc");
    // 02:00 to 03:00 plant time: outside its hours.
    let mut bench = maintained(60, 120);
    let counted = |bench: &Bench| bench.engine.counts().in_maintenance;

    let output = bench.rows(&[stray_flow(&cnc, minute(70))]);
    assert!(!detectors(&output, &cnc).contains(&"off_hours".to_owned()));
    assert!(detectors(&output, &cnc).contains(&"unknown_destination".to_owned()));
    assert_eq!(counted(&bench), 1);

    bench.rows(&working(&cnc, minute(71)));
    let output = bench.rows(&working(&cnc, minute(72)));
    assert!(!detectors(&output, &cnc).contains(&"current_draw".to_owned()));
    assert_eq!(counted(&bench), 2);

    let update = Body::Attestation(Attestation {
        version: "31i-B9".to_owned(),
        digest: None,
        tpm_ok: None,
    });
    let output = bench.rows(&[row(&cnc, minute(73), update)]);
    assert!(!detectors(&output, &cnc).contains(&"firmware_mismatch".to_owned()));
    assert_eq!(counted(&bench), 3);
}

#[test]
fn silence_in_maintenance_is_counted_once_and_not_said() {
    let sensor = device("temperature_sensor");
    let mut bench = maintained(0, 24 * 60);
    bench.rows(&[reading(&sensor, minute(600))]);
    let output = bench.tick(minute(900));
    assert!(!detectors(&output, &sensor).contains(&"silence".to_owned()));
    assert_eq!(bench.engine.counts().in_maintenance, 1);
    // It is over, and still nothing has been heard: missed when it is asked after next.
    let output = bench.tick(minute(48 * 60));
    assert!(detectors(&output, &sensor).contains(&"silence".to_owned()));
    assert_eq!(bench.engine.counts().in_maintenance, 1);
}

#[test]
fn before_and_after_maintenance_everything_is_said() {
    let cnc = device("cnc_controller_fanuc");
    for at in [30, 130] {
        let mut bench = maintained(60, 120);
        bench.rows(&[stray_flow(&cnc, minute(at))]);
        let output = bench.rows(&working(&cnc, minute(at + 1)));
        let found = detectors(&output, &cnc);
        assert!(found.contains(&"off_hours".to_owned()), "{found:?}");
        assert!(found.contains(&"current_draw".to_owned()), "{found:?}");
        assert_eq!(bench.engine.counts().in_maintenance, 0);
    }
}

#[test]
fn whoever_asks_for_a_hostile_name_is_told_before_it_connects() {
    let sensor = device("temperature_sensor");
    let mut bench = Bench::new();
    let plant = Plant::with_indicators(
        PLANT.inventory().clone(),
        &PROFILES,
        listed("c2.example.net"),
        PLANT.mode,
    );
    bench.engine.step(&Input::Control(Arc::new(plant)));
    let ask = |name: &str, at| {
        let answer = Resolution {
            server: [10, 6, 0, 21].into(),
            name: name.to_owned(),
            addresses: vec![[203, 0, 113, 9].into()],
            ttl_s: 60,
        };
        row(&sensor, minute(at), Body::Resolution(answer))
    };
    let output = bench.rows(&[ask("ntp.mfg.local", 600)]);
    assert_eq!(detectors(&output, &sensor), Vec::<String>::new());
    let output = bench.rows(&[ask("beacon.c2.example.net", 601)]);
    assert_eq!(detectors(&output, &sensor), ["known_bad_destination"]);
}
