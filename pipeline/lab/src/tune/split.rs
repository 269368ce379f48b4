//! Which traffic serves for what: devices *and* time are kept apart, so that nothing that a
//! threshold was chosen on is counted again when it is certified, or when the result is reported.
//!
//! ```text
//!                 first 35 %      gap    next 40 %     gap    last 25 %
//! 3 devices of 10 calibrate              (attacks are tried out on them)
//! 5 devices of 10                        tune
//! 2 devices of 10                                             report
//! ```

use std::collections::BTreeMap;

use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Interval, Span};
use serde::Serialize;

/// What a part of the traffic serves for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The order of the configurations is chosen on it.
    Calibrate,
    /// They are certified on it.
    Tune,
    /// What was chosen is measured on it, once.
    Report,
}

/// The parts, in the order of their time.
pub const PARTS: [Part; 3] = [Part::Calibrate, Part::Tune, Part::Report];

/// Out of ten devices of a type, in this order.
const DEAL: [Part; 10] = [
    Part::Tune,
    Part::Calibrate,
    Part::Tune,
    Part::Report,
    Part::Tune,
    Part::Calibrate,
    Part::Tune,
    Part::Report,
    Part::Tune,
    Part::Calibrate,
];

/// Shares of the time, gaps left out.
const SHARES: [f64; 3] = [0.35, 0.40, 0.25];
/// A gap is a day, or this share of the whole if that is less.
const GAP_SHARE: f64 = 0.05;
const GAP_MAX: Span = Span::from_secs(86_400);

/// After so long without a row a device was not being watched.
const WATCHED_FOR: Span = Span::from_secs(86_400);
/// Most stretches kept of one device; more are taken for one.
const STRETCHES_MAX: usize = 10_000;

/// When a device was watched: stretches in which it was heard of at least once a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard(Vec<Interval>);

impl Heard {
    /// It was heard of.
    pub fn at(&mut self, at: EventTime) {
        let is_within = |stretch: &Interval| {
            at >= stretch.start - WATCHED_FOR && at <= stretch.end + WATCHED_FOR
        };
        let full = self.0.len() >= STRETCHES_MAX;
        match self.0.last_mut() {
            Some(stretch) if full || is_within(stretch) => {
                stretch.start = stretch.start.min(at);
                stretch.end = stretch.end.max(at);
            }
            _ => self.0.push(Interval { start: at, end: at }),
        }
    }

    /// When it was last heard of, by its own rows.
    pub fn newest(&self) -> EventTime {
        let ends = self.0.iter().map(|stretch| stretch.end);
        ends.max().unwrap_or(EventTime::MIN)
    }

    /// Whole hours within a span. A single row with a wrong date makes none.
    fn hours_in(&self, span: Interval) -> u64 {
        let mut stretches = self.0.clone();
        stretches.sort_by_key(|stretch| stretch.start);
        let (mut micros, mut from) = (0, span.start);
        for stretch in stretches {
            let start = stretch.start.max(from);
            micros += stretch.end.min(span.end).since(start).micros().max(0);
            // Stretches of a backlog may lie over each other: no hour counts twice.
            from = from.max(stretch.end);
        }
        u64::try_from(micros / Span::HOUR.micros()).unwrap_or(0)
    }

    /// Stretches of an hour or more.
    fn real(&self) -> impl Iterator<Item = &Interval> {
        let is_real = |stretch: &&Interval| stretch.end.since(stretch.start) >= Span::HOUR;
        self.0.iter().filter(is_real)
    }
}

/// A device in the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its type; empty if the inventory does not list it.
    pub device_type: String,
    /// When it was heard of.
    pub heard: Heard,
    /// What it serves for.
    pub part: Part,
}

/// Traffic, divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Every device that was heard of.
    pub members: BTreeMap<DeviceId, Member>,
    /// The times of the parts.
    pub spans: [Interval; 3],
    /// All of it.
    pub whole: Interval,
}

impl Split {
    /// Divides what was heard, by device type and time. None if no device was for an hour.
    pub fn new(heard: BTreeMap<DeviceId, (String, Heard)>) -> Option<Self> {
        let real = || heard.values().flat_map(|(_, heard)| heard.real());
        let first = real().map(|stretch| stretch.start).min()?;
        let last = real().map(|stretch| stretch.end).max()?;
        let mut dealt: BTreeMap<&str, Vec<&DeviceId>> = BTreeMap::new();
        for (device, (device_type, _)) in &heard {
            dealt.entry(device_type).or_default().push(device);
        }
        let mut parts = BTreeMap::new();
        for devices in dealt.values_mut() {
            // Neighbours in the inventory stand on one line: they are not dealt out in its order.
            devices.sort_by_key(|device| scattered(device.as_str()));
            for (at, device) in devices.iter().enumerate() {
                parts.insert((*device).clone(), DEAL[at % DEAL.len()]);
            }
        }
        let members = heard
            .into_iter()
            .map(|(device, (device_type, heard))| {
                let part = parts.get(&device).copied().unwrap_or(Part::Tune);
                let member = Member {
                    device_type,
                    heard,
                    part,
                };
                (device, member)
            })
            .collect();
        let whole = Interval {
            start: first,
            end: last,
        };
        Some(Self {
            members,
            spans: spans(whole),
            whole,
        })
    }

