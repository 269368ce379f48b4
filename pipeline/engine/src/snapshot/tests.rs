//! Snapshots come back whole or not at all.

use proptest::prelude::*;

use super::{SnapshotError, split_snapshot};
use crate::engine::Engine;
use crate::scenes::{Bench, PLANT, device, minute, reading, stray_flow};
use crate::vnode::VNODES;

/// A few devices with panes, findings and states.
fn saved() -> Vec<u8> {
    saved_of(&["cnc_controller_fanuc", "conveyor", "robotic_arm"])
}

fn saved_of(types: &[&str]) -> Vec<u8> {
    let mut bench = Bench::new();
    for (n, device_type) in (0..).zip(types) {
        let device = device(device_type);
        let at = minute(600 + n);
        bench.rows(&[stray_flow(&device, at), reading(&device, at)]);
    }
    bench.engine.snapshot().unwrap()
}

fn restore(bytes: &[u8]) -> Result<Engine, SnapshotError> {
    Engine::restore(PLANT.clone(), &[bytes.to_vec()], |_| true, true)
}

#[test]
fn what_was_saved_comes_back_bit_for_bit() {
    let bytes = saved();
    let engine = restore(&bytes).unwrap();
    assert_eq!(engine.device_count(), 3);
    assert_eq!(engine.counts().observations, 6);
    assert_eq!(engine.snapshot().unwrap(), bytes);
}

#[test]
fn damage_at_any_byte_is_noticed() {
    let bytes = saved_of(&["conveyor"]);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        assert!(restore(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn a_cut_at_any_byte_is_noticed() {
    let bytes = saved_of(&["conveyor"]);
    for length in 0..bytes.len() {
        assert!(restore(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn what_follows_the_last_section_is_noticed() {
    let mut bytes = saved();
    bytes.push(0);
    let error = restore(&bytes).err().unwrap();
    assert!(error.to_string().contains("goes on after"), "{error}");
}

#[test]
fn another_version_is_refused_by_its_number() {
    let mut bytes = saved();
    let other = crate::snapshot::VERSION + 1;
    bytes[8..12].copy_from_slice(&other.to_le_bytes());
    assert_eq!(restore(&bytes).err(), Some(SnapshotError::Version(other)));
    assert_eq!(
        restore(b"PK\x03\x04").err(),
        Some(SnapshotError::NotASnapshot)
    );
}

#[test]
fn other_profiles_another_inventory_or_other_indicators_are_refused() {
    use andon_detectors::catalog::CATALOG;
    use andon_schemas::{builtin, command::Mode};

    use crate::scenes::listed;

    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    let profiles = builtin::profiles(&names).unwrap();
    let few = &builtin::PROFILES[..1];
    let few = andon_schemas::profile::parse(few, &names).unwrap();
    let mut moved = builtin::inventory().unwrap();
    moved.hash = "0".repeat(64);
    for (plant, what) in [
        (
            crate::Plant::compile(builtin::inventory().unwrap(), &few, Mode::Monitor),
            "profiles",
        ),
        (
            crate::Plant::compile(moved, &profiles, Mode::Monitor),
            "inventory",
        ),
        (
            crate::Plant::with_indicators(
                builtin::inventory().unwrap(),
                &profiles,
                listed("203.0.113.9"),
                Mode::Monitor,
            ),
            "indicators",
        ),
    ] {
        let result = Engine::restore(plant.into(), &[saved()], |_| true, true);
        let told = result.err();
        assert!(
            matches!(&told, Some(SnapshotError::Control { what: told, .. }) if *told == what),
            "{told:?}"
        );
    }
}

#[test]
fn virtual_nodes_of_others_are_left_out() {
    let halves = [0, 1].map(|half| {
        let own = |vnode: u8| vnode % 2 == half;
        Engine::restore(PLANT.clone(), &[saved()], own, half == 0).unwrap()
    });
    assert_eq!(halves[0].device_count() + halves[1].device_count(), 3);
    assert_eq!(halves[1].counts(), crate::Counts::default());
    let saved_halves = halves.map(|half| half.snapshot().unwrap());
    let whole = Engine::restore(PLANT.clone(), &saved_halves, |_| true, true).unwrap();
    assert_eq!(whole.snapshot().unwrap(), saved());
}

proptest! {
    #[test]
    fn noise_is_an_error(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = super::MAGIC.to_vec();
        bytes.extend_from_slice(&super::VERSION.to_le_bytes());
        bytes.extend_from_slice(&noise);
        prop_assert!(restore(&bytes).is_err());
    }
}

#[test]
fn the_parts_of_a_snapshot_put_together_are_it_again() {
    let bytes = saved();
    let parts = split_snapshot(&bytes).unwrap();
    assert_eq!(parts.len(), 1 + VNODES);
    assert_eq!(parts.concat(), bytes);
    assert!(split_snapshot(&bytes[..bytes.len() - 1]).is_err());
    assert!(split_snapshot(b"ANDON").is_err());
}
