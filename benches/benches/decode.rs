//! Reading: wire records, Zeek logs, and laying observations into bundles. One core.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use andon_benches::{HISTORY_START, Runs, Sheet, Stage};
use andon_engine::Feed;
use andon_ingest::files::{self, OpenOptions};
use andon_schemas::bundle::BUNDLE_ROWS_MAX;
use andon_schemas::observation::{ConnState, Record, RecordBody};
use andon_schemas::time::EventTime;
use andon_schemas::wire::{self, DecodeOptions};

const RECORDS: usize = 300_000;
const REPEATS: usize = 7;

fn main() -> Result<(), String> {
    let mut sheet = Sheet::new("decode, one core");
    let mut stage = Stage::new(500)?;
    let records = stage.records(RECORDS);
    wire_lines(&mut sheet, &records);
    zeek_log(&mut sheet, &records)?;
    bundles(&mut sheet, &mut stage)?;
    sheet.print();
    Ok(())
}

/// A line is decoded twice: as our own records, every field checked, and by serde alone into the
/// most general value, to tell what the checks cost.
fn wire_lines(sheet: &mut Sheet, records: &[Record]) {
    let lines: Vec<String> = records.iter().map(wire::encode).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let options = DecodeOptions {
        capture: true,
        ..DecodeOptions::default()
    };
    let runs = Runs::of(REPEATS, || {
        for line in &lines {
            black_box(wire::decode(black_box(line.as_bytes()), options).is_ok());
        }
    });
    sheet.rate(
        "wire NDJSON",
        lines.len(),
        &runs,
        "≥ 1 M/s (serde_json alone: 3.2 M/s)",
    );
    sheet.rate("wire NDJSON, bytes", bytes, &runs, "");
    let runs = Runs::of(REPEATS, || {
        for line in &lines {
            let value: Result<serde_json::Value, _> = serde_json::from_str(black_box(line));
            black_box(value.is_ok());
        }
    });
    sheet.rate("the same into serde_json::Value", lines.len(), &runs, "");
}

/// Zeek's connection log from a file, up to records in the order of their times.
fn zeek_log(sheet: &mut Sheet, records: &[Record]) -> Result<(), String> {
    let text = conn_log(records);
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = folder.path().join("conn.log");
    std::fs::write(&path, &text).map_err(|e| e.to_string())?;
    let rows = read(&path)?;
    let runs = Runs::of(REPEATS, || {
        black_box(read(&path).unwrap_or(0));
    });
    sheet.rate("Zeek conn.log, sorted", rows, &runs, "≥ 1 M/s");
    sheet.rate("Zeek conn.log, bytes", text.len(), &runs, "");
    Ok(())
}

fn read(path: &Path) -> Result<usize, String> {
    let as_of = EventTime::parse(HISTORY_START)?;
    let paths = [path.to_owned()];
    let mut captures = files::open(&paths, OpenOptions::as_of(as_of)).map_err(|e| e.to_string())?;
    let mut taken = 0;
    loop {
        let batch = captures
            .next_batch(BUNDLE_ROWS_MAX)
            .map_err(|e| e.to_string())?;
        if batch.is_empty() {
            return Ok(taken);
        }
        let records = batch
            .iter()
            .filter(|item| matches!(item, files::Item::Record { .. }));
        taken += records.count();
    }
}

/// The flows among the records as Zeek writes them.
fn conn_log(records: &[Record]) -> String {
    let mut log = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n\
        #unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\t\
        id.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\n#types\ttime\t\
        string\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\n"
        .to_owned();
    for (number, record) in records.iter().enumerate() {
        let RecordBody::Flow(flow) = &record.body else {
            continue;
        };
        let state = match flow.state {
            ConnState::Attempt => "S0",
            ConnState::Rejected => "REJ",
            ConnState::Answered | ConnState::Unknown => "SF",
        };
        let count = |bytes: Option<u64>| bytes.map_or("-".to_owned(), |n| n.to_string());
        let start = flow.start.micros();
        let written = writeln!(
            log,
            "{}.{:06}\tC{number:016x}\t{}\t{}\t{}\t{}\t{}\t{}\t{:.6}\t{}\t{}\t{state}",
            start / 1_000_000,
            start % 1_000_000,
            flow.originator.address,
            flow.originator.port,
            flow.responder.address,
            flow.responder.port,
            flow.transport,
            flow.service.as_deref().unwrap_or("-"),
            record.event_time.since(flow.start).as_secs_f64(),
            count(flow.originator_bytes),
            count(flow.responder_bytes),
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    log
}

/// Observations into Arrow columns, as the pipeline does before the engine.
fn bundles(sheet: &mut Sheet, stage: &mut Stage) -> Result<(), String> {
    let observations = stage.observations(RECORDS)?;
    let rows = observations.iter().map(Vec::len).sum();
    let runs = Runs::of(REPEATS, || {
        let mut feed = Feed::new(stage.plant.clone(), BUNDLE_ROWS_MAX);
        for split in &observations {
            feed.push(split);
            black_box(feed.take());
        }
        feed.flush();
        black_box(feed.take());
    });
    sheet.rate("bundles and ticks", rows, &runs, "≥ 4 M/s");
    Ok(())
}
