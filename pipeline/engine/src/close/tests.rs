//! Windows and deadlines come in the order of their times, and only once.

use andon_schemas::grade::Band;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Function;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Risk;

use crate::output::{Item, Output};
use crate::scenes::{Bench, device, minute, plant_with, reading, stray_flow, verdicts};

#[test]
fn hours_close_by_ticks_and_each_counts_once() {
    let mut bench = Bench::new();
    let conveyor = device("conveyor");
    bench.rows(&[stray_flow(&conveyor, minute(630))]);
    for minutes in [640, 659, 660, 660, 661, 719, 720, 725] {
        bench.tick(minute(minutes));
    }
    assert_eq!(bench.engine.counts().device_hours, 2);
}

#[test]
fn a_flow_closes_hours_by_its_own_clock() {
    let mut bench = Bench::new();
    let conveyor = device("conveyor");
    bench.rows(&[stray_flow(&conveyor, minute(630))]);
    bench.rows(&[stray_flow(&conveyor, minute(665))]);
    assert_eq!(
        bench.engine.counts().device_hours,
        0,
        "its allowance is not over"
    );
    bench.rows(&[stray_flow(&conveyor, minute(666))]);
    assert_eq!(bench.engine.counts().device_hours, 1);
}

#[test]
fn the_first_tick_after_decades_costs_a_few_questions() {
    let mut bench = Bench::new();
    let plc = device("plc_assembly");
    bench.rows(&[reading(&plc, EventTime::from_micros(30_000_000))]);
    let output = bench.tick(EventTime::parse("2100-01-01T00:00:00Z").unwrap());
    // Every deadline up to the tick has been asked, and the decades are not counted as watched.
    assert!(bench.engine.devices.due[0] > EventTime::parse("2100-01-01T00:00:00Z").unwrap());
    assert!(bench.engine.counts().device_hours < 24 * 100);
    assert!(output.items.len() < 40, "{}", output.items.len());
}

#[test]
fn deadlines_of_one_tick_are_told_in_their_order() {
    let mut bench = Bench::new();
    let crew = ["conveyor", "plc_assembly", "robotic_arm"].map(device);
    for (n, id) in (0..).zip(&crew) {
        bench.rows(&[stray_flow(id, minute(600 + n))]);
    }
    let output = bench.tick(minute(6_000));
    let deadlines: Vec<_> = output
        .items
        .iter()
        .map(|(cause, _)| cause.deadline)
        .collect();
    assert!(deadlines.is_sorted(), "{deadlines:?}");
    assert!(deadlines.iter().all(|at| *at <= minute(6_000)));
    assert!(deadlines.len() > 3);
}

#[test]
fn a_device_that_falls_silent_again_is_missed_again() {
    let mut bench = Bench::new();
    // A day and a half of silence inside its hours, a row, and silence again.
    let sensor = device("temperature_sensor");
    bench.rows(&[reading(&sensor, minute(600))]);
    let first = silences(&mut bench, minute(2_760));
    bench.rows(&[reading(&sensor, minute(2_761))]);
    let second = silences(&mut bench, minute(4_800));
    assert_eq!((first.len(), second.len()), (1, 1));
    let patience = |at: EventTime, seen: i64| at.since(minute(seen));
    assert_eq!(patience(second[0], 2_761), patience(first[0], 600));
}

/// Ticks until `end`, and the deadlines at which silence was raised.
fn silences(bench: &mut Bench, end: EventTime) -> Vec<EventTime> {
    let output = bench.tick(end);
    verdicts(&output)
        .into_iter()
        .filter(|(_, state, standing)| state == "raised" && standing == &["silence"])
        .map(|(deadline, ..)| deadline)
        .collect()
}

#[test]
fn at_the_end_what_is_told_is_marked_and_nobody_is_missed() {
    let mut bench = Bench::new();
    let sensor = device("temperature_sensor");
    let conveyor = device("conveyor");
    bench.rows(&[
        reading(&sensor, minute(600)),
        stray_flow(&conveyor, minute(600)),
    ]);
    let output = bench.end(minute(640));
    assert!(
        verdicts(&output)
            .iter()
            .all(|(.., standing)| !standing.contains(&"silence".to_owned())),
        "{output:?}"
    );
    for (_, item) in &output.items {
        if let Item::Verdict(verdict) = item {
            assert!(verdict.end_of_input);
        }
    }
}

#[test]
fn an_hour_that_the_end_closed_does_not_close_again() {
    let mut bench = Bench::new();
    bench.rows(&[stray_flow(&device("conveyor"), minute(600))]);
    bench.end(minute(640));
    let hours = bench.engine.counts().device_hours;
    bench.tick(minute(660));
    assert_eq!(bench.engine.counts().device_hours, hours);
}

