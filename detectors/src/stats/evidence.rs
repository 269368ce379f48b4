//! Budgeted e-detectors: how evidence accumulates, and what an alarm at a level promises.
//!
//! Every step multiplies a detector's evidence by an e-value `e` with mean at most 1 while the
//! device behaves as learned, after a small stake has been put in: `M = (M + c) e`, the
//! Shiryaev–Roberts form of Shin, Ramdas and Rinaldo, "E-detectors" (arXiv 2203.03532). If the
//! stakes of all detectors together are at most 1 per device-day, then, for any dependence
//! between devices, detectors and clocks,
//!
//! ```text
//! E[alarms at level A] <= h/(h-1) * device-days / A        h = 10: 1.11 per A device-days
//! ```
//!
//! when an alarm disarms its level until the evidence has fallen to `A/h`. (Keep a cash account:
//! draw `M >= A` at each alarm, pay back at most `A/h` at each re-arming; cash plus evidence minus
//! what was paid in is a supermartingale from 0.) Detectors on one clock are *summed*; over
//! several clocks the *largest* sum counts.
//!
//! One multiply-add per bet and step, nothing transcendental.

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Evidence is held at this value: far above every level, far below the end of `f32`.
pub const EVIDENCE_MAX: f32 = 1e30;
/// Below this evidence is nothing; it also keeps the arithmetic out of slow subnormal numbers.
const EVIDENCE_MIN: f32 = 1e-30;

/// How far evidence must fall below a level before that level can alarm again.
pub const HYSTERESIS: f32 = 10.0;

/// The level at which the alarms of a fleet stay within a number of false ones a day, in
/// device-days: `h/(h-1) * devices / alarms` (stats.md §8), under any dependence.
#[expect(clippy::cast_precision_loss, reason = "no fleet has 2^53 devices")]
pub fn level_for(devices: u64, alarms_per_day: f64) -> f64 {
    let h = f64::from(HYSTERESIS);
    h / (h - 1.0) * devices as f64 / alarms_per_day
}

/// The evidence of one detector: K bets on different sizes of the same deviation, in device-days
/// of stake (how long one would wait to see as much by chance).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bets<const K: usize> {
    m: [f32; K],
}

impl<const K: usize> Default for Bets<K> {
    fn default() -> Self {
        Self { m: [0.0; K] }
    }
}

impl<const K: usize> Bets<K> {
    /// So much evidence on each bet; what is no evidence is none.
    pub fn from_each(each: [f32; K]) -> Self {
        let held = |m: f32| if m > 0.0 { m.min(EVIDENCE_MAX) } else { 0.0 };
        Self { m: each.map(held) }
    }

    /// One step: `stake` is put in, in equal parts on every bet, then each bet is multiplied by
    /// its e-value.
    ///
    /// The stake must be fixed before the e-values are seen. An e-value that is negative or not a
    /// number says nothing, and its bet stays as it was.
    #[inline]
    pub fn step(&mut self, stake: f32, e: &[f32; K]) {
        #[expect(clippy::cast_precision_loss, reason = "K is a handful")]
        let part = stake / K as f32;
        for (m, &e) in self.m.iter_mut().zip(e) {
            let next = (*m + part) * e;
            if next >= EVIDENCE_MIN {
                *m = next.min(EVIDENCE_MAX);
            } else if next >= 0.0 {
                *m = 0.0;
            }
        }
    }

    /// Evidence of the detector: the sum over its bets, in device-days.
    #[inline]
    pub fn total(&self) -> f32 {
        self.m.iter().sum()
    }

    /// Evidence bet by bet, for an explanation that names the size of deviation that fits best.
    pub const fn each(&self) -> &[f32; K] {
        &self.m
    }

    /// The index of the strongest bet; the first one among equals.
    pub fn leading(&self) -> usize {
        let mut best = 0;
        for (index, m) in self.m.iter().enumerate() {
            if *m > self.m[best] {
                best = index;
            }
        }
        best
    }
}

impl<const K: usize> Serialize for Bets<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(K)?;
        for m in &self.m {
            tuple.serialize_element(m)?;
        }
        tuple.end()
    }
}

impl<'de, const K: usize> Deserialize<'de> for Bets<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(K, BetsVisitor)
    }
}

