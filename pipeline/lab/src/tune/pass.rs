//! One pass over the traffic with several engines side by side, each with a configuration of its
//! own.

use std::sync::Arc;

use andon_engine::{Engine, Input, Item, Plant};
use andon_ingest::files::CaptureError;
use andon_schemas::observation::Observation;
use andon_schemas::time::{EventTime, Span};

use super::watch::Watch;
use crate::play::Player;

/// Rows may come this much later than others with the same event time; what is played further than
/// asked for is not looked at.
const UNORDERED: Span = Span::from_secs(2 * 3600);

/// An engine and what it said.
struct Variant {
    engine: Engine,
    watch: Watch,
}

impl Variant {
    fn take(&mut self, inputs: &[Input]) {
        for input in inputs {
            // Engines are measured against what they were made with, whatever a recording says.
            if matches!(input, Input::Control(_)) {
                continue;
            }
            for (_, item) in self.engine.step(input).items {
                if let Item::Verdict(verdict) = item {
                    self.watch.verdict(&verdict);
                }
            }
        }
    }
}

/// Plays traffic until `until` to an engine for each plant; what each of them said, in the order of
/// the plants. `alter` may change rows on their way; `told` is told the records read so far.
///
/// # Errors
/// If a capture cannot be read on.
pub(super) fn run(
    mut player: Player,
    plants: &[Arc<Plant>],
    until: EventTime,
    alter: &mut dyn FnMut(&mut Vec<Observation>),
    told: &mut dyn FnMut(u64),
) -> Result<Vec<Watch>, CaptureError> {
    let mut variants: Vec<Variant> = plants
        .iter()
        .map(|plant| Variant {
            engine: Engine::new(plant.clone()),
            watch: Watch::default(),
        })
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let each = variants.len().div_ceil(threads).max(1);
    while let Some(inputs) = player.next(alter)? {
        std::thread::scope(|scope| {
            for part in variants.chunks_mut(each) {
                let inputs = &inputs;
                scope.spawn(move || part.iter_mut().for_each(|variant| variant.take(inputs)));
            }
        });
        told(player.records());
        if player.newest() > until + UNORDERED {
            break;
        }
    }
    Ok(variants.into_iter().map(|variant| variant.watch).collect())
}