#[test]
fn a_tick_that_goes_back_moves_nothing() {
    let mut bench = Bench::new();
    let conveyor = device("conveyor");
    bench.rows(&[stray_flow(&conveyor, minute(630))]);
    bench.tick(minute(700));
    let before = bench.engine.snapshot().unwrap();
    assert!(bench.tick(minute(650)).items.is_empty());
    assert_eq!(bench.engine.snapshot().unwrap(), before);
}

#[test]
fn the_first_and_the_last_moment_do_no_harm() {
    for at in [EventTime::MIN, EventTime::MAX, EventTime::MAX - Span::HOUR] {
        let mut bench = Bench::new();
        let conveyor = device("conveyor");
        bench.rows(&[stray_flow(&conveyor, at), reading(&conveyor, minute(0))]);
        bench.tick(EventTime::MAX);
        bench.end(EventTime::MAX);
    }
}

/// The published risks in an output: minutes after midnight, and the band.
fn bands(output: &Output) -> Vec<(i64, Band)> {
    let told = output.items.iter().filter_map(|(_, item)| match item {
        Item::Risk(update) => Some((update.event_time, update.risk.band)),
        _ => None,
    });
    told.map(|(at, band)| (at.since(minute(0)).micros() / 60_000_000, band))
        .collect()
}

#[test]
fn the_risk_of_listed_devices_is_told_once_more_every_hour() {
    let heartbeats = |output: &Output| -> Vec<_> {
        let told = output.items.iter().filter_map(|(_, item)| match item {
            Item::Heartbeat(update) => Some((
                update.device_id.clone(),
                update.event_time,
                update.risk,
                update.verdict_id.clone(),
            )),
            _ => None,
        });
        told.collect()
    };
    let (mut bench, coolant) = patient();
    let stranger = DeviceId::new("laptop-7").unwrap();
    let rows = [
        reading(&coolant, minute(600)),
        stray_flow(&stranger, minute(600)),
    ];
    bench.rows(&rows);
    assert!(
        heartbeats(&bench.tick(minute(720))).is_empty(),
        "nobody asked for them"
    );

    let (mut bench, _) = patient();
    bench.engine.tell_heartbeats();
    let first = bench.rows(&rows);
    assert!(heartbeats(&first).is_empty());
    bench.rows(&[reading(&coolant, minute(659))]);
    let told: Vec<_> = (601..=720)
        .flat_map(|at| heartbeats(&bench.tick(minute(at))))
        .collect();
    // It was heard of last at 10:59, and of the stranger nothing is told.
    let [first, second] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (&first.0, first.2, second.2),
        (&coolant, Risk::of_score(0), Risk::UNKNOWN)
    );
    assert_eq!(first.1, minute(659));
    assert!(second.1 > minute(660) && second.1 <= minute(720));
    // One long step tells it once.
    assert_eq!(heartbeats(&bench.tick(minute(1_400))).len(), 1);
    // An open verdict is named.
    let opened = bench.rows(&[stray_flow(&coolant, minute(1_410))]);
    let named = opened.items.iter().find_map(|(_, item)| match item {
        Item::Verdict(verdict) => Some(verdict.verdict_id.clone()),
        _ => None,
    });
    let (.., risk, verdict) = heartbeats(&bench.tick(minute(1_465))).remove(0);
    assert!(named.is_some() && verdict == named && risk.band > Band::Low);
}

#[test]
fn heartbeats_of_many_devices_do_not_come_at_once() {
    let mut bench = Bench::new();
    bench.engine.tell_heartbeats();
    let plant = bench.engine.plant.clone();
    let devices = plant.inventory().devices.iter();
    let rows: Vec<_> = devices.map(|one| reading(&one.id, minute(600))).collect();
    bench.rows(&rows);
    let beats = |output: &Output| {
        let told = output.items.iter();
        told.filter(|(_, item)| matches!(item, Item::Heartbeat(_)))
            .count()
    };
    let each: Vec<_> = (0..=360)
        .map(|ten| beats(&bench.tick(minute(600) + Span::SECOND.times(10 * ten))))
        .collect();
    assert_eq!(each.iter().sum::<usize>(), rows.len());
    let most = each.iter().max().copied().unwrap();
    assert!(most <= 2 + 2 * rows.len() / 360, "{most} of {}", rows.len());
}

#[test]
fn what_comes_late_or_proves_nothing_makes_nobody_known() {
    let (mut bench, coolant) = patient();
    bench.rows(&[reading(&coolant, minute(600))]);
    assert_eq!(bands(&bench.tick(minute(620))), [(615, Band::Unknown)]);
    assert!(bands(&bench.rows(&[reading(&coolant, minute(610))])).is_empty());
    assert_eq!(bench.engine.risks()[0].1.band, Band::Unknown);
    // Whose rows have all come late was never heard of.
    let slow = device("conveyor");
    let late = bench.rows(&[reading(&slow, minute(605))]);
    assert_eq!(bands(&late), [(620, Band::Unknown)]);
    let in_time = bench.rows(&[reading(&slow, minute(621))]);
    assert_eq!(bands(&in_time), [(621, Band::Low)]);
}

