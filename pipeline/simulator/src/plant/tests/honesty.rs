//! The statistics of a clean plant are those its profiles promise.

use std::collections::BTreeMap;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{Body, Kind, RecordBody};
use andon_schemas::time::Span;

use super::{Options, builtin, bytes_of, flow, plant, small, stands_for, subject};
use crate::shifts::working;
use crate::spread::MAKES_UP_FOR;

const FORTNIGHT: u32 = 14 * 24;

/// Bytes and new connections of every whole working hour of every device.
fn hourly(options: &Options) -> BTreeMap<(DeviceId, i64), (f64, f64)> {
    let (inventory, profiles) = builtin();
    let mut whole: BTreeMap<(String, i64), bool> = BTreeMap::new();
    let mut hours: BTreeMap<(DeviceId, i64), (f64, f64)> = BTreeMap::new();
    for record in plant(&Options {
        only: Some(Kind::Flow),
        ..options.clone()
    }) {
        let flow = flow(&record).unwrap();
        let device = subject(&inventory, &record);
        let start = record.event_time.floor(Span::HOUR);
        let index = start.micros() / Span::HOUR.micros();
        let works = *whole
            .entry((device.device_type.clone(), index))
            .or_insert_with(|| {
                let spans = profiles.get(&device.device_type).unwrap().hours.as_ref();
                (0..60).all(|m| working(&inventory, spans, start + Span::MINUTE.times(m)))
            });
        if works && !flow.interim {
            let entry = hours.entry((device.id.clone(), index)).or_default();
            entry.0 += bytes_of(flow);
            entry.1 += 1.0;
        }
    }
    hours
}

#[test]
fn five_hours_in_a_hundred_lie_outside_the_written_ranges() {
    let (inventory, profiles) = builtin();
    let (mut volume, mut rate) = ((0.0, 0.0), (0.0, 0.0));
    for ((device, _), (bytes, count)) in hourly(&Options {
        devices: Some(80),
        ..small(FORTNIGHT)
    }) {
        let profile = profiles
            .get(&inventory.device(device.as_str()).unwrap().device_type)
            .unwrap();
        // The HMI station's volume is mostly its PLC's, which is counted there; the PLC and the
        // sensor have a rhythm instead of a rate.
        let (Some(written), None) = (&profile.volume, &profile.cadence) else {
            continue;
        };
        if profile.name == "hmi_station" {
            continue;
        }
        assert!(
            bytes <= MAKES_UP_FOR * written.range.hi * 1.01,
            "{device}: {bytes}"
        );
        volume.0 += f64::from(u8::from(
            bytes < written.range.lo || bytes > written.range.hi,
        ));
        volume.1 += 1.0;
        let written = profile.connections.unwrap();
        rate.0 += f64::from(u8::from(count < written.lo || count > written.hi));
        rate.1 += 1.0;
    }
    assert!(volume.1 > 12_000.0);
    let (volume, rate) = (volume.0 / volume.1, rate.0 / rate.1);
    assert!((volume - 0.05).abs() < 0.01, "volume {volume}");
    assert!((rate - 0.05).abs() < 0.01, "rate {rate}");
}

#[test]
fn the_shares_of_the_worked_profile_hold_together() {
    let (inventory, profiles) = builtin();
    let profile = profiles.get("cnc_controller_fanuc").unwrap();
    let mut total = 0.0;
    let mut destinations = vec![0.0; profile.destinations.len()];
    let mut protocols = vec![0.0; profile.protocols.len()];
    for record in plant(&Options {
        devices: Some(120),
        only: Some(Kind::Flow),
        ..small(FORTNIGHT)
    }) {
        if subject(&inventory, &record).device_type != profile.name {
            continue;
        }
        let flow = flow(&record).unwrap();
        total += 1.0;
        for (count, destination) in destinations.iter_mut().zip(&profile.destinations) {
            if stands_for(&destination.target, &inventory, flow.responder.address) {
                *count += 1.0;
            }
        }
        for (count, protocol) in protocols.iter_mut().zip(&profile.protocols) {
            if protocol
                .matches
                .iter()
                .any(|m| m.port == Some(flow.responder.port))
            {
                *count += 1.0;
            }
        }
    }
    assert!(total > 8_000.0);
    let near = |count: f64, share: Option<f64>| (count / total - share.unwrap()).abs() < 0.01;
    for (count, destination) in destinations.iter().zip(&profile.destinations) {
        assert!(
            near(*count, destination.share),
            "{} {}",
            destination.target,
            count / total
        );
    }
    for (count, protocol) in protocols.iter().zip(&profile.protocols) {
        assert!(
            near(*count, protocol.share),
            "{} {}",
            protocol.name,
            count / total
        );
    }
}

#[test]
fn current_and_speed_rise_together_and_stay_below_their_limits() {
    let (inventory, profiles) = builtin();
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for record in plant(&Options {
        only: Some(Kind::Reading),
        ..small(30)
    }) {
        let RecordBody::Single(Body::Reading(reading)) = record.body else {
            panic!("a reading")
        };
        let device = inventory
            .device(record.device.as_ref().unwrap().as_str())
            .unwrap();
        let profile = profiles.get(&device.device_type).unwrap();
        let written = profile.current.unwrap();
        let current = f64::from(reading.current_a.unwrap());
        assert!(written.limit.is_none_or(|limit| current < limit));
        let (Some(rpm), Some(spindle)) = (reading.spindle_rpm.map(f64::from), profile.spindle)
        else {
            continue;
        };
        assert!(rpm < spindle.limit);
        if rpm == 0.0 {
            assert!(current < written.active.lo, "at rest, but {current} A");
        } else if rpm < spindle.limit * 0.35 {
            low.push(current);
        } else if rpm > spindle.limit * 0.6 {
            high.push(current);
        }
    }
    let mean = |values: &[f64]| {
        values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap())
    };
    assert!(low.len() > 100 && high.len() > 100);
    assert!(mean(&high) > 1.5 * mean(&low));
}
