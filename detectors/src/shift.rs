//! Has the level of an hourly number shifted for good? What volume and connection rate share:
//! score, whiten, bet on both sides, remember for how long.
//!
//! A detector turns the number of a closed window into a standard normal score; this takes the
//! device's own level and the hour before out of it, and accumulates the rest as evidence
//! (stats.md §4.1, §5.1). More than usual is bet on with three quarters of the stake.

use std::sync::Arc;

use andon_schemas::finding::{Basis, Confidence};
use andon_schemas::time::PlantClock;
use serde::{Deserialize, Serialize};

use crate::facts::CloseFacts;
use crate::law::{Law, SPIKES_ABOVE};
use crate::standing::{Standing, WRITTEN, step};
use crate::stats::evidence::{Arming, Bets, Purse, Stake};
use crate::stats::score::LEVELS;
use crate::stats::tilts::{Side, Tilts};
use crate::stats::whiten::{WhitenPlan, Whitener};
use crate::words::multiple_text;

/// Part of the stake that is put on more than usual.
const UP_PART: f32 = 0.75;
/// A written range without width is read as so much either way.
const UNWRITTEN_WIDTH: f64 = 1.1;
/// The level learns nothing while evidence is this strong, but for so many hours at most.
pub(crate) const HOLD_FROM: f32 = LEVELS[2];
const HOLD_HOURS_MAX: u16 = 72;
/// Hourly windows of a day.
pub(crate) const WINDOWS_PER_DAY: f32 = 24.0;

/// How an hourly number of a device type is weighed; shared by all its devices.
#[derive(Clone, Debug)]
pub(crate) struct ShiftPlan {
    whiten: WhitenPlan,
    stake: Stake,
    clock: Arc<PlantClock>,
    /// What takes the place of the written range, where it was learned.
    law: Option<Arc<Law>>,
    /// What a single hour above nearly all clean ones is worth, for each unit of the hour's stake.
    spike: f32,
}

/// What a device remembers of an hourly number: 76 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shift {
    whitener: Whitener,
    up: Bets<4>,
    down: Bets<4>,
    purse: Purse,
    /// Hour of the last window taken.
    hour: i32,
    /// Sum of the log ratios to the middle of the type since evidence began to rise.
    ln_sum: f32,
    /// Evidence of the last window by itself, if it was above nearly all clean ones.
    spike: f32,
    /// Windows in that sum.
    hours: u16,
    arming: Arming,
}

/// A window as it is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// Hours since the epoch.
    pub hour: i32,
    /// Standard normal score of the number against the written range.
    pub score: f64,
    /// Logarithm of the number over the middle of its range.
    pub ln_ratio: f64,
    /// Logarithm of the number itself.
    pub ln_value: f64,
}

impl ShiftPlan {
    /// Weighs scores against a written range whose logarithm has standard deviation `sigma_log`.
    pub(crate) fn written(sigma_log: f64, stake: f32, clock: Arc<PlantClock>) -> Self {
        Self::new(WhitenPlan::written(sigma_log), stake, clock)
    }

    /// Weighs scores that are whitened in their own way.
    pub(crate) fn new(whiten: WhitenPlan, stake: f32, clock: Arc<PlantClock>) -> Self {
        Self {
            whiten,
            stake: Stake::new(stake, WINDOWS_PER_DAY),
            clock,
            law: None,
            spike: 0.0,
        }
    }

    /// The same by a law that was learned, if there is one.
    pub(crate) fn learned(self, law: Option<Arc<Law>>) -> Self {
        match law {
            Some(law) => Self {
                whiten: law.whiten(),
                law: Some(law),
                ..self
            },
            None => self,
        }
    }

    /// The same with a lane for single hours, on which this part of the stake is put: calibrated
    /// steps are worth some six nats an hour at most, however large it is (stats.md §7.3). Its bet
    /// is that an hour exceeds the third highest clean score, an e-value of one over the bound on that
    /// or of zero, so that nothing is left of it in the hour after. Without highest scores the
    /// whole stake stays where it is.
    pub(crate) fn with_spikes(self, part: f32) -> Self {
        let Some(spike) = self.law.as_ref().and_then(|law| law.spike()) else {
            return self;
        };
        let bound = narrow(spike.bound).next_up();
        Self {
            stake: Stake::new(self.stake.per_day() * (1.0 - part), WINDOWS_PER_DAY),
            spike: part / (1.0 - part) / bound,
            ..self
        }
    }

    /// Evidence of one hour by itself.
    fn spike(&self, z: f64, staked: f32) -> f32 {
        let spike = self.law.as_ref().and_then(|law| law.spike());
        match spike {
            Some(spike) if spike.is_exceeded(z) => (self.spike * staked).min(LEVELS[3]),
            _ => 0.0,
        }
    }

