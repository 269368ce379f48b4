//! One capture, two sets of profiles: each sees what a backtest of its own sees, what differs is
//! told with its reason, and the report holds all of it.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

/// The product's profiles, but that the PLC may talk to the address that the attack reaches.
fn lenient(folder: &Path) -> PathBuf {
    plant::permitting(folder, "lenient", "plc_assembly", "203.0.113.77")
}

/// A capture of two hours, and a folder for everything.
fn captured() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let attacks = ["plc-night-exfil", "silent-sensor"];
    let capture = plant::simulate(folder.path(), "2", "9000", &attacks);
    (folder, capture)
}

fn backtest(capture: &Path, out: &Path, extra: &[&str]) -> Output {
    let (capture, out) = (capture.to_string_lossy(), out.to_string_lossy());
    let mut args = vec!["backtest", &*capture, "--out", &*out];
    args.extend(extra);
    plant::run(&args)
}

fn document(folder: &Path, file: &str) -> Value {
    serde_json::from_slice(&plant::read(folder, file)).unwrap()
}

#[test]
fn each_side_sees_what_a_backtest_of_its_own_sees() {
    let (folder, capture) = captured();
    let [both, one, other] = ["both", "one", "other"].map(|name| folder.path().join(name));
    let profiles = lenient(folder.path());
    let profiles = profiles.to_string_lossy();
    let pieces = [
        "--compare",
        &*profiles,
        "--shards",
        "2",
        "--restart-every",
        "1",
    ];
    backtest(&capture, &both, &pieces);
    backtest(&capture, &one, &[]);
    backtest(&capture, &other, &["--profiles", &profiles]);
    let verdicts = |folder: &Path| plant::read(folder, "verdicts.jsonl");
    assert!(verdicts(&both) == verdicts(&one));
    assert!(verdicts(&both.join("compare")) == verdicts(&other));
    assert!(verdicts(&one) != verdicts(&other));
    // What is told of the other side can be asked for as well.
    let data = both.join("compare");
    let data = data.to_string_lossy();
    let told = plant::run(&["explain", "all", "--data", &*data, "-o", "json"]);
    let told = plant::lines(&told.stdout);
    assert!(!told.is_empty() && told.iter().all(|line| line["equal"] == true));
}

#[test]
fn what_changes_is_told_with_its_reason() {
    let (folder, capture) = captured();
    let out = folder.path().join("out");
    let profiles = lenient(folder.path());
    let profiles = profiles.to_string_lossy();
    let labels = format!("{}.labels.ndjson", capture.display());
    let extra = ["--compare", &*profiles, "--labels", &*labels];
    let text = String::from_utf8(backtest(&capture, &out, &extra).stdout).unwrap();

    let comparison = document(&out, "compare.json");
    let changes = comparison["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    let change = &changes[0];
    assert_eq!(change["device_id"], "plc-assembly-line-3");
    assert_eq!(change["change"], "milder");
    assert_eq!(change["before"]["grade"], "CRITICAL");
    assert_eq!(change["after"]["grade"], "HIGH");
    assert_eq!(comparison["counts"]["milder"], 1);
    assert!(comparison["unchanged"].as_u64().unwrap() > 0);
    let reasons = change["reasons"].as_array().unwrap();
    let named = |reason: &&Value| reason["detector"] == "unknown_destination";
    let reason = reasons.iter().find(named).unwrap();
    assert_eq!(reason["fields"][0]["field"], "destinations: 203.0.113.77");
    let detection = |side: &str| comparison[side]["detection"]["attacks_found"].clone();
    assert_eq!(
        (detection("before"), detection("after")),
        (2.into(), 1.into())
    );

    let sentence = "`unknown_destination` no longer finds anything, it was at CRITICAL: \
                    destinations: 203.0.113.77 is new";
    assert!(text.contains("1 milder"), "{text}");
    assert!(text.contains(sentence), "{text}");
    let page = String::from_utf8(plant::read(&out, "report.html")).unwrap();
    assert!(page.contains("1 would be graded milder"));
    assert!(page.contains("<code>unknown_destination</code> no longer finds anything"));

    let printed = backtest(&capture, &out, &["--compare", &profiles, "-o", "json"]);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed["comparison"]["changes"], comparison["changes"]);
    let summary = document(&out, "summary.json");
    assert_eq!(summary["comparison"]["counts"], comparison["counts"]);
}

#[test]
fn a_report_is_the_same_for_the_same_input_and_none_is_left_of_an_earlier_run() {
    let (folder, capture) = captured();
    let out = folder.path().join("out");
    let profiles = lenient(folder.path());
    backtest(&capture, &out, &["--compare", &profiles.to_string_lossy()]);
    assert!(out.join("compare.json").exists());
    backtest(&capture, &out, &[]);
    assert!(!out.join("compare.json").exists());
    let first = plant::read(&out, "report.html");
    backtest(&capture, &out, &["--shards", "2", "--batch-size", "100"]);
    assert!(first == plant::read(&out, "report.html"));
    let page = String::from_utf8(first).unwrap();
    assert!(page.contains("plc-assembly-line-3") && page.contains("No ground truth was given"));
}

#[test]
fn a_full_disk_is_said_and_leaves_no_half_a_report() {
    let (folder, capture) = captured();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    std::os::unix::fs::symlink("/dev/full", out.join("report.html.new")).unwrap();
    let ended = plant::andon()
        .arg("backtest")
        .args([&capture, Path::new("--out"), &out])
        .output()
        .unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.contains("report.html`: No space left on device"),
        "{said}"
    );
    assert!(!out.join("report.html").exists() && !out.join("report.html.new").exists());
}

#[test]
fn devices_that_go_by_their_address_have_no_profiles_to_compare() {
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("conn.log");
    let row = r#"{"ts":1765675800.0,"uid":"C1","id.orig_h":"10.1.1.1","id.orig_p":40000,"id.resp_h":"10.1.1.2","id.resp_p":502,"proto":"tcp","duration":1.0,"orig_bytes":10,"resp_bytes":10,"conn_state":"SF"}"#;
    fs::write(&capture, format!("{row}\n")).unwrap();
    let ended = plant::andon()
        .arg("backtest")
        .args([&capture, Path::new("--compare"), Path::new(plant::PROFILES)])
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("Name the plant with --inventory"), "{said}");
}
