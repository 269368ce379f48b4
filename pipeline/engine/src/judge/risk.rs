//! The risk of one device as it is shown: what stands now, or what stood and is fading.

use andon_schemas::grade::Band;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Risk;
use serde::{Deserialize, Serialize};

/// What is over fades by half in this time (stats.md §7.2).
pub(super) const HALF_LIFE: Span = Span::from_secs(6 * 3600);
/// A change of so many points is worth publishing.
const STEP: u8 = 5;

/// Small: every device has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Level {
    /// What was shown at `since`, fading from there.
    shown: u8,
    since: EventTime,
    /// When the fading alone will be worth publishing; [`EventTime::MAX`] for never.
    alarm: EventTime,
    /// What was published last.
    told: Option<Risk>,
    /// When the episode opened that was published as open last; [`EventTime::MIN`] for none.
    told_opened: EventTime,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            shown: 0,
            since: EventTime::MIN,
            alarm: EventTime::MAX,
            told: None,
            told_opened: EventTime::MIN,
        }
    }
}

impl Level {
    /// The score at a moment; `standing` is that of the open episode, if there is one.
    pub(super) fn score(&self, at: EventTime, standing: Option<u8>) -> u8 {
        self.faded(at).max(standing.unwrap_or(0))
    }

    /// The risk at a moment. Of a `stale` device it is unknown, which replaces only `low`, and
    /// never that of an open episode.
    pub(super) fn risk(&self, at: EventTime, standing: Option<u8>, stale: bool) -> Risk {
        let risk = Risk::of_score(self.score(at, standing));
        if stale && standing.is_none() && risk.band == Band::Low {
            Risk::UNKNOWN
        } else {
            risk
        }
    }

    /// What stood changed at this moment: what was shown until then fades from here.
    pub(super) fn moved(&mut self, at: EventTime, before: Option<u8>, standing: Option<u8>) {
        if before != standing {
            self.shown = self.score(at, before);
            self.since = at.max(self.since);
        }
        self.rearm(at, standing);
    }

    /// Evidence below every grade was seen.
    pub(super) fn lift(&mut self, score: u8, at: EventTime, standing: Option<u8>) {
        if score > self.faded(at) {
            self.shown = score;
            self.since = at.max(self.since);
            self.rearm(at, standing);
        }
    }

    /// Whether what there is to publish moved enough since it was published: into another band, by
    /// 5 points, or to another open episode, by when it opened ([`EventTime::MIN`] for none).
    pub(super) fn is_news(&self, risk: Risk, opened: EventTime) -> bool {
        opened != self.told_opened || self.told.is_none_or(|told| differs(told, risk))
    }

    /// Whether there is no risk at all, and that was published last.
    pub(super) fn is_at_rest(&self) -> bool {
        self.shown == 0
            && self.told == Some(Risk::of_score(0))
            && self.told_opened == EventTime::MIN
    }

    /// Notes what is being published of the episode that opened at `opened`, or of none.
    pub(super) fn tell(
        &mut self,
        risk: Risk,
        opened: EventTime,
        at: EventTime,
        standing: Option<u8>,
    ) {
        self.told = Some(risk);
        self.told_opened = opened;
        self.rearm(at, standing);
    }

    /// What was published last.
    pub(super) fn told(&self) -> Option<Risk> {
        self.told
    }

    pub(super) fn alarm(&self) -> EventTime {
        self.alarm
    }

    /// Sets the alarm to the first moment after `at` at which fading alone makes news. If there
    /// is news already it is published without an alarm.
    pub(super) fn rearm(&mut self, at: EventTime, standing: Option<u8>) {
        self.alarm = EventTime::MAX;
        let Some(told) = self.told else { return };
        let now = self.score(at, standing);
        let floor = standing.unwrap_or(0);
        if now <= floor || differs(told, Risk::of_score(now)) {
            return;
        }
        let target = (floor..now)
            .rev()
            .find(|score| differs(told, Risk::of_score(*score)));
        if let Some(target) = target {
            self.alarm = self.reaches(target).max(at + Span::from_micros(1));
        }
    }

    /// Halved for every half-life, on a straight line in between. Whole numbers, so that every
    /// machine shows the same.
    fn faded(&self, at: EventTime) -> u8 {
        let half = HALF_LIFE.micros();
        let age = at.since(self.since).micros().max(0);
        let (halvings, rest) = (age / half, age % half);
        if halvings >= 8 {
            return 0;
        }
        let line = i64::from(self.shown) * (2 * half - rest) / (2 * half);
        u8::try_from(line >> halvings).unwrap_or(0)
    }

    /// The first moment at which what was shown has faded to `target`.
    fn reaches(&self, target: u8) -> EventTime {
        let (mut before, mut after) = (0, 8 * HALF_LIFE.micros());
        while before < after {
            let middle = before + (after - before) / 2;
            if self.faded(self.since + Span::from_micros(middle)) <= target {
                after = middle;
            } else {
                before = middle + 1;
            }
        }
        self.since + Span::from_micros(before)
    }
}

fn differs(told: Risk, risk: Risk) -> bool {
    told.band != risk.band || told.score.unwrap_or(0).abs_diff(risk.score.unwrap_or(0)) >= STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: i64) -> EventTime {
        EventTime::default() + Span::HOUR.times(hours)
    }

    fn level(score: u8) -> Level {
        let mut level = Level::default();
        level.moved(hour(0), Some(score), None);
        level
    }

    #[test]
    fn what_is_over_fades_by_half_every_six_hours() {
        let level = level(96);
        for (at, score) in [
            (-1, 96),
            (0, 96),
            (3, 72),
            (6, 48),
            (12, 24),
            (18, 12),
            (480, 0),
        ] {
            assert_eq!(level.score(hour(at), None), score, "after {at} h");
        }
    }

    #[test]
    fn what_stands_does_not_fade() {
        assert_eq!(level(96).score(hour(24), Some(75)), 75);
    }

    #[test]
    fn every_alarm_is_the_first_moment_of_news() {
        let mut level = level(95);
        let none = EventTime::MIN;
        level.tell(level.risk(hour(0), None, false), none, hour(0), None);
        let mut told = Vec::new();
        while level.alarm() != EventTime::MAX {
            let at = level.alarm();
            let before = level.risk(at - Span::from_micros(1), None, false);
            assert!(!level.is_news(before, none));
            let risk = level.risk(at, None, false);
            assert!(level.is_news(risk, none));
            told.push(risk.score.unwrap());
            level.tell(risk, none, at, None);
        }
        assert_eq!(told.first(), Some(&94), "the band changes below 95");
        assert!(told.len() < 20 && *told.last().unwrap() < 5, "{told:?}");
    }

    #[test]
    fn unknown_replaces_only_low_and_never_an_open_episode() {
        let level = level(80);
        assert_eq!(level.risk(hour(0), None, true).band, Band::High);
        assert_eq!(level.risk(hour(24), None, true), Risk::UNKNOWN);
        assert_eq!(level.risk(hour(24), None, false).band, Band::Low);
        assert_eq!(level.risk(hour(24), Some(25), true).band, Band::Low);
    }

    #[test]
    fn the_smallest_and_largest_times_do_no_harm() {
        let mut level = level(100);
        for at in [EventTime::MIN, EventTime::MAX] {
            level.tell(level.risk(at, None, false), EventTime::MIN, at, None);
            level.lift(24, at, None);
            level.rearm(at, None);
        }
    }
}
