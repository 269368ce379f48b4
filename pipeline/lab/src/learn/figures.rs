//! The figures of a profile that are numbers: how much, how often, in what rhythm, at what current.

use std::collections::BTreeMap;

use andon_detectors::words::{bytes_text, three_digits};
use andon_schemas::observation::ByteKind;
use andon_schemas::profile::{
    COVERAGE_DEFAULT, Cadence, Current, Firmware, Range, ScanLimits, Spindle, Volume,
};
use andon_schemas::time::{EventTime, Span};

use super::sample::quantile;
use super::states::states;
use super::tally::{Hour, hour_of};
use super::week::Activity;
use super::write::{Draft, HOURS_MIN};

/// The volume rule, unless the largest honest hour asks for more.
const MULTIPLE: f64 = 3.0;

impl Draft<'_> {
    pub(super) fn volume(&mut self, active: &[Hour]) -> Option<Volume> {
        let mut bytes: Vec<f32> = active
            .iter()
            .map(|hour| hour.bytes)
            .filter(|b| *b > 0.0)
            .collect();
        bytes.sort_by(f32::total_cmp);
        if bytes.is_empty() {
            return None;
        }
        let (lo, hi) = outward(quantile(&bytes, 0.025), quantile(&bytes, 0.975));
        let most = quantile(&bytes, 1.0);
        // The rule must not have fired on what it was learned from.
        let needed = (most / hi * 10.0).ceil() / 10.0 + 0.1;
        let multiple = MULTIPLE.max(needed);
        self.say(
            "volume_per_hour",
            format!(
                "{} device-hours; the middle one moved {}, the largest {}, {} times the upper end.",
                bytes.len(),
                bytes_text(quantile(&bytes, 0.5)),
                bytes_text(most),
                three_digits(most / hi)
            ),
        );
        self.few("volume_per_hour", bytes.len());
        Some(Volume {
            range: Range {
                lo,
                hi,
                coverage: COVERAGE_DEFAULT,
            },
            bytes: self
                .present
                .and_then(|present| present.volume)
                .map_or(ByteKind::Payload, |volume| volume.bytes),
            rule_bytes: multiple * hi,
            absolute: false,
            baseline: (lo * hi).sqrt(),
        })
    }

    /// The share of its bytes that it sends, where that is neither all nor nothing.
    pub(super) fn upload(&mut self, active: &[Hour]) -> Option<Range> {
        let moved = active.iter().filter(|hour| hour.bytes > 0.0);
        let mut shares: Vec<f32> = moved.map(|hour| hour.up / hour.bytes).collect();
        if shares.len() < HOURS_MIN {
            return None;
        }
        shares.sort_by(f32::total_cmp);
        let thousandth = |share: f64, round: fn(f64) -> f64| round(share * 1_000.0) / 1_000.0;
        let (lo, hi) = (
            thousandth(quantile(&shares, 0.025), f64::floor),
            thousandth(quantile(&shares, 0.975), f64::ceil),
        );
        if lo <= 0.0 || hi >= 1.0 || hi <= lo {
            return None;
        }
        self.say("upload_share", format!("{} device-hours.", shares.len()));
        Some(Range {
            lo,
            hi,
            coverage: COVERAGE_DEFAULT,
        })
    }

    fn few(&mut self, key: &'static str, hours: usize) {
        if hours < HOURS_MIN {
            self.cold(
                key,
                &format!("{hours} device-hours; {HOURS_MIN} would bear it."),
            );
        }
    }

    pub(super) fn connections(&mut self, active: &[Hour]) -> Option<Range> {
        #[expect(clippy::cast_precision_loss, reason = "connections of an hour")]
        let mut opened: Vec<f32> = active.iter().map(|hour| hour.opened as f32).collect();
        opened.sort_by(f32::total_cmp);
        let hi = quantile(&opened, 0.975).ceil();
        if hi < 1.0 {
            return None;
        }
        self.say(
            "connections_per_hour",
            format!(
                "{} device-hours, {} in the middle.",
                opened.len(),
                quantile(&opened, 0.5)
            ),
        );
        Some(Range {
            lo: quantile(&opened, 0.025).floor(),
            hi,
            coverage: COVERAGE_DEFAULT,
        })
    }

    pub(super) fn cadence(&mut self) -> Option<Cadence> {
        let rhythm = self.tally.streams.rhythm()?;
        self.say("cadence", format!("{} messages.", rhythm.beats));
        let (lo, hi) = (
            rhythm.size.0.max(1.0).floor(),
            rhythm.size.1.max(1.0).ceil(),
        );
        let hundredths = |seconds: f64| (seconds * 100.0).round() / 100.0;
        Some(Cadence {
            size: Range {
                lo,
                hi,
                coverage: COVERAGE_DEFAULT,
            },
            period_s: hundredths(rhythm.period_s).max(0.01),
            jitter_s: hundredths(rhythm.jitter_s).max(0.01),
        })
    }

    pub(super) fn current(&mut self) -> Option<Current> {
        let found = states(&self.tally.current)?;
        let samples = self.tally.current.seen();
        self.say(
            "current",
            format!(
                "{samples} samples in two states; the most was {:.2} A.",
                found.most
            ),
        );
        let range = |(lo, hi): (f64, f64)| {
            let (lo, hi) = outward(lo, hi);
            Range {
                lo,
                hi,
                coverage: COVERAGE_DEFAULT,
            }
        };
        Some(Current {
            idle: range(found.idle),
            active: range(found.active),
            limit: self
                .present
                .and_then(|p| p.current)
                .and_then(|current| current.limit),
        })
    }

    pub(super) fn spindle(&mut self) -> Option<Spindle> {
        let sorted = self.tally.spindle.sorted();
        let most = quantile(&sorted, 1.0);
        if most <= 0.0 {
            return None;
        }
        let samples = self.tally.spindle.seen();
        self.say(
            "spindle",
            format!("{samples} samples; nothing above {most:.0} rpm was seen."),
        );
        let (_, hi) = outward(1.0, most);
        let limit = self
            .present
            .and_then(|p| p.spindle)
            .map(|spindle| spindle.limit);
        Some(Spindle {
            range: Range {
                lo: 0.0,
                hi,
                coverage: COVERAGE_DEFAULT,
            },
            limit: limit.unwrap_or(hi).max(hi),
        })
    }

    pub(super) fn firmware(&mut self) -> Vec<Firmware> {
        let released = |version: &str| {
            let present = self
                .present
                .and_then(|present| present.firmware.iter().find(|one| one.version == version));
            present.map(|one| one.released.clone())
        };
        let first = self
            .tally
            .hours
            .iter()
            .map(|hour| hour.number)
            .min()
            .unwrap_or(0);
        let first = EventTime::from_micros(Span::HOUR.times(i64::from(first)).micros());
        let seen_first = self.inventory.clock.local(first).date().to_string();
        let mut versions: BTreeMap<&str, Firmware> = BTreeMap::new();
        for (version, digest) in self.tally.firmware.keys() {
            let firmware = versions.entry(version).or_insert_with(|| Firmware {
                version: version.clone(),
                digests: Vec::new(),
                released: released(version).unwrap_or_else(|| seen_first.clone()),
            });
            firmware.digests.extend(digest.clone());
        }
        let found: Vec<Firmware> = versions.into_values().collect();
        if !found.is_empty() {
            self.say(
                "firmware",
                "What devices attested; `released` is the day it was first seen, unless known before."
                    .to_owned(),
            );
        }
        found
    }

    pub(super) fn scan(&mut self) -> ScanLimits {
        let (hosts, ports) = self.tally.fan_out;
        let failed = self
            .tally
            .hours
            .iter()
            .map(|hour| hour.failed)
            .max()
            .unwrap_or(0);
        self.say(
            "scan",
            format!(
                "At most {hosts} hosts, {ports} ports and {failed} failures an hour were seen."
            ),
        );
        let twice = |seen: u32, least: u32| seen.saturating_mul(2).max(least);
        ScanLimits {
            hosts: twice(hosts, 10),
            ports: twice(ports, 20),
            failed: twice(failed, 20),
        }
    }

    pub(super) fn silence(&mut self, activity: Option<&Activity>) -> Span {
        let inside = |at: EventTime| self.is_in(activity, hour_of(at));
        let within = self.tally.gaps.iter().filter(|gap| {
            gap.length < Span::HOUR.times(6) && inside(gap.from) && inside(gap.from + gap.length)
        });
        let gap = within.map(|gap| gap.length).max().unwrap_or(Span::MINUTE);
        // A connection may be told at its end only, and nothing is heard of its device before.
        let lasted = self.tally.lasted.min(Span::HOUR.times(6));
        let longest = gap.max(lasted);
        let minutes = (2.0 * longest.as_secs_f64() / 60.0).ceil().max(3.0);
        self.say(
            "silence",
            format!(
                "Twice the longest that was seen inside active hours, {:.0} s{}.",
                longest.as_secs_f64(),
                if lasted > gap {
                    ", a connection's length"
                } else {
                    ""
                }
            ),
        );
        #[expect(clippy::cast_possible_truncation, reason = "minutes of a few hours")]
        Span::MINUTE.times(minutes as i64)
    }
}

