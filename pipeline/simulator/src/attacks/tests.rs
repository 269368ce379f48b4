//! Every attack leaves its label and its rows; the worked anomaly, figure by figure.

use std::collections::BTreeSet;

use andon_schemas::observation::{Body, ConnState, FlowRecord, Kind, Record, RecordBody};
use andon_schemas::time::{EventTime, Span};

use super::ATTACKS;
use crate::plant::tests::{builtin, bytes_of};
use crate::{Label, Options, Plant};

const DEVICES: usize = 24;

fn attacked(attack: &str, hours: u32, only: Option<Kind>) -> (Vec<Label>, Vec<Record>) {
    let (inventory, profiles) = builtin();
    let options = Options {
        seed: 5,
        hours,
        devices: Some(DEVICES),
        attacks: vec![attack.to_owned()],
        only,
        ..Options::default()
    };
    let plant = Plant::new(&inventory, &profiles, &options).unwrap();
    (plant.labels().to_vec(), plant.collect())
}

#[test]
fn the_night_exfiltration_is_the_worked_anomaly_figure_by_figure() {
    let (labels, records) = attacked("plc-night-exfil", 56, Some(Kind::Flow));
    let label = &labels[0];
    assert_eq!(label.device.as_str(), "plc-assembly-line-3");
    // Sunday 02:30 in the plant.
    assert_eq!(
        label.start,
        EventTime::parse("2025-12-14T02:30:00+01:00").unwrap()
    );
    assert_eq!(label.expected_grade.as_str(), "CRITICAL");
    assert_eq!(label.detectors.len(), 4);
    let peer = label.peer.unwrap();
    let rows: Vec<_> = records
        .iter()
        .filter_map(|r| match &r.body {
            RecordBody::Flow(flow) if flow.responder.address == peer => Some((r, flow)),
            _ => None,
        })
        .collect();
    assert_eq!(rows.len(), 40);
    let uids: BTreeSet<_> = rows.iter().map(|(_, flow)| flow.uid.clone()).collect();
    assert_eq!(uids.len(), 1);
    for (at, (record, flow)) in rows.iter().enumerate() {
        assert_eq!(
            record.event_time.since(label.start),
            Span::from_secs(10 * (i64::try_from(at).unwrap() + 1))
        );
        assert_eq!((flow.responder.port, flow.state), (22, ConnState::Answered));
        assert_eq!(flow.service.as_deref(), Some("ssh"));
        assert_eq!(flow.interim, at + 1 < rows.len());
        assert!(record.device.is_none() && record.received_at.is_none());
    }
    let baseline = 1_440_000;
    // The first row already proves all four findings; the last holds the exact figure.
    assert!(rows[0].1.originator_bytes.unwrap() > 3 * baseline);
    let both = |row: &FlowRecord| {
        row.originator_bytes
            .zip(row.responder_bytes)
            .map(|(a, b)| a + b)
    };
    assert_eq!(both(rows[39].1), Some(500_000_000));
    assert_eq!(500_000_000 / 2_000, 250_000);
    assert_eq!(500_000_000 / baseline, 347);
}

#[test]
fn every_attack_has_a_label_and_changes_what_is_recorded() {
    // The ladder is many attacks at once, and has tests of its own.
    for kind in ATTACKS.iter().filter(|kind| kind.name != "volume-ladder") {
        let hours = match kind.name {
            "plc-night-exfil" => 51,
            "low-and-slow-exfil" => 32,
            _ => 8,
        };
        let (labels, records) = attacked(kind.name, hours, None);
        assert_eq!(labels.len(), 1, "{}", kind.name);
        let label = &labels[0];
        assert_eq!(
            (label.attack.as_str(), label.expected_grade),
            (kind.name, kind.expected)
        );
        assert!(label.start < label.end && !label.detectors.is_empty());
        let (inventory, profiles) = builtin();
        let clean = Options {
            seed: 5,
            hours,
            devices: Some(DEVICES),
            ..Options::default()
        };
        let mut clean = Plant::new(&inventory, &profiles, &clean).unwrap();
        let mut first = None;
        for record in records {
            if clean.next().as_ref() != Some(&record) {
                first = Some(record);
                break;
            }
        }
        // The first record that differs is the attack's: nothing before it was touched.
        let first = first.map_or(label.end, |record| record.event_time);
        assert!(
            first >= label.start && first < label.end,
            "{}: {first}",
            kind.name
        );
    }
}

