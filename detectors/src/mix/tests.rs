//! Mixes against written shares, and what both detectors of mixes are tried with.

use super::*;
use crate::detector::Detector;
use crate::facts::Pane;
use crate::law::{CleanShares, learn_shares};
use crate::stage::{Stage, check, seen, time};
use crate::stats::dice::Dice;
use andon_schemas::time::Interval;

/// Plays closed hours to a detector of shares, each symbol an hour with its pane; what was
/// seen. What is assessed later scores as it did when it was seen.
pub(crate) fn play<D>(profile: &str, pane: impl Fn(char) -> Pane, drawing: &str) -> Vec<Inputs>
where
    D: Detector<Plan = MixPlan, State = Mix, Inputs = Inputs>,
{
    let stage = Stage::of(profile);
    let plan = D::plan(&stage.baseline, 0.05).unwrap();
    let mut memory = Mix::default();
    let (mut hour, mut come) = (490_000, Vec::new());
    check(drawing, |symbol| {
        hour += 1;
        let pane = Pane {
            hour,
            ..pane(symbol)
        };
        let start = time("2025-11-24T16:00:00Z");
        let facts = CloseFacts {
            device: stage.device(),
            pane: &pane,
            window: Interval {
                start,
                end: start + Span::HOUR,
            },
            active_share: 1.0,
            partial: false,
        };
        let signal = D::on_close(&plan, &mut memory, &facts);
        if let Signal::Seen(sighting) = &signal {
            assert!(sighting.floor.is_none() && sighting.score >= 25);
            let evidence = D::assess(&plan, &sighting.inputs);
            assert_eq!(evidence.score, sighting.score);
            come.push(seen(Signal::Seen(*sighting)).inputs);
        }
        signal
    });
    come
}

const SHARES: [f64; 3] = [0.90, 0.08, 0.02];

/// Windows of so many connections, each made `run` times to the same cell.
fn draw(dice: &mut Dice, run: u16, shares: [f64; 3]) -> Counts {
    let mut counts = Counts::default();
    for _ in 0..dice.poisson(20.0 / f64::from(run)) {
        let (mut left, mut cell) = (dice.uniform(), 0);
        while cell < 2 && left >= shares[cell] {
            left -= shares[cell];
            cell += 1;
        }
        counts[cell] += run;
    }
    counts
}

/// How many of 40 devices stand at some hour of so many days.
fn alarms(days: i32, run: u16, shares: [f64; 3]) -> usize {
    let named = SHARES.iter().map(|share| (share.to_string(), Some(*share)));
    let clock = Arc::new(PlantClock::new("Europe/Berlin").unwrap());
    let plan = MixPlan::new(named, 0.1, clock).unwrap();
    let mut dice = Dice(11);
    let devices = (0..40).filter(|_| {
        let mut mix = Mix::default();
        (0..days * 24).any(|hour| {
            let counts = draw(&mut dice, run, shares);
            mix.take(&plan, 490_000 + hour, &counts, 0.5) == Standing::Stands
        })
    });
    devices.count()
}

#[test]
fn runs_of_two_stay_within_the_promise_and_a_share_that_triples_is_found() {
    // 1.11 alarms per 10 device-days of stake: 40 devices, 30 days, a tenth of the stake.
    assert!(alarms(30, 1, SHARES) <= 13);
    assert!(alarms(30, 2, SHARES) <= 13);
    assert!(alarms(7, 1, [0.74, 0.24, 0.02]) >= 36);
}

#[test]
fn cells_without_a_share_are_counted_together() {
    let named = [("a", Some(0.5)), ("b", None), ("c", Some(0.3))];
    let named = named.map(|(name, share)| (name.to_owned(), share));
    let clock = Arc::new(PlantClock::new("Europe/Berlin").unwrap());
    let plan = MixPlan::new(named.into_iter(), 0.1, clock).unwrap();
    let counts = [5, 7, 3, 0, 0, 0, 0, 2];
    let cells: Vec<u32> = (0..3).map(|cell| plan.count(cell, &counts)).collect();
    assert_eq!(cells, [5, 3, 9]);
    assert!(size_of::<Mix>() <= 96, "{}", size_of::<Mix>());
}

#[test]
fn a_device_is_measured_by_its_own_week_where_shares_were_learned_and_explains_itself_again() {
    let mut hours = Vec::new();
    for device in 0..20 {
        let mut dice = Dice(u64::from(device));
        hours.extend((0..4 * 168).map(|hour| {
            let counts = draw(&mut dice, 1, SHARES);
            let cells = counts[..3].iter().map(|n| u32::from(*n)).chain([0]);
            CleanShares {
                device,
                hour,
                cells: cells.collect(),
            }
        }));
    }
    let (law, _) = learn_shares(&hours, 4).unwrap();
    let named = SHARES.iter().map(|share| (share.to_string(), Some(*share)));
    let clock = Arc::new(PlantClock::new("Europe/Berlin").unwrap());
    let plan = MixPlan::new(named, 0.1, clock).unwrap();
    let plan = plan.learned(ShareLaw::of(&law, 4).ok().map(Arc::new));
    let (mut dice, mut mix) = (Dice(99), Mix::default());
    let shares = |hour| {
        if hour < 400 {
            SHARES
        } else {
            [0.74, 0.24, 0.02]
        }
    };
    for hour in 0..600 {
        let counts = draw(&mut dice, 1, shares(hour));
        let before = mix;
        if mix.take(&plan, 490_000 + hour, &counts, 0.5) == Standing::Stands {
            assert!(hour >= 400, "an honest week stands at {hour}");
            let inputs = Inputs {
                hour: 490_000 + hour,
                counts,
                tie: 0.5,
                before,
            };
            let stored = serde_json::to_value(inputs).unwrap();
            let inputs: Inputs = serde_json::from_value(stored).unwrap();
            let wording = Wording {
                verb: "went to",
                others: "other destinations",
                techniques: &["T0882"],
            };
            let evidence = assess(&plan, &inputs, &wording);
            assert_eq!(evidence.score, score(mix.evidence()));
            assert_eq!(evidence.confidence.basis, Basis::Calibrated);
            assert!(evidence.sentence.ends_with("expected of this device."));
            return;
        }
    }
    panic!("a share that triples is not found");
}