/// Ends to two digits, the lower one down and the upper one up.
pub(super) fn outward(lo: f64, hi: f64) -> (f64, f64) {
    let lo = two_digits(lo, f64::floor);
    (lo, two_digits(hi, f64::ceil).max(lo))
}

/// A number to two digits. The power of ten is multiplied or divided by, whichever is whole: 15
/// tenths of a million are then exactly what a person writes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an exponent of a finite number"
)]
fn two_digits(x: f64, round: fn(f64) -> f64) -> f64 {
    if x <= 0.0 || !x.is_finite() {
        return 0.0;
    }
    let power = x.log10().floor() as i32 - 1;
    let unit = 10_f64.powi(power.abs());
    // What is a whole number but for the last bit must not be rounded to the next.
    let nearly = |y: f64| {
        let near = y.round();
        if (y - near).abs() < 1e-9 * near.abs() {
            near
        } else {
            round(y)
        }
    };
    if power >= 0 {
        nearly(x / unit) * unit
    } else {
        nearly(x * unit) / unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_what_a_person_would_write() {
        let same = |a: (f64, f64), b: (f64, f64)| assert!(a == b, "{a:?} {b:?}");
        same(
            outward(1_412_345.0, 1_441_000.0),
            (1_400_000.0, 1_500_000.0),
        );
        same(outward(0.543, 1.02), (0.54, 1.1));
        same(outward(50e6, 150e6), (50e6, 150e6));
        same(outward(0.0, 7.0), (0.0, 7.0));
        same(outward(0.07, 0.29), (0.07, 0.29));
    }
}
