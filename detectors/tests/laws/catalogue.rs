//! What can be told of the catalogue without a single row.

use std::fs;
use std::path::Path;

use andon_detectors::catalog::{CATALOG, Entry, Plans, States};
use andon_schemas::profile::{SourceFile, parse};

use crate::plant::{PROFILES, baseline};

/// Detectors that hold for every device, whatever its profile says.
const FOR_ALL: &[&str] = &[
    "beaconing",
    "device_flood",
    "firmware_mismatch",
    "forbidden_flow",
    "identity_mismatch",
    "known_bad_destination",
    "scan",
    "silence",
    "unknown_device",
];

#[test]
fn names_are_in_snake_case_and_in_order_and_so_unique() {
    for entry in CATALOG {
        let fits = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(entry.name.chars().all(fits), "{}", entry.name);
        assert!(
            !entry.name.starts_with('_') && !entry.name.ends_with('_'),
            "{}",
            entry.name
        );
    }
    assert!(CATALOG.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn every_entry_asks_a_question_and_owns_up_to_its_false_alarms() {
    for entry in CATALOG {
        assert!(entry.question.ends_with('?'), "{}", entry.name);
        assert!(entry.cries_wolf.ends_with('.'), "{}", entry.name);
        assert!(
            !entry.reads.is_empty() && !entry.grade.is_empty(),
            "{}",
            entry.name
        );
    }
}

#[test]
fn the_stakes_of_a_day_add_up_to_one_false_alarm() {
    let sum: f32 = CATALOG.iter().map(Entry::stake).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    assert!(
        CATALOG
            .iter()
            .all(|entry| (0.0..=1.0).contains(&entry.stake()))
    );
}

#[test]
fn a_profile_that_says_nothing_gives_only_those_work_that_hold_for_all() {
    let file = |text| SourceFile {
        path: "bare.yaml",
        text,
    };
    let bare = parse(&[file("profile: bare\nversion: '1'\n")], &[]).unwrap();
    let plans = Plans::compile(&baseline(bare.get("bare").unwrap().clone()));
    assert_eq!(plans.active(), FOR_ALL);
}

#[test]
fn every_detector_has_work_in_a_shipped_profile_and_can_be_switched_off() {
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    let mut active = Vec::new();
    for profile in PROFILES.iter() {
        active.extend(Plans::compile(&baseline(profile.clone())).active());
        let mut off = profile.clone();
        for name in &names {
            off.detectors.entry((*name).to_owned()).or_default().off = true;
        }
        assert!(Plans::compile(&baseline(off)).active().is_empty());
    }
    for name in names {
        assert!(active.contains(&name), "{name} has nothing to do anywhere");
    }
}

#[test]
fn the_state_of_a_device_stays_within_its_budget() {
    let bytes = size_of::<States>();
    println!("{bytes} bytes of state for {} detectors", CATALOG.len());
    assert!(bytes <= 1_200, "{bytes}");
}

#[test]
fn every_file_documents_itself_and_is_tested_both_ways() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog");
    for entry in CATALOG {
        let source = fs::read_to_string(folder.join(format!("{}.rs", entry.name))).unwrap();
        for heading in [
            "//! # ",
            "//! ## What it sees",
            "//! ## When it cries wolf",
            "//! ## Method",
        ] {
            assert!(
                source.contains(heading),
                "{} has no `{heading}`",
                entry.name
            );
        }
        assert!(
            source.starts_with(&format!("//! # {}", entry.question)),
            "{}",
            entry.name
        );
        let tests = folder.join(entry.name).join("tests.rs");
        let tests = match fs::read_to_string(tests) {
            Ok(text) => text,
            Err(_) => source
                .split("#[cfg(test)]")
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
        };
        assert!(
            tests.matches("#[test]").count() >= 2,
            "{} is not tested",
            entry.name
        );
        let says = |words: [&str; 2]| words.iter().any(|word| tests.contains(word));
        let fires = drawn(&tests, '!') || says(["Signal::Seen", "seen("]);
        assert!(fires, "no test of {} makes it fire", entry.name);
        let silent = drawn(&tests, '.') || says(["Signal::Quiet", "silent"]);
        assert!(silent, "no test of {} keeps it silent", entry.name);
    }
}

/// Whether a drawing has a lower row with this mark.
fn drawn(tests: &str, mark: char) -> bool {
    let is_row = |row: &str| !row.is_empty() && row.chars().all(|c| " .!oe".contains(c));
    tests
        .lines()
        .map(str::trim)
        .any(|row| is_row(row) && row.contains(mark))
}
