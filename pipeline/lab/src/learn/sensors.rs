//! How current and spindle speed go together, and how long a sensor honestly shows the same value.

use std::collections::BTreeMap;

use andon_schemas::observation::Reading;
use andon_schemas::profile::{COVERAGE_DEFAULT, Current, Frozen, Load, Range, Spindle};
use andon_schemas::time::{EventTime, Span};

use super::figures::outward;
use super::sample::quantile;
use super::write::Draft;

/// Most pairs of speed and current that are kept.
const PAIRS_MAX: usize = 400_000;
/// Fewest samples at some speeds of which a current is written.
const SAMPLES_MIN: usize = 200;
/// Below this share of its limit a spindle stands.
const STANDING: f64 = 0.01;
/// Into so many classes of equal width the speeds of a turning spindle are divided.
const CLASSES: u32 = 4;
/// A mean of a quarter of an hour is one of so many samples.
const MEAN_SAMPLES: usize = 10;
/// Fewest quarters of an hour that a range of means is written from.
const QUARTERS_MIN: usize = 4;
/// The normal score of an end of a range with the usual coverage.
const END_SCORE: f64 = 1.96;
/// Values of one bin lie within this factor, as a logarithm.
const BIN: f64 = 0.05;
const BINS_MAX: usize = 1_024;

/// A speed and the current in the same reading.
#[derive(Clone, Copy, Debug)]
struct Pair {
    device: u32,
    quarter: i32,
    rpm: f32,
    amperes: f32,
}

/// What was counted of the sensors of a device type.
#[derive(Debug, Default)]
pub(super) struct Sensors {
    pairs: Vec<Pair>,
    /// Quarters of an hour are kept whole, one in two to the power of this.
    thinned: u32,
    current: Repeats,
    speed: Repeats,
}

/// The longest time that values of about the same size were shown without a change.
#[derive(Debug, Default)]
struct Repeats {
    held: BTreeMap<u32, Held>,
    longest: BTreeMap<i32, Seen>,
}

#[derive(Debug)]
struct Held {
    bits: u32,
    since: EventTime,
    last: EventTime,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    samples: u64,
    longest: Span,
}

impl Sensors {
    pub(super) fn take(&mut self, device: u32, at: EventTime, reading: &Reading) {
        let said = |value: Option<f32>| value.filter(|v| v.is_finite()).map(f32::abs);
        let (current, speed) = (said(reading.current_a), said(reading.spindle_rpm));
        if let Some(value) = current {
            self.current.take(device, at, value);
        }
        if let Some(value) = speed {
            self.speed.take(device, at, value);
        }
        let (Some(amperes), Some(rpm)) = (current, speed) else {
            return;
        };
        let quarter = at.micros().div_euclid(Span::MINUTE.times(15).micros());
        let pair = Pair {
            device,
            quarter: i32::try_from(quarter).unwrap_or(0),
            rpm,
            amperes,
        };
        if !is_kept(&pair, self.thinned) {
            return;
        }
        self.pairs.push(pair);
        if self.pairs.len() >= PAIRS_MAX && self.thinned < 32 {
            self.thinned += 1;
            let thinned = self.thinned;
            self.pairs.retain(|pair| is_kept(pair, thinned));
        }
    }
}

/// An even part of all quarters of all devices, the same in every run.
fn is_kept(pair: &Pair, thinned: u32) -> bool {
    let place = u64::from(pair.device) << 32 | u64::from(pair.quarter.cast_unsigned());
    let mixed = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 32 & ((1 << thinned) - 1) == 0
}

impl Repeats {
    fn take(&mut self, device: u32, at: EventTime, value: f32) {
        let held = self.held.entry(device).or_insert(Held {
            bits: value.to_bits(),
            since: at,
            last: at,
        });
        let bits = value.to_bits();
        if held.bits != bits || at.since(held.last) > Frozen::APART {
            (held.bits, held.since) = (bits, at);
        }
        held.last = at;
        let lasted = at.since(held.since);
        let bin = bin(f64::from(value));
        if self.longest.len() < BINS_MAX || self.longest.contains_key(&bin) {
            let seen = self.longest.entry(bin).or_default();
            seen.samples += 1;
            seen.longest = seen.longest.max(lasted);
        }
    }

