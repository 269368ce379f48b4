//! A capture through `andon backtest`, from the file to the verdicts: 50,000 devices, all detectors,
//! one shard and two. Wall time: the reader and the shards are threads of their own.

use std::path::Path;
use std::time::Instant;

use andon::args::{Cli, Command};
use andon::commands::{backtest, simulate};
use andon_benches::{HISTORY_START, Runs, Sheet, peak_bytes};
use clap::Parser as _;

const DEVICES: &str = "50000";
/// Flow records of the capture.
const RECORDS: usize = 1_000_000;
const REPEATS: usize = 3;

fn main() -> Result<(), String> {
    let mut sheet = Sheet::new("end to end, 50,000 devices, flow records");
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for (format, goal) in [("ndjson", ""), ("parquet", "≥ 7.1 M/s on two cores")] {
        let capture = folder.path().join(format!("flows.{format}"));
        write(&capture)?;
        for shards in ["1", "2"] {
            let mut failed = None;
            let runs = Runs::timed(REPEATS, || {
                let began = Instant::now();
                failed = play(&capture, shards).err().or(failed.take());
                began.elapsed()
            });
            if let Some(error) = failed {
                return Err(error);
            }
            let what = format!("{format}, --shards {shards}, records");
            sheet.rate(&what, RECORDS, &runs, goal);
        }
    }
    sheet.figure(
        "most resident memory",
        &format!("{} MB", peak_bytes() / 1_000_000),
        "",
    );
    sheet.print();
    Ok(())
}

fn write(capture: &Path) -> Result<(), String> {
    let records = RECORDS.to_string();
    let given = [
        "andon",
        "simulate",
        "--hours",
        "24",
        "--start",
        HISTORY_START,
        "--devices",
        DEVICES,
        "--observations",
        "flow",
        "--limit",
        &records,
        "--out",
        &capture.to_string_lossy(),
    ];
    let cli = Cli::try_parse_from(given).map_err(|e| e.to_string())?;
    let Command::Simulate(args) = &cli.command else {
        return Err("not what was asked for".to_owned());
    };
    simulate::run(args, cli.output, &mut std::io::sink()).map_err(|e| format!("{e:#}"))?;
    Ok(())
}

/// Plays it; nothing is written but what is in memory.
fn play(capture: &Path, shards: &str) -> Result<(), String> {
    let inventory = format!("{}.inventory.yaml", capture.display());
    let given = [
        "andon",
        "backtest",
        &capture.to_string_lossy(),
        "--inventory",
        &inventory,
        "--shards",
        shards,
    ];
    let cli = Cli::try_parse_from(given).map_err(|e| e.to_string())?;
    let Command::Backtest(args) = &cli.command else {
        return Err("not what was asked for".to_owned());
    };
    backtest::run(args, cli.output, &mut std::io::sink()).map_err(|e| format!("{e:#}"))?;
    Ok(())
}
