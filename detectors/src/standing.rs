//! When accumulated evidence speaks: from the first level on, until it has fallen back tenfold.
//! Statistical detectors ask this after every step, before anything is put into words.

use andon_schemas::finding::{Basis, Confidence};

use crate::detector::{Sighting, Signal};
use crate::stats::evidence::{Arming, Bets};
use crate::stats::score::{LEVELS, score_of};

/// Evidence is held at CRITICAL: more would prove nothing more, and would only make the end of a
/// deviation slow to be seen. Lowering evidence never breaks its promise.
const EVIDENCE_ENOUGH: f32 = LEVELS[3];

/// What the evidence of a written range rests on.
pub(crate) const WRITTEN: Confidence = Confidence {
    basis: Basis::Written,
    n: 0,
};

/// What a step of evidence came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Too little to speak of, or falling and not yet over.
    Quiet,
    /// At LOW or above.
    Stands,
    /// It stood and has fallen back tenfold below LOW.
    Fallen,
}

impl Standing {
    /// Compares evidence, in device-days per false alarm, with the levels.
    pub(crate) fn of(arming: &mut Arming, evidence: f32) -> Self {
        let stood = arming.standing() > 0;
        arming.update(evidence, &LEVELS);
        match (arming.standing() > 0, stood) {
            (true, _) if evidence >= LEVELS[0] => Self::Stands,
            (false, true) => Self::Fallen,
            _ => Self::Quiet,
        }
    }

    /// The signal of a statistic: its sighting is made only if evidence stands.
    pub(crate) fn signal<I>(
        self,
        evidence: f32,
        magnitude: f64,
        inputs: impl FnOnce() -> I,
    ) -> Signal<I> {
        match self {
            Self::Quiet => Signal::Quiet,
            Self::Fallen => Signal::Over,
            Self::Stands => Signal::Seen(Sighting {
                floor: None,
                score: score(evidence),
                magnitude,
                holds: true,
                inputs: inputs(),
            }),
        }
    }
}

/// The score of evidence as a finding carries it, 0 to 100.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score lies between 0 and 100"
)]
pub(crate) fn score(evidence: f32) -> u8 {
    score_of(evidence).round() as u8
}

/// Takes a step and holds the sum of the bets at what is enough.
pub(crate) fn step<const K: usize>(bets: &mut Bets<K>, stake: f32, e: &[f32; K]) {
    bets.step(stake, e);
    let total = bets.total();
    if total > EVIDENCE_ENOUGH {
        bets.step(0.0, &[EVIDENCE_ENOUGH / total; K]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_speaks_from_ten_device_days_and_is_over_below_one() {
        let mut arming = Arming::default();
        let mut come = |evidence| Standing::of(&mut arming, evidence);
        assert_eq!(come(9.0), Standing::Quiet);
        assert_eq!(come(12.0), Standing::Stands);
        assert_eq!(come(500.0), Standing::Stands);
        assert_eq!(come(5.0), Standing::Quiet);
        assert_eq!(come(0.9), Standing::Fallen);
        assert_eq!(come(0.8), Standing::Quiet);
    }

    #[test]
    fn a_long_deviation_is_over_as_soon_as_a_short_one() {
        let hours_to_fall = |hours_up: u32| {
            let mut bets = Bets::<1>::default();
            (0..hours_up).for_each(|_| step(&mut bets, 0.01, &[3.0]));
            let mut hours = 0;
            while bets.total() > 1.0 {
                step(&mut bets, 0.0, &[0.5]);
                hours += 1;
            }
            hours
        };
        assert_eq!(hours_to_fall(20), hours_to_fall(2_000));
    }
}
