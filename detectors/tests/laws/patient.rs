//! What a patient attacker gains: it raises what a device sends by a little every day, and is
//! found by whichever detector finds it first.

use andon_detectors::catalog::{Plans, States};
use andon_detectors::facts::{CloseFacts, Pane};
use andon_schemas::time::{EventTime, Interval, Span};

use crate::plant::{PROFILES, Reports, a_device, baseline};

const TYPE: &str = "cnc_controller_fanuc";
/// The level is honest for so many days.
const HONEST_DAYS: i64 = 28;
const DAYS: i64 = 400;

/// Where a growth was found: by what, on which day of it, at how many times the honest volume.
struct Found {
    by: &'static str,
    day: i64,
    gain: f64,
}

/// `SplitMix64` (Steele, Lea and Flood 2014), twelve of which make a number that is nearly normal.
struct Dice(u64);

impl Dice {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let bits = ((z ^ (z >> 31)) >> 11) as f64;
        bits * 2.0_f64.powi(-53)
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Plays the full hours of work of one device, whose volume grows by `per_day` on the log scale
/// once it has been honest for four weeks; hours have the spread and the memory that a written
/// range is read with.
fn growth(seed: u64, per_day: f64) -> Option<Found> {
    let baseline = baseline(PROFILES.get(TYPE).unwrap().clone());
    let plans = Plans::compile(&baseline);
    let device = a_device(&baseline);
    let mut dice = Dice(seed);
    let (level, within, phi) = (0.15 * dice.normal(), 0.236, 0.4_f64);
    let (mut states, mut reports, mut noise) = (States::default(), Reports::default(), 0.0);
    let start = EventTime::parse("2025-12-08T00:00:00Z").unwrap();
    for hour in 0..DAYS * 24 {
        let begin = start + Span::HOUR.times(hour);
        if hour % 24 >= 16 {
            continue;
        }
        let grown = per_day * f64::from(i32::try_from((hour / 24 - HONEST_DAYS).max(0)).unwrap());
        noise = phi * noise + (1.0 - phi * phi).sqrt() * within * dice.normal();
        let bytes = 86.6e6 * (level + noise + grown).exp();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some hundred million"
        )]
        let share = |part: f64| (part * bytes) as u64;
        let pane = Pane {
            hour: i32::try_from(begin.micros() / Span::HOUR.micros()).unwrap(),
            opened: 22,
            up: share(0.75),
            down: share(0.25),
            ..Pane::default()
        };
        let close = CloseFacts {
            device,
            pane: &pane,
            window: Interval {
                start: begin,
                end: begin + Span::HOUR,
            },
            active_share: 1.0,
            partial: false,
        };
        plans.on_close(&mut states, &close, &mut reports);
        let told = reports.all.iter().find(|report| {
            ["slow_drift", "traffic_volume"].contains(&report.name) && report.seen.is_some()
        });
        if let Some(report) = told {
            return Some(Found {
                by: report.name,
                day: hour / 24 - HONEST_DAYS,
                gain: grown.exp(),
            });
        }
        reports.all.clear();
    }
    None
}

#[test]
fn a_patient_attacker_gains_little_whatever_its_patience() {
    const DEVICES: u64 = 40;
    for percent in [0.1, 0.2, 0.5, 1.0, 2.0] {
        let per_day = f64::ln_1p(percent / 100.0);
        let mut found: Vec<Found> = (0..DEVICES)
            .filter_map(|seed| growth(seed, per_day))
            .collect();
        assert_eq!(found.len(), 40, "{percent} % a day is not always found");
        let drift = found.iter().filter(|f| f.by == "slow_drift").count();
        found.sort_by(|a, b| a.gain.total_cmp(&b.gain));
        let (median, late) = (&found[20], &found[36]);
        println!(
            "{percent} % a day: found on day {} at x{:.2}, nine in ten by x{:.2}; {drift} of 40 by \
             slow_drift first",
            median.day, median.gain, late.gain
        );
        assert!(late.gain <= 1.3, "{percent} % a day: x{:.2}", late.gain);
        let early = found.iter().filter(|f| f.day < 0).count();
        assert!(early <= 1, "{early} were found before they grew");
    }
}