    /// A look as it is weighed: the score that goes into whitening, and the logarithm of the ratio
    /// to what the type does in such an hour.
    fn weighed(&self, look: Look) -> (f64, f64) {
        let learned = self.law.as_ref();
        learned.map_or((look.score, look.ln_ratio), |law| {
            let remainder = law.remainder(look.hour, look.ln_value, &self.clock);
            (remainder, remainder)
        })
    }

    /// The e-values of an innovation on one side.
    fn e_values(&self, z: f64, side: Side) -> [f32; 4] {
        match &self.law {
            Some(law) => law.e_values(z, side),
            None => Tilts::WRITTEN.e_values(z, side),
        }
    }

    /// What is expected of a device in an hour, in the unit of the number: by the learned law, or
    /// what `written` makes of the level of the device, a standard normal score.
    pub(crate) fn expected(
        &self,
        before: &Shift,
        hour: i32,
        written: impl FnOnce(f64) -> f64,
    ) -> f64 {
        let level = f64::from(before.whitener.level());
        match &self.law {
            Some(law) => law.expected(hour, level, &self.clock),
            None => written(level),
        }
    }

    /// What its evidence rests on.
    pub(crate) fn confidence(&self) -> Confidence {
        self.law.as_ref().map_or(WRITTEN, |law| Confidence {
            basis: Basis::Calibrated,
            n: law.windows(),
        })
    }
}

impl Shift {
    /// What is remembered after a window. Pure, so that a stored state explains itself.
    pub(crate) fn after(&self, plan: &ShiftPlan, look: Look) -> Self {
        let mut next = *self;
        let start = andon_schemas::time::Span::HOUR.times(i64::from(look.hour));
        let moment = andon_schemas::time::EventTime::from_micros(start.micros());
        let staked = plan
            .stake
            .draw(&mut next.purse, plan.clock.local(moment).day);
        let gap = u32::try_from(look.hour.saturating_sub(self.hour)).unwrap_or(1);
        let hold = self.evidence() >= HOLD_FROM && self.hours < HOLD_HOURS_MAX;
        let (score, ln_ratio) = plan.weighed(look);
        let z = next.whitener.step(&plan.whiten, score, gap, hold);
        let e = |side| plan.e_values(z, side);
        step(&mut next.up, staked * UP_PART, &e(Side::Up));
        step(&mut next.down, staked * (1.0 - UP_PART), &e(Side::Down));
        next.spike = plan.spike(z, staked);
        next.hour = look.hour;
        if next.evidence() < plan.stake.per_day() {
            (next.hours, next.ln_sum) = (0, 0.0);
        } else {
            next.hours = self.hours.saturating_add(1);
            next.ln_sum = self.ln_sum + narrow(ln_ratio);
        }
        next
    }

    /// Takes a window in; says what that came to.
    pub(crate) fn take(&mut self, plan: &ShiftPlan, look: Look) -> Standing {
        *self = self.after(plan, look);
        let evidence = self.evidence();
        Standing::of(&mut self.arming, evidence)
    }

    /// What the last window came to could not be told: the next one will tell it. The evidence
    /// stays as it is.
    pub(crate) fn tell_later(&mut self, before: &Self) {
        self.arming = before.arming;
    }

    /// Evidence of both sides and of the last hour by itself, in device-days per false alarm.
    pub(crate) fn evidence(&self) -> f32 {
        self.up.total() + self.down.total() + self.spike
    }

    /// Evidence of the last hour by itself.
    #[cfg(test)]
    pub(crate) const fn spike_evidence(&self) -> f32 {
        self.spike
    }

    /// The clean hours that the last one is above, if most of the evidence is that it is.
    fn above_all(&self, plan: &ShiftPlan) -> Option<u64> {
        let leads = self.spike > self.up.total() + self.down.total();
        let spike = plan.law.as_ref()?.spike()?;
        leads.then_some(spike.windows)
    }

    /// The side on which more evidence lies.
    pub(crate) fn side(&self) -> Side {
        if self.up.total() + self.spike >= self.down.total() {
            Side::Up
        } else {
            Side::Down
        }
    }

    /// What would clear it. A level is followed only so far from the one that the device's first
    /// week has set: beyond that it is a person who says that it is right.
    pub(crate) fn clears(&self, plan: &ShiftPlan) -> String {
        if self.above_all(plan).is_some() {
            return "The next hour, unless it is as high.".to_owned();
        }
        let mut clears =
            "Hours like those of this device, until the evidence has fallen tenfold".to_owned();
        if self.whitener.has_drifted(&plan.whiten) {
            clears.push_str(
                "; its level was followed as far as it may be, and only a new version of the \
                 profile takes it further",
            );
        }
        clears + "."
    }

    /// For how many hours evidence has been rising; the present one is the first.
    pub(crate) fn hours(&self) -> u16 {
        self.hours.max(1)
    }

    /// How many times the middle of its type, on average over these hours.
    pub(crate) fn ratio(&self) -> f64 {
        (f64::from(self.ln_sum) / f64::from(self.hours())).exp()
    }

