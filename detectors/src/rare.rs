//! Evidence from events that should be rare: one Bernoulli step per event that could have been
//! one, staked by the day, reported while it stands.

use serde::{Deserialize, Serialize};

use crate::detector::Signal;
use crate::standing::{self, Standing};
use crate::stats::bernoulli::{BernoulliBets, Chance};
use crate::stats::evidence::{Arming, Bets, Purse, Stake};

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

    /// Takes a step on plant day `day`: what it came to, as a signal. Only a step in which the rare
    /// event happened is worth telling.
    pub(crate) fn weigh<I>(
        &self,
        weight: &mut Weight<K>,
        (day, happened): (i32, bool),
        magnitude: f64,
        inputs: impl FnOnce(Step<K>) -> I,
    ) -> Signal<I> {
        let step = Step {
            before: weight.evidence,
            staked: self.stake.draw(&mut weight.purse, day),
            happened,
        };
        weight.evidence = self.after(&step);
        let evidence = weight.evidence.total();
        match Standing::of(&mut weight.arming, evidence) {
            Standing::Stands if !happened => Signal::Quiet,
            standing => standing.signal(evidence, magnitude, || inputs(step)),
        }
    }

    /// Evidence after a step, in device-days per false alarm.
    pub(crate) fn evidence(&self, step: &Step<K>) -> f32 {
        self.after(step).total()
    }

    /// The score after a step.
    pub(crate) fn score(&self, step: &Step<K>) -> u8 {
        standing::score(self.evidence(step))
    }

    fn after(&self, step: &Step<K>) -> Bets<K> {
        let mut evidence = step.before;
        standing::step(
            &mut evidence,
            step.staked,
            self.bets.e_values(step.happened),
        );
        evidence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play(happenings: impl Iterator<Item = bool>) -> Vec<Signal<Step<2>>> {
        let scales = Scales::of_coverage(0.95, [4.0, 10.0], 1.0, 24.0).unwrap();
        let mut weight = Weight::default();
        happenings
            .map(|happened| scales.weigh(&mut weight, (20_000, happened), 1.0, |step| step))
            .collect()
    }

    #[test]
    fn what_happens_as_rarely_as_written_stays_quiet() {
        let signals = play((1..2_000).map(|step| step % 20 == 0));
        assert!(signals.iter().all(|signal| *signal == Signal::Quiet));
    }

    #[test]
    fn what_happens_often_stands_and_falls_back_once() {
        let signals = play((0..60).map(|step| step < 6));
        let seen = |signal: &&Signal<_>| matches!(signal, Signal::Seen(_));
        assert!((1..6).contains(&signals.iter().filter(seen).count()));
        let over = signals.iter().filter(|signal| **signal == Signal::Over);
        assert_eq!(over.count(), 1);
    }

    #[test]
    fn what_stands_is_told_again_only_when_it_happens_again() {
        let signals = play([true, true, true, false, true].into_iter());
        assert!(matches!(signals[2], Signal::Seen(_)));
        assert_eq!(signals[3], Signal::Quiet);
        assert!(matches!(signals[4], Signal::Seen(_)));
    }

    #[test]
    fn a_coverage_that_is_no_share_weighs_nothing() {
        for coverage in [0.0, 1.0, f64::NAN] {
            assert!(Scales::of_coverage(coverage, [4.0], 1.0, 24.0).is_none());
        }
    }
}
