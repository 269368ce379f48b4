//! Whether beacons are found, and how seldom honest traffic passes for one.

use super::table::{KEYS_MAX, Key};
use super::*;
use crate::detector::Sighting;
use crate::facts::Pane;
use crate::stage::{HISTORIAN, Stage, key, seen, time};
use crate::stats::dice::Dice;
use andon_schemas::time::Interval;

const PROFILE: &str = "destinations: [cnc-historian.mfg.local]\nprotocols: [modbus]";
const MASTER: &str = "203.0.113.77";

/// A device, what it remembers, and what time it is there.
struct Bench<'a> {
    stage: &'a Stage,
    plan: Plan,
    state: State,
    now: EventTime,
}

impl<'a> Bench<'a> {
    fn of(stage: &'a Stage, share: f32) -> Self {
        Self {
            stage,
            plan: Beaconing::plan(&stage.baseline, share).unwrap(),
            state: State::default(),
            now: time("2025-12-12T09:00:00Z"),
        }
    }

    /// A call to a port of a peer, so many seconds after the last one to anybody.
    fn call(&mut self, peer: &str, port: u16, after_s: f64) -> Signal<Inputs> {
        self.now = self.now + seconds(after_s);
        let facts = self.stage.flow_to(self.now, peer, Transport::Tcp, port);
        Beaconing::on_flow(&self.plan, &mut self.state, &facts)
    }

    /// How many calls with these intervals it takes to be seen.
    fn calls_to_find(&mut self, most: usize, mut interval: impl FnMut() -> f64) -> Option<usize> {
        (1..=most).find(|_| {
            let after_s = interval();
            matches!(self.call(MASTER, 4_444, after_s), Signal::Seen(_))
        })
    }

    fn close_hour(&mut self) -> Signal<Inputs> {
        self.now = self.now + Span::HOUR;
        let facts = CloseFacts {
            device: self.stage.device(),
            pane: &Pane::default(),
            window: Interval {
                start: self.now - Span::HOUR,
                end: self.now,
            },
            active_share: 1.0,
            partial: false,
        };
        Beaconing::on_close(&self.plan, &mut self.state, &facts)
    }

    fn keys(&self) -> usize {
        self.state.0.as_ref().map_or(0, |table| table.keys.len())
    }
}

fn jittered(dice: &mut Dice, jitter: f64) -> f64 {
    60.0 * (1.0 + jitter * dice.normal()).max(0.01)
}

/// Evidence of 10⁴ on a stake of 1/2 (the first key of a day, of a stake of 1).
fn median_to_critical(mut interval: impl FnMut(&mut Dice) -> f64) -> usize {
    let stage = Stage::of(PROFILE);
    let mut found: Vec<usize> = (0..101)
        .map(|seed| {
            let (mut bench, mut dice) = (Bench::of(&stage, 1.0), Dice(seed));
            let critical =
                |signal| matches!(signal, Signal::Seen(Sighting { score, .. }) if score >= 100);
            let calls = (1..200).find(|_| {
                let after_s = interval(&mut dice);
                critical(bench.call(MASTER, 4_444, after_s))
            });
            calls.unwrap_or(200)
        })
        .collect();
    found.sort_unstable();
    found[50]
}

#[test]
fn a_beacon_is_seen_within_a_dozen_calls_in_spite_of_jitter() {
    let steady = median_to_critical(|dice| jittered(dice, 0.02));
    let ten = median_to_critical(|dice| jittered(dice, 0.1));
    let quarter = median_to_critical(|dice| jittered(dice, 0.25));
    assert!((6..=9).contains(&steady), "{steady}");
    assert!((8..=12).contains(&ten), "{ten}");
    assert!((ten..=30).contains(&quarter), "{quarter}");
}

#[test]
fn missed_beats_delay_it_and_do_not_hide_it() {
    let found = median_to_critical(|dice| {
        let mut after = jittered(dice, 0.1);
        while dice.uniform() < 0.2 {
            after += jittered(dice, 0.1);
        }
        after
    });
    assert!((12..=60).contains(&found), "{found}");
}

#[test]
fn the_sentence_says_whom_how_often_and_how_regularly() {
    let stage = Stage::of(PROFILE);
    let (mut bench, mut dice) = (Bench::of(&stage, 0.25), Dice(8));
    let mut last = Signal::Quiet;
    for _ in 0..14 {
        last = bench.call(MASTER, 4_444, jittered(&mut dice, 0.1));
    }
    let sighting = seen(last);
    let evidence = Beaconing::assess(&bench.plan, &sighting.inputs);
    assert_eq!(evidence.score, sighting.score);
    assert_eq!(
        evidence.sentence,
        "It calls 203.0.113.77, tcp port 4444, every 59.4 s give or take 8.69 %: 14 connections \
         so far, too evenly spaced for chance."
    );
    let stored = serde_json::to_string(&sighting.inputs).unwrap();
    let again: Inputs = serde_json::from_str(&stored).unwrap();
    assert_eq!(Beaconing::assess(&bench.plan, &again), evidence);
}

