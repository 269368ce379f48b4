//! When something happened: event time, spans, intervals, and the plant's own clock.
//!
//! Time comes from the data. Nothing here reads a system clock; the readers at the edge stamp
//! `received_at` and hand it in as a value.

use std::fmt;
use std::ops::{Add, Sub};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in event time: microseconds since 1970-01-01T00:00:00Z, the resolution of Zeek and
/// of the MQTT wire form. Any `i64` is a valid value; arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

/// A length of time in microseconds; may be negative. Arithmetic saturates.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// One second.
    pub const SECOND: Self = Self(1_000_000);
    /// One minute.
    pub const MINUTE: Self = Self(60_000_000);
    /// One hour, the width of a pane.
    pub const HOUR: Self = Self(3_600_000_000);
    /// Twenty-four hours.
    pub const DAY: Self = Self(86_400_000_000);

    /// A span of so many microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A span of so many whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Length in microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Length in seconds, fractions kept.
    #[expect(
        clippy::cast_precision_loss,
        reason = "spans are far below 2^53 µs (285 years)"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// So many times as long.
    #[must_use]
    pub const fn times(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl EventTime {
    /// Before every other time.
    pub const MIN: Self = Self(i64::MIN);
    /// After every other time: a deadline that never comes.
    pub const MAX: Self = Self(i64::MAX);

    /// The time so many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 timestamp. Fractions below a microsecond are cut off.
    ///
    /// # Errors
    /// Says what is wrong with the text; a timestamp without an offset is refused.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse::<Timestamp>()
            .map(|t| Self(t.as_microsecond()))
            .map_err(|e| format!("time `{text}` is not RFC 3339: {e}"))
    }

    /// The start of the interval of this `width`, aligned to the epoch, that holds this time.
    #[must_use]
    pub const fn floor(self, width: Span) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(width.0)))
    }

    /// How far this time lies after `earlier`; negative if before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for EventTime {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for EventTime {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for EventTime {
    /// RFC 3339 in UTC with exactly six decimals, or `µs:N` outside the years 1–9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.6}"),
            Err(_) => write!(f, "µs:{}", self.0),
        }
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        if let Some(micros) = text.strip_prefix("µs:") {
            return micros.parse().map(Self).map_err(serde::de::Error::custom);
        }
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for EventTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EventTime".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "date-time",
            "description": "RFC 3339 timestamp, microseconds kept",
        })
    }
}

/// A half-open stretch of event time, `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Interval {
    /// First moment inside.
    pub start: EventTime,
    /// First moment after.
    pub end: EventTime,
}

/// A moment on the plant's wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since 1970-01-01, local calendar.
    pub day: i32,
    /// 0 = Monday … 6 = Sunday.
    pub weekday: u8,
    /// Minutes since local midnight, 0…1439.
    pub minute: u16,
}

impl LocalTime {
    /// The date, which prints as `2025-12-14`; the first or the last there is for days beyond the
    /// calendar.
    pub fn date(self) -> Date {
        let beyond = if self.day < 0 { Date::MIN } else { Date::MAX };
        let days = jiff::Span::new().try_days(self.day);
        let date = days.and_then(|days| jiff::civil::date(1970, 1, 1).checked_add(days));
        date.unwrap_or(beyond)
    }
}

/// The plant's time zone as a table of offsets, so that a row's local hour costs a few
/// comparisons instead of a calendar computation.
#[derive(Clone, Debug)]
pub struct PlantClock {
    name: String,
    /// `(from, offset µs)` in ascending order; the first entry covers everything before it.
    offsets: Vec<(i64, i64)>,
    /// What holds in each stretch of 2^41 µs (25 days) since the epoch; `None` where it changes more
    /// than once.
    hints: Vec<Option<Hint>>,
}

/// A stretch of time with at most one change of offset, µs.
#[derive(Clone, Copy, Debug)]
struct Hint {
    /// The offset before the change.
    before: i64,
    /// When it changes.
    change: i64,
    /// The offset from then on.
    after: i64,
}

/// Width of the stretches that [`PlantClock`] has hints for, as a power of two.
const HINT_BITS: u32 = 41;

impl PlantClock {
    /// The clock of an IANA time zone such as `Europe/Berlin`.
    ///
    /// # Errors
    /// Names the zone if the bundled zone database does not know it.
    pub fn new(zone: &str) -> Result<Self, String> {
        let tz = TimeZone::get(zone)
            .map_err(|_| format!("time zone `{zone}` is not in the IANA database"))?;
        let first = Timestamp::from_second(0).map_err(|e| e.to_string())?;
        let offset = |t: Timestamp| i64::from(tz.to_offset(t).seconds()) * 1_000_000;
        let mut offsets = vec![(i64::MIN, offset(first))];
        // Offsets to the year 2100; later times keep the last one.
        let horizon = 4_102_444_800;
        offsets.extend(
            tz.following(first)
                .take_while(|t| t.timestamp().as_second() < horizon)
                .map(|t| (t.timestamp().as_microsecond(), offset(t.timestamp()))),
        );
        let hints = (0..(horizon * 1_000_000) >> HINT_BITS)
            .map(|stretch| Hint::of(stretch << HINT_BITS, &offsets))
            .collect();
        Ok(Self {
            name: zone.to_owned(),
            offsets,
            hints,
        })
    }

