//! The active hours of a profile as a table of the local week: a row's hour is one bit to look up.

use andon_schemas::profile::Hours;

const MINUTES_PER_DAY: usize = 1440;
const MINUTES: usize = 7 * MINUTES_PER_DAY;

/// One bit for each minute of the week from Monday 00:00.
#[derive(Clone, Debug)]
pub(super) struct Week(Box<[u64]>);

impl Week {
    /// Agrees with [`Hours::hold`] on every minute.
    pub(super) fn of(hours: &Hours) -> Self {
        let mut bits = vec![0_u64; MINUTES.div_ceil(64)];
        let grace = usize::from(hours.grace_min);
        for span in &hours.spans {
            let (from, to) = (usize::from(span.from), usize::from(span.to));
            let length = if to > from {
                to - from
            } else {
                to + MINUTES_PER_DAY - from
            };
            let length = (length + 2 * grace).min(MINUTES);
            for day in (0..7).filter(|day| span.days >> day & 1 == 1) {
                // A grace longer than a week reaches round it more than once.
                let start = day * MINUTES_PER_DAY + from + MINUTES - grace % MINUTES;
                for minute in start..start + length {
                    let minute = minute % MINUTES;
                    bits[minute / 64] |= 1 << (minute % 64);
                }
            }
        }
        Self(bits.into())
    }

    /// Whether `minute` of `weekday` (0 = Monday) lies inside.
    #[inline]
    pub(super) fn holds(&self, weekday: u8, minute: u16) -> bool {
        let at = usize::from(weekday) * MINUTES_PER_DAY + usize::from(minute);
        let word = self.0.get(at / 64).copied().unwrap_or(0);
        word >> (at % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_schemas::profile::HoursSpan;
    use proptest::prelude::*;

    fn span() -> impl Strategy<Value = HoursSpan> {
        (0_u8..128, 0_u16..1440, 0_u16..=1440).prop_map(|(days, from, to)| HoursSpan {
            days,
            from,
            to,
        })
    }

    proptest! {
        #[test]
        fn the_table_agrees_with_the_written_hours_on_every_minute(
            spans in prop::collection::vec(span(), 1..4),
            grace_min in prop_oneof![Just(0_u16), 0_u16..200, any::<u16>()],
        ) {
            let hours = Hours { spans, grace_min };
            let week = Week::of(&hours);
            for weekday in 0..7 {
                for minute in 0..1440 {
                    prop_assert_eq!(week.holds(weekday, minute), hours.hold(weekday, minute));
                }
            }
        }
    }
}