struct BetsVisitor<const K: usize>;

impl<'de, const K: usize> Visitor<'de> for BetsVisitor<K> {
    type Value = Bets<K>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the evidence of {K} bets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bets<K>, A::Error> {
        let mut m = [0.0; K];
        for (index, slot) in m.iter_mut().enumerate() {
            let value: f32 = seq
                .next_element()?
                .ok_or_else(|| A::Error::invalid_length(index, &self))?;
            if !(0.0..=EVIDENCE_MAX).contains(&value) {
                return Err(A::Error::custom(format!(
                    "evidence `{value}` is not in 0..=1e30"
                )));
            }
            *slot = value;
        }
        Ok(Bets { m })
    }
}

/// What a detector may put in per device-day, and in which portions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stake {
    per_day: f32,
    per_step: f32,
}

impl Stake {
    /// `per_day` device-days of stake over `steps_per_day` nominal steps.
    ///
    /// Fewer than one step a day is taken as one: a stake is not saved up. A share that is not a
    /// positive number stakes nothing.
    pub fn new(per_day: f32, steps_per_day: f32) -> Self {
        let per_day = if per_day > 0.0 { per_day.min(1.0) } else { 0.0 };
        Self {
            per_day,
            per_step: per_day / steps_per_day.max(1.0),
        }
    }

    /// Stake per device-day.
    pub const fn per_day(&self) -> f32 {
        self.per_day
    }

    /// The stake of the next step on plant day `day`; nothing once the day's share is spent, so
    /// that a chatty device gets no more chances than a quiet one.
    ///
    /// A day before the one last drawn from (clocks do step back) draws from the later day.
    #[inline]
    pub fn draw(&self, purse: &mut Purse, day: i32) -> f32 {
        if day > purse.day {
            *purse = Purse { day, steps: 0 };
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "steps stop at the nominal number"
        )]
        let left = self.per_day - purse.steps as f32 * self.per_step;
        if left <= 0.0 {
            return 0.0;
        }
        purse.steps += 1;
        left.min(self.per_step)
    }
}

/// How much of the day's stake a detector of one device has used: the state beside a [`Stake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    day: i32,
    steps: u32,
}

impl Default for Purse {
    fn default() -> Self {
        Self {
            day: i32::MIN,
            steps: 0,
        }
    }
}

/// Which levels have alarmed and not yet been armed again: one bit per level, all armed at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arming {
    raised: u8,
}

/// What an update of [`Arming`] changed, one bit per level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crossing {
    /// Levels that alarmed in this step.
    pub raised: u8,
    /// Levels that are armed again from this step on.
    pub rearmed: u8,
}

impl Arming {
    /// Compares evidence with `levels` (ascending, at most eight): an armed level alarms at `A`
    /// and is armed again at `A / h`.
    ///
    /// `evidence` may be that of one clock or the largest over all clocks; the promise holds for
    /// both, since a level that is armed again has every clock below `A / h`.
    #[inline]
    pub fn update(&mut self, evidence: f32, levels: &[f32]) -> Crossing {
        let mut crossing = Crossing::default();
        for (index, level) in levels.iter().take(8).enumerate() {
            let bit = 1 << index;
            if self.raised & bit == 0 && evidence >= *level {
                crossing.raised |= bit;
            } else if self.raised & bit != 0 && evidence <= *level / HYSTERESIS {
                crossing.rearmed |= bit;
            }
        }
        self.raised = (self.raised | crossing.raised) & !crossing.rearmed;
        crossing
    }

