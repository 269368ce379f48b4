//! The engine alone: Arrow bundles in, all detectors on, 50,000 devices, one core.
//!
//! With `state FILE` it only restores the snapshot in the file, and prints the bytes that a device
//! takes: in a process of its own, where no memory is left over from other work.
#![expect(
    clippy::print_stdout,
    reason = "a bench is a program that prints its figures"
)]

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use andon_benches::{Runs, Sheet, Stage, busy, resident_bytes};
use andon_engine::{Engine, Input};

const DEVICES: usize = 50_000;
const WARM_ROWS: usize = 1_000_000;
const ROWS: usize = 4_000_000;
const REPEATS: usize = 5;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, file] = arguments.as_slice()
        && mode == "state"
    {
        println!("{}", bytes_per_device(Path::new(file))?);
        return Ok(());
    }
    let mut sheet = Sheet::new("engine, one core, 50,000 devices, bundles of 8,192 rows");
    let mut stage = Stage::new(DEVICES)?;
    let inputs = stage.inputs(ROWS)?;
    let engine = pass(&mut sheet, &stage, "in the order of time", &inputs);
    state(&mut sheet, &engine)?;
    drop((engine, inputs));
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
        let began = busy();
        for input in &inputs[warm..] {
            let step = matches!(input, Input::Tick { .. }).then(Instant::now);
            black_box(engine.step(input));
            longest = longest.max(step.map_or(Duration::ZERO, |began| began.elapsed()));
        }
        let took = busy().saturating_sub(began);
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

/// What one device takes.
fn state(sheet: &mut Sheet, engine: &Engine) -> Result<(), String> {
    let file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    std::fs::write(file.path(), engine.snapshot()?).map_err(|e| e.to_string())?;
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let child = Command::new(this).arg("state").arg(file.path()).output();
    let told = String::from_utf8_lossy(&child.map_err(|e| e.to_string())?.stdout).into_owned();
    sheet.figure("resident bytes per device", told.trim(), "≤ 1,536 B");
    let in_place = Engine::DEVICE_BYTES.to_string();
    sheet.figure("of these in place (hot and cold)", &in_place, "");
    sheet.figure(
        "devices, servers included",
        &engine.device_count().to_string(),
        "",
    );
    Ok(())
}

/// By how much the process grows when an engine is restored beside one that has used up what the
/// plant's making left over.
fn bytes_per_device(file: &Path) -> Result<u64, String> {
    let snapshot = [std::fs::read(file).map_err(|e| e.to_string())?];
    let stage = Stage::new(DEVICES)?;
    let restore = || {
        let restored = Engine::restore(stage.plant.clone(), &snapshot, |_| true, true);
        restored.map_err(|e| e.to_string())
    };
    let first = restore()?;
    let before = resident_bytes();
    let second = restore()?;
    let grown = resident_bytes().saturating_sub(before);
    Ok(grown / first.device_count().max(second.device_count()).max(1) as u64)
}

fn rows(input: &Input) -> usize {
    match input {
        Input::Bundle(bundle) => bundle.len(),
        Input::Batch(batch) => batch.bundles.iter().map(|(_, bundle)| bundle.len()).sum(),
        Input::Tick { .. } | Input::EndOfInput { .. } | Input::Control(_) => 0,
    }
}
