//! Devices watched hour by hour by the whole catalogue, and what came of it.

use std::collections::BTreeMap;

use andon_detectors::baseline::Baseline;
use andon_detectors::catalog::{Brief, CATALOG, Plans, Sink, States};
use andon_detectors::facts::{CloseFacts, DeviceFacts};
use andon_engine::graded;
use andon_schemas::finding::Evidence;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Interval, Span};
use serde_json::Value;

use crate::made::{Attack, Device};

/// Where a grade begins.
const SCORES: [u8; 3] = [25, 50, 75];
/// It may be raised again once its evidence has fallen tenfold: a grade lower.
const AGAIN: u8 = 25;
/// An attack that is not found within so many hours is not found.
const PATIENCE: i32 = 14 * 24;

/// What came of watching.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Days of honest devices.
    pub(crate) device_days: u32,
    /// Raised on honest devices, by grade from LOW on.
    pub(crate) false_alarms: [u32; 3],
    /// The same by detector.
    pub(crate) by_detector: BTreeMap<&'static str, [u32; 3]>,
    /// Hours from the beginning of each attack to the first alarm of each grade.
    delays: Vec<(Attack, [Option<i32>; 3])>,
}

impl Outcome {
    /// The median delay of an attack to a grade, and how many were found.
    pub(crate) fn found(&self, attack: Attack, grade: usize) -> String {
        let of: Vec<Option<i32>> = self
            .delays
            .iter()
            .filter(|(a, _)| *a == attack)
            .map(|(_, delays)| delays[grade])
            .collect();
        let mut hours: Vec<i32> = of.iter().map(|d| d.unwrap_or(i32::MAX)).collect();
        hours.sort_unstable();
        let found = of.iter().flatten().count();
        match hours[hours.len() / 2] {
            i32::MAX => format!("{found} of {} found", of.len()),
            median => format!("{median} h ({found} of {})", of.len()),
        }
    }
}

/// What the catalogue says of one hour: the highest score of each detector.
struct Hour<'a> {
    scores: Vec<u8>,
    /// Grades what has no learned law as the engine does: LOW at most.
    capped: Option<&'a Baseline>,
}

impl Sink for Hour<'_> {
    fn seen(&mut self, index: usize, brief: Brief, _: &dyn Fn() -> (Evidence, Value)) {
        let is_capped = |baseline: &Baseline| !baseline.is_calibrated(CATALOG[index].name);
        let calibrated = !self.capped.is_some_and(is_capped);
        let (grade, score) = graded(brief.floor, brief.score, calibrated, true);
        // Rules are policy; here it is statistics that are looked at.
        if brief.floor.is_none() && grade.is_some() {
            self.scores[index] = self.scores[index].max(score);
        }
    }
    fn over(&mut self, _: usize) {}
}

/// One device under one set of profiles.
#[derive(Clone, Default)]
struct Watched {
    states: States,
    /// Grades of each detector that stand, as bits.
    raised: Vec<u8>,
    first: [Option<i32>; 3],
}

impl Watched {
    /// Takes the scores of an hour; each grade is raised once until it is armed again.
    fn take(&mut self, scores: &Hour<'_>, mut raise: impl FnMut(usize, usize)) {
        self.raised.resize(scores.scores.len(), 0);
        for (index, (score, raised)) in scores.scores.iter().zip(&mut self.raised).enumerate() {
            for (grade, from) in SCORES.iter().enumerate() {
                let bit = 1 << grade;
                if *score >= *from && *raised & bit == 0 {
                    *raised |= bit;
                    raise(index, grade);
                } else if *score <= from - AGAIN {
                    *raised &= !bit;
                }
            }
        }
    }
}

/// The types of a plant, and whether what has no learned law is capped at LOW.
pub(crate) type Types = (bool, Vec<(Baseline, Plans)>);

/// Watches all devices from one hour to another under two sets of profiles at once.
pub(crate) fn watch(
    devices: &mut [Device],
    plants: &[Types; 2],
    from: i32,
    until: i32,
) -> [Outcome; 2] {
    let mut outcomes = [Outcome::default(), Outcome::default()];
    for (number, device) in devices.iter_mut().enumerate() {
        let mut watched = [Watched::default(), Watched::default()];
        let Ok(id) = DeviceId::new(&format!("device-{number}")) else {
            continue;
        };
        for hour in from..until {
            let pane = device.hour(hour);
            let start = EventTime::default() + Span::HOUR.times(i64::from(hour));
            for (((capped, types), watched), outcome) in
                plants.iter().zip(&mut watched).zip(&mut outcomes)
            {
                let (baseline, detectors) = &types[device.kind];
                let facts = CloseFacts {
                    device: DeviceFacts {
                        id: &id,
                        listed: None,
                        segment: None,
                        policy: None,
                        baseline,
                    },
                    pane: &pane,
                    window: Interval {
                        start,
                        end: start + Span::HOUR,
                    },
                    active_share: 1.0,
                    partial: false,
                };
                let mut scores = Hour {
                    scores: vec![0; CATALOG.len()],
                    capped: capped.then_some(baseline),
                };
                detectors.on_close(&mut watched.states, &facts, &mut scores);
                note(device, hour, watched, &scores, outcome);
            }
        }
        for (watched, outcome) in watched.into_iter().zip(&mut outcomes) {
            match device.attack {
                Some((attack, _)) => outcome.delays.push((attack, watched.first)),
                None => outcome.device_days += u32::try_from((until - from) / 24).unwrap_or(0),
            }
        }
    }
    outcomes
}

fn note(
    device: &Device,
    hour: i32,
    watched: &mut Watched,
    scores: &Hour<'_>,
    outcome: &mut Outcome,
) {
    let mut first = watched.first;
    watched.take(scores, |index, grade| match device.attack {
        None => {
            outcome.false_alarms[grade] += 1;
            outcome.by_detector.entry(CATALOG[index].name).or_default()[grade] += 1;
        }
        Some((_, begins)) if (begins..begins + PATIENCE).contains(&hour) => {
            // The hour in which it began counts as one.
            first[grade] = first[grade].or(Some(hour - begins + 1));
        }
        Some(_) => {}
    });
    watched.first = first;
}