    /// The time of a part.
    pub fn span(&self, part: Part) -> Interval {
        self.spans[part as usize]
    }

    /// Whole hours in which a device was watched during a part's time.
    pub fn hours(&self, member: &Member, part: Part) -> u64 {
        member.heard.hours_in(self.span(part))
    }

    /// The devices of a part, with the hours they were watched in its time.
    pub fn devices(&self, part: Part) -> impl Iterator<Item = (&DeviceId, &Member, u64)> {
        let of_part = self
            .members
            .iter()
            .filter(move |(_, member)| member.part == part);
        of_part.map(move |(device, member)| (device, member, self.hours(member, part)))
    }
}

fn spans(whole: Interval) -> [Interval; 3] {
    let length = whole.end.since(whole.start).as_secs_f64();
    let gap = (GAP_SHARE * length).min(GAP_MAX.as_secs_f64());
    let usable = length - 2.0 * gap;
    let mut from = 0.0;
    SHARES.map(|share| {
        let to = from + share * usable;
        let span = Interval {
            start: whole.start + seconds(from),
            end: whole.start + seconds(to),
        };
        from = to + gap;
        span
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the length of a capture, in microseconds, fits"
)]
pub(super) fn seconds(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6) as i64)
}

/// A number that scatters names: FNV-1a.
pub(super) fn scattered(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> EventTime {
        EventTime::parse("2025-12-01T00:00:00Z").unwrap()
    }

    /// Heard of every hour.
    fn heard(hours: i64) -> Heard {
        let mut heard = Heard::default();
        (0..=hours).for_each(|hour| heard.at(start() + Span::HOUR.times(hour)));
        heard
    }

    fn split(devices: usize, hours: i64) -> Split {
        let all = (0..devices).map(|at| {
            let device = DeviceId::new(&format!("press-{at:03}")).unwrap();
            (device, (format!("press_{}", at % 2), heard(hours)))
        });
        Split::new(all.collect()).unwrap()
    }

    #[test]
    fn no_device_and_no_hour_serves_twice() {
        let split = split(40, 28 * 24);
        for (earlier, later) in [(0, 1), (1, 2)] {
            let gap = split.spans[later].start.since(split.spans[earlier].end);
            assert_eq!(gap.micros() / Span::HOUR.micros(), 24);
        }
        let count = |part| split.devices(part).count();
        assert_eq!(PARTS.map(count), [12, 20, 8]);
        let of_type = |name: &str| {
            let tuned = split.devices(Part::Tune);
            tuned
                .filter(|(_, member, _)| member.device_type == name)
                .count()
        };
        assert_eq!((of_type("press_0"), of_type("press_1")), (10, 10));
        let hours: u64 = split.devices(Part::Tune).map(|(_, _, hours)| hours).sum();
        assert_eq!(hours / 20, (28 * 24 - 48) * 40 / 100);
    }

    #[test]
    fn a_short_capture_has_short_gaps() {
        let split = split(2, 20);
        assert_eq!(split.spans[1].start.since(split.spans[0].end), Span::HOUR);
        let (_, _, hours) = split.devices(Part::Tune).next().unwrap();
        assert_eq!(hours, 7);
        assert!(Split::new(BTreeMap::new()).is_none());
    }

    #[test]
    fn a_row_with_a_wrong_date_makes_no_hours_and_moves_nothing() {
        let mut wrong = Heard::default();
        wrong.at(EventTime::default());
        (0..=20).for_each(|hour| wrong.at(start() + Span::HOUR.times(hour)));
        let device = DeviceId::new("press-000").unwrap();
        let one = BTreeMap::from([(device.clone(), ("press".to_owned(), wrong))]);
        let right = BTreeMap::from([(device, ("press".to_owned(), heard(20)))]);
        let (one, right) = (Split::new(one).unwrap(), Split::new(right).unwrap());
        assert_eq!((one.whole, one.spans), (right.whole, right.spans));
        let hours = |split: &Split| split.devices(Part::Tune).next().unwrap().2;
        assert_eq!(hours(&one), hours(&right));
    }

    #[test]
    fn days_in_which_nobody_heard_of_a_device_are_not_its_hours() {
        let mut away = heard(10);
        (0..=10).for_each(|hour| away.at(start() + Span::HOUR.times(200 + hour)));
        let all = Interval {
            start: start(),
            end: start() + Span::HOUR.times(400),
        };
        assert_eq!(away.hours_in(all), 20);
    }
}
