//! The promise, held against simulated tunings whose true rates are known.

use andon_detectors::stats::bounds::{proportion_lower, trials_needed};
use andon_detectors::stats::normal::sf;

use super::*;

/// Numbers for simulations: `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().max(1e-300).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Hits in `n` trials of probability `p`, by the gaps between them.
    fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 {
            return 0;
        }
        let (miss, mut at, mut hits) = ((-p).ln_1p(), 0.0, 0);
        loop {
            at += (self.uniform().max(1e-300).ln() / miss).floor() + 1.0;
            if at > n as f64 {
                return hits;
            }
            hits += 1;
        }
    }
}

/// Limits on a score of which a window exceeds them, from strict to loose.
fn limits() -> Vec<f64> {
    (0..28).map(|step| 5.0 - 0.1 * f64::from(step)).collect()
}

/// Devices whose scores are shifted by their own amount, of standard deviation `unlike`; so many
/// windows of each. The rates of the crowd they come from are known in closed form.
struct Crowd {
    devices: usize,
    windows: u64,
    unlike: f64,
}

impl Crowd {
    fn rate(&self, limit: f64) -> f64 {
        sf(limit / (1.0 + self.unlike * self.unlike).sqrt())
    }

    /// One tuning's counts, window by window: whoever exceeds a limit exceeds all lower ones.
    fn draw(&self, dice: &mut Dice) -> Vec<Vec<Watched>> {
        let limits = limits();
        let mut counts = vec![Vec::with_capacity(self.devices); limits.len()];
        for _ in 0..self.devices {
            let own = self.unlike * dice.normal();
            let (mut above, mut reached) = (0, 0.0);
            for (at, limit) in limits.iter().enumerate() {
                let chance = sf(limit - own);
                above += dice.binomial(self.windows - above, (chance - reached) / (1.0 - reached));
                reached = chance;
                counts[at].push(Watched {
                    hours: self.windows,
                    false_positives: above,
                });
            }
        }
        counts
    }

    /// How many of so many tunings choose a configuration whose true rate exceeds the target.
    fn broken(
        &self,
        tunings: u64,
        seed: u64,
        test: impl Fn(&[Sample], &Claim) -> Option<usize>,
    ) -> u64 {
        let (mut dice, mut broken) = (Dice(seed), 0);
        for _ in 0..tunings {
            let counts = self.draw(&mut dice);
            let samples: Vec<Sample> = counts.iter().map(|devices| Sample(devices)).collect();
            let chosen = test(&samples, &CLAIM);
            broken += u64::from(chosen.is_some_and(|at| self.rate(limits()[at]) > CLAIM.target));
        }
        broken
    }
}

const CLAIM: Claim = Claim {
    target: 1e-3,
    confidence: 0.95,
};

fn at_no_spread(samples: &[Sample], claim: &Claim) -> Option<usize> {
    choose(&[Tested {
        samples: samples.to_vec(),
        spread: 0.0,
        claim: *claim,
    }])
}

fn as_promised(samples: &[Sample], claim: &Claim) -> Option<usize> {
    choose(&[Tested::new(samples.to_vec(), *claim)])
}

fn as_if_all_were_alike(samples: &[Sample], claim: &Claim) -> Option<usize> {
    at_no_spread(samples, claim)
}

/// The share of tunings that exceed the target may not be above 5 % beyond doubt: its 99 % lower
/// bound is at most that.
fn keeps(crowd: &Crowd, seed: u64) -> (f64, f64) {
    let tunings = 1_500;
    let broken = crowd.broken(tunings, seed, as_promised);
    (
        broken as f64 / tunings as f64,
        proportion_lower(broken, tunings, 0.01),
    )
}

#[test]
fn the_promise_is_kept_whether_devices_are_alike_or_not() {
    for (devices, windows, unlike) in [
        (50, 2_688, 0.0),
        (50, 2_688, 0.4),
        (20, 2_688, 0.4),
        (10, 5_000, 0.4),
        (50, 2_688, 0.7),
        (200, 336, 0.4),
    ] {
        let crowd = Crowd {
            devices,
            windows,
            unlike,
        };
        let (share, at_least) = keeps(&crowd, 11);
        println!(
            "{devices} devices, {windows} windows, unlike {unlike}: {:.1} % exceed",
            100.0 * share
        );
        assert!(
            at_least <= 0.05,
            "{devices} {windows} {unlike}: {share} {at_least}"
        );
    }
}

#[test]
fn a_test_that_takes_devices_for_alike_breaks_its_promise() {
    let crowd = Crowd {
        devices: 50,
        windows: 2_688,
        unlike: 0.4,
    };
    let tunings = 500;
    let broken = crowd.broken(tunings, 11, |samples, claim| {
        let naive = |s: &&Sample| binomial_cdf(s.count(), s.hours(), claim.target) <= claim.delta();
        samples.iter().take_while(naive).count().checked_sub(1)
    });
    assert!(proportion_lower(broken, tunings, 0.01) > 0.05, "{broken}");
    assert!(
        crowd.broken(tunings, 11, as_if_all_were_alike) > crowd.broken(tunings, 11, as_promised)
    );
}