#[test]
fn time_that_is_up_just_as_the_hours_end_is_up() {
    let plant = plant_with(|file| {
        let kept = file
            .text
            .lines()
            .filter(|line| !line.starts_with("silence:"));
        let kept = kept.collect::<Vec<_>>().join("\n");
        kept.replace("active_hours: 06:00-22:00", "active_hours: 06:00-22:30")
    });
    let mut bench = Bench::of(plant);
    // 22:15 plant time.
    bench.rows(&[reading(&device("coolant_system"), minute(1_275))]);
    assert_eq!(bands(&bench.tick(minute(1_290))), [(1_289, Band::Unknown)]);
}

/// A bench of the shipped plant whose profiles write nothing of silence, and one of its devices: it
/// is missed after a whole hour.
fn patient() -> (Bench, DeviceId) {
    let plant = plant_with(|file| {
        let lines = file.text.lines();
        let kept = lines.filter(|line| !line.starts_with("silence:"));
        kept.collect::<Vec<_>>().join("\n")
    });
    (Bench::of(plant), device("coolant_system"))
}

#[test]
fn of_a_device_that_falls_silent_it_is_published_at_once_that_nothing_is_known() {
    let (mut bench, coolant) = patient();
    let first = bench.rows(&[reading(&coolant, minute(600))]);
    assert_eq!(bands(&first), [(600, Band::Low)]);
    // Rows put it off, ticks before its time say nothing, and it is said once.
    bench.rows(&[reading(&coolant, minute(605))]);
    let told: Vec<_> = (606..640)
        .flat_map(|at| bands(&bench.tick(minute(at))))
        .collect();
    assert_eq!(told, [(620, Band::Unknown)]);
    let back = bench.rows(&[reading(&coolant, minute(640))]);
    assert_eq!(bands(&back), [(640, Band::Low)]);
    // One long step says the same as many small ones.
    assert_eq!(bands(&bench.tick(minute(659))), [(655, Band::Unknown)]);
}

#[test]
fn the_end_of_the_shift_makes_nobody_known_and_a_night_nobody_unknown() {
    let (mut bench, coolant) = patient();
    let band = |bench: &Bench| bench.engine.risks()[0].1.band;
    // 21:10 plant time; its hours end at 22:00.
    bench.rows(&[reading(&coolant, minute(1_210))]);
    bench.tick(minute(1_224));
    assert_eq!(band(&bench), Band::Low);
    for at in [1_225, 1_300, 1_440 + 299] {
        bench.tick(minute(at));
        assert_eq!(band(&bench), Band::Unknown, "{at}");
    }
    // 21:50: ten minutes that evening, and five the next morning.
    let (mut bench, _) = patient();
    bench.rows(&[reading(&coolant, minute(1_250))]);
    let night = bench.tick(minute(1_440 + 304));
    assert_eq!((bands(&night), band(&bench)), (vec![], Band::Low));
    let morning = bench.tick(minute(1_440 + 306));
    assert_eq!(bands(&morning), [(1_440 + 305, Band::Unknown)]);
}

#[test]
fn what_is_open_is_not_replaced_and_what_fades_to_low_is() {
    let mut bench = Bench::new();
    let stranger = DeviceId::new("laptop-7").unwrap();
    let mut told = bands(&bench.rows(&[stray_flow(&stranger, minute(600))]));
    for hours in 11..60 {
        told.extend(bands(&bench.tick(minute(hours * 60))));
    }
    let (last, before) = told.split_last().unwrap();
    assert_eq!(last.1, Band::Unknown, "{told:?}");
    assert!(before.iter().all(|(_, band)| *band > Band::Low), "{told:?}");
    assert!(last.0 >= 660, "{told:?}");
}

#[test]
fn a_row_of_its_own_says_nothing_of_the_rows_that_are_missing() {
    let (mut bench, coolant) = patient();
    bench.rows(&[reading(&coolant, minute(600))]);
    // An hour closes by the flow; a reading from before it may still be on its way.
    let output = bench.rows(&[stray_flow(&coolant, minute(666))]);
    assert!(
        bands(&output)
            .iter()
            .all(|(_, band)| *band != Band::Unknown)
    );
    assert!(bench.engine.counts().device_hours > 0);
}

#[test]
fn a_silence_of_decades_is_told_once() {
    let mut bench = Bench::new();
    let devices = bench.engine.plant.inventory().devices.iter();
    let servers = devices.filter(|device| device.function == Function::Server);
    let server = servers.map(|one| one.id.clone()).next().unwrap();
    bench.rows(&[reading(&server, minute(0))]);
    let output = bench.tick(EventTime::parse("2100-01-01T00:00:00Z").unwrap());
    assert_eq!(bands(&output), [(15, Band::Unknown)]);
}
