//! When is a device type active? From when it opens connections, by quarter of an hour of the
//! plant's week.

use std::collections::BTreeMap;

use andon_schemas::profile::HoursSpan;

/// Quarters of an hour of a day.
const DAY: u16 = 96;
/// A quarter counts as active from this share of the usual activity of active quarters.
const ACTIVE_FROM: f64 = 0.10;
/// Breaks shorter than this many quarters are no break, and stretches shorter are none either.
const SHORTEST: u16 = 4;

/// When it is active.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Activity {
    /// All week, or all of what was seen of it.
    Always,
    /// In these stretches; the days (bit 0 = Monday) that were not seen are left out.
    Hours {
        /// The stretches.
        spans: Vec<HoursSpan>,
        /// Days of which nothing was seen at all.
        unseen: u8,
    },
}

/// Finds the stretches. `watched` holds device-hours by day of the week (0 = Monday): a day that
/// nobody watched says nothing. None if nothing was opened at all.
pub(super) fn activity(opened: &BTreeMap<u16, u64>, watched: [u64; 7]) -> Option<Activity> {
    #[expect(clippy::cast_precision_loss, reason = "rates are for comparing")]
    let rate = |quarter: u16| {
        let all = watched[usize::from(quarter / DAY).min(6)];
        let count = opened.get(&quarter).copied().unwrap_or(0);
        if all == 0 {
            0.0
        } else {
            count as f64 / all as f64
        }
    };
    let rates: Vec<f64> = (0..7 * DAY).map(rate).collect();
    let mut busy: Vec<f64> = rates.iter().copied().filter(|rate| *rate > 0.0).collect();
    busy.sort_by(f64::total_cmp);
    // The upper half of the busy quarters: those of the night do not pull the usual down.
    let usual = *busy.get(busy.len() * 3 / 4)?;
    let mut active: Vec<bool> = rates
        .iter()
        .map(|rate| *rate >= ACTIVE_FROM * usual)
        .collect();
    close(&mut active, true);
    close(&mut active, false);
    let unseen = (0..7_u8).filter(|day| watched[usize::from(*day)] == 0);
    let unseen = unseen.fold(0_u8, |days, day| days | 1 << day);
    let seen = |quarter: usize| unseen >> (quarter / usize::from(DAY)) & 1 == 0;
    if active
        .iter()
        .enumerate()
        .all(|(at, active)| *active || !seen(at))
    {
        return Some(Activity::Always);
    }
    Some(Activity::Hours {
        spans: spans(&active),
        unseen,
    })
}

/// Fills runs of `!value` that are too short, around the week.
fn close(active: &mut [bool], value: bool) {
    let all = active.len();
    let Some(start) = active.iter().position(|one| *one == value) else {
        return;
    };
    let mut run = 0_usize;
    for step in 1..=all {
        let at = (start + step) % all;
        if active[at] == value {
            if run > 0 && run < usize::from(SHORTEST) {
                for back in 1..=run {
                    active[(at + all - back) % all] = value;
                }
            }
            run = 0;
        } else {
            run += 1;
        }
    }
}

/// Stretches of the week; days with the same ones are told together.
fn spans(active: &[bool]) -> Vec<HoursSpan> {
    let all = active.len();
    let mut found: BTreeMap<(u16, u16), u8> = BTreeMap::new();
    for at in 0..all {
        if !active[at] || active[(at + all - 1) % all] {
            continue;
        }
        let length = (0..all)
            .take_while(|step| active[(at + step) % all])
            .count();
        // A stretch may last for days: it is told day by day.
        let (mut from, mut left) = (at, length);
        while left > 0 {
            let day = from / usize::from(DAY) % 7;
            let begin = from % usize::from(DAY);
            let whole = usize::from(DAY) - begin;
            // One that ends the next morning is one stretch.
            let take = if left <= whole || left < usize::from(DAY) {
                left
            } else {
                whole
            };
            let minute = |quarter: usize| u16::try_from(quarter * 15).unwrap_or(0);
            let end = minute((begin + take) % usize::from(DAY));
            let to = if end == 0 { 1_440 } else { end };
            *found.entry((minute(begin), to)).or_default() |= 1 << day;
            from += take;
            left -= take;
        }
    }
    found
        .into_iter()
        .map(|((from, to), days)| HoursSpan { days, from, to })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(active: impl Fn(u16, u16) -> u64) -> BTreeMap<u16, u64> {
        let quarters = (0..7).flat_map(|day| (0..DAY).map(move |quarter| (day, quarter)));
        quarters
            .map(|(day, quarter)| (day * DAY + quarter, active(day, quarter)))
            .collect()
    }

    #[test]
    fn a_shift_is_found_in_spite_of_a_lonely_night() {
        let opened = week(|day, quarter| match (day, quarter) {
            (5 | 6, _) => 0,
            (_, 24..88) => 40,
            (2, 10) => 30,
            _ => 1,
        });
        let found = activity(&opened, [24; 7]).unwrap();
        let spans = vec![HoursSpan {
            days: 0b001_1111,
            from: 6 * 60,
            to: 22 * 60,
        }];
        assert_eq!(found, Activity::Hours { spans, unseen: 0 });
    }

    #[test]
    fn a_night_shift_runs_past_midnight_and_a_day_unseen_says_nothing() {
        let opened = week(|day, quarter| u64::from(day < 6 && !(24..88).contains(&quarter)) * 9);
        let Some(Activity::Hours { spans, unseen }) = activity(&opened, [9, 9, 9, 9, 9, 9, 0])
        else {
            panic!("it has hours");
        };
        assert_eq!(unseen, 0b100_0000);
        assert!(
            spans.contains(&HoursSpan {
                days: 0b001_1111,
                from: 22 * 60,
                to: 6 * 60
            }),
            "{spans:?}"
        );
    }

    #[test]
    fn round_the_clock_is_always_and_nothing_is_nothing() {
        assert_eq!(activity(&week(|_, _| 5), [24; 7]), Some(Activity::Always));
        assert_eq!(activity(&BTreeMap::new(), [24; 7]), None);
        let friday = week(|day, _| u64::from(day == 4));
        let mut watched = [0; 7];
        watched[4] = 24;
        assert_eq!(activity(&friday, watched), Some(Activity::Always));
    }
}
