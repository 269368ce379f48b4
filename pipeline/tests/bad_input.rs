//! Bad records and captures through the binary: nothing panics, nothing is dropped silently. What
//! cannot be used is rejected with a reason and a position; what is odd is a finding or a count.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

/// What a backtest left behind.
struct Outcome {
    summary: Value,
    rejects: Vec<Value>,
    verdicts: Vec<Value>,
}

impl Outcome {
    fn count(&self, name: &str) -> u64 {
        self.summary[name].as_u64().unwrap()
    }

    /// Reason and record number of every reject.
    fn told(&self) -> Vec<(&str, u64)> {
        let told = |r: &'_ Value| r["source"]["offset"].as_u64().unwrap();
        self.rejects
            .iter()
            .map(|r| (r["reason"].as_str().unwrap(), told(r)))
            .collect()
    }

    fn detectors(&self) -> Vec<&str> {
        let findings = self
            .verdicts
            .iter()
            .flat_map(|v| v["findings"].as_array().unwrap());
        findings.map(|f| f["detector"].as_str().unwrap()).collect()
    }
}

/// Backtests a file of this name and content, and checks that everything is accounted for.
fn backtest(name: &str, content: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join(name);
    fs::write(&capture, content).unwrap();
    let path = capture.to_string_lossy();
    let out = folder.path().to_string_lossy();
    plant::run(&[
        "backtest",
        &path,
        "--out",
        &out,
        "--as-of",
        "2026-01-01T00:00:00Z",
    ]);
    let outcome = Outcome {
        summary: serde_json::from_slice(&plant::read(folder.path(), "summary.json")).unwrap(),
        rejects: plant::lines(&plant::read(folder.path(), "rejects.jsonl")),
        verdicts: plant::lines(&plant::read(folder.path(), "verdicts.jsonl")),
    };
    let rejects = outcome.rejects.len() as u64;
    assert_eq!(
        outcome.count("records"),
        outcome.count("records_observed") + rejects
    );
    let late = plant::lines(&plant::read(folder.path(), "late.jsonl"));
    assert_eq!(outcome.count("late"), late.len() as u64);
    let duplicates = plant::lines(&plant::read(folder.path(), "duplicates.jsonl"));
    assert_eq!(outcome.count("duplicates"), duplicates.len() as u64);
    for row in late.iter().chain(&duplicates) {
        assert_eq!(row["source"]["topic"], *path, "{row}");
    }
    for reject in &outcome.rejects {
        assert_eq!(reject["source"]["topic"], *path, "{reject}");
        assert!(!reject["detail"].as_str().unwrap().is_empty(), "{reject}");
    }
    outcome
}

fn backtest_lines(lines: &[String]) -> Outcome {
    backtest("capture.ndjson", (lines.join("\n") + "\n").as_bytes())
}

/// A usual flow of a controller to its safety PLC, with some fields changed; null takes one away.
fn flow(changes: Value) -> String {
    let mut flow = json!({
        "kind": "flow", "device": "cnc-controller-01-0001", "time": "2025-12-12T09:00:00Z",
        "orig": "10.1.10.1:40000", "resp": "10.1.10.250:44818", "transport": "udp",
        "orig_bytes": 120, "resp_bytes": 40, "state": "answered",
    });
    change(flow.as_object_mut().unwrap(), changes);
    flow.to_string()
}

/// A usual reading of a controller, with some fields changed.
fn reading(changes: Value) -> String {
    let mut reading = json!({
        "kind": "reading", "device": "cnc-controller-01-0001", "time": "2025-12-12T09:00:00Z",
        "current_a": 3.0,
    });
    change(reading.as_object_mut().unwrap(), changes);
    reading.to_string()
}

fn change(record: &mut Map<String, Value>, changes: Value) {
    let Value::Object(changes) = changes else {
        return;
    };
    for (name, value) in changes {
        if value.is_null() {
            record.shift_remove(&name);
        } else {
            record.insert(name, value);
        }
    }
}

