//! Laws of shares from made-up types, and what is promised of devices that were not learned from.

use super::*;
use crate::stats::dice::Dice;
use crate::stats::evidence::Bets;

const TYPE: [f64; 3] = [0.95, 0.04, 0.01];

struct Device {
    dice: Dice,
    shares: [f64; 3],
}

impl Device {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let cells = TYPE.map(|share| dice.gamma(100.0 * share));
        let all: f64 = cells.iter().sum();
        Self {
            shares: cells.map(|cell| cell / all),
            dice,
        }
    }

    fn hour(&mut self, shares: [f64; 3]) -> Vec<u32> {
        let n = self.dice.poisson(26.5);
        let second = self.dice.hits(n, shares[1]);
        let third = self.dice.hits(n - second, shares[2] / (1.0 - shares[1]));
        vec![n - second - third, second, third, 0]
    }
}

fn law() -> LearnedShares {
    let mut hours = Vec::new();
    for device in 0..40 {
        let mut own = Device::new(u64::from(device));
        let shares = own.shares;
        hours.extend((0..4 * 168).map(|hour| CleanShares {
            device,
            hour,
            cells: own.hour(shares),
        }));
    }
    let (law, left) = learn_shares(&hours, 4).unwrap();
    assert!(left.iter().all(|left| left.abs() < 0.05), "{left:?}");
    law
}

fn watch(law: &ShareLaw, seed: u64, hours: i32, from: i32, moved: [f64; 3]) -> Vec<f32> {
    let (mut device, mut own) = (Device::new(seed), Own::default());
    let mut bets = [Bets::<3>::default(); 4];
    let shares = device.shares;
    let mut evidence = Vec::new();
    for hour in 0..hours {
        let cells = device.hour(if hour < from { shares } else { moved });
        let mut counts = [0; CELLS];
        for (count, cell) in counts.iter_mut().zip(&cells) {
            *count = u16::try_from(*cell).unwrap();
        }
        let sum = |counts: &[u16; CELLS]| counts.iter().copied().map(u32::from).sum();
        let tie = uniform_hash(&seed.to_string(), "test", hour.into());
        for (cell, bets) in bets.iter_mut().enumerate() {
            let part = |counts: &[u16; CELLS]| Part {
                of_cell: counts[cell].into(),
                all: sum(counts),
            };
            let e = law.e_values(cell, part(&counts), part(own.counts()), tie);
            bets.step(1.0 / 24.0 / 4.0, &e);
        }
        own.learn(&counts);
        evidence.push(bets.iter().map(Bets::total).sum());
    }
    evidence
}

#[test]
fn the_figures_of_a_type_are_found() {
    let law = law();
    assert!((law.cells[1].share - 0.04).abs() < 0.01, "{law:?}");
    assert!((40.0..300.0).contains(&law.devices), "{}", law.devices);
    assert!(law.hours > 300.0, "{}", law.hours);
    assert!(ShareLaw::of(&law, 4).unwrap().windows() > 10_000);
    assert!(ShareLaw::of(&law, 3).is_err());
}

#[test]
fn devices_that_were_not_learned_from_alarm_within_what_is_promised() {
    let law = ShareLaw::of(&law(), 4).unwrap();
    let (mut alarms, mut days) = (0.0, 0.0);
    for seed in 1_000..1_040 {
        let evidence = watch(&law, seed, 26 * 168, i32::MAX, TYPE);
        let mut stands = false;
        for evidence in evidence {
            alarms += f64::from(u8::from(evidence >= 10.0 && !stands));
            stands = evidence >= 10.0 || (stands && evidence > 1.0);
        }
        days += 26.0 * 7.0;
    }
    println!("{alarms} alarms in {days} device-days");
    assert!(alarms <= 1.11 * days / 10.0, "{alarms}");
}

#[test]
fn a_share_that_grows_from_four_to_ten_percent_is_found_within_two_days() {
    let law = ShareLaw::of(&law(), 4).unwrap();
    let mut delays: Vec<usize> = (2_000..2_031)
        .map(|seed| {
            let evidence = watch(&law, seed, 4 * 168, 2 * 168, [0.89, 0.10, 0.01]);
            let after = &evidence[2 * 168..];
            after
                .iter()
                .position(|e| *e >= 1_000.0)
                .unwrap_or(usize::MAX)
        })
        .collect();
    delays.sort_unstable();
    println!("found after {} h", delays[15]);
    assert!(delays[15] <= 48, "{delays:?}");
}

#[test]
fn a_device_is_known_after_a_week_and_then_held() {
    let mut own = Own::default();
    for _ in 0..300 {
        own.learn(&[1; CELLS]);
    }
    assert_eq!(own.counts(), &[168; CELLS]);
    let mut busy = Own::default();
    busy.learn(&[40_000; CELLS]);
    busy.learn(&[40_000; CELLS]);
    busy.learn(&[1; CELLS]);
    assert_eq!(busy.counts(), &[40_000; CELLS]);
}