#[test]
fn a_capture_too_short_for_an_attack_says_how_long_it_must_be() {
    let (inventory, profiles) = builtin();
    let options = |hours| Options {
        hours,
        attacks: vec!["plc-night-exfil".to_owned(), "no-such".to_owned()],
        ..Options::default()
    };
    let error = Plant::new(&inventory, &profiles, &options(24)).unwrap_err();
    assert!(error.contains("needs at least 51 hours"), "{error}");
    assert!(error.contains("attack `no-such` is none of"), "{error}");
    let enough = Options {
        attacks: vec!["plc-night-exfil".to_owned()],
        ..options(51)
    };
    assert!(Plant::new(&inventory, &profiles, &enough).is_ok());
}

#[test]
fn all_attacks_of_the_demo_fit_into_five_hours_from_sunday_night() {
    let (inventory, profiles) = builtin();
    let options = Options {
        hours: 5,
        start: Some(EventTime::parse("2025-12-14T02:20:00+01:00").unwrap()),
        attacks: ATTACKS
            .iter()
            .filter(|a| !a.later)
            .map(|a| a.name.to_owned())
            .collect(),
        ..Options::default()
    };
    let plant = Plant::new(&inventory, &profiles, &options).unwrap();
    assert_eq!(plant.labels().len(), options.attacks.len());
    assert!(plant.labels().iter().all(|label| !label.later));
}

#[test]
fn a_silent_sensor_leaves_not_one_record() {
    let (labels, records) = attacked("silent-sensor", 3, None);
    let (inventory, _) = builtin();
    let sensor = inventory.device(labels[0].device.as_str()).unwrap();
    let inside = |t: EventTime| t >= labels[0].start && t < labels[0].end;
    let of_it = |r: &Record| match &r.body {
        RecordBody::Flow(flow) => flow.originator.address == sensor.addresses[0],
        RecordBody::Single(_) => r.device.as_ref() == Some(&sensor.id),
    };
    assert!(records.iter().any(|r| of_it(r) && !inside(r.event_time)));
    assert!(!records.iter().any(|r| of_it(r) && inside(r.event_time)));
}

#[test]
fn the_spoofer_does_not_serve_whom_it_names() {
    let (labels, records) = attacked("spoofed-device", 9, Some(Kind::Reading));
    let (inventory, _) = builtin();
    let wrong: Vec<&Record> = records
        .iter()
        .filter(|r| {
            let (device, sender) = (r.device.as_ref().unwrap(), r.sender.as_ref().unwrap());
            !inventory.may_speak_for(sender.name.as_str(), device.as_str())
        })
        .collect();
    assert_eq!(wrong.len(), 6);
    assert!(
        wrong
            .iter()
            .all(|r| r.sender.as_ref().unwrap().name == labels[0].device)
    );
}

#[test]
fn the_volume_is_three_and_a_half_times_the_upper_end_within_one_hour() {
    let (labels, records) = attacked("volume-3x", 9, Some(Kind::Flow));
    let (inventory, profiles) = builtin();
    let device = inventory.device(labels[0].device.as_str()).unwrap();
    let volume = profiles.get(&device.device_type).unwrap().volume.unwrap();
    let hour = labels[0].start.floor(Span::HOUR);
    let bytes: f64 = records
        .iter()
        .filter(|r| r.event_time.floor(Span::HOUR) == hour)
        .filter_map(|r| match &r.body {
            RecordBody::Flow(f) if f.originator.address == device.addresses[0] => Some(bytes_of(f)),
            _ => None,
        })
        .sum();
    assert!(bytes > 3.5 * volume.range.hi);
    assert!(bytes > volume.rule_bytes);
}

#[test]
fn a_swapped_image_keeps_its_version_and_is_reported_to_the_end() {
    let (labels, records) = attacked("firmware-swap", 33, Some(Kind::Attestation));
    let (inventory, profiles) = builtin();
    let device = inventory.device(labels[0].device.as_str()).unwrap();
    let known = &profiles.get(&device.device_type).unwrap().firmware;
    let mut wrong = 0;
    for record in records
        .iter()
        .filter(|r| r.device.as_ref() == Some(&device.id))
    {
        let RecordBody::Single(Body::Attestation(report)) = &record.body else {
            panic!("a report")
        };
        let digest = report.digest.as_ref().unwrap();
        let good = known
            .iter()
            .any(|f| f.version == report.version && f.digests.contains(digest));
        assert_eq!(good, record.event_time < labels[0].start);
        assert!(known.iter().any(|f| f.version == report.version));
        wrong += usize::from(!good);
    }
    assert!(wrong >= 3, "{wrong} reports");
}
