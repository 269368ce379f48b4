//! Real captures: every row becomes a record or a reject, and the sums agree with a count that
//! knows nothing of the formats. The captures are not part of the project; `ANDON_CORPUS` names
//! the folder that holds them, and without it these tests say that they were skipped.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test: what is not as it should be ends it"
)]

#[path = "corpus/csv.rs"]
mod csv;
#[path = "corpus/packets.rs"]
mod packets;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use andon_ingest::files::{Captures, FileReport, Format, Item, OpenOptions, Order, open};
use andon_ingest::split::Splitter;
use andon_schemas::observation::{Body, FlowRecord, Record, RecordBody};
use andon_schemas::reject::{Reject, RejectReason};
use andon_schemas::time::EventTime;
use flate2::read::MultiGzDecoder;

const AS_OF: EventTime = EventTime::from_micros(1_800_000_000_000_000);

fn corpus(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ANDON_CORPUS");
    if root.is_none() {
        eprintln!("skipped: ANDON_CORPUS does not name the folder of real captures");
    }
    root.map(|root| PathBuf::from(root).join(folder))
}

/// What one run over captures gave.
#[derive(Default)]
struct Outcome {
    records: Vec<Record>,
    rejects: Vec<Reject>,
    files: Vec<FileReport>,
}

impl Outcome {
    fn flows(&self) -> impl Iterator<Item = &FlowRecord> {
        self.records.iter().filter_map(|record| match &record.body {
            RecordBody::Flow(flow) => Some(flow),
            RecordBody::Single(_) => None,
        })
    }

    fn reasons(&self) -> BTreeMap<&'static str, usize> {
        let mut reasons = BTreeMap::new();
        for reject in &self.rejects {
            *reasons.entry(reject.reason.as_str()).or_default() += 1;
        }
        reasons
    }
}

fn captures(path: &Path) -> Captures {
    open(&[path.to_owned()], OpenOptions::as_of(AS_OF)).unwrap()
}

fn read(path: &Path) -> Outcome {
    drain(captures(path))
}

fn drain(mut captures: Captures) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        let batch = captures.next_batch(1_000).unwrap();
        if batch.is_empty() {
            break;
        }
        for item in batch {
            match item {
                Item::Record { record, .. } => outcome.records.push(record),
                Item::Reject(reject) => outcome.rejects.push(reject),
                Item::Tick(_) | Item::Control { .. } => panic!("not a recorded run"),
            }
        }
    }
    outcome.files = captures.files().to_vec();
    outcome
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Lines that are neither empty nor a header, counted without knowing the format.
fn rows_of(path: &Path) -> u64 {
    let mut bytes = Vec::new();
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = std::mem::take(&mut bytes);
        MultiGzDecoder::new(&packed[..])
            .read_to_end(&mut bytes)
            .unwrap();
    }
    let lines = bytes.split(|byte| *byte == b'\n');
    let rows = lines.filter(|line| {
        let line = line.trim_ascii();
        !line.is_empty() && !line.starts_with(b"#")
    });
    rows.count() as u64
}

/// Whether a file's rows are read one by one: connection and DNS logs.
fn is_read_by_row(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    [
        "conn.",
        "conn_json.",
        "dns.",
        "open_conn.",
        "labeled-conn.",
        "ORIGINALdns.",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}

fn check_every_row(folder: &str) -> Option<Vec<(PathBuf, Outcome)>> {
    let folder = corpus(folder)?;
    let mut outcomes = Vec::new();
    for path in files_below(&folder) {
        let outcome = read(&path);
        let report = &outcome.files[0];
        assert_eq!(report.records, outcome.records.len() as u64);
        assert_eq!(report.rejects, outcome.rejects.len() as u64);
        let counted = report.records + report.rejects;
        match report.format {
            Some(Format::ZeekTsv | Format::ZeekJson) if is_read_by_row(&path) => {
                assert_eq!(counted, rows_of(&path), "{}", path.display());
                assert_eq!(report.unread, 0, "{}", path.display());
            }
            Some(Format::Eve) => assert_eq!(counted, rows_of(&path), "{}", path.display()),
            Some(Format::ZeekTsv) => {
                assert_eq!(outcome.reasons(), BTreeMap::from([("unsupported", 1)]));
                assert_eq!(report.unread, rows_of(&path), "{}", path.display());
            }
            Some(Format::ZeekJson) => {
                assert_eq!(outcome.reasons(), BTreeMap::from([("unsupported", 1)]));
                assert_eq!(report.unread + 1, rows_of(&path), "{}", path.display());
            }
            Some(Format::Pcap | Format::PcapNg) => packets::check(&path, report),
            Some(other) => panic!("{} is not {other}", path.display()),
            None => assert_eq!(counted, 1, "{}", path.display()),
        }
        outcomes.push((path, outcome));
    }
    Some(outcomes)
}

/// The only rows of these logs that cannot be taken are DNS answers whose question Zeek missed.
fn check_rejects(path: &Path, outcome: &Outcome) {
    for reject in &outcome.rejects {
        assert_eq!(reject.detail, "`query` is missing", "{}", path.display());
    }
}

fn find<'a>(outcomes: &'a [(PathBuf, Outcome)], end: &str) -> &'a Outcome {
    let found = outcomes.iter().find(|(path, _)| path.ends_with(end));
    &found.unwrap_or_else(|| panic!("{end} is in the corpus")).1
}