#[test]
fn what_cannot_be_used_is_rejected_with_its_reason_and_line() {
    let number = |text: &str| reading(json!({})).replace("3.0", text);
    let cases = [
        ("malformed", "{\"kind\":\"flow\"".to_owned()),
        ("malformed", "[1, 2]".to_owned()),
        ("malformed", "[".repeat(50_000)),
        ("malformed", number("NaN")),
        ("malformed", number("Infinity")),
        ("malformed", number("1e999")),
        ("wrong_type", number("\"NaN\"")),
        ("out_of_range", number("-3")),
        ("missing_field", reading(json!({ "current_a": null }))),
        ("missing_field", reading(json!({ "time": null }))),
        ("missing_field", flow(json!({ "orig": null }))),
        ("missing_field", flow(json!({ "transport": null }))),
        ("wrong_type", flow(json!({ "orig": "nowhere" }))),
        ("wrong_type", flow(json!({ "orig_bytes": "many" }))),
        ("wrong_type", flow(json!({ "orig_bytes": 1.5 }))),
        ("wrong_type", flow(json!({ "time": "yesterday" }))),
        ("wrong_type", flow(json!({ "device": "two words" }))),
        ("wrong_type", flow(json!({ "device": "plc\u{202e}-1" }))),
        ("wrong_type", flow(json!({ "device": "plc\u{200b}-1" }))),
        ("out_of_range", flow(json!({ "orig_bytes": -5 }))),
        (
            "out_of_range",
            flow(json!({ "start": "2025-12-12T10:00:00Z" })),
        ),
        (
            "far_future",
            flow(json!({ "time": "2100-01-01T00:00:00Z" })),
        ),
        ("unknown_version", flow(json!({ "v": 9 }))),
        ("unsupported", flow(json!({ "kind": "telegram" }))),
        ("oversized", flow(json!({ "uid": "x".repeat(2 << 20) }))),
        (
            "no_known_endpoint",
            flow(json!({ "device": null, "orig": "192.0.2.1:1", "resp": "192.0.2.2:2" })),
        ),
    ];
    // A good one first: it says what the file is.
    let lines: Vec<String> = [flow(json!({}))]
        .into_iter()
        .chain(cases.iter().map(|(_, line)| line.clone()))
        .collect();
    let outcome = backtest_lines(&lines);
    let expected: Vec<_> = cases
        .iter()
        .zip(2..)
        .map(|((reason, _), at)| (*reason, at))
        .collect();
    assert_eq!(outcome.told(), expected);
    assert_eq!(outcome.count("records_observed"), 1);
}

#[test]
fn bytes_that_are_no_text_are_rejected() {
    let mut content = flow(json!({})).into_bytes();
    content.extend(b"\n\xff\xfe\x00\n");
    content.extend(flow(json!({ "uid": "later" })).into_bytes());
    let outcome = backtest("capture.ndjson", &content);
    assert_eq!(outcome.told(), [("malformed", 2)]);
    assert_eq!(outcome.count("records_observed"), 2);
}

#[test]
fn what_is_odd_but_possible_is_observed() {
    let lines = [
        flow(json!({ "colour": "green", "uid": "a" })),
        flow(json!({ "orig_bytes": 0, "resp_bytes": 0, "uid": "b" })),
        flow(json!({ "orig_bytes": null, "resp_bytes": null, "uid": "c" })),
        flow(json!({ "start": "1970-01-01T00:00:00Z", "uid": "d" })),
        flow(json!({ "orig_bytes": u64::MAX, "resp_bytes": u64::MAX, "uid": "e" })),
    ];
    let outcome = backtest_lines(&lines);
    assert_eq!(outcome.told(), []);
    assert_eq!(outcome.count("observations"), 5);
    // Nobody moves that much: the largest number is no overflow, but an excess.
    assert!(outcome.detectors().contains(&"traffic_volume"));
}

#[test]
fn a_time_of_2100_moves_nothing_and_one_of_1970_is_late() {
    let at = |time: &str| flow(json!({ "time": time, "uid": time }));
    let lines = [
        at("2025-12-12T09:00:00Z"),
        at("2100-01-01T00:00:00Z"),
        at("2025-12-12T09:00:30Z"),
        at("1970-01-01T00:00:00Z"),
    ];
    let outcome = backtest_lines(&lines);
    assert_eq!(outcome.told(), [("far_future", 2)]);
    assert_eq!(
        (outcome.count("observations"), outcome.count("late")),
        (3, 1)
    );
}

#[test]
fn a_counter_that_starts_again_is_no_flood() {
    let so_far = |minute: u32, bytes: u64| {
        flow(json!({
            "time": format!("2025-12-12T09:{minute:02}:00Z"), "start": "2025-12-12T09:00:00Z",
            "uid": "long", "interim": true, "orig_bytes": bytes,
        }))
    };
    let totals = [400_000, 900_000, 20_000, 500_000, 0, 10_000];
    let lines: Vec<String> = (1..)
        .zip(totals)
        .map(|(at, bytes)| so_far(at, bytes))
        .collect();
    let outcome = backtest_lines(&lines);
    assert_eq!(outcome.told(), []);
    assert_eq!(outcome.count("observations"), 6);
    assert!(
        !outcome.detectors().contains(&"traffic_volume"),
        "{:?}",
        outcome.verdicts
    );
}

