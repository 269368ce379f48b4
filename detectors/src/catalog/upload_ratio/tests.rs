//! Hours that divide their bytes as written, and hours that do not.

use super::*;
use crate::facts::Pane;
use crate::stage::{Stage, seen, time};
use crate::stats::dice::Dice;
use andon_schemas::time::{Interval, Span};

/// The middle of it is three bytes up for each byte down.
const PROFILE: &str = "volume_per_hour: 50-150 MB\nupload_share: 72-78 %";
/// Standard deviation of the logarithm of the ratio that the range says.
const SIGMA: f64 = 0.082;

/// A device and its hours.
struct Bench<'a> {
    stage: &'a Stage,
    plan: Plan,
    memory: Shift,
    hour: i32,
}

impl<'a> Bench<'a> {
    fn of(stage: &'a Stage, share: f32) -> Self {
        Self {
            stage,
            plan: UploadRatio::plan(&stage.baseline, share).unwrap(),
            memory: Shift::default(),
            hour: 0,
        }
    }

    fn close(&mut self, pane: &Pane, partial: bool) -> Signal<Inputs> {
        let from = time("2025-12-12T00:00:00Z") + Span::HOUR.times(i64::from(self.hour));
        let facts = CloseFacts {
            device: self.stage.device(),
            pane,
            window: Interval {
                start: from,
                end: from + Span::HOUR,
            },
            active_share: 1.0,
            partial,
        };
        UploadRatio::on_close(&self.plan, &mut self.memory, &facts)
    }

    /// An hour of 80 MB with the middle ratio, moved by so much on the logarithmic scale.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "80 MB"
    )]
    fn moved(&mut self, by: f64) -> Signal<Inputs> {
        self.hour += 1;
        let ratio = 3.0 * by.exp();
        let up = (80e6 * ratio / (1.0 + ratio)) as u64;
        let pane = Pane {
            hour: 490_000 + self.hour,
            up,
            down: 80_000_000 - up,
            ..Pane::default()
        };
        self.close(&pane, false)
    }
}

#[test]
fn honest_hours_are_silent_and_a_leak_is_seen_and_then_over() {
    let stage = Stage::of(PROFILE);
    let (mut bench, mut dice) = (Bench::of(&stage, 0.09), Dice(3));
    for _ in 0..168 {
        let by = 0.8 * SIGMA * dice.normal();
        assert_eq!(bench.moved(by), Signal::Quiet);
    }
    // A tenth more is sent than before.
    let found = (1..200).find(|_| {
        let by = 0.1 + 0.8 * SIGMA * dice.normal();
        matches!(bench.moved(by), Signal::Seen(_))
    });
    assert!(found.is_some_and(|hours| hours <= 30), "{found:?}");
    let over = (1..100).find(|_| {
        let by = 0.8 * SIGMA * dice.normal();
        bench.moved(by) == Signal::Over
    });
    assert!(over.is_some());
}

#[test]
fn the_sentence_says_how_much_goes_up_and_explains_itself() {
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.09);
    let last = (0..12).map(|_| bench.moved(0.5)).last().unwrap();
    let sighting = seen(last);
    let evidence = UploadRatio::assess(&bench.plan, &sighting.inputs);
    assert_eq!(evidence.score, sighting.score);
    assert!(
        evidence.sentence.ends_with(
            "it has sent about 1.64 times as much for each byte received as its type does: \
             83.2 % of 80 MB went up this hour, 77.2 % expected of this device and \
             72\u{2013}78 % of its type."
        ),
        "{}",
        evidence.sentence
    );
    let stored = serde_json::to_string(&sighting.inputs).unwrap();
    let again: Inputs = serde_json::from_str(&stored).unwrap();
    assert_eq!(UploadRatio::assess(&bench.plan, &again), evidence);
}

#[test]
fn a_device_that_only_receives_is_seen_on_the_other_side() {
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.09);
    let last = (0..48).map(|_| bench.moved(-2.0)).last().unwrap();
    let evidence = UploadRatio::assess(&bench.plan, &seen(last).inputs);
    assert_eq!(evidence.techniques, ["T0867"]);
}

#[test]
fn hours_that_cannot_be_compared_are_no_steps() {
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.09);
    let odd = Pane {
        hour: 490_000,
        up: 80_000_000,
        ..Pane::default()
    };
    let mixed = Pane {
        other_bytes: 1,
        ..odd
    };
    for (pane, partial) in [(odd, true), (mixed, false), (Pane::default(), false)] {
        assert_eq!(bench.close(&pane, partial), Signal::Quiet);
    }
    assert_eq!(bench.memory, Shift::default());
    let without = Stage::of("volume_per_hour: 50-150 MB");
    assert!(UploadRatio::plan(&without.baseline, 0.09).is_none());
}

/// Alarms as multiples of the level, on a whole stake: 1.11 are promised. Levels of devices and
/// noise within them, in the standard deviation of the range; memory of the noise.
fn alarms(tau: f64, within: f64, phi: f64) -> f64 {
    const DEVICES: u64 = 60;
    const DAYS: u32 = 60;
    let stage = Stage::of(PROFILE);
    let mut alarms = 0_u32;
    for device in 0..DEVICES {
        let (mut bench, mut dice) = (Bench::of(&stage, 1.0), Dice(device));
        let level = tau * dice.normal();
        let (mut noise, mut stands) = (0.0, false);
        for _ in 0..24 * DAYS {
            noise = phi * noise + (1.0 - phi * phi).sqrt() * within * dice.normal();
            match bench.moved(SIGMA * (level + noise)) {
                Signal::Seen(_) => {
                    alarms += u32::from(!stands);
                    stands = true;
                }
                Signal::Over => stands = false,
                Signal::Quiet | Signal::Excused => {}
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few devices")]
    let days = DEVICES as f64 * f64::from(DAYS);
    f64::from(alarms) * 10.0 / days
}

#[test]
fn devices_that_are_as_assumed_alarm_less_often_than_promised() {
    let rates = [
        alarms(RATIO_TAU, 0.83, RATIO_PHI),
        alarms(0.1, 0.83, 0.0),
        alarms(RATIO_TAU, 0.75, 0.4),
    ];
    println!("alarms per level and device-day: {rates:?}");
    assert!(rates.iter().all(|rate| *rate <= 1.11), "{rates:?}");
}
