//! Attacks tried out on real traffic: what a configuration costs in detection.
//!
//! Devices that serve no other purpose at that time are made to move more, upload more or connect
//! more often than they did, from some moment of the tuned time on. Only the rows of these devices
//! change, as they see them themselves: the other end of their flows is not in on it, and its
//! verdicts stay what they were.

use std::collections::BTreeMap;

use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{Body, Flow, Observation};
use andon_schemas::profile::Profile;
use andon_schemas::time::{EventTime, Span};
use compact_str::format_compact;
use serde::Serialize;

use super::split::{Part, Split, scattered};

/// An attack has this long to be found.
pub const DUE: Span = Span::from_secs(72 * 3600);

/// What is done to a device's traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// Every flow moves so many times its bytes, both ways.
    Volume(f64),
    /// Every flow sends in addition this share of its bytes.
    Upload(f64),
    /// It connects so many times as often.
    Connections(f64),
}

/// The attacks by name, mildest first within each kind.
const ATTACKS: [(&str, Change); 9] = [
    ("volume x1.2", Change::Volume(1.2)),
    ("volume x1.5", Change::Volume(1.5)),
    ("volume x2", Change::Volume(2.0)),
    ("volume x3", Change::Volume(3.0)),
    ("volume x5", Change::Volume(5.0)),
    ("upload +8 %", Change::Upload(0.08)),
    ("upload +30 %", Change::Upload(0.30)),
    ("connections x1.5", Change::Connections(1.5)),
    ("connections x2", Change::Connections(2.0)),
];

/// An attack on one device.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Attack {
    index: usize,
    from: EventTime,
    /// Flows seen of it since then.
    flows: u64,
}

/// Attacks on devices.
#[derive(Clone, Debug, Default)]
pub struct Drill {
    attacks: BTreeMap<DeviceId, Attack>,
    until: Option<EventTime>,
}

/// How one attack fared under one configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Its name.
    pub attack: &'static str,
    /// Devices it was tried out on.
    pub devices: u64,
    /// Those with an episode that reached MEDIUM within 72 hours.
    pub found_medium: u64,
    /// Those with one that reached any grade.
    pub found_any: u64,
    /// From the beginning to MEDIUM, hours, the median of those found; null if none was.
    pub median_delay_h: Option<f64>,
}

impl Drill {
    /// Attacks on the devices that calibrated, in the time that is tuned on; `profile` tells what a
    /// device is measured against. Who has no volume and no connections to compare is left alone.
    pub fn of<'a>(split: &Split, profile: impl Fn(&str) -> Option<&'a Profile>) -> Self {
        let span = split.span(Part::Tune);
        let measured = |device_type: &str| {
            profile(device_type).is_some_and(|p| p.volume.is_some() || p.connections.is_some())
        };
        let devices = split
            .devices(Part::Calibrate)
            .filter(|(_, member, _)| measured(&member.device_type));
        let attack = |(at, device): (usize, &DeviceId)| {
            // Not all at once, and not at the same hour of the day.
            let hour = i64::from(scattered(device.as_str()).to_le_bytes()[0] % 24);
            let attack = Attack {
                index: at % ATTACKS.len(),
                from: span.start + Span::HOUR.times(hour),
                flows: 0,
            };
            (device.clone(), attack)
        };
        Self {
            attacks: devices
                .map(|(device, _, _)| device)
                .enumerate()
                .map(attack)
                .collect(),
            until: Some(span.end),
        }
    }

    /// Changes the rows of a record.
    pub fn alter(&mut self, rows: &mut Vec<Observation>) {
        let Some(until) = self.until else { return };
        let mut more = Vec::new();
        for row in rows.iter_mut() {
            let Some(attack) = self.attacks.get_mut(&row.header.device) else {
                continue;
            };
            let at = row.header.event_time;
            let Body::Flow(flow) = &mut row.body else {
                continue;
            };
            if at < attack.from || at > until {
                continue;
            }
            attack.flows += 1;
            match ATTACKS[attack.index].1 {
                Change::Volume(times) => {
                    flow.up = flow.up.map(|bytes| times_of(bytes, times));
                    flow.down = flow.down.map(|bytes| times_of(bytes, times));
                }
                Change::Upload(share) => {
                    let all = flow.up.unwrap_or(0).saturating_add(flow.down.unwrap_or(0));
                    flow.up = flow
                        .up
                        .map(|bytes| bytes.saturating_add(times_of(all, share)));
                }
                Change::Connections(times) => {
                    for copy in 0..copies(attack.flows, times) {
                        more.push(once_more(row, copy));
                    }
                }
            }
        }
        rows.append(&mut more);
    }

    /// How the attacks fared, from the first time that each device was accused of MEDIUM and of
    /// anything after its attack began.
    pub fn found(&self, first: impl Fn(&DeviceId, EventTime) -> FirstAccused) -> Vec<Found> {
        let mut found = Vec::new();
        for (index, (name, _)) in ATTACKS.iter().enumerate() {
            let struck = self
                .attacks
                .iter()
                .filter(|(_, attack)| attack.index == index);
            let firsts: Vec<(FirstAccused, EventTime)> = struck
                .map(|(device, attack)| (first(device, attack.from), attack.from))
                .collect();
            if firsts.is_empty() {
                continue;
            }
            let delay = |at: Option<EventTime>, from: EventTime| {
                let delay = at?.since(from);
                (delay <= DUE).then(|| delay.as_secs_f64() / 3600.0)
            };
            let any = firsts
                .iter()
                .filter(|(f, from)| delay(f.any, *from).is_some());
            let mut delays: Vec<f64> = firsts
                .iter()
                .filter_map(|(f, from)| delay(f.medium, *from))
                .collect();
            delays.sort_by(f64::total_cmp);
            found.push(Found {
                attack: name,
                devices: firsts.len() as u64,
                found_medium: delays.len() as u64,
                found_any: any.count() as u64,
                median_delay_h: delays.get(delays.len() / 2).copied(),
            });
        }
        found
    }
}

/// When a device was first accused after a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstAccused {
    /// Of anything.
    pub any: Option<EventTime>,
    /// Of MEDIUM or worse.
    pub medium: Option<EventTime>,
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes of one flow, rounded"
)]
fn times_of(bytes: u64, times: f64) -> u64 {
    (bytes as f64 * times).round() as u64
}

/// How often flow number `flow` (from 1) comes once more, so that there are `times` as many.
#[expect(clippy::cast_precision_loss, reason = "flows of one device")]
fn copies(flow: u64, times: f64) -> u64 {
    times_of(1, (flow as f64 * (times - 1.0)).floor())
        - times_of(1, ((flow - 1) as f64 * (times - 1.0)).floor())
}

/// The same flow under another name.
fn once_more(row: &Observation, copy: u64) -> Observation {
    let mut again = row.clone();
    again.header.seq = None;
    if let Body::Flow(Flow { uid, .. }) = &mut again.body {
        *uid = uid.as_ref().map(|uid| format_compact!("{uid}+{copy}"));
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_as_many_flows_more_is_every_second_one_twice() {
        let twice: Vec<u64> = (1..=6).map(|flow| copies(flow, 1.5)).collect();
        assert_eq!(twice, [0, 1, 0, 1, 0, 1]);
        assert_eq!((1..=4).map(|flow| copies(flow, 2.0)).sum::<u64>(), 4);
    }
}
