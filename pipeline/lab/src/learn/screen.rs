//! What is left out of a learned profile because it does not look like the rest: devices unlike
//! their type, hours unlike their device, and peers that hardly anybody knows. Left out is never
//! lost: it is listed, for a person to decide.

use std::collections::{BTreeMap, BTreeSet};

use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};
use serde::Serialize;

use super::sample::{quantile, robust_deviation};
use super::tally::{Hour, Seen, Tally};

/// An hour is left out from so many robust deviations on.
const HOUR_OUT: f64 = 6.0;
/// And a device.
const DEVICE_OUT: f64 = 5.0;
/// Deviations are not taken for smaller than this, on the scale of logarithms: a device that always
/// moves the same would be unlike itself for a byte more.
const DEVIATION_MIN: f64 = 0.1;
/// A peer is rare if fewer than this share of the connections go there …
const RARE_SHARE: f64 = 1e-3;
/// … and at most one in so many devices knows it.
const RARE_DEVICES: usize = 10;
/// What was seen in one hour only is not usual if there were so many.
const ONCE_OUT_OF: usize = 5;
/// Most hours listed one by one.
const LISTED_MAX: usize = 100;

/// Something that was left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// The device, where it is about one.
    pub device: Option<DeviceId>,
    /// When, where it is about an hour.
    pub at: Option<EventTime>,
    /// Why, in words.
    pub why: String,
}

/// What remains of the hours, and what was left out of them.
pub(super) fn hours(tally: &Tally) -> (Vec<Hour>, Vec<LeftOut>) {
    let mut by_device: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
    for hour in tally.hours.iter().filter(|hour| hour.bytes > 0.0) {
        by_device
            .entry(hour.device)
            .or_default()
            .push(hour.bytes.ln());
    }
    for logs in by_device.values_mut() {
        logs.sort_by(f32::total_cmp);
    }
    let mut out = Vec::new();
    let strangers = strangers(tally, &by_device, &mut out);
    let usual: BTreeMap<u32, (f64, f64)> = by_device
        .iter()
        .map(|(device, logs)| {
            let deviation = robust_deviation(logs).max(DEVIATION_MIN);
            (*device, (quantile(logs, 0.5), deviation))
        })
        .collect();
    let mut kept = Vec::new();
    let mut left = 0_usize;
    for hour in &tally.hours {
        if strangers.contains(&hour.device) {
            continue;
        }
        let unlike = usual.get(&hour.device).map_or(0.0, |(middle, deviation)| {
            (f64::from(hour.bytes.max(1.0).ln()) - middle) / deviation
        });
        // Much less than usual is an hour off, and belongs to the picture.
        if unlike <= HOUR_OUT {
            kept.push(*hour);
            continue;
        }
        left += 1;
        if left <= LISTED_MAX {
            let at = EventTime::from_micros(Span::HOUR.times(i64::from(hour.number)).micros());
            out.push(LeftOut {
                device: tally.devices.get(hour.device as usize).cloned(),
                at: Some(at),
                why: format!(
                    "it moved {} in this hour, {unlike:.0} robust deviations more than it usually \
                     does",
                    andon_detectors::words::bytes_text(f64::from(hour.bytes))
                ),
            });
        }
    }
    if left > LISTED_MAX {
        out.push(LeftOut {
            device: None,
            at: None,
            why: format!("{} more hours like these", left - LISTED_MAX),
        });
    }
    (kept, out)
}

/// Devices whose usual hour is unlike that of the other devices of their type.
fn strangers(
    tally: &Tally,
    by_device: &BTreeMap<u32, Vec<f32>>,
    out: &mut Vec<LeftOut>,
) -> BTreeSet<u32> {
    let mut strangers = BTreeSet::new();
    for (device, logs) in by_device {
        // Each is held against the others, itself left out.
        #[expect(clippy::cast_possible_truncation, reason = "medians of such numbers")]
        let mut others: Vec<f32> = by_device
            .iter()
            .filter(|(other, _)| *other != device)
            .map(|(_, logs)| quantile(logs, 0.5) as f32)
            .collect();
        if others.len() < 4 {
            break;
        }
        others.sort_by(f32::total_cmp);
        let deviation = robust_deviation(&others).max(DEVIATION_MIN);
        let times = (quantile(logs, 0.5) - quantile(&others, 0.5)).exp();
        if (times.ln() / deviation).abs() > DEVICE_OUT {
            strangers.insert(*device);
            out.push(LeftOut {
                device: tally.devices.get(*device as usize).cloned(),
                at: None,
                why: format!(
                    "its usual hour moves {} times what those of its type do: is it one of them?",
                    andon_detectors::words::multiple_text(times)
                ),
            });
        }
    }
    strangers
}

/// Divides peers (or protocols) into those that belong to the type and those that hardly anybody
/// knows: rare ones, and whatever was seen in a single hour of a single device.
pub(super) fn known<K: Ord + Clone>(
    kinds: &BTreeMap<K, Seen>,
    tally: &Tally,
    word: impl Fn(&K) -> String,
) -> (Vec<(K, Seen)>, Vec<LeftOut>) {
    let devices = tally.devices.len();
    let all: u64 = kinds.values().map(|seen| seen.count).sum();
    let (mut known, mut out) = (Vec::new(), Vec::new());
    for (kind, seen) in kinds {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = seen.count as f64 / all.max(1) as f64;
        let is_rare = share < RARE_SHARE && seen.devices.len() * RARE_DEVICES <= devices;
        if is_rare || (seen.hours <= 1 && tally.hours.len() >= ONCE_OUT_OF) {
            out.push(LeftOut {
                device: None,
                at: None,
                why: format!(
                    "{}: {} of {all} connections, by {} of {devices} devices, in {} of {} \
                     device-hours",
                    word(kind),
                    seen.count,
                    seen.devices.len(),
                    seen.hours,
                    tally.hours.len()
                ),
            });
        } else {
            known.push((kind.clone(), seen.clone()));
        }
    }
    known.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0)));
    (known, out)
}
