//! What becomes of rows that are not applied to the device they name.

use andon_schemas::identity::DeviceId;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::{EventTime, Span};

use crate::engine::Engine;
use crate::output::{Item, Output};
use crate::room::strangers_max;
use crate::scenes::{Bench, PLANT, reading, verdicts};
use crate::vnode::vnode_of;

fn morning() -> EventTime {
    EventTime::parse("2025-12-12T09:00:00Z").unwrap()
}

/// Devices of one virtual node that no inventory lists, one more than there is room for.
fn too_many() -> Vec<DeviceId> {
    let names = (0..).map(|n| DeviceId::new(&format!("stranger-{n}")).unwrap());
    let of_one_node = names.filter(|id| vnode_of(id.as_str()) == 7);
    of_one_node
        .take(usize::from(strangers_max(&PLANT)) + 1)
        .collect()
}

fn shed(output: &Output) -> usize {
    let is_shed = |item: &Item| matches!(item, Item::Refusal(r) if r.reason == RejectReason::Shed);
    output
        .items
        .iter()
        .filter(|(_, item)| is_shed(item))
        .count()
}

#[test]
fn what_there_is_no_room_for_is_counted_and_a_finding_of_its_own() {
    let mut bench = Bench::new();
    let devices = too_many();
    let (last, watched) = devices.split_last().unwrap();
    let at = morning();
    let rows: Vec<_> = watched.iter().map(|id| reading(id, at)).collect();
    assert_eq!(shed(&bench.rows(&rows)), 0);

    let output = bench.rows(&[reading(last, at), reading(last, at + Span::SECOND)]);
    assert_eq!(shed(&output), 2);
    let told: Vec<_> = verdicts(&output)
        .into_iter()
        .map(|(_, state, standing)| (state, standing))
        .collect();
    assert_eq!(
        told,
        [("raised".to_owned(), vec!["device_flood".to_owned()])]
    );

    // It outlives a restart, and ends an hour after the last such row.
    let state = bench.engine.snapshot().unwrap();
    bench.engine = Engine::restore(PLANT.clone(), &[state], |_| true, true).unwrap();
    assert_eq!(
        shed(&bench.rows(&[reading(last, at + Span::SECOND.times(2))])),
        1
    );
    let ended = bench.tick(at + Span::HOUR.times(2));
    let flood = ended.items.iter().find_map(|(cause, item)| match item {
        Item::Verdict(v) if v.device_id.as_str().starts_with("unlisted:") => Some((cause, v)),
        _ => None,
    });
    let (cause, verdict) = flood.unwrap();
    assert_eq!(verdict.state.to_string(), "cleared");
    assert_eq!(verdict.findings[0].count, 3);
    assert_eq!(cause.deadline, at + Span::HOUR + Span::SECOND.times(2));
}

#[test]
fn nobody_speaks_for_those_there_is_no_room_for() {
    let mut bench = Bench::new();
    let (devices, at) = (too_many(), morning());
    let rows: Vec<_> = devices.iter().map(|id| reading(id, at)).collect();
    let told = bench.rows(&rows);
    let crowd = told.items.iter().find_map(|(_, item)| match item {
        Item::Verdict(v) if v.device_id.as_str().starts_with("unlisted:") => Some(&v.device_id),
        _ => None,
    });
    let output = bench.rows(&[reading(crowd.unwrap(), at)]);
    let [(_, Item::Refusal(refusal))] = output.items.as_slice() else {
        panic!("{output:?}");
    };
    assert_eq!(refusal.reason, RejectReason::OutOfRange);
}
