//! What a change of the plant does to what is remembered of a device.

use std::sync::Arc;

use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::finding::Finding;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::profile::SourceFile;
use andon_schemas::verdict::Verdict;

use crate::engine::{Engine, Input};
use crate::output::{Item, Output};
use crate::plant::Plant;
use crate::scenes::{
    Bench, PLANT, PROFILES, device, listed, minute, plant_with, reading, stray_flow,
};

/// The shipped plant, with another line under the destinations of its controllers.
fn with_destination(line: &str) -> Arc<Plant> {
    plant_with(|file| {
        let text = file.text.to_owned();
        if file.path == "profiles/cnc_controller_fanuc.yaml" {
            text.replace("destinations:\n", &format!("destinations:\n  - {line}\n"))
        } else {
            text
        }
    })
}

/// The shipped plant without one of its controllers, and that controller.
fn without_one() -> (Arc<Plant>, DeviceId) {
    let text = builtin::INVENTORY
        .text
        .replace("{0031..0050}", "{0032..0050}");
    let inventory = andon_schemas::inventory::parse(SourceFile {
        path: "short.yaml",
        text: &text,
    });
    let inventory = inventory.unwrap();
    let short = Arc::new(Plant::compile(inventory, &PROFILES, Mode::Monitor));
    let controller = DeviceId::new("cnc-controller-01-0031").unwrap();
    (short, controller)
}

fn verdicts(output: &Output) -> Vec<&Verdict> {
    let items = output.items.iter();
    items
        .filter_map(|(_, item)| match item {
            Item::Verdict(verdict) => Some(verdict),
            _ => None,
        })
        .collect()
}

fn finding<'a>(verdict: &'a Verdict, detector: &str) -> &'a Finding {
    let mut findings = verdict.findings.iter();
    findings.find(|f| f.detector == detector).unwrap()
}

#[test]
fn what_was_found_stands_and_names_the_profile_it_was_measured_against() {
    let plc = device("cnc_controller_fanuc");
    let mut bench = Bench::new();
    let raised = bench.rows(&[stray_flow(&plc, minute(9 * 60))]);
    let raised = verdicts(&raised)[0].clone();
    assert_eq!(finding(&raised, "unknown_destination").profile, None);

    let allowing = with_destination("{ address: 203.0.113.9 }");
    bench.engine.step(&Input::Control(allowing.clone()));
    // The destination is known now: the repeat counts no more, and the finding still stands.
    let told = bench.rows(&[stray_flow(&plc, minute(9 * 60 + 1))]);
    assert!(verdicts(&told).iter().all(|v| v.grade == raised.grade));
    let closed = bench.tick(minute(10 * 60));
    let closed = *verdicts(&closed).last().unwrap();
    assert_eq!(closed.verdict_id, raised.verdict_id);
    let found = finding(closed, "unknown_destination");
    assert!(found.active);
    assert_eq!(found.count, 1);
    assert_eq!(found.profile.as_ref(), Some(&raised.profile));
    assert_ne!(closed.profile, raised.profile);
    let known = allowing.profile("cnc_controller_fanuc").unwrap();
    assert_eq!(closed.profile.hash, known.hash);
}

#[test]
fn a_list_of_hostile_destinations_is_in_force_from_the_next_row_on() {
    let cnc = device("cnc_controller_fanuc");
    let known = |list: &str| {
        let inventory = builtin::inventory().unwrap();
        Arc::new(Plant::with_indicators(
            inventory,
            &PROFILES,
            listed(list),
            Mode::Monitor,
        ))
    };
    let found = |output: &Output| {
        let findings = verdicts(output).into_iter().flat_map(|v| &v.findings);
        findings
            .filter(|f| f.detector == "known_bad_destination")
            .map(|f| (f.grade, f.count))
            .next_back()
    };
    let mut bench = Bench::new();
    let before = bench.rows(&[stray_flow(&cnc, minute(9 * 60))]);
    assert_eq!(found(&before), None);
    bench.engine.step(&Input::Control(known("203.0.113.0/24")));
    let told = bench.rows(&[stray_flow(&cnc, minute(9 * 60 + 1))]);
    assert_eq!(found(&told), Some((Grade::Critical, 1)));
    let saved = bench.engine.snapshot().unwrap();
    assert!(Engine::restore(known("203.0.113.0/24"), &[saved], |_| true, true).is_ok());
    // Taken off the list again, further calls add nothing; the finding stands for its day.
    bench.engine.step(&Input::Control(known("192.0.2.0/24")));
    bench.rows(&[stray_flow(&cnc, minute(9 * 60 + 2))]);
    let closed = bench.tick(minute(11 * 60));
    assert_eq!(found(&closed), Some((Grade::Critical, 1)));
}

#[test]
fn a_device_whose_profile_stays_the_same_is_left_as_it_was() {
    let sensor = device("temperature_sensor");
    let (mut changed, mut unchanged) = (Bench::new(), Bench::new());
    for bench in [&mut changed, &mut unchanged] {
        for at in 0..90 {
            bench.rows(&[reading(&sensor, minute(at))]);
        }
    }
    changed.engine.step(&Input::Control(with_destination(
        "{ address: 203.0.113.9 }",
    )));
    changed.engine.step(&Input::Control(PLANT.clone()));
    assert!(changed.engine.snapshot().unwrap() == unchanged.engine.snapshot().unwrap());
}

#[test]
fn a_stranger_that_was_written_into_the_inventory_is_one_no_longer() {
    let (short, controller) = without_one();
    let mut bench = Bench::new();
    bench.engine.step(&Input::Control(short));
    bench.rows(&[reading(&controller, minute(8 * 60))]);
    let is_listed = |engine: &Engine| engine.plant.listed(engine.devices.places[0]).is_some();
    assert!(!is_listed(&bench.engine));
    bench.engine.step(&Input::Control(PLANT.clone()));
    assert!(is_listed(&bench.engine));
    // And it is missed from now on, as a listed device is.
    let missed = bench.tick(minute(12 * 60));
    let missed = verdicts(&missed);
    assert!(
        missed.iter().any(|v| v.findings[0].detector == "silence"),
        "{missed:?}"
    );
}

#[test]
fn whoever_was_missed_and_leaves_the_inventory_is_missed_no_longer() {
    let (short, controller) = without_one();
    let mut bench = Bench::new();
    bench.rows(&[reading(&controller, minute(8 * 60))]);
    let missed = bench.tick(minute(9 * 60));
    assert!(
        verdicts(&missed)
            .iter()
            .any(|v| v.findings[0].detector == "silence")
    );
    bench.engine.step(&Input::Control(short));
    let told = bench.tick(minute(10 * 60));
    let states: Vec<_> = verdicts(&told)
        .iter()
        .map(|v| v.state.to_string())
        .collect();
    assert_eq!(states, ["cleared"]);
}