/// So many devices that call two strangers each for 20 days; the promise is 1.11 alarms per 10
/// device-days for a whole stake.
fn false_alarms(mut interval: impl FnMut(&mut Dice) -> f64) -> f64 {
    const DEVICES: u64 = 60;
    const DAYS: f64 = 20.0;
    let stage = Stage::of(PROFILE);
    let mut alarms = 0;
    for device in 0..DEVICES {
        let (mut bench, mut dice) = (Bench::of(&stage, 1.0), Dice(device));
        let end = bench.now + seconds(DAYS * 86_400.0);
        let mut due = [bench.now; 2];
        let mut stands = false;
        while due[0].min(due[1]) < end {
            let which = usize::from(due[1] < due[0]);
            let after = due[which].since(bench.now).as_secs_f64();
            let signal = bench.call(MASTER, [443, 8_443][which], after);
            due[which] = due[which] + seconds(interval(&mut dice).min(1e7) + 0.02);
            match signal {
                Signal::Seen(_) if !stands => {
                    alarms += 1;
                    stands = true;
                }
                Signal::Over => stands = false,
                _ => {}
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few devices")]
    let days = DEVICES as f64 * DAYS;
    f64::from(alarms) * 10.0 / days
}

#[test]
fn traffic_without_a_rhythm_alarms_less_often_than_promised_and_stays_silent_mostly() {
    let heavy = |dice: &mut Dice, tail: f64| (1.0 - dice.uniform()).powf(-1.0 / tail) - 1.0;
    let rates = [
        ("Poisson", false_alarms(|dice| 1_200.0 * dice.exponential())),
        ("Gamma 2", false_alarms(|dice| 600.0 * dice.gamma(2.0))),
        (
            "log-normal 1",
            false_alarms(|dice| 600.0 * dice.normal().exp()),
        ),
        (
            "log-normal 1.5",
            false_alarms(|dice| 400.0 * (1.5 * dice.normal()).exp()),
        ),
        ("Pareto 1.2", false_alarms(|dice| 300.0 * heavy(dice, 1.2))),
        ("Pareto 2.2", false_alarms(|dice| 600.0 * heavy(dice, 2.2))),
        (
            "Weibull 0.6",
            false_alarms(|dice| 600.0 * dice.exponential().powf(1.0 / 0.6)),
        ),
        (
            "bursts",
            false_alarms(|dice| {
                let pause = if dice.uniform() < 0.7 { 2.0 } else { 3_600.0 };
                pause * dice.exponential()
            }),
        ),
    ];
    println!("alarms per level and device-day: {rates:?}");
    assert!(rates.iter().all(|(_, rate)| *rate <= 1.11), "{rates:?}");
    let nearly = rates.iter().any(|(_, rate)| *rate > 0.2);
    assert!(nearly, "a bound that is never approached tests nothing");
}

#[test]
fn a_beacon_that_ends_is_over_and_forgotten() {
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.25);
    assert!(bench.calls_to_find(12, || 60.0).is_some());
    assert_eq!(bench.close_hour(), Signal::Over);
    assert_eq!(bench.keys(), 0);
    // The day's stake that was spent stays spent, and is forgotten with the day.
    assert!(bench.state.0.is_some());
    for _ in 0..48 {
        assert_eq!(bench.close_hour(), Signal::Quiet);
    }
    assert_eq!(bench.state, State::default());
}

#[test]
fn a_rhythm_that_breaks_is_over() {
    let stage = Stage::of(PROFILE);
    let (mut bench, mut dice) = (Bench::of(&stage, 0.25), Dice(2));
    bench.calls_to_find(12, || 60.0).unwrap();
    let ends = (0..12).any(|_| {
        let after_s = 1_200.0 * dice.exponential();
        bench.call(MASTER, 4_444, after_s) == Signal::Over
    });
    assert!(ends);
}

#[test]
fn an_irregular_start_does_not_hide_what_follows() {
    let stage = Stage::of(PROFILE);
    let (mut bench, mut dice) = (Bench::of(&stage, 0.25), Dice(4));
    for _ in 0..40 {
        let after_s = 300.0 * dice.exponential();
        assert_eq!(bench.call(MASTER, 4_444, after_s), Signal::Quiet);
    }
    let found = bench.calls_to_find(40, || jittered(&mut dice, 0.05));
    assert!(found.is_some_and(|calls| calls <= 30), "{found:?}");
}

#[test]
fn among_many_strangers_the_regular_one_is_kept() {
    let stage = Stage::of(PROFILE);
    let (mut bench, mut dice) = (Bench::of(&stage, 0.25), Dice(6));
    let mut found = None;
    for beat in 0..40 {
        // Ten strangers that nobody sees again between any two beats.
        for other in 0..10_u16 {
            let peer = format!("198.51.100.{}", (beat * 10 + other) % 250);
            bench.call(&peer, 10_000 + beat * 10 + other, 0.5);
        }
        let after_s = jittered(&mut dice, 0.05);
        if matches!(bench.call(MASTER, 4_444, after_s), Signal::Seen(_)) {
            found = found.or(Some(beat));
        }
        assert!(bench.keys() <= KEYS_MAX);
    }
    assert!(found.is_some_and(|beat| beat <= 14), "{found:?}");
}

#[test]
fn the_profile_and_the_roles_of_peers_explain_a_rhythm() {
    let stage = Stage::of(PROFILE);
    let plan = Beaconing::plan(&stage.baseline, 0.25).unwrap();
    let explained = |peer: &str, transport, port, service| {
        let mut facts = stage.flow_to(time("2025-12-12T09:00:00Z"), peer, transport, port);
        facts.flow.service = service;
        plan.explains(&facts)
    };
    assert!(explained(HISTORIAN, Transport::Tcp, 502, None));
    assert!(!explained(HISTORIAN, Transport::Tcp, 4_444, None));
    assert!(!explained("10.1.99.1", Transport::Tcp, 502, None));
    assert!(explained("192.0.2.1", Transport::Udp, 123, None));
    assert!(explained("192.0.2.1", Transport::Udp, 53, Some("dns")));
    assert!(!explained("192.0.2.1", Transport::Tcp, 53, Some("ssl")));
    assert!(explained("239.255.255.250", Transport::Udp, 1_900, None));

    let bare = Stage::of("");
    let plan = Beaconing::plan(&bare.baseline, 0.25).unwrap();
    let at = time("2025-12-12T09:00:00Z");
    assert!(plan.explains(&bare.flow_to(at, "10.1.99.1", Transport::Tcp, 502)));
    assert!(!plan.explains(&bare.flow_to(at, MASTER, Transport::Tcp, 502)));
}

#[test]
fn late_rows_callers_and_further_records_of_a_flow_are_silent() {
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.25);
    for call in 0..60 {
        bench.now = bench.now + Span::MINUTE;
        let mut facts = stage.flow_to(bench.now, MASTER, Transport::Tcp, 4_444);
        match call % 3 {
            0 => facts.late = true,
            1 => facts.first = false,
            _ => facts.flow.role = andon_schemas::observation::Role::Responder,
        }
        let signal = Beaconing::on_flow(&bench.plan, &mut bench.state, &facts);
        assert_eq!(signal, Signal::Quiet);
    }
    assert_eq!(bench.keys(), 0);
}

#[test]
fn connections_opened_together_are_one_call() {
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.25);
    let mut found = None;
    for beat in 0..12 {
        for after_s in [60.0, 0.005, 0.005] {
            if matches!(bench.call(MASTER, 443, after_s), Signal::Seen(_)) {
                found = found.or(Some(beat));
            }
        }
    }
    assert!(found.is_some(), "parallel connections hide it");
}