#[test]
fn every_row_of_the_slips_inputs_is_a_record_or_a_reject() {
    let Some(outcomes) = check_every_row("01-slips-test-dataset") else {
        return;
    };
    // A blank before the header, JSON and TSV under one name, times that begin in 1970.
    let blank = find(&outcomes, "test10-mixed-zeek-dir/conn.log");
    assert_eq!(
        (blank.files[0].format, blank.rejects.len()),
        (Some(Format::ZeekTsv), 0)
    );
    let json = find(&outcomes, "port-scans/vertical/conn.log");
    assert_eq!(json.files[0].format, Some(Format::ZeekJson));
    let early = find(&outcomes, "port-scans/horizontal/conn.log");
    let first = early.records.iter().map(|r| r.event_time).min().unwrap();
    assert!(first < EventTime::from_micros(1_000_000_000), "{first}");
    // Flows are the only events taken from the EVE file, and they come sorted.
    let eve = find(&outcomes, "test6-malicious.suricata.json");
    assert_eq!(eve.records.len(), 3_512);
    assert_eq!(eve.reasons(), BTreeMap::from([("unsupported", 1_488)]));
    assert!(eve.records.is_sorted_by_key(|record| record.event_time));
    assert!(eve.flows().all(|flow| flow.uid.is_some()));
}

#[test]
fn every_row_of_the_labelled_logs_is_a_record_or_a_reject() {
    let Some(outcomes) = check_every_row("02-ctu-labeled-zeek") else {
        return;
    };
    for (path, outcome) in outcomes.iter().filter(|(path, _)| is_read_by_row(path)) {
        check_rejects(path, outcome);
    }
    let plain = find(&outcomes, "001-zeek-scenario-malicious/conn.log");
    let labelled = find(&outcomes, "001-zeek-scenario-malicious/labeled-conn.log");
    assert_eq!(plain.records, labelled.records);
}

#[test]
fn every_row_of_the_rotated_logs_is_a_record_or_a_reject() {
    let Some(outcomes) = check_every_row("10-rita-zeek-rotated") else {
        return;
    };
    for (path, outcome) in &outcomes {
        let truncated = path.parent().unwrap().ends_with("truncated");
        if is_read_by_row(path) && !truncated {
            check_rejects(path, outcome);
        }
        let open = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("open_conn");
        assert!(
            outcome.flows().all(|flow| flow.interim == open),
            "{}",
            path.display()
        );
    }
    let cut = find(&outcomes, "truncated/conn.log");
    assert_eq!(cut.reasons(), BTreeMap::from([("truncated", 1)]));
    let headless = find(&outcomes, "truncated/conn_top.log");
    assert!(
        headless.rejects[0].detail.contains("#fields"),
        "{:?}",
        headless.rejects
    );
    let json = find(&outcomes, "truncated/conn_json.log");
    assert_eq!(json.rejects.last().unwrap().reason, RejectReason::Truncated);
}

#[test]
fn a_folder_of_rotated_logs_is_one_sorted_capture() {
    let Some(folder) = corpus("10-rita-zeek-rotated/2024-04-19") else {
        return;
    };
    assert_eq!(captures(&folder).order(), Order::Sorted);
    let whole = read(&folder);
    assert!(whole.records.is_sorted_by_key(|record| record.event_time));
    let rows: u64 = files_below(&folder)
        .iter()
        .filter(|path| is_read_by_row(path))
        .map(|path| rows_of(path))
        .sum();
    let unasked = whole
        .rejects
        .iter()
        .filter(|r| r.reason == RejectReason::MissingField);
    assert_eq!((whole.records.len() + unasked.count()) as u64, rows);
    // The one host of this capture is an end of nearly everything.
    let host: IpAddr = "64.225.56.201".parse().unwrap();
    let of_host = whole
        .flows()
        .filter(|flow| flow.originator.address == host || flow.responder.address == host)
        .count();
    assert!(of_host * 100 > whole.flows().count() * 99);
}

#[test]
fn the_modbus_twin_is_read_and_split_by_address() {
    let Some(outcomes) = check_every_row("03-ot-pcaps-iti/zeek-twin-of-ModbusTCP.pcap") else {
        return;
    };
    let flows = find(&outcomes, "conn.log");
    let mut splitter = Splitter::default();
    let mut observations = Vec::new();
    for (outcome, log) in [(flows, "conn.log"), (find(&outcomes, "dns.log"), "dns.log")] {
        assert_eq!(outcome.reasons(), BTreeMap::new(), "{log}");
        for record in &outcome.records {
            let source = andon_schemas::observation::Source {
                topic: log.into(),
                partition: 0,
                offset: 1,
            };
            let _refused = splitter.split(None, record.clone(), &source, AS_OF, &mut observations);
        }
    }
    let modbus = observations
        .iter()
        .filter(|observation| match &observation.body {
            Body::Flow(flow) => flow.port == 502,
            _ => false,
        })
        .count();
    assert!(modbus > 0);
}
