//! CSV with a mapping, from the command line: what is wrong is told at once, and what is right is
//! judged like any other capture.
#![expect(clippy::unwrap_used, reason = "what cannot be done fails the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

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

const PLANT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../profiles/inventory/precision-parts.yaml"
);

const MAPPING: &str = "\
kind: reading
zone: Europe/Berlin
fields:
  time: { column: when, format: \"%d.%m.%Y %H:%M:%S\" }
  device: machine
  current_a: { column: milliamps, unit: mA }
";

/// A night in which a controller draws more current than it may.
fn rows() -> String {
    let rows = (0..180).map(|second| {
        let milliamps = if second < 60 { 700 } else { 60_000 };
        format!(
            "14.12.2025 02:{:02}:{:02};cnc-controller-01-0001;{milliamps}\n",
            second / 60,
            second % 60
        )
    });
    format!("when;machine;milliamps\n{}", rows.collect::<String>())
}

#[test]
fn readings_from_a_csv_are_judged_and_bad_rows_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("night.csv"), rows() + "14.12.2025;x;1\n").unwrap();
    fs::write(
        folder.join("m.yaml"),
        MAPPING.to_owned() + "delimiter: ';'\n",
    )
    .unwrap();
    let line = format!("backtest night.csv --map m.yaml --inventory {PLANT} --out result -o json");
    let output = andon(folder, &line);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["records"], 181);
    assert_eq!(summary["rejects"]["wrong_type"], 1);
    let verdicts = fs::read_to_string(folder.join("result/verdicts.jsonl")).unwrap();
    assert!(
        verdicts.contains("\"detector\":\"current_draw\""),
        "{verdicts}"
    );
    let rejects = fs::read_to_string(folder.join("result/rejects.jsonl")).unwrap();
    assert!(rejects.contains("line 182: `time` is"), "{rejects}");
}

#[test]
fn everything_wrong_with_a_mapping_is_told_before_a_row_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("night.csv"), rows()).unwrap();
    let wrong = MAPPING
        .replace("zone: Europe/Berlin\n", "")
        .replace("mA", "mAh");
    fs::write(folder.join("m.yaml"), wrong).unwrap();
    for line in [
        "backtest night.csv --map m.yaml",
        "capture convert night.csv --map m.yaml --out a.ndjson",
        "learn night.csv --map m.yaml --out learned",
    ] {
        let output = andon(folder, line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        let told = text(&output.stderr);
        for part in [
            "m.yaml cannot be used: 2 problems",
            "its times bear no offset, and `zone:` is not written",
            "hint: Did you mean `mA`?",
        ] {
            assert!(told.contains(part), "{line}: {part}: {told}");
        }
    }
    assert!(!folder.join("a.ndjson").exists());
}

#[cfg(feature = "query")]
#[test]
fn a_csv_is_asked_with_the_mapping_that_was_handed_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("night.csv"), rows()).unwrap();
    fs::write(
        folder.join("m.yaml"),
        MAPPING.to_owned() + "delimiter: ';'\n",
    )
    .unwrap();
    let line = "capture convert night.csv --map m.yaml --out night.ndjson";
    assert!(andon(folder, line).status.success());
    let ask = |captures: &[&str]| {
        let captures = captures.iter().flat_map(|path| ["--capture", path]);
        let output = Command::new(env!("CARGO_BIN_EXE_andon"))
            .current_dir(folder)
            .args(["query", "--csv", "--map", "m.yaml"])
            .args(captures)
            .arg("SELECT count(*) AS n, max(current_a) AS most FROM captures")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), text(&output.stderr))
    };
    let (answer, said) = ask(&["night.csv"]);
    assert_eq!(answer, "n,most\n180,60.0\n");
    assert_eq!(said, "");
    // It may be needed for some of them only, or for none.
    let (answer, said) = ask(&["night.csv", "night.ndjson"]);
    assert_eq!(answer, "n,most\n360,60.0\n");
    assert_eq!(said, "");
    let (answer, said) = ask(&["night.ndjson"]);
    assert_eq!(answer, "n,most\n180,60.0\n");
    assert_eq!(said.matches("was not needed").count(), 1, "{said}");
}