    /// The IANA name it was made from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the wall clock in the plant shows at `time`.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the quotients are bounded: days fit i32 for any i64 µs, the rest is modular"
    )]
    pub fn local(&self, time: EventTime) -> LocalTime {
        let local = time.0.saturating_add(self.offset_at(time.0));
        let day = local.div_euclid(Span::DAY.0);
        LocalTime {
            day: day as i32,
            weekday: (day + 3).rem_euclid(7) as u8,
            minute: (local.rem_euclid(Span::DAY.0) / Span::MINUTE.0) as u16,
        }
    }

    /// The moment at which the plant's wall clock shows `minute` of local `day`. Where the clock
    /// is set back and shows it twice, the first; where it skips it, the moment of the jump.
    pub fn moment(&self, day: i32, minute: u16) -> EventTime {
        let local = i64::from(day) * Span::DAY.0 + i64::from(minute) * Span::MINUTE.0;
        let by = |offset: i64| local - offset;
        let before = self.offset_at(by(self.offset_at(local)) - Span::DAY.0);
        let after = self.offset_at(by(self.offset_at(local)) + Span::DAY.0);
        let early = by(before);
        if self.offset_at(early) == before {
            return EventTime(early);
        }
        EventTime(by(after).max(by(before)))
    }

    #[inline]
    fn offset_at(&self, micros: i64) -> i64 {
        let stretch = usize::try_from(micros >> HINT_BITS).unwrap_or(usize::MAX);
        match self.hints.get(stretch) {
            Some(Some(hint)) if micros < hint.change => hint.before,
            Some(Some(hint)) => hint.after,
            Some(None) | None => {
                let after = self.offsets.partition_point(|(from, _)| *from <= micros);
                self.offsets[after.saturating_sub(1)].1
            }
        }
    }
}

impl Hint {
    /// The stretch that begins at `start`; `None` if more than one change lies in it.
    fn of(start: i64, offsets: &[(i64, i64)]) -> Option<Self> {
        let end = start + (1 << HINT_BITS);
        let at = |time| offsets.partition_point(|(from, _)| *from <= time) - 1;
        let (first, last) = (at(start), at(end - 1));
        (last - first <= 1).then(|| Self {
            before: offsets[first].1,
            change: offsets[last].0,
            after: offsets[last].1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_micros_agree() {
        let t = EventTime::parse("2025-12-14T01:30:00.000250Z").unwrap();
        assert_eq!(t.to_string(), "2025-12-14T01:30:00.000250Z");
        assert_eq!(
            EventTime::parse("2025-12-14T02:30:00.00025+01:00").unwrap(),
            t
        );
        assert!(EventTime::parse("2025-12-14T02:30:00").is_err());
    }

    #[test]
    fn floor_aligns_to_the_epoch_even_before_it() {
        assert_eq!(EventTime(-1).floor(Span::HOUR), EventTime(-3_600_000_000));
        assert_eq!(
            EventTime(3_600_000_001).floor(Span::HOUR),
            EventTime(3_600_000_000)
        );
    }

    #[test]
    fn hints_change_no_offset() {
        for zone in ["Europe/Berlin", "Africa/Casablanca", "Asia/Kolkata", "UTC"] {
            let clock = PlantClock::new(zone).unwrap();
            let hinted = clock.hints.iter().flatten().count();
            assert!(hinted * 10 > clock.hints.len() * 9, "{zone}");
            let searched = PlantClock {
                hints: Vec::new(),
                ..clock.clone()
            };
            let stretch = 1 << HINT_BITS;
            let changes = clock.offsets.iter().map(|(from, _)| *from);
            let times = changes
                .chain((-3..2_000).map(|n| n * stretch))
                .chain([i64::MIN, i64::MAX]);
            for time in times {
                for micros in [time.saturating_sub(1), time, time.saturating_add(1)] {
                    assert_eq!(
                        clock.offset_at(micros),
                        searched.offset_at(micros),
                        "{micros}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_plant_clock_follows_summer_time() {
        let clock = PlantClock::new("Europe/Berlin").unwrap();
        let sunday = EventTime::parse("2025-12-14T01:30:00Z").unwrap();
        let local = clock.local(sunday);
        assert_eq!((local.weekday, local.minute), (6, 150));
        let summer = clock.local(EventTime::parse("2025-07-01T22:30:00Z").unwrap());
        assert_eq!((summer.weekday, summer.minute), (2, 30));
        assert_eq!(clock.moment(local.day, 150), sunday);
        // 2025-03-30 02:30 does not exist in Berlin; 2025-10-26 02:30 exists twice.
        let spring = clock
            .local(EventTime::parse("2025-03-30T12:00:00Z").unwrap())
            .day;
        assert_eq!(
            clock.moment(spring, 150),
            EventTime::parse("2025-03-30T01:30:00Z").unwrap()
        );
        let autumn = clock
            .local(EventTime::parse("2025-10-26T12:00:00Z").unwrap())
            .day;
        assert_eq!(
            clock.moment(autumn, 150),
            EventTime::parse("2025-10-26T00:30:00Z").unwrap()
        );
        assert!(PlantClock::new("Mars/Olympus").is_err());
    }
}
