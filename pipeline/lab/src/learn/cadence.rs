//! Does a device send messages of one size in one rhythm? Gaps between its flows to one place.

use std::collections::BTreeMap;
use std::net::IpAddr;

use andon_schemas::time::EventTime;

use super::sample::{Sample, quantile, robust_deviation};

/// Most streams followed of one type.
const STREAMS_MAX: usize = 4_096;
/// A rhythm has at least so many beats.
const BEATS_MIN: u64 = 100;
/// The gaps of a rhythm lie this close to their median, as a share of it.
const LOOSE: f64 = 0.2;
/// And so much of all flows belong to it: every other one breaks it, and a profile allows five in a
/// hundred.
const SHARE_MIN: f64 = 0.96;
/// Share of the sizes that lie below the range that is written, and above it.
const SIZE_OUTSIDE: f64 = 0.005;

/// A rhythm as a profile writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rhythm {
    /// Seconds between messages.
    pub(super) period_s: f64,
    /// Standard deviation of that, robust.
    pub(super) jitter_s: f64,
    /// Bytes of a message: nearly all lie between these.
    pub(super) size: (f64, f64),
    /// Beats it was found from.
    pub(super) beats: u64,
}

/// Flows of one device to one place.
#[derive(Clone, Copy, Debug)]
struct Stream {
    last: EventTime,
}

/// All streams of a type.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<(u32, IpAddr, u16), Stream>,
    /// Gaps and sizes by port: the devices of a type call different addresses on the same one.
    ports: BTreeMap<u16, (Sample, Sample)>,
    flows: u64,
}

impl Streams {
    /// Takes a flow that began at `start`.
    pub(super) fn take(&mut self, device: u32, to: (IpAddr, u16), start: EventTime, bytes: u64) {
        self.flows += 1;
        let key = (device, to.0, to.1);
        let is_known = self.open.contains_key(&key);
        if !is_known && self.open.len() >= STREAMS_MAX {
            return;
        }
        let before = self.open.insert(key, Stream { last: start });
        let (gaps, sizes) = self.ports.entry(to.1).or_default();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "seven digits are enough"
        )]
        if let Some(before) = before {
            gaps.push(start.since(before.last).as_secs_f64() as f32);
            sizes.push(bytes as f32);
        }
    }

    /// The rhythm that nearly all flows keep, if there is one.
    pub(super) fn rhythm(&self) -> Option<Rhythm> {
        let (gaps, sizes) = self.ports.values().max_by_key(|(gaps, _)| gaps.seen())?;
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = gaps.seen() as f64 / self.flows.max(1) as f64;
        if gaps.seen() < BEATS_MIN || share < SHARE_MIN {
            return None;
        }
        let sorted = gaps.sorted();
        let (period_s, jitter_s) = (quantile(&sorted, 0.5), robust_deviation(&sorted));
        if period_s <= 0.0 || jitter_s > LOOSE * period_s {
            return None;
        }
        let sizes = sizes.sorted();
        Some(Rhythm {
            period_s,
            jitter_s,
            size: (
                quantile(&sizes, SIZE_OUTSIDE),
                quantile(&sizes, 1.0 - SIZE_OUTSIDE),
            ),
            beats: gaps.seen(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_schemas::time::Span;

    fn streams(gap: impl Fn(i64) -> i64) -> Streams {
        let (mut streams, mut at) = (Streams::default(), EventTime::default());
        for beat in 0..400 {
            at = at + Span::from_micros(gap(beat));
            streams.take(0, ([10, 0, 0, 1].into(), 502), at, 2_000);
        }
        streams
    }

    #[test]
    fn a_rhythm_is_found_and_a_crowd_is_none() {
        let rhythm = streams(|beat| 5_000_000 + (beat % 5 - 2) * 50_000)
            .rhythm()
            .unwrap();
        assert!(
            (rhythm.period_s - 5.0).abs() < 0.06 && rhythm.jitter_s < 0.2,
            "{rhythm:?}"
        );
        assert_eq!(rhythm.size, (2_000.0, 2_000.0));
        let crowd = streams(|beat| 1_000_000 + (beat * 7_919) % 60 * 1_000_000);
        assert_eq!(crowd.rhythm(), None);
        assert_eq!(Streams::default().rhythm(), None);
    }
}
