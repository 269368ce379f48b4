//! Labels of every form that is read, against captures that hold what they name, and against
//! captures that do not.
#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const PLANT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../profiles/inventory/precision-parts.yaml"
);

fn andon(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon"))
        .current_dir(folder)
        .args(line.split_whitespace())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const HEADER: &str = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n\
                      #unset_field\t-\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\t\
                      id.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes\t\
                      conn_state\ttunnel_parents   label   detailed-label\n";

/// A labelled log: the second device of the plant talks to its historian, and to a stranger twice,
/// five hours apart.
fn log(folder: &Path) {
    let row = |at: u32, to: &str, label: &str| {
        format!(
            "{at}.250000\tC{at}\t10.1.10.1\t40000\t{to}\t443\ttcp\t-\t1.500000\t1200\t300\tSF\t\
             (empty)   {label}\n"
        )
    };
    let mut rows: String = (0..360)
        .map(|minute| row(1_765_540_000 + minute * 60, "10.1.50.10", "Benign   -"))
        .collect();
    for at in [1_765_541_000, 1_765_541_600, 1_765_559_000] {
        rows.push_str(&row(at, "203.0.113.9", "Malicious   C&C-Test"));
    }
    fs::write(folder.join("conn.log"), format!("{HEADER}{rows}")).unwrap();
}

fn backtest(folder: &Path, labels: &str) -> Value {
    let line = format!(
        "backtest conn.log --labels {labels} --inventory {PLANT} --out result -o json \
         --as-of 2026-01-01T00:00:00Z"
    );
    let output = andon(folder, &line);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_labelled_log_is_its_own_ground_truth() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    log(folder);
    let summary = backtest(folder, "conn.log");
    let attacks = summary["detection"]["attacks"].as_array().unwrap();
    // What lies five hours apart is two attacks.
    assert_eq!(attacks.len(), 2, "{attacks:?}");
    for attack in attacks {
        assert_eq!(attack["attack"], "C&C-Test");
        assert_eq!(attack["device"], "cnc-controller-01-0001");
        assert_eq!(attack["grade"], "CRITICAL");
        assert_eq!(attack["as_expected"], true);
        assert_eq!(attack["unmatched"], Value::Null);
    }
}

#[test]
fn a_table_names_what_is_found_what_is_missed_and_what_matches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    log(folder);
    let table = "device, attack, start, end, detectors, peer\n\
                 10.1.10.1, call home, 2025-12-12T12:03:20Z, 2025-12-12T12:20:00Z, unknown_destination, 203.0.113.9\n\
                 # a remark\n\
                 cnc-controller-01-0001, last year, 2024-12-12T12:03:20Z, 2024-12-12T12:20:00Z, ,\n\
                 cnc-controller-01-0002, elsewhere, 2025-12-12T12:03:20Z, 2025-12-12T12:20:00Z, ,\n";
    fs::write(folder.join("truth.csv"), table).unwrap();
    let summary = backtest(folder, "truth.csv");
    let attacks = summary["detection"]["attacks"].as_array().unwrap();
    let told: Vec<_> = attacks
        .iter()
        .map(|attack| {
            (
                attack["attack"].as_str().unwrap(),
                attack["as_expected"].as_bool().unwrap(),
                attack["unmatched"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("call home", true, None),
            (
                "last year",
                false,
                Some("the captures hold nothing from its time")
            ),
            (
                "elsewhere",
                false,
                Some("the captures hold no record of its device")
            ),
        ]
    );
    let page = fs::read_to_string(folder.join("result/report.html")).unwrap();
    assert!(page.contains("matches nothing: the captures hold nothing from its time"));
    let line = format!("backtest conn.log --labels truth.csv --inventory {PLANT}");
    let said = text(&andon(folder, &line).stdout);
    assert!(said.contains("matches nothing: the captures hold no record of its device"));
}

#[test]
fn everything_wrong_with_a_table_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    log(folder);
    let refused = |table: &str| {
        fs::write(folder.join("truth.csv"), table).unwrap();
        let line = format!("backtest conn.log --labels truth.csv --inventory {PLANT}");
        let output = andon(folder, &line);
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    let said = refused("attack,divice,start\n");
    for part in [
        "column `device` is missing",
        "column `end` is missing",
        "column `divice` is not known (Did you mean `device`?)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = refused(
        "attack,device,start,end,expected_grade,detectors\n\
         a,d,noon,2025-12-12T12:20:00Z,BAD,nothing\na,d\n\
         ,d,2025-12-12T12:21:00Z,2025-12-12T12:20:00Z,,\n",
    );
    for part in [
        "line 2: `start`: ",
        "`expected_grade` is \"BAD\", expected LOW to CRITICAL",
        "detector \"nothing\" is not known",
        "line 3: row has 2 cells where the header names 6",
        "line 4: `attack` is empty; attack ends before it starts",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_log_without_labels_is_no_ground_truth() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    log(folder);
    let plain = fs::read_to_string(folder.join("conn.log")).unwrap();
    fs::write(
        folder.join("plain.log"),
        plain.replace("   label   ", "   lable   "),
    )
    .unwrap();
    let line = format!("backtest conn.log --labels plain.log --inventory {PLANT}");
    let output = andon(folder, &line);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("it has no column `label`"));
    let benign = plain.replace("Malicious", "Benign");
    fs::write(folder.join("benign.log"), benign).unwrap();
    let line = format!("backtest conn.log --labels benign.log --inventory {PLANT}");
    let output = andon(folder, &line);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("name no attack in 363 rows"));
}
