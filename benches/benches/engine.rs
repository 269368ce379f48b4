//! The engine alone: Arrow bundles in, all detectors on, 50,000 devices, one core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use andon_benches::{Runs, Sheet, Stage, resident_bytes};
use andon_engine::{Engine, Input};

const DEVICES: usize = 50_000;
const WARM_ROWS: usize = 1_000_000;
const ROWS: usize = 4_000_000;
const REPEATS: usize = 5;

fn main() -> Result<(), String> {
    let mut sheet = Sheet::new("engine, one core, 50,000 devices, bundles of 8,192 rows");
    let mut stage = Stage::new(DEVICES)?;
    let inputs = stage.inputs(ROWS)?;
    let engine = pass(&mut sheet, &stage, "in the order of time", &inputs);
    drop(inputs);
    state(&mut sheet, &stage, &engine)?;
    drop(engine);
    let mut stage = Stage::new(DEVICES)?;
    let inputs = stage.scattered(ROWS)?;
    pass(&mut sheet, &stage, "flows of random devices", &inputs);
    sheet.print();
    Ok(())
}

/// Runs the input through fresh engines. Devices enter in the first part, which is not timed.
fn pass(sheet: &mut Sheet, stage: &Stage, what: &str, inputs: &[Input]) -> Engine {
    let mut warm_rows = 0;
    let warm = inputs
        .iter()
        .position(|input| {
            warm_rows += rows(input);
            warm_rows >= WARM_ROWS
        })
        .map_or(inputs.len(), |at| at + 1);
    let timed: usize = inputs[warm..].iter().map(rows).sum();
    let mut last = None;
    let mut longest_tick = Duration::MAX;
    let runs = Runs::timed(REPEATS, || {
        let mut engine = Engine::new(stage.plant.clone());
        for input in &inputs[..warm] {
            black_box(engine.step(input));
        }
        let mut longest = Duration::ZERO;
        let began = Instant::now();
        for input in &inputs[warm..] {
            let step = matches!(input, Input::Tick { .. }).then(Instant::now);
            black_box(engine.step(input));
            longest = longest.max(step.map_or(Duration::ZERO, |began| began.elapsed()));
        }
        let took = began.elapsed();
        longest_tick = longest_tick.min(longest);
        last = Some(engine);
        took
    });
    sheet.rate(what, timed, &runs, "≥ 4 M/s (≥ 2 M/s for now)");
    sheet.each(&format!("{what}, each"), timed, &runs, "≤ 250 ns");
    let tick = format!("{:.1} ms", longest_tick.as_secs_f64() * 1e3);
    sheet.figure(&format!("{what}, longest tick"), &tick, "");
    last.unwrap_or_else(|| Engine::new(stage.plant.clone()))
}

/// What one device takes: as engines grow that are restored side by side and kept. The first may
/// be laid into memory that was given back before, so it does not count.
fn state(sheet: &mut Sheet, stage: &Stage, engine: &Engine) -> Result<(), String> {
    let snapshot = [engine.snapshot()?];
    let mut kept = Vec::new();
    let mut grown = 0;
    for _ in 0..4 {
        let before = resident_bytes();
        let restored = Engine::restore(stage.plant.clone(), &snapshot, |_| true, true);
        kept.push(restored.map_err(|e| e.to_string())?);
        grown = grown.max(resident_bytes().saturating_sub(before));
    }
    let devices = engine.device_count() as u64;
    let each = grown / devices.max(1);
    sheet.figure(
        "resident bytes per device",
        &format!("{each} B"),
        "≤ 1,536 B",
    );
    let in_place = Engine::DEVICE_BYTES;
    sheet.figure(
        "of these in place (hot and cold)",
        &format!("{in_place} B"),
        "",
    );
    sheet.figure("devices, servers included", &devices.to_string(), "");
    Ok(())
}

fn rows(input: &Input) -> usize {
    match input {
        Input::Bundle(bundle) => bundle.len(),
        Input::Tick { .. } | Input::EndOfInput { .. } | Input::Control(_) => 0,
    }
}
