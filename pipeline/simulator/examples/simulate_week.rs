//! Prints what a simulated plant yields, by kind of record, and how fast.
//!
//! `cargo run --release -p andon-simulator --example simulate_week -- [DEVICES [HOURS]]`
#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a measurement at the edge, outside the pure crate"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use andon_schemas::observation::{Kind, RecordBody};
use andon_simulator::{Options, Plant};

/// Enough to see the speed; a million devices would go on for hours.
const RECORDS_MAX: u64 = 20_000_000;

fn main() -> Result<(), String> {
    let numbers: Vec<Option<usize>> = std::env::args().skip(1).map(|a| a.parse().ok()).collect();
    let number = |at: usize| numbers.get(at).copied().flatten();
    let inventory = andon_schemas::builtin::inventory().map_err(|e| e.to_string())?;
    let profiles = andon_schemas::builtin::profiles(&[]).map_err(|e| e.to_string())?;
    let hours = number(1)
        .and_then(|hours| u32::try_from(hours).ok())
        .unwrap_or(168);
    let options = Options {
        seed: 1,
        hours,
        devices: number(0),
        ..Options::default()
    };
    let start = inventory.clock.moment(20_434, 9 * 60);
    let options = if hours < 24 {
        Options {
            start: Some(start),
            ..options
        }
    } else {
        options
    };

    let began = Instant::now();
    let mut plant = Plant::new(&inventory, &profiles, &options)?;
    println!(
        "set up {} entries in {:.2?}",
        plant.inventory().devices.len(),
        began.elapsed()
    );

    let began = Instant::now();
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    let (mut records, mut largest) = (0, 0);
    while let Some(slice) = plant.next_slice() {
        largest = largest.max(slice.len());
        for record in &slice {
            let kind = match &record.body {
                RecordBody::Flow(_) => Kind::Flow,
                RecordBody::Single(body) => body.kind(),
            };
            *kinds.entry(kind).or_default() += 1;
        }
        records += slice.len() as u64;
        if records > RECORDS_MAX {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{records} records in {seconds:.2} s, {:.0}/s",
        records as f64 / seconds
    );
    println!("largest slice {largest} records; by kind {kinds:?}");
    Ok(())
}