    /// `For 9 hours it has moved about 1.6 times what its type does`: `done` is what it has done,
    /// `of` what the multiple is of.
    pub(crate) fn sentence(&self, plan: &ShiftPlan, done: &str, of: &str) -> String {
        if let Some(windows) = self.above_all(plan) {
            return format!(
                "In this hour it has {done} more times {of} its type does than in all but \
                 {SPIKES_ABOVE} of {windows} clean hours"
            );
        }
        let span = match self.hours() {
            1 => "For an hour".to_owned(),
            hours => format!("For {hours} hours"),
        };
        let ratio = multiple_text(self.ratio());
        format!("{span} it has {done} about {ratio} times {of} its type does")
    }
}

/// Whether a window can be compared with a full hour of work.
pub(crate) fn is_whole(facts: &CloseFacts) -> bool {
    facts.active_share >= 1.0 && !facts.partial && facts.hours() == 1 && !facts.pane.is_empty()
}

/// A written range as ends with a geometric middle: a single value is given a width, and the lower
/// end of a range that begins at 0 is what mirrors the upper one in the baseline.
pub(crate) fn ends(lo: f64, hi: f64, baseline: f64) -> (f64, f64) {
    if lo <= 0.0 {
        (baseline * (baseline / hi).min(1.0), hi.max(baseline))
    } else if hi > lo {
        (lo, hi)
    } else {
        (lo / UNWRITTEN_WIDTH, lo * UNWRITTEN_WIDTH)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "state is single precision by design"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::dice::Dice;

    fn plan() -> ShiftPlan {
        let clock = Arc::new(PlantClock::new("Europe/Berlin").unwrap());
        ShiftPlan::written(0.28, 0.2, clock)
    }

    /// Hours of a device a fifth above its type, with a memory of 0.4, on which `shift` comes after
    /// a week.
    fn hours_to_find(seed: u64, shift: f64) -> Option<i32> {
        let (plan, mut dice, mut memory) = (plan(), Dice(seed), Shift::default());
        let mut noise = 0.0;
        for hour in 0..168 * 3 {
            noise = 0.4 * noise + 0.916 * 0.85 * dice.normal();
            let moved = if hour < 168 { 0.0 } else { shift };
            let look = Look {
                hour: 490_000 + hour,
                score: 0.65 + noise + moved,
                ln_ratio: 0.28 * (0.65 + noise + moved),
                ln_value: 0.28 * (0.65 + noise + moved),
            };
            if memory.take(&plan, look) == Standing::Stands {
                return Some(hour - 168);
            }
        }
        None
    }

    #[test]
    fn an_end_that_could_not_be_told_is_told_with_the_next_window() {
        let (plan, mut memory) = (plan(), Shift::default());
        let look = |hour, score| Look {
            hour: 490_000 + hour,
            score,
            ln_ratio: 0.28 * score,
            ln_value: 0.28 * score,
        };
        let mut hour = 0;
        while memory.take(&plan, look(hour, 3.0)) != Standing::Stands {
            hour += 1;
            assert!(hour < 500, "a large shift is found");
        }
        loop {
            hour += 1;
            assert!(hour < 1_000, "it ends once the device is back");
            let before = memory;
            if memory.take(&plan, look(hour, -1.0)) == Standing::Fallen {
                memory.tell_later(&before);
                break;
            }
        }
        assert_eq!(memory.take(&plan, look(hour + 1, -1.0)), Standing::Fallen);
    }

    #[test]
    fn half_as_much_again_is_found_within_two_days_and_an_honest_device_is_silent() {
        // ln 1.5 / 0.28
        let found: Vec<_> = (0..40).map(|seed| hours_to_find(seed, 1.45)).collect();
        let in_time = found.iter().flatten().filter(|h| (0..48).contains(*h));
        assert!(in_time.count() >= 36, "{found:?}");
        let honest = (100..140).filter_map(|seed| hours_to_find(seed, 0.0));
        assert!(honest.count() <= 2);
    }

    #[test]
    fn state_is_compact_and_survives_a_snapshot() {
        assert!(size_of::<Shift>() <= 76, "{}", size_of::<Shift>());
        let look = Look {
            hour: 490_000,
            score: 2.0,
            ln_ratio: 0.6,
            ln_value: 0.6,
        };
        let memory = Shift::default().after(&plan(), look);
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Shift>(&text).unwrap(), memory);
    }

    #[test]
    fn ranges_without_a_middle_or_a_width_get_one() {
        assert_eq!(ends(50.0, 150.0, 86.6), (50.0, 150.0));
        assert_eq!(ends(0.0, 40.0, 20.0), (10.0, 40.0));
        let (lo, hi) = ends(10.0, 10.0, 10.0);
        assert!(lo < 10.0 && hi > 10.0);
    }
}
