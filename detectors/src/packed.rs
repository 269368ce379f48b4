//! Evidence in two bytes, for detectors that keep many bets.

use serde::{Deserialize, Serialize};

use crate::standing::step;
use crate::stats::evidence::Bets;

/// The evidence of one bet as a logarithm in 640ths, so that it takes two bytes; 0 is none. It is
/// rounded down, which keeps its promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bet(u16);

impl Bet {
    /// Logarithm of the smallest evidence that is kept.
    const LEAST: f32 = -70.0;
    const UNITS: f32 = 640.0;

    pub(crate) fn total(self) -> f32 {
        match self.0.checked_sub(1) {
            Some(units) => (f32::from(units) / Self::UNITS + Self::LEAST).exp(),
            None => 0.0,
        }
    }

    fn of(evidence: f32) -> Self {
        let units = (evidence.ln() - Self::LEAST) * Self::UNITS;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 51,000: evidence is held at CRITICAL"
        )]
        let units = units.max(0.0) as u16;
        Self(if evidence > 0.0 { units + 1 } else { 0 })
    }

    /// One step of a single bet, held at what is enough.
    pub(crate) fn step(&mut self, stake: f32, e: f32) {
        let mut bets = [*self];
        step_all(&mut bets, stake, &[e]);
        [*self] = bets;
    }
}

/// One step of an e-detector, its sum held at what is enough.
pub(crate) fn step_all<const K: usize>(packed: &mut [Bet; K], stake: f32, e: &[f32; K]) {
    let mut bets = Bets::from_each(packed.map(Bet::total));
    step(&mut bets, stake, e);
    *packed = bets.each().map(Bet::of);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packing_never_adds_evidence_and_loses_little(
            steps in proptest::collection::vec((0.0_f32..0.1, 0.05_f32..4.0), 1..200),
        ) {
            let (mut packed, mut plain) = (Bet::default(), Bets::<1>::default());
            for (taken, (stake, e)) in steps.into_iter().enumerate() {
                packed.step(stake, e);
                step(&mut plain, stake, &[e]);
                let (packed, plain) = (packed.total(), plain.total());
                prop_assert!(packed <= plain * 1.000_1);
                let lost = 1.0 / 600.0 * f32::from(u16::try_from(taken + 1).unwrap());
                prop_assert!(packed >= plain * (-lost).exp() * 0.999 || plain < 1e-29);
            }
        }
    }
}