#[test]
fn what_is_certified_is_not_needlessly_strict() {
    let crowd = Crowd {
        devices: 250,
        windows: 672,
        unlike: 0.4,
    };
    let mut dice = Dice(5);
    let rates = (0..40).map(|_| {
        let counts = crowd.draw(&mut dice);
        let samples: Vec<Sample> = counts.iter().map(|devices| Sample(devices)).collect();
        as_promised(&samples, &CLAIM).map_or(0.0, |at| crowd.rate(limits()[at]))
    });
    let mean = rates.sum::<f64>() / 40.0;
    assert!(mean > 0.4 * CLAIM.target, "{mean}");
}

#[test]
fn too_few_hours_are_refused_with_the_number_that_is_needed() {
    let devices = [Watched {
        hours: 24,
        false_positives: 0,
    }; 10];
    let sample = Sample(&devices);
    assert_eq!(at_no_spread(&[sample], &CLAIM), None);
    let scale = scale_needed(&sample, &CLAIM, 0.0).unwrap();
    let needed = trials_needed(0, CLAIM.target, 0.05).unwrap();
    assert!(
        (scale * 240.0 - needed as f64).abs() <= 1.0,
        "{scale} {needed}"
    );
    let enough = [Watched {
        hours: 300,
        false_positives: 0,
    }; 10];
    assert_eq!(at_no_spread(&[Sample(&enough)], &CLAIM), Some(0));
}

#[test]
fn a_rate_above_the_target_is_refused_for_good() {
    let devices = [Watched {
        hours: 10_000,
        false_positives: 20,
    }; 10];
    assert_eq!(scale_needed(&Sample(&devices), &CLAIM, 0.0), None);
    assert_eq!(at_no_spread(&[Sample(&devices)], &CLAIM), None);
    assert_eq!(scale_needed(&Sample(&[]), &CLAIM, 0.0), None);
}

#[test]
fn a_bound_and_its_test_agree() {
    let devices = [
        Watched {
            hours: 5_000,
            false_positives: 3,
        },
        Watched {
            hours: 2_500,
            false_positives: 0,
        },
    ];
    let sample = Sample(&devices);
    let bound = upper(&sample, 0.5, 0.05);
    assert!(p_value(&sample, bound, 0.5) <= 0.05);
    assert!(p_value(&sample, bound * 0.99, 0.5) > 0.05);
    // Unlike devices prove less.
    assert!(bound > upper(&sample, 0.0, 0.05));
}

fn alike(false_positives: u64, devices: usize) -> Vec<Watched> {
    let device = Watched {
        hours: 1_000,
        false_positives,
    };
    vec![device; devices]
}

#[test]
fn the_first_that_fails_ends_the_sequence() {
    let (few, many) = (alike(0, 10), alike(5, 10));
    let samples = [Sample(&few), Sample(&many), Sample(&few)];
    assert_eq!(at_no_spread(&samples, &CLAIM), Some(0));
}

#[test]
fn several_claims_hold_together_or_not_at_all() {
    let (few, many) = (alike(0, 10), alike(5, 10));
    let strict = Tested::new(vec![Sample(&few), Sample(&few)], CLAIM);
    let loose = Tested::new(vec![Sample(&few), Sample(&many)], CLAIM);
    assert_eq!(choose(std::slice::from_ref(&strict)), Some(1));
    assert_eq!(choose(&[strict, loose]), Some(0));
    assert_eq!(choose(&[]), None);
}

#[test]
fn too_few_devices_certify_nothing_however_long_they_were_watched() {
    let nine = vec![
        Watched {
            hours: 1_000_000,
            false_positives: 0,
        };
        9
    ];
    assert_eq!(at_no_spread(&[Sample(&nine)], &CLAIM), None);
}

/// A number with gamma law of mean 1 and the given shape, by Marsaglia and Tsang (2000).
fn gamma(dice: &mut Dice, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = dice.uniform().max(1e-300).powf(1.0 / shape);
        return boost * gamma(dice, shape + 1.0) * (shape + 1.0) / shape;
    }
    let d = shape - 1.0 / 3.0;
    loop {
        let x = dice.normal();
        let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
        if v > 0.0 && dice.uniform().max(1e-300).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v / shape;
        }
    }
}

/// A rate that no configuration moves, just above the target, with so few false positives that
/// nothing tells how much devices differ: the claim must not be made more often than one in twenty.
#[test]
fn a_spread_that_cannot_be_measured_is_not_taken_for_none() {
    let true_rate = 1.02 * CLAIM.target;
    for (hours, spread_of_rates) in [
        (vec![600; 10], 1.0),
        (vec![200; 20], 1.0),
        (vec![600; 10], 2.0),
        ([vec![4_000], vec![10; 49]].concat(), 4.0),
    ] {
        let (mut dice, mut claimed, tunings) = (Dice(17), 0, 2_000);
        for _ in 0..tunings {
            let devices: Vec<Watched> = hours
                .iter()
                .map(|hours| {
                    let own = true_rate * gamma(&mut dice, 1.0 / spread_of_rates);
                    Watched {
                        hours: *hours,
                        false_positives: dice.binomial(*hours, own.min(1.0)),
                    }
                })
                .collect();
            let tested = Tested::new(vec![Sample(&devices)], CLAIM);
            claimed += u64::from(choose(&[tested]).is_some());
        }
        let at_least = proportion_lower(claimed, tunings, 0.01);
        println!(
            "{} devices, spread {spread_of_rates}: {claimed} of {tunings}",
            hours.len()
        );
        assert!(at_least <= 0.05, "{hours:?} {spread_of_rates}: {claimed}");
    }
}
