//! Batch is stream: whatever the size of the bundles, the number of engines, and wherever it was
//! stopped and started again, the same observations give the same bytes.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod rows;
mod stage;

use std::collections::BTreeMap;

use andon_engine::{Item, Output};
use andon_schemas::observation::Observation;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::rows::{Record, records};
use crate::stage::{Cut, Kill, PLANT, Played, line, play, play_changed, replay};

/// Most bytes that one device's state may take in a snapshot.
const STATE_BYTES_MAX: usize = 32 * 1024;

const WHOLE: Cut = Cut {
    batch: 4_096,
    shards: 1,
    parts: None,
};

fn cut() -> impl Strategy<Value = Cut> {
    let batches = prop::sample::select(&[1_usize, 7, 4_096][..]);
    let shards = prop::sample::select(&[1_usize, 2, 8][..]);
    let parts = prop::sample::select(&[None, Some(1), Some(3), Some(16)][..]);
    (batches, shards, parts).prop_map(|(batch, shards, parts)| Cut {
        batch,
        shards,
        parts,
    })
}

fn same(one: &Played, other: &Played) -> Result<(), TestCaseError> {
    let (left, right) = (one.lines(), other.lines());
    for (a, b) in left.iter().zip(&right) {
        prop_assert_eq!(a, b);
    }
    prop_assert_eq!(left.len(), right.len());
    prop_assert_eq!(one.counts, other.counts);
    prop_assert_eq!(one.devices, other.devices);
    prop_assert_eq!(&one.ticks, &other.ticks);
    Ok(())
}

/// The device that a row is about: the one it names, or a sender that may not speak for it.
fn subject(row: &Observation) -> &str {
    let device = row.header.device.as_str();
    let sender = row.header.sender.as_ref().map(|s| s.name.as_str());
    sender
        .filter(|sender| !PLANT.inventory().may_speak_for(sender, device))
        .unwrap_or(device)
}

fn rows(records: &[Record]) -> impl Iterator<Item = &Observation> {
    records.iter().flatten()
}

/// What came out about other devices than `removed`, without the numbers of the rows.
fn about_others(played: &Played, records: &[Record], removed: &str) -> Vec<String> {
    let subjects: BTreeMap<u64, &str> = rows(records)
        .map(|row| (row.header.source.offset, subject(row)))
        .collect();
    played
        .items
        .iter()
        .filter(|(cause, item)| {
            let about = match item {
                Item::Refusal(refusal) => subjects.get(&refusal.source.offset).copied(),
                _ => Some(cause.device.as_str()),
            };
            about != Some(removed)
        })
        .map(|(cause, item)| format!("{} {}", cause.deadline, line(item)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_the_same_bytes(records in records(), cuts in prop::collection::vec(cut(), 2)) {
        let whole = play(&records, WHOLE, &[]);
        for cut in cuts {
            same(&whole, &play(&records, cut, &[]))?;
        }
    }

    #[test]
    fn a_stop_and_a_start_at_any_point_change_nothing(
        records in records(),
        first in cut(),
        stops in prop::collection::vec((any::<Index>(), cut()), 1..4),
    ) {
        let kills: Vec<Kill> = stops
            .iter()
            .map(|(at, then)| Kill { record: at.index(records.len()), then: *then })
            .collect();
        same(&play(&records, WHOLE, &[]), &play(&records, first, &kills))?;
    }

    #[test]
    fn a_change_of_the_plant_is_input_like_any_other(
        records in records(),
        changes in prop::collection::vec(any::<Index>(), 1..4),
        first in cut(),
        stops in prop::collection::vec((any::<Index>(), cut()), 0..3),
    ) {
        let changes: Vec<usize> = changes.iter().map(|at| at.index(records.len())).collect();
        let kills: Vec<Kill> = stops
            .iter()
            .map(|(at, then)| Kill { record: at.index(records.len()), then: *then })
            .collect();
        let whole = play_changed(&records, WHOLE, &[], &changes);
        same(&whole, &play_changed(&records, first, &kills, &changes))?;
    }

    #[test]
    fn devices_do_not_influence_each_other(records in records(), gone in any::<Index>()) {
        let all: Vec<&Observation> = rows(&records).collect();
        let removed = subject(all[gone.index(all.len())]).to_owned();
        let ticks = play(&records, WHOLE, &[]).ticks;
        let without: Vec<Record> = records
            .iter()
            .map(|record| record.iter().filter(|row| subject(row) != removed).cloned().collect())
            .collect();
        let with = about_others(&replay(&records, &ticks), &records, &removed);
        let alone = about_others(&replay(&without, &ticks), &without, &removed);
        prop_assert_eq!(with, alone);
    }

    #[test]
    fn revisions_are_unique_and_consecutive(records in records()) {
        let mut newest: BTreeMap<String, u32> = BTreeMap::new();
        for (_, item) in &play(&records, WHOLE, &[]).items {
            let Item::Verdict(verdict) = item else { continue };
            let revision = newest.entry(verdict.verdict_id.clone()).or_default();
            prop_assert_eq!(verdict.revision, *revision + 1);
            *revision += 1;
        }
    }

    #[test]
    fn rows_are_counted_once_and_state_is_bounded(records in records()) {
        let played = play(&records, WHOLE, &[]);
        let counts = played.counts;
        prop_assert_eq!(
            counts.observations + counts.refused + counts.duplicates,
            rows(&records).count() as u64
        );
        let (late, refused) = played.items.iter().fold((0, 0), |(late, refused), (_, item)| {
            (
                late + u64::from(matches!(item, Item::Late(_))),
                refused + u64::from(matches!(item, Item::Refusal(_))),
            )
        });
        prop_assert_eq!((counts.late, counts.refused), (late, refused));
        let saved: usize = played.saved.iter().map(Vec::len).sum();
        let most = 256 * 9 + 512 + played.devices * STATE_BYTES_MAX;
        prop_assert!(saved <= most, "{} devices take {saved} bytes", played.devices);
    }

    #[test]
    fn what_comes_out_is_in_order(records in records()) {
        let cut = Cut { batch: 7, shards: 2, parts: None };
        let played = play(&records, cut, &[]);
        let mut sorted = Output { items: played.items.clone() };
        sorted.sort();
        prop_assert_eq!(sorted.items, played.items);
    }
}
