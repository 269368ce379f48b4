//! Evidence from events that should be rare: one Bernoulli step per event that could have been
//! one, staked by the day, reported while it stands.

use andon_schemas::finding::{Basis, Confidence};
use serde::{Deserialize, Serialize};

use crate::stats::bernoulli::{BernoulliBets, Chance};
use crate::stats::evidence::{Arming, Bets, Purse, Stake};
use crate::stats::score::{LEVELS, score_of};

/// What the evidence of a written range rests on.
pub(crate) const WRITTEN: Confidence = Confidence {
    basis: Basis::Written,
    n: 0,
};

/// How steps are weighed; shared by all devices of a type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scales<const K: usize> {
    bets: BernoulliBets<K>,
    stake: Stake,
}

/// The evidence of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Weight<const K: usize> {
    evidence: Bets<K>,
    purse: Purse,
    arming: Arming,
}

/// One step as it was taken: enough to take it again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step<const K: usize> {
    before: Bets<K>,
    staked: f32,
    happened: bool,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Balance<const K: usize> {
    /// Too little to speak of, or nothing new to say.
    Quiet,
    /// The rare event happened and evidence stands at LOW or above.
    Stands(Step<K>),
    /// Evidence has fallen back tenfold below LOW.
    Fallen,
}

impl<const K: usize> Scales<K> {
    /// Weighs an event of which honest devices show at most the share that a written `coverage`
    /// leaves outside, against its being `factors` times as likely. `stake` is spent on at most
    /// `steps_per_day`. `None` if the coverage is no share.
    pub(crate) fn of_coverage(
        coverage: f64,
        factors: [f64; K],
        stake: f32,
        steps_per_day: f32,
    ) -> Option<Self> {
        let pbar = 1.0 - coverage;
        Some(Self {
            bets: BernoulliBets::new(Chance { pbar }, factors).ok()?,
            stake: Stake::new(stake, steps_per_day),
        })
    }

    /// Takes a step on plant day `day`.
    pub(crate) fn weigh(&self, weight: &mut Weight<K>, day: i32, happened: bool) -> Balance<K> {
        let step = Step {
            before: weight.evidence,
            staked: self.stake.draw(&mut weight.purse, day),
            happened,
        };
        weight.evidence = self.after(&step);
        let stood = weight.arming.standing() > 0;
        weight.arming.update(weight.evidence.total(), &LEVELS);
        match (weight.arming.standing() > 0, stood) {
            (true, _) if happened => Balance::Stands(step),
            (false, true) => Balance::Fallen,
            _ => Balance::Quiet,
        }
    }

    /// Evidence after a step, in device-days per false alarm.
    pub(crate) fn evidence(&self, step: &Step<K>) -> f32 {
        self.after(step).total()
    }

    /// The score after a step.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a score lies between 0 and 100"
    )]
    pub(crate) fn score(&self, step: &Step<K>) -> u8 {
        score_of(self.evidence(step)).round() as u8
    }

    fn after(&self, step: &Step<K>) -> Bets<K> {
        let mut evidence = step.before;
        evidence.step(step.staked, self.bets.e_values(step.happened));
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(happenings: impl Iterator<Item = bool>) -> Vec<Balance<2>> {
        let scales = Scales::of_coverage(0.95, [4.0, 10.0], 1.0, 24.0).unwrap();
        let mut weight = Weight::default();
        happenings
            .map(|happened| scales.weigh(&mut weight, 20_000, happened))
            .collect()
    }

    #[test]
    fn what_happens_as_rarely_as_written_stays_quiet() {
        let balances = play((1..2_000).map(|step| step % 20 == 0));
        assert!(balances.iter().all(|balance| *balance == Balance::Quiet));
    }

    #[test]
    fn what_happens_often_stands_and_falls_back_once() {
        let balances = play((0..60).map(|step| step < 6));
        let stands = |balance: &&Balance<2>| matches!(balance, Balance::Stands(_));
        assert!((1..6).contains(&balances.iter().filter(stands).count()));
        let fallen = balances
            .iter()
            .filter(|balance| **balance == Balance::Fallen)
            .count();
        assert_eq!(fallen, 1);
    }

    #[test]
    fn a_coverage_that_is_no_share_weighs_nothing() {
        for coverage in [0.0, 1.0, f64::NAN] {
            assert!(Scales::of_coverage(coverage, [4.0], 1.0, 24.0).is_none());
        }
    }
}
