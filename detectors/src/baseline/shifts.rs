//! The active hours of a profile as stretches of time, to say when so much of it has passed.

use andon_schemas::profile::Hours;
use andon_schemas::time::{EventTime, PlantClock, Span};

/// How many days ahead it is looked: a plant that works on none of them has no hours.
const HORIZON_DAYS: i32 = 400;
/// The last moment inside a stretch lies so much before its end.
const INSTANT: Span = Span::from_micros(1);

/// Stretches of minutes of each weekday, Monday first: from the first inside to the first outside.
#[derive(Clone, Debug)]
pub(super) struct Shifts([Vec<(u16, u16)>; 7]);

impl Shifts {
    /// Agrees with [`Hours::hold`] on every minute.
    pub(super) fn of(hours: &Hours) -> Self {
        Self([0, 1, 2, 3, 4, 5, 6].map(|weekday| {
            let mut stretches = Vec::new();
            let mut from = None;
            for minute in 0..=1440 {
                let inside = minute < 1440 && hours.hold(weekday, minute);
                match (inside, from) {
                    (true, None) => from = Some(minute),
                    (false, Some(start)) => {
                        stretches.push((start, minute));
                        from = None;
                    }
                    _ => {}
                }
            }
            stretches
        }))
    }

    /// The moment at which so much time inside the hours has passed since `from`.
    pub(super) fn passed(
        &self,
        clock: &PlantClock,
        holidays: &[i32],
        from: EventTime,
        span: Span,
    ) -> EventTime {
        let mut left = span;
        let first_day = clock.local(from).day;
        for day in first_day..first_day.saturating_add(HORIZON_DAYS) {
            if holidays.binary_search(&day).is_ok() {
                continue;
            }
            // 1970-01-01 was a Thursday.
            let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0);
            for (opens, closes) in &self.0[weekday] {
                let opens = clock.moment(day, *opens).max(from);
                let closes = clock.moment(day, *closes);
                let open = closes.since(opens);
                if open >= left {
                    // The last moment inside, where the time is up just as the hours end.
                    return (opens + left).min(closes - INSTANT).max(from + INSTANT);
                }
                left = Span::from_micros(left.micros() - open.micros().max(0));
            }
        }
        EventTime::MAX
    }
}
