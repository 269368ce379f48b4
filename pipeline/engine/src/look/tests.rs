//! What is said of a device that nobody wrote a profile for.

use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function};
use andon_schemas::observation::{Body, ConnState, Observation, Sender};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Verdict;

use crate::output::{Item, Output};
use crate::scenes::{Bench, PLANT, minute, stray_flow};

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
    let verdicts = output.items.iter().filter_map(|(_, item)| match item {
        Item::Verdict(verdict) if verdict.device_id == *device => Some(verdict),
        _ => None,
    });
    verdicts.last()
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
