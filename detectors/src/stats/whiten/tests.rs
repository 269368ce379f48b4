//! Whitening keeps the promise of the budget when its assumptions hold, and shows what it costs
//! when they do not.

use super::super::dice::Dice;
use super::super::evidence::{Arming, Bets, Purse, Stake};
use super::super::tilts::{Side, Tilts};
use super::*;
use proptest::prelude::*;

/// An honest plant: device levels of spread `tau`, AR(1) scores of unit total variance.
struct Honest {
    phi: f64,
    tau: f64,
}

impl Honest {
    /// Alarms times level per device-day, with scores taken as `score` says.
    fn load(&self, level: f32, mut score: impl FnMut(&mut Whitener, f64) -> f64) -> f64 {
        let (devices, days) = (200, 200);
        let within = (1.0 - self.tau * self.tau).sqrt();
        let stake = Stake::new(1.0, 24.0);
        let mut dice = Dice(77);
        let mut alarms = 0_u32;
        for _ in 0..devices {
            let own = self.tau * dice.normal();
            let mut residual = within * dice.normal();
            let mut whitener = Whitener::default();
            let (mut up, mut down) = (Bets::<4>::default(), Bets::<4>::default());
            let (mut purse, mut arming) = (Purse::default(), Arming::default());
            for hour in 0..days * 24 {
                let z = score(&mut whitener, own + residual);
                let part = 0.5 * stake.draw(&mut purse, hour / 24);
                up.step(part, &Tilts::default().e_values(z, Side::Up));
                down.step(part, &Tilts::default().e_values(z, Side::Down));
                alarms += u32::from(arming.update(up.total() + down.total(), &[level]).raised);
                let fresh = within * (1.0 - self.phi * self.phi).sqrt() * dice.normal();
                residual = self.phi * residual + fresh;
            }
        }
        f64::from(alarms) * f64::from(level) / f64::from(devices * days)
    }
}

#[test]
fn state_is_compact() {
    assert_eq!(size_of::<Whitener>(), 20);
}

#[test]
fn with_memory_and_level_removed_the_promise_holds() {
    let plan = WhitenPlan::written(0.28);
    let load = Honest {
        phi: 0.4,
        tau: plan.tau,
    }
    .load(20.0, |whitener, score| {
        whitener.step(&plan, score, 1, false)
    });
    assert!(load <= 1.11, "{load}");
    let weaker = Honest {
        phi: 0.2,
        tau: 0.5 * plan.tau,
    }
    .load(20.0, |whitener, score| {
        whitener.step(&plan, score, 1, false)
    });
    assert!(weaker <= 1.11, "{weaker}");
}

#[test]
fn without_whitening_the_promise_breaks() {
    let plan = WhitenPlan::written(0.28);
    let memory_kept = Honest { phi: 0.4, tau: 0.0 }.load(2_000.0, |_, score| score);
    assert!(memory_kept > 1.5, "{memory_kept}");
    let level_kept = Honest {
        phi: 0.0,
        tau: plan.tau,
    }
    .load(2_000.0, |_, score| score);
    assert!(level_kept > 1.5, "{level_kept}");
}

#[test]
fn innovations_are_standard_normal_and_unrelated() {
    let plan = WhitenPlan::new(0.6, 0.15, 0.28, DRIFT_MAX);
    let mut dice = Dice(8);
    let (mut sum, mut squares, mut products) = (0.0, 0.0, 0.0);
    let (devices, windows) = (200, 100);
    for _ in 0..devices {
        let own = 0.15 * dice.normal();
        let mut residual = 0.28 * dice.normal();
        let (mut whitener, mut before) = (Whitener::default(), 0.0);
        for _ in 0..windows {
            let z = whitener.step(&plan, own + residual, 1, false);
            sum += z;
            squares += z * z;
            products += z * before;
            before = z;
            residual = 0.6 * residual + 0.28 * 0.8 * dice.normal();
        }
    }
    let n = f64::from(devices * windows);
    assert!((sum / n).abs() < 0.03, "{}", sum / n);
    assert!((squares / n - 1.0).abs() < 0.03, "{}", squares / n);
    assert!((products / n).abs() < 0.03, "{}", products / n);
}

#[test]
fn a_constant_factor_of_a_device_is_learned_away() {
    let plan = WhitenPlan::new(0.0, 0.15, 0.28, DRIFT_MAX);
    let mut dice = Dice(12);
    let (mut usual, mut shifted) = (Whitener::default(), Whitener::default());
    let mut difference = 1.0;
    for _ in 0..500 {
        let score = 0.28 * dice.normal();
        difference = plan_difference(&plan, &mut usual, &mut shifted, score);
    }
    assert!(
        difference < 0.06,
        "{difference} standard deviations are left of 0.7"
    );
    assert!((shifted.level() - usual.level() - 0.2).abs() < 0.02);
}

fn plan_difference(plan: &WhitenPlan, a: &mut Whitener, b: &mut Whitener, score: f64) -> f64 {
    (b.step(plan, score + 0.2, 1, false) - a.step(plan, score, 1, false)).abs()
}

#[test]
fn a_patient_attacker_moves_the_level_only_so_far() {
    let plan = WhitenPlan::new(0.4, 0.15, 0.28, DRIFT_MAX);
    let mut whitener = Whitener::default();
    for _ in 0..SIGNED_AFTER {
        whitener.step(&plan, 0.0, 1, false);
    }
    assert!(!whitener.has_drifted(&plan));
    for window in 0..20_000_u32 {
        whitener.step(&plan, f64::from(window) * 5e-5, 1, false);
    }
    assert!(
        (f64::from(whitener.level()) - DRIFT_MAX).abs() < 1e-3,
        "{}",
        whitener.level()
    );
    assert!(whitener.has_drifted(&plan));
    whitener.sign();
    assert!(!whitener.has_drifted(&plan));
}

#[test]
fn an_open_incident_holds_the_level() {
    let plan = WhitenPlan::written(0.28);
    let mut whitener = Whitener::default();
    whitener.step(&plan, 0.5, 1, false);
    let level = whitener.level();
    for _ in 0..50 {
        whitener.step(&plan, 3.0, 1, true);
    }
    assert_eq!(whitener.level().to_bits(), level.to_bits());
}

#[test]
fn memory_fades_over_a_gap() {
    let plan = WhitenPlan::new(0.9, 0.0, 1.0, 0.0);
    let mut near = Whitener::default();
    near.step(&plan, 2.0, 1, false);
    let mut far = near;
    assert!(near.step(&plan, 2.0, 1, false) < 0.5);
    assert!((far.step(&plan, 2.0, 1_000, false) - 2.0).abs() < 1e-6);
}

proptest! {
    #[test]
    fn no_input_gives_nan(
        phi in proptest::num::f64::ANY, tau in proptest::num::f64::ANY,
        sigma in proptest::num::f64::ANY, drift in proptest::num::f64::ANY,
        steps in proptest::collection::vec(
            (prop_oneof![proptest::num::f64::ANY, -1e3..1e3_f64], any::<u32>(), any::<bool>()), 1..50),
    ) {
        let plan = WhitenPlan::new(phi, tau, sigma, drift);
        let mut whitener = Whitener::default();
        for (score, gap, hold) in steps {
            let z = whitener.step(&plan, score, gap, hold);
            prop_assert!(!z.is_nan());
            prop_assert!(whitener.level().is_finite());
        }
    }
}
