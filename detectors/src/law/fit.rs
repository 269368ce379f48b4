//! The first half of the traffic to a model: middle, season, levels, spread and memory.

use std::collections::BTreeMap;

use andon_schemas::profile::{HOURS_OF_WEEK, LearnedNull, LearnedSteps};
use andon_schemas::time::PlantClock;

use super::{CleanHour, hour_of_week, season};

/// Weeks that the mean of all working days, or of all days off, counts for against one hour of the
/// week.
const CLASS_WEEKS: f64 = 3.0;
/// Levels are never taken for less spread than this: a device that joins may differ.
const LEVELS_MIN: f64 = 0.02;

/// A sum and how much is in it.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(self) -> f64 {
        self.sum / self.count.max(1.0)
    }
}

/// The model of the hours before `until`, sorted by device and hour, without its tables; `None` if
/// they do not vary. Figures are rounded to what a profile shows before anything is computed with
/// them.
pub(super) fn fit(hours: &[CleanHour], until: i32, clock: &PlantClock) -> Option<LearnedNull> {
    let early: Vec<(CleanHour, f64)> = hours
        .iter()
        .filter(|hour| hour.hour < until)
        .map(|hour| (*hour, hour.value.ln()))
        .collect();
    let mut levels = means(&early, &[], clock);
    let seasons = seasons(&early, &levels, clock);
    levels = means(&early, &seasons, clock);
    let remainder = |(hour, ln): &(CleanHour, f64)| {
        let level = levels.get(&hour.device).copied().unwrap_or_default();
        ln - season(&seasons, hour.hour, clock) - level.value()
    };
    let (mut squares, mut products, mut before) =
        (Mean::default(), Mean::default(), Mean::default());
    for entry in &early {
        squares.add(remainder(entry).powi(2));
    }
    for pair in early.windows(2) {
        let follows = pair[0].0.device == pair[1].0.device && pair[0].0.hour + 1 == pair[1].0.hour;
        if follows {
            products.add(remainder(&pair[0]) * remainder(&pair[1]));
            before.add(remainder(&pair[0]).powi(2));
        }
    }
    let devices = f64::from(u32::try_from(levels.len()).unwrap_or(u32::MAX));
    let each = squares.count / devices.max(1.0);
    // The mean of each device is taken out of its own hours, which hides some of both.
    let raw = products.value() / before.value().max(1e-12);
    let memory = (raw + (1.0 + 3.0 * raw) / each.max(1.0)).clamp(0.0, 0.95);
    let stretch = (1.0 + memory) / (1.0 - memory);
    let hidden = (1.0 - stretch / each.max(1.0)).max(0.5);
    let variance = squares.value() / hidden;
    if variance.is_nan() || variance <= 1e-8 {
        return None;
    }
    let centre = levels.values().fold(Mean::default(), |mut all, level| {
        all.add(level.value());
        all
    });
    let spread = levels
        .values()
        .map(|l| (l.value() - centre.value()).powi(2));
    let spread = spread.sum::<f64>() / (devices - 1.0).max(1.0) - variance / each * stretch;
    Some(LearnedNull {
        middle: significant(centre.value().exp()),
        memory: thousandths(memory),
        levels: thousandths(spread.max(0.0).sqrt().max(LEVELS_MIN)),
        within: thousandths(variance.sqrt()).max(0.001),
        season: seasons,
        up: nothing(),
        down: nothing(),
        spike: None,
    })
}

/// The mean of each device, after the season.
fn means(early: &[(CleanHour, f64)], seasons: &[f64], clock: &PlantClock) -> BTreeMap<u32, Mean> {
    let mut means: BTreeMap<u32, Mean> = BTreeMap::new();
    for (hour, ln) in early {
        let mean = means.entry(hour.device).or_default();
        mean.add(ln - season(seasons, hour.hour, clock));
    }
    means
}

/// How hours of the week differ: each its own mean, drawn towards that of the same hour on all
/// working days or all days off. What was never seen has that mean, or none.
fn seasons(
    early: &[(CleanHour, f64)],
    levels: &BTreeMap<u32, Mean>,
    clock: &PlantClock,
) -> Vec<f64> {
    let mut own = [Mean::default(); HOURS_OF_WEEK];
    let mut class = [Mean::default(); 48];
    let (mut first, mut last) = (i32::MAX, i32::MIN);
    for (hour, ln) in early {
        let level = levels.get(&hour.device).copied().unwrap_or_default();
        let at = hour_of_week(hour.hour, clock);
        own[at].add(ln - level.value());
        class[class_of(at)].add(ln - level.value());
        (first, last) = (first.min(hour.hour), last.max(hour.hour));
    }
    let weeks = f64::from((last.saturating_sub(first)).max(0)) / 168.0;
    let hours = own.iter().enumerate().map(|(at, mean)| {
        let class = class[class_of(at)];
        let weight = if mean.count > 0.0 { weeks } else { 0.0 };
        let drawn = weight * mean.value() + CLASS_WEEKS * class.value();
        thousandths(drawn / (weight + CLASS_WEEKS))
    });
    hours.collect()
}

fn class_of(hour_of_week: usize) -> usize {
    hour_of_week % 24 + if hour_of_week < 5 * 24 { 0 } else { 24 }
}

fn nothing() -> LearnedSteps {
    LearnedSteps {
        windows: 0,
        error: 0.0,
        steps: Vec::new(),
    }
}

fn thousandths(x: f64) -> f64 {
    // Adding 0 turns a negative zero into zero.
    (x * 1_000.0).round() / 1_000.0 + 0.0
}

/// Four digits.
pub(super) fn significant(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}