    /// What was seen of values in `[from, to)`.
    fn between(&self, from: f64, to: f64) -> Seen {
        let inside = self.longest.range(bin(from)..=bin(to));
        inside.fold(Seen::default(), |all, (_, seen)| Seen {
            samples: all.samples + seen.samples,
            longest: all.longest.max(seen.longest),
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a few thousand: a logarithm of a finite number"
)]
fn bin(value: f64) -> i32 {
    (value.max(1e-6).ln() / BIN).floor().min(1e6) as i32
}

impl Draft<'_> {
    /// The current at rest, and in each class of speeds that it does not only pass through.
    pub(super) fn load(&mut self, spindle: Option<&Spindle>) -> Vec<Load> {
        let Some(spindle) = spindle else {
            return Vec::new();
        };
        let pairs = &self.tally.sensors.pairs;
        let top = spindle.range.hi;
        let rest = (STANDING * top).ceil();
        let mut classes = vec![(0.0, rest)];
        for class in 0..CLASSES {
            let end = |class: u32| (top * f64::from(class) / f64::from(CLASSES)).round();
            classes.push((end(class).max(rest + 1.0), end(class + 1)));
        }
        let mut settled = settled(pairs, &classes).into_iter();
        let mut quarters = 0;
        let loads: Vec<Load> = classes
            .into_iter()
            .filter_map(|(from_rpm, to_rpm)| {
                let those = settled.next()?;
                let current = band(&those)?;
                let mean = (from_rpm > 0.0).then(|| means(&those)).flatten();
                quarters = quarters.max(mean.map_or(0, |(_, count)| count));
                Some(Load {
                    from_rpm,
                    to_rpm,
                    current,
                    mean: mean.map(|(range, _)| range),
                })
            })
            .collect();
        if loads.len() < 2 {
            return Vec::new();
        }
        let samples = pairs.len();
        self.say(
            "load",
            format!(
                "{samples} samples; speeds that it only passed through are left out. Means of up to \
                 {quarters} quarters of an hour, their range widened by what so few may hide."
            ),
        );
        loads
    }

    /// Twice the longest time that a value was shown, by what the value says.
    pub(super) fn frozen(
        &mut self,
        current: Option<&Current>,
        spindle: Option<&Spindle>,
    ) -> Option<Frozen> {
        let (amperes, speeds) = (&self.tally.sensors.current, &self.tally.sensors.speed);
        let mut longest = Vec::new();
        let mut limit = |name: &str, seen: Seen| {
            let enough = seen.samples >= SAMPLES_MIN as u64;
            enough.then(|| {
                let seconds = seen.longest.as_secs_f64();
                longest.push(format!("{name} {seconds:.0} s"));
                let minutes = (2.0 * seconds / 60.0).ceil().clamp(1.0, 1e6);
                #[expect(clippy::cast_possible_truncation, reason = "held just before")]
                Span::MINUTE.times(minutes as i64)
            })
        };
        let ends = current.map(|current| (current.idle.lo / 4.0, current.active.lo));
        let frozen = Frozen {
            idle: ends.and_then(|(off, work)| limit("idle", amperes.between(off.max(1e-5), work))),
            active: ends.and_then(|(_, work)| limit("active", amperes.between(work, 1e9))),
            turning: spindle.and_then(|spindle| {
                let rest = STANDING * spindle.limit;
                limit("turning", speeds.between(rest, 1e9))
            }),
        };
        if longest.is_empty() {
            return None;
        }
        let seen = longest.join(", ");
        self.say(
            "frozen",
            format!("Twice the longest that a value was shown without a change: {seen}."),
        );
        Some(frozen)
    }
}

/// The pairs in each class of speeds, those left out that came right after another class: a machine
/// that has just started or stopped draws what it drew before.
fn settled(pairs: &[Pair], classes: &[(f64, f64)]) -> Vec<Vec<Pair>> {
    let mut those = vec![Vec::new(); classes.len()];
    let mut before = BTreeMap::new();
    for pair in pairs {
        let rpm = f64::from(pair.rpm);
        let class = classes
            .iter()
            .position(|(from, to)| (*from..=*to).contains(&rpm));
        let same = before.insert(pair.device, class) == Some(class);
        if let Some(class) = class.filter(|_| same) {
            those[class].push(*pair);
        }
    }
    those
}

/// The range of currents, if there are enough of them.
fn band(pairs: &[Pair]) -> Option<Range> {
    if pairs.len() < SAMPLES_MIN {
        return None;
    }
    let mut sorted: Vec<f32> = pairs.iter().map(|pair| pair.amperes).collect();
    sorted.sort_by(f32::total_cmp);
    let (lo, hi) = outward(quantile(&sorted, 0.025), quantile(&sorted, 0.975));
    Some(Range {
        lo,
        hi,
        coverage: COVERAGE_DEFAULT,
    })
}

/// The range of the means of quarters of an hour, and how many of them there were.
fn means(pairs: &[Pair]) -> Option<(Range, usize)> {
    let mut sums: BTreeMap<(u32, i32), (f64, usize)> = BTreeMap::new();
    for pair in pairs {
        let (sum, count) = sums.entry((pair.device, pair.quarter)).or_default();
        *sum += f64::from(pair.amperes);
        *count += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "samples of a quarter")]
    let logs: Vec<f64> = sums
        .into_values()
        .filter(|(sum, count)| *count >= MEAN_SAMPLES && *sum > 0.0)
        .map(|(sum, count)| (sum / count as f64).ln())
        .collect();
    if logs.len() < QUARTERS_MIN {
        return None;
    }
    let (middle, sigma) = moments(&logs);
    let (lo, hi) = outward(
        (middle - END_SCORE * sigma).exp(),
        (middle + END_SCORE * sigma).exp(),
    );
    let range = Range {
        lo,
        hi,
        coverage: COVERAGE_DEFAULT,
    };
    (lo > 0.0 && hi > lo).then_some((range, logs.len()))
}