#[test]
fn keys_spend_at_most_the_stake_of_a_day_and_never_nothing() {
    let mut table = Table::default();
    for day in [20_000, 20_001] {
        let staked: Vec<f32> = (0..5_000).map(|_| table.draw(0.25, day)).collect();
        assert!(staked.iter().sum::<f32>() <= 0.25 && staked.iter().all(|stake| *stake > 0.0));
        assert!((staked[0] - 0.125).abs() < 1e-6);
        assert!(
            table.draw(0.25, day - 1) < 1e-6,
            "a clock that steps back finds nothing new"
        );
    }
}

#[test]
fn the_state_is_bounded_and_nothing_for_who_calls_no_stranger() {
    assert_eq!(size_of::<State>(), 8);
    assert_eq!((size_of::<Table>(), size_of::<Key>()), (40, 48));
    let stage = Stage::of(PROFILE);
    let mut bench = Bench::of(&stage, 0.25);
    bench.call(HISTORIAN, 502, 1.0);
    assert_eq!(bench.state, State::default());
    for host in 0..100 {
        bench.call(&format!("198.51.100.{host}"), 443, 1.0);
    }
    let table = bench.state.0.unwrap();
    assert_eq!(
        (table.keys.len(), table.keys.capacity()),
        (KEYS_MAX, KEYS_MAX)
    );
    assert_ne!(key("198.51.100.1"), key("198.51.100.2"));
}
