//! Snapshot and restore of 50,000 devices. One core.

use std::hint::black_box;

use andon_benches::{Runs, Sheet, Stage};
use andon_engine::Engine;

const DEVICES: usize = 50_000;
const ROWS: usize = 2_000_000;
const REPEATS: usize = 5;

fn main() -> Result<(), String> {
    let mut sheet = Sheet::new("snapshot, one core, 50,000 devices");
    let mut stage = Stage::new(DEVICES)?;
    let mut engine = Engine::new(stage.plant.clone());
    for input in &stage.inputs(ROWS)? {
        engine.step(input);
    }
    let snapshot = [engine.snapshot()?];
    let [bytes] = snapshot.each_ref().map(Vec::len);
    let each = bytes / engine.device_count().max(1);
    sheet.figure("size per device", &format!("{each} B"), "≤ 1,536 B");
    let runs = Runs::of(REPEATS, || {
        black_box(engine.snapshot().is_ok());
    });
    sheet.rate("write, bytes", bytes, &runs, "≥ 100 M/s");
    sheet.each("write, all", 1, &runs, "");
    let runs = Runs::of(REPEATS, || {
        let restored = Engine::restore(stage.plant.clone(), &snapshot, |_| true, true);
        black_box(restored.is_ok());
    });
    sheet.rate("restore, bytes", bytes, &runs, "≥ 100 M/s");
    sheet.each("restore, all", 1, &runs, "< 1 s");
    sheet.print();
    Ok(())
}