/// Mean, and the standard deviation that the true one exceeds once in twenty times: the 5 % point of
/// chi-square by the cube root of Wilson and Hilferty (1931).
#[expect(clippy::cast_precision_loss, reason = "counts of quarters")]
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let spread = 2.0 / (9.0 * (n - 1.0));
    let chi_square = (n - 1.0) * (1.0 - spread - 1.645 * spread.sqrt()).powi(3);
    (mean, (squares / chi_square.max(0.05)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(device: u32, quarter: i32, amperes: f32) -> Pair {
        Pair {
            device,
            quarter,
            rpm: 3_000.0,
            amperes,
        }
    }

    #[test]
    fn few_quarters_make_a_wide_range_of_means_and_many_a_narrow_one() {
        let width = |quarters: i32| {
            let of = |quarter: i32| {
                let mean = if quarter % 2 == 0 { 19.0 } else { 21.0 };
                (0..20).map(move |_| pair(0, quarter, mean))
            };
            let pairs: Vec<Pair> = (0..quarters).flat_map(of).collect();
            means(&pairs).map(|(range, _)| range.hi / range.lo)
        };
        assert_eq!(width(3), None);
        let (few, many) = (width(6).unwrap(), width(400).unwrap());
        assert!(few > many + 0.2, "{few} {many}");
        // Means that are 5 % away from 20 A on both sides; ends are written to two digits, outward.
        let exact = (2.0 * END_SCORE * 0.05_f64).exp();
        assert!((exact..1.12 * exact).contains(&many), "{many}");
    }

    #[test]
    fn what_comes_right_after_another_class_is_passed_over() {
        let at = |rpm: f32| Pair {
            rpm,
            ..pair(0, 0, rpm)
        };
        let pairs = [0.0, 0.0, 90.0, 90.0, 90.0, 50.0, 90.0, 0.0].map(at);
        let those = settled(&pairs, &[(0.0, 10.0), (80.0, 100.0)]);
        assert_eq!((those[0].len(), those[1].len()), (1, 2));
    }

    #[test]
    fn the_point_of_chi_square_is_that_of_the_tables() {
        // Six values of sample deviation 1: sqrt(5 / 1.1455) = 2.089.
        let values = [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0].map(|x: f64| x * (5.0_f64 / 6.0).sqrt());
        let (mean, sigma) = moments(&values);
        assert!(
            mean.abs() < 1e-12 && (sigma - 2.089).abs() < 0.02,
            "{sigma}"
        );
    }

    #[test]
    fn the_longest_time_is_that_of_its_own_state_and_no_silence_adds_to_it() {
        let mut repeats = Repeats::default();
        let at = |second: i64| EventTime::from_micros(second * 1_000_000);
        (0..60).for_each(|second| repeats.take(0, at(second), 0.7));
        (60..70).for_each(|second| repeats.take(0, at(second), 20.0));
        repeats.take(0, at(4_000), 20.0);
        assert_eq!(repeats.between(0.1, 2.0).longest, Span::from_secs(59));
        assert_eq!(repeats.between(2.0, 1e9).longest, Span::from_secs(9));
        assert_eq!(repeats.between(2.0, 1e9).samples, 11);
    }

    #[test]
    fn of_too_many_quarters_an_even_part_is_kept_whole() {
        let kept = (0..4_000).filter(|quarter| is_kept(&pair(3, *quarter, 1.0), 2));
        let count = kept.count();
        assert!((800..1_200).contains(&count), "{count}");
    }
}