    /// How many levels stand raised; levels are ascending, so this is also the highest one.
    pub const fn standing(self) -> u32 {
        u8::BITS - self.raised.leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Dice;
    use super::super::score::LEVELS;
    use super::super::tilts::{Side, Tilts};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn state_is_compact() {
        assert_eq!(size_of::<Bets<4>>(), 16);
        assert_eq!(size_of::<Purse>(), 8);
        assert_eq!(size_of::<Arming>(), 1);
    }

    #[test]
    fn a_day_never_stakes_more_than_its_share() {
        let stake = Stake::new(0.08, 24.0);
        let mut purse = Purse::default();
        for day in 20_000..20_003 {
            let staked: f32 = (0..500).map(|_| stake.draw(&mut purse, day)).sum();
            assert!((staked - 0.08).abs() < 1e-6, "day {day} staked {staked}");
            assert_eq!(stake.draw(&mut purse, day - 1).to_bits(), 0);
        }
    }

    #[test]
    fn a_level_is_silent_until_evidence_has_fallen_tenfold() {
        let mut arming = Arming::default();
        let raised = |arming: &mut Arming, m| arming.update(m, &LEVELS).raised;
        assert_eq!(raised(&mut arming, 150.0), 0b11);
        assert_eq!(arming.standing(), 2);
        assert_eq!(raised(&mut arming, 11.0), 0);
        assert_eq!(raised(&mut arming, 150.0), 0);
        assert_eq!(arming.update(10.0, &LEVELS).rearmed, 0b10);
        assert_eq!(raised(&mut arming, 150.0), 0b10);
    }

    /// 200 devices for 200 days on two clocks, 24 windows and 48 episodes a day, as honest as the
    /// null: the promise is 1.11 alarms per `A` device-days.
    #[test]
    fn honest_devices_alarm_less_often_than_promised() {
        let (devices, days, level) = (200, 200, [20.0]);
        let window = Stake::new(0.5, 24.0);
        let episode = Stake::new(0.5, 48.0);
        let tilts = Tilts::default();
        let mut dice = Dice(7);
        let mut alarms = 0_u32;
        for _ in 0..devices {
            let (mut slow, mut fast) = (Bets::<4>::default(), Bets::<1>::default());
            let (mut slow_purse, mut fast_purse) = (Purse::default(), Purse::default());
            let (mut slow_arming, mut fast_arming) = (Arming::default(), Arming::default());
            for step in 0..days * 48 {
                let e = if dice.uniform() < 0.1 {
                    [2.5]
                } else {
                    [0.75 / 0.9]
                };
                fast.step(episode.draw(&mut fast_purse, step / 48), &e);
                alarms += u32::from(fast_arming.update(fast.total(), &level).raised);
                if step % 2 == 1 {
                    let e = tilts.e_values(dice.normal(), Side::Up);
                    slow.step(window.draw(&mut slow_purse, step / 48), &e);
                    alarms += u32::from(slow_arming.update(slow.total(), &level).raised);
                }
            }
        }
        let per_level = f64::from(alarms) * 20.0 / f64::from(devices * days);
        assert!(per_level <= 1.11, "{alarms} alarms, {per_level} per level");
        assert!(
            per_level > 0.2,
            "a bound that is never approached tests nothing: {per_level}"
        );
    }

    #[test]
    fn evidence_survives_a_snapshot_and_damage_is_refused() {
        let mut bets = Bets::<3>::default();
        bets.step(0.3, &[1.0, 2.0, 40.0]);
        let text = serde_json::to_string(&bets).unwrap();
        assert_eq!(serde_json::from_str::<Bets<3>>(&text).unwrap(), bets);
        assert_eq!(bets.leading(), 2);
        for damaged in ["[0.0,0.0]", "[0.0,-1.0,0.0]", "[0.0,1e31,0.0]"] {
            assert!(
                serde_json::from_str::<Bets<3>>(damaged).is_err(),
                "{damaged} was accepted"
            );
        }
    }

    proptest! {
        #[test]
        fn no_e_value_breaks_the_evidence(
            es in proptest::collection::vec(proptest::num::f32::ANY, 1..200), stake in 0.0..1.0_f32,
        ) {
            let mut bets = Bets::<1>::default();
            for e in es {
                bets.step(stake, &[e]);
                prop_assert!((0.0..=EVIDENCE_MAX).contains(&bets.total()));
            }
        }

        #[test]
        fn no_stake_or_day_breaks_the_budget(
            share in proptest::num::f32::ANY, steps in proptest::num::f32::ANY,
            days in proptest::collection::vec(any::<i32>(), 1..100),
        ) {
            let stake = Stake::new(share, steps);
            let mut purse = Purse::default();
            for day in days {
                let drawn = stake.draw(&mut purse, day);
                prop_assert!((0.0..=1.0).contains(&drawn));
            }
        }
    }
}