#[test]
fn a_device_that_is_not_in_the_inventory_is_a_finding() {
    let outcome = backtest_lines(&[reading(json!({ "device": "toaster-9" }))]);
    assert_eq!(outcome.told(), []);
    assert_eq!(outcome.verdicts[0]["device_id"], "toaster-9");
    assert!(outcome.detectors().contains(&"unknown_device"));
}

#[test]
fn what_is_told_twice_counts_once() {
    let numbered = |seq: u64| {
        let time = format!("2025-12-12T09:00:{seq:02}Z");
        flow(json!({ "seq": seq, "time": time, "resp": "203.0.113.7:4444" }))
    };
    let once: Vec<String> = (0..40).map(numbered).collect();
    let twice: Vec<String> = once
        .iter()
        .flat_map(|line| [line.clone(), line.clone()])
        .collect();
    let (single, double) = (backtest_lines(&once), backtest_lines(&twice));
    assert_eq!(single.count("duplicates"), 0);
    assert_eq!(double.count("duplicates"), 40);
    assert_eq!(double.count("observations"), single.count("observations"));
    let told = |outcome: &Outcome| {
        let told = |v: &Value| {
            (
                v["verdict_id"].clone(),
                v["revision"].clone(),
                v["grade"].clone(),
            )
        };
        outcome.verdicts.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(told(&double), told(&single));
    assert!(!single.verdicts.is_empty());
}

#[test]
fn a_shuffled_capture_loses_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "2000", &["plc-night-exfil"]);
    let text = fs::read_to_string(capture).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // A stride that shares no factor with the number of lines visits each of them once.
    let stride = 997;
    assert!(!lines.len().is_multiple_of(stride));
    let shuffled: Vec<String> = (0..lines.len())
        .map(|at| lines[at * stride % lines.len()].clone())
        .collect();
    let (sorted, outcome) = (backtest_lines(&lines), backtest_lines(&shuffled));
    assert_eq!(outcome.told(), []);
    assert_eq!(outcome.count("records"), lines.len() as u64);
    assert_eq!(outcome.count("observations"), sorted.count("observations"));
    assert!(outcome.count("late") > sorted.count("late"));
    // A rule of one row holds for late rows as well.
    assert!(outcome.verdicts.iter().any(|v| v["grade"] == "CRITICAL"));
}

#[test]
fn a_compressed_log_that_breaks_off_keeps_its_beginning() {
    let mut text = String::from("#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.orig_p\t");
    text += "id.resp_h\tid.resp_p\tproto\torig_bytes\tresp_bytes\tconn_state\n";
    for at in 0..5_000_u32 {
        let noise = at.wrapping_mul(2_654_435_761);
        text += &[
            "1765530000.",
            &format!("{:06}", at * 7),
            "\tC",
            &noise.to_string(),
        ]
        .concat();
        text += "\t10.1.10.1\t40000\t10.1.10.250\t44818\tudp\t120\t40\tSF\n";
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let whole = backtest("conn.log", &packed);
    assert_eq!(
        (whole.count("records_observed"), whole.told()),
        (5_000, vec![])
    );
    let cut = backtest("conn.log", &packed[..packed.len() / 2]);
    let kept = cut.count("records_observed");
    assert!(
        (1_000..5_000).contains(&kept),
        "{kept} of 5000 rows were kept"
    );
    assert_eq!(cut.told(), [("truncated", kept + 1)]);
}

#[test]
fn damaged_rows_of_a_log_are_rejected_one_by_one() {
    let text = "#separator \\x09\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\t\
                orig_bytes\n\
                1765530000.0\t10.1.10.1\t40000\t10.1.10.250\t44818\tudp\t120\n\
                nan\t10.1.10.1\t40000\t10.1.10.250\t44818\tudp\t120\n\
                1765530000.0\t10.1.10.1\t40000\t10.1.10.250\t44818\tudp\t-120\n\
                1765530000.0\t10.1.10.1\t40000\t10.1.10.250\t99999\tudp\t120\n\
                1765530000.0\t10.1.10.1\t40000\n\
                1765530001.0\t10.1.10.1\t40000\t10.1.10.250\t44818\tudp\t120\n";
    let outcome = backtest("conn.log", text.as_bytes());
    let places: Vec<u64> = outcome.told().iter().map(|(_, at)| *at).collect();
    assert_eq!(places, [2, 3, 4, 5], "{:?}", outcome.rejects);
    assert_eq!(outcome.count("records_observed"), 2);
}

#[test]
fn a_bad_first_line_costs_one_record_and_not_the_capture() {
    let lines: Vec<String> = ["garbage".to_owned()]
        .into_iter()
        .chain((0..1_000).map(|n| flow(json!({ "uid": n.to_string() }))))
        .collect();
    let outcome = backtest_lines(&lines);
    assert_eq!(outcome.told(), [("malformed", 1)]);
    assert_eq!(outcome.count("records_observed"), 1_000);
}
